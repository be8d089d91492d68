"""What cannot be trained is refused before any work, and a start that fails leaves nothing behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_lightning")

import glioseg.training.train as training  # noqa: E402
from glioseg.cli import app  # noqa: E402
from glioseg.errors import InputError, TrainingError  # noqa: E402
from glioseg.recipe import Recipe, load_recipe  # noqa: E402
from glioseg.runs.folder import RunFolder  # noqa: E402
from glioseg.samples import SAMPLES  # noqa: E402
from glioseg.training.hardware import Hardware  # noqa: E402
from glioseg.training.rehearsal import recipe_faults  # noqa: E402
from glioseg.training.train import train  # noqa: E402

TINY = [
    "network.name=unet",
    "network.arguments={features=2}",
    "input.neighbours=0",
    "prepare.size=32",
    "train.epochs=1",
    "train.batch_size=2",
    "train.steps_per_epoch=1",
    "train.vis_freq=0",
]


def tiny(*settings: str) -> Recipe:
    return load_recipe("default", [*TINY, *settings])


@pytest.fixture
def no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks at the data fails."""

    def fail(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("the data were read")

    monkeypatch.setattr(training, "find_cases", fail)


REFUSED = {
    "no GPU": (["--device", "cuda"], "a device of the kind cuda"),
    "no second GPU": (["--device", "cuda:1"], "a device of the kind cuda"),
    "no Apple GPU": (["--device", "mps"], "a device of the kind mps"),
    "no such device": (["--device", "tpu"], "one of auto, cpu, cuda"),
    "no such strategy": (["--strategy", "nonsense"], "one of auto, ddp"),
    "a strategy of GPUs": (["--device", "cpu", "--strategy", "fsdp"], "requires a GPU"),
    "a strategy that is not installed": (["--device", "cpu", "--strategy", "deepspeed"], "DeepSpeed"),
    "no such precision": (["--precision", "17"], "one of auto, 32-true, 16-mixed, bf16-mixed"),
    "a precision that breaks later": (["--precision", "64-true"], "one of auto, 32-true"),
    "no features": (["--set", "network.arguments.features=0"], "network 'unet'"),
    "a negative number": (["--set", "network.arguments.features=-4"], "network 'unet'"),
    "text for a number": (["--set", "network.arguments.features=many"], "network 'unet'"),
    "an unknown argument": (["--set", "network.arguments.featurs=4"], "featurs"),
    "too large": (["--set", "network.arguments.features=100000"], "GB of memory"),
    "beyond any machine": (["--set", "network.arguments.features=100000000000000"], "network 'unet'"),
    "other logits": (["--set", "network.arguments.out_channels=3"], "logits of 2 x 1 x 32 x 32"),
    "no such network": (["--set", "network.name=unett"], "Did you mean 'unet'?"),
    "a loss's unknown argument": (["--set", "loss.arguments.nonsense=1"], "loss 'bce_dice'"),
    "a loss's argument of another kind": (["--set", "loss.arguments.smooth=abc"], "loss 'bce_dice'"),
    "a size that does not fit": (["--set", "prepare.size=50"], "multiple of 16"),
}


@pytest.mark.parametrize(("options", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_run_is_refused_in_one_line_before_the_data_are_read(
    options: list[str], words: str, tmp_path: Path, no_work: None
) -> None:
    if "cuda" in options and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    out = tmp_path / "runs" / "first"
    settings = [word for setting in TINY for word in ("--set", setting)]
    done = CliRunner().invoke(app, ["train", str(SAMPLES), "-o", str(out), *settings, *options])
    assert done.exit_code == 1
    assert isinstance(done.exception, InputError), done.exception
    lines = str(done.exception).splitlines()
    assert len(lines) == 1
    assert words in lines[0]
    assert not (tmp_path / "runs").exists()


def test_weights_that_cannot_be_downloaded_are_told_before_the_data_are_read(
    tmp_path: Path, no_work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glioseg.networks.resnet34_unet.WEIGHTS_URL", "http://127.0.0.1:9/resnet34.pth")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    recipe = tiny("network.name=resnet34_unet", "network.arguments={pretrained='download'}")
    with pytest.raises(InputError, match="by other means and give its path, or use pretrained = 'none'"):
        train(SAMPLES, recipe, tmp_path / "run", hardware=Hardware("cpu"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "settings",
    [
        ["network.name=unet_plus_plus", "network.arguments={feature_scale=8, heads='each'}"],
        ["network.name=monai:SegResNet", "network.arguments={init_filters=8}"],
        ["labels.values=[1, 2]", "loss.name=categorical_dice"],
        ["labels.values=[1, 2]", "loss.name=categorical_cross_entropy"],
        ["network.name=keras_unet", "network.arguments={}"],
        ["loss.name=lovasz"],
        ["loss.name=boundary_dice"],
    ],
    ids=lambda settings: settings[-1],
)
def test_what_can_run_is_let_through(settings: list[str]) -> None:
    assert recipe_faults(tiny(*settings)) == []


def test_a_place_that_cannot_be_written_is_told_before_the_data_are_read(
    tmp_path: Path, no_work: None
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="a file of that name"):
        train(SAMPLES, tiny(), tmp_path / "file" / "run", hardware=Hardware("cpu"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("error", [RuntimeError("a kernel failed"), MemoryError()])
def test_a_start_that_fails_leaves_nothing_behind(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise error

    out = tmp_path / "runs" / "first"
    with monkeypatch.context() as patch:
        patch.setattr(training.SegmentationModule, "training_step", fail)
        with pytest.raises(type(error)):
            train(SAMPLES, tiny(), out, hardware=Hardware("cpu"), echo=lambda line: None)
    assert not (tmp_path / "runs").exists()
    run = train(SAMPLES, tiny(), out, hardware=Hardware("cpu"), echo=lambda line: None)
    assert run.manifest["status"] == "finished"


def test_what_was_in_the_folder_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError("a kernel failed")

    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    monkeypatch.setattr(training.SegmentationModule, "training_step", fail)
    with pytest.raises(RuntimeError):
        train(SAMPLES, tiny(), tmp_path, hardware=Hardware("cpu"), echo=lambda line: None)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_device_without_enough_memory_gives_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(training.SegmentationModule, "training_step", fail)
    with pytest.raises(InputError, match=r"--set train\.batch_size=1"):
        train(SAMPLES, tiny(), tmp_path / "run", hardware=Hardware("cpu"), echo=lambda line: None)
    assert not (tmp_path / "run").exists()


def test_a_diagnosis_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any) -> None:
        raise TrainingError("The loss became nan.")

    monkeypatch.setattr(training.SegmentationModule, "training_step", fail)
    with pytest.raises(TrainingError):
        train(SAMPLES, tiny(), tmp_path / "run", hardware=Hardware("cpu"), echo=lambda line: None)
    assert RunFolder.open(tmp_path / "run").manifest["failure"] == "The loss became nan."


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two epochs that stopped after the first, with both checkpoints."""
    out = tmp_path_factory.mktemp("stopped") / "run"
    train(SAMPLES, tiny("train.epochs=2"), out, hardware=Hardware("cpu"), minutes=0, echo=lambda line: None)
    assert RunFolder.open(out).manifest["status"] == "stopped"
    assert (out / "best.ckpt").is_file()
    return out


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "text": lambda content: b"epoch 1 of 2\n",
    "one byte": flipped,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_checkpoint_says_that_the_best_one_is_there(
    damage: Callable[[bytes], bytes], stopped: Path, tmp_path: Path, no_work: None
) -> None:
    run = Path(shutil.copytree(stopped, tmp_path / "run"))
    last = run / "last.ckpt"
    last.write_bytes(damage(last.read_bytes()))
    with pytest.raises(InputError, match=r"best\.ckpt is whole: copy it over this file") as caught:
        train(None, None, run, resume=True, hardware=Hardware("cpu"))
    assert "goes on after epoch 1" in str(caught.value)
    shutil.copy(last, run / "best.ckpt")
    with pytest.raises(InputError, match="Remove the file"):
        train(None, None, run, resume=True, hardware=Hardware("cpu"))


def test_the_cures_of_a_damaged_checkpoint_work(stopped: Path, tmp_path: Path) -> None:
    for name in ("copied", "removed"):
        run = RunFolder(Path(shutil.copytree(stopped, tmp_path / name)))
        run.last.unlink()
        if name == "copied":
            shutil.copy(run.best, run.last)
        train(None, None, run.path, resume=True, hardware=Hardware("cpu"), echo=lambda line: None)
        assert run.manifest["status"] == "finished"
        assert run.metrics_file.read_text(encoding="utf-8").count("\n") == 3


def test_a_checkpoint_of_another_network_is_refused(stopped: Path, tmp_path: Path, no_work: None) -> None:
    run = Path(shutil.copytree(stopped, tmp_path / "run"))
    recipe = RunFolder.open(run).recipe
    recipe.model_copy(
        update={"network": recipe.network.model_copy(update={"arguments": {"features": 4}})}
    ).write(run / "recipe.toml")
    with pytest.raises(InputError, match="the weights of another network"):
        train(None, None, run, resume=True, hardware=Hardware("cpu"))
