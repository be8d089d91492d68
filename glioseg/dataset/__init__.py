"""The labelled scans of a folder: find them, check them, split them by patient, cache what was prepared."""

from __future__ import annotations

from glioseg.dataset.find import Case, find_cases, read_case

__all__ = ["Case", "find_cases", "read_case"]
