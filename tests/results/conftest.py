"""What the tests of a folder of results share."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.results_kit import write_scan


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    for seed, name in enumerate("abc"):
        write_scan(tmp_path / "scans" / f"{name}.nii.gz", seed)
    return tmp_path / "scans"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
