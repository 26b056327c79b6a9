"""Equations as their sources write them: how many are understood, and whether rightly."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import sde_lab as lab
from sde_lab.equations import Reading, read_sde
from sde_lab.models.base import Model

FOLDER = Path(__file__).parent / "collection"


def entries(name: str) -> list[tuple[str, str, str]]:
    """Return (where the notation was seen, text, plain form) of a collection."""
    found = []
    for block in (FOLDER / name).read_text(encoding="utf-8").split("=== ")[1:]:
        head, _, rest = block.partition("\n")
        text, _, plain = rest.partition("\n-->\n")
        if head == "Windows lines":
            text = text.replace("\n", "\r\n")
        found.append((head, text, plain.strip()))
    return found


def at_random_points(model: Model) -> tuple[torch.Tensor, torch.Tensor]:
    """Return drift and covariance of the noise, g gᵀ, at 20 points; parameters by name."""
    generator = torch.Generator().manual_seed(3)
    size = len(model.components)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(*shape, generator=generator, dtype=torch.float64)

    x = {name: 1.6 * uniform(20, 1) - 0.3 for name in sorted(model.components)}
    x["t"] = 0.3 + 0.4 * uniform(1, 1)[0, 0]
    names = sorted(parameter.name for parameter in model.parameters)
    given = {name: 0.1 + 0.8 * uniform(1, 1) for name in names}
    state = torch.cat([x[name] for name in model.components], dim=1)
    drift = model.drift(x["t"], state, given).expand(20, size)
    g = model.diffusion(x["t"], state, given)
    if model.noise_type == "diagonal":
        g = torch.diag_embed(g)
    return drift, (g @ g.transpose(1, 2)).expand(20, size, size)


def values(model: Model) -> dict[str, float]:
    """Return the default values of parameters and starts."""
    return {p.name: p.default for p in (*model.parameters, *model.initial)}


def agree(text: str, plain: str) -> bool:
    """Return True if a text is read as its plain form; refusals are False."""
    try:
        found = lab.parse_sde(text)
    except lab.EquationError:
        return False
    expected = lab.parse_sde(plain)
    if set(found.components) != set(expected.components):
        return False
    if values(found) != pytest.approx(values(expected), rel=1e-12):
        return False
    if found.interpretation != expected.interpretation or found.horizon != expected.horizon:
        return False
    order = [found.components.index(name) for name in expected.components]
    drift, covariance = at_random_points(found)
    right_drift, right_covariance = at_random_points(expected)
    return torch.allclose(
        drift[:, order], right_drift, rtol=1e-9, atol=1e-12, equal_nan=True
    ) and torch.allclose(
        covariance[:, order][:, :, order], right_covariance, rtol=1e-9, atol=1e-12, equal_nan=True
    )


NOT_UNDERSTOOD = {
    "first.txt": {"Merton's short rate"},  # the star of dW* is taken for a product
    "second.txt": {"Allen textbook"},  # a parameter d directly before X(t) is taken for dX
    "third.txt": {
        "inflation, Ornstein-Uhlenbeck in words and LaTeX",  # no state may be called π
        "leaky accumulator, two units",  # a noise written as ξ √(dt/τ)
    },
}
"""Texts that are refused. The second and third collections were written after the grammar: when
first tried, 34 of 47 and 33 of 40 were understood; what they showed was mended since."""


@pytest.mark.parametrize(
    ("name", "least"), [("first.txt", 120), ("second.txt", 40), ("third.txt", 40)]
)
def test_nine_in_ten_are_understood_as_written(name: str, least: int) -> None:
    found = entries(name)
    wrong = {head for head, text, plain in found if not agree(text, plain)}
    assert wrong == NOT_UNDERSTOOD[name]
    assert len(found) >= least
    assert len({text for _, text, _ in found}) == len(found)
    assert len(wrong) <= 0.1 * len(found)


@pytest.mark.parametrize("name", NOT_UNDERSTOOD)
def test_how_a_text_was_read_is_plain_and_reads_as_itself(name: str) -> None:
    for head, text, _ in entries(name):
        if head in NOT_UNDERSTOOD[name]:
            continue
        reading = read_sde(text)
        assert read_sde(reading.text) == Reading(reading.text, ()), head
        assert lab.Scenario(model=text).model == reading.text


def test_the_plain_form_of_a_text_that_is_not_understood_is_never_claimed() -> None:
    for name, heads in NOT_UNDERSTOOD.items():
        for head, text, _ in entries(name):
            if head in heads:
                with pytest.raises(lab.EquationError):
                    lab.parse_sde(text)
