"""The one owner of a folder of results: nothing in it says what is not so, whatever is killed, full or gone.

What holds at every instant, also after a kill or a power cut:

* a record in ``scans/`` is written last, when the files that it names are on the disk, and it holds their
  digests; before any of them is replaced the old record, the summary and the manifest go;
* masks and pictures without a record are removed at the next start, from the list in ``pending.json`` of the
  temporary folder that they came from;
* a scan is worked on by the one process that has its claim, and all processes that write at a time have the
  same settings;
* the summary and the manifest are made from all records whose files are there, one process at a time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from glioseg.errors import Fault, InputError
from glioseg.files import (
    PART,
    make_folder,
    owned_name,
    remains,
    sweep,
    sync,
    sync_all,
    synced_later,
    write_fault,
    write_json,
)
from glioseg.io.names import name_of
from glioseg.results.claims import Claims
from glioseg.results.record import (
    ScanResult,
    content_of,
    digest_of,
    in_order,
    key_of,
    origin_of,
    read_record,
    write_tables,
)

if TYPE_CHECKING:
    from glioseg.io.source import Source

KINDS = ("masks", "outlines", "gifs", "probability", "reports")
"""Folders of a folder of results that hold what records name."""
BESIDE_BIDS = "code"
"""Where all that is no derivative stands in a folder of BIDS derivatives: validators do not look there."""
_OUTPUT = re.compile(
    rf"(?:{BESIDE_BIDS}/)?(?:{'|'.join(KINDS)})/[^/\\]+"
    r"|sub-[0-9A-Za-z]+/(?:ses-[0-9A-Za-z]+/)?anat/[^/\\]+"
)
DEATHS = 3
"""So many workers of a cluster may die while they work on a scan; then it is taken to be the cause."""
_identity = id
PENDING = "pending.json"
SUMMARY, MANIFEST = "summary.csv", "manifest.json"
PARTICIPANTS = "participants.tsv"
"""Of BIDS derivatives alone."""


class ResultsFolder:
    """A folder of results that this process writes to, as a context.

    Args:
        path: made if it is not there.
        made_with: the model and the settings in short; ``settings`` among them is a digest of all.
        own: folder within it for the records, the tables and what else only this package knows.
        job: see :class:`~glioseg.results.claims.Claims`; workers of a job need not enter the folder.

    Raises:
        InputError: on entering, if the folder cannot be written, or another process writes to it with other
            settings.
    """

    def __init__(self, path: Path, made_with: dict[str, Any], own: str = "", job: str = "") -> None:
        self.path, self.made_with = Path(path), made_with
        self.own = self.path / own
        self.settings = str(made_with["settings"])
        self.claims = Claims(self.own / ".claims", job)
        self._was_there = True
        self._by_origin: dict[str, str] = {}
        self._reserved: dict[str, Source] = {}
        self._name_held: dict[int, str] = {}
        self._contents: dict[str, str] = {}

    def __enter__(self) -> ResultsFolder:
        self._was_there = self.path.exists()
        make_folder(self.own)
        try:
            with self.claims.alone("entering", settings=self.settings):
                self._refuse_other_settings()
                self.claims.take(f"writer {self.claims.id}", settings=self.settings)
                self._sweep()
        except InputError as error:
            self._close()
            raise InputError(*(fault.at(self.path) for fault in error.faults)) from error
        except BaseException:
            self._close()
            raise
        for path in self._record_files():
            record = read_record(path)
            if record is not None and record.origin:
                self._by_origin.setdefault(record.origin, record.id)
        return self

    def __exit__(self, *raised: object) -> None:
        self._close()

    # ------------------------------------------------------------ which scan is which

    def named(self, source: Source) -> Source:
        """The scan with the name that it has in this folder.

        That is its own, unless another scan of that name is in the folder: then the name of its folder stands
        before it. A scan that is read from the same place again, or has the same content, keeps its name.
        """
        for id in self._names(source):
            record = read_record(self._record_file(id))
            if record is None or self._is_of(record, source):
                return self._reserve(source, id)
        raise AssertionError("names do not come to an end")

    def finished(self, source: Source) -> ScanResult | None:
        """The record of a scan that was done before with the same input, model and settings.

        Its files are read, and have to be those that the record was made with.
        """
        record = read_record(self._record_file(source.id))
        if record is None or record.settings != self.settings:
            return None
        moved = record.origin != origin_of(source)
        same = self.content(source) == record.content if moved else record.key == self.key(source)
        return record if same and record.holds(self.path) else None

    def key(self, source: Source) -> str:
        """What changes when the input, the model or a setting does."""
        return key_of(source, self.settings)

    def claim(self, source: Source) -> Source | None:
        """Claim a scan for this process.

        Returns:
            The scan, with another name if its own has gone to another scan meanwhile; ``None`` while another
            process is at work on it.

        Raises:
            InputError: so many workers of the job died of it that no other is to try.
        """
        origin = origin_of(source)
        for id in chain([source.id], self._names(source)):
            holder = self.claims.take(f"scan {id}", settings=self.settings, origin=origin)
            if holder is not None:
                if holder.get("origin", origin) == origin:
                    return None
                continue
            if self.claims.deaths(f"scan {id}") >= DEATHS:
                self.claims.give_back(f"scan {id}")
                raise InputError(Fault("results.deadly", source.place, workers=DEATHS))
            record = read_record(self._record_file(id))
            if record is None or self._is_of(record, source):
                return self._reserve(source, id)
            self.claims.give_back(f"scan {id}")
        raise AssertionError("names do not come to an end")

    def give_back(self, source: Source) -> None:
        """Let others have a scan."""
        self.claims.give_back(f"scan {source.id}")

    def _names(self, source: Source) -> Iterator[str]:
        """Names for a scan, the best first, without those of other scans of this call."""
        before = self._by_origin.get(origin_of(source))
        parent = name_of(source.files[0].parent)
        longer = source.id if source.id.startswith(f"{parent}_") else f"{parent}_{source.id}"
        names = [*([before] if before is not None else []), source.id, longer]
        number = 2
        while True:
            for id in names:
                if self._reserved.get(id.casefold(), source) is source:
                    yield id
            names = [f"{longer}_{number}"]
            number += 1

    def _reserve(self, source: Source, id: str) -> Source:
        chosen = source if id == source.id else replace(source, id=id)
        self._reserved.pop(self._name_held.pop(_identity(source), ""), None)
        self._reserved[id.casefold()] = chosen
        self._name_held[_identity(chosen)] = id.casefold()
        return chosen

    def _is_of(self, record: ScanResult, source: Source) -> bool:
        """Whether a record is that of a scan, by the place or by the content."""
        if not record.origin:  # a record of a version before this one
            places = {source.place.resolve(), source.files[0].resolve(), source.files[0].parent.resolve()}
            return Path(record.source).resolve() in places
        return record.origin == origin_of(source) or record.content == self.content(source)

    def content(self, source: Source) -> str:
        """Digest of the files of a scan, which are read once."""
        key = "\n".join(map(str, source.files))
        if key not in self._contents:
            self._contents[key] = content_of(source)
        return self._contents[key] or "not read"

    # ------------------------------------------------------------ writing

    @contextmanager
    def stage(self) -> Iterator[Path]:
        """A temporary folder in which ``masks/``, ``gifs/`` and so on are filled, for :meth:`store`.

        Raises:
            InputError: it cannot be written.
        """
        stage = self.own / owned_name(PART)
        try:
            stage.mkdir(parents=True)
            with synced_later():
                yield stage
        except OSError as error:
            raise InputError(write_fault(self.path, error)) from error
        finally:
            with suppress(OSError):
                self._roll_back(stage)
            shutil.rmtree(stage, ignore_errors=True)

    def store(self, stage: Path, result: ScanResult) -> ScanResult:
        """Move what is in a stage to its place, and record it.

        Returns:
            The record, with its outputs and their digests.

        Raises:
            InputError: another process has taken the scan over, as after a long sleep of this machine.
        """
        sync_all(stage)
        staged = {path.relative_to(stage).as_posix(): path for path in sorted(stage.rglob("*"))}
        outputs = tuple(filter(_is_output, staged))
        digests = {name: digest_of(path) for name, path in staged.items() if path.is_file()}
        if not self.claims.holds(f"scan {result.id}"):
            raise InputError(Fault("results.claim_lost", self.path, scan=result.id))
        before = read_record(self._record_file(result.id))
        old = tuple(name for name in before.outputs if _is_output(name)) if before is not None else ()
        write_json(stage / PENDING, {"id": result.id, "outputs": sorted({*outputs, *old})})
        sync(stage / PENDING)
        sync(stage)
        tables = (self.own / SUMMARY, self.own / MANIFEST, self.path / PARTICIPANTS)
        for path in (*tables, self._record_file(result.id)):
            if path.exists():
                path.unlink()
                sync(path.parent)
        for name in set(old) - set(outputs):
            _remove(self.path / name)
        for name in outputs:
            target = self.path / name
            make_folder(target.parent)
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(stage / name, target)
        for folder in {(self.path / name).parent for name in outputs}:
            sync(folder)
        files = {}
        for name, digest in digests.items():
            state = (self.path / name).stat()
            files[name] = state.st_size, state.st_mtime_ns, digest
        record = replace(result, outputs=outputs, files=files, made_with=self.made_with)
        # Last of all: only a scan whose files are complete has this record.
        make_folder(self.own / "scans")
        record_file = stage / "record.json"
        write_json(record_file, asdict(record))
        sync(record_file)
        os.replace(record_file, self._record_file(record.id))
        sync(self.own / "scans")
        sync(self.own)
        return record

    def is_there(self, result: ScanResult) -> bool:
        """Whether a record and its files are in the folder still."""
        record = read_record(self._record_file(result.id))
        return record is not None and record.key == result.key and record.holds(self.path, every_byte=False)

    def conclude(
        self,
        first: Sequence[str],
        facts: dict[str, Any],
        also: Callable[[Path, Sequence[ScanResult]], object] | None = None,
    ) -> list[str]:
        """Write the summary and the manifest from all records of the folder.

        Args:
            first: names of the scans that stand first.
            facts: for the manifest.
            also: called with the folder and all records, to write other tables.

        Returns:
            Names of the scans that have a record and no longer all of its files; they are left out.

        Raises:
            InputError: they cannot be written.
        """
        with self.claims.alone("entering", settings=self.settings):
            records: dict[str, ScanResult] = {}
            incomplete: list[str] = []
            for path in self._record_files():
                record = read_record(path)
                if record is not None and record.holds(self.path, every_byte=False):
                    records[record.id] = record.without_files
                else:
                    incomplete.append(path.stem)
            if records or (self.own / SUMMARY).exists():
                if also is not None:
                    also(self.path, in_order(records, first))
                tables = self.own / SUMMARY, self.own / MANIFEST
                write_tables(records, first, *tables, facts, incomplete)
        return incomplete

    # ------------------------------------------------------------ order in the house

    def _record_file(self, id: str) -> Path:
        return self.own / "scans" / f"{id}.json"

    def _record_files(self) -> list[Path]:
        return sorted(path for path in (self.own / "scans").glob("*.json") if not path.name.startswith("."))

    def _refuse_other_settings(self) -> None:
        for holder in self.claims.others():
            if holder.get("settings", self.settings) != self.settings:
                host, pid, since = (holder.get(name, "?") for name in ("host", "pid", "since"))
                raise InputError(Fault("results.other_settings", self.path, host=host, pid=pid, since=since))

    def _sweep(self) -> None:
        """Remove what processes that have ended left behind."""
        self.claims.others()
        for stage in remains(self.own, ended=self.claims.ended):
            with suppress(OSError):
                self._roll_back(stage, ours=False)
        for folder in (self.path, self.own, self.own / "scans", self.claims.folder):
            sweep(folder, ended=self.claims.ended)

    def _roll_back(self, stage: Path, *, ours: bool = True) -> None:
        """Remove what was moved out of a stage and has no record."""
        try:
            content = json.loads((stage / PENDING).read_text(encoding="utf-8"))
            id, outputs = str(content["id"]), [str(name) for name in content["outputs"]]
        except (OSError, ValueError, TypeError, KeyError):
            return
        if self._record_file(id).exists():
            return
        if not ours and self.claims.take(f"scan {id}", settings=self.settings) is not None:
            return  # another process is at work on it and replaces these files
        for name in filter(_is_output, outputs):
            _remove(self.path / name)
        if not ours:
            self.claims.give_back(f"scan {id}")

    def _close(self) -> None:
        self.claims.close()
        folders = [self.own / name for name in ("scans", *KINDS)]
        if self.own != self.path:
            folders += sorted(self.path.glob("sub-*/**"), reverse=True)
        for folder in folders:
            with suppress(OSError):
                folder.rmdir()  # if it is empty
        if not self._was_there:
            for folder in (self.own, self.path):
                with suppress(OSError):
                    folder.rmdir()


def _is_output(name: str) -> bool:
    """Whether a text names a file or folder of results; a record may have been written by anybody."""
    return _OUTPUT.fullmatch(name) is not None and PurePosixPath(name).name != ".."


def _remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
