"""Pictures with a channel for transparency or a palette, which are grey or RGB after all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import InputError
from glioseg.io.picture_faults import wrong_kind
from glioseg.words import Phrase


def without_opaque(path: Path, pages: npt.NDArray[Any], found: Phrase) -> npt.NDArray[Any]:
    """Drop the last channel, which is for transparency, where nothing is transparent.

    Args:
        path: the picture.
        pages: ``(pages, height, width, 2 or 4)``.
        found: what the picture is called if it is refused.

    Raises:
        InputError: a pixel is transparent.
    """
    alpha = pages[..., -1]
    full = np.iinfo(alpha.dtype).max if alpha.dtype.kind in "iu" else 1
    if not (alpha == full).all():
        raise InputError(wrong_kind(path, found))
    return pages[..., :-1]


def grey_of_palette(
    path: Path, indices: npt.NDArray[Any], palette: npt.NDArray[Any]
) -> npt.NDArray[np.uint8]:
    """The grey values of a picture with a palette.

    Args:
        path: the picture.
        indices: of any shape, places in the palette.
        palette: ``(colours, 3 or 4)`` with values from 0 to 255: red, green, blue, and opacity.

    Raises:
        InputError: a colour that is used is not grey, or transparent, or not in the palette.
    """
    if indices.dtype.kind != "u":  # of 1 bit
        indices = indices.astype(np.intp)
    used = np.unique(indices)
    if used.size and (used[0] < 0 or used[-1] >= len(palette)):
        raise InputError(wrong_kind(path, Phrase("pictures.palette")))
    colours = palette[used]
    if (colours[:, :3] != colours[:, :1]).any() or (colours[:, 3:] != 255).any():
        raise InputError(wrong_kind(path, Phrase("pictures.palette")))
    greys: npt.NDArray[np.uint8] = palette[:, 0].astype(np.uint8)[indices]
    return greys
