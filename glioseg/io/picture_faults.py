"""What is wrong with a picture file, in the words that its decoders share."""

from __future__ import annotations

from pathlib import Path

from glioseg.errors import Fault
from glioseg.words import Phrase

_KINDS = (
    (0, b"GIF87a", "GIF"),
    (0, b"GIF89a", "GIF"),
    (8, b"WEBP", "WebP"),
    (4, b"ftypavi", "AVIF"),
    (4, b"ftyphe", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypmsf1", "HEIC"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"8BPS", "Photoshop"),
    (0, b"\0\0\1\0", "ICO"),
    (0, b"\x76\x2f\x31\x01", "OpenEXR"),
    (0, b"P5", "PGM"),
    (0, b"P6", "PPM"),
)
"""Where which bytes stand in pictures that are not read, and the name of their kind."""

_SCANS = ((128, b"DICM", "DICOM", ".dcm"), (344, b"n+1\0", "NIfTI", ".nii"), (4, b"n+2\0", "NIfTI", ".nii"))
"""The same for scans of other kinds that are read, and the suffix that they need."""

_FILES = (
    (0, b"%PDF", "PDF"),
    (0, b"PK\3\4", "ZIP"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"\x89HDF", "HDF5"),
    (0, b"MATLAB 5.0", "MATLAB"),
)
"""The same for files that are no pictures."""

LONGEST = 512
"""Bytes at the beginning of a file that tell its kind."""


def unread_kind(path: Path, data: bytes) -> Fault:
    """The fault of a file that is named like a picture and is none of those that are read.

    Args:
        path: the file.
        data: its first :data:`LONGEST` bytes, or more.
    """
    for place, mark, kind in _KINDS:
        if data[place:].startswith(mark):
            return Fault("pictures.other_picture", path, kind=kind, suffix=path.suffix)
    for place, mark, kind, suffix in _SCANS:
        if data[place:].startswith(mark):
            return Fault("pictures.scan_named_picture", path, kind=kind, suffix=path.suffix, own=suffix)
    for place, mark, kind in _FILES:
        if data[place:].startswith(mark):
            return Fault("pictures.no_picture", path, what=Phrase("pictures.file_of_kind", kind=kind))
    return Fault("pictures.no_picture", path, what=_what(data))


def _what(data: bytes) -> Phrase:
    start = data[:64]
    if all(byte in b"\t\n\r" or byte >= 32 for byte in start):
        return Phrase("pictures.text", start=repr(start[:20].decode("utf-8", "replace")))
    return Phrase("pictures.bytes", start=start[:4].hex(" "))


def wrong_kind(path: Path, found: Phrase) -> Fault:
    """The fault of a picture that is neither grey nor RGB."""
    return Fault("pictures.kind", path, kind=found)


def damaged(path: Path, kind: str, why: object) -> Fault:
    """The fault of a damaged picture; ``why`` is what the decoder says, an error or a phrase."""
    return Fault("pictures.damaged", path, kind=kind, reason=reason_of(why))


def reason_of(why: object) -> str:
    """What a library's error says, in one line; a phrase as it is."""
    if isinstance(why, Phrase):
        return why
    return str(why).splitlines()[0] if str(why) else type(why).__name__
