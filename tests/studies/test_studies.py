"""Lists of runs: studies, cross-validation, killed and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from glioseg.cli import app
from glioseg.cli.workers import PROGRAM
from glioseg.dataset.find import find_cases
from glioseg.errors import InputError
from glioseg.io import read_segmentation
from glioseg.recipe import load_recipe
from glioseg.runs.folder import RunFolder
from glioseg.runs.record import Evaluation
from glioseg.samples import SAMPLES
from glioseg.studies.crossval import gather, plan_folds
from glioseg.studies.queue import PlannedRun, Workers, carry_out
from glioseg.studies.study import Study, load_study, study_names

TINY = (
    "prepare.size=32",
    "network.arguments.features=4",
    "train.epochs=2",
    "train.batch_size=2",
    "train.steps_per_epoch=1",
    "train.vis_freq=0",
)


class TestStudy:
    @pytest.mark.parametrize("name", study_names())
    def test_those_that_ship_are_sound(self, name: str) -> None:
        study = load_study(name)
        plan = study.plan()
        assert len({planned.name for planned in plan}) == len(plan)
        every = [planned.load() for planned in plan]
        assert len({r.split for r in every}) == 1
        # The name and the introduction say that the model that ships has a recipe of its own.
        recipes = [r for r in every if r.name != "default"]
        # Equal steps, equal data, equal checkpoint rule: rows differ in what their name says.
        assert len({(r.prepare, r.sampling, r.postprocess) for r in recipes}) == 1
        assert len({(r.train.epochs, r.train.steps_per_epoch, r.train.checkpoint) for r in recipes}) == 1
        # The name and the introduction say that this one has a protocol of its own.
        others = [r for r in recipes if r.name != "keras_unet"]
        assert len(others) < len(recipes)
        assert len({(r.augment, r.input, r.labels, r.train.monitor) for r in others}) == 1

    def test_the_rows_of_both_are_the_same_but_for_the_model_that_ships(self) -> None:
        small, full = (list(load_study(name).experiments) for name in ("lgg-cpu", "lgg-gpu"))
        assert full == [*small, "default"]

    def test_all_experiments_have_a_run_before_any_has_two(self) -> None:
        study = Study.model_validate(
            {
                "title": "t",
                "seeds": [1, 2],
                "settings": ["train.epochs=3"],
                "experiments": {
                    "a": {"name": "A", "recipe": "reference", "settings": ["train.epochs=4"]},
                    "default": {"name": "B", "seeds": [7]},
                },
            }
        )
        plan = list(study.plan())
        assert [planned.name for planned in plan] == ["a-seed1", "default-seed7", "a-seed2"]
        # What an experiment sets stands behind what the study sets.
        assert plan[0].load() == load_recipe("reference", ["train.epochs=4", "train.seed=1"])
        assert plan[1].load() == load_recipe("default", ["train.epochs=3", "train.seed=7"])

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("title = 'x'\n[experiments.a]\nname = 'A'\nrecipi = 'unet'", "Did you mean 'recipe'?"),
            ("title = 'x'\n[experiments.a]\nrecipe = 'unet'", "experiments.a.name"),
            ("title = 'x'", "experiments"),
            ("title = ", "a readable TOML file"),
        ],
    )
    def test_faults_name_the_place(self, tmp_path: Path, text: str, expected: str) -> None:
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InputError, match=r"mine\.toml") as caught:
            load_study(path)
        assert expected in str(caught.value)

    def test_nearest_name(self) -> None:
        with pytest.raises(InputError, match=r"Did you mean .lgg-cpu."):
            load_study("lgg-cpus")


class TestPlan:
    def test_folds_share_everything_but_the_fold(self) -> None:
        plan = plan_folds("default", 3, 5, ["train.epochs=2"])
        splits = [planned.load().split for planned in plan]
        assert [(split.name, split.folds, split.fold, split.seed) for split in splits] == [
            ("kfold", 3, fold, 5) for fold in range(3)
        ]
        with pytest.raises(InputError, match="--folds"):
            plan_folds("default", 3, 0, ["split.name=holdout"])

    def test_all_faults_before_any_run(self, tmp_path: Path) -> None:
        recipe = load_recipe("reference", TINY)
        RunFolder.create(tmp_path / "there", recipe, {"data": "x"})
        plan = [
            PlannedRun("there", "reference", (*TINY, "train.seed=1")),
            PlannedRun("wrong", "refrence"),
            PlannedRun("typo", "reference", ("train.epoch=1",)),
        ]
        with pytest.raises(InputError) as caught:
            carry_out(plan, SAMPLES, tmp_path, Workers(PROGRAM))
        faults = str(caught.value).splitlines()
        assert len(faults) == 3
        assert "settings of the plan" in faults[0]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["there"]


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A cross-validation over the samples: killed in the first fold, gone on with."""
    pytest.importorskip("pytorch_lightning")
    out = tmp_path_factory.mktemp("folds")
    script = (
        "import sys; from pathlib import Path; from glioseg.studies.crossval import plan_folds\n"
        "from glioseg.studies.queue import Workers, carry_out\n"
        f"plan = plan_folds('reference', 2, 0, {TINY!r})\n"
        f"carry_out(plan, Path({str(SAMPLES)!r}), Path({str(out)!r}), Workers({PROGRAM!r}, threads=1))"
    )
    # A session of its own, so that its children die with it as on a machine that is switched off.
    process = subprocess.Popen([sys.executable, "-c", script], start_new_session=True)
    waited = 0.0
    while not (out / "fold-0" / "last.ckpt").is_file():
        assert process.poll() is None, "it ended before it could be killed"
        assert waited < 300, "no checkpoint"
        time.sleep(0.02)
        waited += 0.02
    if hasattr(os, "killpg"):
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()
    lines: list[str] = []
    carry_out(plan_folds("reference", 2, 0, TINY), SAMPLES, out, Workers(PROGRAM, 2, 1), lines.append)
    return out, lines


class TestCarriedOut:
    def test_goes_on_where_it_was_killed(self, folds: tuple[Path, list[str]]) -> None:
        out, lines = folds
        commands = [line for line in lines if "] glioseg " in line]
        assert any("--resume" in line for line in commands if line.startswith("[fold-0]"))
        assert not any("--resume" in line for line in commands if line.startswith("[fold-1]"))
        for fold in ("fold-0", "fold-1"):
            run = RunFolder.open(out / fold)
            assert run.manifest["status"] == "finished"
            assert run.metrics.is_file()

    def test_does_nothing_twice(self, folds: tuple[Path, list[str]]) -> None:
        again: list[str] = []
        carry_out(plan_folds("reference", 2, 0, TINY), SAMPLES, folds[0], Workers(PROGRAM), again.append)
        assert again == ["[fold-0] finished", "[fold-1] finished"]

    def test_the_manifest_holds_the_command_that_repeats_it(self, folds: tuple[Path, list[str]]) -> None:
        command = RunFolder.open(folds[0] / "fold-1").manifest["command"]
        assert command.startswith("glioseg train ")
        assert "split.fold=1" in command

    def test_every_patient_is_scored_once_by_a_network_that_never_saw_it(
        self, folds: tuple[Path, list[str]], tmp_path: Path
    ) -> None:
        runs = [folds[0] / "fold-0", folds[0] / "fold-1"]
        whole = gather(runs, tmp_path, "glioseg crossval")
        cases = {case.id for case in find_cases(SAMPLES)}
        assert set(whole.own["dice"].values) == set(whole.reference.values) == cases
        for run in runs:
            split = RunFolder.open(run).manifest["split"]
            scored = json.loads(RunFolder(run).metrics.read_text(encoding="utf-8"))["reference"]["values"]
            assert set(scored) == set(split["validation"])
            assert not set(scored) & set(split["train"])
        stored = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
        assert Evaluation.from_dict(stored).to_dict() == whole.to_dict()
        assert {path.name for path in (tmp_path / "masks").iterdir()} == cases
        assert read_segmentation(tmp_path / "masks" / min(cases)).voxels.any(axis=(1, 2)).size > 1
        gather(runs, tmp_path)  # again, over what is there

    def test_the_verb_ends_in_scores_masks_and_a_report(self, folds: tuple[Path, list[str]]) -> None:
        settings = [part for setting in TINY for part in ("--set", setting)]
        arguments = ["crossval", str(SAMPLES), "--recipe", "reference", *settings, "--folds", "2"]
        said = CliRunner().invoke(app, [*arguments, "-o", str(folds[0]), "--threads", "1"])
        assert said.exit_code == 0, said.output
        assert "lesion-free slices with a false positive" in said.output
        text = (folds[0] / "report" / "report.md").read_text(encoding="utf-8")
        assert f"{len(find_cases(SAMPLES))} patients in 2 folds" in text
        assert (folds[0] / "metrics.json").is_file()

    def test_folds_of_two_cross_validations_are_refused(
        self, folds: tuple[Path, list[str]], tmp_path: Path
    ) -> None:
        with pytest.raises(InputError, match="each patient in one fold"):
            gather([folds[0] / "fold-0", folds[0] / "fold-0"], tmp_path)

    def test_a_fold_without_scores_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="glioseg evaluate"):
            gather([tmp_path / "fold-0"], tmp_path)

    def test_a_folder_that_another_process_trains_in_is_refused(
        self, folds: tuple[Path, list[str]], tmp_path: Path
    ) -> None:
        from filelock import FileLock

        from glioseg.training.train import train

        with FileLock(tmp_path / ".lock"), pytest.raises(InputError, match="another process"):
            train(SAMPLES, RunFolder.open(folds[0] / "fold-0").recipe, tmp_path, echo=lambda _: None)


@pytest.mark.slow
def test_the_study_verb_ends_in_a_report(tmp_path: Path) -> None:
    pytest.importorskip("pytorch_lightning")
    settings = json.dumps([*TINY, "split.name=holdout", "split.fraction=0.5"])
    study = tmp_path / "mine.toml"
    study.write_text(
        f"title = 'Mine'\ntitle_zh = '我的'\nsettings = {settings}\n"
        "[experiments.reference]\nname = 'U-Net'\nname_zh = '网络'\npublished = 0.914\n",
        encoding="utf-8",
    )
    for language, expected in (("en", ("# Mine", "| U-Net |", "0.9140")), ("zh", ("# 我的", "| 网络 |"))):
        arguments = ["study", str(study), str(SAMPLES), "-o", str(tmp_path / "out"), "--lang", language]
        said = CliRunner().invoke(app, [*arguments, "--threads", "1"])
        assert said.exit_code == 0, said.output
        text = (tmp_path / "out" / "report" / "report.md").read_text(encoding="utf-8")
        assert all(part in text for part in expected)


@pytest.mark.slow
def test_a_failed_run_is_a_result_and_not_tried_again(tmp_path: Path) -> None:
    pytest.importorskip("pytorch_lightning")
    settings = (*TINY, "optimizer.rate=1e30", "train.epochs=3", "split.name=holdout", "split.fraction=0.3")
    plan = [PlannedRun("diverged", "reference", settings)]
    lines: list[str] = []
    carry_out(plan, SAMPLES, tmp_path, Workers(PROGRAM, threads=1), lines.append)
    manifest = RunFolder.open(tmp_path / "diverged").manifest
    assert manifest["status"] == "failed"
    assert "The loss became" in manifest["failure"]
    assert not any("Traceback" in line for line in lines)
    again: list[str] = []
    carry_out(plan, SAMPLES, tmp_path, Workers(PROGRAM), again.append)
    assert again == ["[diverged] failed"]


def test_every_run_is_told_how_the_data_lie() -> None:
    from glioseg.cli.labelled import data_options
    from glioseg.cli.workers import make_workers

    workers = make_workers(1, None, "cpu", None, data_options("(.+)_", "nnunet", "flair,t1"))
    said = ("--patient-rule", "(.+)_", "--layout", "nnunet", "--channels", "flair,t1")
    assert workers.train_options == said
    assert workers.evaluate_options == ("--no-pictures", *said)
