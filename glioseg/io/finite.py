"""NaN and infinity among the voxels of a scan: background, or a few values that went wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.words import Phrase

MOST_INFINITE = 0.01
"""Share of the values from which on infinity is no accident of a few voxels."""

NOTE = "infinite_values"
"""What a person should know of a scan with infinite values: a key of the catalogue's ``doubts``."""

CENTRED = 0.1
"""Share of negative values from which on 0 is no background, as in scans whose values were centred on 0."""


def made_finite(path: Path, values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], tuple[str, ...]]:
    """Put numbers in the place of NaN and infinity.

    Programs leave NaN around the head, or minus infinity where they took a logarithm: both become background,
    which is 0, or the smallest value where 0 is outside the range of the values or in the midst of them. Plus
    infinity comes of a division by 0 in single voxels and becomes the largest value.

    Args:
        path: where the values come from.
        values: of any dtype and shape.

    Returns:
        The values, the same array if all were finite, and the notes for :attr:`glioseg.scan.Scan.notes`:
        :data:`NOTE` if some were infinite.

    Raises:
        InputError: no value is finite, or more than :data:`MOST_INFINITE` of them are plus infinity.
    """
    if values.dtype.kind != "f":
        return values, ()
    finite = np.isfinite(values)
    if finite.all():
        return values, ()
    known = values[finite]
    if not known.size:
        what = "NaN" if np.isnan(values).any() else Phrase("pictures.infinity")
        raise InputError(Fault("pictures.nothing_finite", path, what=what))
    too_large = np.isposinf(values)
    count = int(np.count_nonzero(too_large))
    if count > MOST_INFINITE * values.size:
        said = {"what": Phrase("pictures.infinity"), "count": f"{count:,}", "total": f"{values.size:,}"}
        raise InputError(Fault("pictures.not_finite", path, **said))
    smallest, largest = known.min(), known.max()
    zero_is_background = smallest <= 0 <= largest and np.mean(known < 0) < CENTRED
    mended = np.where(finite, values, values.dtype.type(0) if zero_is_background else smallest)
    mended[too_large] = largest
    return mended, (NOTE,) if np.isinf(values).any() else ()
