"""The lessons by title, in the order in which a course may take them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sde_lab.lessons import (
    additive_noise,
    double_well_ridge,
    euler_bias,
    forgetting_the_start,
    half_life,
    ito_vs_stratonovich,
    monte_carlo_error,
    multiplicative_noise,
    payoff_kink_and_jump,
    predict_with_jacobian,
    summed_gradient,
)
from sde_lab.lessons.base import Lesson

LESSONS: Mapping[str, Lesson] = MappingProxyType(
    {
        module.LESSON.title: module.LESSON
        for module in (
            forgetting_the_start,
            half_life,
            additive_noise,
            multiplicative_noise,
            predict_with_jacobian,
            double_well_ridge,
            monte_carlo_error,
            euler_bias,
            ito_vs_stratonovich,
            summed_gradient,
            payoff_kink_and_jump,
        )
    }
)
