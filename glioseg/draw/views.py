"""Slices of a scan as pictures: grey levels for the eye, in true shape, with outlines."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from glioseg.draw.outlines import Pixels, enlarge, overlay
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
    drawn = np.zeros(voxels.shape, dtype=np.uint8)
    # Every voxel of a large volume would take more memory than the volume itself.
    step = 1 + (voxels.size > SAMPLED_FROM)
    sample = voxels[:, ::step, ::step]
    values = sample[np.isfinite(sample)].astype(np.float64)
    if not values.size or values.min() == values.max():
        return drawn
    low = np.percentile(values, window[0])
    high = np.percentile(values[values > values.mean()], window[1])
    border = np.concatenate([voxels[:, [0, -1]].ravel(), voxels[:, :, [0, -1]].ravel()])
    padding = np.median(border)
    padded = low < padding < high and (border == padding).mean() > 0.5
    if voxels.dtype.itemsize <= 2 and voxels.dtype.kind in "iu":
        # What each stored value looks like is worked out once.
        limits = np.iinfo(voxels.dtype)
        known = _levels(np.arange(limits.min, limits.max + 1), low, high, padding if padded else None)
        for one, to in zip(voxels, drawn, strict=True):
            np.take(known, one.astype(np.intp) - limits.min, out=to)
        return drawn
    for one, to in zip(voxels, drawn, strict=True):
        to[:] = _levels(one, low, high, padding if padded else None)
    return drawn


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
    """

    grey: npt.NDArray[np.uint8]
    predicted: BoolArray | None
    truth: BoolArray | None


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
        yield overlay(*each)


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
        predicted: mask to outline in red, or ``None``.
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
    masks = [None if mask is None else mask.mask for mask in (predicted, truth)]
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
        red, green = (None if mask is None else enlarge(mask[position], scale) for mask in masks)
        yield Layers(picture, red, green)


def with_text(picture: Pixels, text: str) -> Pixels:
    """The picture, uint8 ``(height, width)`` or RGB, with a small light text in its upper left corner."""
    size = max(10, picture.shape[0] // 22)
    image = Image.fromarray(picture)
    white, black = ((200,) * 3, (0,) * 3) if picture.ndim == 3 else (200, 0)
    font = ImageFont.load_default(size)
    at = (size // 3, size // 4)
    ImageDraw.Draw(image).text(at, text, fill=white, font=font, stroke_width=1, stroke_fill=black)
    return np.array(image)


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


def _head(volume: npt.NDArray[np.uint8], masks: Sequence[npt.NDArray[np.bool_] | None]) -> tuple[slice, ...]:
    """The rows and columns that hold more than noise in some slice, or lesion, and a margin around them."""
    bright = volume > 40
    window = [slice(None)]
    for across in (2, 1):
        seen = np.asarray((bright.mean(axis=across) > 0.04).any(axis=0))
        for mask in masks:
            if mask is not None:
                seen |= mask.any(axis=(0, across))
        where = np.flatnonzero(seen)
        margin = len(seen) // 50
        window.append(slice(max(0, where[0] - margin), where[-1] + 1 + margin) if len(where) else slice(None))
    return tuple(window)
