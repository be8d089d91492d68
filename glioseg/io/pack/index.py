"""What ``pack.json`` says, written and read; what is read is not trusted."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path, PurePosixPath
from typing import Any

from glioseg.errors import Fault, InputError
from glioseg.io.refuse import reading

INDEX = "pack.json"
VERSION = 1
_MOST_BYTES = 256 << 20


@dataclass(frozen=True)
class Part:
    """One part of the stream of bytes that all files make."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Packed:
    """One file.

    Attributes:
        path: below the data set's folder.
        size, crc32: of its bytes.
        form: see :mod:`glioseg.io.pack.codec`.
        start, length: where it stands in the stream.
    """

    path: str
    size: int
    crc32: int
    form: str
    start: int
    length: int


@dataclass(frozen=True)
class Index:
    """All that a pack says of itself.

    Attributes:
        name: of the data set's folder.
        made_by: the program.
        patients: ids of the labelled scans.
        parts, files: what it holds.
    """

    name: str
    made_by: str
    patients: tuple[str, ...]
    parts: tuple[Part, ...]
    files: tuple[Packed, ...]

    @property
    def starts(self) -> list[int]:
        """Where each part begins in the stream, and the end of the last."""
        return [0, *accumulate(part.size for part in self.parts)]

    def text(self) -> str:
        """The text of ``pack.json``: a line a file."""
        head = {"glioseg_pack": VERSION, "name": self.name, "made_by": self.made_by}
        lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
        lines += [f'  "patients": {json.dumps(self.patients)},', '  "parts": [']
        parts = [json.dumps([part.name, part.size, part.sha256]) for part in self.parts]
        files = [
            json.dumps([file.path, file.size, file.crc32, file.form, file.start, file.length])
            for file in self.files
        ]
        lines += [",\n".join(f"    {part}" for part in parts), "  ],", '  "files": [']
        lines += [",\n".join(f"    {file}" for file in files), "  ]"]
        return "\n".join(["{", *lines, "}"]) + "\n"


def read_index(pack: Path) -> tuple[Index, str]:
    """The index of a pack, and a hash of its bytes.

    Raises:
        InputError: it is not there, is damaged, or was written by a later version of this program.
    """
    file = pack / INDEX
    if not file.is_file():
        raise InputError(Fault("pack.index_missing", pack, name=INDEX))
    with reading(file):
        size = file.stat().st_size
        data = file.read_bytes() if size <= _MOST_BYTES else b""
    try:
        content = json.loads(data)
        version = content["glioseg_pack"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(Fault("pack.index_damaged", file)) from error
    if version != VERSION:
        raise InputError(Fault("pack.version", file, known=VERSION, version=version))
    try:
        return _checked(content), hashlib.sha256(data).hexdigest()[:16]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(Fault("pack.index_damaged", file)) from error


def _checked(content: dict[str, Any]) -> Index:
    parts = tuple(Part(str(name), _count(size), str(digest)) for name, size, digest in content["parts"])
    files = tuple(
        Packed(_inside(path), _count(size), _count(crc), str(form), _count(start), _count(length))
        for path, size, crc, form, start, length in content["files"]
    )
    total = sum(part.size for part in parts)
    if any(file.start + file.length > total for file in files):
        raise ValueError("a file beyond the last part")
    if len({file.path for file in files}) != len(files) or not files:
        raise ValueError("a file twice, or none")
    for part in parts:
        _plain(part.name)
    name = str(content["name"])
    patients = tuple(str(patient) for patient in content["patients"])
    return Index(_plain(name), str(content["made_by"]), patients, parts, files)


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no number of bytes")
    return value


def _plain(name: str) -> str:
    """A name that leads nowhere else."""
    if name in ("", ".", "..") or any(sign in name for sign in "/\\:\0"):
        raise ValueError(f"{name!r} is no plain name")
    return name


def _inside(path: Any) -> str:
    """A path that stays below the folder it is joined to."""
    parts = PurePosixPath(str(path)).parts
    if not parts or "/".join(map(_plain, parts)) != path:
        raise ValueError(f"{path!r} is no path below a folder")
    return str(path)
