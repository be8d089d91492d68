"""Training: runs that are killed and resumed, diagnoses, two processes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_lightning")

from glioseg.errors import InputError, TrainingError  # noqa: E402
from glioseg.model.runtime import OnnxRuntime  # noqa: E402
from glioseg.recipe import Recipe, load_recipe  # noqa: E402
from glioseg.runs.folder import RunFolder  # noqa: E402
from glioseg.samples import SAMPLES  # noqa: E402
from glioseg.training.train import Hardware, train  # noqa: E402

VALIDATION = "TCGA_HT_7692_19960724"
# Everything that has a state is on: dropout, averaged weights, a schedule, all augmentation.
TINY = [
    "prepare.size=32",
    "network.arguments.pretrained=none",
    "network.arguments.dropout=0.2",
    "train.epochs=3",
    "train.batch_size=4",
    "train.steps_per_epoch=4",
    "train.vis_freq=1",
    "split.name=file",
]


@pytest.fixture(scope="session")
def tiny_settings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    chosen = tmp_path_factory.mktemp("split") / "validation.txt"
    chosen.write_text(VALIDATION + "\n", encoding="utf-8")
    return [*TINY, f"split.file={chosen.as_posix()}"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "glioseg", "train", *arguments, "--threads", "1", "--device", "cpu"]


def settings_as_options(settings: list[str]) -> list[str]:
    return [word for setting in settings for word in ("--set", setting)]


def weights(run: Path) -> bytes:
    return (run / "weights.safetensors").read_bytes()


def table(run: Path) -> list[dict[str, str]]:
    with (run / "metrics.csv").open(encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    for row in rows:
        row.pop("seconds")
    return rows


@pytest.fixture(scope="session")
def unbroken(tmp_path_factory: pytest.TempPathFactory, tiny_settings: list[str]) -> Path:
    """A tiny run of the default recipe, from the command line."""
    run = tmp_path_factory.mktemp("runs") / "unbroken"
    done = subprocess.run(
        command(str(SAMPLES), *settings_as_options(tiny_settings), "--out", str(run)),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    assert "Best validation mean DSC: 0." in done.stdout
    assert f"Next: glioseg evaluate {run}" in done.stdout
    return run


class TestRun:
    def test_folder_can_be_read(self, unbroken: Path) -> None:
        names = {path.name for path in unbroken.iterdir()}
        expected = {"recipe.toml", "manifest.json", "metrics.csv", "best.ckpt", "last.ckpt", "model.onnx"}
        assert expected | {"weights.safetensors"} <= names
        assert not [name for name in names if name.startswith(".part") or name == "hparams.yaml"]
        manifest = json.loads((unbroken / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["status"] == "finished"
        assert manifest["split"]["validation"] == [VALIDATION]
        assert not set(manifest["split"]["train"]) & set(manifest["split"]["validation"])
        assert RunFolder.open(unbroken).recipe.train.epochs == 3
        assert [row["epoch"] for row in table(unbroken)] == ["1", "2", "3"]

    def test_tensorboard_has_curves_and_pictures(self, unbroken: Path) -> None:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(unbroken)).Reload()
        assert {"loss", "val_loss", "val_dsc", "learning_rate"} <= set(events.Tags()["scalars"])
        assert [point.step for point in events.Scalars("val_dsc")] == [3, 7, 11]
        assert events.Tags()["images"] == [f"slices/{VALIDATION}"]

    def test_checkpoints_load_as_plain_data(self, unbroken: Path) -> None:
        for name in ("best.ckpt", "last.ckpt"):
            assert "state_dict" in torch.load(unbroken / name, weights_only=True)

    def test_model_predicts(self, unbroken: Path) -> None:
        import glioseg

        prediction = glioseg.segment(SAMPLES / VALIDATION, model=unbroken)
        assert prediction.segmentation.voxels.shape == (20, 256, 256)


def test_killed_and_resumed_equals_unbroken(unbroken: Path, tmp_path: Path, tiny_settings: list[str]) -> None:
    """Killed (SIGKILL) whenever it has written another checkpoint, and in the middle of epochs."""
    run = tmp_path / "killed"
    first = command(str(SAMPLES), *settings_as_options(tiny_settings), "--out", str(run))
    again = command("--resume", str(run))
    kills = 0
    for attempt in range(8):
        process = subprocess.Popen(
            again if attempt else first, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        before = _changed(run / "last.ckpt")
        while process.poll() is None and kills < 2:
            if _changed(run / "last.ckpt") != before:
                time.sleep(0.15 * kills)  # the first time at once, the second in the next epoch
                process.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
                kills += 1
                break
            time.sleep(0.005)
        output = process.communicate()[0].decode()
        if process.returncode == 0:
            break
        assert "Traceback" not in output, output
    assert kills == 2
    assert process.returncode == 0, output
    assert weights(run) == weights(unbroken)
    assert table(run) == table(unbroken)
    ours = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    theirs = json.loads((unbroken / "manifest.json").read_text(encoding="utf-8"))
    assert ours["best_val_dsc"] == theirs["best_val_dsc"]


def _changed(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def test_resume_refuses_what_cannot_be_resumed(unbroken: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no recipe"):
        train(None, None, tmp_path / "nothing", resume=True)
    with pytest.raises(InputError, match="nothing to resume"):
        train(None, None, unbroken, resume=True)


def test_a_run_folder_is_not_overwritten(unbroken: Path) -> None:
    before = weights(unbroken)
    with pytest.raises(InputError, match="already there"):
        train(SAMPLES, load_recipe("default"), unbroken)
    assert weights(unbroken) == before


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("prepare.size=50", "multiple of 32"),
        ("split.name=all", "nobody validates"),
        ("split.folds=9", "at most 3 folds"),
    ],
)
def test_wrong_recipes_are_refused_before_work(
    setting: str, words: str, tmp_path: Path, tiny_settings: list[str]
) -> None:
    kfold = ["split.name=kfold"] if "folds" in setting else []
    recipe = load_recipe("default", [*tiny_settings, "train.checkpoint=best", *kfold, setting])
    with pytest.raises(InputError, match=words):
        train(SAMPLES, recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def tiny(tiny_settings: list[str], *more: str) -> Recipe:
    plain = [
        "network.name=unet",
        "network.arguments={features=4}",
        "input.neighbours=0",
        "optimizer.encoder_rate=1e-3",
    ]
    return load_recipe("default", [*tiny_settings, "network.arguments={}", *plain, *more])


def test_it_learns(tmp_path: Path, tiny_settings: list[str]) -> None:
    settings = [
        "train.epochs=8",
        "train.steps_per_epoch=12",
        "train.ema=0",
        "optimizer.rate=1e-2",
        "augment.carve_mix=0",
        "train.vis_freq=0",
    ]
    recipe = tiny(tiny_settings, *settings)
    run = train(SAMPLES, recipe, tmp_path / "run", hardware=Hardware("cpu"), echo=lambda line: None)
    rows = table(run.path)
    assert float(rows[-1]["loss"]) < 0.8 * float(rows[0]["loss"])
    assert max(float(row["val_dsc"]) for row in rows) > 0.3


def test_own_data_train_at_the_first_command_and_say_who_validates(
    tmp_path: Path, tiny_settings: list[str]
) -> None:
    said: list[str] = []
    recipe = tiny(tiny_settings, "split.name=reference", "train.epochs=1", "train.vis_freq=0")
    run = train(SAMPLES, recipe, tmp_path / "run", hardware=Hardware("cpu"), echo=said.append)
    told = [line for line in said if "split 'reference'" in line]
    assert len(told) == 1
    assert "1 of the 3 patients" in told[0]
    name = "holdout-0.1-seed0-instead-of-reference"
    assert run.manifest["split"]["name"] == name
    trained_on = json.loads(OnnxRuntime(run.model, threads=1).metadata["glioseg"])["trained_on"]
    assert trained_on["split"] == name
    assert trained_on["validation"] == run.manifest["split"]["validation"]
    assert RunFolder.open(run.path).recipe == recipe, "the same command finds its run again"


def test_it_says_where_the_weights_come_from(tmp_path: Path, tiny_settings: list[str]) -> None:
    said: list[str] = []
    recipe = load_recipe("default", [*tiny_settings, "train.epochs=1"])
    run = train(SAMPLES, recipe, tmp_path / "run", hardware=Hardware("cpu"), echo=said.append)
    assert any("starts from scratch" in line for line in said)
    assert "starts from scratch" in run.manifest["network_start"]


def test_a_loss_that_is_not_finite_stops_with_a_diagnosis(tmp_path: Path, tiny_settings: list[str]) -> None:
    recipe = tiny(
        tiny_settings, "optimizer.name=sgd", "optimizer.rate=1e30", "schedule.name=constant", "train.ema=0"
    )
    with pytest.raises(TrainingError, match=r"loss became .* try a tenth"):
        train(SAMPLES, recipe, tmp_path / "run", hardware=Hardware("cpu"), echo=lambda line: None)


def test_predictions_that_stay_empty_stop_with_a_diagnosis(tmp_path: Path, tiny_settings: list[str]) -> None:
    stuck = [
        "train.stuck_epochs=2",
        "postprocess.threshold=0.999999",
        "optimizer.rate=1e-9",
        "train.epochs=5",
    ]
    with pytest.raises(TrainingError, match="empty for 2 epochs"):
        train(
            SAMPLES,
            tiny(tiny_settings, "train.vis_freq=0", *stuck),
            tmp_path / "run",
            hardware=Hardware("cpu"),
            echo=lambda line: None,
        )


@pytest.mark.slow
def test_two_processes_score_the_same_patients_once(tmp_path: Path, tiny_settings: list[str]) -> None:
    """With next to no learning the scores of two processes are those of one, patient by patient."""
    three = tmp_path / "validation.json"
    patients = sorted(path.name for path in SAMPLES.iterdir() if path.is_dir())
    three.write_text(json.dumps({"train": patients[:1], "validation": patients[1:]}), encoding="utf-8")
    frozen = [
        "optimizer.rate=1e-12",
        "optimizer.encoder_rate=1e-12",
        "train.ema=0",
        f"split.file={three.as_posix()}",
    ]
    settings = [*tiny_settings, "train.epochs=1", "train.vis_freq=0", "network.arguments.dropout=0", *frozen]
    rows = []
    for devices in (1, 2):
        run = tmp_path / f"run{devices}"
        options = [*settings_as_options(settings), "--out", str(run), "--devices", str(devices)]
        done = subprocess.run(
            command(str(SAMPLES), *options, "--strategy", "ddp" if devices > 1 else "auto"),
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("Best validation mean DSC") == 1
        rows.append(table(run)[0])
    scores = [{key: float(value) for key, value in row.items() if key.startswith("dsc:")} for row in rows]
    assert set(scores[1]) == {f"dsc:{patient}" for patient in patients[1:]}
    # Batch normalisation sees half batches, so running statistics differ a little.
    for patient, score in scores[0].items():
        assert scores[1][patient] == pytest.approx(score, abs=0.05)
    mean = np.mean(list(scores[1].values()))
    assert float(rows[1]["val_dsc"]) == pytest.approx(mean, abs=1e-5)
