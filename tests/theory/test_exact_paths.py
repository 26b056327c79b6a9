"""The exact solution on the same Brownian path: schemes approach it at their order."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import sde_lab as lab

KNOWN = ("ornstein_uhlenbeck", "geometric_brownian_motion", "brownian_motion")
SLOPES = {"ornstein_uhlenbeck": {"euler": 1.0, "milstein": 1.0, "heun": 1.0, "srk": 2.0}}
SLOPES["geometric_brownian_motion"] = {"euler": 0.5, "milstein": 1.0, "heun": 1.0, "srk": 1.5}


def gaps(model: str, scheme: str, steps: int, samples: int = 1500) -> np.ndarray:
    """Root mean square distance at the end: of the state, then of each derivative."""
    scenario = lab.Scenario(
        model=model, x0=1.0, steps=steps, samples=samples, scheme=scheme, dtype="float64"
    )
    paths = lab.simulate(scenario)
    exact = lab.exact_solution(paths)
    assert exact is not None
    jacobian = lab.jacobian(paths).values
    state = (paths.values - exact.values)[-1].pow(2).mean().sqrt()
    columns = (jacobian - exact.jacobian)[-1, :, 0].pow(2).mean(dim=0).sqrt()
    return torch.cat([state.view(1), columns]).numpy()


@pytest.mark.parametrize(
    ("model", "scheme"), [(model, scheme) for model in SLOPES for scheme in SLOPES[model]]
)
def test_state_and_every_derivative_converge_at_the_order(model: str, scheme: str) -> None:
    """Four halvings; the fitted slope of 1500 paths scatters by about 0.03, derivatives more."""
    errors = np.array([gaps(model, scheme, steps) for steps in (16, 32, 64, 128)])
    slopes = np.log2(errors[:-1] / errors[1:]).mean(axis=0)
    assert np.all(slopes > SLOPES[model][scheme] - 0.15), slopes
    assert slopes[0] < SLOPES[model][scheme] + 0.3, slopes


def test_brownian_motion_is_solved_exactly() -> None:
    for scheme in lab.SCHEMES:
        assert np.all(gaps("brownian_motion", scheme, 50) < 1e-12)


@pytest.mark.parametrize("kappa", [0.0, 1e-9, 0.8, 20.0])
def test_exact_paths_have_the_exact_law(kappa: float) -> None:
    scenario = lab.Scenario(
        parameters={"kappa": kappa, "theta": 0.4, "sigma": 0.7},
        x0=1.0,
        steps=8,
        samples=4000,
        dtype="float64",
    )
    solution = lab.exact_solution(lab.simulate(scenario))
    law = lab.exact_laws(scenario)
    assert solution is not None
    assert law is not None
    count = scenario.samples
    for column, name in enumerate(("state", *scenario.model_spec.jacobian_columns)):
        table = solution.values[..., 0] if not column else solution.jacobian[:, :, 0, column - 1]
        exact = law.state if not column else law.sensitivities[name]
        mean, std = table.mean(dim=1).numpy(), table.std(dim=1).numpy()
        expected = np.sqrt(exact.variance[:, 0])
        assert np.all(np.abs(mean - exact.mean[:, 0]) <= 5 * expected / count**0.5 + 1e-12)
        assert np.all(np.abs(std - expected) <= 5 * expected / (2 * count) ** 0.5 + 1e-12)


@pytest.mark.parametrize("model", KNOWN)
def test_derivatives_of_the_exact_paths_by_central_differences(model: str) -> None:
    """Tolerance: differences in κ hold the normals fixed, and with them not quite the path.

    What W and H leave open of a step is read in a direction that turns a little with κ.
    """
    scenario = lab.Scenario(model=model, x0=1.0, steps=16, samples=20, dtype="float64")
    solution = lab.exact_solution(lab.simulate(scenario))
    assert solution is not None
    step = 1e-6
    for place, name in enumerate(scenario.model_spec.jacobian_columns):
        ends = []
        for sign in (1, -1):
            if name == "x0":
                moved = scenario.replace(x0=1.0 + sign * step)
            else:
                value = scenario.parameters[name] + sign * step
                moved = scenario.replace(parameters={name: value})
            found = lab.exact_solution(lab.simulate(moved))
            assert found is not None
            ends.append(found.values)
        slope = (ends[0] - ends[1])[..., 0] / (2 * step)
        torch.testing.assert_close(solution.jacobian[:, :, 0, place], slope, rtol=1e-5, atol=1e-5)


def test_models_without_a_solution_say_so() -> None:
    assert lab.exact_solution(lab.simulate(lab.Scenario(model="double_well", samples=2))) is None
