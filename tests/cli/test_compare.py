"""What ``glioseg compare`` prints: whole at any width, the runs by name, and what differs."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.run_kit import record, store
from typer.testing import CliRunner

pytest.importorskip("torch")

from glioseg.cli import app
from glioseg.cli.columns import paragraph, table
from glioseg.errors import InputError
from glioseg.runs.compare import compare_rows, overview
from glioseg.runs.rows import changes, group_runs

GOOD = np.linspace(0.7, 0.9, 10)
LOWER = GOOD - np.linspace(0.05, 0.1, 10)
LONG = "unet_plus_plus_with_deep_supervision_and_a_very_long_name-20261122-231500"


def printed(columns: int, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    done = CliRunner().invoke(app, ["compare", *arguments, "--threads", "1"])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.parametrize("columns", [80, 60, 50, 200])
def test_headings_are_never_broken_and_scores_never_cut(
    columns: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store(tmp_path / LONG, GOOD.tolist(), "train.seed=1")
    second = store(tmp_path / "second", (GOOD - 0.01).tolist(), "train.seed=2")
    other = store(tmp_path / "other", LOWER.tolist(), "loss.name=bce")
    monkeypatch.chdir(tmp_path)
    said = printed(columns, monkeypatch, first.path.name, second.path.name, other.path.name)
    assert columns < 80 or re.search(r"experiment +runs +best val +epoch +DSC \(95 % interval\) +seeds", said)
    for title in ("DSC (95 % interval)", "seeds", "parameters", "GMAC"):
        assert title in said
    for score in (r"0\.795 \(0\.\d{3}-0\.\d{3}\)", r"0\.725 \(0\.\d{3}-0\.\d{3}\)", r"0\.790-0\.800"):
        assert re.search(score, said)
    assert LONG in said
    # Only a name without a space may be longer than the line.
    assert all(len(line) <= columns or " " not in line.strip(" ,") for line in said.splitlines())


def test_a_single_patient_has_no_interval(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(tmp_path / "a", [0.8])
    store(tmp_path / "b", [0.7], "loss.name=bce")
    monkeypatch.chdir(tmp_path)
    said = printed(120, monkeypatch, "a", "b")
    assert "nan" not in said
    assert re.search(r"0\.800 +one", said)


def test_chinese_says_the_same_in_columns_of_one_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(tmp_path / "a", GOOD.tolist())
    store(tmp_path / "b", LOWER.tolist(), "loss.name=bce")
    monkeypatch.chdir(tmp_path)
    said = printed(120, monkeypatch, "a", "b", "--lang", "zh", "-o", "out")
    assert not re.search(r"experiment|baseline|instead of|Written|better than", said)
    assert "  loss.name = bce（基线为 dice）" in said
    assert "已写入 out：table.csv" in said
    header, rule, first, second = said.splitlines()[:4]
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in header)
    assert len(header) + wide == len(rule)
    assert max(map(len, (first, second))) <= len(rule)
    with pytest.raises(InputError, match="one of en, zh"):
        CliRunner().invoke(app, ["compare", "a", "b", "--lang", "de"], catch_exceptions=False)


def test_runs_are_named_with_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(tmp_path / "a", GOOD.tolist())
    store(tmp_path / "b", LOWER.tolist(), "loss.name=bce", "train.batch_size=4")
    monkeypatch.chdir(tmp_path)
    said = printed(80, monkeypatch, "a", "b")
    assert "a: a\n  the baseline\n" in said
    assert "b: b\n  loss.name = bce instead of dice\n  train.batch_size = 4 instead of 16\n" in said
    assert "Which of 2 changes is the reason is not shown: loss," in said.replace("\n", " ")


def test_runs_of_one_name_in_two_places_stay_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for place, values in (("x", GOOD), ("y", LOWER)):
        store(
            tmp_path / place / "run", values.tolist(), "loss.name=bce" if place == "y" else "loss.name=dice"
        )
    monkeypatch.chdir(tmp_path)
    said = printed(80, monkeypatch, "x/run", "y/run", "-o", "out")
    assert "x/run is better than y/run by more than the noise" in said.replace("\n", " ")
    stored = json.loads((tmp_path / "out" / "comparison.json").read_text(encoding="utf-8"))
    assert [line["experiment"] for line in stored["table"]] == ["x/run", "y/run"]
    assert [line["folders"] for line in stored["table"]] == ["x/run", "y/run"]
    assert stored["comparisons"][0]["changes"] == ["loss"]
    assert stored["comparisons"][0]["attributed"] is True


def test_one_run_twice_is_one_run(tmp_path: Path) -> None:
    run = store(tmp_path / "run", GOOD.tolist())
    with pytest.raises(InputError, match="two run folders or more"):
        overview([run.path, tmp_path / "other" / ".." / "run"], "own")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([], []),
        (["train.seed=3"], []),
        (["train.stuck_epochs=0"], []),
        (["loss.name=soft_iou", "loss.arguments={smooth=1}"], ["loss"]),
        (["loss.arguments={smooth=2}"], ["loss.arguments.smooth"]),
        (["optimizer.name=adamw", "optimizer.weight_decay=0.01"], ["optimizer"]),
        (["optimizer.rate=0.1", "optimizer.weight_decay=0.01"], ["optimizer.rate", "optimizer.weight_decay"]),
        (["network.name=attention_unet", "train.epochs=3"], ["network", "train.epochs"]),
    ],
)
def test_changes_are_counted_as_a_person_would(settings: list[str], expected: list[str]) -> None:
    base, other = record("a", [0.5]).recipe, record("b", [0.5], settings).recipe
    assert changes(other, base) == expected


def sentence(first: dict[str, float], second: dict[str, float], *settings: str, language: str = "en") -> str:
    rows = group_runs(
        [record("first", GOOD, settings, **first), record("second", LOWER, **second)],
        {"first": "first", "second": "second"},
    )
    (one,) = compare_rows([(rows[0], rows[1])], "own")
    assert one.verdict == "better"
    text = one.text(language)
    assert one.attributed == (text.count(".") == 0 if language == "zh" else " not shown" not in text)
    return text


def test_runs_on_other_data_are_no_seeds_of_each_other() -> None:
    one, again, elsewhere = (record(name, [0.5, 0.6]) for name in ("one", "again", "elsewhere"))
    elsewhere = replace(elsewhere, manifest={**elsewhere.manifest, "data_fingerprint": "other"})
    assert [row.runs for row in group_runs([one, again, elsewhere])] == [(one, again), (elsewhere,)]


def test_nothing_is_put_down_to_one_of_several_changes() -> None:
    assert "not shown" not in sentence({}, {}, "loss.name=bce")
    several = sentence({}, {}, "loss.name=bce", "train.epochs=3")
    assert several.endswith("Which of 2 changes is the reason is not shown: loss, train.epochs.")


@pytest.mark.parametrize("kind", [{"sensitivity": 0.99, "precision": 0.1}])
def test_to_beat_a_collapsed_baseline_shows_nothing(kind: dict[str, float]) -> None:
    rows = group_runs(
        [record("first", GOOD, ["loss.name=bce"]), record("second", LOWER, **kind)],
        {"first": "first", "second": "second"},
    )
    (one,) = compare_rows([(rows[0], rows[1])], "own")
    assert not one.attributed
    assert "second collapsed: it marks nearly everything." in one.sentence
    assert one.sentence.endswith("says nothing about what was changed.")
    assert "second 已崩溃" in one.text("zh")
    empty = record("second", np.zeros(10), sensitivity=0.0, precision=0.0)
    rows = group_runs([record("first", GOOD, ["loss.name=bce"]), empty], {"first": "a", "second": "b"})
    (one,) = compare_rows([(rows[0], rows[1])], "own")
    assert "b collapsed: it marks nothing." in one.sentence
    assert not one.attributed


def test_a_table_that_is_too_wide_is_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    said = table(("name", "a score", "another score"), [("x", "0.123", "0.456"), ("y", "0.7", "")])
    assert said == "x\n  a score: 0.123\n  another score: 0.456\ny\n  a score: 0.7\n"
    assert paragraph("one-two-three-four-five six", "  ") == "  one-two-three-four-five\n  six"
