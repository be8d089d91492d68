"""Run folders are validated when they are opened: damage is a fault with its place, never a traceback."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from support.run_kit import store

from glioseg.errors import InputError
from glioseg.runs.folder import RunFolder
from glioseg.runs.record import RunRecord, read_curves, read_sound_runs
from glioseg.server.app import create_app
from glioseg.server.settings import Settings

GOOD = np.linspace(0.7, 0.9, 10).tolist()


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return store(tmp_path / "run", GOOD)


def test_a_sound_run_is_read(run: RunFolder) -> None:
    record = RunRecord.read(run.path)
    assert record.evaluation is not None
    assert record.evaluation.own["dice"].mean == pytest.approx(0.8)
    assert record.curves["epoch"] == [1, 2]


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "should be a valid dictionary"),
        ("null", "should be a valid dictionary"),
        ("{}", "status: Field required, and 1 more"),
        ('{"split": 3}', "status: Field required"),
        ('{"status": "started", "data": "x", "split": 3}', "split: should be a valid dictionary"),
        ('{"status": "started", "data": "x", "split": {"name": "a", "train": [3]}}', "split.train.0"),
        ('{"status": "begun", "data": "x"}', "status: should be 'started'"),
        ('{"status": "finished", "data": 3}', "data: should be a valid string"),
        ('{"status": "finished", "data": "x", "best_val_dsc": NaN}', "best_val_dsc"),
        ('{"status": "finished", "data": "x", "seed": -1}', "seed"),
        ('{"status": "finished", "data": "x", "note": "\\ud800"}', "half a character"),
        (DEEP, "too deep"),
        ('{"a":' * 100_000, "too deep"),
        ('{"status": 1' + "0" * 5000 + "}", "digits"),
        ("", "Expecting value"),
        ("status = finished", "Expecting value"),
    ],
    ids=lambda text: text[:30],
)
def test_a_damaged_manifest_is_one_fault(run: RunFolder, content: str, words: str) -> None:
    run.manifest_file.write_text(content, encoding="utf-8")
    for opened in (RunFolder.open, RunRecord.read):
        with pytest.raises(InputError) as caught:
            opened(run.path)
        (fault,) = caught.value.faults
        assert fault.where == str(run.manifest_file)
        assert words in fault.found


def test_a_manifest_that_is_no_text(run: RunFolder) -> None:
    run.manifest_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="decode"):
        RunFolder.open(run.path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("epoch,loss\n1,low\n", "line 2, loss: 'low' is no number"),
        ("epoch,loss\n1,0.5,7\n", "line 2: 3 values for 2 columns"),
        ("epoch,loss\n1\n", "line 2: 1 values for 2 columns"),
        ("epoch,epoch\n1,1\n", "each column once"),
        ("loss\n1\n", "'epoch' among them"),
        ("", "'epoch' among them"),
        ("epoch\ninf\n", "counted from 1"),
        ("epoch\nnan\n", "counted from 1"),
        ("epoch\n0\n", "counted from 1"),
        ("epoch\n1.5\n", "counted from 1"),
        ("epoch\n1e300\n", "counted from 1"),
        ("epoch,loss\n1,\x00\n", "line"),
        ("epoch,loss\n1," + "9" * 200_000 + "\n", "field"),
        ("{}", "'epoch' among them"),
    ],
    ids=lambda text: text[:20],
)
def test_a_damaged_table_of_epochs_is_one_fault(run: RunFolder, content: str, words: str) -> None:
    run.metrics_file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        RunRecord.read(run.path)
    (fault,) = caught.value.faults
    assert fault.where == str(run.metrics_file)
    assert words in fault.found


def test_a_training_that_diverged_can_be_read(run: RunFolder) -> None:
    run.metrics_file.write_text("epoch,loss,val_dsc\n1,0.5,0.4\n2,inf,\n3,nan,nan\n", encoding="utf-8")
    curves = read_curves(run)
    assert curves["epoch"] == [1, 2, 3]
    np.testing.assert_equal(curves["loss"], [0.5, np.nan, np.nan])
    assert RunRecord.read(run.path).best == (0.4, 1)


def test_a_run_that_was_not_trained_yet_has_no_rows(run: RunFolder) -> None:
    run.metrics_file.unlink()
    assert read_curves(run) == {"epoch": []}
    assert RunRecord.read(run.path).best is None


@pytest.mark.parametrize(
    "content",
    [
        "network = [[[[",
        "[network]\nname = 3",
        "[optimizer]\nrate = nan",
        "[trian]\nepochs = 3",
        "a = " + DEEP,
    ],
    ids=lambda text: text[:20],
)
def test_a_damaged_recipe_is_a_fault(run: RunFolder, content: str) -> None:
    run.recipe_file.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        RunFolder.open(run.path)
    assert all(str(run.recipe_file) in fault.where for fault in caught.value.faults)


def change(*keys: str, to: Any) -> Callable[[Any], Any]:
    def changed(content: Any) -> Any:
        table = content
        for key in keys[:-1]:
            table = table[key]
        table[keys[-1]] = to
        return content

    return changed


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: [],
        lambda content: None,
        lambda content: 3,
        lambda content: {},
        change("own", to=[]),
        change("own", to={}),
        change("own", "dice", to=None),
        change("own", "dice", "values", to=[0.5]),
        change("own", "dice", "values", "p1", to="high"),
        change("own", "dice", "values", "p1", to=1e9),
        change("own", "dice", "values", "p1", to=float("inf")),
        change("own", "dice", "command", to=3),
        change("own", "dice", "protocol", to=None),
        change("own", "dice", "protocol", "metric", to=["dice"]),
        change("own", "dice", "protocol", "threshold", to="half"),
        change("own", "dice", "protocol", "patients", to=3),
        change("reference", "protocol", "nonsense", to=1),
        change("false_positive_slices", to=3),
        change("false_positive_slices", "by_patient", to={"p1": [1]}),
        change("false_positive_slices", "by_patient", to={"p1": [-1, 2]}),
        change("evidence", to={"p1": {"certainty": "much"}}),
        change("expected_dice", to={"p1": "much"}),
        change("expected_dice", to={"p1": 7}),
        change("classes", to=[1]),
    ],
)
def test_damaged_scores_are_one_fault(run: RunFolder, damage: Callable[[Any], Any]) -> None:
    content = damage(json.loads(run.metrics.read_text(encoding="utf-8")))
    run.metrics.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        RunRecord.read(run.path)
    (fault,) = caught.value.faults
    assert fault.where == str(run.metrics)
    assert fault.found
    assert "\n" not in str(fault)


def test_all_that_is_wrong_with_a_run_is_told_at_once(run: RunFolder) -> None:
    run.metrics_file.write_text("{}", encoding="utf-8")
    run.metrics.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        RunRecord.read(run.path)
    assert [fault.code for fault in caught.value.faults] == ["runs.curves", "runs.scores_unreadable"]
    run.manifest_file.write_text("{}", encoding="utf-8")
    run.recipe_file.write_text("[", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        RunRecord.read(run.path)
    assert [fault.code for fault in caught.value.faults] == ["runs.manifest", "settings.no_toml"]


def test_a_damaged_run_never_hides_the_others(tmp_path: Path) -> None:
    paths = [store(tmp_path / name, GOOD).path for name in ("first", "second", "third")]
    RunFolder(paths[1]).manifest_file.write_text("[]", encoding="utf-8")
    records, faults = read_sound_runs(paths)
    assert list(records) == [paths[0], paths[2]]
    assert [fault.code for fault in faults[paths[1]]] == ["runs.manifest"]


@pytest.mark.parametrize("name", ["manifest.json", "metrics.csv", "recipe.toml", "evaluation/metrics.json"])
def test_the_server_shows_the_sound_runs_and_what_is_wrong_with_the_damaged_one(
    tmp_path: Path, name: str
) -> None:
    for each in ("first", "second"):
        store(tmp_path / each, GOOD)
    (tmp_path / "second" / name).write_text("[{", encoding="utf-8")
    with TestClient(create_app(Settings(runs=tmp_path)), base_url="http://127.0.0.1:8765") as client:
        reply = client.get("/api/runs")
        assert reply.status_code == 200
        rows = {row["name"]: row for row in reply.json()["runs"]}
        assert rows["first"]["own"]["mean"] == pytest.approx(0.8)
        assert rows["first"]["faults"] == []
        assert rows["second"]["status"] == "damaged"
        (fault,) = rows["second"]["faults"]
        assert fault["where"].startswith(f"second/{Path(name).name}")
        assert str(tmp_path) not in reply.text
        assert client.get("/api/runs/first").status_code == 200
        refused = client.get("/api/runs/second")
        assert refused.status_code == 422
        assert str(tmp_path) not in refused.text
        both = client.get("/api/compare", params={"run": ["first", "second"]})
        assert both.status_code == 422
        assert str(tmp_path) not in both.text
