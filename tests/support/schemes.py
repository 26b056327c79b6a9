"""Which schemes a test may take."""

from __future__ import annotations

from collections.abc import Mapping

import sde_lab as lab
from sde_lab.models.base import Model
from sde_lab.schemes import fitting_schemes


def solving_schemes(model: Model, *parameters: Mapping[str, float]) -> list[str]:
    """Return the names of the schemes that fit a model and solve it at all these parameters.

    Others are refused, such as those of Stratonovich where a variance process reaches zero.
    """
    return [
        scheme
        for scheme in fitting_schemes(model)
        if not any(model.why_unsolved(p, lab.SCHEMES[scheme].interpretation) for p in parameters)
    ]
