"""A labelled scan: a source and its truth."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glioseg.errors import Fault
from glioseg.io.source import Source
from glioseg.recipe import Labels
from glioseg.scan import LESION, Scan, Segmentation

_TCGA = re.compile(r"TCGA_(?P<site>[A-Z0-9]{2})_[A-Z0-9]{4}(_\d{8})?")
_SCANNED_AGAIN = re.compile(
    r"(TCGA_[A-Z0-9]{2}_[A-Z0-9]{4})_\d{8}|(sub-[A-Za-z0-9]+)_.+|(BraTS-[A-Za-z]+-\d{5})-\d{3}"
)
"""Names that say both who was scanned and at which time: of TCGA, BIDS, and BraTS since 2023."""


KAGGLE = "kaggle_3m"
IMAGES_MASKS = "images-masks"
SCANS = "scans"
LAYOUTS = (KAGGLE, IMAGES_MASKS, "nnunet", "decathlon", "brats", "bids", "wmh", "dicom", SCANS)
"""What a person can call a layout."""


@dataclass(frozen=True)
class Case:
    """A labelled scan: a scan that was found, and its truth.

    Attributes:
        source: the files of the scan and of its mask.
        layout: one of :data:`LAYOUTS`.
        side: ``"train"``, ``"validation"`` or ``"test"`` where the data set was split beforehand.
    """

    source: Source
    layout: str
    side: str = ""

    @property
    def id(self) -> str:
        """Name of the patient."""
        return self.source.id

    def with_sequences(self, sequences: Iterable[str]) -> Case:
        """The case, its scan to be read with the sequences that a network takes."""
        return replace(self, source=self.source.with_sequences(sequences))

    @property
    def images(self) -> tuple[Path, ...]:
        """The files of the scan: of slices, one a slice in slice order."""
        return self.source.files

    @property
    def masks(self) -> tuple[Path | None, ...]:
        """Of slices the mask of each, or ``None`` where there is none; otherwise the one mask."""
        if self.source.format == "slices" and not self.source.truth:
            return (None,) * len(self.source.files)
        return self.source.truth

    @property
    def slice_numbers(self) -> tuple[int, ...]:
        """Of slices the number of each, ascending."""
        return self.source.slice_numbers

    @property
    def site(self) -> str | None:
        """The institution, for names like ``TCGA_CS_4941_19960909``, where it is ``CS``."""
        return site_of(self.id)


@dataclass(frozen=True)
class Survey:
    """What the names in a data set's folder say.

    Attributes:
        layout: as in :class:`Case`; ``""`` when nothing was recognised.
        cases: the labelled scans, sorted by id, as far as they could be understood.
        faults: everything that is wrong.
        notes: what is unusual but allowed.
        why: what the folder was taken for, and by what.
    """

    layout: str
    cases: tuple[Case, ...]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...] = ()
    why: str = ""


def read_case(case: Case, labels: Mapping[int, str] | None = LESION) -> tuple[Scan, Segmentation | None]:
    """Read the scan of a case and its truth (``None`` when no slice has a mask).

    Args:
        case: the case.
        labels: those that its masks may hold besides 0; lesion or not by default.

    Raises:
        InputError: files cannot be read or do not fit together, or a mask holds other labels; all faults of
            the case at once.
    """
    scan = case.source.read()
    return scan, case.source.read_truth(scan, labels)


def with_lesion_values(cases: Sequence[Case], labels: Labels) -> list[Case]:
    """The cases, with what a person says of the values in their masks that are lesion, if it was said."""
    if not labels.lesion:
        return list(cases)
    return [replace(case, source=replace(case.source, labels=labels.stored)) for case in cases]


def person_of(id: str) -> str:
    """The person whom a scan is of, by its name: several scans of a person differ in what comes after.

    >>> person_of("sub-07_ses-2"), person_of("BraTS-GLI-00005-101"), person_of("case_001")
    ('sub-07', 'BraTS-GLI-00005', 'case_001')
    """
    named = _SCANNED_AGAIN.fullmatch(id)
    return next(filter(None, named.groups())) if named else id


def site_of(id: str) -> str | None:
    """The institution in a TCGA name (``CS`` in ``TCGA_CS_4941_19960909``), otherwise ``None``."""
    named = _TCGA.fullmatch(id)
    return named["site"] if named else None
