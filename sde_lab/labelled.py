"""Arrays with named axes, as xarray and pandas hold them; both are imported when first needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr


def to_dataset(
    variables: Mapping[str, tuple[Sequence[str], NDArray[Any]]],
    coordinates: Mapping[str, Any],
    attributes: Mapping[str, str],
) -> xr.Dataset:
    """Return an xarray dataset.

    Args:
        variables: names of the axes, and values, of each variable.
        coordinates: labels along each axis; an axis without is numbered.
        attributes: facts about the whole, such as the scenario as JSON.

    Raises:
        ImportError: if xarray is not installed, with the command that installs it.
    """
    try:
        import xarray as xr
    except ImportError as error:
        hint = "xarray is not installed: pip install 'sde-lab[xarray]' installs it"
        raise ImportError(hint) from error
    return xr.Dataset(dict(variables), dict(coordinates), dict(attributes))


def to_frame(
    axes: Mapping[str, Sequence[Any] | NDArray[Any]],
    columns: Sequence[str],
    values: NDArray[Any],
) -> pd.DataFrame:
    """Return a frame with a row for each entry along some axes, and the last axis as columns.

    Args:
        axes: name and labels of each axis but the last, which vary the slower the earlier they are.
        columns: names of the entries along the last axis.
        values: the numbers, (*axes, columns).
    """
    import pandas as pd

    sizes = [len(labels) for labels in axes.values()]
    frame = {}
    for place, (name, labels) in enumerate(axes.items()):
        inner = int(np.prod(sizes[place + 1 :], dtype=np.int64))
        outer = int(np.prod(sizes[:place], dtype=np.int64))
        frame[name] = np.tile(np.repeat(np.asarray(labels), inner), outer)
    flat = values.reshape(-1, len(columns))
    return pd.DataFrame({**frame, **{name: flat[:, k] for k, name in enumerate(columns)}})
