"""How much memory the files of an upload take, as their headers promise it before they are decoded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glioseg.io.names import is_picture, is_volume, suffix_of
from glioseg.io.nifti_file import opened
from glioseg.io.source import Source

_WIDTH_OF_MODE = {"I;16": 2, "I;16B": 2, "I": 4, "F": 4}
"""Bytes of a pixel of Pillow's modes, where it is not one a band."""


@dataclass(frozen=True)
class Promise:
    """Bytes that files will take.

    Attributes:
        kept: bytes of the voxels once they are read, in the type that they are kept in.
        reading: most bytes that are there at a time while they are read: copies in two orders, and twice what
            the largest file holds while it is decoded.
    """

    kept: int = 0
    reading: int = 0


def of_files(files: Iterable[Path]) -> Promise:
    """What pictures and NIfTI volumes promise; of DICOM see :func:`of_series`.

    Headers that cannot be read promise nothing: the reader says what is wrong with them.
    """
    kept = largest = 0
    for path in files:
        try:
            own, decoding = (
                _picture(path) if is_picture(path) else _volume(path) if is_volume(path) else (0, 0)
            )
        except Exception:  # damaged headers raise whatever they like
            continue
        kept, largest = kept + own, max(largest, decoding)
    return Promise(kept, 2 * kept + largest)


def of_series(source: Source) -> Promise:
    """What the series of a DICOM study promise that were chosen, as their headers, once read, say."""
    sizes = []
    for series in source.chosen.values():
        frames = series.frames
        scaled = any((frame.slope, frame.intercept) != (1.0, 0.0) for frame in frames)
        # Stored in 16 bits nearly always; scaled values become float32.
        sizes.append(sum(_count((frame.rows, frame.columns)) for frame in frames) * (4 if scaled else 2))
    return Promise(sum(sizes), 2 * sum(sizes) + max(sizes, default=0))


def _picture(path: Path) -> tuple[int, int]:
    """Bytes that a picture keeps, and needs while it is decoded."""
    if suffix_of(path) in (".tif", ".tiff"):
        import tifffile

        tiff: Any
        kept = 0
        with tifffile.TiffFile(path, _multifile=False) as tiff:
            for page in tiff.pages:
                first = page if getattr(page, "shape", None) else page.keyframe
                width = 4 if str(first.dtype) == "float16" else first.dtype.itemsize if first.dtype else 8
                kept += _count(first.shape) * width
        return kept, kept
    from PIL import Image

    with Image.open(path) as image:
        width = _WIDTH_OF_MODE.get(image.mode, len(image.getbands()))
        if image.format == "PNG":
            with path.open("rb") as file:
                width *= 2 if file.read(25)[24:] == b"\x10" and image.mode != "I;16" else 1
        kept = image.width * image.height * width
    return kept, 2 * kept


def _volume(path: Path) -> tuple[int, int]:
    """Bytes that a NIfTI volume keeps, and needs while it is decoded; see :func:`glioseg.io.nifti.read`."""
    with opened(path, to_end=False) as file:
        image = file.image
    values, stored = _count(image.shape), image.get_data_dtype().itemsize
    scaled = (image.dataobj.slope, image.dataobj.inter) != (1, 0)
    kept = stored if not scaled else 8 if stored > 2 else 4
    return values * min(kept, 8), values * (stored + (kept if scaled else 0))


def _count(sizes: Iterable[int]) -> int:
    return math.prod(max(1, int(size)) for size in sizes)
