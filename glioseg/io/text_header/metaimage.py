"""The header of a MetaImage file (.mha, .mhd).

Source: MetaIO documentation, https://docs.itk.org/en/latest/learn/metaio.html.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from glioseg.io.text_header.header import (
    TextHeader,
    affine_of,
    interleaved,
    name_beside,
    numbers_of,
    sizes_of,
    without_encoding,
)

_DTYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
_OTHER_NAMES = {
    "position": "offset",
    "origin": "offset",
    "rotation": "transformmatrix",
    "orientation": "transformmatrix",
    "elementsize": "elementspacing",
    "elementbyteordermsb": "binarydatabyteordermsb",
}
"""What fields were called in other versions."""


def header_of(path: Path, content: bytes) -> tuple[TextHeader, int]:
    """The header at the start of a file, and where it ends.

    Args:
        path: the file.
        content: its first bytes, with the whole header.

    Raises:
        InputError: its voxels are stored in a way that is not read, or elsewhere.
        ValueError: it is no such header, or a damaged one.
    """
    fields, end = _fields(content)
    count = int(fields["ndims"])
    if not 2 <= count <= 4:
        raise ValueError(f"{count} axes")
    values = int(fields.get("elementnumberofchannels", "1"))
    if values != 1:
        raise interleaved(path, values)
    if not _is_true(fields.get("binarydata", "True")):
        raise without_encoding(path, "text")
    spatial = min(count, 3)
    spacing = numbers_of(fields["elementspacing"]) if "elementspacing" in fields else [1.0] * spatial
    turned = numbers_of(fields["transformmatrix"]) if "transformmatrix" in fields else np.eye(count).ravel()
    vectors = np.reshape(turned, (count, count))[:spatial, :spatial]
    steps = vectors * np.reshape(spacing[:spatial], (spatial, 1))
    origin = numbers_of(fields["offset"])[:spatial] if "offset" in fields else None
    order = ">" if _is_true(fields.get("binarydatabyteordermsb", "False")) else "<"
    deflated = _is_true(fields.get("compresseddata", "False"))
    skip = int(fields.get("headersize", "0"))
    if skip < -1 or (deflated and skip):
        raise ValueError(f"{skip} bytes to skip")
    data = fields["elementdatafile"]
    return (
        TextHeader(
            sizes_of(fields["dimsize"], count),
            np.dtype(order + _DTYPES[fields["elementtype"].upper()]),
            affine_of(steps, origin),
            "elementspacing" in fields,
            deflated,
            None if data.upper() == "LOCAL" else name_beside(path, data),
            skip,
        ),
        end,
    )


def _fields(content: bytes) -> tuple[dict[str, str], int]:
    """Fields by name in small letters, and where the line of the last one, the data file, ends."""
    fields: dict[str, str] = {}
    end = 0
    for line in content.splitlines(keepends=True):
        end += len(line)
        name, sign, value = line.decode("utf-8", "replace").partition("=")
        key = name.strip().lower()
        if not sign or not key.isalnum():
            raise ValueError("no MetaImage header")
        fields.setdefault(_OTHER_NAMES.get(key, key), value.strip())
        if key == "elementdatafile":
            break
    for name in ("ndims", "dimsize", "elementtype", "elementdatafile"):
        if name not in fields:
            raise ValueError(f"no field {name}")
    return fields, end


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1", "t")
