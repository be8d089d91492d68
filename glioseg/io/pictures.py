"""Decode TIFF, PNG, JPEG and BMP files without changing a value: 16 bit stays 16 bit.

Which decoder reads a file is decided by its first bytes, not by its name.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.io.picture_faults import LONGEST, unread_kind, wrong_kind
from glioseg.io.picture_faults import reason_of as reason_of
from glioseg.io.plain_tiff import read_plain
from glioseg.io.pointers import check_fetched
from glioseg.io.raster import BMP, JPEG, PNG, decode_png, decode_with_pillow
from glioseg.io.refuse import check_size, reading
from glioseg.io.tiff import decode_tiff
from glioseg.words import Joined, Phrase

Pages = npt.NDArray[Any]

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BY_PILLOW = {PNG: "PNG", JPEG: "JPEG", BMP: "BMP"}
_BLUR = 64
"""How far from 0 and 255 values of JPEG may lie; of the usual quality, 75, they lie up to 42 away."""
_BETWEEN = 0.02
"""Share of the lesion that may lie farther; of quality 50 it is 0.014, of a picture of the head 4."""
_SMALL = 64 << 20  # files up to this size are read at once


def read_pages(path: Path) -> Pages:
    """Decode the pages of a picture file, turned as viewers show them.

    Returns:
        Array ``(pages, height, width, channels)`` with 1 or 3 channels, in the file's own values and dtype
        (uint8, uint16 and for TIFF also other integers and floats, NaN among them). It may be read-only.

    Raises:
        InputError: the file cannot be read, is damaged or truncated, promises a size that no scan has,
            or is of a kind other than grey or RGB (colours of a palette, CMYK, transparency, 1 bit).
    """
    pages = _decode(path)
    if pages.dtype == np.bool_:
        raise InputError(wrong_kind(path, Phrase("pictures.one_bit")))
    return pages


def read_mask_values(path: Path) -> npt.NDArray[Any]:
    """Decode the pages of a mask as viewers show them, in the values stored: ``(pages, height, width)``.

    Three channels may stand for one if they are equal. Of JPEG, whose compression blurs the border of a
    lesion, values that lie around 0 and 255 are parted at half.

    Raises:
        InputError: as :func:`read_pages`.
    """
    pages = _decode(path)
    if pages.shape[3] != 1 and (pages != pages[..., :1]).any():
        raise InputError(Fault("pictures.mask_channels", path, channels=pages.shape[3]))
    values = pages[..., 0]
    return _parted_at_half(values) if _is_jpeg(path) else values


def _is_jpeg(path: Path) -> bool:
    with reading(path), open(path, "rb") as file:
        return file.read(len(JPEG)) == JPEG


def _parted_at_half(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values 0 and 255, if few lie far from both; otherwise all as they are."""
    bright = int(np.count_nonzero(values >= 128))
    between = int(np.count_nonzero((values > _BLUR) & (values < 255 - _BLUR)))
    if not bright or between > _BETWEEN * bright:
        return values
    return np.where(values >= 128, np.uint8(255), np.uint8(0))


def as_labels(
    path: Path, stored: npt.NDArray[Any], values: Sequence[int] | None = None
) -> npt.NDArray[np.uint8]:
    """Turn stored values into labels.

    Args:
        path: where they come from.
        stored: the values.
        values: those that there may be besides 0; any from 1 to 255 by default.

    Raises:
        InputError: there are other values.
    """
    there = np.unique(stored)
    known = np.arange(256) if values is None else np.array([0, *values])
    other = there[~np.isin(there, known)]
    if other.size:
        found = _first_values(other)
        if values is None:
            raise InputError(Fault("pictures.labels", path, found=found))
        raise InputError(Fault("pictures.other_labels", path, labels=Joined([0, *values]), found=found))
    return stored.astype(np.uint8)


def as_mask(path: Path, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Turn stored mask values into booleans.

    Raises:
        InputError: there are values other than {0, 1} or {0, 255}.
    """
    if values.dtype == np.bool_:
        return values
    highest = values.max()
    full = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 255
    lesion = (values == highest) & (values != 0)
    if highest not in (0, 1, 255, full) or np.count_nonzero(lesion) != np.count_nonzero(values):
        some = np.unique(values[values != 0])
        raise InputError(Fault("pictures.mask_values", path, count=some.size, values=_first_values(some)))
    return lesion


def _first_values(values: npt.NDArray[Any]) -> Joined:
    return Joined([*(f"{value:g}" for value in values[:4]), *(["..."] if values.size > 4 else [])])


def _decode(path: Path) -> Pages:
    with reading(path), open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(size if size <= _SMALL else LONGEST)
    if not data:
        raise InputError(Fault("pictures.empty", path))
    check_fetched(path, data[:200])
    if data.startswith(_TIFF):
        plain = read_plain(data) if size <= _SMALL else None
        if plain is not None:
            check_size(path, (1, *plain.shape))
            return plain[None]
        return decode_tiff(path)
    kind = next((name for mark, name in _BY_PILLOW.items() if data.startswith(mark)), None)
    if kind is None:
        raise InputError(unread_kind(path, data))
    if size > _SMALL:
        raise InputError(Fault("pictures.large_file", path, kind=kind, size=size >> 20))
    return decode_png(path, data) if kind == "PNG" else decode_with_pillow(path, data, kind)
