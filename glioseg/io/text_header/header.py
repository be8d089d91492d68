"""What the header of an NRRD or MetaImage file says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.io.turn import Affine

LPS = (-1.0, -1.0, 1.0)
"""From axes to the left, back and up, which both formats have unless they say otherwise, to RAS+."""


@dataclass(frozen=True)
class TextHeader:
    """A header.

    Attributes:
        sizes: of each axis, the fastest first; a fourth axis holds sequences.
        dtype: of the stored values, with their byte order.
        affine: from voxel indices to RAS+ millimetres.
        spaced: whether the header gives voxel sizes.
        deflated: whether the voxels are compressed with gzip or zlib.
        data: name of the file beside the header that holds the voxels; ``None`` if they follow the header.
        skip: bytes before the voxels, from the end of the header or the start of the other file; -1 if the
            voxels are the last bytes.
    """

    sizes: tuple[int, ...]
    dtype: np.dtype[Any]
    affine: Affine
    spaced: bool
    deflated: bool
    data: str | None
    skip: int

    @property
    def bytes(self) -> int:
        """Bytes of the voxels as they are before compression."""
        return int(np.prod(self.sizes, dtype=object)) * self.dtype.itemsize


def affine_of(
    vectors: npt.ArrayLike, origin: Sequence[float] | None, to_ras: tuple[float, float, float] = LPS
) -> Affine:
    """The affine of a step along each axis and of the place of the first voxel, of two or three numbers each.

    Raises:
        ValueError: they do not fit together, or give voxels no place.
    """
    steps = np.asarray(vectors, np.float64)
    count = len(steps)
    start = [0.0] * count if origin is None else list(origin)
    if count not in (2, 3) or steps.shape != (count, count) or len(start) != count:
        raise ValueError("directions and origin that do not fit the axes")
    affine: Affine = np.eye(4)
    affine[:count, :count], affine[:count, 3] = steps.T, start
    if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine) < 4:
        raise ValueError("directions that give voxels no place")
    placed: Affine = np.diag([*to_ras, 1.0]) @ affine
    return placed


def sizes_of(text: str, count: int) -> tuple[int, ...]:
    """So many sizes.

    Raises:
        ValueError: there are others.
    """
    sizes = tuple(int(word) for word in text.split())
    if len(sizes) != count or min(sizes) < 0:
        raise ValueError(f"{count} axes of sizes {text[:60]}")
    return sizes


def numbers_of(text: str) -> list[float]:
    """Numbers apart from each other by spaces."""
    return [float(word) for word in text.split()]


def name_beside(path: Path, name: str) -> str:
    """The name of a file beside the header.

    Raises:
        InputError: it leads elsewhere, or stands for several files.
    """
    plain = name.removeprefix("./")
    several = "%" in plain or plain.split()[:1] == ["LIST"]
    if several or plain in ("", ".", "..") or any(sign in plain for sign in "/\\:\0"):
        raise InputError(Fault("volume.data_file", path, name=name[:80]))
    return plain


def without_encoding(path: Path, encoding: str) -> InputError:
    """What is raised where voxels are stored in a way that is not read."""
    return InputError(Fault("volume.encoding", path, encoding=encoding[:40]))


def interleaved(path: Path, count: int) -> InputError:
    """What is raised where several values of a voxel lie side by side."""
    return InputError(Fault("volume.interleaved", path, count=count))
