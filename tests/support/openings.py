"""The scenarios that pages open with, and what they become at the ends of sliders."""

from __future__ import annotations

import sde_lab as lab
from sde_lab.app.state.model_scenarios import preset_scenario
from sde_lab.app.state.options import horizons


def openings(name: str) -> list[lab.Scenario]:
    """What a page shows at the defaults, at each end of each slider alone, and at each preset."""
    spec = lab.MODELS[name]
    plain = lab.Scenario(name, horizon=spec.horizon)
    found = [plain, plain.replace(horizon=max(horizons(spec)))]
    for parameter in spec.parameters:
        ends = (parameter.low, parameter.high)
        found += [plain.replace(parameters={parameter.name: value}) for value in ends]
    for index, start in enumerate(spec.initial):
        for value in (start.low, start.high):
            x0 = list(plain.initial)
            x0[index] = value
            found.append(plain.replace(x0=x0))
    return [*found, *(preset_scenario(spec, preset) for preset in spec.presets)]
