"""Trainings that go on from a model: which weights they begin with, and what became of the model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from support.verb import call

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_lightning")

from glioseg.errors import InputError  # noqa: E402
from glioseg.model.predictor import load_model  # noqa: E402
from glioseg.networks.weights import read_weights  # noqa: E402
from glioseg.recipe import Labels, Recipe, load_recipe  # noqa: E402
from glioseg.runs.folder import RunFolder  # noqa: E402
from glioseg.samples import SAMPLES  # noqa: E402
from glioseg.training.result import trained_network  # noqa: E402
from glioseg.training.start import Start, load_start, network_of, read_start  # noqa: E402
from glioseg.training.train import Hardware, train  # noqa: E402

VALIDATION = "TCGA_HT_7692_19960724"
SMALL = ["network.name=unet", "network.arguments.features=4"]


@pytest.fixture
def short(tmp_path: Path) -> list[str]:
    """Settings of a training of a second, validated on one of the samples."""
    chosen = tmp_path / "validation.txt"
    chosen.write_text(VALIDATION, encoding="utf-8")
    sampled = ["train.epochs=1", "train.steps_per_epoch=2", "train.batch_size=2"]
    return [*sampled, "split.name=file", f"split.file={chosen.as_posix()}"]


def learn_on(start: Path | str, out: Path, settings: list[str], *options: str) -> tuple[int, str]:
    """Exit code of the command and what it printed."""
    said = [part for setting in settings for part in ("--set", setting)]
    return call("train", SAMPLES, "--from", start, "--out", out, "--device", "cpu", *said, *options)


def start_of(recipe: Recipe, seed: int = 5) -> Start:
    """Weights as if a run of that recipe had ended with them."""
    torch.manual_seed(seed)
    network = network_of(recipe)
    tables = recipe.model_dump(include={"prepare", "input", "network", "labels", "postprocess"})
    channels = ("pre", "flair", "post")[: len(recipe.input.sequences)]
    return Start("base", "", dict(network.state_dict()), channels, recipe.labels.titles, tables)


def test_finetune_takes_over_what_belongs_to_the_weights_and_the_weights() -> None:
    start = read_start("default")
    recipe = load_recipe("finetune", ["optimizer.rate=1e-5"], start.tables)
    assert (recipe.network.name, recipe.prepare.name, recipe.prepare.size) == (
        "lite0_unet",
        "even_tissue",
        160,
    )
    assert recipe.input.neighbours == 1
    assert recipe.postprocess.fill_holes
    assert recipe.optimizer.rate == 1e-5
    assert recipe.train.frozen_norms
    network = network_of(recipe, pretrained=False)
    assert load_start(network, recipe, start) == []
    for name, value in network.state_dict().items():
        assert torch.equal(value, start.state[name]), name


def test_a_recipe_of_ones_own_wins_over_the_tables_of_the_model() -> None:
    start = read_start("default")
    recipe = load_recipe("default", ["prepare.size=192"], start.tables)
    assert recipe.prepare.size == 192


@pytest.mark.slow
def test_no_step_changes_the_statistics_of_batches_that_are_frozen(short: list[str], tmp_path: Path) -> None:
    start = read_start("default")
    settings = [*short, "optimizer.rate=1e-9", "optimizer.encoder_rate=1e-9", "optimizer.weight_decay=0"]
    recipe = load_recipe("finetune", settings, start.tables)
    run = train(
        SAMPLES, recipe, tmp_path / "run", start=start, hardware=Hardware("cpu"), echo=lambda line: None
    )
    scan = load_model("default")
    # With next to no learning it is the model that it was.
    from glioseg.io import read_scan

    sample = read_scan(SAMPLES / VALIDATION)
    np.testing.assert_allclose(load_model(run.path)(sample).probability, scan(sample).probability, atol=1e-3)
    assert run.manifest["start"]["model"] == "default"
    assert run.manifest["network_start"] == "The training goes on from default."


def test_other_input_channels_start_from_those_of_the_same_name() -> None:
    base = load_recipe("reference", SMALL)
    start = start_of(base)
    other = load_recipe("reference", [*SMALL, 'input.sequences=["flair"]', "input.neighbours=1"])
    network = network_of(other)
    (said,) = load_start(network, other, start)
    assert said == (
        "Input channels are now flair, flair-1, flair+1; flair-1, flair+1 start from the mean of the others."
    )
    (first,) = [name for name, value in start.state.items() if value.dim() == 4 and value.shape[1] == 3]
    weights, before = network.state_dict()[first], start.state[first]
    assert torch.equal(weights[:, 0], before[:, 1])
    assert torch.equal(weights[:, 1], before.mean(1))


def test_classes_start_from_the_lesion() -> None:
    start = start_of(load_recipe("reference", SMALL))
    recipe = load_recipe("reference", [*SMALL]).model_copy(
        update={"labels": Labels(values=(1, 2), names=("core", "oedema"))}
    )
    network = network_of(recipe)
    (said,) = load_start(network, recipe, start)
    assert said == "The network now tells apart: core, oedema."
    (last,) = [name for name, value in start.state.items() if value.dim() == 4 and value.shape[0] == 1]
    rows, before = network.state_dict()[last], start.state[last]
    assert rows.shape[0] == 3
    assert not rows[0].any()
    assert torch.equal(rows[1], before[0])
    assert torch.equal(rows[2], before[0])


def test_weights_of_another_network_are_refused_before_anything_is_written(
    short: list[str], tmp_path: Path
) -> None:
    code, said = learn_on("default", tmp_path / "run", short, "--recipe", "reference")
    assert code == 2
    assert "weights of unet" in said
    assert "Leave --recipe out" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["absent", "weights.safetensors", "weights.onnx"])
def test_what_holds_no_weights_is_refused(name: str, short: list[str], tmp_path: Path) -> None:
    path = tmp_path / name
    if path.suffix:
        path.write_bytes(b"not weights")
    code, said = learn_on(path, tmp_path / "run", short)
    assert code == 2
    assert "Traceback" not in said
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_command_says_what_became_of_the_model(short: list[str], tmp_path: Path) -> None:
    code, said = learn_on("default", tmp_path / "first", [*short, "postprocess.minimum_share=0"])
    assert code == 0, said
    assert "Before learning on: DSC 0." in said
    assert "share 1 patient: too few to compare" in said
    change = json.loads((tmp_path / "first" / "change.json").read_text(encoding="utf-8"))
    found = change["validation"]
    assert found["patients"] == 1
    assert found["after"] - found["before"] == pytest.approx(found["difference"])
    # The result lies half-way between the model and what the training made of it.
    run = RunFolder(tmp_path / "first")
    trained = trained_network(run.recipe, run.last).state_dict()
    before, result = read_weights(run.start_weights), read_weights(run.weights)
    assert any(not torch.equal(value, before[name]) for name, value in trained.items())
    for name, value in result.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, (before[name] + trained[name]) / 2)
    # A run and its weights can be gone on from just so; a bare file of weights has no model to compare with.
    for number, start in enumerate((run.path, run.model, run.weights)):
        assert read_start(start).tables["prepare"]["size"] == 160, number
    bare = tmp_path / "bare.safetensors"
    bare.write_bytes(run.weights.read_bytes())
    assert read_start(bare).tables == {}
    with pytest.raises(InputError, match="another network"):
        train(SAMPLES, load_recipe("reference", short), tmp_path / "no", start=bare, hardware=Hardware("cpu"))


def test_a_run_goes_on_from_a_run(short: list[str], tmp_path: Path) -> None:
    tiny = load_recipe("reference", [*SMALL, *short, "prepare.size=32", "train.vis_freq=0"])
    options = {"hardware": Hardware("cpu"), "echo": lambda line: None}
    first = train(SAMPLES, tiny, tmp_path / "first", **options)
    second = train(SAMPLES, tiny, tmp_path / "second", start=first.path, **options)
    third = train(SAMPLES, tiny, tmp_path / "third", start=first.weights, **options)
    weights = [load_model(run.path).fingerprint for run in (first, second, third)]
    assert weights[0] != weights[1] == weights[2]
    assert second.manifest["start"]["fingerprint"] == third.manifest["start"]["fingerprint"]
