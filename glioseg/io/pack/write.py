"""Write a pack."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from glioseg._version import __version__
from glioseg.errors import Fault, InputError
from glioseg.files import folder_written_whole
from glioseg.io.pack.codec import encode
from glioseg.io.pack.index import INDEX, Index, Packed, Part
from glioseg.io.refuse import reading


def write_pack(
    root: Path,
    files: Sequence[Path],
    patients: Sequence[str],
    out: Path,
    part_size: int,
    progress: Callable[[int, int], None] | None = None,
) -> Index:
    """Write files of a data set as a pack.

    Args:
        root: folder of the data set.
        files: what goes into the pack, each below ``root``.
        patients: ids of the labelled scans, for the record.
        out: folder to make.
        part_size: most bytes of a part.
        progress: called with the number of files done and of all.

    Returns:
        What ``pack.json`` says.

    Raises:
        InputError: ``out`` is there already or cannot be written, or a file cannot be read.
    """
    if out.exists():
        raise InputError(Fault("pack.exists", out))
    packed: list[Packed] = []
    with folder_written_whole(out) as folder:
        stream = _Parts(folder, part_size)
        with stream, ThreadPoolExecutor(max(2, min(16, os.cpu_count() or 1))) as pool:
            for file, (size, crc, form, stored) in zip(files, pool.map(_read, files), strict=True):
                path = file.relative_to(root).as_posix()
                packed.append(Packed(path, size, crc, form, stream.place, len(stored)))
                stream.add(stored)
                if progress is not None:
                    progress(len(packed), len(files))
        name = root.resolve().name or "data"
        index = Index(name, f"glioseg {__version__}", tuple(patients), tuple(stream.finished), tuple(packed))
        (folder / INDEX).write_text(index.text(), encoding="utf-8", newline="\n")
    return index


def _read(file: Path) -> tuple[int, int, str, bytes]:
    with reading(file):
        data = file.read_bytes()
    return len(data), zlib.crc32(data), *encode(data)


class _Parts:
    """A stream of bytes that is cut into files."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder, self.size = folder, size
        self.place = 0
        self.finished: list[Part] = []
        self.written, self.digest = 0, hashlib.sha256()
        self.open: BinaryIO | None = None

    def __enter__(self) -> _Parts:
        return self

    def __exit__(self, *error: object) -> None:
        self._finish()

    def add(self, data: bytes) -> None:
        """Append bytes."""
        self.place += len(data)
        for piece in self._cut(data):
            if self.open is None:
                self.open = (self.folder / self._name).open("xb")
            self.open.write(piece)
            self.digest.update(piece)
            self.written += len(piece)
            if self.written == self.size:
                self._finish()

    @property
    def _name(self) -> str:
        return f"part-{len(self.finished) + 1:03d}"

    def _cut(self, data: bytes) -> Iterator[bytes]:
        while data:
            room = self.size - self.written
            yield data[:room]
            data = data[room:]

    def _finish(self) -> None:
        if self.open is None:
            return
        self.open.close()
        self.finished.append(Part(self._name, self.written, self.digest.hexdigest()))
        self.open, self.written, self.digest = None, 0, hashlib.sha256()
