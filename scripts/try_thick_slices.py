"""Segment a volume averaged into thick slices along each axis, as scanners take them, and print the scores.

    python scripts/try_thick_slices.py FLAIR.nii.gz LABELS.nii.gz

The volume should have voxels of about 1 mm. Three scores for each plane and thickness, each on the thick
slices against the labels averaged likewise: with the pixels taken as squares whatever the header says, with
their spacing, and with each slice repeated until the voxels are as before.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

import glioseg
from glioseg.io import read_segmentation
from glioseg.measure import dice
from glioseg.scan import Scan

PLANES = ("axial", "coronal", "sagittal")


def in_slices(voxels: npt.NDArray[Any], axis: int, times: int) -> npt.NDArray[Any]:
    """Means of ``times`` neighbours along an axis."""
    kept = voxels.shape[axis] // times * times
    voxels = voxels.take(range(kept), axis)
    shape = voxels.shape
    parted = voxels.reshape(*shape[:axis], kept // times, times, *shape[axis + 1 :])
    return parted.astype(np.float32).mean(axis + 1)


def main(flair: str, labels: str) -> None:
    """Print the table of one volume."""
    scan = glioseg.read_scan(flair)
    values = [int(value) for value in np.unique(np.asarray(nibabel.load(labels).dataobj)) if value]
    named = {value: f"label {value}" for value in values}
    truth = read_segmentation(Path(labels), like=scan, labels=named).mask
    voxels, spacing = scan.voxels[..., scan.channels.index("flair")], scan.grid.spacing
    if spacing is None:
        sys.exit(f"{flair} does not say how large its voxels are.")
    model = glioseg.load_model()

    def mask_of(voxels: npt.NDArray[Any], spacing: tuple[float, ...] | None) -> npt.NDArray[Any]:
        return glioseg.segment(Scan.from_array(voxels, spacing=spacing), model=model).segmentation.mask

    print(f"as it is: {dice(mask_of(voxels, spacing), truth):.3f}")
    print(f"{'plane':<10} {'mm':>4} {'as squares':>11} {'by spacing':>11} {'repeated':>9}")
    for axis, plane in reversed(list(enumerate(PLANES))):
        for times in (2, 3, 5):
            thick, mask = in_slices(voxels, axis, times), in_slices(truth, axis, times) >= 0.5
            own = tuple(size * (times if place == axis else 1) for place, size in enumerate(spacing))
            again = mask_of(thick.repeat(times, axis), spacing)
            found = mask_of(thick, None), mask_of(thick, own), in_slices(again, axis, times) >= 0.5
            squares, spaced, repeated = (dice(each, mask) for each in found)
            millimetres = f"{times * spacing[axis]:4.0f}"
            print(f"{plane:<10} {millimetres} {squares:11.3f} {spaced:11.3f} {repeated:9.3f}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
