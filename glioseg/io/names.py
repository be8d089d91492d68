"""What file names say: slice numbers, masks, sequences. Names only, nothing is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from glioseg.io.vocabulary import MASK_WORDS, is_mask_word, sequence_in, without_sequence
from glioseg.words import Joined, Phrase

PICTURES = (".tif", ".tiff", ".png", ".jpg", ".jpeg", ".bmp")
VOLUMES = (".nii", ".nii.gz", ".mgz", ".mgh", ".nrrd", ".nhdr", ".mha", ".mhd")

_SAYS_NO_PATIENT = re.compile(r"anat|orig|original|pre|raw|nii|nifti|preproc\w*", re.IGNORECASE)
"""Names of folders that are those of no patient."""

_NUMBERED = re.compile(r"^(?P<scan>.*?)[ _.\-]*(?P<number>\d+)$", re.DOTALL)


def suffix_of(path: Path) -> str:
    """The suffix in small letters; ``.nii.gz`` counts as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def stem_of(path: Path) -> str:
    """The file name without its suffix; ``.nii.gz`` counts as one."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def is_picture(path: Path) -> bool:
    """Whether the name is that of a TIFF, PNG, JPEG or BMP image."""
    return suffix_of(path) in PICTURES


def is_volume(path: Path) -> bool:
    """Whether the name is that of a NIfTI, FreeSurfer, NRRD or MetaImage volume.

    Of a pair of two files it is the ``.img``, if its ``.hdr`` stands beside it: DICOM is called ``.img`` too.
    """
    suffix = suffix_of(path)
    return suffix in VOLUMES or (suffix == ".img" and other_of_pair(path) is not None)


def other_of_pair(path: Path) -> Path | None:
    """The ``.img`` beside a ``.hdr`` or the reverse; ``None`` if there is none."""
    other = {".hdr": ".img", ".img": ".hdr"}.get(suffix_of(path))
    if other is None:
        return None
    beside = (path.with_suffix(suffix) for suffix in (other, other.upper()))
    return next((file for file in beside if file.is_file()), None)


def is_hidden(path: Path) -> bool:
    """Whether systems leave it behind (``.DS_Store``, ``._slice.tif``, ``__MACOSX``, ``.part-...``)."""
    return path.name.startswith(".") or path.name == "__MACOSX"


def is_mask(path: Path) -> bool:
    """Whether the last word of the name, numbers aside, says that the file holds a mask."""
    words = re.findall(r"[^\W\d_]+", stem_of(path).casefold())
    return bool(words) and is_mask_word(words[-1])


def slice_of_mask(path: Path) -> str:
    """The stem of the slice that a mask belongs to: its own without ``_mask``, in small letters."""
    return re.sub(rf"(?:^|[ _.\-]+|(?<=\d))(?:{MASK_WORDS})$", "", stem_of(path).casefold())


def holds_slices(folder: Path) -> bool:
    """Whether a folder itself holds images or masks, hidden files aside."""
    return any(is_picture(entry) and not is_hidden(entry) for entry in folder.iterdir())


def holds_images(folder: Path) -> bool:
    """Whether a folder's name says that it holds the images of a data set, beside a folder of masks."""
    return re.fullmatch(r"images?(tr|ts)?", folder.name.casefold()) is not None


def holds_masks(folder: Path) -> bool:
    """Whether a folder's name says that it holds the masks of a data set."""
    return is_mask(folder) or re.fullmatch(r"labels?(tr|ts)", folder.name.casefold()) is not None


def unpacked_masks(folder: Path, id: str) -> tuple[Path, ...]:
    """Where the masks of slices come to lie if the zip that the server gives out is unpacked beside them.

    Args:
        folder: of the slices.
        id: of the scan.
    """
    return (folder / id, folder / f"{id}_mask", folder / f"{id}_mask" / id)


def split_number(stem: str) -> tuple[str, int | None]:
    """Split ``patient_12`` into ``("patient", 12)``; a name without a number at its end gives ``None``."""
    found = _NUMBERED.match(stem)
    return (found["scan"], int(found["number"])) if found else (stem, None)


def name_of(path: Path) -> str:
    """The id of a scan that is this file or folder: its stem or its folder name."""
    absolute = Path(os.path.abspath(path))
    if path.is_dir():
        return absolute.name or "scan"
    return stem_of(absolute)


def patient_of(folder: Path) -> str:
    """The name of a folder, or of the one above where it says only how its images came about (``anat``)."""
    absolute = Path(os.path.abspath(folder))
    above = [absolute, *absolute.parents[:2]]
    telling = (each.name for each in above if not _SAYS_NO_PATIENT.fullmatch(each.name))
    return next(telling, "") or name_of(folder)


def listed(names: Iterable[object], most: int = 3) -> Phrase:
    """``a, b, c and 4 more``."""
    all_names = list(names)
    rest = len(all_names) - most
    shown = Joined(all_names[:most])
    return Phrase("list.more", names=shown, count=rest) if rest > 0 else shown


def sequence_of(path: Path) -> str | None:
    """The sequence a name speaks of: ``flair``, ``pre``, ``post``, ``other`` (T2, DWI, ...) or ``None``.

    See :func:`glioseg.io.vocabulary.named`.
    """
    return sequence_in(stem_of(path))


def scan_of_sequence(path: Path) -> str:
    """The scan that a sequence's file belongs to: its stem without the words for the sequence.

    ``BraTS_001_t1ce`` gives ``BraTS_001``; where nothing is left (``FLAIR``) it is the folder's name.
    """
    return without_sequence(stem_of(path)) or name_of(Path(os.path.abspath(path)).parent)
