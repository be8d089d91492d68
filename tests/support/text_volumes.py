"""NRRD and MetaImage files with the headers that SimpleITK 2.5 writes."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from support.sound_scans import AFFINE

NRRD_TYPES = {"int16": "short", "uint8": "unsigned char", "float32": "float", "float64": "double"}
MET_TYPES = {
    "int16": "MET_SHORT",
    "uint8": "MET_UCHAR",
    "float32": "MET_FLOAT",
    "float64": "MET_DOUBLE",
}


def nrrd(
    path: Path, array: np.ndarray, affine: np.ndarray = AFFINE, *, deflated: bool = True, **fields: Any
) -> Path:
    """Write an array ``(x, y, z)``; ``.nhdr`` has its voxels in ``<stem>.raw`` or ``<stem>.raw.gz``.

    Args:
        path: the file.
        array: voxels.
        affine: from voxel indices to RAS+ millimetres.
        deflated: compress with gzip.
        fields: other values of fields, with ``_`` for a space; ``None`` for fields that are left out.
    """
    steps, origin = in_lps(affine)
    data = {
        "type": NRRD_TYPES[array.dtype.name],
        "dimension": array.ndim,
        "space": "left-posterior-superior",
        "sizes": joined(array.shape),
        "space directions": " ".join(f"({joined(step, ',')})" for step in steps),
        "kinds": " ".join(["domain"] * array.ndim),
        "endian": "little",
        "encoding": "gzip" if deflated else "raw",
        "space origin": f"({joined(origin, ',')})",
    }
    voxels = array.astype(array.dtype.newbyteorder("<")).tobytes("F")
    content = gzip.compress(voxels, 1, mtime=0) if deflated else voxels
    if path.suffix == ".nhdr":
        beside = path.with_suffix(".raw.gz" if deflated else ".raw")
        data["data file"] = beside.name
    data |= {name.replace("_", " "): value for name, value in fields.items()}
    lines = ["NRRD0004", "# Complete NRRD file format specification at:"]
    lines += [f"{name}: {value}" for name, value in data.items() if value is not None]
    path.parent.mkdir(parents=True, exist_ok=True)
    header = ("\n".join(lines) + "\n\n").encode()
    if path.suffix == ".nhdr":
        beside.write_bytes(content)
        path.write_bytes(header)
    else:
        path.write_bytes(header + content)
    return path


def metaimage(
    path: Path, array: np.ndarray, affine: np.ndarray = AFFINE, *, deflated: bool = False, **fields: Any
) -> Path:
    """As :func:`nrrd`; ``.mhd`` has its voxels in ``<stem>.raw`` or ``<stem>.zraw``."""
    steps, origin = in_lps(affine)
    sizes = np.linalg.norm(steps, axis=1)
    beside = path.with_suffix(".zraw" if deflated else ".raw")
    data = {
        "ObjectType": "Image",
        "NDims": array.ndim,
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "CompressedData": str(deflated),
        "TransformMatrix": joined((steps / sizes[:, None]).ravel()),
        "Offset": joined(origin),
        "CenterOfRotation": "0 0 0",
        "AnatomicalOrientation": "RAI",
        "ElementSpacing": joined(sizes),
        "DimSize": joined(array.shape),
        "ElementType": MET_TYPES[array.dtype.name],
        **fields,
        "ElementDataFile": fields.get("ElementDataFile", beside.name if path.suffix == ".mhd" else "LOCAL"),
    }
    voxels = array.astype(array.dtype.newbyteorder("<")).tobytes("F")
    content = zlib.compress(voxels, 1) if deflated else voxels
    path.parent.mkdir(parents=True, exist_ok=True)
    # The data file has to be the last line.
    last = data.pop("ElementDataFile")
    lines = [f"{name} = {value}" for name, value in data.items() if value is not None]
    header = "".join(f"{line}\n" for line in [*lines, f"ElementDataFile = {last}"]).encode()
    if path.suffix == ".mhd":
        beside.write_bytes(content)
        path.write_bytes(header)
    else:
        path.write_bytes(header + content)
    return path


def in_lps(affine: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The step along each axis, and the place of the first voxel, to the left, back and up."""
    turned = np.diag([-1, -1, 1, 1]) @ affine
    return turned[:3, :3].T, turned[:3, 3]


def joined(numbers: Any, sign: str = " ") -> str:
    return sign.join(f"{number:.17g}" for number in np.asarray(numbers).tolist())
