"""DICOM series made of arrays, as scanners and programs write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from glioseg.scan import Scan, Segmentation

MR = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR = "1.2.840.10008.5.1.4.1.1.4.1"
PATIENT = "Mustermann^Erika"
SECRETS = ("Mustermann", "Erika", "MRN-0815", "19700102", "Irgendwo", "Doktor", "Fritz")
"""What the headers say of the patient, and nothing else may."""

AXIAL = np.array([[-1.0, 0, 0, 40], [0, -1.0, 0, 30], [0, 0, 5.0, 10], [0, 0, 0, 1]])
"""From (column, row, slice) to RAS+ mm: as scanners store axial slices."""


def uid(*parts: object) -> str:
    return str(generate_uid(entropy_srcs=[str(part) for part in parts]))


def rotated(affine: np.ndarray, degrees: tuple[float, float, float]) -> np.ndarray:
    """An oblique version of an affine: turned about its x, y and z axis."""
    turn = np.eye(4)
    for axis, angle in enumerate(np.radians(degrees)):
        first, second = [other for other in range(3) if other != axis]
        one = np.eye(4)
        one[first, first] = one[second, second] = np.cos(angle)
        one[first, second], one[second, first] = -np.sin(angle), np.sin(angle)
        turn = one @ turn
    return turn @ affine


def geometry(affine: np.ndarray) -> tuple[list[float], list[float], np.ndarray, np.ndarray]:
    """Orientation, pixel spacing, position of slice 0 and step, in DICOM's own (LPS) millimetres."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    lengths = np.linalg.norm(lps[:3, :3], axis=0)
    orientation = [*(lps[:3, 0] / lengths[0]), *(lps[:3, 1] / lengths[1])]
    return [round(value, 10) for value in orientation], [lengths[1], lengths[0]], lps[:3, 3], lps[:3, 2]


def header(
    voxels: np.ndarray, study: str, name: str, sop_class: str = MR, bits: int = 16, **values: Any
) -> Dataset:
    """What every image of a series says; ``values`` override it."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = sop_class
    dataset.PatientName, dataset.PatientID = PATIENT, "MRN-0815"
    dataset.PatientBirthDate, dataset.PatientSex = "19700102", "F"
    dataset.InstitutionName, dataset.ReferringPhysicianName = "Sankt Irgendwo", "Doktor^Fritz"
    dataset.StudyDate = dataset.SeriesDate = "20200304"
    dataset.StudyTime = dataset.SeriesTime = "101112"
    dataset.StudyID, dataset.AccessionNumber = "S1", "A1"
    dataset.StudyInstanceUID = uid("study", study)
    dataset.SeriesInstanceUID = uid("series", study, name)
    dataset.FrameOfReferenceUID = uid("frame", study)
    dataset.Modality, dataset.Manufacturer = "MR", "Example"
    dataset.SeriesDescription, dataset.SeriesNumber = name, len(name)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    dataset.Rows, dataset.Columns = voxels.shape[1], voxels.shape[0]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(voxels.dtype.kind == "i")
    for keyword, value in values.items():
        if value is None:
            if keyword in dataset:
                delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def series(
    folder: Path,
    voxels: np.ndarray,
    affine: np.ndarray = AXIAL,
    name: str = "AX FLAIR",
    study: str = "1",
    syntax: str | None = None,
    suffix: str = ".dcm",
    **values: Any,
) -> list[Path]:
    """Write a series of single images, under names whose order says nothing of where the slices lie.

    Args:
        folder: made if needed.
        voxels: ``(columns, rows, slices)``.
        affine: from those indices to RAS+ mm.
        name: SeriesDescription.
        study: images of one study share it.
        syntax: a transfer syntax to compress with.
        suffix: of the files.
        values: attributes of each image by keyword; ``None`` removes one.

    Returns:
        The files in the order of the slices.
    """
    folder.mkdir(parents=True, exist_ok=True)
    orientation, spacing, origin, step = geometry(affine)
    shuffled = np.random.default_rng(7).permutation(voxels.shape[2])
    paths = []
    for number in range(voxels.shape[2]):
        placed = {
            "ImageOrientationPatient": orientation,
            "PixelSpacing": [f"{value:.10g}" for value in spacing],
            "ImagePositionPatient": [f"{value:.10g}" for value in origin + number * step],
            "SliceThickness": f"{np.linalg.norm(step):.10g}",
            "InstanceNumber": int(shuffled[number]) + 1,
        }
        dataset = header(voxels, study, name, **{**placed, **values})
        dataset.SOPInstanceUID = uid("image", study, name, number, values.get("EchoTime"))
        dataset.PixelData = np.ascontiguousarray(voxels[:, :, number].T).tobytes()
        if syntax is not None:
            dataset.compress(syntax, generate_instance_uid=False)
        paths.append(folder / f"{name.replace(' ', '_').replace('/', '_')}-{shuffled[number]:03}{suffix}")
        dataset.save_as(paths[-1], enforce_file_format=True)
    return paths


def enhanced(
    path: Path,
    voxels: np.ndarray,
    affine: np.ndarray = AXIAL,
    name: str = "AX FLAIR",
    study: str = "1",
    **values: Any,
) -> Path:
    """Write an enhanced MR image: one file, frames in an order that says nothing of where they lie."""
    path.parent.mkdir(parents=True, exist_ok=True)
    orientation, spacing, origin, step = geometry(affine)
    order = np.random.default_rng(9).permutation(voxels.shape[2])
    dataset = header(voxels, study, name, ENHANCED_MR, NumberOfFrames=voxels.shape[2], **values)
    dataset.SOPInstanceUID = uid("enhanced", study, name)
    shared, measures, turned = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [f"{value:.10g}" for value in spacing]
    measures.SliceThickness = f"{np.linalg.norm(step):.10g}"
    turned.ImageOrientationPatient = orientation
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [turned]
    dataset.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for number in order:
        group, place = Dataset(), Dataset()
        place.ImagePositionPatient = [f"{value:.10g}" for value in origin + number * step]
        group.PlanePositionSequence = [place]
        groups.append(group)
    dataset.PerFrameFunctionalGroupsSequence = groups
    dataset.PixelData = np.ascontiguousarray(voxels[:, :, order].transpose(2, 1, 0)).tobytes()
    dataset.save_as(path, enforce_file_format=True)
    return path


ORIENTATIONS = {
    "axial": AXIAL,
    "axial downwards": AXIAL @ np.array([[1.0, 0, 0, 0], [0, -1, 0, 23], [0, 0, -1, 6], [0, 0, 0, 1]]),
    "oblique": rotated(AXIAL, (12, -8, 10)),
    "sagittal": np.array([[0, 0, -3.0, 9], [-1, 0, 0, 5], [0, -1.2, 0, 7], [0, 0, 0, 1]]),
    "coronal": np.array([[-1.1, 0, 0, 3], [0, 0, 4.0, -5], [0, -1.0, 0, 7], [0, 0, 0, 1]]),
}


def some(scan: Scan, seed: int = 1) -> Segmentation:
    return scan.segmentation(np.random.default_rng(seed).random(scan.grid.shape) < 0.1)
