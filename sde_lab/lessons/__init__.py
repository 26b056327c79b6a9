"""The lessons by title, in the order in which a course may take them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sde_lab.lessons import (
    additive_noise,
    eulers_bias,
    fading_start,
    gradient_sum,
    half_life,
    kinked_payoff,
    multiplied_noise,
    ridge,
    root_n,
    two_readings,
)
from sde_lab.lessons.base import Lesson

LESSONS: Mapping[str, Lesson] = MappingProxyType(
    {
        module.LESSON.title: module.LESSON
        for module in (
            fading_start,
            half_life,
            additive_noise,
            multiplied_noise,
            ridge,
            root_n,
            eulers_bias,
            two_readings,
            gradient_sum,
            kinked_payoff,
        )
    }
)
