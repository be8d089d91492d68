"""Turn pictures as viewers show them: by the orientation tag of TIFF, which EXIF has taken over.

Source: TIFF 6.0 specification, page 36 (Orientation); Exif 2.32, section 4.6.4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

TAG = 274
INVERSE = {6: 8, 8: 6}
"""The orientation that undoes another, where it is not the same."""

_FLIPPED = {2: (2,), 3: (1, 2), 4: (1,), 5: (), 6: (2,), 7: (1, 2), 8: (1,)}


def shown(pages: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """The pages as they are shown.

    Args:
        pages: ``(pages, height, width, ...)`` as stored.
        orientation: value of the tag, 1 to 8; any other counts as 1, which changes nothing.
    """
    if not 2 <= orientation <= 8:
        return pages
    if orientation >= 5:
        pages = np.swapaxes(pages, 1, 2)
    return np.ascontiguousarray(np.flip(pages, _FLIPPED[orientation]))
