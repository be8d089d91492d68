"""A training that stops in time is resumed to the result of an unbroken one; so is a list of them."""

from __future__ import annotations

import csv
import shutil
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_lightning")

from typer.testing import CliRunner  # noqa: E402

from glioseg.cli import app  # noqa: E402
from glioseg.errors import InputError  # noqa: E402
from glioseg.recipe import load_recipe  # noqa: E402
from glioseg.runs.folder import RunFolder  # noqa: E402
from glioseg.samples import SAMPLES  # noqa: E402
from glioseg.studies.queue import OutOfTimeError, PlannedRun, Workers, carry_out  # noqa: E402
from glioseg.training.callbacks import RESULT_SECONDS, TimeLimit  # noqa: E402
from glioseg.training.train import Hardware, train  # noqa: E402

TINY = ["prepare.size=32", "network.arguments.pretrained=none", "network.arguments.dropout=0.2"]
TINY += ["train.epochs=3", "train.batch_size=2", "train.steps_per_epoch=2", "train.vis_freq=0"]
TINY += ["split.name=holdout", "split.fraction=0.3"]
HARDWARE = Hardware("cpu", threads=1)


class TestLimit:
    @pytest.mark.parametrize(
        ("seconds", "epoch", "stops"),
        [(RESULT_SECONDS + 5, 0, False), (RESULT_SECONDS - 1, 0, True), (0, 9, False)],
    )
    def test_the_next_epoch_begins_if_it_fits(self, seconds: float, epoch: int, stops: bool) -> None:
        trainer: Any = SimpleNamespace(current_epoch=epoch, max_epochs=10, should_stop=False)
        module: Any = None
        limit = TimeLimit(seconds / 60, time.monotonic())
        limit.on_train_epoch_start(trainer, module)
        limit.on_train_epoch_end(trainer, module)
        assert (trainer.should_stop, limit.reached) == (stops, stops)

    def test_the_longest_epoch_so_far_counts(self) -> None:
        trainer: Any = SimpleNamespace(current_epoch=0, max_epochs=10, should_stop=False)
        module: Any = None
        limit = TimeLimit((RESULT_SECONDS + 30) / 60, time.monotonic())
        limit.begun = time.monotonic() - 100
        limit.on_train_epoch_end(trainer, module)
        assert limit.reached


@pytest.mark.slow
def test_stopped_and_resumed_equals_unbroken(tmp_path: Path) -> None:
    recipe = load_recipe("default", TINY)
    whole = train(SAMPLES, recipe, tmp_path / "whole", hardware=HARDWARE, echo=lambda line: None)
    lines: list[str] = []
    run = train(SAMPLES, recipe, tmp_path / "run", hardware=HARDWARE, minutes=0, echo=lines.append)
    assert run.manifest["status"] == "stopped"
    assert len(table(run)) == 1
    assert "The time is up: 1 of 3 epochs are done." in lines
    assert f"Next: glioseg train --resume {run.path}" in lines
    assert not run.weights.exists()
    for epochs, status in ((2, "stopped"), (3, "finished")):
        train(None, None, run.path, resume=True, hardware=HARDWARE, minutes=0, echo=lines.append)
        assert (len(table(run)), run.manifest["status"]) == (epochs, status)
    assert run.weights.read_bytes() == whole.weights.read_bytes()
    assert table(run) == table(whole)


@pytest.mark.slow
def test_a_run_goes_on_with_its_data_in_another_place(tmp_path: Path) -> None:
    from glioseg.dataset.pack import pack

    recipe = load_recipe("default", [*TINY, "train.epochs=2"])
    whole = train(SAMPLES, recipe, tmp_path / "whole", hardware=HARDWARE, echo=lambda line: None)
    shutil.copytree(SAMPLES, tmp_path / "here")
    run = train(
        tmp_path / "here", recipe, tmp_path / "run", hardware=HARDWARE, minutes=0, echo=lambda line: None
    )
    there = tmp_path / "there.glioseg"
    pack(SAMPLES, there, 10_000_000)
    shutil.rmtree(tmp_path / "here")
    arguments = [str(there), "--resume", str(run.path), "--device", "cpu", "--threads", "1"]
    done = CliRunner().invoke(app, ["train", *arguments])
    assert done.exit_code == 0, done.output
    assert run.weights.read_bytes() == whole.weights.read_bytes()
    assert run.manifest["data"] == str(there)


def test_a_run_does_not_go_on_with_other_data(tmp_path: Path) -> None:
    recipe = load_recipe("default", TINY)
    run = train(SAMPLES, recipe, tmp_path / "run", hardware=HARDWARE, minutes=0, echo=lambda line: None)
    shutil.copytree(SAMPLES, tmp_path / "other")
    changed = next((tmp_path / "other").rglob("*_5.tif"))
    changed.write_bytes(changed.with_name(changed.name.replace("_5.", "_9.")).read_bytes())
    with pytest.raises(InputError, match="the data this run began with"):
        train(tmp_path / "other", None, run.path, resume=True, hardware=HARDWARE, echo=lambda line: None)
    assert run.manifest["data"] == str(SAMPLES)


def table(run: RunFolder) -> list[dict[str, str]]:
    with run.metrics_file.open(encoding="utf-8") as handle:
        return [{**row, "seconds": ""} for row in csv.DictReader(handle)]


PROGRAM = '''
"""In the place of glioseg: a training stops in time once and ends the next time."""
import sys
from pathlib import Path
from glioseg.files import write_json
from glioseg.recipe import load_recipe
from glioseg.runs.folder import RunFolder

verb, rest = sys.argv[1], sys.argv[2:]
settings = [rest[place + 1] for place, word in enumerate(rest) if word == "--set"]
if verb == "evaluate":
    write_json(RunFolder(Path(rest[0])).metrics, {})
elif "--resume" in rest:
    RunFolder(Path(rest[rest.index("--resume") + 1])).note(status="finished")
else:
    recipe = load_recipe(rest[rest.index("--recipe") + 1], settings)
    run = RunFolder.create(Path(rest[rest.index("--out") + 1]), recipe, {"data": rest[0]})
    run.note(status="stopped", minutes=rest[rest.index("--minutes") + 1] if "--minutes" in rest else None)
'''


class TestStudies:
    def test_what_is_left_is_said_and_the_same_call_goes_on(self, tmp_path: Path) -> None:
        program = tmp_path / "program.py"
        program.write_text(PROGRAM, encoding="utf-8")
        plan = [PlannedRun("one", "reference"), PlannedRun("two", "reference", ("train.seed=1",))]
        workers = Workers((sys.executable, str(program)), minutes=5)
        lines: list[str] = []
        with pytest.raises(OutOfTimeError) as caught:
            carry_out(plan, SAMPLES, tmp_path / "runs", workers, lines.append)
        assert caught.value.left == ["one", "two"]
        assert 4 < float(RunFolder(tmp_path / "runs" / "two").manifest["minutes"]) <= 5
        paths = carry_out(plan, SAMPLES, tmp_path / "runs", workers, lines.append)
        assert [RunFolder(path).manifest["status"] for path in paths] == ["finished", "finished"]
        assert all(RunFolder(path).metrics.is_file() for path in paths)

    def test_nothing_is_begun_without_time(self, tmp_path: Path) -> None:
        workers = Workers(("nothing that could be started",), minutes=0.1)
        with pytest.raises(OutOfTimeError, match="1 runs are left: one"):
            carry_out([PlannedRun("one", "reference")], SAMPLES, tmp_path, workers, lambda line: None)
        assert list(tmp_path.iterdir()) == []

    def test_the_verbs_end_without_failure(self, tmp_path: Path) -> None:
        for verb in (["study", "lgg-cpu", str(SAMPLES)], ["crossval", str(SAMPLES), "--folds", "2"]):
            out = tmp_path / verb[0]
            done = CliRunner().invoke(app, [*verb, "--minutes", "0", "-o", str(out)])
            assert done.exit_code == 0, done.output
            assert "The time is up." in done.output
            assert "The same command goes on." in done.output
            assert not (out / "report").exists()


class TestDevices:
    @pytest.mark.parametrize("verb", ["train", "crossval"])
    @pytest.mark.parametrize(
        ("device", "words"),
        [
            ("toaster", "one of auto, cpu"),
            ("cuda:x", "one of auto, cpu"),
            ("cuda:", "one of auto, cpu"),
            ("mps:1", "one of auto, cpu"),
            ("cuda", "a device of the kind cuda"),
            ("cuda:0", "a device of the kind cuda"),
            ("mps", "a device of the kind mps"),
        ],
    )
    def test_those_that_are_not_there_are_refused_before_data_are_touched(
        self, verb: str, device: str, words: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
        done = CliRunner().invoke(app, [verb, str(tmp_path / "no such data"), "--device", device])
        assert done.exit_code != 0
        assert words in str(done.exception)

    def test_a_gpu_beyond_the_last_is_refused(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
        monkeypatch.setattr(Hardware, "_faults", lambda self: [])  # Lightning finds no GPU here
        done = CliRunner().invoke(app, ["train", str(tmp_path / "none"), "--device", "cuda:2"])
        assert "2 GPUs" in str(done.exception)
        done = CliRunner().invoke(app, ["train", str(tmp_path / "none"), "--device", "cuda:1"])
        assert "no such data" not in str(done.exception)
        assert "nothing of that name" in str(done.exception), "the device is there, the data are not"

    @pytest.mark.parametrize(
        ("device", "accelerator", "chosen"),
        [("cuda:1", "gpu", [1]), ("cuda", "gpu", 2), ("auto", "auto", 2), ("mps", "mps", 2)],
    )
    def test_what_lightning_is_told(self, device: str, accelerator: str, chosen: object) -> None:
        hardware = Hardware(device, devices=2)
        assert (hardware.accelerator, hardware.chosen) == (accelerator, chosen)
