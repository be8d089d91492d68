"""A labelled scan: a source and its truth."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from glioseg.io.source import Source
from glioseg.scan import LESION, Scan, Segmentation

_TCGA = re.compile(r"TCGA_(?P<site>[A-Z0-9]{2})_[A-Z0-9]{4}(_\d{8})?")


@dataclass(frozen=True)
class Case:
    """A labelled scan: a scan that was found, and its truth.

    Attributes:
        source: the files of the scan and of its mask.
        layout: ``"kaggle_3m"``, ``"images-masks"`` or ``"scans"``.
    """

    source: Source
    layout: str

    @property
    def id(self) -> str:
        """Name of the patient."""
        return self.source.id

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


def site_of(id: str) -> str | None:
    """The institution in a TCGA name (``CS`` in ``TCGA_CS_4941_19960909``), otherwise ``None``."""
    named = _TCGA.fullmatch(id)
    return named["site"] if named else None
