"""Files behind URLs (``s3://``, ``gs://``, ``https://``, ``memory://``), by fsspec: the extra ``cluster``.

What is read is staged into a local folder first, and what is written is put where it goes when it is whole.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from glioseg.errors import Fault, InputError, require_extra

_URL = re.compile(r"([a-z][a-z0-9+.-]+):/+(.*)", re.DOTALL)
_WEB = ("http", "https")
CHANGES = ("ETag", "etag", "md5Hash", "content_md5", "LastModified", "mtime", "updated", "created")
"""Keys under which file systems say what changes when a file does."""


def url_of(path: Path | str) -> str | None:
    """The URL that a path stands for, whose two slashes are one in a path; ``None`` of a local one.

    >>> url_of(Path("s3://bucket/scans")), url_of(Path("scans"))
    ('s3://bucket/scans', None)
    """
    found = _URL.fullmatch(path if isinstance(path, str) else path.as_posix())
    if found is None:
        return None
    scheme, rest = found.groups()
    return f"{scheme}://{'/' if scheme == 'file' else ''}{rest}"


def place_of(path: Path | str) -> str:
    """A path or URL in a form that means the same on every machine that has it."""
    return url_of(path) or Path(path).absolute().as_posix()


@dataclass(frozen=True)
class Unit:
    """Files that are staged together: the scans of one folder with all that is beneath, or one file.

    Attributes:
        name: different from that of every other unit.
        url: where they are.
        files: the file system's name of each, and its path beneath ``url``; of one file its name.
        signature: changes when a file does, as far as the file system says so.
        prefix: whether the name stands before those of its scans.
    """

    name: str
    url: str
    files: tuple[tuple[str, str], ...]
    signature: str
    prefix: bool = True

    def named(self, id: str) -> str:
        """The name of one of its scans, different from those of other units."""
        return id if not self.prefix or id.startswith(self.name) else f"{self.name}_{id}"

    def stage(self, folder: Path) -> Path:
        """Copy the files into a folder.

        Returns:
            The folder within it that has the name of the unit.

        Raises:
            InputError: one cannot be read.
        """
        system, _ = _opened(self.url)
        for name, beneath in self.files:
            target = folder / self.name / beneath
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                system.get_file(name, str(target))
            except Exception as error:  # every file system has errors of its own
                raise InputError(_unreadable(self.url, error)) from error
        return folder / self.name


def units_in(urls: Iterable[str]) -> tuple[list[Unit], list[Fault]]:
    """The units behind URLs, and what is wrong with the rest.

    Of a folder, each folder within it is a unit, and so are together the files that lie in it directly.
    """
    units: list[Unit] = []
    faults: list[Fault] = []
    for url in dict.fromkeys(urls):
        try:
            found = _units_of(url)
        except InputError as error:
            faults += error.faults
            continue
        units += found
        if not found:
            faults.append(Fault("remote.nothing", url))
    twice = {name for name, count in Counter(unit.name for unit in units).items() if count > 1}
    named = [
        replace(unit, name=f"{unit.name}_{_digest(unit.url)[:6]}", prefix=True)
        if unit.name in twice
        else unit
        for unit in units
    ]
    return named, faults


class RemoteFolder:
    """A folder of results behind a URL or a path, without claims: no two jobs may do the same scan.

    Args:
        place: see :func:`place_of`.

    Raises:
        InputError: there is no file system for it.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self.system, self.root = _opened(place)

    def put(self, folder: Path, files: Sequence[str]) -> None:
        """Write files of a local folder, in this order.

        Raises:
            InputError: one cannot be written.
        """
        try:
            targets = {name: f"{self.root.rstrip('/')}/{name}" for name in files}
            for parent in {target.rpartition("/")[0] for target in targets.values()}:
                self.system.makedirs(parent, exist_ok=True)
            for name, target in targets.items():
                self.system.put_file(str(folder / name), target)
        except Exception as error:  # every file system has errors of its own
            raise InputError(Fault("remote.not_written", self.place, reason=_reason(error))) from error

    def sizes(self) -> dict[str, int]:
        """Bytes of each file that is there, by its path beneath the folder."""
        self.system.invalidate_cache()
        return {beneath: int(facts.get("size") or 0) for _, beneath, facts in _listed(self.system, self.root)}

    def get(self, names: Iterable[str], folder: Path) -> None:
        """Copy files into a local folder."""
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            self.system.get_file(f"{self.root.rstrip('/')}/{name}", str(folder / name))


def _units_of(url: str) -> list[Unit]:
    system, root = _opened(url)
    try:
        if _is_file(system, root):
            facts = system.info(root)
            name = PurePosixPath(root).name
            # Other files of the same scan lie beside it, which is said by giving the folder.
            return [Unit(name.split(".")[0], url, ((root, name),), _signature([(name, facts)]), False)]
        listed = _listed(system, root)
    except FileNotFoundError:
        return []
    except Exception as error:  # every file system has errors of its own
        raise InputError(_unreadable(url, error)) from error
    groups: dict[str, list[tuple[str, str, Mapping[str, Any]]]] = {}
    for name, beneath, facts in listed:
        child = beneath.partition("/")[0] if "/" in beneath else ""
        groups.setdefault(child, []).append((name, beneath.removeprefix(f"{child}/" if child else ""), facts))
    return [
        Unit(
            child or PurePosixPath(root).name or "scans",
            f"{url.rstrip('/')}/{child}" if child else url,
            tuple((name, beneath) for name, beneath, _ in files),
            _signature([(beneath, facts) for _, beneath, facts in files]),
            prefix=bool(child),
        )
        for child, files in sorted(groups.items())
    ]


def _listed(system: Any, root: str) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Files beneath a folder: the file system's name, the path beneath the folder, and facts."""
    found = []
    for name, facts in sorted(system.find(root, detail=True).items()):
        beneath = name.removeprefix(root.rstrip("/")).strip("/")
        parts = beneath.split("/")
        if beneath and not any(part.startswith(".") for part in parts):  # neither hidden files nor ".."
            found.append((name, beneath, facts))
    return found


def _is_file(system: Any, root: str) -> bool:
    protocol = system.protocol if isinstance(system.protocol, tuple) else (system.protocol,)
    if set(protocol) & set(_WEB):  # the page that lists a folder is a file, too
        return "." in root.rpartition("/")[2]
    return bool(system.info(root)["type"] == "file")


def _signature(files: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    facts = [
        [beneath, facts.get("size"), *(str(facts[key]) for key in CHANGES if key in facts)]
        for beneath, facts in files
    ]
    return _digest(repr(facts))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _opened(place: str) -> tuple[Any, str]:
    """The file system of a place, and its name there."""
    require_extra("cluster", "fsspec")
    from fsspec.core import url_to_fs

    try:
        system, root = url_to_fs(place)
    except (ImportError, ValueError) as error:
        raise InputError(Fault("remote.no_system", place, reason=_reason(error))) from error
    return system, str(root)


def _unreadable(url: str, error: Exception) -> Fault:
    return Fault("remote.unreadable", url, reason=_reason(error))


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:200]
