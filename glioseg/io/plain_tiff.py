"""The plain kind of TIFF, read and written in a tenth of a millisecond.

The LGG data set has 7,858 of them: one page, uncompressed, 8-bit grey or RGB. A general TIFF
library spends five times longer on parsing than on reading. Everything that is not plain is
left to it: :func:`read_plain` answers ``None`` and never guesses.

Source: TIFF 6.0 specification, sections 2 to 8.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER = 256, 257, 258, 259, 262, 266
_OFFSETS, _ORIENTATION, _SAMPLES, _BYTE_COUNTS, _PLANAR, _SAMPLE_FORMAT = 273, 274, 277, 279, 284, 339
_UNDERSTOOD = {
    _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _FILL_ORDER,
    _OFFSETS, _ORIENTATION, _SAMPLES, _BYTE_COUNTS, _PLANAR, _SAMPLE_FORMAT,
}  # fmt: skip
_LISTS = {_BITS, _OFFSETS, _BYTE_COUNTS, _SAMPLE_FORMAT}
_ROWS_A_STRIP = 278
_HARMLESS = {
    254,
    _ROWS_A_STRIP,
    282,
    283,
    296,
    305,
    306,
}  # subfile type, rows a strip, resolution, software, date


def plain_of(page: npt.NDArray[np.uint8]) -> bytes:
    """The content of a plain TIFF file of one grey page.

    Args:
        page: uint8 ``(height, width)``; 0 is black.
    """
    height, width = page.shape
    values = {
        _WIDTH: width,
        _HEIGHT: height,
        _BITS: 8,
        _COMPRESSION: 1,
        _PHOTOMETRIC: 1,
        _OFFSETS: 0,
        _SAMPLES: 1,
        _ROWS_A_STRIP: height,
        _BYTE_COUNTS: height * width,
        _PLANAR: 1,
    }
    start = 8
    values[_OFFSETS] = start + 2 + 12 * len(values) + 4
    long = 4
    entries = b"".join(struct.pack("<HHII", tag, long, 1, value) for tag, value in values.items())
    return struct.pack("<4sIH", b"II*\0", start, len(values)) + entries + bytes(4) + page.tobytes()


def read_plain(data: bytes) -> npt.NDArray[Any] | None:
    """Decode a plain TIFF.

    Args:
        data: the whole file.

    Returns:
        Array ``(height, width, channels)`` with 1 or 3 channels, uint8 or uint16, read-only, that shares
        the memory of ``data``; or ``None`` when the file is of any other kind, or damaged.
    """
    try:
        return _read_plain(data)
    except struct.error:
        return None


def _read_plain(data: bytes) -> npt.NDArray[Any] | None:
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return None
    (start,) = struct.unpack_from(order + "I", data, 4)
    (count,) = struct.unpack_from(order + "H", data, start)
    end = start + 2 + 12 * count
    (next_page,) = struct.unpack_from(order + "I", data, end)
    if next_page:
        return None
    tags: dict[int, tuple[int, ...]] = {}
    for position in range(start + 2, end, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", data, position)
        if tag in _HARMLESS:
            continue
        if tag not in _UNDERSTOOD or tag in tags or kind not in (3, 4):
            return None
        if not 1 <= length <= (65536 if tag in _LISTS else 1):
            return None
        values = f"{order}{length}{'H' if kind == 3 else 'I'}"
        place = position + 8
        if struct.calcsize(values) > 4:
            (place,) = struct.unpack_from(order + "I", data, place)
        tags[tag] = struct.unpack_from(values, data, place)

    def one(tag: int, default: int) -> int:
        return tags.get(tag, (default,))[0]

    height, width, channels = one(_HEIGHT, 0), one(_WIDTH, 0), one(_SAMPLES, 1)
    bits = set(tags.get(_BITS, (1,)))
    plain = (
        one(_COMPRESSION, 1) == one(_PLANAR, 1) == one(_FILL_ORDER, 1) == one(_ORIENTATION, 1) == 1
        and set(tags.get(_SAMPLE_FORMAT, (1,))) == {1}
        and bits in ({8}, {16})
        and (channels, one(_PHOTOMETRIC, -1)) in ((1, 1), (3, 2))
        and min(height, width) > 0
    )
    offsets, counts = tags.get(_OFFSETS, ()), tags.get(_BYTE_COUNTS, ())
    if not plain or len(offsets) != len(counts) or min(offsets, default=0) < 8:
        return None
    if any(offsets[i] + counts[i] != offsets[i + 1] for i in range(len(offsets) - 1)):
        return None
    dtype = np.dtype(f"{order}u{bits.pop() // 8}")
    values_in_all = height * width * channels
    if sum(counts) != values_in_all * dtype.itemsize or offsets[0] + sum(counts) > len(data):
        return None
    pixels = np.frombuffer(data, dtype, values_in_all, offsets[0])
    return pixels.astype(dtype.newbyteorder("="), copy=False).reshape(height, width, channels)
