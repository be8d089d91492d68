"""From a scan to the square, normalised slices that a network sees, and exactly back.

A :class:`Preparation` looks at a :class:`~glioseg.scan.Scan` once and returns
:class:`Prepared`: the slices, and the :class:`Frame` that says which part of
which slice they show. The frame carries masks to the prepared grid and
probability maps back to the scan's own grid.

Resizing is linear and separable, so it is done with one small matrix for the rows
and one for the columns (BLAS does the work), built once a scan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from glioseg.errors import Fault, InputError
from glioseg.scan import BoolArray, Scan, check_boolean

Array = npt.NDArray[np.float32]

PREPARATION_VERSION = 1
"""Raised whenever the arrays that a preparation makes change, so that caches are made anew."""

CHUNK = 32
"""Slices that are resized together: enough for BLAS, little enough for memory."""


@dataclass(frozen=True)
class Frame:
    """Which part of a scan the prepared slices show.

    Attributes:
        shape: ``(slices, height, width)`` of the scan.
        first, last: the prepared slices are ``first`` to ``last - 1`` of the scan.
        top, left, side: the square of scan pixels shown. It may reach beyond the scan, into background.
        size: height and width of the prepared slices.
    """

    shape: tuple[int, int, int]
    first: int
    last: int
    top: float
    left: float
    side: float
    size: int

    def to_prepared(self, mask: BoolArray) -> BoolArray:
        """Carry a mask ``(slices, height, width)`` to the prepared grid by nearest neighbour.

        Raises:
            WrongKindError: ``mask`` is not boolean.
            ValueError: ``mask`` is not on the scan's grid.
        """
        check_boolean(mask, "a mask")
        if mask.shape != self.shape:
            raise ValueError(f"a mask of {mask.shape} for a scan of {self.shape}")
        rows, rows_inside = _nearest(self.shape[1], self.top, self.side, self.size)
        columns, columns_inside = _nearest(self.shape[2], self.left, self.side, self.size)
        picked = mask[self.first : self.last][:, rows][:, :, columns]
        return picked & (rows_inside[:, None] & columns_inside[None, :])

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
        if values.shape != self.shape:
            raise ValueError(f"values of {values.shape} for a scan of {self.shape}")
        rows = _forth_matrix(self.shape[1], self.top, self.side, self.size)
        columns = _forth_matrix(self.shape[2], self.left, self.side, self.size)
        return rows @ values[self.first : self.last].astype(np.float32) @ columns.T

    def restore(self, probability: Array) -> Array:
        """Carry a probability map from the prepared grid back to the scan's own grid.

        Args:
            probability: ``(last - first, size, size)``, values 0..1.

        Returns:
            ``(slices, height, width)`` float32; 0 where the frame does not reach.
        """
        expected = (self.last - self.first, self.size, self.size)
        if probability.shape != expected:
            raise ValueError(f"a probability map of {probability.shape} for a frame of {expected}")
        rows = _back_matrix(self.shape[1], self.top, self.side, self.size)
        columns = _back_matrix(self.shape[2], self.left, self.side, self.size)
        restored = np.zeros(self.shape, np.float32)
        for part in _chunks(len(probability)):
            target = slice(self.first + part.start, self.first + part.stop)
            restored[target] = rows @ probability[part] @ columns.T
        return restored


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a network sees of one scan.

    Attributes:
        images: float32 ``(slices, size, size, channels)``, about zero mean and unit variance.
        frame: where those slices sit in the scan.
    """

    images: Array
    frame: Frame


class Preparation(BaseModel):
    """How scans are made ready: a name and a size. It is stored in every recipe and model.

    ``default`` finds the head in FLAIR, cuts a square around it, keeps every slice and
    normalises each channel from its foreground: clipped between background and the 99.8th
    percentile, then z-scored. ``reference`` is the published protocol, see :func:`_prepare_reference`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["default", "reference"] = "default"
    size: int = Field(default=128, ge=16, le=1024)
    drop_ends: bool = Field(
        default=False, description="leave out the first and last slice, as the reference protocol does"
    )

    @property
    def fingerprint(self) -> str:
        """Text that changes whenever the prepared arrays would."""
        ends = "-inner" if self.drop_ends else ""
        return f"{self.name}-{self.size}{ends}-v{PREPARATION_VERSION}"

    def __call__(self, scan: Scan) -> Prepared:
        """Prepare a scan.

        Raises:
            InputError: nothing in the scan stands out from its background (all black or constant).
        """
        count = scan.voxels.shape[0]
        first, last = self._kept(count)
        prepare = _prepare_reference if self.name == "reference" else _prepare_default
        images, frame = prepare(scan, scan.voxels[first:last], self.size)
        return Prepared(images, self._in_scan(frame, count, first))

    def frame(self, scan: Scan) -> Frame:
        """The frame alone, without preparing any image; same errors."""
        count = scan.voxels.shape[0]
        first, last = self._kept(count)
        voxels = scan.voxels[first:last]
        find = _reference_frame if self.name == "reference" else _default_frame
        return self._in_scan(find(scan, voxels, self.size), count, first)

    def target(self, mask: BoolArray, frame: Frame) -> Array:
        """What the network is to learn: ``(slices, size, size)`` float32, 0..1.

        ``reference`` has the mask by nearest neighbour, as published; ``default`` the share of lesion.
        """
        if self.name == "reference":
            return frame.to_prepared(mask).astype(np.float32)
        check_boolean(mask, "a mask")
        return frame.coverage(mask)

    def _kept(self, count: int) -> tuple[int, int]:
        return (1, count - 1) if self.drop_ends and count > 2 else (0, count)

    @staticmethod
    def _in_scan(frame: Frame, count: int, first: int) -> Frame:
        """A frame found in the kept slices, in terms of the whole scan."""
        shape = (count, *frame.shape[1:])
        return replace(frame, shape=shape, first=frame.first + first, last=frame.last + first)


def neighbour_channels(channels: tuple[str, ...], neighbours: int) -> tuple[str, ...]:
    """Names of the network's input channels: the scan's own, then FLAIR of the slices around."""
    offsets = [o for o in range(-neighbours, neighbours + 1) if o]
    return channels + tuple(f"flair{offset:+d}" for offset in offsets)


def stack_neighbours(images: npt.NDArray[Any], positions: npt.NDArray[np.intp], neighbours: int) -> Array:
    """Network input for some slices of one prepared scan: all channels, plus FLAIR of the slices around.

    Beyond the first and last slice the nearest slice is repeated.

    Args:
        images: ``(slices, size, size, channels)`` with FLAIR in the middle channel.
        positions: which slices.
        neighbours: how many slices on each side give their FLAIR.

    Returns:
        float32 ``(len(positions), channels + 2 * neighbours, size, size)``.
    """
    slices, height, width, channels = images.shape
    flair = channels // 2
    stacked = np.empty((len(positions), channels + 2 * neighbours, height, width), np.float32)
    stacked[:, :channels] = np.moveaxis(images[positions], -1, 1)
    offsets = [o for o in range(-neighbours, neighbours + 1) if o]
    for place, offset in enumerate(offsets, start=channels):
        stacked[:, place] = images[np.clip(positions + offset, 0, slices - 1), :, :, flair]
    return stacked


# --- the reference protocol -------------------------------------------------------------------------


def _prepare_reference(scan: Scan, voxels: npt.NDArray[Any], size: int) -> tuple[Array, Frame]:
    """Prepare as the original program (Buda et al. 2019, brain-segmentation-pytorch) does.

    Zero voxels below 10 % of the maximum; crop slices, rows and columns to what is left; zero-pad to a
    square; resize with quadratic splines; clip all channels together to the 10th and 99th percentile and
    rescale to 0..1; z-score each channel over the volume. ``voxels`` are those of the scan, or its inner
    slices: the original drops the first and the last one before all this.
    """
    frame = _reference_frame(scan, voxels, size)
    peak = float(voxels.max())
    top, left, side = int(frame.top), int(frame.left), int(frame.side)
    # What of the square lies in the scan; beyond the crop all of it is below the threshold and becomes 0.
    y = slice(max(top, 0), min(top + side, voxels.shape[1]))
    x = slice(max(left, 0), min(left + side, voxels.shape[2]))
    spline = _spline_matrix(side, size)
    rows = spline[:, y.start - top : y.stop - top]
    columns = spline[:, x.start - left : x.stop - left]
    kept = voxels[frame.first : frame.last, y, x]
    images = np.empty((len(kept), size, size, voxels.shape[3]), np.float32)
    for part in _chunks(len(images)):
        crop = kept[part].astype(np.float32)
        crop[crop < 0.1 * peak] = 0
        for channel in range(crop.shape[3]):
            images[part, :, :, channel] = rows @ crop[..., channel] @ columns.T
    np.clip(images, 0, peak, out=images)

    low, high = np.percentile(images, (10, 99))
    if high <= low:
        raise InputError(_no_head(scan, f"the 10th and the 99th percentile are both {low:g}"))
    np.clip(images, low, high, out=images)
    images -= np.float32(low)
    images /= np.float32(high - low)
    mean = images.mean(axis=(0, 1, 2), dtype=np.float64)
    deviation = images.std(axis=(0, 1, 2), dtype=np.float64)
    if (deviation == 0).any():
        name = scan.channels[int(np.argmin(deviation))]
        raise InputError(_no_head(scan, f"channel '{name}' is constant"))
    images -= mean.astype(np.float32)
    images /= deviation.astype(np.float32)
    return images, frame


def _reference_frame(scan: Scan, voxels: npt.NDArray[Any], size: int) -> Frame:
    peak = float(voxels.max())
    if peak <= 0:
        raise InputError(_no_head(scan, "every voxel is 0 or less"))
    # Booleans only, no float copy of the whole scan.
    loud: BoolArray = np.any(voxels >= 0.1 * peak, axis=-1)
    z, y, x = (_extent(np.any(loud, axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    height, width = y[1] - y[0], x[1] - x[0]
    side = max(height, width)
    top, left = y[0] - (side - height) // 2, x[0] - (side - width) // 2
    return Frame(voxels.shape[:3], z[0], z[1], top, left, side, size)


@lru_cache(maxsize=64)
def _spline_matrix(side: int, size: int) -> Array:
    """Quadratic spline resize of ``side`` pixels to ``size`` as a matrix (scikit-image's ``resize``)."""
    from scipy import ndimage

    columns = ndimage.zoom(
        np.eye(side), (size / side, 1), order=2, mode="grid-constant", cval=0.0, grid_mode=True
    )
    return np.ascontiguousarray(columns, np.float32)


# --- our own ----------------------------------------------------------------------------------------

HEAD_THRESHOLD = 0.12
"""Share of the FLAIR's 99th percentile above which a pixel counts as head."""


def _prepare_default(scan: Scan, voxels: npt.NDArray[Any], size: int) -> tuple[Array, Frame]:
    frame = _default_frame(scan, voxels, size)
    slices, height, width, channels = voxels.shape
    top, left, side = frame.top, frame.left, frame.side
    rows = _forth_matrix(height, top, side, size)
    columns = _forth_matrix(width, left, side, size)
    images = np.empty((slices, size, size, channels), np.float32)
    for channel in range(channels):
        own = voxels[..., channel]
        zero = _background(own)
        for part in _chunks(slices):
            # Background first becomes 0, so that whatever lies beyond the scan is background too.
            images[part, :, :, channel] = rows @ (own[part].astype(np.float32) - zero) @ columns.T
        _normalise(images[..., channel])
    return images, frame


def _default_frame(scan: Scan, voxels: npt.NDArray[Any], size: int) -> Frame:
    flair = voxels[..., scan.channels.index("flair") if "flair" in scan.channels else voxels.shape[3] // 2]
    top, left, side = _head_square(scan, flair, _background(flair))
    return Frame(voxels.shape[:3], 0, len(voxels), top, left, side, size)


def _background(volume: npt.NDArray[Any]) -> np.float32:
    """Value of the air around the head: 0, or the least value where a scan was shifted below 0.

    A scan that was z-scored inside the brain has 0 outside and negative values within: there the air
    must be put below the darkest tissue, or it would look like average brain.
    """
    least = volume.min()
    return np.float32(least if least < 0 else 0)


def _head_square(scan: Scan, volume: npt.NDArray[Any], background: np.float32) -> tuple[float, float, float]:
    """Top, left and side of the square around the head in FLAIR, in pixels, the same for all slices."""
    sample = volume.reshape(len(volume), -1)[:, ::7].astype(np.float32) - background
    air = _masked_air(volume, background)
    if air is not None:
        sample = sample[np.abs(sample - air) > 1e-6]
    bright = float(np.percentile(sample, 99)) if sample.size else 0.0
    if volume.min() == volume.max():
        raise InputError(_no_head(scan, "FLAIR has the same value everywhere"))
    if bright <= 0:
        raise InputError(_no_head(scan, "less than 1 % of FLAIR stands out from its background"))
    threshold = HEAD_THRESHOLD * bright
    counts_rows = np.zeros(volume.shape[1], np.int64)
    counts_columns = np.zeros(volume.shape[2], np.int64)
    for part in _chunks(len(volume)):
        values = volume[part].astype(np.float32) - background
        head = values > threshold if air is None else np.abs(values - air) > 1e-6
        # A row belongs to the head when in some slice 3 % of it does: specks of noise do not.
        np.maximum(counts_rows, head.sum(axis=2).max(axis=0), out=counts_rows)
        np.maximum(counts_columns, head.sum(axis=1).max(axis=0), out=counts_columns)
    y = _extent(counts_rows > 0.03 * volume.shape[2])
    x = _extent(counts_columns > 0.03 * volume.shape[1])
    side = 1.04 * max(y[1] - y[0], x[1] - x[0], 8)
    return (y[0] + y[1] - side) / 2, (x[0] + x[1] - side) / 2, side


def _masked_air(volume: npt.NDArray[Any], background: np.float32) -> np.float32 | None:
    """Value that skull stripping wrote outside the brain, less ``background``, if that is what it did.

    Only for scans with negative values: there "dark" does not mean "outside".
    """
    if background == 0:
        return None
    border = np.concatenate([volume[:, 0].ravel(), volume[:, -1].ravel(), volume[:, :, 0].ravel()])
    values, counts = np.unique(border, return_counts=True)
    most = int(counts.argmax())
    return np.float32(values[most]) - background if counts[most] > 0.5 * border.size else None


def _normalise(channel: Array) -> None:
    """Clip and z-score one channel ``(slices, size, size)`` in place, from its foreground."""
    sample = channel[:, ::2, ::2]
    border = np.concatenate([sample[:, 0].ravel(), sample[:, -1].ravel()])
    air = np.float32(np.median(border))
    if air > 0.25 * np.percentile(sample, 99):
        # Skull-stripped and z-scored: what lies outside is not the darkest. Make it so.
        channel[np.abs(channel - air) < 1e-3 * max(float(air), 1.0)] = 0
    bright = float(np.percentile(sample, 99))
    inside = sample[sample > HEAD_THRESHOLD * bright]
    if bright <= 0 or inside.size == 0:
        channel[:] = 0
        return
    np.clip(channel, 0, float(np.percentile(inside, 99.8)), out=channel)
    inside = np.minimum(inside, np.percentile(inside, 99.8))
    deviation = float(inside.std())
    channel -= np.float32(inside.mean())
    channel /= np.float32(deviation if deviation > 1e-6 * bright else bright)


# --- shared -----------------------------------------------------------------------------------------


def _no_head(scan: Scan, found: str) -> Fault:
    return Fault(
        scan.source or scan.id,
        "a head on a darker background",
        found,
        "Look at the scan: it may be empty, or only the first or last slice of one.",
    )


def _extent(marked: BoolArray) -> tuple[int, int]:
    places = np.flatnonzero(marked)
    return (int(places[0]), int(places[-1]) + 1) if places.size else (0, len(marked))


def _chunks(count: int) -> Iterator[slice]:
    for start in range(0, count, CHUNK):
        yield slice(start, min(start + CHUNK, count))


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


def _back_matrix(pixels: int, start: float, side: float, size: int) -> Array:
    """Matrix ``(pixels, size)``: linear interpolation at the scan's pixel centres, 0 outside the frame."""
    places = (np.arange(pixels) + 0.5 - start) * (size / side) - 0.5
    inside = (places > -0.5 - 1e-9) & (places < size - 0.5 + 1e-9)
    distance = np.abs(np.clip(places, 0, size - 1)[:, None] - np.arange(size)[None])
    return (np.clip(1 - distance, 0, None) * inside[:, None]).astype(np.float32)
