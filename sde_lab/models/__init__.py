"""The built-in models by name, in the order of the model picker."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sde_lab.models.base import Model
from sde_lab.models.brownian_motion import BrownianMotion
from sde_lab.models.cox_ingersoll_ross import CoxIngersollRoss
from sde_lab.models.damped_oscillator import DampedOscillator
from sde_lab.models.double_well import DoubleWell
from sde_lab.models.geometric_brownian_motion import GeometricBrownianMotion
from sde_lab.models.heston import Heston
from sde_lab.models.logistic_growth import LogisticGrowth
from sde_lab.models.lotka_volterra import LotkaVolterra
from sde_lab.models.ornstein_uhlenbeck import OrnsteinUhlenbeck

MODELS: Mapping[str, Model] = MappingProxyType(
    {
        model.name: model
        for model in (
            OrnsteinUhlenbeck(),
            BrownianMotion(),
            GeometricBrownianMotion(),
            CoxIngersollRoss(),
            DoubleWell(),
            LogisticGrowth(),
            DampedOscillator(),
            LotkaVolterra(),
            Heston(),
        )
    }
)
