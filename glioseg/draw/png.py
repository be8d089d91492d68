"""PNG files with a palette, straight from an array: in half the time that a general library takes."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

_NONE, _UP = 0, 2
"""Filters of rows: as they are, or as differences to the row above."""


def png_of(index: npt.NDArray[np.uint8], palette: bytes, small: bool = False) -> bytes:
    """The content of a PNG file.

    Args:
        index: entries of the palette, uint8 ``(height, width)``.
        palette: up to 256 times red, green and blue.
        small: take all the time that a small file needs.

    Source:
        Portable Network Graphics specification, third edition, sections 5, 9 and 11.
    """
    height, width = index.shape
    if small:
        packed = min((zlib.compress(_rows(index, filter), 9) for filter in (_NONE, _UP)), key=len)
    else:
        # Grey levels change little from row to row. Of such differences runs alone are looked for: a search
        # for longer patterns takes half as long again and finds nothing in the noise of a scan.
        packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_RLE)
        packed = packer.compress(_rows(index, _UP)) + packer.flush()
    eight_bits_with_palette = (8, 3, 0, 0, 0)
    header = struct.pack(">2I5B", width, height, *eight_bits_with_palette)
    chunks = ((b"IHDR", header), (b"PLTE", palette), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, content) for kind, content in chunks)


def _rows(index: npt.NDArray[np.uint8], filter: int) -> memoryview:
    """Rows as they are compressed, each after the number of its filter."""
    rows = np.empty((index.shape[0], index.shape[1] + 1), np.uint8)
    rows[:, 0] = filter
    rows[:, 1:] = index
    if filter == _UP:
        rows[1:, 1:] -= index[:-1]
    return rows.data


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))
    )
