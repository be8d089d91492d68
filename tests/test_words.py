"""The catalogue: every sentence in both languages, with the same parameters, and none that nothing says."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
import string
from collections import Counter
from pathlib import Path

import pytest

from glioseg.errors import PARTS, Fault
from glioseg.files import write_fault
from glioseg.io.names import listed
from glioseg.words import FOLDER, LANGUAGES, Joined, Note, Phrase, catalogue, said, sentence, tomllib

ROOT = FOLDER.parent
FAULTS = {"Fault", "SeriesFault"}
PHRASES = {"Phrase"}
SAYING = {"say", "label"}
"""Methods of pages whose first argument is the code of a sentence."""
SOURCES = sorted(ROOT.rglob("*.py"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def trees() -> list[tuple[Path, ast.Module]]:
    return [(path, ast.parse(path.read_text(encoding="utf-8"))) for path in SOURCES]


def name_of(called: ast.expr) -> str:
    """Name of a function or method that is called."""
    return getattr(called, "attr", getattr(called, "id", ""))


def codes_called(names: set[str]) -> set[str]:
    """The literals that are the first argument of calls of these names."""
    return {
        node.args[0].value
        for _, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and name_of(node.func) in names
        if node.args and isinstance(node.args[0], ast.Constant) and "." in str(node.args[0].value)
        if len(node.args) < 4
    }


def literals() -> tuple[set[str], set[str]]:
    """All texts in the code, and all beginnings of texts that the code completes."""
    whole: set[str] = set()
    begun: set[str] = set()
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                whole.add(node.value)
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                begun.add(str(node.values[0].value))
    return whole, {text for text in begun if re.fullmatch(r"[a-z_]+(\.[a-z_]+)*\.", text)}


def parameters(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def leaves(table: object, place: str) -> dict[str, str]:
    if isinstance(table, dict):
        return {
            key: text for name, each in table.items() for key, text in leaves(each, f"{place} {name}").items()
        }
    return {place: str(table)}


def in_both(language: str) -> dict[str, object]:
    """Without what is said of the HTTP API, whose English stands in its code."""
    return {section: table for section, table in catalogue(language).items() if section != "api"}


def said_of_api(part: object) -> set[str]:
    """The paragraphs of every description in what the API says of itself, as far as the page shows them."""
    if isinstance(part, list):
        return set().union(*map(said_of_api, part))
    if not isinstance(part, dict):
        return set()
    found = part["description"].split("\n\n") if isinstance(part.get("description"), str) else []
    inner = [each for key, each in part.items() if key not in ("content", "schema", "requestBody")]
    return {" ".join(text.split()) for text in found}.union(*map(said_of_api, inner))


def test_what_is_said_of_the_api_is_said_in_chinese() -> None:
    pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
    from glioseg.server.app import create_app

    api = create_app().api.openapi()
    assert said_of_api([api["info"], api["paths"]]) == catalogue("zh")["api"].keys()
    assert all(CHINESE.search(text) for text in catalogue("zh")["api"].values())


def test_every_sentence_is_there_in_every_language_with_the_same_parameters() -> None:
    english, chinese = (leaves(in_both(language), "") for language in ("en", "zh"))
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        said, in_chinese = parameters(text), parameters(chinese[key])
        assert in_chinese <= said, key
        assert said - in_chinese <= {"reason"}, (
            f"{key}: only what a library said, in its English, may be left out"
        )


def test_every_fault_has_its_parts() -> None:
    for language in LANGUAGES:
        for code, parts in catalogue(language)["faults"].items():
            assert set(PARTS) - {"where"} <= parts.keys() <= set(PARTS), code


def test_chinese_sentences_are_chinese() -> None:
    """Only parameters, signs, units, names of metrics and settings, and commands may stand alone."""
    plain = {key: re.sub(r"\{\w*\}|\w+\.\w+", "", text) for key, text in leaves(in_both("zh"), "").items()}
    english = {text for text in plain.values() if re.search("[a-z]", text) and not CHINESE.search(text)}
    commands = {text for text in english if re.fullmatch("glioseg( .*)?|--.*|segment|train", text)}
    assert english - commands == {"“best”", "English", "mm", "Dice (DSC)", "IoU"}


def test_no_two_files_define_a_key() -> None:
    for language in LANGUAGES:
        times: Counter[tuple[str, str]] = Counter()
        for path in (FOLDER / language).glob("*.toml"):
            for section, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
                times.update((section, key) for key in table)
        assert [key for key, count in times.items() if count > 1] == []
    files = [{path.name for path in (FOLDER / language).glob("*.toml")} for language in LANGUAGES]
    assert files[0] == files[1] - {"api.toml"}


def test_every_code_that_is_used_is_in_the_catalogue() -> None:
    assert codes_called(FAULTS) <= catalogue("en")["faults"].keys()
    assert codes_called(PHRASES | SAYING) <= catalogue("en")["sentences"].keys()


def test_no_code_is_unused() -> None:
    whole, begun = literals()
    for section in ("faults", "sentences"):
        keys = catalogue("en")[section].keys()
        assert [key for key in keys if key not in whole and not key.startswith(tuple(begun))] == []


def test_no_fault_is_four_sentences() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Fault"
        if len(node.args) > 2
    ]
    assert found == []


def test_calls_give_the_parameters_of_their_sentences() -> None:
    """Calls without ``**`` whose code is a literal name exactly what the sentences take."""
    wrong = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and node.args):
                continue
            kinds = {"Fault": "faults", **dict.fromkeys(PHRASES | SAYING, "sentences")}
            section = kinds.get(name_of(node.func))
            first = node.args[0]
            if section is None or not isinstance(first, ast.Constant) or len(node.args) > 2:
                continue
            texts = leaves(catalogue("en")[section][str(first.value)], "").values()
            named = set().union(*(parameters(text) for text in texts))
            given = {keyword.arg for keyword in node.keywords}
            if None in given and given - {None} <= named:
                continue
            if given != named:
                wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert wrong == []


# --- how sentences are filled -----------------------------------------------------------------


def test_a_phrase_is_said_in_the_language_of_its_sentence() -> None:
    fault = Fault("io.sequences_without_flair", "a.nii", sequences=Joined([Phrase("sequence.pre"), "x"]))
    assert fault.found == "only pre, x"
    assert fault.part("found", "zh") == "只有增强前、x"


def test_a_list_says_how_many_more_there_are() -> None:
    names = listed("abcde")
    assert str(names) == f"{names}" == "a, b, c and 2 more"
    assert names.text("zh") == "a、b、c 等，另有 2 个"
    assert listed("ab") == "a, b"
    assert not listed([])


def test_a_part_of_a_fault_is_said_in_the_language_of_another() -> None:
    inner = write_fault(Path("x"), PermissionError(13, "no"))
    fault = Fault("dataset.cache", "y", reason=inner.phrase("found"))
    assert (fault.found, fault.part("found", "zh")) == ("no permission to write", "没有写入权限")


@pytest.mark.parametrize("again", [copy.deepcopy, lambda fault: pickle.loads(pickle.dumps(fault))])
def test_faults_travel_between_processes(again) -> None:
    inner = write_fault(Path("x"), PermissionError(13, "no")).phrase("found")
    fault = Fault(
        "io.several_scans",
        "y",
        count=5,
        names=listed(["a", inner, "c", "d", Phrase("grid.away", distance=3)]),
    )
    other = again(fault)
    assert other == fault
    for language in LANGUAGES:
        assert other.text(language) == fault.text(language)


def test_every_parameter_of_a_fault_can_be_changed_also_inside_of_phrases() -> None:
    def clean(text: str) -> str:
        return text.replace("/secret/", "")

    fault = Fault("io.several_scans", "/secret/y", count=5, names=listed(["/secret/a", "b", "c", "d"]))
    for language in LANGUAGES:
        assert "secret" in fault.text(language)
        assert "secret" not in fault.changed(clean).text(language)
    assert fault.changed(clean).found == "5 scans (a, b, c and 1 more)"


def test_a_note_is_the_key_of_a_doubt_and_keeps_what_it_is_filled_with() -> None:
    fault = Fault("nifti.empty", "T1.nii.gz")
    note = Note("left_out_unread", sequence="post", file="T1.nii.gz", found=fault.phrase("found"))
    for copied in (note, copy.deepcopy(note), pickle.loads(pickle.dumps(note))):
        assert copied == "left_out_unread"
        assert said(copied).endswith("was left out: an empty file (0 bytes).")
        assert "0 字节" in said(copied, "zh")
    assert json.dumps([note]) == '["left_out_unread"]'
    assert said("turned") == sentence("doubts", "turned")


def test_a_sentence_of_another_language_or_key_is_refused() -> None:
    assert sentence("sentences", "list.more", "zh", names="a", count=2) == "a 等，另有 2 个"
    with pytest.raises(KeyError):
        catalogue("de")
    with pytest.raises(KeyError):
        sentence("sentences", "nothing")
