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
