"""Score one predicted mask against one drawn by hand, in any format that glioseg reads.

    glioseg predict --flair FLAIR.nii.gz --post T1POST.nii.gz -o out
    python scripts/score_mask.py out/masks/*_mask.nii.gz tumour_labels.nii.gz

``glioseg evaluate`` scores data sets; this is for a volume from elsewhere. Every label that is not 0 counts
as lesion.
"""

from __future__ import annotations

from pathlib import Path

import typer

from glioseg.io import read_segmentation
from glioseg.measure import dice


def main(predicted: Path, truth: Path) -> None:
    """Print the DSC and both sizes."""
    drawn = read_segmentation(truth, labels=None)
    found = read_segmentation(predicted, like=drawn)
    score = dice(found.mask, drawn.mask)
    print(f"DSC {score:.3f}; voxels: {found.mask.sum():,} predicted, {drawn.mask.sum():,} drawn")


if __name__ == "__main__":
    typer.run(main)
