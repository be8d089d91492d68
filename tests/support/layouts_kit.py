"""Small data sets in every usual layout, all of the same real slices."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

from glioseg.dataset import find_cases, read_case
from glioseg.io import read_scan, write_segmentation
from glioseg.samples import SAMPLES
from support import dicom_kit
from support.sound_scans import save

AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Of voxels stored from left to right, front to back, bottom to top, all of 1 mm: as slices are shown."""

CHANNELS = {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}
LABELS = {"background": 0, "necrosis": 1, "oedema": 2, "enhancing": 3}
SEQUENCES = ("flair", "pre", "post", "t2")
"""What every layout is given, in the order of the Decathlon."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A few real slices of a patient, perhaps with a planted fault.

    Attributes:
        id: name of the patient.
        voxels: uint8 ``(slices, height, width, 3)``: pre, FLAIR, post.
        mask: uint8 ``(slices, height, width)``: 1 is lesion.
        mask_affine: where the voxels of the mask lie, in layouts that say it.
        lacks: sequences that it has not. Where one file holds all of them FLAIR stands in their place.
    """

    id: str
    voxels: np.ndarray
    mask: np.ndarray
    mask_affine: np.ndarray = field(default_factory=lambda: AFFINE)
    lacks: tuple[str, ...] = ()

    @property
    def labels(self) -> np.ndarray:
        """The mask with the lesion in three labels, as data sets of glioma have them."""
        three = 1 + np.indices(self.mask.shape).sum(axis=0) % 3
        return np.where(self.mask == 1, three, self.mask).astype(np.uint8)

    @property
    def sequences(self) -> dict[str, np.ndarray]:
        """Each of :data:`SEQUENCES` ``(slices, height, width)``; the T2 is a FLAIR turned round."""
        pre, flair, post = np.moveaxis(self.voxels, -1, 0)
        own = {"flair": flair, "pre": pre, "post": post, "t2": 255 - flair}
        return {name: flair if name in self.lacks else voxels for name, voxels in own.items()}

    def files(self, *words: str) -> list[tuple[str, np.ndarray]]:
        """The sequences that it has, each with its word in the name of a file."""
        named = dict(zip(SEQUENCES, words, strict=False))
        return [(word, self.sequences[name]) for name, word in named.items() if name not in self.lacks]


def pieces(count: int = 3, slices: int = 6, size: int = 64) -> list[Piece]:
    """Pieces of the sample patients around their lesions; no two share a slice."""
    found = []
    for number, case in zip(range(count), find_cases(SAMPLES), strict=False):
        scan, truth = read_case(case)
        assert truth is not None
        inside = np.argwhere(truth.mask)
        middle = inside.mean(axis=0).astype(int)
        starts = [
            int(np.clip(middle[axis] - length // 2, 0, truth.mask.shape[axis] - length))
            for axis, length in enumerate((slices, size, size))
        ]
        z, y, x = (
            slice(start, start + length) for start, length in zip(starts, (slices, size, size), strict=True)
        )
        found.append(Piece(f"p{number + 1:03}", scan.voxels[z, y, x], truth.mask[z, y, x].astype(np.uint8)))
    return found


def write(path: Path, voxels: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    """Write ``(slices, height, width[, channels])`` as a NIfTI volume."""
    path.parent.mkdir(parents=True, exist_ok=True)
    order = (2, 1, 0, *range(3, voxels.ndim))
    nib.save(nib.Nifti1Image(voxels.transpose(order), affine), path)
    return path


def kaggle(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        rgb = np.stack([piece.sequences[name] for name in ("pre", "flair", "post")], axis=-1)
        masks = np.where(piece.mask == 1, 255, piece.mask).astype(np.uint8)
        for number, (pixels, mask) in enumerate(zip(rgb, masks, strict=True), start=1):
            save(root / piece.id / f"{piece.id}_{number}.tif", pixels)
            save(root / piece.id / f"{piece.id}_{number}_mask.tif", mask)


def images_masks(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        for word, voxels in piece.files("flair", "t1", "t1ce", "t2"):
            write(root / "images" / f"{piece.id}_{word}.nii.gz", voxels)
        write(root / "masks" / f"{piece.id}_mask.nii.gz", piece.mask, piece.mask_affine)


def nnunet(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        for word, voxels in piece.files("0000", "0001", "0002", "0003"):
            write(root / "imagesTr" / f"{piece.id}_{word}.nii.gz", voxels)
        write(root / "labelsTr" / f"{piece.id}.nii.gz", piece.labels, piece.mask_affine)
    told = {
        "channel_names": CHANNELS,
        "labels": LABELS,
        "file_ending": ".nii.gz",
        "numTraining": len(patients),
    }
    (root / "dataset.json").write_text(json.dumps(told), encoding="utf-8")


def decathlon(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        whole = np.stack([piece.sequences[name] for name in SEQUENCES], axis=-1)
        write(root / "imagesTr" / f"{piece.id}.nii.gz", whole)
        write(root / "labelsTr" / f"{piece.id}.nii.gz", piece.labels, piece.mask_affine)
    told = {"modality": CHANNELS, "labels": {str(value): name for name, value in LABELS.items()}}
    (root / "dataset.json").write_text(json.dumps(told), encoding="utf-8")


def brats_2020(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        folder = root / piece.id
        for word, voxels in piece.files("flair", "t1", "t1ce", "t2"):
            write(folder / f"{piece.id}_{word}.nii.gz", voxels)
        labels = np.where(piece.labels == 3, 4, piece.labels).astype(np.uint8)
        write(folder / f"{piece.id}_seg.nii.gz", labels, piece.mask_affine)


def brats_2023(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        folder = root / piece.id
        for word, voxels in piece.files("t2f", "t1n", "t1c", "t2w"):
            write(folder / f"{piece.id}-{word}.nii.gz", voxels)
        write(folder / f"{piece.id}-seg.nii.gz", piece.labels, piece.mask_affine)


def bids(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        sub = f"sub-{piece.id}"
        denoised = root / "derivatives" / "denoised" / sub / "anat"
        for word, voxels in piece.files("FLAIR", "T1w", "ce-gadolinium_T1w", "T2w"):
            write(root / sub / "anat" / f"{sub}_{word}.nii.gz", voxels)
            write(denoised / f"{sub}_desc-denoised_{word}.nii.gz", voxels)
        masks = root / "derivatives" / "manual" / sub / "anat"
        write(masks / f"{sub}_label-lesion_mask.nii.gz", piece.mask, piece.mask_affine)
        write(masks / f"{sub}_desc-brain_mask.nii.gz", np.ones_like(piece.mask))
    told = {"Name": "test", "BIDSVersion": "1.9.0"}
    (root / "dataset_description.json").write_text(json.dumps(told), encoding="utf-8")


def wmh(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        for place in ("orig", "pre"):
            for word, voxels in piece.files("FLAIR", "T1"):
                write(root / piece.id / place / f"{word}.nii.gz", voxels)
        mask = piece.mask.copy()
        mask[0, :2, :2] = 2  # other pathology, which does not count
        write(root / piece.id / "wmh.nii.gz", mask, piece.mask_affine)


def beside(root: Path, patients: Sequence[Piece]) -> None:
    for word, piece in zip(("seg", "gt", "roi", "label", "mask"), patients, strict=False):
        for name, voxels in piece.files("FLAIR", "T1"):
            write(root / f"{piece.id}_{name}.nii.gz", voxels)
        write(root / f"{piece.id}_{word}.nii.gz", piece.mask, piece.mask_affine)


def dicom(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        for word, voxels in piece.files("AX FLAIR", "AX T1", "AX T1 POST", "AX T2"):
            _series(root / piece.id, voxels, AFFINE, word, piece.id)
        with tempfile.TemporaryDirectory() as elsewhere:
            drawn_on = root / piece.id
            if piece.mask_affine is not AFFINE:  # a SEG lies where the series lies that it was drawn on
                drawn_on = Path(elsewhere)
                _series(drawn_on, piece.sequences["flair"], piece.mask_affine, "AX FLAIR", piece.id)
            names = {value: f"label {value}" for value in np.unique(piece.mask) if value > 1}
            mask = read_scan(drawn_on).segmentation(piece.mask, {1: "lesion", **names}, id=piece.id)
            write_segmentation(mask, root / piece.id)


def _series(folder: Path, voxels: np.ndarray, affine: np.ndarray, name: str, study: str) -> None:
    stored = voxels.astype(np.uint16).transpose(2, 1, 0)
    dicom_kit.series(folder, stored, affine, name, study, PatientID=study)


@dataclass(frozen=True)
class Layout:
    """A layout of data.

    Attributes:
        name: what glioseg calls it.
        make: writes patients in it.
        mask: of a patient, the mask or the first of its masks.
        id: the name of a patient's scan.
        sequences: of each patient.
        placed: whether a mask says where its voxels lie.
    """

    name: str
    make: Callable[[Path, Sequence[Piece]], None]
    mask: str
    id: str = "{}"
    sequences: tuple[str, ...] = ("pre", "flair", "post")
    placed: bool = True


LAYOUTS = {
    "kaggle_3m": Layout("kaggle_3m", kaggle, "{0}/{0}_1_mask.tif", placed=False),
    "images_masks": Layout("images-masks", images_masks, "masks/{}_mask.nii.gz"),
    "nnunet": Layout("nnunet", nnunet, "labelsTr/{}.nii.gz"),
    "decathlon": Layout("decathlon", decathlon, "labelsTr/{}.nii.gz"),
    "brats_2020": Layout("brats", brats_2020, "{0}/{0}_seg.nii.gz"),
    "brats_2023": Layout("brats", brats_2023, "{0}/{0}-seg.nii.gz"),
    "bids": Layout(
        "bids", bids, "derivatives/manual/sub-{0}/anat/sub-{0}_label-lesion_mask.nii.gz", "sub-{}"
    ),
    "dicom": Layout("dicom", dicom, "{0}/{0}_mask.dcm"),
    "wmh": Layout("wmh", wmh, "{}/wmh.nii.gz", sequences=("pre", "flair")),
    "beside": Layout("scans", beside, "p001_seg.nii.gz", sequences=("pre", "flair")),
}
"""The seven that are promised (BraTS in the names of two years), that of WMH, and masks beside scans."""
