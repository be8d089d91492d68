"""Open a pack: its files, laid out in the cache as they stood in the data set."""

from __future__ import annotations

import hashlib
import os
import shutil
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from glioseg.errors import Fault, InputError, raise_all
from glioseg.files import default_cache, folder_written_whole, make_folder
from glioseg.io.archive import is_archive, laid_out
from glioseg.io.pack.codec import DamagedError, decode
from glioseg.io.pack.index import INDEX, Index, Packed, read_index
from glioseg.io.refuse import reading

SUFFIX = ".glioseg"


def is_pack(path: Path) -> bool:
    """Whether a path is a pack: a folder that is named like one, or that holds the index of one."""
    # Those of os.path do not raise where a path cannot even be asked about; whoever reads it says why.
    return os.path.isdir(path) and (path.suffix == SUFFIX or os.path.isfile(path / INDEX))


def opened(path: Path, cache: Path | None = None) -> Path:
    """The folder of the data set in a pack or a zip archive; any other path is given back as it is.

    The first time all files are written to the cache; later ones only look whether they are still there.

    Args:
        path: a pack, an archive, or anything else.
        cache: folder of the cache, :func:`glioseg.files.default_cache` if not given.

    Raises:
        InputError: the index or parts are missing or damaged, every such part at once; or the archive is.
    """
    if is_archive(path):
        return laid_out(path, cache)
    if not is_pack(path):
        return path
    index, key = read_index(path)
    raise_all(_missing_parts(path, index))
    root = make_folder(cache if cache is not None else default_cache())
    folder = root / "packs" / key
    data = folder / index.name
    # Another process may lay the same pack out at the same time, or sweep what it takes for damaged.
    for _ in range(3):
        if _is_whole(data, index):
            return data
        raise_all(_damaged_parts(path, index))
        shutil.rmtree(folder, ignore_errors=True)
        with folder_written_whole(folder) as part:
            _lay_out(path, index, part / index.name)
    raise InputError(Fault("pack.cache", folder))


def _missing_parts(pack: Path, index: Index) -> Iterator[Fault]:
    for part in index.parts:
        file = pack / part.name
        if not file.is_file():
            yield Fault("pack.part_missing", file)
        elif file.stat().st_size != part.size:
            yield Fault("pack.part_size", file, size=part.size, found=file.stat().st_size)


def _damaged_parts(pack: Path, index: Index) -> Iterator[Fault]:
    for part in index.parts:
        digest = hashlib.sha256()
        with reading(pack / part.name), open(pack / part.name, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        if digest.hexdigest() != part.sha256:
            yield Fault("pack.part_damaged", pack / part.name)


def _is_whole(data: Path, index: Index) -> bool:
    try:
        return all(os.stat(data / file.path).st_size == file.size for file in index.files)
    except OSError:
        return False


def _lay_out(pack: Path, index: Index, folder: Path) -> None:
    for parent in sorted({(folder / file.path).parent for file in index.files}):
        parent.mkdir(parents=True, exist_ok=True)
    starts = index.starts
    write: Callable[[Packed], None] = partial(_write, pack, index, starts, folder)
    # WebP and zlib decode outside Python's lock.
    with ThreadPoolExecutor(max(2, min(16, os.cpu_count() or 1))) as pool:
        list(pool.map(write, index.files))


def _write(pack: Path, index: Index, starts: list[int], folder: Path, file: Packed) -> None:
    place = bisect_right(starts, file.start) - 1
    try:
        data = decode(file.form, _bytes(pack, index, starts, file), file.size)
        if zlib.crc32(data) != file.crc32:
            raise DamagedError("another checksum")
    except DamagedError as error:
        part = index.parts[min(place, len(index.parts) - 1)].name
        raise InputError(Fault("pack.file_damaged", pack / part, file=file.path)) from error
    (folder / file.path).write_bytes(data)


def _bytes(pack: Path, index: Index, starts: list[int], file: Packed) -> bytes:
    """The bytes of a file in the stream; they may stand in several parts."""
    found = []
    place, left = file.start, file.length
    while left:
        number = bisect_right(starts, place) - 1
        taken = min(left, starts[number + 1] - place)
        name = pack / index.parts[number].name
        with reading(name), open(name, "rb") as part:
            part.seek(place - starts[number])
            found.append(part.read(taken))
        place, left = place + taken, left - taken
    return b"".join(found)
