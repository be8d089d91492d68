"""What programs get: a record a scan on standard output, all words on standard error, paths from input."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from glioseg import cli
from glioseg.samples import SAMPLES

SCAN = SAMPLES / "TCGA_HT_7692_19960724"
Said = tuple[int, list[dict[str, Any]], str]


@pytest.fixture
def glioseg(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command with ``--json``: its exit code, its records and what it says beside them."""

    def run(*arguments: object, given: str = "") -> Said:
        monkeypatch.setattr(sys, "argv", ["glioseg", *map(str, arguments), "--json"])
        monkeypatch.setattr(sys, "stdin", io.StringIO(given))
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        records = [json.loads(line, parse_constant=pytest.fail) for line in said.out.splitlines()]
        return int(left.value.code or 0), records, said.err

    return run


def of_kind(records: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record for record in records if record["kind"] == kind]


def test_predict_reads_paths_from_input_and_tells_programs_of_each_scan(glioseg, tmp_path) -> None:
    out = tmp_path / "out"
    command = ("predict", "-", "-o", out, "--no-outlines", "--no-gif")
    code, records, words = glioseg(*command, given=f"{SCAN}\n\nnowhere.nii\n")
    assert code == 2, "the other scan is not there"
    (scan,) = of_kind(records, "scan")
    (fault,) = of_kind(records, "fault")
    assert (fault["code"], fault["where"]) == ("io.nothing_there", "nowhere.nii")
    assert f"error: nowhere.nii: expected {fault['expected']}" in words
    (row,) = csv.DictReader((out / "summary.csv").open(encoding="utf-8"))
    assert int(row["lesion_voxels"]) == scan["lesion_voxels"] == 3453
    assert scan["doubts"] == row["doubts"].split() == ["cut_off"]
    assert scan["lesion_mm3"] is None, "the size of a voxel is not known"
    assert all((out / name).exists() for name in scan["outputs"])
    assert not scan["before"]
    assert "[1/1] TCGA_HT_7692_19960724: lesion on 6 of 20 slices" in words
    code, records, _ = glioseg(*command, given=f"{SCAN}\0")
    assert code == 0
    assert [record["before"] for record in records] == [True]


def test_the_other_verbs_give_records_too(glioseg, tmp_path, monkeypatch) -> None:
    shutil.copytree(SCAN, tmp_path / "data" / SCAN.name)
    monkeypatch.chdir(tmp_path)
    code, records, words = glioseg("check", "-", given="data\n")
    assert (code, Counter(record["kind"] for record in records)) == (0, {"scan": 1, "data": 1})
    assert (records[0]["id"], records[0]["files"], records[0]["missing"]) == (SCAN.name, 20, [])
    assert (records[1]["patients"], records[1]["slices"], records[1]["lesion_slices"]) == (1, 20, 6)
    assert "1 patient, 20 slices" in words

    code, records, words = glioseg("evaluate", "default", "data", "--patients", "all", "--no-pictures")
    (scan,), (total,) = of_kind(records, "scan"), of_kind(records, "evaluation")
    assert code == 0
    (row,) = csv.DictReader((Path(total["folder"]) / "metrics.csv").open(encoding="utf-8"))
    for name in ("dice", "precision", "dice_reference", "false_positive_slices"):
        assert scan[name] == pytest.approx(float(row[name]), abs=1e-6)
    assert total["scores"]["dice"]["mean"] == scan["dice"]
    assert total["scores"]["dice"]["protocol"]["grid"] == "own"
    assert f"{SCAN.name}  DSC {scan['dice']:.4f}" in words
    assert "1 patient," in words
    assert "trained on" not in words

    code, (scan,), words = glioseg("features", Path(total["folder"]) / "masks")
    assert (code, scan["id"], scan["volume_mm3"]) == (0, SCAN.name, None)
    assert scan["not_defined"]["volume_mm3"] == "the voxel spacing is unknown"
    assert scan["number_of_components"] == 1
    assert "Written to features.csv" in words

    code, models, _ = glioseg("models")
    assert (code, models[0]["default"], models[0]["options"]) == (0, True, ["--fast", "--best"])
    assert sum(model["default"] for model in models) == 1
    code, (card,), _ = glioseg("models", models[0]["name"])
    assert (code, card["kind"]) == (0, "model")
    assert card["card"].startswith("#")


def test_what_is_wrong_is_a_record_of_every_verb(glioseg, tmp_path) -> None:
    (tmp_path / "p_1.tif").write_bytes(b"none")
    (tmp_path / "p_2.tif").write_bytes(b"none")
    code, records, words = glioseg("check", tmp_path)
    assert code == 2
    assert len(of_kind(records, "fault")) == of_kind(records, "data")[0]["faults"] > 0
    assert "error: " in words
    for arguments, given, wanted in (
        (["check", "nowhere"], "", "io.nothing_there"),
        (["features", "-"], "", "cli.no_paths"),
        (["check", "-"], "a\nb\n", "cli.several_paths"),
        (["predict", "-"], "\n", "cli.no_paths"),
        (["models", "unknown"], "", "model.no_card"),
    ):
        code, records, words = glioseg(*arguments, given=given)
        assert (code, [record["code"] for record in records]) == (2, [wanted])
        assert words.startswith("error: ")


def test_exit_codes_are_told_by_the_help_and_completion_is_there() -> None:
    def said(*arguments: str, **variables: str) -> str:
        command = [
            sys.executable,
            "-c",
            "import sys; sys.argv[0] = 'glioseg'; import glioseg.cli as c; c.main()",
        ]
        return subprocess.run(
            [*command, *arguments],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, **variables},
        ).stdout

    for arguments in ([], ["predict"]):
        assert cli.EXIT_CODES in " ".join(said(*arguments, "--help").split())
    assert "_GLIOSEG_COMPLETE" in said("--show-completion", "bash")
    completed = said(_GLIOSEG_COMPLETE="complete_bash", COMP_WORDS="glioseg pre", COMP_CWORD="1")
    assert completed.split() == ["predict"]


def test_shards_together_are_all_scans(glioseg, tmp_path: Path) -> None:
    done = []
    for shard in ("1/2", "2/2"):
        code, records, _ = glioseg(
            "predict", SAMPLES, "-o", tmp_path / "out", "--no-outlines", "--no-gif", "--shard", shard
        )
        assert code == 0
        done.append([record["id"] for record in records if record["kind"] == "scan"])
    assert [len(ids) for ids in done] == [2, 1]
    assert sorted(done[0] + done[1]) == sorted(path.name for path in SAMPLES.iterdir() if path.is_dir())
    with (tmp_path / "out" / "summary.csv").open(encoding="utf-8") as file:
        assert len(list(csv.DictReader(file))) == 3, "the summary holds the scans of every job"


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b"])
def test_a_shard_that_is_none_is_refused(glioseg, shard: str, tmp_path: Path) -> None:
    code, records, said = glioseg("predict", SCAN, "-o", tmp_path / "out", "--shard", shard)
    assert code == 2
    assert "such as 2/8" in said + str(records)


def test_scores_on_patients_that_were_trained_on_are_told(glioseg, tmp_path, monkeypatch) -> None:
    shutil.copytree(SCAN, tmp_path / "data" / SCAN.name)
    monkeypatch.chdir(tmp_path)
    (trained,) = (tmp_path / "data").iterdir()
    trained.rename(trained.with_name("TCGA_CS_4941_19960909"))
    code, records, words = glioseg("evaluate", "default", "data", "--patients", "all", "--no-pictures")
    assert code == 0
    assert "Of these 1 patients the model was trained on 1" in words
    assert of_kind(records, "evaluation")[0]["trained_on"] == ["TCGA_CS_4941_19960909"]
