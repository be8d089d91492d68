"""Zip archives that a person names: unpacked once, within limits, and found like any folder."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from glioseg.dataset.find import find_cases
from glioseg.errors import InputError
from glioseg.io import archive, find_scans
from glioseg.samples import SAMPLES


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """All samples, as archives of data sets have them: a folder deeper, and with a Mac's litter."""
    path = tmp_path / "lgg.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for file in sorted(SAMPLES.rglob("*.tif")):
            opened.write(file, f"kaggle_3m/{file.relative_to(SAMPLES)}")
            opened.writestr(f"__MACOSX/kaggle_3m/._{file.name}", b"litter")
    return path


def test_an_archive_is_found_like_its_folder(packed: Path, own_cache: Path) -> None:
    found, faults = find_scans([packed])
    expected, _ = find_scans([SAMPLES])
    assert faults == []
    assert [source.id for source in found] == [source.id for source in expected]
    np.testing.assert_array_equal(found[0].read().voxels, expected[0].read().voxels)
    assert found[0].files[0].is_relative_to(own_cache / "archives")
    cases = find_cases(packed)
    assert [case.id for case in cases] == [case.id for case in find_cases(SAMPLES)]


def test_it_is_unpacked_once_and_again_when_it_changed(packed: Path, tmp_path: Path, monkeypatch) -> None:
    times = []
    unpack = archive.unpack
    monkeypatch.setattr(archive, "unpack", lambda *a: times.append(1) or unpack(*a))
    first = archive.laid_out(packed, tmp_path / "cache")
    assert archive.laid_out(packed, tmp_path / "cache") == first
    assert len(times) == 1
    with zipfile.ZipFile(packed, "a") as opened:
        opened.writestr("more.txt", b"more")
    assert archive.laid_out(packed, tmp_path / "cache") != first
    assert len(times) == 2


@pytest.mark.parametrize("name", ["../out.tif", "/etc/x.tif"])
def test_names_that_climb_out_are_refused_and_nothing_is_left(name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as opened:
        opened.writestr(name, b"x")
    with pytest.raises(InputError, match=r"bad\.zip: expected a plain name"):
        archive.laid_out(path, tmp_path / "cache")
    assert list((tmp_path / "cache" / "archives").iterdir()) == []
    assert not (tmp_path / "out.tif").exists()


def test_what_does_not_fit_on_the_disk_is_refused(packed: Path, tmp_path: Path, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(archive.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InputError, match="at most 1,000 bytes"):
        archive.laid_out(packed, tmp_path / "cache")


def test_a_damaged_archive_is_a_fault_of_the_finder(tmp_path: Path) -> None:
    path = tmp_path / "cut.zip"
    path.write_bytes(b"PK\x03\x04" + bytes(50))
    found, faults = find_scans([path])
    assert found == []
    assert [fault.code for fault in faults] == ["archive.damaged"]
    assert str(path) in str(faults[0])
