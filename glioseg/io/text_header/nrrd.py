"""The header of an NRRD file.

Source: Definition of NRRD file format, https://teem.sourceforge.net/nrrd/format.html.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from glioseg.io.text_header.header import (
    LPS,
    TextHeader,
    affine_of,
    interleaved,
    name_beside,
    numbers_of,
    sizes_of,
    without_encoding,
)

MAGIC = b"NRRD000"

_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("uchar", "unsigned char", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": (
        "longlong", "long long", "long long int", "signed long long", "signed long long int", "int64",
        "int64_t",
    ),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}  # fmt: skip
_DTYPES = {word: np.dtype(dtype) for dtype, words in _TYPES.items() for word in words}
_SPACES = {
    "right-anterior-superior": (1.0, 1.0, 1.0),
    "ras": (1.0, 1.0, 1.0),
    "left-anterior-superior": (-1.0, 1.0, 1.0),
    "las": (-1.0, 1.0, 1.0),
}
"""From the axes of a space to RAS+. All others are taken for left, posterior, superior, as ITK takes them."""


def header_of(path: Path, content: bytes) -> tuple[TextHeader, int]:
    """The header at the start of a file, and where it ends.

    Args:
        path: the file.
        content: its first bytes, with the whole header.

    Raises:
        InputError: its voxels are stored in a way that is not read, or elsewhere.
        ValueError: it is no such header, or a damaged one.
    """
    if not content.startswith(MAGIC):
        raise ValueError("no NRRD header")
    end = re.search(rb"\r?\n\r?\n", content)
    text = content[: end.start()] if end else content
    fields = _fields(text.decode("utf-8", "replace"))
    count = int(fields["dimension"])
    if not 2 <= count <= 4:
        raise ValueError(f"{count} axes")
    sizes = sizes_of(fields["sizes"], count)
    spatial = _spatial_axes(path, fields, sizes)
    encoding = fields["encoding"].lower()
    if encoding not in ("raw", "gzip", "gz"):
        raise without_encoding(path, encoding)
    if int(fields.get("lineskip", "0")) != 0:
        raise ValueError("lines to skip")
    skip = int(fields.get("byteskip", "0"))
    if skip < -1 or (skip == -1 and encoding != "raw"):
        raise ValueError(f"{skip} bytes to skip")
    vectors, spaced = _steps(fields, spatial)
    origin = None
    if "spaceorigin" in fields:
        origin = numbers_of(re.sub(r"[(),]", " ", fields["spaceorigin"]))[:spatial]
    to_ras = _SPACES.get(fields.get("space", "").lower(), LPS)
    dtype = _DTYPES[fields["type"].lower()].newbyteorder(">" if _is_big(fields) else "<")
    data = name_beside(path, fields["datafile"]) if "datafile" in fields else None
    header = TextHeader(
        sizes, dtype, affine_of(vectors, origin, to_ras), spaced, encoding != "raw", data, skip
    )
    return header, end.end() if end else len(content)


def _fields(text: str) -> dict[str, str]:
    """Fields by name, without spaces in the name; remarks and pairs of key and value are left out."""
    fields: dict[str, str] = {}
    for line in text.splitlines()[1:]:
        name, sign, value = line.partition(":")
        if sign and not line.startswith("#") and not value.startswith("="):
            fields[name.replace(" ", "").lower()] = value.strip()
    for name in ("dimension", "sizes", "type", "encoding"):
        if name not in fields:
            raise ValueError(f"no field {name}")
    return fields


def _is_big(fields: dict[str, str]) -> bool:
    return fields.get("endian", "little").lower() == "big"


def _spatial_axes(path: Path, fields: dict[str, str], sizes: tuple[int, ...]) -> int:
    """How many of the axes lie in space: the first ones.

    Raises:
        InputError: an axis before them holds several values of each voxel.
    """
    count = len(sizes)
    directions = re.findall(r"none|\([^)]*\)", fields.get("spacedirections", "").lower())
    words = directions or fields.get("kinds", "").lower().split()
    if words and len(words) != count:
        raise ValueError(f"directions or kinds of {len(words)} axes where there are {count}")
    outside = [axis for axis, word in enumerate(words) if word not in _IN_SPACE and word[0] != "("]
    if not outside and count == 4:  # ITK calls times and sequences a fourth dimension of space
        outside = [3]
    if outside not in ([], [count - 1]):
        raise interleaved(path, sizes[outside[0]])
    return count - len(outside)


_IN_SPACE = ("domain", "space")


def _steps(fields: dict[str, str], spatial: int) -> tuple[list[list[float]], bool]:
    """The step along each axis in space, and whether the header gives any."""
    directions = re.findall(r"\(([^)]*)\)", fields.get("spacedirections", ""))
    if directions:
        return [numbers_of(each.replace(",", " "))[:spatial] for each in directions[:spatial]], True
    spacings = numbers_of(fields["spacings"])[:spatial] if "spacings" in fields else [1.0] * spatial
    return np.diag(spacings).tolist(), "spacings" in fields
