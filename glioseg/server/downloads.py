"""Files that leave the server: masks in every kind, probabilities, outlines."""

from __future__ import annotations

import io
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

from glioseg.draw import chinese_font, draw_gif, draw_slices
from glioseg.errors import Fault
from glioseg.io import write_segmentation
from glioseg.io.nifti import write_probability
from glioseg.io.registry import READERS
from glioseg.scan import Segmentation, Storage
from glioseg.server.faults import UnfitError
from glioseg.server.scans import Entry


@dataclass(frozen=True)
class Download:
    """A file for a client."""

    name: str
    kind: str
    content: bytes


KINDS = {
    ".zip": "application/zip",
    ".gz": "application/gzip",
    ".png": "image/png",
    ".gif": "image/gif",
    ".tif": "image/tiff",
    ".dcm": "application/dicom",
    ".pdf": "application/pdf",
}


def mask_file(
    entry: Entry, mask: Segmentation, format: str, what: str = "mask", anonymise: bool = False
) -> Download:
    """A mask as ``native`` (the kind of the scan), ``dicom`` (SEG), ``nifti``, or ``tif`` or ``png`` slices.

    Slices come in a zip. ``anonymise`` leaves the patient out of a SEG.

    Raises:
        InputError: a SEG is asked for and the scan was not read from DICOM.
    """
    name = plain_name(entry.scan.id)
    with tempfile.TemporaryDirectory(dir=entry.folder) as temporary:
        folder = Path(temporary)
        paths = mask_files(mask, folder, name, format, anonymise)
        return _as_download(paths, folder, f"{name}_{what}.zip")


def mask_files(
    mask: Segmentation, folder: Path, name: str, format: str, anonymise: bool = False
) -> list[Path]:
    """Write a mask into a folder, see :func:`mask_file`; slices stand in a folder of their own.

    Raises:
        InputError: a SEG is asked for and the scan was not read from DICOM.
    """
    if format == "dicom" and mask.storage.format != "dicom":
        raise UnfitError(Fault("server.not_dicom", format=mask.storage.format))
    if format in ("tif", "png"):
        files = tuple(Path(f"{name}_{number}.{format}") for number in mask.grid.slice_numbers)
        mask = replace(mask, storage=Storage("slices", files))
    if format == "nifti":
        return READERS["nifti"].write_segmentation(mask, folder, name)
    return write_segmentation(mask, folder, name, anonymise=anonymise)


def probability_file(entry: Entry) -> Download:
    """The probability map as compressed NIfTI, float32, on the scan's own grid."""
    assert entry.probability is not None
    name = f"{plain_name(entry.scan.id)}_probability.nii.gz"
    with tempfile.TemporaryDirectory(dir=entry.folder) as temporary:
        path = write_probability(entry.probability, entry.scan, Path(temporary) / name)
        return Download(path.name, KINDS[".gz"], path.read_bytes())


def outlines_file(entry: Entry, format: str, channel: str) -> Download:
    """The outlines over the slices, red predicted and green true: ``gif``, or ``png`` slices in a zip."""
    name = plain_name(entry.scan.id)
    with tempfile.TemporaryDirectory(dir=entry.folder) as temporary:
        folder = Path(temporary)
        if format == "gif":
            path = draw_gif(entry.scan, entry.mask, entry.truth, folder / f"{name}.gif", channel, size=384)
            return Download(path.name, KINDS[".gif"], path.read_bytes())
        paths = draw_slices(entry.scan, entry.mask, entry.truth, folder / name, channel)
        return _as_download(paths, folder, f"{name}_outlines.zip")


def report_file(entry: Entry, model: str, language: str) -> Download:
    """The page about a case, as PDF."""
    from glioseg.draw.case_page import CaseFacts, case_page

    assert entry.mask is not None
    name, by_hand = f"{plain_name(entry.scan.id)}.pdf", entry.corrected is not None
    expected = None if by_hand else entry.expected_dice
    doubts = entry.scan.notes if by_hand else entry.doubts
    facts = CaseFacts(model, entry.threshold, expected, doubts, entry.truth)
    font = chinese_font() if language == "zh" else None
    with tempfile.TemporaryDirectory(dir=entry.folder) as temporary:
        path = case_page(entry.scan, entry.mask, facts, Path(temporary) / name, language, font)
        return Download(path.name, KINDS[".pdf"], path.read_bytes())


def plain_name(id: str) -> str:
    """An id without signs that some system does not take in a file name."""
    plain = "".join(sign if sign.isalnum() or sign in "-_." else "_" for sign in id).strip("._")
    return plain[:80] or "scan"


def _as_download(paths: list[Path], folder: Path, archive: str) -> Download:
    if len(paths) == 1:
        path = paths[0]
        return Download(path.name, KINDS.get(path.suffix, "application/octet-stream"), path.read_bytes())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as opened:
        for path in paths:
            entry = zipfile.ZipInfo(
                path.relative_to(folder).as_posix()
            )  # without time: equal masks, equal files
            entry.external_attr = 0o644 << 16
            opened.writestr(entry, path.read_bytes())
    return Download(archive, KINDS[".zip"], packed.getvalue())
