"""Zip archives: unpacked within limits, names made harmless; on this machine once, into the cache."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import zipfile
import zlib
from pathlib import Path

from glioseg.errors import Fault, InputError
from glioseg.files import default_cache, folder_written_whole, make_folder
from glioseg.io.names import suffix_of

MOST_FILES = 1_000_000
"""Files of an archive that a person names: more than any data set has."""

_CHUNK = 1 << 20
_LONGEST_NAME = 120


def is_archive(path: Path) -> bool:
    """Whether a path is a zip file, by its name."""
    return path.suffix.lower() == ".zip" and os.path.isfile(path)


def laid_out(path: Path, cache: Path | None = None) -> Path:
    """The content of an archive as a folder in the cache, unpacked the first time.

    Args:
        path: the archive; it counts as the same as long as its place, size and date are.
        cache: folder of the cache, :func:`glioseg.files.default_cache` if not given.

    Raises:
        InputError: as :func:`unpack`; more than the disk has room for counts as too large.
    """
    state = path.stat()
    content = f"{path.resolve()}\n{state.st_size}\n{state.st_mtime_ns}"
    key = hashlib.sha256(content.encode()).hexdigest()[:16]
    root = make_folder(cache if cache is not None else default_cache()) / "archives"
    folder = root / key / path.stem
    if not folder.is_dir():
        room = shutil.disk_usage(make_folder(root)).free
        with folder_written_whole(root / key) as part:
            (part / path.stem).mkdir()
            unpack(path, part / path.stem, MOST_FILES, room, path)
    return folder


def safe_name(name: str, where: str | Path | None = None) -> Path:
    """A name from elsewhere as a relative path that can only lie below the folder it is put in.

    Args:
        name: of a file, with folders perhaps.
        where: what a fault calls the place that it comes from; an uploaded file by default.

    Raises:
        InputError: the name climbs out (``..``), is absolute, or nothing is left of it.
    """
    parts = name.replace("\\", "/").split("/")
    kept = [_plain(part) for part in parts if part not in ("", ".")]
    if ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0] or not kept or len(kept) > 12:
        raise InputError(Fault("archive.file_name", where, name=repr(name[:80])))
    return Path(*kept)


def unpack(archive: Path, folder: Path, most_files: int, most_bytes: int, where: str | Path) -> None:
    """Unpack a zip file within limits on files and bytes; archives inside it stay packed.

    Args:
        archive: the file.
        folder: gets its content; names are made harmless.
        most_files, most_bytes: the limits.
        where: what faults call the archive.

    Raises:
        InputError: it is damaged, encrypted, holds links or names that climb out, or is too large.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            entries = [entry for entry in entries if not _is_litter(entry.filename)]
            if len(entries) > most_files:
                counts = {"most": most_files, "count": len(entries)}
                raise InputError(Fault("archive.too_many_files", where, **counts))
            room = most_bytes
            for entry in entries:
                mode = entry.external_attr >> 16
                if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                    raise InputError(Fault("archive.special_file", where))
                if entry.flag_bits & 1:
                    raise InputError(Fault("archive.password", where))
                target = folder / safe_name(entry.filename, where)
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as packed, target.open("xb") as out:
                    while chunk := packed.read(_CHUNK):
                        room -= len(chunk)
                        if room < 0:
                            most = f"{most_bytes:,}"
                            raise InputError(Fault("archive.too_large", where, most=most))
                        out.write(chunk)
    except FileExistsError as error:
        raise InputError(Fault("archive.name_twice", where)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
        # OSError: names too long for the disk, a file where a folder is needed; but not a full disk
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise InputError(Fault("archive.damaged", where)) from error


def _is_litter(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] in (".DS_Store", "Thumbs.db")


def _plain(part: str) -> str:
    plain = "".join("_" if ord(sign) < 32 or sign in '<>:"|?*\x7f' else sign for sign in part).strip()
    plain = plain.rstrip(". ") or "_"
    if len(plain.encode()) > _LONGEST_NAME:
        suffix = suffix_of(Path(plain))[:12]
        plain = _cut(plain[: len(plain) - len(suffix)], _LONGEST_NAME - len(suffix)) + suffix
    return plain


def _cut(text: str, size: int) -> str:
    return text.encode()[-size:].decode("utf-8", "ignore")
