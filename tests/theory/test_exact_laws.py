"""Exact laws against simulation, against each other, and against their own derivatives."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from scipy import integrate, optimize, special, stats

import sde_lab as lab
from sde_lab.models.laws.base import LawInputs
from sde_lab.models.laws.distributions import LogNormalSlope, NoncentralChiSquare
from sde_lab.models.laws.linear_gaussian import LinearSDE, gaussian_laws

WITH_LAW = [name for name in lab.MODELS if lab.exact_laws(lab.Scenario(model=name)) is not None]
OU = {"kappa": 1.3, "theta": 0.4, "sigma": 0.7}
SE = 5.0  # standard errors: about one false alarm in two million comparisons


def test_models_without_a_known_law_claim_none() -> None:
    assert set(lab.MODELS) - set(WITH_LAW) == {"double_well", "logistic_growth", "lotka_volterra"}


@pytest.mark.parametrize("name", WITH_LAW)
def test_simulation_lies_within_its_errors(name: str) -> None:
    """Fine steps, so that the scheme's bias is far below the Monte-Carlo error."""
    scheme = "heun" if lab.MODELS[name].noise_type != "diagonal" else "srk"
    scenario = lab.Scenario(model=name, scheme=scheme, steps=400, samples=3000)
    paths = lab.simulate(scenario)
    summary = lab.summarise(paths, lab.jacobian(paths))
    exact = lab.exact_laws(scenario, times=summary.times)
    assert exact is not None
    for d in range(len(lab.MODELS[name].components)):
        compare(summary.states[d], exact.state, d)
        for column, law in exact.sensitivities.items():
            compare(summary.sensitivities[column][d], law, d)


def compare(bands: lab.Bands, law: lab.Law, d: int) -> None:
    rounding = 2e-4 * (1 + np.abs(law.mean[:, d]).max())
    assert within_stated(bands.mean - law.mean[:, d], bands.mean_error, rounding)
    if np.isfinite(law.variance[:, d]).all():
        std = np.sqrt(law.variance[:, d])
        assert within_stated(bands.std - std, bands.std_error, rounding)


def within_stated(off: np.ndarray, error: np.ndarray, rounding: float) -> bool:
    """Tell whether differences lie within their standard errors, wherever one is stated."""
    stated = np.isfinite(error)
    return bool((np.abs(off[stated]) <= SE * error[stated] + rounding).all())


@pytest.mark.parametrize("name", WITH_LAW)
def test_mean_of_each_sensitivity_is_the_derivative_of_the_mean(name: str) -> None:
    scenario = lab.Scenario(model=name, horizon=1.0, steps=20)
    exact = lab.exact_laws(scenario)
    assert exact is not None
    model, step = lab.MODELS[name], 1e-5
    for column, law in exact.sensitivities.items():
        moved = []
        for sign in (1, -1):
            if column in scenario.parameters:
                value = scenario.parameters[column] + sign * step
                other = scenario.replace(parameters={column: value})
            else:
                place = [parameter.name for parameter in model.initial].index(column)
                x0 = [v + sign * step * (i == place) for i, v in enumerate(scenario.initial)]
                other = scenario.replace(x0=x0)
            reference = lab.exact_laws(other)
            assert reference is not None
            moved.append(reference.mean)
        slope = (moved[0] - moved[1]) / (2 * step)
        np.testing.assert_allclose(law.mean, slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", WITH_LAW)
def test_densities_integrate_to_their_quantiles_and_moments(name: str) -> None:
    exact = lab.exact_laws(lab.Scenario(model=name, steps=20))
    assert exact is not None
    for d in range(len(lab.MODELS[name].components)):
        lower, upper = (exact.quantile(q) for q in (1e-9, 1 - 1e-9))
        median = exact.quantile(0.5)
        if lower is None or upper is None or median is None:
            continue
        grid = np.linspace(lower[-1, d], upper[-1, d], 40_001)
        density = exact.state.density(grid, -1, d)
        assert density is not None
        assert integrate.simpson(density, x=grid) == pytest.approx(1.0, abs=1e-5)
        mean = integrate.simpson(density * grid, x=grid)
        assert mean == pytest.approx(exact.mean[-1, d], abs=1e-5)
        square = integrate.simpson(density * (grid - mean) ** 2, x=grid)
        assert square == pytest.approx(exact.variance[-1, d], rel=1e-4)
        below = grid <= median[-1, d]
        half = integrate.trapezoid(density[below], x=grid[below])
        assert half == pytest.approx(0.5, abs=1e-3)


@pytest.mark.parametrize("name", WITH_LAW)
def test_quantiles_increase_and_refuse_what_is_no_level(name: str) -> None:
    exact = lab.exact_laws(lab.Scenario(model=name, steps=20))
    assert exact is not None
    for law in (exact.state, *exact.sensitivities.values()):
        found = [law.quantile(q) for q in (0.05, 0.25, 0.5, 0.75, 0.95)]
        if found[0] is not None:
            assert np.all(np.diff(found, axis=0) >= -1e-12)
        for q in (0.0, 1.0, -1.0, math.nan):
            with pytest.raises(ValueError, match="strictly between"):
                law.quantile(q)


@pytest.mark.parametrize("kappa", [-0.7, -1e-9, 0.0, 1e-12, 1e-5, 0.3, 1.3, 40.0])
def test_ornstein_uhlenbeck_agrees_with_the_linear_tool(kappa: float) -> None:
    scenario = lab.Scenario(parameters={**OU, "kappa": kappa}, x0=2.0, horizon=3.0)
    closed = lab.exact_laws(scenario)
    assert closed is not None
    sde = linear(-kappa, kappa * OU["theta"], OU["sigma"], 2.0)
    general = gaussian_laws(
        LawInputs(closed.times, {}, (), 1.0, scheme=""),
        sde,
        {
            "x0": linear(0, 0, 0, 1),
            "kappa": linear(-1, OU["theta"], 0, 0),
            "theta": linear(0, kappa, 0, 0),
            "sigma": linear(0, 0, 1, 0),
        },
    )
    pairs = [(closed.state, general.state)]
    pairs += [(closed.sensitivities[n], general.sensitivities[n]) for n in general.sensitivities]
    for one, other in pairs:
        np.testing.assert_allclose(one.mean, other.mean, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(one.variance, other.variance, rtol=1e-8, atol=1e-11)


def linear(matrix: float, shift: float, noise: float, start: float) -> LinearSDE:
    return LinearSDE(
        np.array([[matrix]], dtype=float),
        np.array([shift], dtype=float),
        np.array([[noise]], dtype=float),
        np.array([start], dtype=float),
    )


@pytest.mark.parametrize("steps", [1, 2, 7, 25])
@pytest.mark.parametrize("kappa", [0.0, 1.3, 5.0])
def test_discrete_law_is_that_of_the_scheme(kappa: float, steps: int) -> None:
    scenario = lab.Scenario(
        parameters={**OU, "kappa": kappa},
        x0=2.0,
        horizon=2.0,
        steps=steps,
        samples=4000,
        dtype="float64",
    )
    paths = lab.simulate(scenario)
    jacobian = lab.jacobian(paths)
    exact = lab.exact_laws(scenario)
    assert exact is not None
    assert exact.scheme is not None
    factor = (1 - kappa * scenario.step) ** np.arange(steps + 1)
    by_x0 = jacobian.wrt("x0")[:, :, 0].numpy()
    np.testing.assert_allclose(by_x0, np.tile(factor[:, None], (1, 4000)), rtol=1e-12, atol=1e-12)
    summary = lab.summarise(paths, jacobian)
    laws = {"x": exact.scheme.state, **exact.scheme.sensitivities}
    for name, law in laws.items():
        bands = summary.states[0] if name == "x" else summary.sensitivities[name][0]
        assert np.isfinite(bands.mean_error).all()
        assert within_stated(bands.mean - law.mean[:, 0], bands.mean_error, 1e-11)
        std = np.sqrt(law.variance[:, 0])
        assert within_stated(bands.std - std, bands.std_error, 1e-11)


def test_stationary_variance_of_euler_is_larger() -> None:
    scenario = lab.Scenario(parameters=OU, horizon=60.0, steps=600)
    exact = lab.exact_laws(scenario)
    assert exact is not None
    assert exact.scheme is not None
    ratio = exact.scheme.variance[-1, 0] / exact.variance[-1, 0]
    assert ratio == pytest.approx(1 / (1 - OU["kappa"] * scenario.step / 2), rel=1e-9)


def test_schemes_that_are_not_euler_have_no_discrete_law() -> None:
    for scheme in ("srk", "heun", "midpoint"):
        exact = lab.exact_laws(lab.Scenario(scheme=scheme))
        assert exact is not None
        assert exact.scheme is None


def test_square_root_process_agrees_with_scipy() -> None:
    scenario = lab.Scenario(model="cox_ingersoll_ross", horizon=2.0, steps=4)
    p, x0 = scenario.parameters, scenario.initial[0]
    exact = lab.exact_laws(scenario)
    assert exact is not None
    decay = math.exp(-p["kappa"] * 2.0)
    scale = p["sigma"] ** 2 * (1 - decay) / (4 * p["kappa"])
    law = stats.ncx2(4 * p["kappa"] * p["theta"] / p["sigma"] ** 2, x0 * decay / scale, scale=scale)
    assert exact.mean[-1, 0] == pytest.approx(law.mean(), rel=1e-12)
    assert exact.variance[-1, 0] == pytest.approx(law.var(), rel=1e-12)
    found = exact.quantile(0.9)
    assert found is not None
    assert found[-1, 0] == pytest.approx(law.ppf(0.9), rel=1e-9)


@pytest.mark.parametrize("name", WITH_LAW)
def test_every_slider_end_has_a_finite_law(name: str) -> None:
    model = lab.MODELS[name]
    for parameter in (*model.initial, *model.parameters):
        for value in (parameter.low, parameter.high):
            scenario = lab.Scenario(model=name, horizon=model.horizon, steps=25)
            if parameter in model.parameters:
                scenario = scenario.replace(parameters={parameter.name: value})
            else:
                place = model.initial.index(parameter)
                x0 = [value if i == place else v for i, v in enumerate(scenario.initial)]
                scenario = scenario.replace(x0=x0)
            exact = lab.exact_laws(scenario)
            assert exact is not None
            for law in (exact.state, *exact.sensitivities.values()):
                assert np.isfinite(law.mean).all()
                assert not np.isinf(law.variance).any()
                curve = law.quantile(0.95)
                assert curve is None or np.isfinite(curve).all()


def test_times_may_be_the_displayed_ones() -> None:
    scenario = lab.Scenario(parameters=OU, steps=1000)
    whole = lab.exact_laws(scenario)
    some = lab.exact_laws(scenario, times=np.arange(0, 1001, 50) / 1000)
    assert whole is not None
    assert some is not None
    assert whole.scheme is not None
    assert some.scheme is not None
    np.testing.assert_allclose(some.mean, whole.mean[::50], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(some.scheme.variance, whole.scheme.variance[::50], rtol=1e-12)


@pytest.mark.parametrize("model", [*WITH_LAW, "dx = y*dt; dy = -y*dt + dW"])
def test_laws_can_be_sent_to_another_process(model: str) -> None:
    exact = lab.exact_laws(lab.Scenario(model=model, steps=4))
    assert exact is not None
    copy = pickle.loads(pickle.dumps(exact))
    pairs = [(copy.state, exact.state)]
    pairs += [(copy.sensitivities[name], law) for name, law in exact.sensitivities.items()]
    for one, other in pairs:
        np.testing.assert_array_equal(one.mean, other.mean)
        np.testing.assert_array_equal(one.quantile(0.3), other.quantile(0.3))


@pytest.mark.parametrize("model", WITH_LAW)
@pytest.mark.parametrize(
    ("times", "says"),
    [
        ([1.0, 0.5, 0.0], "order"),
        ([0.0, 1.0, 0.5], r"times\[2\]"),
        ([-0.5, 0.0], "-0.5"),
        ([0.0, math.nan], "nan"),
        ([0.0, math.inf], "inf"),
        ([], "shape"),
        ([[0.0, 1.0]], "shape"),
        (["soon"], "real times"),
        (None, None),
    ],
)
def test_times_that_are_none_are_refused_by_name(
    model: str, times: list[float] | None, says: str | None
) -> None:
    scenario = lab.Scenario(model=model, steps=4)
    if times is None:
        assert lab.exact_laws(scenario, times=None) is not None
        return
    with pytest.raises(lab.ScenarioError, match=says) as caught:
        lab.exact_laws(scenario, times=times)  # type: ignore[arg-type]
    assert caught.value.field == "times"


@pytest.mark.parametrize("model", WITH_LAW)
def test_times_may_repeat_and_need_not_begin_at_zero(model: str) -> None:
    scenario = lab.Scenario(model=model, horizon=2.0, steps=4)
    whole, some = lab.exact_laws(scenario), lab.exact_laws(scenario, np.array([0.5, 0.5, 1.5]))
    assert whole is not None
    assert some is not None
    np.testing.assert_allclose(some.mean, whole.mean[[1, 1, 3]], rtol=1e-12)


def test_the_law_of_a_scheme_is_known_on_its_grid_alone() -> None:
    scenario = lab.Scenario(parameters=OU, steps=10)
    for times, known in (([0.0, 0.3], True), ([0.0, 0.25], False)):
        exact = lab.exact_laws(scenario, np.array(times))
        assert exact is not None
        assert (exact.scheme is not None) == known


def slope_distribution(level: float, law: LogNormalSlope, time: int) -> float:
    """P(f(Z) ≤ level) from both crossings of f, each found by a bracketed root."""
    scale, centre, s = (float(row[time, 0]) for row in (law.scale, law.log_mean, law.log_std))

    def above(z: float) -> float:
        return scale * math.exp(centre + s * z) * (z - s) - level

    lowest = max(s - 1.0 / s, -40.0)
    if above(lowest) > 0.0:
        return 0.0
    upper = optimize.brentq(above, lowest, s + 60.0, xtol=1e-13)
    lower = -45.0 if above(-45.0) < 0.0 else optimize.brentq(above, -45.0, lowest, xtol=1e-13)
    return float(special.ndtr(upper) - (special.ndtr(lower) if level < 0.0 else 0.0))


@pytest.mark.parametrize("sigma", [0.01, 0.4, 1.0, 2.0])
@pytest.mark.parametrize("q", [1e-6, 0.001, 0.05, 0.3, 0.5, 0.75, 0.95, 0.999, 1 - 1e-6])
def test_the_derivative_of_geometric_brownian_motion_by_sigma(sigma: float, q: float) -> None:
    scenario = lab.Scenario(
        model="geometric_brownian_motion",
        parameters={"sigma": sigma},
        x0=1.7,
        horizon=4.0,
        steps=4,
    )
    exact = lab.exact_laws(scenario)
    assert exact is not None
    law = exact.sensitivities["sigma"]
    assert isinstance(law, LogNormalSlope)
    found = law.quantile(q)
    assert found[0, 0] == 0.0
    for time in range(1, 5):
        below = slope_distribution(float(found[time, 0]), law, time)
        # Next to the minimum of f the rounding of a level moves its crossings by its root.
        assert below == pytest.approx(q, rel=1e-7, abs=1e-10)


def test_its_quantile_far_out_is_that_of_one_normal() -> None:
    """Above its mean of zero ∂X/∂σ = X (W − σt) grows with W; of 4001 values it was 3 % short."""
    scenario = lab.Scenario(model="geometric_brownian_motion", horizon=5.0, steps=1)
    exact = lab.exact_laws(scenario)
    assert exact is not None
    mu, sigma = scenario.parameters["mu"], scenario.parameters["sigma"]
    w = math.sqrt(5.0) * special.ndtri(0.999)
    value = math.exp((mu - 0.5 * sigma**2) * 5.0 + sigma * w) * (w - sigma * 5.0)
    found = exact.sensitivities["sigma"].quantile(0.999)
    assert found is not None
    assert found[-1, 0] == pytest.approx(value, rel=1e-12)


def test_without_volatility_it_is_gaussian() -> None:
    scenario = lab.Scenario(model="geometric_brownian_motion", parameters={"sigma": 0.0}, steps=4)
    exact = lab.exact_laws(scenario)
    assert exact is not None
    found = exact.sensitivities["sigma"].quantile(0.05)
    expected = np.exp(scenario.parameters["mu"] * exact.times) * np.sqrt(exact.times)
    np.testing.assert_allclose(found[:, 0], expected * special.ndtri(0.05), rtol=1e-12)


CORNERS = [
    {"kappa": 5.0, "theta": 1e-6, "sigma": 10.0, "x0": 1.0, "time": 1e-3},
    {"kappa": 1e-9, "theta": 1e-6, "sigma": 1.0, "x0": 1.0, "time": 0.1},
    {"kappa": 0.05, "theta": 1.0, "sigma": 10.0, "x0": 1.0, "time": 1e-3},
    {"kappa": 0.5, "theta": 0.3, "sigma": 1.0, "x0": 0.0, "time": 5.0},
]


@pytest.mark.parametrize("corner", CORNERS)
@pytest.mark.parametrize("q", [1e-6, 0.001, 0.05, 0.5, 0.95, 0.999])
def test_square_root_quantiles_invert_the_distribution(corner: dict[str, float], q: float) -> None:
    law = square_root_law(corner)
    found = law.quantile(q)
    assert found is not None
    assert np.isfinite(found).all()
    assert found[0, 0] == corner["x0"]
    assert isinstance(law, NoncentralChiSquare)
    below = stats.ncx2.cdf(found[1, 0] / law.scale[1, 0], law.degrees, law.noncentrality[1, 0])
    atom = stats.ncx2.cdf(1e-300, law.degrees, law.noncentrality[1, 0])
    assert below == pytest.approx(max(q, atom), rel=1e-7)


def square_root_law(corner: dict[str, float]) -> lab.Law:
    times = np.array([[0.0], [corner["time"]]])
    return NoncentralChiSquare.of_cir_process(
        times, *(corner[name] for name in ("kappa", "theta", "sigma", "x0"))
    )


@pytest.mark.parametrize("sigma", [1e-2, 1e-3, 1e-4, 1e-5])
@pytest.mark.parametrize("q", [0.001, 0.05, 0.5, 0.95, 0.999])
def test_square_root_laws_of_a_huge_shift_are_nearly_gaussian(sigma: float, q: float) -> None:
    """Shift 4e7 to 4e13: beyond 1e8 by series, where scipy has NaN; across it nothing jumps."""
    law = square_root_law({"kappa": 0.05, "theta": 0.1, "sigma": sigma, "x0": 1.0, "time": 1e-3})
    mean, std = law.mean[1, 0], math.sqrt(law.variance[1, 0])
    found, z = law.quantile(q), special.ndtri(q)
    assert found is not None
    assert isinstance(law, NoncentralChiSquare)
    skewness = 3.0 / math.sqrt(law.noncentrality[1, 0])
    expected = z + skewness * (z**2 - 1.0) / 6.0
    # What the mean holds of a double, and the square of the skewness.
    close = 1e-15 * mean / std + 10.0 * skewness**2
    assert (found[1, 0] - mean) / std == pytest.approx(expected, abs=close + 1e-9)
    values = mean + std * np.linspace(-8.0, 8.0, 2001)
    density = law.density(values, 1)
    assert density is not None
    assert integrate.simpson(density, x=values) == pytest.approx(1.0, abs=1e-7)
