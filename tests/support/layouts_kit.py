"""Small data sets in every usual layout, all of the same real slices."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from glioseg.dataset import find_cases, read_case
from glioseg.samples import SAMPLES
from support.sound_scans import save

AFFINE = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Of voxels stored from left to right, front to back, bottom to top, all of 1 mm: as slices are shown."""

CHANNELS = {"0": "FLAIR", "1": "T1w", "2": "t1gd", "3": "T2w"}
LABELS = {"background": 0, "necrosis": 1, "oedema": 2, "enhancing": 3}


@dataclass(frozen=True)
class Piece:
    """A few real slices of a patient.

    Attributes:
        id: name of the patient.
        voxels: uint8 ``(slices, height, width, 3)``: pre, FLAIR, post.
        mask: uint8 0 and 1 ``(slices, height, width)``.
    """

    id: str
    voxels: np.ndarray
    mask: np.ndarray

    @property
    def labels(self) -> np.ndarray:
        """The mask in three labels, as data sets of glioma have them."""
        return self.mask * (1 + np.indices(self.mask.shape).sum(axis=0) % 3).astype(np.uint8)


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


def t2(piece: Piece) -> np.ndarray:
    """What stands for a T2."""
    return 255 - piece.voxels[..., 1]


def _sequences(piece: Piece) -> list[np.ndarray]:
    """FLAIR, T1, contrast T1 and T2: the order of the Decathlon."""
    return [piece.voxels[..., 1], piece.voxels[..., 0], piece.voxels[..., 2], t2(piece)]


def kaggle(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        for number, (pixels, mask) in enumerate(zip(piece.voxels, piece.mask, strict=True), start=1):
            save(root / piece.id / f"{piece.id}_{number}.tif", pixels)
            save(root / piece.id / f"{piece.id}_{number}_mask.tif", mask * np.uint8(255))


def images_masks(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        for name, voxels in zip(("flair", "t1", "t1ce", "t2"), _sequences(piece), strict=True):
            write(root / "images" / f"{piece.id}_{name}.nii.gz", voxels)
        write(root / "masks" / f"{piece.id}_mask.nii.gz", piece.mask)


def nnunet(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        for number, voxels in enumerate(_sequences(piece)):
            write(root / "imagesTr" / f"{piece.id}_{number:04}.nii.gz", voxels)
        write(root / "labelsTr" / f"{piece.id}.nii.gz", piece.labels)
    told = {
        "channel_names": CHANNELS,
        "labels": LABELS,
        "file_ending": ".nii.gz",
        "numTraining": len(patients),
    }
    (root / "dataset.json").write_text(json.dumps(told), encoding="utf-8")


def decathlon(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        write(root / "imagesTr" / f"{piece.id}.nii.gz", np.stack(_sequences(piece), axis=-1))
        write(root / "labelsTr" / f"{piece.id}.nii.gz", piece.labels)
    told = {"modality": CHANNELS, "labels": {str(value): name for name, value in LABELS.items()}}
    (root / "dataset.json").write_text(json.dumps(told), encoding="utf-8")


def brats_2020(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        folder = root / piece.id
        for name, voxels in zip(("flair", "t1", "t1ce", "t2"), _sequences(piece), strict=True):
            write(folder / f"{piece.id}_{name}.nii.gz", voxels)
        write(
            folder / f"{piece.id}_seg.nii.gz", np.where(piece.labels == 3, 4, piece.labels).astype(np.uint8)
        )


def brats_2023(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        folder = root / piece.id
        for name, voxels in zip(("t2f", "t1n", "t1c", "t2w"), _sequences(piece), strict=True):
            write(folder / f"{piece.id}-{name}.nii.gz", voxels)
        write(folder / f"{piece.id}-seg.nii.gz", piece.labels)


def bids(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        sub = f"sub-{piece.id}"
        names = ("FLAIR", "T1w", "ce-gadolinium_T1w", "T2w")
        for name, voxels in zip(names, _sequences(piece), strict=True):
            write(root / sub / "anat" / f"{sub}_{name}.nii.gz", voxels)
            write(
                root / "derivatives" / "denoised" / sub / "anat" / f"{sub}_desc-denoised_{name}.nii.gz",
                voxels,
            )
        masks = root / "derivatives" / "manual" / sub / "anat"
        write(masks / f"{sub}_label-lesion_mask.nii.gz", piece.mask)
        write(masks / f"{sub}_desc-brain_mask.nii.gz", np.ones_like(piece.mask))
    told = {"Name": "test", "BIDSVersion": "1.9.0"}
    (root / "dataset_description.json").write_text(json.dumps(told), encoding="utf-8")


def wmh(root: Path, patients: Sequence[Piece]) -> None:
    for piece in patients:
        for place in ("orig", "pre"):
            write(root / piece.id / place / "FLAIR.nii.gz", piece.voxels[..., 1])
            write(root / piece.id / place / "T1.nii.gz", piece.voxels[..., 0])
        mask = piece.mask.copy()
        mask[0, :2, :2] = 2  # other pathology, which does not count
        write(root / piece.id / "wmh.nii.gz", mask)


def beside(root: Path, patients: Sequence[Piece]) -> None:
    for word, piece in zip(("seg", "gt", "roi", "label", "mask"), patients, strict=False):
        write(root / f"{piece.id}_FLAIR.nii.gz", piece.voxels[..., 1])
        write(root / f"{piece.id}_T1.nii.gz", piece.voxels[..., 0])
        write(root / f"{piece.id}_{word}.nii.gz", piece.mask)


@dataclass(frozen=True)
class Layout:
    """A layout of data.

    Attributes:
        name: what glioseg calls it.
        make: writes patients in it.
        image, mask: of a patient, an image besides FLAIR and the mask.
        id: the name of a patient's scan.
        sequences: of each patient.
    """

    name: str
    make: Callable[[Path, Sequence[Piece]], None]
    image: str
    mask: str
    id: str = "{}"
    sequences: tuple[str, ...] = ("pre", "flair", "post")


LAYOUTS = {
    "images_masks": Layout("images-masks", images_masks, "images/{}_t1.nii.gz", "masks/{}_mask.nii.gz"),
    "nnunet": Layout("nnunet", nnunet, "imagesTr/{}_0001.nii.gz", "labelsTr/{}.nii.gz"),
    "decathlon": Layout("decathlon", decathlon, "", "labelsTr/{}.nii.gz"),
    "brats_2020": Layout("brats", brats_2020, "{0}/{0}_t1.nii.gz", "{0}/{0}_seg.nii.gz"),
    "brats_2023": Layout("brats", brats_2023, "{0}/{0}-t1n.nii.gz", "{0}/{0}-seg.nii.gz"),
    "bids": Layout(
        "bids",
        bids,
        "sub-{0}/anat/sub-{0}_T1w.nii.gz",
        "derivatives/manual/sub-{0}/anat/sub-{0}_label-lesion_mask.nii.gz",
        "sub-{}",
    ),
    "wmh": Layout("wmh", wmh, "{}/pre/T1.nii.gz", "{}/wmh.nii.gz", sequences=("pre", "flair")),
    "beside": Layout("scans", beside, "{}_T1.nii.gz", "p001_seg.nii.gz", sequences=("pre", "flair")),
}
