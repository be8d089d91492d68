"""The same scans score the same, whatever layout they come in; a training on volumes runs and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.layouts_kit import LAYOUTS, kaggle, pieces

from glioseg.evaluation.evaluate import evaluate


def test_volumes_score_as_the_same_slices_do(tmp_path: Path) -> None:
    patients = pieces(1, slices=3, size=256)
    kaggle(tmp_path / "slices", patients)
    expected = evaluate("default", tmp_path / "slices", patients="all").own["dice"].values
    assert all(score > 0.5 for score in expected.values())
    for name in ("images_masks", "nnunet", "bids"):
        layout = LAYOUTS[name]
        layout.make(tmp_path / name, patients)
        out = tmp_path / "out" if name == "nnunet" else None
        found = evaluate("default", tmp_path / name, out, patients="all", pictures=False).own["dice"].values
        assert found == {
            layout.id.format(id): pytest.approx(score, abs=1e-6) for id, score in expected.items()
        }
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 1


@pytest.mark.slow
def test_a_training_on_volumes_goes_on_bit_for_bit(tmp_path: Path) -> None:
    """With a label table that dataset.json gives, and folders for the parts of the data."""
    pytest.importorskip("pytorch_lightning")
    from glioseg.recipe import load_recipe
    from glioseg.training.train import Hardware, train

    LAYOUTS["nnunet"].make(tmp_path / "data", pieces())
    tiny = ["prepare.size=32", "network.arguments.pretrained=none", "train.epochs=2", "train.batch_size=2"]
    tiny += ["train.steps_per_epoch=2", "split.name=holdout", "split.fraction=0.34", "train.vis_freq=0"]
    recipe = load_recipe("default", tiny)
    options = {"hardware": Hardware("cpu", threads=1), "cache": tmp_path / "cache", "echo": lambda said: None}
    whole = train(tmp_path / "data", recipe, tmp_path / "whole", **options)
    stopped = train(tmp_path / "data", recipe, tmp_path / "stopped", minutes=0, **options)
    assert stopped.manifest["status"] != "finished"
    resumed = train(None, None, tmp_path / "stopped", resume=True, **options)
    assert resumed.manifest["status"] == "finished"
    weights = [run.path / "weights.safetensors" for run in (whole, resumed)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
