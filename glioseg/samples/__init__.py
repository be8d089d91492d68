"""Three real scans with their truth, from the LGG data set's validation patients (see NOTICE-DATA.md)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glioseg.dataset.find import Case

SAMPLES = Path(__file__).parent / "kaggle_3m"
"""Folder in the layout of the public data set."""


def sample_cases() -> list[Case]:
    """The bundled scans, sorted by patient."""
    from glioseg.dataset.find import find_cases

    return find_cases(SAMPLES)


def sample_folder() -> Path:
    """The folder of the three scans with their truth that ship, in the layout of the public data set.

    >>> sorted(path.name for path in sample_folder().iterdir() if path.is_dir())
    ['TCGA_CS_4944_20010208', 'TCGA_CS_6667_20011105', 'TCGA_HT_7692_19960724']
    """
    return SAMPLES
