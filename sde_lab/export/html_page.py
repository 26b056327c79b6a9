"""Figures → one HTML file that needs nothing else, as it holds plotly.js."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from sde_lab.scenario import Scenario

_COLOUR = re.compile(r"#[0-9a-fA-F]{3,8}|rgba?\([0-9., ]+\)")
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
"""Content security policy: the file may load nothing from elsewhere."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{margin: 1rem; background: {ground}; color: {ink};
  font-family: "Source Sans", "Source Sans Pro", "Helvetica Neue", Arial, sans-serif;}}
h1 {{margin: 0; font-size: 1.5rem;}}
main {{display: flex; flex-wrap: wrap; gap: 1rem;}}
main > div {{flex: 1 1 26rem; min-width: 0; height: clamp(26rem, 75vh, 56rem);}}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{caption}</p>
<main>{charts}</main>
<p>Solid lines and bands are simulated, dashed lines are exact, dotted lines are the exact
distribution of the scheme, where they are known.</p>
<noscript>The charts need JavaScript; all of it is in this file.</noscript>
<script type="application/json" id="scenario">{scenario}</script>
<script type="application/json" id="figures">{figures}</script>
<script>{library}</script>
<script>
// Plotly rejects, without a reason, the promise of an animation that is paused.
addEventListener("unhandledrejection", (event) => {{
  if (event.reason === undefined) event.preventDefault();
}});
const figures = JSON.parse(document.getElementById("figures").textContent);
for (const [place, figure] of figures.entries()) {{
  Plotly.newPlot("chart" + place, {{...figure, config: {{responsive: true, displaylogo: false}}}});
}}
</script>
</body>
</html>
"""


def to_html(
    figures: Sequence[Mapping[str, Any]],
    scenario: Scenario,
    title: str | None = None,
    note: str = "",
) -> bytes:
    """Return one HTML page with the figures that needs nothing else, as it holds plotly.js.

    Args:
        figures: ``data`` and ``layout`` of each, as Plotly takes them, arrays included, and
            ``frames`` of an animation. The first gives the page its colours, by
            ``layout.meta.ground`` and ``layout.font.color``.
        scenario: what they show, for the caption; it is in the file as JSON too.
        title: heading; None takes the model's title.
        note: a sentence after the caption.

    Returns:
        UTF-8. Charts stand side by side, or below each other in a narrow window.
    """
    from plotly.io.json import to_json_plotly
    from plotly.offline import get_plotlyjs

    layout = figures[0].get("layout", {}) if figures else {}
    page = _PAGE.format(
        policy=html.escape(_POLICY),
        title=html.escape(scenario.model_spec.title if title is None else title),
        caption=html.escape(f"{_caption(scenario)} {note}".rstrip()),
        ground=_colour(layout.get("meta", {}).get("ground"), "#ffffff"),
        ink=_colour(layout.get("font", {}).get("color"), "#1f2933"),
        charts="".join(f'<div id="chart{place}"></div>' for place in range(len(figures))),
        scenario=_inert(json.dumps(scenario.to_dict())),
        figures=_inert(to_json_plotly(list(figures))),
        library=get_plotlyjs(),
    )
    return page.encode("utf-8")


def _colour(value: object, otherwise: str) -> str:
    """Return the value if it is a CSS colour and nothing but one, else the other colour."""
    return value if isinstance(value, str) and _COLOUR.fullmatch(value) else otherwise


def _inert(text: str) -> str:
    """Return JSON that cannot end the script element which holds it."""
    return text.replace("<", "\\u003c")


def _caption(scenario: Scenario) -> str:
    """Describe the model, its parameters and the run in one paragraph of plain text."""
    model = scenario.model_spec
    starts = zip(model.initial, scenario.initial, strict=True)
    parameters = [
        (parameter, scenario.parameters[parameter.name]) for parameter in model.parameters
    ]
    settings = ", ".join(
        f"{parameter.symbol} = {value:.12g}" for parameter, value in [*parameters, *starts]
    )
    return (
        f"{model.title}. {model.description} {settings}. {scenario.samples} samples,"
        f" {scenario.steps} steps to T = {scenario.horizon:.12g}, {scenario.scheme_spec.title},"
        f" seed {scenario.seed}, {scenario.dtype}."
    )
