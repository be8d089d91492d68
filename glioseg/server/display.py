"""Scans for the viewer: uncompressed NIfTI whose voxels need no turning."""

from __future__ import annotations

import io
import math
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from glioseg.draw import grey
from glioseg.grid import Grid
from glioseg.scan import Scan

_WINDOWS: WeakKeyDictionary[Scan, dict[str, tuple[float, float]]] = WeakKeyDictionary()

MOST_VALUES = 1 << 24
"""Voxels that are looked at for a window: as numbers of 64 bits, and sorted, they are many times the scan."""

HEADER_BYTES = 352
"""Where the voxels begin: the viewer reads masks from there without a NIfTI reader."""


def channel_volume(scan: Scan, channel: str) -> memoryview:
    """One channel in its own values (``pre``, ``flair``, ``post``), or all three as colours (``rgb``)."""
    if channel == "rgb":
        colours = [grey(scan, name) for name in scan.channels]
        return _nifti(np.stack(colours, axis=-1), scan.grid)
    return _nifti(_for_viewer(scan.channel(channel)), scan.grid)


def mask_volume(labels: npt.NDArray[np.uint8], grid: Grid) -> memoryview:
    """The labels of a mask; lesion or not is 1 and 0."""
    return _nifti(labels, grid)


def probability_volume(probability: npt.NDArray[np.float32], grid: Grid) -> memoryview:
    """A probability map in steps of 1/255."""
    return _nifti(np.round(probability * 255).astype(np.uint8), grid, slope=1 / 255)


def slice_picture(scan: Scan, position: int, channel: str = "flair") -> bytes:
    """One slice as PNG of 8 bits, in its own pixels and the window that the viewer begins with."""
    from PIL import Image

    low, high = windows(scan)[channel]
    values = scan.channel(channel)[position].astype(np.float32)
    shown = np.nan_to_num(np.clip((values - low) / (high - low), 0, 1)) * 255
    content = io.BytesIO()
    Image.fromarray(shown.round().astype(np.uint8)).save(content, "PNG", compress_level=1)
    return content.getvalue()


def windows(scan: Scan) -> dict[str, tuple[float, float]]:
    """Of each channel, the values that become black and white; computed once a scan."""
    if scan not in _WINDOWS:
        own = {name: window(scan, name) for name in scan.channels if name not in scan.filled}
        _WINDOWS[scan] = {name: own.get(name) or own["flair"] for name in scan.channels}
    return _WINDOWS[scan]


def window(scan: Scan, channel: str) -> tuple[float, float]:
    """Values that become black and white, by the rule of :func:`glioseg.draw.grey`."""
    voxels = scan.channel(channel)
    voxels = voxels[:: max(1, len(voxels) // 64)]
    step = max(1, math.ceil(math.sqrt(voxels.size / MOST_VALUES)))  # of slices that are huge
    values = voxels[:, ::step, ::step].astype(np.float64).ravel()
    values = values[np.isfinite(values)]
    if not values.size or values.min() == values.max():
        return (0.0, 1.0)
    high = np.percentile(values[values > values.mean()], 99.5)
    return float(np.percentile(values, 0.5)), float(high)


def is_radiological(grid: Grid) -> bool:
    """Whether slices are axial, so that left, right, front and back can be written beside them."""
    if grid.affine is None:
        return False
    directions = np.abs(grid.affine[:3, :3])
    return bool(directions[:, 0].argmax() == 2 and set(directions[:, 1:].argmax(axis=0)) == {0, 1})


def _for_viewer(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype in (np.uint8, np.int16, np.uint16, np.float32):
        return values
    return values.astype(np.float32)


def _nifti(shown: npt.NDArray[Any], grid: Grid, slope: float = 1.0) -> memoryview:
    """NIfTI-1 of ``(slices, height, width[, 3])``, stored along RAS+ axes.

    Rows run to the back and columns to the patient's left, so both are stored reversed; the
    viewer then has nothing to permute and its drawing has the order of the file.
    """
    import nibabel

    slices, height, width = shown.shape[:3]
    up, down, right = grid.spacing or (1.0, 1.0, 1.0)
    header = nibabel.Nifti1Header()
    header.set_data_shape((width, height, slices))
    colour = shown.ndim == 4
    header.set_data_dtype(np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")]) if colour else shown.dtype)
    header.set_sform(np.diag([right, down, up, 1.0]), code=1)
    header.set_zooms((right, down, up))
    header.set_slope_inter(slope, 0)
    header["vox_offset"] = HEADER_BYTES
    header["magic"] = b"n+1"
    header.set_xyzt_units("mm")
    file = np.zeros(HEADER_BYTES + shown.nbytes, np.uint8)
    file[: HEADER_BYTES - 4] = np.frombuffer(header.as_byteswapped("<").binaryblock, np.uint8)
    # In one pass: a large scan is not copied once more to be turned, and again to be put behind its header.
    file[HEADER_BYTES:].view(shown.dtype.newbyteorder("<")).reshape(shown.shape)[...] = shown[:, ::-1, ::-1]
    return file.data
