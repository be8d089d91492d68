"""What became of many scans."""

from __future__ import annotations

from dataclasses import dataclass, field

from glioseg.errors import Fault
from glioseg.results.record import ScanResult


@dataclass(frozen=True)
class Outcome:
    """What became of a folder of scans.

    Attributes:
        results: of the scans that were asked for, in their order.
        skipped: how many of them had been done before, or were done by another process meanwhile.
        faults: what is wrong with the rest.
        incomplete: names of other scans in the folder whose files are no longer those of their record.
    """

    results: list[ScanResult]
    skipped: int
    faults: list[Fault]
    incomplete: list[str] = field(default_factory=list)
