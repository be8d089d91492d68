"""Our own preparation: a square around the head, every slice, each channel from its foreground."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import InputError
from glioseg.prepare.channel import KEPT, Channel, Step
from glioseg.prepare.frame import Array, Frame, chunks, extent, no_head
from glioseg.prepare.tissue import blank
from glioseg.scan import BoolArray, Scan
from glioseg.words import Phrase

HEAD_THRESHOLD = 0.12
"""Share of the FLAIR's 99th percentile above which a pixel counts as head."""

Learner = Callable[[Channel], Step | None]
"""Looks at a channel and says what is to be done to it."""


def prepare_head(scan: Scan, voxels: npt.NDArray[Any], frame: Frame, how: Sequence[Learner]) -> list[Channel]:
    """Cut the head out of every slice, and learn from each channel how to bring it to one scale.

    Args:
        scan: whose names count.
        voxels: its slices that are kept.
        frame: of the head.
        how: the steps, in order.

    Returns:
        One for each channel of the scan; for one that was filled the FLAIR's.
    """
    flair = scan.channels.index("flair")
    own = [number for number, name in enumerate(scan.channels) if name not in scan.filled]
    channels = {}
    keep = 4 * len(own) * len(voxels) * frame.size**2 <= KEPT
    for number in own:
        channels[number] = Channel(_resizing(voxels[..., number], frame), len(voxels), keep)
        for each in how:
            channels[number].learn(each)
    return [channels.get(number, channels[flair]) for number in range(len(scan.channels))]


def _resizing(own: npt.NDArray[Any], frame: Frame) -> Callable[[slice], Array]:
    """What cuts the head out of some slices of one channel."""
    forth = frame.forth()
    zero = _background(own)
    air = _masked_air(own, zero)

    def resize(part: slice) -> Array:
        values = own[part].astype(np.float32)
        # Background first becomes 0, so that whatever lies beyond the scan is background too.
        if zero:
            values -= zero
        if air is not None:
            values[_is(values, air)] = 0
        return forth(values)

    return resize


def head_frame(scan: Scan, voxels: npt.NDArray[Any], size: int, pixel_mm: float | None = None) -> Frame:
    """Find the square around the head in FLAIR: one in mm, where the scan says how long its pixels are.

    Args:
        scan: whose grid and names count.
        voxels: its slices that are kept.
        size: pixels a side of what is prepared.
        pixel_mm: how long such a pixel is to be; the square fits the head by default, and where the scan does
            not say how long its pixels are, and where the head would not fit.

    Raises:
        InputError: FLAIR is constant, or hardly anything stands out from its background.
    """
    flair = voxels[..., scan.channels.index("flair")]
    top, left, side = _head_square(scan, flair, _background(flair))
    aspect = scan.grid.pixel_aspect
    if pixel_mm is not None and scan.grid.spacing is not None:
        more = max(0.0, size * pixel_mm / scan.grid.spacing[1] - side)
        top, left, side = top - more / 2, left - more * aspect / 2, side + more
    return Frame(voxels.shape[:3], 0, len(voxels), top, left, side, size, aspect)


def _background(volume: npt.NDArray[Any]) -> np.float32:
    """Value of the air around the head: 0, or the least value where a scan was shifted below 0.

    A scan that was z-scored inside the brain may have 0 outside and negative values within: there the air
    is put below the darkest tissue (see :func:`_masked_air`), or it would look like average brain.
    """
    if volume.dtype.kind == "u":
        return np.float32(0)
    least = volume.min()
    return np.float32(least if least < 0 else 0)


def _head_square(scan: Scan, volume: npt.NDArray[Any], background: np.float32) -> tuple[float, float, float]:
    """Top, left and side of the square around the head in FLAIR, the same for all slices.

    Top and side are in rows, left is in columns.
    """
    sample = np.empty((len(volume), -(-volume[0].size // 7)), np.float32)
    for part in chunks(len(volume)):
        sample[part] = volume[part].reshape(len(volume[part]), -1)[:, ::7]
    sample -= background
    air = _masked_air(volume, background)
    if air is not None:
        sample = sample[~_is(sample, air)]
    constant = not np.ptp(sample) > 0 if sample.size else True
    bright = float(np.percentile(sample, 99, overwrite_input=True)) if sample.size else 0.0
    if constant and volume.min() == volume.max():
        raise InputError(no_head(scan, Phrase("prepare.constant_flair")))
    if bright <= 0:
        raise InputError(no_head(scan, Phrase("prepare.little_head")))
    threshold = HEAD_THRESHOLD * bright
    counts_rows = np.zeros(volume.shape[1], np.int64)
    counts_columns = np.zeros(volume.shape[2], np.int64)
    for part in chunks(len(volume)):
        values = volume[part].astype(np.float32)
        if background:
            values -= background
        head = values > threshold if air is None else ~_is(values, air)
        # A row belongs to the head when in some slice 3 % of it does: specks of noise do not.
        np.maximum(counts_rows, _counts(head, 2).max(axis=0), out=counts_rows)
        np.maximum(counts_columns, _counts(head, 1).max(axis=0), out=counts_columns)
    y = extent(counts_rows > 0.03 * volume.shape[2])
    x = extent(counts_columns > 0.03 * volume.shape[1])
    aspect = scan.grid.pixel_aspect
    side = 1.04 * max(y[1] - y[0], (x[1] - x[0]) / aspect, 8)
    return (y[0] + y[1] - side) / 2, (x[0] + x[1] - side * aspect) / 2, side


def _counts(mask: BoolArray, axis: int) -> npt.NDArray[np.int16]:
    """How many there are along an axis of at most 32,767 pixels, in a small type: that is the fastest."""
    counts: npt.NDArray[np.int16] = mask.view(np.int8).sum(axis=axis, dtype=np.int16)
    return counts


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


def _is(values: Array, air: np.float32) -> BoolArray:
    """Where values are that of the air, up to the rounding of a subtraction."""
    same: BoolArray = np.abs(values - air) <= 1e-6 * max(1.0, abs(float(air)))
    return same


def learn_foreground(channel: Channel) -> Step:
    """Learn to clip and z-score a channel from its foreground."""
    sample = channel.gathered(lambda values: values[:, ::2, ::2])
    bright = float(np.percentile(sample, 99))
    inside = sample[sample > HEAD_THRESHOLD * bright]
    if bright <= 0 or inside.size == 0:
        return blank
    most = float(np.percentile(inside, 99.8))
    inside = np.minimum(inside, np.percentile(inside, 99.8))
    deviation = float(inside.std())
    mean, width = np.float32(inside.mean()), np.float32(deviation if deviation > 1e-6 * bright else bright)

    def normalise(values: Array, part: slice) -> None:
        np.clip(values, 0, most, out=values)
        values -= mean
        values /= width

    return normalise
