"""The catalogue says the same in every language, and nothing in it is left over."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import glioseg
from glioseg.words import LANGUAGES, catalogue

SOURCE = "".join(path.read_text(encoding="utf-8") for path in Path(glioseg.__file__).parent.rglob("*.py"))
OTHERS = [language for language in LANGUAGES if language != "en"]


def blanks(entry: str | Mapping[str, Any]) -> set[str]:
    text = entry if isinstance(entry, str) else " ".join(entry.values())
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("language", OTHERS)
def test_every_sentence_is_there_with_the_same_blanks(language: str) -> None:
    english, other = catalogue("en"), catalogue(language)
    assert other.keys() == english.keys()
    for section, entries in english.items():
        assert other[section].keys() == entries.keys(), section
        for key, entry in entries.items():
            # A translation may leave out what an English sentence quotes, but never asks for more.
            assert blanks(other[section][key]) <= blanks(entry), (section, key)
            if section == "faults":
                assert other[section][key].keys() == entry.keys(), key


def test_every_fault_can_happen() -> None:
    # The codes "..._near" belong to names that resemble a known one.
    codes = {code.removesuffix("_near") for code in catalogue("en")["faults"]}
    assert sorted(code for code in codes if f'"{code}"' not in SOURCE) == []


def test_every_fault_that_can_happen_is_in_the_catalogue() -> None:
    used = set(re.findall(r'\bFault\(\s*"(\w+\.\w+)"', SOURCE))
    assert used
    assert used <= set(catalogue("en")["faults"])
