"""Claims: which process works on what, agreed upon by files alone, also between machines with one disk.

A claim is a file that is made whole and under its name in one step, so that only one process can have it.
It names its owner. A claim whose process has ended is taken over; of a process on another machine that
cannot be known, so every owner touches its claims while it lives, and one that has been silent for
:data:`SILENT_SECONDS` by the disk's own clock is taken over too.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glioseg.errors import Fault, InputError
from glioseg.files import PART, make_folder, owned_name, write_fault
from glioseg.owner import owner_of, this_process

if TYPE_CHECKING:
    from collections.abc import Iterator

SILENT_SECONDS = 900.0
"""After so long without a sign of life the claim of a process on another machine is taken over."""

BEAT_SECONDS = 30.0
"""How often a process gives a sign of life."""

PATIENCE_SECONDS = 60.0
"""How long a process waits for another one that is entering the folder, which takes some milliseconds."""

Holder = dict[str, Any]
"""What a claim says of who has it: ``owner`` (token), ``host``, ``pid``, ``since`` and further facts."""


class Claims:
    """The claims in one folder.

    Args:
        folder: made with the first claim and removed with the last.
        job: of an engine that gives each item to one worker at a time. A claim of the same job on the same
            item is that of a worker which the engine has given up, and is taken over at once.

    Attributes:
        mine: what this object holds.
        ended: tokens of owners on other machines that were silent for too long.
    """

    def __init__(self, folder: Path, job: str = "") -> None:
        self.folder, self.job = folder, job
        self.mine: dict[str, Holder] = {}
        self.ended: set[str] = set()
        self.id = os.urandom(6).hex()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, name: str, **facts: object) -> Holder | None:
        """Claim something.

        Args:
            name: what is claimed; any text.
            facts: what others shall know of the claim.

        Returns:
            ``None`` if it is claimed for this process now, otherwise who has it.

        Raises:
            InputError: the folder cannot be written.
        """
        content: Holder = {
            "name": name,
            "owner": this_process().token,
            "host": platform.node(),
            "pid": os.getpid(),
            "since": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "taker": self.id,
            "job": self.job,
            **facts,
        }
        path = self._path(name)
        while True:
            try:
                created = self._create(path, content)
            except OSError as error:
                raise InputError(write_fault(self.folder, error)) from error
            if created:
                self.mine[name] = content
                self._beat()
                return None
            holder = _read(path)
            if holder is None:
                continue  # it was given back meanwhile
            same = all(holder.get(key) == content.get(key) for key in ("job", "origin"))
            given_up = self.job != "" and same
            if not given_up and not self.is_abandoned(path, holder):
                return holder
            content["deaths"] = int(holder.get("deaths", 0)) + 1 if given_up else 0
            self._remove(path, holder)

    def deaths(self, name: str) -> int:
        """How many workers of the same job had a claim of this process before, and were given up."""
        return int(self.mine.get(name, {}).get("deaths", 0))

    def holds(self, name: str) -> bool:
        """Whether this process still has a claim; no longer if it was silent too long, or the folder went."""
        return name in self.mine and _read(self._path(name)) == self.mine[name]

    def give_back(self, name: str) -> None:
        """Give a claim back, and remove the folder when it was the last."""
        mine = self.mine.pop(name, None)
        path = self._path(name)
        if mine is not None and _read(path) == mine:
            with suppress(OSError):
                path.unlink()
        if not self.mine:
            with suppress(OSError):
                self.folder.rmdir()

    def close(self) -> None:
        """Give everything back."""
        self._stop.set()
        for name in list(self.mine):
            self.give_back(name)

    def others(self) -> list[Holder]:
        """Who else has claims now; claims that were abandoned are removed on the way."""
        found = []
        for path in sorted(self.folder.glob("*.json")):
            holder = _read(path)
            if holder is None or holder.get("taker") == self.id:
                continue
            if self.is_abandoned(path, holder):
                self._remove(path, holder)
            else:
                found.append(holder)
        return found

    @contextmanager
    def alone(self, name: str, **facts: object) -> Iterator[None]:
        """Hold a claim for a moment, and wait for others that hold it for a moment.

        Raises:
            InputError: another process has held it for longer than :data:`PATIENCE_SECONDS`.
        """
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (holder := self.take(name, **facts)) is not None:
            if time.monotonic() > deadline:
                raise InputError(
                    Fault("results.busy", self.folder.parent, host=holder["host"], pid=holder["pid"])
                )
            time.sleep(0.02)
        try:
            yield
        finally:
            self.give_back(name)

    def is_abandoned(self, path: Path, holder: Holder) -> bool:
        """Whether the process that holds a claim has ended, as far as that can be known."""
        owner = owner_of(str(holder.get("owner")))
        if owner is not None and not owner.is_elsewhere:
            return owner.is_gone
        try:
            silent = self._now() - path.stat().st_mtime > SILENT_SECONDS
        except OSError:
            return False
        if silent and owner is not None:
            self.ended.add(owner.token)
        return silent

    def _path(self, name: str) -> Path:
        return self.folder / f"{hashlib.sha256(name.casefold().encode()).hexdigest()[:24]}.json"

    def _create(self, path: Path, content: Holder) -> bool:
        """Make a claim's file, whole, unless there is one."""
        part = make_folder(self.folder) / owned_name(PART)
        text = json.dumps(content, ensure_ascii=False, indent=1)
        try:
            part.write_text(text, encoding="utf-8")
            try:
                os.link(part, path)
            except FileExistsError:
                # Over a network a link may be made and its answer lost.
                return _read(path) == content
            except FileNotFoundError:
                return False  # the last one that left has removed the folder
            except OSError:
                return _create_without_link(path, text)
        except FileNotFoundError:
            return False
        finally:
            with suppress(OSError):
                part.unlink()
        return True

    def _remove(self, path: Path, holder: Holder) -> None:
        """Remove a claim that was abandoned; if another process was faster, its claim is put back."""
        aside = self.folder / owned_name(PART)
        try:
            os.rename(path, aside)
        except OSError:
            return
        if _read(aside) != holder:
            with suppress(OSError):
                os.link(aside, path)
        with suppress(OSError):
            aside.unlink()

    def _now(self) -> float:
        """The time by the clock of the disk, which all machines share."""
        probe = self.folder / owned_name(PART)
        try:
            probe.touch()
            return probe.stat().st_mtime
        except OSError:
            return time.time()
        finally:
            with suppress(OSError):
                probe.unlink()

    def _beat(self) -> None:
        """Give signs of life from now on."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._beats, name="claims", daemon=True)
            self._thread.start()

    def _beats(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            for name in list(self.mine):
                with suppress(OSError):
                    os.utime(self._path(name))


def _create_without_link(path: Path, text: str) -> bool:
    """For disks that know no links: the name is made first and filled then."""
    try:
        with path.open("x", encoding="utf-8") as handle:
            handle.write(text)
    except FileExistsError:
        return False
    return True


def _read(path: Path) -> Holder | None:
    """What a claim says; ``None`` if it is not there."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return None
    except ValueError:
        return {"owner": "", "host": "?", "pid": "?"}  # it is being filled
    return content if isinstance(content, dict) else {"owner": "", "host": "?", "pid": "?"}
