"""Damaged input is refused in words: the file, what is wrong, what to do; and nothing is written."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest
from support.damaged import DAMAGED, SOUND, Damage

from glioseg.dataset.check import check
from glioseg.errors import InputError, raise_all
from glioseg.io import find_scans, read_scan


def run(arguments: list[str]) -> int:
    """Do what the verb does with its input, without a network; returns the number of scans or patients."""
    verb, *rest = arguments
    if verb == "check":
        census = check(rest[0])
        raise_all(census.faults)
        return census.patients
    parser = argparse.ArgumentParser()
    parser.add_argument("paths", nargs="*")
    for name in ("flair", "pre", "post"):
        parser.add_argument(f"--{name}")
    given = parser.parse_args(rest)
    if given.flair or given.pre or given.post:
        read_scan(flair=given.flair, pre=given.pre, post=given.post)
        return 1
    sources, faults = find_scans(given.paths)
    for source in sources:
        try:
            source.read()
        except InputError as error:
            faults += error.faults
    raise_all(faults)
    return len(sources)


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in sorted(folder.rglob("*"))}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("row", DAMAGED, ids=lambda row: row.name)
def test_damaged_input_is_refused_in_words(
    row: Damage, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    if not row.possible:
        pytest.skip(f"needs {row.needs}")
    arguments = row.make(tmp_path)
    before = tree(tmp_path)
    with pytest.raises(InputError) as caught:
        run(arguments)
    text = str(caught.value)
    for word in row.words:
        assert word in text
    assert len(text.splitlines()) == len(caught.value.faults), "one line a fault"
    for fault in caught.value.faults:
        assert all(part for part in (str(fault.where), fault.expected, fault.found)), fault
        assert fault.cure[0].isupper(), f"the cure is a sentence: {fault.cure!r}"
        assert fault.cure.endswith("."), f"the cure is a sentence: {fault.cure!r}"
    assert tree(tmp_path) == before, "nothing is written"
    assert capfd.readouterr() == ("", ""), "libraries keep quiet"
    assert caplog.records == []


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("row", SOUND, ids=lambda row: row.name)
def test_odd_but_sound_input_is_accepted(row: Damage, tmp_path: Path) -> None:
    assert run(row.make(tmp_path)) == 1


def test_the_table_is_large_enough_and_names_are_unique() -> None:
    assert len(DAMAGED) >= 40
    assert len({row.name for row in DAMAGED}) == len(DAMAGED)
