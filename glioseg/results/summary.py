"""The tables of a folder of results from its records alone: after jobs that each did a part of the scans."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from glioseg.errors import Fault, InputError
from glioseg.results.bids import write_participants
from glioseg.results.folder import BESIDE_BIDS, SUMMARY, ResultsFolder


def join_records(out: Path, facts: dict[str, Any]) -> tuple[Path, list[str]]:
    """Write the summary and the manifest of a folder of results; of BIDS derivatives also the participants.

    Args:
        out: folder that holds the records of finished scans.
        facts: for the manifest.

    Returns:
        The summary, and the names of scans that have a record and no longer all of its files; they are left
        out.

    Raises:
        InputError: there is no record of a scan, or the tables cannot be written.
    """
    bids = (out / BESIDE_BIDS / "scans").is_dir()
    folder = ResultsFolder(out, {"settings": ""}, BESIDE_BIDS if bids else "")
    if not any((folder.own / "scans").glob("*.json")):
        raise InputError(Fault("results.no_records", out))
    try:
        incomplete = folder.conclude([], facts, write_participants if bids else None)
    finally:
        folder.claims.close()
    return folder.own / SUMMARY, incomplete
