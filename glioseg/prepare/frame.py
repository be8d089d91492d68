"""Which part of a scan the prepared slices show, and the way there and back.

Resizing is linear and separable, so it is done with one small matrix for the rows and one for the
columns (BLAS does the work), built once a scan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault
from glioseg.prepare.banded import Array, Banded
from glioseg.prepare.blas import one_blas_thread
from glioseg.scan import BoolArray, Scan, check_boolean
from glioseg.words import Phrase

CHUNK = 16
"""Slices that are worked on together: few enough for memory."""


@dataclass(frozen=True)
class Frame:
    """Which part of a scan the prepared slices show.

    Attributes:
        shape: ``(slices, height, width)`` of the scan.
        first, last: the prepared slices are ``first`` to ``last - 1`` of the scan.
        top, left: corner of the square that is shown, in rows and columns of the scan. The square may reach
            beyond the scan, into background.
        side: its height in rows.
        size: height and width of the prepared slices.
        aspect: columns that measure as much as one row: the square is one on the patient, whatever the
            shape of the scan's pixels.
        axis: along which axis of the scan the slices lie; all else is said of the scan as :func:`turned`
            presents it.
    """

    shape: tuple[int, int, int]
    first: int
    last: int
    top: float
    left: float
    side: float
    size: int
    aspect: float = 1.0
    axis: int = 0

    @property
    def across(self) -> float:
        """Width of the square in columns."""
        return self.side * self.aspect

    def forth(self) -> Callable[[Array], Array]:
        """What resizes slices ``(..., height, width)`` to ``(..., size, size)``."""
        _, height, width = self.shape
        # Slices of a sagittal scan stay steps: measured, that finds more than blurring one into the next.
        resize = _step_matrix if self.aspect < 1 else _forth_matrix
        rows = Banded(_forth_matrix(height, self.top, self.side, self.size))
        columns = Banded(resize(width, self.left, self.across, self.size))
        return lambda slices: columns.columns(rows.rows(slices))

    def back(self) -> Callable[[Array], Array]:
        """What carries prepared slices ``(..., size, size)`` back to ``(..., height, width)``, the pixels of
        the scan as :func:`turned` presents it; 0 where the frame does not reach."""
        _, height, width = self.shape
        rows = Banded(_back_matrix(height, self.top, self.side, self.size))
        columns = Banded(_back_matrix(width, self.left, self.across, self.size))
        return lambda maps: columns.columns(rows.rows(maps))

    def to_prepared(self, mask: BoolArray) -> BoolArray:
        """Carry a mask ``(slices, height, width)`` to the prepared grid by nearest neighbour.

        Raises:
            WrongKindError: ``mask`` is not boolean.
            ValueError: ``mask`` is not on the scan's grid.
        """
        check_boolean(mask, "a mask")
        mask = turned(mask, self.axis)
        if mask.shape != self.shape:
            raise ValueError(f"a mask of {mask.shape} for a scan of {self.shape}")
        rows, rows_inside = _nearest(self.shape[1], self.top, self.side, self.size)
        columns, columns_inside = _nearest(self.shape[2], self.left, self.across, self.size)
        picked = mask[self.first : self.last][:, rows][:, :, columns]
        return picked & (rows_inside[:, None] & columns_inside[None, :])

    @one_blas_thread()
    def coverage(self, values: npt.NDArray[Any]) -> Array:
        """Carry a mask or a probability map to the prepared grid, averaging over each prepared pixel.

        For a mask this is the share of each prepared pixel that is lesion. As a training target it keeps
        what nearest neighbour loses: at 128 pixels a perfect network comes back to the scan's grid with a
        Dice of 0.995 instead of 0.976.

        Args:
            values: boolean or float ``(slices, height, width)`` in 0..1.

        Returns:
            float32 ``(last - first, size, size)`` in 0..1.
        """
        values = turned(values, self.axis)
        if values.shape != self.shape:
            raise ValueError(f"values of {values.shape} for a scan of {self.shape}")
        return self.forth()(values[self.first : self.last].astype(np.float32))

    @one_blas_thread()
    def restore(self, probability: Array) -> Array:
        """Carry a probability map, or a prepared channel, back to the scan's own grid.

        Args:
            probability: ``(last - first, size, size)``.

        Returns:
            ``(slices, height, width)`` float32; 0 where the frame does not reach.
        """
        expected = (self.last - self.first, self.size, self.size)
        if probability.shape != expected:
            raise ValueError(f"a probability map of {probability.shape} for a frame of {expected}")
        restored, back = np.zeros(self.shape, np.float32), self.back()
        for part in chunks(len(probability)):
            restored[self.first + part.start : self.first + part.stop] = back(probability[part])
        return turned_back(restored, self.axis)


def turned(voxels: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    """Voxels of a scan as slices along another of its axes, superior at the top; a view.

    Args:
        voxels: ``(slices, height, width)``, or with channels behind.
        axis: along which the slices are to lie: 0, 1 (coronal) or 2 (sagittal).
    """
    return voxels if axis == 0 else np.moveaxis(voxels[::-1], axis, 0)


def turned_back(voxels: npt.NDArray[Any], axis: int) -> npt.NDArray[Any]:
    """What :func:`turned` was given."""
    return voxels if axis == 0 else np.moveaxis(voxels, 0, axis)[::-1]


def chunks(count: int) -> Iterator[slice]:
    """Slices ``0`` to ``count - 1`` in portions of :data:`CHUNK`."""
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))


def extent(marked: BoolArray) -> tuple[int, int]:
    """Start and stop of what is marked in a vector; all of it when nothing is."""
    places = np.flatnonzero(marked)
    return (int(places[0]), int(places[-1]) + 1) if places.size else (0, len(marked))


def no_head(scan: Scan, found: Phrase) -> Fault:
    """The fault of a scan in which nothing can be prepared."""
    return Fault("prepare.no_head", scan.source or scan.id, reason=found)


def _nearest(pixels: int, start: float, side: float, size: int) -> tuple[npt.NDArray[np.intp], BoolArray]:
    """Scan pixel nearest to the centre of each prepared pixel, and whether it is inside the scan."""
    places = np.floor(start + (np.arange(size) + 0.5) * (side / size)).astype(np.intp)
    return np.clip(places, 0, pixels - 1), (places >= 0) & (places < pixels)


def _forth_matrix(pixels: int, start: float, side: float, size: int) -> Array:
    """Matrix ``(size, pixels)``: triangle filter, wide enough not to alias when shrinking."""
    step = side / size
    centres = start + (np.arange(size) + 0.5) * step
    # Pixels beyond the scan take part in each row's sum of 1 and are then cut off: background, 0, comes in.
    reach = int(np.ceil(max(0.0, -start, start + side - pixels) + step)) + 1
    distance = np.abs((np.arange(-reach, pixels + reach) + 0.5)[None] - centres[:, None]) / max(step, 1.0)
    weights = np.clip(1 - distance, 0, None)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.ascontiguousarray(weights[:, reach : reach + pixels], np.float32)


def _step_matrix(pixels: int, start: float, side: float, size: int) -> Array:
    """Matrix ``(size, pixels)``: each new pixel is the mean of what it covers, 0 beyond the scan."""
    step = side / size
    low = (start + np.arange(size) * step)[:, None]
    place = np.arange(pixels)[None]
    covered = np.minimum(low + step, place + 1) - np.maximum(low, place)
    return np.ascontiguousarray(np.clip(covered, 0, None) / step, np.float32)


def _back_matrix(pixels: int, start: float, side: float, size: int) -> Array:
    """Matrix ``(pixels, size)``: linear interpolation at the scan's pixel centres, 0 outside the frame."""
    places = (np.arange(pixels) + 0.5 - start) * (size / side) - 0.5
    inside = (places > -0.5 - 1e-9) & (places < size - 0.5 + 1e-9)
    distance = np.abs(np.clip(places, 0, size - 1)[:, None] - np.arange(size)[None])
    return (np.clip(1 - distance, 0, None) * inside[:, None]).astype(np.float32)
