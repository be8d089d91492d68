"""Prepared arrays on disk: right, found again, shared by processes, and never trusted when damaged."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glioseg.dataset.cache import PreparedCase, fingerprint, prepare_cases
from glioseg.dataset.find import Case, find_cases, read_case
from glioseg.errors import InputError
from glioseg.files import default_cache
from glioseg.prepare import Preparation
from glioseg.samples import SAMPLES

SMALL = Preparation(size=16)
PATIENT = "TCGA_CS_6667_20011105"


@pytest.fixture(scope="module")
def few_slices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of two patients: slices 10 to 13 of two samples, as slices 1 to 4."""
    root = tmp_path_factory.mktemp("data")
    for id in (PATIENT, "TCGA_CS_4944_20010208"):
        (root / id).mkdir()
        for number in range(1, 5):
            for end in ("", "_mask"):
                shutil.copyfile(
                    SAMPLES / id / f"{id}_{number + 9}{end}.tif", root / id / f"{id}_{number}{end}.tif"
                )
    return root


@pytest.fixture
def case(few_slices: Path, tmp_path: Path) -> Case:
    """One patient in a folder of its own, to be changed at will."""
    shutil.copytree(few_slices / PATIENT, tmp_path / "data" / PATIENT)
    return find_cases(tmp_path / "data")[0]


def folders(cache: Path) -> list[Path]:
    return sorted((cache / "prepared").glob("*/*"))


def same(first: PreparedCase, second: PreparedCase) -> bool:
    return all(
        np.array_equal(getattr(first, name), getattr(second, name))
        for name in ("images", "targets", "lesion")
    )


@pytest.mark.parametrize("preparation", [SMALL, Preparation(name="reference", size=32, drop_ends=True)])
def test_the_arrays_are_those_of_the_preparation(few_slices, tmp_path, preparation) -> None:
    cases = find_cases(few_slices)
    for cached, case in zip(prepare_cases(cases, preparation, tmp_path), cases, strict=True):
        scan, mask = read_case(case)
        assert mask is not None
        prepared = preparation(scan)
        target = preparation.target(mask.mask, prepared.frame)
        assert cached.id == case.id
        assert cached.images.dtype == np.float16
        assert cached.targets.dtype == np.uint8
        assert isinstance(cached.images, np.memmap)
        np.testing.assert_array_equal(cached.images, prepared.images.astype(np.float16))
        np.testing.assert_array_equal(cached.targets, np.rint(target * 255))
        np.testing.assert_allclose(cached.lesion, target.sum(axis=(1, 2)), rtol=0.01, atol=0.05)
        assert cached.lesion.max() > 1


def test_a_second_start_reads_and_does_not_make(case, tmp_path, monkeypatch) -> None:
    (first,) = prepare_cases([case], SMALL, tmp_path / "cache")

    def never(*_: object) -> None:
        raise AssertionError("read or prepared again")

    monkeypatch.setattr("glioseg.dataset.cache.read_case", never)
    monkeypatch.setattr(Path, "read_bytes", never)
    (second,) = prepare_cases([case], SMALL, tmp_path / "cache")
    assert same(first, second)


def test_progress_counts_every_case_once(few_slices, tmp_path) -> None:
    told: list[tuple[int, int]] = []
    prepare_cases(find_cases(few_slices) * 3, SMALL, tmp_path, lambda *counts: told.append(counts))
    assert told == [(number, 6) for number in range(1, 7)]


def test_every_case_that_cannot_be_prepared_is_told_at_once(few_slices, tmp_path) -> None:
    data = tmp_path / "data"
    shutil.copytree(few_slices, data)
    cases = find_cases(data)
    (first, second) = (case.images[1] for case in cases)
    first.write_bytes(b"II*\0 no picture")
    second.unlink()
    with pytest.raises(InputError) as caught:
        prepare_cases(cases, SMALL, tmp_path / "cache")
    assert [fault.where for fault in caught.value.faults] == [str(first), str(second)]


def test_a_scan_without_masks_is_refused(case, tmp_path) -> None:
    with pytest.raises(InputError, match="expected a mask for every slice"):
        prepare_cases([replace(case, source=replace(case.source, truth=()))], SMALL, tmp_path / "cache")


# ---------------------------------------------------------------- what belongs to what


def test_a_changed_file_gets_arrays_of_its_own(case, tmp_path) -> None:
    from PIL import Image

    cache = tmp_path / "cache"
    (before,) = prepare_cases([case], SMALL, cache)
    marks = [fingerprint([case], cache)]
    masks = [mask for mask in case.masks if mask is not None]
    pixels = np.array(Image.open(masks[0]))
    pixels[100:140, 100:140] = 255
    Image.fromarray(pixels).save(masks[0])
    (after,) = prepare_cases([case], SMALL, cache)
    assert after.lesion[0] > before.lesion[0] + 1
    np.testing.assert_array_equal(after.images, before.images)
    marks.append(fingerprint([case], cache))

    first, second = (case.images[place].read_bytes() for place in (0, 2))
    case.images[0].write_bytes(second)
    case.images[2].write_bytes(first)
    (swapped,) = prepare_cases([case], SMALL, cache)
    assert not np.array_equal(swapped.images, before.images)
    marks.append(fingerprint([case], cache))
    assert len(set(marks)) == len(folders(cache)) == 3


def test_where_and_when_do_not_matter(few_slices, case, tmp_path) -> None:
    cache = tmp_path / "cache"
    elsewhere = next(other for other in find_cases(few_slices) if other.id == case.id)
    for file in case.images:
        os.utime(file, ns=(10**18, 10**18))
    assert fingerprint([case], cache) == fingerprint([elsewhere], cache)
    assert same(*prepare_cases([case, elsewhere], SMALL, cache))
    assert len(folders(cache)) == 1


def test_every_preparation_has_arrays_of_its_own(case, tmp_path) -> None:
    for preparation in (SMALL, Preparation(size=32), Preparation(size=16, drop_ends=True)):
        (cached,) = prepare_cases([case], preparation, tmp_path / "cache")
        kept = 2 if preparation.drop_ends else 4
        assert cached.images.shape == (kept, preparation.size, preparation.size, 3)
    assert len(folders(tmp_path / "cache")) == 3


def test_the_folder_comes_from_the_environment(case, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GLIOSEG_CACHE", str(tmp_path / "chosen"))
    prepare_cases([case], SMALL)
    assert len(folders(tmp_path / "chosen")) == 1
    monkeypatch.delenv("GLIOSEG_CACHE")
    assert default_cache().name == "glioseg"


# ---------------------------------------------------------------- damage


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    file=st.sampled_from(("images.npy", "targets.npy", "meta.json")),
    damage=st.sampled_from(("flip", "cut", "append", "empty", "delete", "folder")),
    place=st.floats(0, 1, exclude_max=True),
    early=st.booleans(),
    bit=st.integers(0, 7),
)
def test_damaged_arrays_are_made_again(few_slices, tmp_path, file, damage, place, early, bit) -> None:
    case = find_cases(few_slices)[0]
    (good,) = prepare_cases([case], SMALL, tmp_path / "good")
    (before,) = prepare_cases([case], SMALL, tmp_path / "cache")
    del before
    (folder,) = folders(tmp_path / "cache")
    path = folder / file
    content = bytearray(path.read_bytes())
    # Half of the damage goes into the header of the array.
    position = int(place * (min(128, len(content)) if early else len(content)))
    if damage == "flip":
        content[position] ^= 1 << bit
        path.write_bytes(content)
    elif damage == "cut":
        path.write_bytes(content[:position])
    elif damage == "append":
        path.write_bytes(content + b"more")
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()
        if damage == "folder":
            path.mkdir()
    (again,) = prepare_cases([case], SMALL, tmp_path / "cache")
    assert same(good, again)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


PREPARE = """
import hashlib, sys
from pathlib import Path
import numpy as np
from glioseg.dataset.cache import prepare_cases
from glioseg.dataset.find import find_cases
from glioseg.prepare import Preparation
cases = find_cases(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
digest = hashlib.sha256()
for case in prepare_cases(cases, Preparation(size=16), Path(sys.argv[2])):
    digest.update(case.id.encode() + case.images.tobytes() + case.targets.tobytes())
print(digest.hexdigest())
"""


def start(data: Path, cache: Path, before: str = "") -> subprocess.Popen[str]:
    """A process that prepares ``data`` once it is told to go."""
    process = subprocess.Popen(
        [sys.executable, "-c", before + PREPARE, str(data), str(cache)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize("damaged", [False, True])
def test_processes_that_start_at_once_get_the_same_arrays(few_slices, tmp_path, damaged) -> None:
    cases = find_cases(few_slices)
    expected = hashlib.sha256()
    for case in prepare_cases(cases, SMALL, tmp_path / "good"):
        expected.update(case.id.encode() + case.images.tobytes() + case.targets.tobytes())
    if damaged:
        prepare_cases(cases, SMALL, tmp_path / "cache")
        for folder in folders(tmp_path / "cache"):
            (folder / "images.npy").write_bytes(b"damaged")
    processes = [start(few_slices, tmp_path / "cache") for _ in range(2)]
    for process in processes:
        go(process)
    for process in processes:
        found, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        assert found.strip() == expected.hexdigest()
    assert [path.name for path in (tmp_path / "cache").rglob(".part-*")] == []
    assert len(folders(tmp_path / "cache")) == 2


def test_what_a_killed_process_left_is_not_taken_for_whole(case, tmp_path) -> None:
    script = """
import glioseg.dataset.cache as cache, time
def stop(*_):
    print("half", flush=True)
    time.sleep(60)
cache.write_text = lambda path, text: stop() if path.name == "meta.json" else None
"""
    with start(tmp_path / "data", tmp_path / "cache", script) as process:
        go(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.kill()
    found, good = (prepare_cases([case], SMALL, tmp_path / cache)[0] for cache in ("cache", "good"))
    assert same(found, good)


# ---------------------------------------------------------------- a cache that cannot be written


def test_a_cache_that_is_only_read(case, tmp_path, read_only) -> None:
    cases = [case, replace(case, source=replace(case.source, id="another"))]
    cache = tmp_path / "cache"
    prepare_cases(cases, SMALL, cache)
    for folder in [path for path in cache.rglob("*") if path.is_dir()]:
        folder.chmod(0o555)
    shutil.rmtree(cache / "content")  # the cache came from another machine
    with read_only(cache):
        assert len(prepare_cases(cases, SMALL, cache)) == 2, "what is in it can be used"
        with pytest.raises(InputError) as caught:
            prepare_cases(cases, Preparation(size=32), cache)
    (fault,) = caught.value.faults
    assert fault.where == str(cache)
    assert "no permission to write" in str(fault)
    assert "GLIOSEG_CACHE" in fault.cure


def test_a_file_where_the_cache_should_be(few_slices, tmp_path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(InputError, match="a file of that name"):
        prepare_cases(find_cases(few_slices), SMALL, tmp_path / "taken")


def test_a_cache_on_a_full_disk(few_slices, full_disk) -> None:
    with pytest.raises(InputError) as caught:
        prepare_cases(find_cases(few_slices), Preparation(size=64), full_disk / "cache")
    (fault,) = caught.value.faults
    assert "a full disk" in str(fault)
    assert list(full_disk.rglob("*.npy")) == []
