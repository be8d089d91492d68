"""Show a model scans that it should not trust, made of the reference validation patients; count its doubts.

    python scripts/try_odd_inputs.py default kaggle_3m

Prints a row a kind: how many scans are flagged or refused, and which of the others get a mask all the same.
The scans as they are should not be flagged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import numpy.typing as npt
import typer

from glioseg.dataset.find import find_cases, read_case
from glioseg.dataset.split import REFERENCE_VALIDATION
from glioseg.errors import InputError
from glioseg.grid import Grid
from glioseg.io import read_scan
from glioseg.model.calibration import look_again
from glioseg.model.predictor import load_model

Voxels = npt.NDArray[Any]

SEED = 0
"""Of the noise."""


def noise(voxels: Voxels) -> Voxels:
    """Uniform noise of the same size."""
    return np.random.default_rng(SEED).integers(0, 256, voxels.shape, np.uint8)


def photo(voxels: Voxels) -> Voxels:
    """A portrait in colour, as often as there are slices."""
    portrait = read_scan(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").voxels
    return np.repeat(portrait, len(voxels), axis=0)


KINDS: dict[str, Callable[[Voxels], Voxels]] = {
    "as it is": lambda voxels: voxels,
    "inverted": lambda voxels: 255 - voxels,
    "noise": noise,
    "turned by 90 degrees": lambda voxels: np.rot90(voxels, 1, (1, 2)),
    "turned by 180 degrees": lambda voxels: np.rot90(voxels, 2, (1, 2)),
    "T1 in the place of FLAIR": lambda voxels: voxels[..., [1, 0, 2]],
    "a photo": photo,
}


def main(model: str, data: Path) -> None:
    """Count the doubts of MODEL about each kind of scan."""
    predictor = load_model(model, threads=1)
    scans = [read_case(case)[0] for case in find_cases(data) if case.id in REFERENCE_VALIDATION]
    print("| scan | flagged or refused | not flagged (voxels marked) |\n|---|---|---|")
    for kind, change in KINDS.items():
        silent = []
        for scan in scans:
            voxels = np.ascontiguousarray(change(scan.voxels))
            try:
                prediction = predictor(replace(scan, voxels=voxels, grid=Grid(voxels.shape[:3])))
            except InputError:
                continue
            if not look_again(prediction.doubts):
                silent.append(f"{scan.id} ({int(prediction.segmentation.mask.sum()):,})")
        print(f"| {kind} | {len(scans) - len(silent)} of {len(scans)} | {', '.join(silent)} |")


if __name__ == "__main__":
    typer.run(main)
