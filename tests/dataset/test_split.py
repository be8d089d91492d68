"""Patients never stand on both sides, whatever the split; sites are spread; errors name the cure."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from glioseg.dataset.case import person_of
from glioseg.dataset.find import find_cases
from glioseg.dataset.split import REFERENCE_VALIDATION, Split, split_patients
from glioseg.errors import InputError
from glioseg.recipe import SplitChoice

patients_and_sites = st.dictionaries(
    st.text("abcXYZ019_", min_size=1, max_size=6),
    st.none() | st.sampled_from(("CS", "DU", "HT", "FG")),
    min_size=2,
    max_size=40,
).map(lambda known: (list(known), list(known.values())))

seeds = st.integers(0, 2**31 - 1)
PATIENTS = [f"p{number:02d}" for number in range(20)]


def check_split(split: Split, patients: list[str]) -> None:
    assert not set(split.train) & set(split.validation)
    assert sorted(split.train + split.validation) == sorted(patients)
    assert list(split.train) == sorted(split.train)
    assert list(split.validation) == sorted(split.validation)


# ---------------------------------------------------------------- kfold


@given(patients_and_sites, st.integers(2, 12), seeds, st.randoms())
def test_the_folds_are_a_partition_that_spreads_the_sites(known, folds, seed, order) -> None:
    patients, sites = known
    assume(folds <= len(patients))
    splits = [
        split_patients(SplitChoice(name="kfold", folds=folds, fold=fold, seed=seed), patients, sites)
        for fold in range(folds)
    ]
    for split in splits:
        check_split(split, patients)
    assert sorted(patient for split in splits for patient in split.validation) == sorted(patients)
    sizes = [len(split.validation) for split in splits]
    assert max(sizes) - min(sizes) <= 1
    site_of = dict(zip(patients, sites, strict=True))
    for site in set(sites):
        counts = [sum(site_of[patient] == site for patient in split.validation) for split in splits]
        assert max(counts) - min(counts) <= 1, f"site {site} in the folds: {counts}"
    # The order in which the patients come does not matter.
    shuffled = list(zip(patients, sites, strict=True))
    order.shuffle(shuffled)
    again = split_patients(
        SplitChoice(name="kfold", folds=folds, seed=seed), *map(list, zip(*shuffled, strict=True))
    )
    assert again == splits[0]


def test_the_seed_deals_anew_and_is_on_record() -> None:
    splits = [split_patients(SplitChoice(name="kfold", seed=seed), PATIENTS) for seed in range(4)]
    assert len({split.validation for split in splits}) > 1
    assert [split.name for split in splits] == [f"kfold-0of5-seed{seed}" for seed in range(4)]


@pytest.mark.parametrize(("folds", "fold"), [(5, 5), (5, 9), (21, 0)])
def test_folds_that_do_not_exist(folds: int, fold: int) -> None:
    with pytest.raises(InputError, match=rf"fold {fold} of {folds}.*Set split\.fold and split\.folds"):
        split_patients(SplitChoice(name="kfold", folds=folds, fold=fold), PATIENTS)


# ---------------------------------------------------------------- holdout


@given(patients_and_sites, st.floats(0.01, 0.99), seeds)
def test_a_holdout_takes_its_share_of_every_site(known, fraction, seed) -> None:
    patients, sites = known
    choice = SplitChoice(name="holdout", fraction=fraction, seed=seed)
    left = len(patients) * (1 - fraction)
    assume(abs(left - 1) > 1e-9)
    if left < 1:  # the share is everybody
        with pytest.raises(InputError, match="no training patient"):
            split_patients(choice, patients, sites)
        return
    split = split_patients(choice, patients, sites)
    check_split(split, patients)
    assert abs(len(split.validation) - fraction * len(patients)) <= 1
    for site in set(sites):
        of_site = [patient for patient, own in zip(patients, sites, strict=True) if own == site]
        taken = len(set(of_site) & set(split.validation))
        assert abs(taken - fraction * len(of_site)) <= 1
    assert split_patients(choice, patients, sites) == split


@pytest.mark.parametrize(("count", "fraction"), [(25, 0.28), (50, 0.14), (20, 0.65)])
def test_shares_that_rounding_puts_behind_the_end(count: int, fraction: float) -> None:
    split = split_patients(
        SplitChoice(name="holdout", fraction=fraction), [str(number) for number in range(count)]
    )
    assert len(split.validation) == round(count * fraction)


# ---------------------------------------------------------------- persons

SCANNED_TWICE = [
    *(f"sub-{number:02}_ses-{session}" for number in range(5) for session in "ab"),
    *(f"BraTS-GLI-{number:05}-{time:03}" for number in range(5) for time in (0, 1, 101)),
    "TCGA_CS_4941_19960909",
    "TCGA_CS_4941_19970101",
    "case_001",
    "case_002",
]


@pytest.mark.parametrize("fold", range(3))
@pytest.mark.parametrize("name", ["kfold", "holdout", "reference"])
def test_no_person_stands_on_both_sides(name: Any, fold: int) -> None:
    split = split_patients(SplitChoice(name=name, folds=3, fold=fold, fraction=0.3, seed=fold), SCANNED_TWICE)
    check_split(split, SCANNED_TWICE)
    assert not {person_of(scan) for scan in split.train} & {person_of(scan) for scan in split.validation}
    assert len({person_of(scan) for scan in SCANNED_TWICE}) == 13


def test_a_file_that_parts_the_scans_of_a_person_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "validation.txt"
    file.write_text("sub-00_ses-a\ncase_001\n")
    with pytest.raises(InputError, match=r"all scans of a person on one side.*sub-00_ses-a"):
        split_patients(SplitChoice(name="file", file=str(file)), SCANNED_TWICE)


# ---------------------------------------------------------------- reference


def test_the_reference_patients() -> None:
    assert set(REFERENCE_VALIDATION) == {
        "TCGA_HT_7616_19940813", "TCGA_CS_6668_20011025", "TCGA_CS_4944_20010208", "TCGA_HT_7879_19981009",
        "TCGA_DU_7014_19860618", "TCGA_DU_6408_19860521", "TCGA_DU_6404_19850629", "TCGA_DU_5851_19950428",
        "TCGA_CS_6667_20011105", "TCGA_HT_7692_19960724",
    }  # fmt: skip
    assert list(REFERENCE_VALIDATION) == sorted(REFERENCE_VALIDATION)


def test_the_reference_patients_stand_where_the_original_draws_them() -> None:
    """``random.seed(42); random.sample(sorted(patients), k=10)`` takes the same places of any 110 names.

    The reference patients, sorted, have the order of those places, and as the sites are sorted too, each
    site's patients lie in the range that 110 patients leave for it.
    """
    places = sorted(random.Random(42).sample(range(110), k=10))
    # Patients of each site in the public data set, in the order of their names.
    sites = {"CS": 16, "DU": 45, "EZ": 1, "FG": 14, "HT": 34}
    assert sum(sites.values()) == 110
    named = [site for site, count in sites.items() for _ in range(count)]
    assert [named[place] for place in places] == [id.split("_")[1] for id in REFERENCE_VALIDATION]


def test_the_reference_of_the_patients_that_there_are(data_folder) -> None:
    cases = find_cases(data_folder)
    split = split_patients(SplitChoice(), [case.id for case in cases], [case.site for case in cases])
    check_split(split, [case.id for case in cases])
    assert split.validation == REFERENCE_VALIDATION
    assert len(split.train) == len(cases) - 10
    assert split.name == "reference"


@given(patients_and_sites, seeds)
def test_other_data_than_the_public_ones_hold_patients_out(known, seed) -> None:
    patients, sites = known
    split = split_patients(SplitChoice(seed=seed), patients, sites)
    held_out = split_patients(SplitChoice(name="holdout", seed=seed), patients, sites)
    check_split(split, patients)
    assert (split.train, split.validation) == (held_out.train, held_out.validation)
    assert split.name == f"{held_out.name}-instead-of-reference"
    assert "10 patients and 10 of them are not in this data set" in split.note
    assert f"{len(split.validation)} of the {len(patients)} patients" in split.note
    assert held_out.note == ""


def test_a_part_of_the_public_data_holds_patients_out_and_says_so() -> None:
    patients = [*REFERENCE_VALIDATION[2:], "TCGA_XX_0001_20000101"]
    split = split_patients(SplitChoice(), patients)
    check_split(split, patients)
    assert "10 patients and 2 of them are not in this data set" in split.note
    assert "--set split.name=kfold" in split.note
    assert split.name == "holdout-0.1-seed0-instead-of-reference"
    with pytest.raises(InputError, match="no training patient among 10"):
        split_patients(SplitChoice(), REFERENCE_VALIDATION)
    with pytest.raises(InputError, match="no training patient among 1"):
        split_patients(SplitChoice(), ["p1"])


# ---------------------------------------------------------------- file and all


def test_a_text_file_names_the_validation(tmp_path: Path) -> None:
    file = tmp_path / "validation.txt"
    file.write_bytes(b"\xef\xbb\xbfp03\r\n\r\n  p01 \r\n")
    split = split_patients(SplitChoice(name="file", file=str(file)), PATIENTS)
    assert split.validation == ("p01", "p03")
    assert split.name == "validation.txt"
    check_split(split, PATIENTS)


def test_a_json_file_names_both_sides(tmp_path: Path) -> None:
    file = tmp_path / "patients.json"
    file.write_text(json.dumps({"train": ["p02", "p01"], "validation": ["p03"]}), encoding="utf-8")
    assert split_patients(SplitChoice(name="file", file=str(file)), PATIENTS) == Split(
        ("p01", "p02"), ("p03",), "patients.json"
    )
    file.write_text(json.dumps({"train": [1, 2], "validation": [3]}), encoding="utf-8")
    assert split_patients(SplitChoice(name="file", file=str(file)), ["1", "2", "3"]).train == ("1", "2")
    with pytest.raises(InputError, match="none named 1, 2, 3"):
        split_patients(SplitChoice(name="file", file=str(file)), PATIENTS)


FILES = {
    "not there": (None, "No such file"),
    "no json": ("{'train': [", "JSON"),
    "no validation": ('{"train": ["p01"]}', "validation"),
    "a list": ('["p01"]', "JSON"),
    "a name for a list": ('{"train": ["p01"], "validation": "p02"}', "'p02' is no list"),
    "both sides": ('{"train": ["p01", "p02"], "validation": ["p02"]}', "both: p02"),
    "unknown": ('{"train": ["p01", "x9"], "validation": ["p02", "x8"]}', "none named x8, x9"),
    "nobody trains": ('{"train": [], "validation": ["p02"]}', "no training patient"),
    "nobody validates": ('{"train": ["p02"], "validation": []}', "no validation patient"),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_that_do_not_split(kind: str, tmp_path: Path) -> None:
    content, words = FILES[kind]
    file = tmp_path / "patients.json"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        split_patients(SplitChoice(name="file", file=str(file)), PATIENTS)
    assert "patients.json" in str(caught.value)
    assert words in str(caught.value)
    assert all(fault.cure.endswith(".") for fault in caught.value.faults)


def test_a_text_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_bytes(b"p01\xff\xfe\n")
    with pytest.raises(InputError, match=r"names\.txt: expected JSON"):
        split_patients(SplitChoice(name="file", file=str(file)), PATIENTS)
    file.write_bytes(b"\n\n")
    with pytest.raises(InputError, match="no validation patient"):
        split_patients(SplitChoice(name="file", file=str(file)), PATIENTS)
    with pytest.raises(InputError, match=r"--set split\.file=patients\.json"):
        split_patients(SplitChoice(name="file"), PATIENTS)


def test_all_trains_on_everybody() -> None:
    assert split_patients(SplitChoice(name="all"), PATIENTS[::-1]) == Split(tuple(PATIENTS), (), "all")


# ---------------------------------------------------------------- rules


def test_a_patient_on_both_sides_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="both sides of the split: b"):
        Split(("a", "b"), ("b", "c"), "by hand")
    for name in ("kfold", "holdout", "all", "reference"):
        with pytest.raises(ValueError, match="listed twice"):
            split_patients(SplitChoice(name=name), ["a", "b", "a"])


@pytest.mark.parametrize(
    "settings", [{"folds": 1}, {"fold": -1}, {"fraction": 0}, {"fraction": 1}, {"name": "slices"}, {"k": 3}]
)
def test_settings_out_of_range(settings: dict) -> None:
    with pytest.raises(ValidationError):
        SplitChoice(**settings)


def test_the_sites_of_the_samples(cases) -> None:
    assert Counter(case.site for case in cases.values()) == {"CS": 2, "HT": 1}
