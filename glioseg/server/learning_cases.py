"""Which corrected cases a model learns from, and which are held out to see what that changed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from glioseg.dataset.case import person_of
from glioseg.files import write_json
from glioseg.server.downloads import plain_name
from glioseg.server.saved_cases import DIGEST, copy_saved, save_corrected, saved_names
from glioseg.server.worklist.export import for_a_moment
from glioseg.server.worklist.rows import PatientRow, WorkList

FEWEST = 5
"""Of fewer corrected patients none is held out."""
LEAST = 2
"""Fewer patients that are held out say nothing."""
SHARE = 0.2
"""Of the corrected patients that are held out."""

_TIME = re.compile(r"[_-](ses[-_]?\w+|(19|20)\d\d([-_]?\d\d){0,2})$", re.IGNORECASE)


def patient_of(name: str) -> str:
    """The patient that a scan is of, by its name.

    A date, a year, a session or a time point at the end does not tell patients apart, nor does the digest of
    a saved case.

    >>> patient_of("TCGA_CS_4941_19960909"), patient_of("ann_2021-0a1b2c3d"), patient_of("sub-07_ses-2")
    ('TCGA_CS_4941', 'ann', 'sub-07')
    """
    return _TIME.sub("", person_of(DIGEST.sub("", name))) or name


def held_out(patients: Collection[str], learned_from: Collection[str]) -> tuple[str, ...]:
    """The patients that a training does not see: the same ones for the same patients.

    Args:
        patients: those with corrections.
        learned_from: those that the model in use has learned from; it would score too well on them.

    Returns:
        None, or at least :data:`LEAST`: a fifth of the patients. Digests of their names decide, so that a
        patient that was held out mostly stays so when others come.
    """
    if len(patients) < FEWEST:
        return ()
    unseen = sorted(
        set(patients) - set(learned_from), key=lambda name: hashlib.sha256(name.encode()).digest()
    )
    chosen = unseen[: max(LEAST, round(SHARE * len(patients)))]
    return tuple(sorted(chosen)) if len(chosen) >= LEAST else ()


@dataclass(frozen=True)
class LabelledCases:
    """The cases that there are to learn from.

    Attributes:
        rows: of the work list, corrected or checked.
        saved: names in the folder of saved corrected cases.
    """

    rows: tuple[PatientRow, ...]
    saved: tuple[str, ...]

    @property
    def corrected(self) -> set[str]:
        """Patients with a correction: a mask that is the network's own cannot show what it learned."""
        rows = (row for row in self.rows if row.record is not None and row.record.corrected)
        return {patient_of(plain_name(row.source.id)) for row in rows} | set(map(patient_of, self.saved))

    @property
    def checked(self) -> set[str]:
        """Patients whose mask was found right as the network made it."""
        return {patient_of(plain_name(row.source.id)) for row in self.rows} - self.corrected


def find_labelled(rows: WorkList, saved: Path) -> LabelledCases:
    """The corrected and checked cases of a work list, and those of the folder of saved corrected cases."""
    labelled = [row for row in rows.present() if row.record is not None and row.record.status != "segmented"]
    return LabelledCases(tuple(labelled), tuple(sorted(saved_names(saved))))


def collect(
    cases: LabelledCases,
    rows: WorkList,
    saved: Path,
    data: Path,
    out: Collection[str],
    progress: Callable[[], None],
) -> tuple[list[str], list[str]]:
    """Write the cases as ``glioseg train`` reads them, with their split beside them; masks say lesion or not.

    Args:
        cases: see :func:`find_labelled`.
        rows, saved: where they are.
        data: folder to make; ``split.json`` is written beside it.
        out: patients that are held out.
        progress: called before each case; may raise.

    Returns:
        Names of the cases that are learned from, and of those that are held out.

    Raises:
        InputError: a scan cannot be read, or a file cannot be written.
        StoreFull: there was no room in memory to read a scan.
    """
    corrected = set(cases.saved)
    names = set(cases.saved)
    for name in cases.saved:
        progress()
        copy_saved(saved, name, data)
    for row in cases.rows:
        progress()
        with for_a_moment(rows, row) as (entry, _):
            if entry.mask is None:
                continue
            # The same scan's saved case gives way: the list is newer.
            name = save_corrected(entry, data, classes=False)
            names.add(name)
            if entry.corrected is not None:
                corrected.add(name)
    train = sorted(name for name in names if patient_of(name) not in out)
    validation = sorted(name for name in corrected if patient_of(name) in out)
    write_json(data.parent / "split.json", {"train": train, "validation": validation})
    return train, validation
