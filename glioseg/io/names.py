"""What file names say: slice numbers, masks, sequences. Names only, nothing is opened."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

PICTURES = (".tif", ".tiff", ".png", ".jpg", ".jpeg")
VOLUMES = (".nii", ".nii.gz")

_MASK_WORDS = "masks?|seg|segmentation|labels?|lesions?|truth|gt|annotations?"

_NUMBERED = re.compile(r"^(?P<scan>.*?)[ _.\-]*(?P<number>\d+)$", re.DOTALL)


def suffix_of(path: Path) -> str:
    """The suffix in small letters; ``.nii.gz`` counts as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def stem_of(path: Path) -> str:
    """The file name without its suffix; ``.nii.gz`` counts as one."""
    return path.name[: len(path.name) - len(suffix_of(path))]


def is_picture(path: Path) -> bool:
    """Whether the name is that of a TIFF, PNG or JPEG image."""
    return suffix_of(path) in PICTURES


def is_volume(path: Path) -> bool:
    """Whether the name is that of a NIfTI volume."""
    return suffix_of(path) in VOLUMES


def is_hidden(path: Path) -> bool:
    """Whether the file is one that systems leave behind (``.DS_Store``, ``._slice.tif``, ``.part-...``)."""
    return path.name.startswith(".")


def is_mask(path: Path) -> bool:
    """Whether the last word of the name, numbers aside, says that the file holds a mask."""
    words = re.findall(r"[^\W\d_]+", stem_of(path).casefold())
    return bool(words) and re.fullmatch(_MASK_WORDS, words[-1]) is not None


def slice_of_mask(path: Path) -> str:
    """The stem of the slice that a mask belongs to: its own without ``_mask``, in small letters."""
    return re.sub(rf"(?:^|[ _.\-]+|(?<=\d))(?:{_MASK_WORDS})$", "", stem_of(path).casefold())


def holds_slices(folder: Path) -> bool:
    """Whether a folder itself holds images or masks, hidden files aside."""
    return any(is_picture(entry) and not is_hidden(entry) for entry in folder.iterdir())


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


def listed(names: Iterable[object], most: int = 3) -> str:
    """``a, b, c and 4 more``."""
    all_names = [str(name) for name in names]
    rest = len(all_names) - most
    return ", ".join(all_names[:most]) + (f" and {rest} more" if rest > 0 else "")


_WORD = re.compile(r"[A-Za-z0-9+]+")
# In this order: "T2_FLAIR" is FLAIR, "t1_post" is post-contrast, and T2 after contrast is neither.
_SEQUENCES = (
    ("flair", re.compile(r"(3d)?(t2w?)?flair|t2f")),
    ("other", re.compile(r"t2w?|t2star|adc|dwi|dti|swi|pd|asl|perfusion")),
    ("post", re.compile(r"(t1w?)?(post|ce|gd|gad|gado|km|contrast|postcontrast|enhanced)|t1\+?c|t1cegd")),
    ("pre", re.compile(r"t1w?|(t1w?)?(pre|native|precontrast)|t1n")),
)


def sequence_of(path: Path) -> str | None:
    """The sequence a name speaks of: ``flair``, ``pre``, ``post``, ``other`` (T2, DWI, ...) or ``None``.

    The words of the name decide: ``flair``, ``t2f``; ``t1``, ``t1w``, ``t1n``, ``pre``; ``t1post``, ``t1ce``,
    ``t1c``, ``t1gd``, ``gd``, ``contrast``, ``post``.
    """
    words = [word.casefold() for word in _WORD.findall(stem_of(path))]
    for sequence, pattern in _SEQUENCES:
        if any(pattern.fullmatch(word) for word in words):
            return sequence
    return None


def scan_of_sequence(path: Path) -> str:
    """The scan that a sequence's file belongs to: its stem without the words for the sequence.

    ``BraTS_001_t1ce`` gives ``BraTS_001``; where nothing is left (``FLAIR``) it is the folder's name.
    """

    def without(word: re.Match[str]) -> str:
        text = word.group().casefold()
        return "" if any(pattern.fullmatch(text) for _, pattern in _SEQUENCES) else word.group()

    rest = _WORD.sub(without, stem_of(path))
    rest = re.sub(r"([ _.\-])[ _.\-]+", r"\1", rest).strip(" _.-")
    return rest or name_of(Path(os.path.abspath(path)).parent)
