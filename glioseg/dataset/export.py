"""Labelled scans out to other programs: a raw data set of nnU-Net.

Source: https://github.com/MIC-DKFZ/nnUNet, documentation/dataset_format.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.dataset.case import Case, read_case
from glioseg.errors import Fault, InputError
from glioseg.files import folder_written_whole, write_text
from glioseg.grid import Grid
from glioseg.recipe import Labels
from glioseg.scan import Scan

CHANNEL_NAMES = {"flair": "FLAIR", "pre": "T1w", "post": "T1w_ce", "t2": "T2w"}
"""What ``dataset.json`` calls the sequences, in the order of the channels."""


@dataclass(frozen=True)
class ExportResult:
    """What was written.

    Attributes:
        training, test: numbers of cases.
        channels: sequences that every case has, in their order; the others are left out.
    """

    training: int
    test: int
    channels: tuple[str, ...]


def export_nnunet(
    cases: Sequence[Case],
    out: Path,
    labels: Labels = Labels(),
    progress: Callable[[int, int], None] | None = None,
) -> ExportResult:
    """Write labelled scans as a raw data set of nnU-Net, version 2.

    Voxels keep their values; volumes lie in the file as they are shown, with the affine of their grid, slices
    without one with voxels of 1 mm. Cases of a test set become ``imagesTs`` and ``labelsTs``. nnU-Net wants
    the same channels of every case and labels from 1 on: sequences that some case lacks are left out, and
    classes are numbered in their order.

    Args:
        cases: as :func:`glioseg.dataset.find.find_cases` gives them.
        out: folder to make.
        labels: classes of the masks instead of lesion or not.
        progress: called with the number of cases done and of all.

    Raises:
        InputError: a scan or mask cannot be read, there is no case, or ``out`` is there already.
    """
    if os.path.lexists(out):
        raise InputError(Fault("dataset.export_exists", out))
    if not cases:
        raise InputError(Fault("dataset.export_nothing", out))
    with folder_written_whole(out) as part:
        lacking: set[str] = set()
        for done, case in enumerate(cases, start=1):
            lacking |= _write_case(part, case, labels)
            if progress is not None:
                progress(done, len(cases))
        channels = tuple(name for name in CHANNEL_NAMES if name not in lacking)
        _number_channels(part, channels)
        test = sum(case.side == "test" for case in cases)
        described = {
            "channel_names": {str(number): CHANNEL_NAMES[name] for number, name in enumerate(channels)},
            "labels": {"background": 0, **_numbered(labels)},
            "numTraining": len(cases) - test,
            "file_ending": ".nii.gz",
        }
        write_text(part / "dataset.json", json.dumps(described, indent=2) + "\n")
    return ExportResult(len(cases) - test, test, channels)


def _numbered(labels: Labels) -> dict[str, int]:
    return {name: number for number, name in enumerate(labels.named.values(), start=1)}


def _write_case(out: Path, case: Case, labels: Labels) -> set[str]:
    """Write all sequences of a case, and its mask; the sequences that it has not are returned."""
    scan, truth = read_case(case.with_sequences(CHANNEL_NAMES), labels.stored)
    if truth is None:
        raise InputError(Fault("dataset.not_labelled", case.source.place))
    side = "Ts" if case.side == "test" else "Tr"
    for name in CHANNEL_NAMES:
        if name not in scan.filled:
            _write(_of_known_type(scan, name), scan.grid, out / f"images{side}" / f"{case.id}_{name}.nii.gz")
    mask = np.zeros(truth.voxels.shape, np.uint8)
    for number, value in enumerate(labels.named, start=1):
        mask[truth.voxels == value] = number
    _write(mask, scan.grid, out / f"labels{side}" / f"{case.id}.nii.gz")
    return set(scan.filled)


def _number_channels(out: Path, channels: Sequence[str]) -> None:
    """Name the files of sequences after their channels; those of other sequences go."""
    for folder in (out / "imagesTr", out / "imagesTs"):
        for name in CHANNEL_NAMES:
            for file in folder.glob(f"*_{name}.nii.gz"):
                if name not in channels:
                    file.unlink()
                    continue
                case = file.name.removesuffix(f"_{name}.nii.gz")
                file.rename(folder / f"{case}_{channels.index(name):04}.nii.gz")


def _of_known_type(scan: Scan, name: str) -> npt.NDArray[Any]:
    """The voxels of a sequence in a type that NIfTI and nnU-Net both know."""
    voxels = scan.channel(name)
    return (
        voxels
        if voxels.dtype in (np.uint8, np.int16, np.uint16, np.int32, np.float32)
        else voxels.astype(np.float32)
    )


def _write(voxels: npt.NDArray[Any], grid: Grid, path: Path) -> None:
    import nibabel

    affine = grid.affine
    if affine is None:
        slices, rows, columns = grid.spacing or (1.0, 1.0, 1.0)
        stored = np.diag([-columns, -rows, slices, 1.0])
    else:
        stored = affine[:, [2, 1, 0, 3]]
    image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), stored)
    image.header.set_xyzt_units("mm")
    path.parent.mkdir(exist_ok=True)
    nibabel.save(image, path)
