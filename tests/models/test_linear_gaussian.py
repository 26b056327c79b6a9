"""Laws of linear equations: the same whatever times are asked for, and those of closed forms."""

from __future__ import annotations

import numpy as np
import pytest

import sde_lab as lab
from sde_lab.models.laws.base import ExactLaws, LawInputs
from sde_lab.models.laws.linear_gaussian import LinearSDE
from sde_lab.models.laws.linear_gaussian import gaussian_laws as laws_of_grid

MATRICES = {
    "oscillator": [[0.0, 1.0], [-0.25, -4.0]],
    "stiff": [[-1e4, 3.0], [1.0, -0.5]],
    "non-normal": [[-1.0, 1e4], [0.0, -1.0]],
    "defective": [[-0.5, 1.0], [0.0, -0.5]],
    "unstable": [[0.3, -2.0], [2.0, 0.1]],
    "no drift": [[0.0, 0.0], [0.0, 0.0]],
}


def gaussian_laws(times: np.ndarray, sde: LinearSDE, variations: dict[str, LinearSDE]) -> ExactLaws:
    """The laws at these times, without those of a scheme."""
    return laws_of_grid(LawInputs(times, {}, (), 1.0, scheme=""), sde, variations)


def two_states(matrix: list[list[float]]) -> tuple[LinearSDE, dict[str, LinearSDE]]:
    """An equation with one noise in its second state, and its variation by each part of it."""
    still, none = np.zeros(2), np.zeros((2, 1))
    sde = LinearSDE(
        np.array(matrix), np.array([0.3, 0.0]), np.array([[0.0], [0.7]]), np.array([1.0, -1.0])
    )
    return sde, {
        "start": LinearSDE(np.zeros((2, 2)), still, none, np.array([1.0, 0.0])),
        "entry": LinearSDE(np.array([[0.0, 0.0], [0.0, 1.0]]), still, none, still),
        "noise": LinearSDE(np.zeros((2, 2)), still, np.array([[0.0], [1.0]]), still),
    }


def assert_same(one: ExactLaws, other: ExactLaws) -> None:
    """Equal at the last time, to the rounding of some thousand products."""
    pairs = [(one.state, other.state)]
    pairs += [(law, other.sensitivities[name]) for name, law in one.sensitivities.items()]
    for law, expected in pairs:
        for found, wanted in ((law.mean, expected.mean), (law.variance, expected.variance)):
            floor = 1e-11 * float(np.abs(wanted).max())
            np.testing.assert_allclose(found[-1], wanted[-1], rtol=1e-8, atol=floor)


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("horizon", [0.01, 1.0, 20.0])
def test_the_law_at_a_time_does_not_depend_on_the_times_before_it(
    name: str, horizon: float
) -> None:
    fine = gaussian_laws(np.linspace(0.0, horizon, 1001), *two_states(MATRICES[name]))
    for times in ([0.0, horizon], [horizon], [0.0, 0.3 * horizon, 0.31 * horizon, horizon]):
        assert_same(gaussian_laws(np.array(times), *two_states(MATRICES[name])), fine)


@pytest.mark.parametrize(("horizon", "steps"), [(5.0, 1), (20.0, 1), (20.0, 7), (1000.0, 3)])
def test_an_overdamped_oscillator_on_a_coarse_grid(horizon: float, steps: int) -> None:
    """Var x = σ²/(r − s)² ∫ (e^{ru} − e^{su})² du, with r, s = −γ/2 ± √(γ²/4 − ω²)."""
    omega, gamma, sigma = 0.5, 4.0, 0.7
    root = np.sqrt(gamma**2 / 4.0 - omega**2)
    slow, fast = -gamma / 2.0 + root, -gamma / 2.0 - root

    def power(rate: float) -> float:
        return float(np.expm1(rate * horizon) / rate)

    both = power(slow + fast)
    position = power(2 * slow) - 2.0 * both + power(2 * fast)
    velocity = slow**2 * power(2 * slow) - 2.0 * slow * fast * both + fast**2 * power(2 * fast)
    expected = np.array([position, velocity]) * sigma**2 / (slow - fast) ** 2
    exact = lab.exact_laws(
        lab.Scenario(
            model="damped_oscillator",
            parameters={"omega": omega, "gamma": gamma, "sigma": sigma},
            horizon=horizon,
            steps=steps,
        )
    )
    assert exact is not None
    np.testing.assert_allclose(exact.variance[-1], expected, rtol=1e-12)
    np.testing.assert_allclose(
        exact.sensitivities["sigma"].variance[-1], expected / sigma**2, rtol=1e-12
    )


@pytest.mark.parametrize("rate", [1e-6, 1.0, 1e3, 1e6])
def test_one_long_step_of_ornstein_uhlenbeck_in_closed_form(rate: float) -> None:
    """Halving as often as log₂(κt) costs κt roundings of the flow, and no more."""
    exact = gaussian_laws(
        np.array([0.0, 3.0]),
        LinearSDE(np.array([[-rate]]), np.zeros(1), np.array([[2.0]]), np.ones(1)),
        {"rate": LinearSDE(np.array([[-1.0]]), np.zeros(1), np.zeros((1, 1)), np.zeros(1))},
    )
    variance = -np.expm1(-6.0 * rate) / (2.0 * rate)
    np.testing.assert_allclose(exact.state.variance[-1], 4.0 * variance, rtol=1e-12)
    np.testing.assert_allclose(exact.state.mean[-1], np.exp(-3.0 * rate), rtol=1e-11)
    if rate >= 1.0:
        z = 3.0 * rate
        second = 1.0 - np.exp(-2.0 * z) * (1.0 + 2.0 * z + 2.0 * z * z)
        slope = exact.sensitivities["rate"].variance[-1]
        np.testing.assert_allclose(slope, second / rate**3, rtol=1e-8)


def test_a_short_step_keeps_the_small_entries() -> None:
    """∫∫ of white noise: Var x = σ²t³/3 beside Var v = σ²t, at t so small that t² < 1e-16."""
    sde, _ = two_states([[0.0, 1.0], [0.0, 0.0]])
    exact = gaussian_laws(np.array([0.0, 1e-9]), sde, {})
    np.testing.assert_allclose(exact.state.variance[-1], [0.49e-27 / 3.0, 0.49e-9], rtol=1e-12)


def test_a_law_beyond_the_largest_number_is_not_finite_and_does_not_fail() -> None:
    sde = LinearSDE(np.array([[500.0]]), np.zeros(1), np.ones((1, 1)), np.ones(1))
    exact = gaussian_laws(np.array([0.0, 0.001, 3.0]), sde, {})
    assert np.isfinite(exact.state.mean[:2]).all()
    assert not np.isfinite(exact.state.variance[-1]).any()


def test_a_sweep_has_the_law_of_the_fine_grid() -> None:
    """The sweep asks for two times alone; over [0, 20] the standard deviation was 1e24."""
    base = lab.Scenario(
        model="damped_oscillator",
        parameters={"omega": 0.5, "gamma": 4.0},
        horizon=20.0,
        steps=400,
        samples=20,
    )
    fine = lab.exact_laws(base)
    sigma = base.parameters["sigma"]
    result = lab.sweep(base, over={"sigma": [sigma]}, measures=("std",))
    assert fine is not None
    found = [result.curve(name, "std").exact[0] for name in base.model_spec.components]
    np.testing.assert_allclose(found, np.sqrt(fine.variance[-1]), rtol=1e-10)


SCHEMES = ("euler", "milstein", "milstein_grad_free", "euler_heun", "heun", "midpoint")
TYPED = "dx = a*(b - x)*dt + c*dW1 + 0.2*dW2\ndy = (x - 0.7*y)*dt + c*dW2"


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("model", ["damped_oscillator", TYPED])
def test_the_law_of_a_scheme_is_that_of_its_samples(model: str, scheme: str) -> None:
    """Coarse steps, whose bias is tens of standard errors; state and every derivative."""
    scenario = lab.Scenario(model, horizon=2.0, steps=8, samples=20_000, dtype="float64")
    if not lab.SCHEMES[scheme].supports(scenario.model_spec):
        pytest.skip("the scheme cannot drive this noise")
    scenario = scenario.replace(scheme=scheme)
    paths = lab.simulate(scenario)
    summary, exact = lab.summarise(paths, lab.jacobian(paths)), lab.exact_laws(scenario)
    assert exact is not None
    assert exact.scheme is not None
    assert exact.schemes == (scheme,)
    furthest = 0.0
    for d in range(2):
        pairs = [(summary.states[d], exact.scheme.state, exact.state)]
        pairs += [
            (rows[d], exact.scheme.sensitivities[name], exact.sensitivities[name])
            for name, rows in summary.sensitivities.items()
        ]
        for bands, law, true in pairs:
            off = np.abs(bands.mean - law.mean[:, d])
            assert (off <= 4.5 * bands.mean_error + 1e-12).all()
            std = np.sqrt(law.variance[:, d])
            assert (np.abs(bands.std - std) <= 4.5 * bands.std_error + 1e-7).all()
            bias = np.abs(law.mean - true.mean)[:, d]
            furthest = max(furthest, float((bias / (bands.mean_error + 1e-3)).max()))
    assert furthest > 4.5


@pytest.mark.parametrize("scheme", [s for s in SCHEMES if s != "milstein_grad_free"])
def test_the_moments_of_a_scheme_of_geometric_brownian_motion(scheme: str) -> None:
    scenario = lab.Scenario(
        "geometric_brownian_motion",
        parameters={"mu": 1.0, "sigma": 0.5},
        x0=2.0,
        steps=4,
        samples=100_000,
        scheme=scheme,
        dtype="float64",
    )
    paths = lab.simulate(scenario)
    summary, exact = lab.summarise(paths, lab.jacobian(paths)), lab.exact_laws(scenario)
    assert exact is not None
    assert exact.scheme is not None
    laws = exact.scheme
    pairs = [(summary.states[0], laws.state)]
    pairs += [(rows[0], laws.sensitivities[name]) for name, rows in summary.sensitivities.items()]
    for bands, law in pairs:
        assert np.isfinite(bands.mean_error).all()
        assert (np.abs(bands.mean - law.mean[:, 0]) <= 4.5 * bands.mean_error + 1e-12).all()
    bands, std = summary.states[0], np.sqrt(laws.state.variance[:, 0])
    stated = np.isfinite(bands.std_error)
    assert stated.sum() >= 4
    assert (np.abs(bands.std - std) <= 4.5 * bands.std_error + 1e-12)[stated].all()


def test_brownian_motion_has_no_bias_to_show() -> None:
    exact = lab.exact_laws(lab.Scenario("brownian_motion", scheme="srk"))
    assert exact is not None
    assert exact.scheme is not None
    np.testing.assert_array_equal(exact.scheme.mean, exact.mean)
