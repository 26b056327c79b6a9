"""The notebook of the documents runs, and ``plot`` draws the page's own figures."""

from __future__ import annotations

import ast
import json
from typing import Any

import pytest
import torch
from plotly.graph_objects import Figure

import sde_lab as lab
from sde_lab.figures.board import BoardView, known_exact_laws, paths_figure, sensitivity_figure
from sde_lab.figures.theme import Theme
from tests.support.server import ROOT

NOTEBOOK = json.loads((ROOT / "docs" / "notebook.ipynb").read_text(encoding="utf-8"))


def run(source: str, names: dict[str, Any]) -> Any:
    """What a notebook shows below a cell: the value of its last line, if that is an expression."""
    body = ast.parse(source).body
    if not isinstance(body[-1], ast.Expr):
        exec(source, names)
        return None
    exec(compile(ast.Module(body[:-1], []), "cell", "exec"), names)
    return eval(compile(ast.Expression(body[-1].value), "cell", "eval"), names)


def test_the_notebook_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDE_LAB_ENGINE", "torchsde")
    names: dict[str, Any] = {"__name__": "notebook"}
    cells = ["".join(c["source"]) for c in NOTEBOOK["cells"] if c["cell_type"] == "code"]
    with torch.random.fork_rng():
        shown = [run(cell, names) for cell in cells]
    assert [isinstance(value, Figure) for value in shown[:2]] == [True, True]
    assert len(shown[2]) == 1
    assert bool(torch.isfinite(shown[3]))
    first, last = shown[4]
    assert last < 0.2 * first


def test_plot_draws_what_the_page_does() -> None:
    at = lab.Scenario(model="lotka_volterra", samples=20, steps=10, horizon=4.0)
    summary = lab.simulate_summary(at, "torchsde")
    shown = at.model_spec.components[1]
    view = BoardView(summary, known_exact_laws(at), None, shown, 5, None, Theme(dark=True))
    drawn = lab.plot(summary, shown, time=0.5 * at.horizon, dark=True)
    figure, title = paths_figure(view)
    assert drawn.layout.meta == title
    assert drawn.to_dict()["data"] == Figure(figure).to_dict()["data"]
    slopes = lab.plot(summary, shown, time=0.5 * at.horizon, sensitivities=True, dark=True)
    assert slopes.layout.meta == sensitivity_figure(view)[1]
    assert "Phase portrait" in lab.plot(summary, "phase portrait").layout.meta


def test_a_wrong_name_is_refused() -> None:
    summary = lab.simulate_summary(lab.Scenario(samples=20, steps=10), "torchsde")
    with pytest.raises(lab.ScenarioError, match=r"must be one of x$") as caught:
        lab.plot(summary, "y")
    assert caught.value.field == "shown"
    with pytest.raises(lab.ScenarioError, match="x0, kappa"):
        lab.plot(summary, sensitivities=["kapa"])
    assert not hasattr(lab, "plots")
