"""Figures: valid for Plotly, legible in every theme, and true to the arrays they are made of."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import plotly.graph_objects as go
import pytest

from sde_lab.equations.examples import EXAMPLES
from sde_lab.figures.axis_range import axis_range
from sde_lab.figures.benchmark_bars import benchmark_bars
from sde_lab.figures.fan_chart import fan_chart
from sde_lab.figures.phase_portrait import phase_portrait
from sde_lab.figures.scaling_chart import scaling_chart
from sde_lab.figures.sensitivity_panels import sensitivity_panels
from sde_lab.figures.serialize import figure_to_json
from sde_lab.figures.step_maps import step_maps_chart, step_products_chart
from sde_lab.figures.summed_gradient import summed_gradient_chart
from sde_lab.figures.theme import PALETTE_SIZE, Theme, palette_index
from sde_lab.figures.traces import band, join_with_gaps, without_rounded_zeros
from sde_lab.models import MODELS
from sde_lab.models.base import Model
from sde_lab.models.laws.base import Law
from sde_lab.scenario import Scenario
from sde_lab.studies.benchmark.registry import METHODS
from sde_lab.studies.benchmark.trial import TrialResult
from sde_lab.studies.step_maps import step_maps
from sde_lab.studies.summed_gradient import summed_gradient
from sde_lab.summaries.chunked_run import simulate_summary
from sde_lab.summaries.summary import Bands, Histogram, Summary, display_times
from sde_lab.theory.exact_laws import exact_laws

THEMES = [Theme(dark, projector) for dark in (False, True) for projector in (False, True)]
TIMES = np.linspace(0.0, 2.0, 101)
NAMES = ("x0", "kappa", "theta", "sigma", "mu", "xi", "rho", "r", "K")
COLOURED = (*MODELS.values(), *(Scenario(example.text).model_spec for example in EXAMPLES))
LIMIT = 60_000
"""Bytes that a default figure may send to the browser."""


class Normal(Law):
    """A normal law with mean t and variance t, for one component."""

    def __init__(self, mean: np.ndarray, *, known: bool = True) -> None:
        self.mean, self.variance = mean[:, None], np.abs(mean)[:, None]
        self.known = known

    def quantile(self, q):
        z = {0.05: -1.645, 0.25: -0.674, 0.75: 0.674, 0.95: 1.645}[q]
        return self.mean + z * np.sqrt(self.variance) if self.known else None

    def density(self, values, time, component=0):
        variance = self.variance[time, component]
        if not self.known or variance == 0.0:
            return None
        return np.exp(-((values - self.mean[time, 0]) ** 2) / (2 * variance))


def bands_of(values: np.ndarray) -> Bands:
    quantiles = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95], axis=1)
    std = values.std(axis=1)
    return Bands(values.mean(axis=1), std, quantiles, std / 10, std / 10)


def fake(columns: int = 4, model: str = "ornstein_uhlenbeck", times: np.ndarray = TIMES) -> Summary:
    """A summary of normal draws, with as many sensitivities as asked for."""
    random = np.random.default_rng(1)
    size = len(MODELS[model].components)
    values = random.normal(size=(len(times), 100, size)) * np.sqrt(times)[:, None, None]
    counts = [[np.histogram(row, 20, density=True) for row in values[..., d]] for d in range(size)]
    return Summary(
        scenario=Scenario(model),
        indices=np.arange(len(times)),
        times=times,
        states=tuple(bands_of(values[..., d]) for d in range(size)),
        histograms=tuple(
            Histogram(np.stack([h[1] for h in rows]), np.stack([h[0] for h in rows]))
            for rows in counts
        ),
        sensitivities={
            name: tuple(bands_of(values[..., d]) for d in range(size)) for name in NAMES[:columns]
        },
        paths=values[:, :30],
        kept=100,
        exploded=0,
    )


def figures(theme: Theme, columns: int = 4, *, exact: bool = True, ghost: bool = True):
    """Every kind of figure from the same results."""
    summary = fake(columns)
    law = Normal(TIMES) if exact else None
    laws = dict.fromkeys(NAMES, law) if exact else {}
    old = fake(columns) if ghost else None
    return [
        fan_chart(summary, 0, law, law, 60, theme, old),
        sensitivity_panels(summary, 0, laws, laws, {"kappa": ("κ", r"\kappa")}, 60, theme, old),
        phase_portrait(fake(2, "lotka_volterra"), 60, theme, ("prey", "predator")),
    ]


def traces(figure, prefix: str):
    return [trace for trace in figure["data"] if trace["uid"].startswith(prefix)]


def luminance(colour: str) -> float:
    """Relative luminance of ``#rrggbb`` (WCAG 2.2)."""
    part = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def cie_lab(colour: str) -> np.ndarray:
    """CIE L*a*b* of ``#rrggbb``, white point D65."""
    part = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255.0
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    to_xyz = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    x, y, z = np.cbrt(np.array(to_xyz) @ linear / [0.9505, 1.0, 1.089])  # no colour here is dark
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", THEMES, ids=repr)
@pytest.mark.parametrize("columns", [1, 3, 4, 7, 9])
def test_figures_are_valid_for_plotly(theme: Theme, columns: int) -> None:
    for figure in figures(theme, columns):
        assert go.Figure(figure).data
        json.loads(figure_to_json(figure))


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("ghost", [False, True])
def test_what_is_not_there_is_not_drawn(exact: bool, ghost: bool) -> None:
    fans, panels, _ = figures(Theme(), exact=exact, ghost=ghost)
    assert bool(traces(fans, "exact")) == exact
    assert bool(traces(fans, "pinned")) == ghost
    assert bool(traces(panels, "kappa-exact")) == exact
    assert bool(traces(panels, "kappa-pinned")) == ghost


def test_a_law_known_by_its_moments_alone_is_one_line() -> None:
    figure = fan_chart(fake(), 0, Normal(TIMES, known=False), None, 60, Theme())
    assert [trace["uid"] for trace in traces(figure, "exact")] == ["exact"]


@pytest.mark.parametrize("theme", THEMES, ids=repr)
def test_simulated_is_solid_exact_dashed_and_the_scheme_dotted(theme: Theme) -> None:
    for figure in figures(theme)[:2]:
        for trace in figure["data"]:
            wanted = "solid"
            if re.search(r"^exact|-exact", trace["uid"]):
                wanted = theme.dashed
            if re.search(r"^scheme|-scheme", trace["uid"]):
                wanted = theme.dotted
            assert trace["line"].get("dash", "solid") == wanted, trace["uid"]


@pytest.mark.parametrize("theme", THEMES, ids=repr)
def test_the_browser_can_tell_traces_apart(theme: Theme) -> None:
    for figure in figures(theme, 9):
        uids = [trace["uid"] for trace in figure["data"]]
        assert len(set(uids)) == len(uids)
        # Plotly makes a CSS class of it.
        assert all(re.fullmatch(r"[A-Za-z][\w-]*", uid) for uid in uids), uids


@pytest.mark.parametrize("dark", [False, True])
def test_letters_and_lines_stand_out(dark: bool) -> None:
    theme = Theme(dark)
    letters = [theme.text, theme.muted, *(theme.series_colour(i) for i in range(PALETTE_SIZE))]
    assert min(contrast(colour, theme.background) for colour in letters) >= 4.5


@pytest.mark.parametrize("theme", THEMES, ids=repr)
@pytest.mark.parametrize("model", COLOURED, ids=lambda model: model.title)
def test_no_two_columns_of_a_model_share_a_colour(theme: Theme, model: Model) -> None:
    columns = model.jacobian_columns
    colours = [theme.parameter_colour(name, model) for name in columns]
    assert len(set(colours)) == len(columns) <= PALETTE_SIZE
    assert theme.parameter_colour("steps", model) == theme.text


def test_colours_repeat_beyond_the_palette_but_never_side_by_side() -> None:
    names = [f"k{number}" for number in range(1, 17)]
    model = Scenario(f"dx = ({' + '.join(names)})*dt + dW\ndy = x*dt").model_spec
    indices = [palette_index(model, name) for name in model.jacobian_columns]
    assert len(indices) == 18
    assert sorted(indices[:PALETTE_SIZE]) == list(range(PALETTE_SIZE))
    assert indices[PALETTE_SIZE:] == indices[:PALETTE_SIZE]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("model", COLOURED, ids=lambda model: model.title)
def test_the_eye_can_tell_neighbouring_columns_apart(dark: bool, model: Model) -> None:
    """In CIE L*a*b* a difference of 2.3 is just noticeable (Mahy et al. 1994)."""
    colours = [Theme(dark).parameter_colour(name, model) for name in model.jacobian_columns]
    gaps = [np.linalg.norm(cie_lab(one) - cie_lab(other)) for one, other in pairwise(colours)]
    assert min(gaps) > 20.0


def test_bands_are_closed_polygons_with_a_gap_where_nothing_is_known() -> None:
    low, high = np.array([0.0, 1.0, np.nan, 1.0]), np.array([1.0, 3.0, 2.0, 4.0])
    area = band(np.array([0.0, 2.0, 3.0, 4.0]), low, high, "red")
    np.testing.assert_array_equal(area["x"], [0, 2, 2, 0, 0, np.nan, 4, 4, 4])
    np.testing.assert_array_equal(area["y"], [1, 3, 1, 0, 1, np.nan, 4, 1, 4])
    assert area["fill"] == "toself"


def test_curves_are_joined_with_a_gap_after_each() -> None:
    x, y = join_with_gaps(np.array([0.0, 1.0]), np.array([[1.0, 3.0], [2.0, 4.0]]))
    np.testing.assert_array_equal(x, [0, 1, np.nan, 0, 1, np.nan])
    np.testing.assert_array_equal(y, [1, 2, np.nan, 3, 4, np.nan])


def test_the_marginal_law_is_that_of_the_cursor() -> None:
    summary = fake()
    figure = fan_chart(summary, 0, Normal(TIMES), None, 40, Theme())
    (outline,) = traces(figure, "histogram")
    np.testing.assert_allclose(
        outline["y"][1:-1:2], summary.histograms[0].edges[40][:-1], rtol=1e-6
    )
    np.testing.assert_allclose(outline["x"][1:-1:2], summary.histograms[0].density[40], rtol=1e-6)
    assert figure["layout"]["shapes"][0]["x0"] == pytest.approx(TIMES[40])
    assert outline["yaxis"] == "y"


def test_pointing_at_the_mean_tells_spread_and_theory() -> None:
    figure = fan_chart(fake(), 0, Normal(TIMES), None, 40, Theme())
    (mean,) = traces(figure, "state-mean")
    np.testing.assert_allclose(mean["customdata"][:, 0], TIMES, rtol=1e-6)
    np.testing.assert_allclose(mean["customdata"][:, 1], fake().states[0].std, rtol=1e-6)
    np.testing.assert_allclose(mean["customdata"][:, 2], np.sqrt(TIMES), rtol=1e-6)
    assert mean["hovertemplate"].count("exact") == 2


def test_one_sample_has_a_mean_and_no_spread() -> None:
    summary = fake()
    lone = replace(summary.states[0], std=np.full(len(TIMES), np.nan))
    (mean,) = traces(
        fan_chart(replace(summary, states=(lone,)), 0, None, None, 0, Theme()), "state-mean"
    )
    assert "standard deviation" not in mean["hovertemplate"]
    assert "customdata" not in mean


def test_the_time_axes_of_all_panels_move_together() -> None:
    layout = figures(Theme(), 7)[1]["layout"]
    axes = layout["meta"]["time"]
    assert axes == ["xaxis", *(f"xaxis{i}" for i in range(2, 8))]
    assert all(layout[axis]["matches"] == "x" for axis in axes[1:])
    shown = [axis for axis in axes if layout[axis]["showticklabels"]]
    assert shown == ["xaxis6", "xaxis7"]
    assert len(layout["shapes"]) == len(layout["annotations"]) == 7


@pytest.mark.parametrize("columns", range(1, 10))
def test_panels_do_not_overlap(columns: int) -> None:
    layout = figures(Theme(projector=True), columns)[1]["layout"]
    suffixes = ["", *map(str, range(2, columns + 1))]
    boxes = [(*layout[f"xaxis{s}"]["domain"], *layout[f"yaxis{s}"]["domain"]) for s in suffixes]
    assert all(0 <= a < b <= 1 and 0 <= c < d <= 1 for a, b, c, d in boxes)
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            beside = one[0] >= other[1] or other[0] >= one[1]
            assert beside or one[2] >= other[3] or other[2] >= one[3]


@pytest.mark.parametrize(
    ("curve", "least"),
    [(np.ones(5) + 1e-7 * np.arange(5), 0.09), (np.zeros(5), 2.0), (1e-3 * np.arange(5), 4e-3)],
)
def test_noise_of_rounding_is_not_magnified(curve, least: float) -> None:
    low, high = axis_range([curve], [])
    assert high - low >= least
    assert low <= curve.min() <= curve.max() <= high


def test_outliers_do_not_decide_what_is_seen() -> None:
    low, high = axis_range([np.zeros(5), np.ones(5)], [np.array([0.5, 1e9])])
    assert -0.5 < low < 0
    assert 1.4 < high < 2
    assert axis_range([np.full(5, np.nan)], []) == [-1.0, 1.0]
    assert axis_range([np.array([np.inf, 1.0, 2.0])], [])[1] < 3


def test_no_finite_sample_still_makes_a_figure() -> None:
    hole = np.full(len(TIMES), np.nan)
    empty = Bands(hole, hole, np.full((5, len(TIMES)), np.nan), hole, hole)
    summary = replace(
        fake(),
        states=(empty,),
        histograms=(Histogram(np.zeros((101, 11)), np.zeros((101, 10))),),
        sensitivities={"kappa": (empty,)},
        paths=np.empty((101, 0, 1)),
        kept=0,
    )
    for figure in (
        fan_chart(summary, 0, None, None, 100, Theme()),
        sensitivity_panels(summary, 0, {}, {}, {}, 100, Theme()),
    ):
        assert go.Figure(figure).data
        assert figure["layout"]["yaxis"]["range"] == [-1.0, 1.0]


def test_a_pinned_run_of_another_shape_is_left_out() -> None:
    old = SimpleNamespace(times=TIMES, states=(), sensitivities={"kappa": ()})
    assert not traces(fan_chart(fake(), 0, None, None, 0, Theme(), old), "pinned")
    assert not traces(sensitivity_panels(fake(), 0, {}, {}, {}, 0, Theme(), old), "kappa-pinned")


def test_the_default_figures_are_small_on_the_wire_and_keep_their_numbers() -> None:
    scenario = Scenario()
    summary, exact = simulate_summary(scenario), exact_laws(scenario)
    assert exact is not None
    assert exact.scheme is not None
    scheme, theme = exact.scheme, Theme()
    for figure in (
        fan_chart(summary, 0, exact.state, scheme.state, 100, theme),
        sensitivity_panels(summary, 0, exact.sensitivities, scheme.sensitivities, {}, 100, theme),
    ):
        text = figure_to_json(figure)
        assert len(text) < LIMIT
        first, sent = figure["data"][0]["y"], json.loads(text)["data"][0]["y"]
        assert sent["dtype"] == "f4"
        np.testing.assert_array_equal(
            np.frombuffer(base64.b64decode(sent["bdata"]), dtype="<f4"), first
        )


def test_the_legend_keeps_the_room_of_a_curve_that_another_value_of_a_slider_may_show() -> None:
    """The words are the same, unseen; so the legend has the same rows, and nothing jumps."""
    entries = []
    for steps in (1600, 5):
        scenario = Scenario(steps=steps, samples=20)
        laws = exact_laws(scenario, times=display_times(scenario))
        summary = simulate_summary(scenario)
        assert laws is not None
        assert laws.scheme is not None
        figure = fan_chart(summary, 0, laws.state, laws.scheme.state, 5, Theme())
        named = [trace for trace in figure["data"] if trace["showlegend"]]
        entries.append([re.sub("<.*?>", "", trace["name"]) for trace in named])
        (scheme,) = (trace for trace in named if trace["uid"].startswith("scheme"))
        assert (scheme["uid"] == "scheme") == (steps == 5) == bool(np.isfinite(scheme["y"]).any())
    assert sorted(entries[0]) == sorted(entries[1])
    hidden = fan_chart(summary, 0, None, None, 5, Theme())
    assert not [trace for trace in hidden["data"] if trace["uid"].startswith("scheme")]


def test_two_axes_of_an_array_survive_the_wire() -> None:
    sent = json.loads(figure_to_json({"a": np.zeros((3, 2), dtype=np.float32)}))["a"]
    assert sent["shape"] == "3, 2"
    with pytest.raises(TypeError, match="set"):
        figure_to_json({"a": {1}})


def test_every_method_of_the_scaling_study_has_a_symbol_of_its_own() -> None:
    results = [
        TrialResult(name, 4, samples, "measured", seconds=0.1 * samples, study="samples")
        for name in METHODS
        for samples in (1, 2, 4)
    ]
    traces = scaling_chart(results, "samples", Theme())["data"]
    symbols = [trace["marker"]["symbol"] for trace in traces if "marker" in trace]
    assert len(set(symbols)) == len(METHODS)


@pytest.mark.parametrize("count", [1, 2, len(METHODS)])
def test_the_axis_of_the_bars_always_has_ticks_well_inside(count: int) -> None:
    """In Chromium, Plotly set the title at y = −∞ when the only tick's label was hidden."""
    for seconds in 10.0 ** np.linspace(-4, 3, 71):
        results = [
            TrialResult(name, 100, 25, "measured", seconds=seconds * 1.5**k)
            for k, name in enumerate(list(METHODS)[:count])
        ]
        axis = benchmark_bars(results, Theme())["layout"]["xaxis"]
        low, high = axis["range"]
        ticks = np.log10(axis["tickvals"])
        assert 2 <= len(ticks) <= 5
        assert ticks.min() == low
        assert ticks.max() < high - 0.1 * (high - low)
        assert low < np.log10(seconds)
        assert np.log10(seconds * 1.5 ** (count - 1)) < high - 0.3 * (high - low)


def test_a_rounded_zero_is_zero() -> None:
    given = np.array([1.908e-17, -1.0, 0.5, np.nan])
    np.testing.assert_array_equal(without_rounded_zeros(given), [0.0, -1.0, 0.5, np.nan])
    tiny = np.array([1e-30, 2e-30])  # in units in which nothing is larger
    np.testing.assert_array_equal(without_rounded_zeros(tiny), tiny)


def test_an_entry_of_a_matrix_is_named_as_one() -> None:
    for name, title, exact in (
        ("ornstein_uhlenbeck", "A<sub>k</sub>", "exact mean of ∂X<sub>t</sub>/∂x₀"),
        ("damped_oscillator", "(A<sub>k</sub>)<sub>11</sub>", "exact mean of ∂x<sub>t</sub>/∂x₀"),
    ):
        found = step_maps(Scenario(name, samples=2, steps=5))
        figure = step_maps_chart(found, Theme())
        assert figure["layout"]["yaxis"]["title"]["text"] == title
        assert exact in [t.get("name") for t in step_products_chart(found, Theme())["data"]]


def test_a_gradient_of_two_initial_values_is_two_numbers() -> None:
    found = summed_gradient(Scenario("damped_oscillator", samples=3, steps=4, horizon=2.0))
    assert len(found.each_returned) == 2
    assert found.each_returned[0] == pytest.approx(found.derivatives.sum(), rel=1e-10)
    layout = summed_gradient_chart(found, hidden=False, theme=Theme())["layout"]
    assert layout["yaxis"]["title"]["text"] == "∂X/∂x₀, summed over the paths and components"
    said = [note["text"] for note in layout["annotations"]]
    assert said[1] == "<b>" + ", ".join(f"{n:.6g}" for n in found.each_returned) + "</b>"
    assert said[2].startswith("the first is the sum of these 5 bars")
