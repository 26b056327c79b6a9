"""One step of each scheme in step time, written once, on scalars that can be differentiated.

A step is Y = Φ(X, W, H): state, increment of unit variance and space-time Lévy area over a step of
unit length. Formulas are those of ``torchsde``'s methods of the same names, which the compiled
engine is compared with.

Sources: Kloeden and Platen (1992), §10.3 for Milstein and its derivative-free form; Rößler (2010)
for the Runge–Kutta schemes SRID2 and SRA1; Burrage, Burrage and Tian (2004) for Heun.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from sde_lab.compiled.graph import Scalar
from sde_lab.compiled.sde import StepTimeSDE

Vector = list[Scalar]
StepMap = Callable[[StepTimeSDE], Vector]


def euler(sde: StepTimeSDE) -> Vector:
    """X + F + G·W."""
    return _sum(sde.state, sde.drift(sde.state), _product(sde.diffusion(sde.state), sde.noise))


def milstein(sde: StepTimeSDE) -> Vector:
    """Euler's step plus ½ G ∂G/∂x (W² − 1), for one noise per component or one state."""
    step = euler(sde)
    if sde.noise_type == "additive":
        return step
    diffusion = _own_noise(sde, sde.state)
    for d, (x, g) in enumerate(zip(sde.state, diffusion, strict=True)):
        (slope,) = x.graph.tangents([g], {x: x.graph.const(1.0)})
        w = sde.noise[sde.noise_of(d)]
        step[d] = step[d] + g * slope * (0.5 * (w * w - 1.0))
    return step


def milstein_grad_free(sde: StepTimeSDE) -> Vector:
    """Euler's step plus ½ (G(X + F + G) − G(X)) (W² − 1): ∂G/∂x by a difference."""
    step = euler(sde)
    if sde.noise_type == "additive":
        return step
    diffusion = _own_noise(sde, sde.state)
    support = _sum(sde.state, sde.drift(sde.state), diffusion)
    for d, (g, shifted) in enumerate(zip(diffusion, _own_noise(sde, support), strict=True)):
        w = sde.noise[sde.noise_of(d)]
        step[d] = step[d] + (shifted - g) * (w * w - 1.0) * 0.5
    return step


def midpoint(sde: StepTimeSDE) -> Vector:
    """Euler's half step to the middle, then a whole step with drift and diffusion there."""
    half = _product(sde.diffusion(sde.state), sde.noise)
    drift = sde.drift(sde.state)
    middle = [x + 0.5 * f + 0.5 * g for x, f, g in zip(sde.state, drift, half, strict=True)]
    noise = _product(sde.diffusion(middle, 0.5), sde.noise)
    return _sum(sde.state, sde.drift(middle, 0.5), noise)


def heun(sde: StepTimeSDE) -> Vector:
    """Average Euler's step from here and the one from where that arrives."""
    drift, noise = sde.drift(sde.state), _product(sde.diffusion(sde.state), sde.noise)
    end = _sum(sde.state, drift, noise)
    later = _product(sde.diffusion(end, 1.0), sde.noise)
    both = _sum(drift, sde.drift(end, 1.0), noise, later)
    return [x + total * 0.5 for x, total in zip(sde.state, both, strict=True)]


def euler_heun(sde: StepTimeSDE) -> Vector:
    """As Heun, with the drift taken here alone."""
    noise = _product(sde.diffusion(sde.state), sde.noise)
    end = _sum(sde.state, noise)
    later = _product(sde.diffusion(end, 1.0), sde.noise)
    mean = [(a + b) * 0.5 for a, b in zip(noise, later, strict=True)]
    return _sum(sde.state, sde.drift(sde.state), mean)


def srk(sde: StepTimeSDE) -> Vector:
    """Rößler's SRID2, or SRA1 for additive noise, both of strong order 1.5."""
    return _sra1(sde) if sde.noise_type == "additive" else _srid2(sde)


C0, C1 = (0.0, 1.0, 0.5, 0.0), (0.0, 0.25, 1.0, 0.25)
A0 = ((), (1.0,), (0.25, 0.25), (0.0, 0.0, 0.0))
A1 = ((), (0.25,), (1.0, 0.0), (0.0, 0.0, 0.25))
B0 = ((), (0.0,), (1.0, 0.5), (0.0, 0.0, 0.0))
B1 = ((), (-0.5,), (1.0, 0.0), (2.0, -1.0, 0.5))
ALPHA = (1 / 6, 1 / 6, 2 / 3, 0.0)
BETA1, BETA2 = (-1.0, 4 / 3, 2 / 3, 0.0), (1.0, -4 / 3, 1 / 3, 0.0)
BETA3, BETA4 = (2.0, -4 / 3, -2 / 3, 0.0), (-2.0, 5 / 3, -2 / 3, 1.0)


def _srid2(sde: StepTimeSDE) -> Vector:
    y = list(sde.state)
    drifts: list[Vector] = []
    diffusions: list[Vector] = []
    weights = [_srid2_weights(w, h) for w, h in zip(sde.noise, sde.areas, strict=True)]
    for s in range(4):
        first, second = list(sde.state), list(sde.state)
        for j in range(s):
            for d in range(len(y)):
                u = 0.5 * sde.noise[sde.noise_of(d)] + sde.areas[sde.noise_of(d)]
                f, g = drifts[j][d], diffusions[j][d]
                first[d] = first[d] + A0[s][j] * f + B0[s][j] * g * u
                second[d] = second[d] + A1[s][j] * f + B1[s][j] * g
        drifts.append(sde.drift(first, C0[s]))
        diffusions.append(_own_noise(sde, second, C1[s]))
        for d in range(len(y)):
            weight = weights[sde.noise_of(d)][s]
            y[d] = y[d] + ALPHA[s] * drifts[s][d] + diffusions[s][d] * weight
    return y


def _srid2_weights(w: Scalar, h: Scalar) -> Vector:
    """Return what multiplies the diffusion at each stage, from W and U = ∫ W ds = W/2 + H."""
    twice, thrice, u = (w * w - 1.0) * 0.5, (w * w * w - 3.0 * w) * (1 / 6), 0.5 * w + h
    return [BETA1[s] * w + BETA2[s] * twice + BETA3[s] * u + BETA4[s] * thrice for s in range(4)]


def _sra1(sde: StepTimeSDE) -> Vector:
    u = [0.5 * w + h for w, h in zip(sde.noise, sde.areas, strict=True)]
    late, early = sde.diffusion(sde.state, 1.0), sde.diffusion(sde.state, 0.0)
    first = sde.drift(sde.state)
    support = [
        x + 0.75 * f + 1.5 * g for x, f, g in zip(sde.state, first, _product(late, u), strict=True)
    ]
    second = sde.drift(support, 0.75)
    drift = [f * (1 / 3) + s * (2 / 3) for f, s in zip(first, second, strict=True)]
    rest = [w - v for w, v in zip(sde.noise, u, strict=True)]
    return _sum(sde.state, drift, _product(late, rest), _product(early, u))


STEP_MAPS: Mapping[str, StepMap] = MappingProxyType(
    {
        "euler": euler,
        "milstein": milstein,
        "milstein_grad_free": milstein_grad_free,
        "srk": srk,
        "heun": heun,
        "midpoint": midpoint,
        "euler_heun": euler_heun,
    }
)
"""By the names of :data:`sde_lab.schemes.SCHEMES`."""


def _sum(*vectors: Sequence[Scalar]) -> Vector:
    total = list(vectors[0])
    for vector in vectors[1:]:
        total = [a + b for a, b in zip(total, vector, strict=True)]
    return total


def _product(matrix: Sequence[Sequence[Scalar]], noise: Sequence[Scalar]) -> Vector:
    """Return the matrix (D, M) times the noise (M,)."""
    products = []
    for row in matrix:
        total = row[0] * noise[0]
        for g, w in zip(row[1:], noise[1:], strict=True):
            total = total + g * w
        products.append(total)
    return products


def _own_noise(sde: StepTimeSDE, state: Sequence[Scalar], after: float = 0.0) -> Vector:
    """Return each component's entry of the diffusion, of diagonal or scalar noise."""
    matrix = sde.diffusion(state, after)
    return [row[sde.noise_of(d)] for d, row in enumerate(matrix)]
