"""Slices of a scan as pictures: grey levels for the eye, in true shape, with outlines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from glioseg.draw.outlines import LABELS, Pixels, enlarge, enlarge_labels, overlay
from glioseg.errors import Fault, InputError
from glioseg.grid import Grid
from glioseg.scan import BoolArray, Scan, Segmentation

FEWEST_PIXELS = 192
"""Longer side below which a picture is enlarged in whole steps."""

SAMPLED_FROM = 4_000_000
"""Voxels from which every second row and column is enough to find black and white."""


def grey(
    scan: Scan, channel: str = "flair", window: tuple[float, float] = (0.5, 99.5)
) -> npt.NDArray[np.uint8]:
    """One channel of a scan as grey levels for the eye, with the same window for all slices.

    Args:
        scan: the scan, in any dtype; values that are not finite are drawn black.
        channel: name of the channel.
        window: percentiles that become black and white: the first of all voxels, the second of the
            foreground, which are the voxels above the mean. That leaves out air also where air is
            noisy. Padding inside the range of the brain, as the zeros after a z-score, is drawn black.

    Returns:
        uint8 array ``(slices, height, width)``; all zero for a constant scan.

    Raises:
        InputError: the scan has no such channel.
    """
    if channel not in scan.channels:
        raise InputError(
            Fault("draw.no_channel", scan.id, channel=channel, channels=", ".join(scan.channels))
        )
    voxels = scan.channel(channel)
    few = voxels.dtype.itemsize <= 2 and voxels.dtype.kind in "iu"
    if few:
        voxels = np.ascontiguousarray(voxels)
    border = np.concatenate([voxels[:, [0, -1]].ravel(), voxels[:, :, [0, -1]].ravel()])
    # Every voxel of a large volume would take more memory than the volume itself.
    step = 1 + (voxels.size > SAMPLED_FROM)
    sample = voxels[:, ::step, ::step]
    found = _window_of_counts(sample, window) if few else _window(sample, window)
    if found is None:
        return np.zeros(voxels.shape, dtype=np.uint8)
    low, high = found
    middle = np.median(border)
    padding = middle if low < middle < high and (border == middle).mean() > 0.5 else None
    if few:
        # What each stored value looks like is worked out once.
        limits = np.iinfo(voxels.dtype)
        return looked_up(voxels, _levels(np.arange(limits.min, limits.max + 1), low, high, padding))
    drawn = np.empty(voxels.shape, dtype=np.uint8)
    for one, to in zip(voxels, drawn, strict=True):
        to[:] = _levels(one, low, high, padding)
    return drawn


def looked_up(voxels: npt.NDArray[Any], table: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """An array of its own with the entry of a table for each voxel.

    Args:
        voxels: integers of 8 or 16 bits.
        table: uint8, an entry for each value that these can have, the least first.
    """
    if voxels.dtype == np.uint8:
        # Python looks bytes up in a tenth of the time of NumPy, which makes 64-bit indices of them.
        found = bytearray(np.ascontiguousarray(voxels)).translate(table.tobytes())
        return np.frombuffer(found, np.uint8).reshape(voxels.shape)
    drawn = np.empty(voxels.shape, dtype=np.uint8)
    for one, to in zip(voxels, drawn, strict=True):
        np.take(table, one.astype(np.intp) - np.iinfo(voxels.dtype).min, out=to)
    return drawn


def _window(sample: npt.NDArray[Any], window: tuple[float, float]) -> tuple[float, float] | None:
    """The values that become black and white, see :func:`grey`; ``None`` if all are the same."""
    values = sample[np.isfinite(sample)].astype(np.float64)
    if not values.size or values.min() == values.max():
        return None
    low = np.percentile(values, window[0])
    return float(low), float(np.percentile(values[values > values.mean()], window[1]))


def _window_of_counts(sample: npt.NDArray[Any], window: tuple[float, float]) -> tuple[float, float] | None:
    """The same of integers with few values, from how often each occurs."""
    limits = np.iinfo(sample.dtype)
    counts = np.zeros(limits.max - limits.min + 1, np.int64)
    for one in sample:
        counts += np.bincount(one.ravel() - np.int32(limits.min), minlength=len(counts))
    values = np.flatnonzero(counts)
    counts = counts[values]
    values += limits.min
    if len(values) < 2:
        return None
    bright = values > (values @ counts) / counts.sum()
    return _percentile(values, counts, window[0]), _percentile(values[bright], counts[bright], window[1])


def _percentile(values: npt.NDArray[Any], counts: npt.NDArray[np.int64], percent: float) -> float:
    """What :func:`numpy.percentile` gives for values that occur so often, bit for bit."""
    place = (counts.sum() - 1) * (percent / 100)
    last = np.cumsum(counts) - 1
    below, above = (float(values[np.searchsorted(last, rank)]) for rank in (np.floor(place), np.ceil(place)))
    share = place - np.floor(place)
    step = above - below
    return float(below + step * share if share < 0.5 else above - step * (1 - share))


def _levels(
    values: npt.NDArray[Any], low: float, high: float, padding: float | None
) -> npt.NDArray[np.uint8]:
    """Grey levels of values; what is not finite and the padding are black."""
    black = ~np.isfinite(values)
    if padding is not None:
        black |= values == padding
    level = np.where(black, 0, (values - low) / (high - low))
    return np.round(np.clip(level, 0, 1) * 255).astype(np.uint8)


class Layers(NamedTuple):
    """One slice ready to be drawn.

    Attributes:
        grey: uint8 ``(height, width)``.
        predicted, truth: masks of the same shape, or ``None``.
        labels: uint8 of the same shape instead of both: where several labels are, see :func:`places_of`.
    """

    grey: npt.NDArray[np.uint8]
    predicted: BoolArray | None
    truth: BoolArray | None
    labels: npt.NDArray[np.uint8] | None = None


def frames(
    scan: Scan,
    predicted: Segmentation | None = None,
    truth: Segmentation | None = None,
    channel: str = "flair",
    size: int = 512,
    positions: Sequence[int] | None = None,
    numbered: bool = True,
    crop: bool = False,
) -> Iterator[Pixels]:
    """Give slices with outlines one after the other, in true shape where the spacing is known.

    Args:
        scan, predicted, truth, channel, size, positions, numbered, crop: as for :func:`layers`.

    Yields:
        uint8 arrays ``(height, width, 3)``, all of one size.

    Raises:
        InputError: the scan has no such channel.
        ValueError: a mask is on another grid than the scan.
    """
    for each in layers(scan, predicted, truth, channel, size, positions, numbered, crop):
        yield overlay(each.grey, each.predicted, each.truth, labels=each.labels)


def layers(
    scan: Scan,
    predicted: Segmentation | None = None,
    truth: Segmentation | None = None,
    channel: str = "flair",
    size: int | None = 512,
    positions: Sequence[int] | None = None,
    numbered: bool = True,
    crop: bool = False,
    volume: npt.NDArray[np.uint8] | None = None,
) -> Iterator[Layers]:
    """Give slices and their masks one after the other, in true shape where the spacing is known.

    Args:
        scan: the scan.
        predicted: mask to outline in red, or ``None``; if it has several labels and there is no truth, each
            is outlined in a colour of its own (:data:`glioseg.draw.outlines.LABELS`).
        truth: mask to outline in green, or ``None``.
        channel: channel that is shown.
        size: longer side of the pictures in pixels; ``None`` for a pixel of the picture a pixel of the scan,
            or a few where the scan has fewer than :data:`FEWEST_PIXELS`.
        positions: which slices, counted from 0; all by default.
        numbered: whether the slice's number in the source stands in the corner.
        crop: whether the air that surrounds the head in all slices is cut off.
        volume: what :func:`grey` gave for the channel, if it is at hand.

    Yields:
        Pictures, all of one size.

    Raises:
        InputError: the scan has no such channel.
        ValueError: a mask is on another grid than the scan.
    """
    volume = grey(scan, channel) if volume is None else volume
    several = predicted is not None and truth is None and len(predicted.labels) > 1
    masks: list[npt.NDArray[Any] | None] = [
        None if mask is None else places_of(mask) if several else mask.mask for mask in (predicted, truth)
    ]
    for mask in masks:
        if mask is not None and mask.shape != volume.shape:
            raise ValueError(f"a mask of {mask.shape} for a scan of {volume.shape}")
    if crop:
        head = _head(volume, masks)
        volume, masks = volume[head], [None if mask is None else mask[head] for mask in masks]
    scale = scale_of(scan.grid, volume.shape[1:], size)
    for position in range(len(volume)) if positions is None else positions:
        picture = enlarge(volume[position], scale)
        if numbered:
            # Under the outlines, whose colours so stay pure.
            picture = with_text(picture, str(scan.grid.slice_numbers[position]))
        slices = [None if mask is None else mask[position] for mask in masks]
        if several and slices[0] is not None:
            yield Layers(picture, None, None, enlarge_labels(slices[0], scale))
        else:
            red, green = (None if mask is None else enlarge(mask, scale) for mask in slices)
            yield Layers(picture, red, green)


def places_of(segmentation: Segmentation) -> npt.NDArray[np.uint8]:
    """The place of each voxel's label among the colours of :data:`LABELS`, counted from 1; 0: background."""
    table = np.zeros(256, np.uint8)
    for place, value in enumerate(sorted(segmentation.labels)):
        table[value] = 1 + place % len(LABELS)
    return table[segmentation.voxels]


def with_text(picture: Pixels, text: str) -> Pixels:
    """The picture, uint8 ``(height, width)`` or RGB, with a small light text in its upper left corner."""
    keep, light = _label(text, max(10, picture.shape[0] // 22))
    drawn = picture.copy()
    corner = drawn[: keep.shape[0], : keep.shape[1]]
    height, width = corner.shape[:2]
    keep, light = keep[:height, :width], light[:height, :width]
    if picture.ndim == 3:
        keep, light = keep[..., None], light[..., None]
    corner[:] = np.round(corner * keep + light)
    return drawn


@lru_cache(maxsize=1024)
def _label(text: str, size: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """How a text of a size changes a picture: what is kept of what is under it, and the light that is added.

    The numbers of slices are the same in all scans, and drawing one takes as long as all else of a picture.
    """
    font = ImageFont.load_default(size)
    at = (size // 3, size // 4)
    _, _, right, bottom = font.getbbox(text, stroke_width=1)
    drawn = []
    for ground in (0, 255):
        image = Image.new("L", (at[0] + math.ceil(right) + 2, at[1] + math.ceil(bottom) + 2), ground)
        ImageDraw.Draw(image).text(at, text, fill=200, font=font, stroke_width=1, stroke_fill=0)
        drawn.append(np.asarray(image, np.float32))
    on_black, on_white = drawn
    return (on_white - on_black) / np.float32(255), on_black


def scale_of(grid: Grid, shape: tuple[int, ...], size: int | None) -> tuple[float, float]:
    """Factors for rows and columns that make pixels square and the longer side ``size`` (:func:`layers`)."""
    row, column = (1.0, 1.0) if grid.spacing is None else grid.spacing[1:]
    longer = max(shape[0] * row, shape[1] * column)
    if size is None:
        unit = min(row, column)
        factor = max(1, math.ceil(FEWEST_PIXELS * unit / longer)) / unit
    else:
        factor = size / longer
    return row * factor, column * factor


def _head(volume: npt.NDArray[np.uint8], masks: Sequence[npt.NDArray[Any] | None]) -> tuple[slice, ...]:
    """The rows and columns that hold more than noise in some slice, or lesion, and a margin around them."""
    bright = volume > 40
    window = [slice(None)]
    for across in (2, 1):
        seen = np.asarray((bright.mean(axis=across) > 0.04).any(axis=0))
        for mask in masks:
            if mask is not None:
                seen |= np.asarray(mask.any(axis=(0, across)))
        where = np.flatnonzero(seen)
        margin = len(seen) // 50
        window.append(slice(max(0, where[0] - margin), where[-1] + 1 + margin) if len(where) else slice(None))
    return tuple(window)
