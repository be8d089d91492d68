"""The published protocol's preparation, exactly."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import InputError
from glioseg.prepare.channel import Channel
from glioseg.prepare.frame import Array, Frame, chunks, extent, no_head
from glioseg.scan import BoolArray, Scan
from glioseg.words import Phrase


def prepare_reference(scan: Scan, voxels: npt.NDArray[Any], frame: Frame) -> list[Channel]:
    """Prepare as the published protocol says; all at once, for its percentiles are those of all channels."""
    images = _prepared(scan, voxels, frame)
    return [
        Channel(partial(_part, channel), len(images), keep=False) for channel in np.moveaxis(images, -1, 0)
    ]


def _part(channel: Array, part: slice) -> Array:
    return channel[part]


def _prepared(scan: Scan, voxels: npt.NDArray[Any], frame: Frame) -> Array:
    """Prepare as the original program (Buda et al. 2019, brain-segmentation-pytorch) does.

    Zero voxels below 10 % of the maximum; crop slices, rows and columns to what is left; zero-pad to a
    square; resize with quadratic splines; clip all channels together to the 10th and 99th percentile and
    rescale to 0..1; z-score each channel over the volume. ``voxels`` are those of the scan, or its inner
    slices: the original drops the first and the last one before all this.
    """
    size = frame.size
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
    for channel in range(voxels.shape[3]):
        for part in chunks(len(images)):
            images[part, :, :, channel] = _resized(kept[part, :, :, channel], 0.1 * peak, rows, columns)
    np.clip(images, 0, peak, out=images)

    low, high = percentiles(images, (10, 99))
    if high <= low:
        raise InputError(no_head(scan, Phrase("prepare.one_percentile", value=f"{low:g}")))
    np.clip(images, low, high, out=images)
    images -= np.float32(low)
    images /= np.float32(high - low)
    mean = images.mean(axis=(0, 1, 2), dtype=np.float64)
    # Not images.std, which makes a float64 copy of everything.
    squares = sum(((image - mean) ** 2).sum(axis=(0, 1)) for image in images)
    deviation = np.sqrt(squares / images[..., 0].size)
    if (deviation == 0).any():
        name = scan.channels[int(np.argmin(deviation))]
        raise InputError(no_head(scan, Phrase("prepare.constant_channel", name=name)))
    images -= mean.astype(np.float32)
    images /= deviation.astype(np.float32)
    return images


def _resized(crop: npt.NDArray[Any], threshold: float, rows: Array, columns: Array) -> npt.NDArray[Any]:
    values = crop.astype(np.float32)
    values[values < threshold] = 0
    return rows @ values @ columns.T


def reference_frame(scan: Scan, voxels: npt.NDArray[Any], size: int) -> Frame:
    """Crop to what is at least 10 % of the maximum, and extend to a square.

    Raises:
        InputError: there is no voxel above 0.
    """
    peak = float(voxels.max())
    if peak <= 0:
        raise InputError(no_head(scan, Phrase("prepare.all_zero")))
    # Booleans only, no float copy of the whole scan.
    loud: BoolArray = np.any(voxels >= 0.1 * peak, axis=-1)
    z, y, x = (extent(np.any(loud, axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    height, width = y[1] - y[0], x[1] - x[0]
    side = max(height, width)
    top, left = y[0] - (side - height) // 2, x[0] - (side - width) // 2
    return Frame(voxels.shape[:3], z[0], z[1], top, left, side, size)


def percentiles(images: Array, shares: tuple[float, ...]) -> npt.NDArray[np.floating[Any]]:
    """``np.percentile`` of values of at least 0, most of them 0: in half the time, without a copy of all."""
    above = images[images > 0]
    zeros = images.size - above.size
    kept = min(zeros, 1)
    values = np.concatenate((np.zeros(kept, images.dtype), above))
    ranks = np.array(shares) / 100 * (images.size - 1) - (zeros - kept)
    places = 100 * np.clip(ranks, 0, None) / max(values.size - 1, 1)
    return np.percentile(values, places, overwrite_input=True)


@lru_cache(maxsize=64)
def _spline_matrix(side: int, size: int) -> Array:
    """Quadratic spline resize of ``side`` pixels to ``size`` as a matrix (scikit-image's ``resize``)."""
    from scipy import ndimage

    columns = ndimage.zoom(
        np.eye(side), (size / side, 1), order=2, mode="grid-constant", cval=0.0, grid_mode=True
    )
    return np.ascontiguousarray(columns, np.float32)
