"""Read scans and segmentations of many kinds, and write segmentations in the kind that was read.

Every kind has a reader in :mod:`glioseg.io.registry`; nothing heavy is imported before a reader is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from glioseg.errors import Fault, InputError, raise_all
from glioseg.io.find import find_scans
from glioseg.io.names import holds_slices, listed, name_of
from glioseg.io.registry import READERS, Reader, reader_for, register
from glioseg.io.sequences import read_sequences, with_all_channels
from glioseg.io.source import Source, with_channels
from glioseg.scan import CHANNELS, LESION, SEQUENCES, Scan, Segmentation, channels_for
from glioseg.words import Joined, Phrase

__all__ = [
    "READERS",
    "Reader",
    "Source",
    "find_scans",
    "read_scan",
    "read_segmentation",
    "reader_for",
    "register",
    "with_all_channels",
    "write_segmentation",
]


def read_scan(
    source: str | Path | None = None,
    *,
    flair: str | Path | None = None,
    pre: str | Path | None = None,
    post: str | Path | None = None,
    id: str | None = None,
    series: Mapping[str, str] | None = None,
    channels: str = "",
    t2: str | Path | None = None,
    sequences: Sequence[str] = CHANNELS,
) -> Scan:
    """Read a scan from one source, or from one source a sequence.

    Args:
        source: a patient folder or folder of slices (TIFF, PNG, JPEG), one such image, a multi-page TIFF,
            a NIfTI volume or a folder with the NIfTI volumes of one scan, a DICOM file or a folder with the
            DICOM series of one study. RGB holds pre-contrast, FLAIR and post-contrast; grey is FLAIR alone.
        flair: instead of ``source``: the FLAIR sequence.
        pre: the pre-contrast T1 sequence; interpolated if it lies on another grid than ``flair``.
        post: the post-contrast T1 sequence, likewise.
        id: name of the scan; taken from the path by default.
        series: of a DICOM study, which series is ``flair``, ``pre`` or ``post`` (SeriesInstanceUID or
            SeriesDescription, or ``none``); found out by default.
        channels: what the volumes along the fourth axis of a file are, in order (``flair,t1,t1c,t2``); by
            default three are pre-contrast, FLAIR and post-contrast.
        t2: the T2 sequence, like ``pre``.
        sequences: those that a network takes; T2 is left aside unless it is among them, or given.

    Returns:
        A scan with the channels ``pre``, ``flair``, ``post`` and, where it was asked for, ``t2``. Sequences
        that are not there are filled with FLAIR and named in ``filled``. Voxels keep the values and the dtype
        of the source.

    Raises:
        InputError: the source cannot be read, or is not a brain scan of these kinds.

    >>> from glioseg.samples import SAMPLES
    >>> read_scan(SAMPLES / "TCGA_HT_7692_19960724")
    Scan('TCGA_HT_7692_19960724', pre flair post, uint8, 20 slices of 256 x 256)
    """
    files = {name: Path(path) for name, path in zip(SEQUENCES, (pre, flair, post, t2), strict=True) if path}
    wanted = channels_for((*sequences, *files))
    if source is None:
        return with_all_channels(read_sequences(files, id), wanted)
    if files:
        names = Joined(Phrase(f"sequence.{name}") for name in files)
        raise InputError(Fault("io.scan_and_sequences", source, sequences=names))
    path = Path(source)
    reader = reader_for(path)
    if reader.name == "dicom" or (path.is_dir() and not holds_slices(path)):
        return _only_scan(path, id, series, channels, wanted)
    one = Source(id or name_of(path), reader.name, (path,)).with_sequences(wanted)
    if channels:
        return with_channels([one], channels)[0].read()
    return with_all_channels(reader.read(path, one.id), wanted)


def _only_scan(
    folder: Path, id: str | None, series: Mapping[str, str] | None, channels: str, wanted: Sequence[str]
) -> Scan:
    """Read the one scan that lies in a folder without slices: a volume, or the volumes of its sequences."""
    sources, faults = find_scans([folder], series)
    if not faults and len(sources) > 1:
        names = listed(source.id for source in sources)
        faults.append(Fault("io.several_scans", folder, count=len(sources), names=names))
    raise_all(faults)
    found = with_channels(sources, channels)[0].with_sequences(wanted)
    return replace(found, id=id or found.id).read()


def read_segmentation(
    source: str | Path,
    like: Scan | Segmentation | None = None,
    labels: Mapping[int, str] | None = LESION,
) -> Segmentation:
    """Read a segmentation.

    Args:
        source: a folder with ``<slice>_mask`` images, one mask image, a multi-page TIFF or a NIfTI volume,
            of lesion or not with the values 0 and 1, or 0 and 255, otherwise with labels from 0 (background)
            to 255; or a DICOM SEG.
        like: the scan that it belongs to, or another segmentation of that.
        labels: names of the labels that there may be besides 0; ``None`` for any.

    Raises:
        InputError: it cannot be read, has other values, or does not lie on the grid of ``like``.
    """
    path = Path(source)
    return reader_for(path).read_segmentation(path, like, labels)


def write_segmentation(
    segmentation: Segmentation, folder: str | Path, name: str | None = None, *, anonymise: bool = False
) -> list[Path]:
    """Write a segmentation in the kind that its scan was read from.

    Slices give ``folder/<id>/<slice>_mask.tif`` or ``.png``, an image ``folder/<id>_mask.tif`` or ``.png``
    (uint8, lesion or not as 0 and 255, several labels as they are), DICOM ``folder/<id>_mask.dcm`` (SEG,
    which refers to the images), a NIfTI volume ``folder/<id>_mask.nii.gz`` (uint8, the labels) with the
    shape, the axis order and the affine of the file that was read.

    Args:
        segmentation: labels on the grid of a scan.
        folder: where to write; made if it is not there.
        name: instead of the id of the segmentation.
        anonymise: name no patient in the file; only DICOM could.

    Returns:
        The files that were written.

    Raises:
        InputError: the folder cannot be written, or ``name`` is not a plain name.
    """
    reader = READERS.get(segmentation.storage.format, READERS["nifti"])
    where = Path(folder), plain_name(name or segmentation.id)
    return reader.write_segmentation(segmentation, *where, anonymise=anonymise)


def plain_name(name: str) -> str:
    """Refuse a name that is none of a file.

    Raises:
        InputError: it holds signs that paths are made of.
    """
    if name in (".", "..") or any(character in name for character in '/\\:*?"<>|\0'):
        raise InputError(Fault("io.name_of_mask", repr(name)))
    return name
