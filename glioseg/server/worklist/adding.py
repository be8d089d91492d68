"""Files that clients add to the list, in one message or in several: folders of many patients are large."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from starlette.datastructures import UploadFile

from glioseg.errors import Fault, InputError
from glioseg.io.archive import unpack
from glioseg.io.names import stem_of, suffix_of
from glioseg.server.uploads import keep_files
from glioseg.server.worklist.rows import WorkList, bytes_in


class Listed(Exception):
    """What was sent as one scan were several, which are in the list now."""

    def __init__(self, scans: int) -> None:
        super().__init__("in the list")
        self.scans = scans


class Adding:
    """What clients are adding to a list: a folder for each batch of messages."""

    def __init__(self, rows: WorkList) -> None:
        self.rows = rows
        self._batches: dict[str, Path] = {}
        self._lock = threading.Lock()

    def receive(self, uploads: Sequence[UploadFile], batch: str | None, more: bool) -> tuple[str, int]:
        """Take the files of one message.

        Args:
            uploads: the files.
            batch: what the reply to the first message of several said; ``None`` for the first.
            more: whether other messages of the batch follow.

        Returns:
            The batch, and how many scans are in it once it is whole.

        Raises:
            InputError: no such batch, a name that is there twice or climbs out, an archive that is damaged or
                too large, no scan among the files.
        """
        with self._lock:
            folder = self.rows.folder.new_upload() if batch is None else self._batches.pop(batch, None)
        if folder is None:
            raise InputError(Fault("server.no_batch"))
        try:
            keep_files(uploads, folder)
            self._check_size(folder)
            if more:
                batch = secrets.token_urlsafe(12)
                with self._lock:
                    self._batches[batch] = folder
                return batch, 0
            return "", self.take(folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def take(self, folder: Path) -> int:
        """Add the scans in a folder, which becomes the list's; how many there are.

        Raises:
            InputError: an archive is damaged or too large, or there is no scan.
        """
        settings = self.rows.settings
        for archive in [path for path in folder.rglob("*") if suffix_of(path) == ".zip" and path.is_file()]:
            inside = archive.parent / f"in {stem_of(archive)}"
            inside.mkdir(exist_ok=True)
            unpack(archive, inside, settings.files, settings.unpacked_bytes, archive.name)
            archive.unlink()
        self._check_size(folder)
        kept = self.rows.folder.finish_upload(folder)
        try:
            found = self.rows.add([kept], kept, needed=True)
        except InputError:
            shutil.rmtree(kept, ignore_errors=True)
            raise
        self.rows.uploaded_bytes += bytes_in(kept)
        return found

    def _check_size(self, folder: Path) -> None:
        most = self.rows.settings.work_bytes
        if self.rows.uploaded_bytes + bytes_in(folder) > most:
            raise InputError(Fault("server.work_full", most=f"{most >> 20:,}"))
