"""Slices come in the order of the numbers in their names, however people write these."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glioseg.io.names import split_number
from glioseg.io.numbering import missing, numbered

TWELVE = range(1, 13)
PLACES = [-29.5 + 5 * number for number in range(12)]

ONE_SCAN = {
    "at the end": [f"scan_{number}" for number in TWELVE],
    "behind a hyphen": [f"scan-{number}" for number in TWELVE],
    "behind a hyphen and blanks": [f"scan - {number}" for number in TWELVE],
    "with zeros": [f"IM{number:04}" for number in TWELVE],
    "numbers alone": [str(number) for number in TWELVE],
    "brackets": [f"scan ({number})" for number in TWELVE],
    "square brackets": [f"scan[{number}]" for number in TWELVE],
    "browser": ["scan", *(f"scan ({number})" for number in TWELVE)],
    "fractions": [f"z_{place}" for place in PLACES],
    "fractions with a comma": [f"z={place}".replace(".", ",") for place in PLACES],
    "fractions in brackets": [f"z ({place})" for place in PLACES],
    "fractions right behind the name": [f"z{place}" for place in PLACES],
    "fractions without sign": [f"loc {place + 40}" for place in PLACES],
    "narrow fractions": [f"loc_{0.8 * number:.2f}" for number in TWELVE],
    "fractions of some": [f"z_{2.5 * number:g}" for number in TWELVE],
    "signs": [f"z_{number}" for number in range(-6, 6)],
    "signs right behind the name": [f"z{number}" for number in range(-6, 6)],
    "plus and minus": [f"z_{number:+}" for number in range(-6, 6)],
    "in front": [f"{number}_scan" for number in TWELVE],
    "in front with zeros": [f"{number:03}-axial slice" for number in TWELVE],
    "in front, in brackets": [f"({number}) scan" for number in TWELVE],
    "places in front": [f"{place}_axial" for place in PLACES],
    "of so many": [f"scan {number} of 12" for number in TWELVE],
    "of so many, without blanks": [f"scan_{number}of12" for number in TWELVE],
    "places in millimetres": [f"loc_{place}mm" for place in PLACES],
    "numbers with a unit": [f"slice {5 * number} mm" for number in TWELVE],
    "with a minus sign": [f"z_{place}".replace("-", "\N{MINUS SIGN}") for place in PLACES],
    "a slice is missing": [f"{number} scan" for number in TWELVE if number != 5],
    "dates before": [f"p_2019-01-05_{number}" for number in TWELVE],
    "a version before": [f"p v1.2_{number}" for number in TWELVE],
    "an identifier of DICOM": [f"1.2.840.113619.2.{number}" for number in TWELVE],
    "as in kaggle_3m": [f"TCGA_CS_4941_19960909_{number}" for number in TWELVE],
}


@pytest.mark.parametrize("name", ONE_SCAN)
def test_slices_of_one_scan(name: str) -> None:
    stems = ONE_SCAN[name]
    mixed = random.Random(0).sample(stems, len(stems))
    read = numbered(mixed)
    assert len({scan for scan, _ in read}) == 1
    numbers = [number for _, number in read if number is not None]
    assert [mixed[numbers.index(number)] for number in sorted(numbers)] == stems


SEVERAL = {
    "patients with their slices": ([f"p{p}.{n}" for p in (1, 2, 3) for n in range(1, 10)], 3),
    "two slices a patient": ([f"p{p}.{n}" for p in (1, 2, 3) for n in (1, 2)], 3),
    "slices behind a hyphen": ([f"p{p}-{n}" for p in (1, 2) for n in range(1, 7)], 2),
    "dates in front": ([f"201901{day:02}_flair" for day in range(1, 9)], 8),
    "numbers of patients in front": ([f"{number}_flair" for number in (3, 71, 140)], 3),
    "two pictures": (["1_flair", "2_flair"], 2),
    "dates at the end": (["p_2019-01-05", "p_2019-02-05", "p_2020-02-06"], 3),
    "copies": (["scan_1 (1)", "scan_2 (1)", "scan_3 (1)"], 3),
    "no numbers": (["left", "right", "3D view"], 3),
    "versions": (["scan v1.0", "scan v1.1", "scan v2.0"], 2),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_what_belongs_to_several_scans(name: str) -> None:
    stems, count = SEVERAL[name]
    assert len({scan for scan, _ in numbered(stems)}) == count


@given(st.lists(st.from_regex(r"[A-Za-z]{1,3}[ _-]?[0-9]{1,4}", fullmatch=True), min_size=1, max_size=8))
def test_whole_numbers_at_the_end_are_read_one_by_one(stems: list[str]) -> None:
    """So names that were in order always stay so."""
    stems = [stem for stem in stems if "-" not in stem]
    assert numbered(stems) == [split_number(stem) for stem in stems]


def test_names_of_the_public_data_set_are_read_as_before() -> None:
    stems = [
        f"TCGA_{site}_{date}_{n}" for site in ("CS_4941", "HT_7616") for date in (19960909,) for n in TWELVE
    ]
    assert numbered(stems) == [split_number(stem) for stem in stems]


@pytest.mark.parametrize(
    ("numbers", "gaps"),
    [
        ([1, 2, 4, 5], [3]),
        ([5, 1, 2], [3, 4]),
        ([7], []),
        ([10, 20, 40], [30]),
        ([3, 5, 7, 11], [9]),
        ([-4.5, 0.5, 10.5, 15.5], [5.5]),
        ([0.8 * number for number in TWELVE], []),
        ([20190105, 20190214, 20200207], []),
        ([1, 2, 10**15], []),
    ],
)
def test_missing_numbers(numbers: list[float], gaps: list[float]) -> None:
    assert missing(numbers) == pytest.approx(gaps)
