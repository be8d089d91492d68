"""Which patients train and which validate. Always whole patients, never slices.

Several scans of one person, such as the sessions of BIDS, stand on one side together.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glioseg.dataset.case import Case, person_of
from glioseg.errors import Fault, InputError
from glioseg.io.names import listed
from glioseg.recipe import SplitChoice
from glioseg.words import Joined, Phrase

REFERENCE_VALIDATION = (
    "TCGA_CS_4944_20010208",
    "TCGA_CS_6667_20011105",
    "TCGA_CS_6668_20011025",
    "TCGA_DU_5851_19950428",
    "TCGA_DU_6404_19850629",
    "TCGA_DU_6408_19860521",
    "TCGA_DU_7014_19860618",
    "TCGA_HT_7616_19940813",
    "TCGA_HT_7692_19960724",
    "TCGA_HT_7879_19981009",
)
"""``random.seed(42); random.sample(sorted(all 110 patients), k=10)``, as the original program draws them."""


@dataclass(frozen=True)
class Split:
    """Patients by their role.

    Attributes:
        train, validation: ids, sorted; no id stands in both.
        name: how the split was made, for the record.
        note: what a reader should be told about it; empty if it is the one that was asked for.
    """

    train: tuple[str, ...]
    validation: tuple[str, ...]
    name: str
    note: str = ""

    def __post_init__(self) -> None:
        shared = sorted(set(self.train) & set(self.validation))
        if shared:
            raise ValueError(f"patients on both sides of the split: {', '.join(shared)}")


def split_cases(choice: SplitChoice, cases: Sequence[Case]) -> Split:
    """Split labelled scans as :func:`split_patients` does, or as their folders split them beforehand.

    Patients of folders for the test stand on neither side. Where there are folders for validation, they are
    the validation unless a split is asked for by name (``kfold``, ``holdout``, ``file``).

    Args:
        choice: how.
        cases: the scans, see :func:`glioseg.dataset.find.find_cases`.

    Raises:
        InputError: as :func:`split_patients`.
    """
    kept = [case for case in cases if case.side != "test"]
    validation = [case.id for case in kept if case.side == "validation"]
    train = [case.id for case in kept if case.side != "validation"]
    known = set(REFERENCE_VALIDATION) <= {case.id for case in kept}
    if choice.name != "reference" or known or not validation or not train:
        return split_patients(choice, [case.id for case in kept], [case.site for case in kept])
    counts = {"train": len(train), "validation": len(validation), "test": len(cases) - len(kept)}
    note = Phrase("split.beforehand", **counts)
    return Split(tuple(sorted(train)), tuple(sorted(validation)), "folders", note)


def split_patients(
    choice: SplitChoice, patients: Sequence[str], sites: Sequence[str | None] | None = None
) -> Split:
    """Split patients.

    The patients of the split ``reference`` are those of one public data set. On other data, or where some of
    them are missing, patients are held out instead as ``holdout`` does it; the name and the note of the split
    say so.

    Args:
        choice: how.
        patients: ids, each once.
        sites: the institution of each, for ``kfold`` and ``holdout``; ``None`` counts as one more site.

    Raises:
        InputError: a named patient is not there, a fold does not exist, a side would be empty, or a file
            puts scans of one person on both.
    """
    if len(set(patients)) != len(patients):
        raise ValueError("a patient is listed twice")
    if choice.name == "all":
        return Split(tuple(sorted(patients)), (), "all")
    absent = set(REFERENCE_VALIDATION) - set(patients)
    if choice.name == "reference" and absent:
        return _instead_of_reference(choice, patients, sites, len(absent))
    if choice.name == "reference":
        validation: set[str] = set(REFERENCE_VALIDATION)
        label = "reference"
        train = None
    elif choice.name == "file":
        train, validation, label = _read_file(choice)
    else:
        validation, label = _deal(choice, patients, sites)
        train = None
    missing = sorted((validation | (train or set())) - set(patients))
    if missing:
        raise InputError(Fault("dataset.split_without_patients", split=label, patients=listed(missing, 5)))
    chosen = train if train is not None else set(patients) - validation
    if not chosen or not validation:
        code = "dataset.no_validation_patient" if chosen else "dataset.no_training_patient"
        raise InputError(Fault(code, split=label, count=len(patients)))
    persons = {person_of(patient) for patient in chosen}
    both = sorted(patient for patient in validation if person_of(patient) in persons)
    if both:
        raise InputError(Fault("dataset.person_on_both_sides", split=label, patients=listed(both, 5)))
    return Split(tuple(sorted(chosen)), tuple(sorted(validation)), label)


def _instead_of_reference(
    choice: SplitChoice, patients: Sequence[str], sites: Sequence[str | None] | None, absent: int
) -> Split:
    """Patients held out where those that the reference split names are not there."""
    held_out = split_patients(choice.model_copy(update={"name": "holdout"}), patients, sites)
    name = f"{held_out.name}-instead-of-reference"
    counts = {"validation": len(held_out.validation), "patients": len(patients)}
    named = len(REFERENCE_VALIDATION)
    note = Phrase("split.instead_of_reference", absent=absent, named=named, split=name, **counts)
    return Split(held_out.train, held_out.validation, name, note)


def _deal(
    choice: SplitChoice, patients: Sequence[str], sites: Sequence[str | None] | None
) -> tuple[set[str], str]:
    """Validation patients of ``kfold`` or ``holdout``; each site is shuffled and dealt in turn.

    A person is dealt once, with all scans.
    """
    scans: dict[str, list[str]] = {}
    by_site: dict[str, list[str]] = {}
    for patient, site in sorted(zip(patients, sites or [None] * len(patients), strict=True)):
        of_person = scans.setdefault(person_of(patient), [])
        if not of_person:
            by_site.setdefault(site or "", []).append(person_of(patient))
        of_person.append(patient)
    generator = np.random.default_rng(choice.seed)
    order = [
        group[place] for group in by_site.values() for place in generator.permutation(len(group)).tolist()
    ]
    if choice.name == "kfold":
        if choice.fold >= choice.folds or choice.folds > len(order):
            folds = {"most": len(order), "fold": choice.fold, "folds": choice.folds}
            raise InputError(Fault("dataset.fold", split="kfold", **folds))
        # Dealing on across sites keeps both the sites and the fold sizes even.
        label = f"kfold-{choice.fold}of{choice.folds}-seed{choice.seed}"
        return {scan for person in order[choice.fold :: choice.folds] for scan in scans[person]}, label
    places = np.floor(np.arange(0, len(order), 1 / choice.fraction)).astype(int)
    # Rounding can add a last place just behind the end.
    dealt = {scan for place in places if place < len(order) for scan in scans[order[place]]}
    return dealt, f"holdout-{choice.fraction:g}-seed{choice.seed}"


def _read_file(choice: SplitChoice) -> tuple[set[str] | None, set[str], str]:
    if choice.file is None:
        raise InputError(Fault("dataset.split_without_file", split="file"))
    path = Path(choice.file)
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors put a mark before the text
        if path.suffix != ".json":
            return None, {line.strip() for line in text.splitlines() if line.strip()}, path.name
        content = json.loads(text)
        train, validation = (_names(content[side]) for side in ("train", "validation"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise InputError(Fault("dataset.split_file", path, reason=reason)) from error
    shared = sorted(train & validation)
    if shared:
        raise InputError(Fault("dataset.on_both_sides", path, patients=Joined(shared)))
    return train, validation, path.name


def _names(listed: Any) -> set[str]:
    """Patients of a JSON list; those that are numbers stand there without quotes."""
    if not isinstance(listed, list):
        raise TypeError(f"{listed!r} is no list")
    return {str(patient) for patient in listed}
