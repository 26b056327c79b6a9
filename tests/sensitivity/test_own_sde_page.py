"""The code of the page on one's own SDE runs, and prints the shapes that it says."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from tests.support.server import ROOT

PAGE = (ROOT / "docs" / "own-sde.md").read_text(encoding="utf-8")


def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    names: dict[str, Any] = {"__name__": "page"}
    with torch.random.fork_rng():
        exec(compile(code, "own-sde.md", "exec"), names)
    printed = [
        tuple(map(int, re.findall(r"\d+", line))) for line in capsys.readouterr().out.splitlines()
    ]
    said = re.findall(r"^print\(.*# \(([\d, ]+)\)", code, re.MULTILINE)
    assert printed == [tuple(map(int, shape.split(","))) for shape in said]
    assert len(said) == 6
    assert torch.allclose(names["jac"].mean(1)[..., 2:34], names["mean"][..., 2:], atol=1e-1)
