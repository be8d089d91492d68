"""The models that ship: they load, say what they are, have a card, and find the lesions of the samples."""

from __future__ import annotations

import json

import numpy as np
import pytest

from glioseg.dataset.find import read_case
from glioseg.dataset.split import REFERENCE_VALIDATION
from glioseg.measure import dice
from glioseg.model.description import KEY, read_description
from glioseg.model.predictor import load_model
from glioseg.model.runtime import OnnxRuntime
from glioseg.model.weights import WEIGHTS, model_summaries
from glioseg.prepare import Preparation
from glioseg.recipe import load_recipe
from glioseg.samples import sample_cases
from glioseg.scan import Segmentation


@pytest.fixture(autouse=True)
def shipped_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """The browser tests put a quick model in place of the weights; here the real ones count."""
    monkeypatch.setattr("glioseg.model.weights.WEIGHTS", WEIGHTS)


@pytest.mark.parametrize("name", list(model_summaries()))
class TestEachModel:
    def test_says_what_it_is(self, name: str) -> None:
        predictor = load_model(name)
        description = predictor.description
        validation, trained = (set(description.trained_on[side]) for side in ("validation", "train"))
        assert not validation & trained
        assert not trained & set(REFERENCE_VALIDATION), (
            "the published validation patients were never trained on"
        )
        metadata = json.dumps(predictor.runtime.metadata)  # type: ignore[attr-defined]
        assert KEY in metadata
        assert "/" not in metadata, "no path of a machine"

    def test_is_a_few_megabytes_and_has_a_card(self, name: str) -> None:
        assert (WEIGHTS / f"{name}.onnx").stat().st_size < 10e6
        card = (WEIGHTS / f"{name}.md").read_text(encoding="utf-8")
        for heading in ("Data", "Recipe", "Scores", "Limits", "Not for clinical use"):
            assert heading.casefold() in card.casefold()

    def test_finds_the_lesions_of_the_samples(self, name: str) -> None:
        predictor = load_model(name)
        scores = []
        for case in sample_cases():
            scan, truth = read_case(case)
            assert isinstance(truth, Segmentation)
            scores.append(dice(predictor(scan).segmentation.mask, truth.mask))
        assert min(scores) > 0.8
        assert np.mean(scores) > 0.85


@pytest.mark.parametrize(("variant", "option"), [("fast", "fast"), ("second", "best")])
def test_the_default_has_each_variant_and_it_finds_the_lesions_too(variant: str, option: str) -> None:
    name = next(iter(model_summaries()))
    entry = json.loads((WEIGHTS / "index.json").read_text(encoding="utf-8"))[name]
    alone = OnnxRuntime(WEIGHTS / entry[variant])
    assert read_description(WEIGHTS / entry[variant], alone.metadata) == load_model(name).description
    predictor = load_model(name, threads=1, **{option: True})
    assert load_model(f"{name}:{option}", threads=1).fingerprint == predictor.fingerprint
    for case in sample_cases():
        scan, truth = read_case(case)
        assert isinstance(truth, Segmentation)
        assert dice(predictor(scan).segmentation.mask, truth.mask) > 0.85


def test_only_the_current_model_ships_and_the_default_recipe_is_its_own() -> None:
    (name,) = model_summaries()
    entry = json.loads((WEIGHTS / "index.json").read_text(encoding="utf-8"))[name]
    named = {entry[variant] for variant in ("file", "fast", "second")}
    assert {path.name for path in WEIGHTS.glob("*.onnx")} == named
    assert {path.stem for path in WEIGHTS.glob("*.md")} == {name}
    recipe, description = load_recipe("default"), load_model(name).description
    assert Preparation.of(recipe.prepare) == description.prepare
    assert recipe.input.neighbours == description.neighbours
    assert recipe.postprocess == description.postprocess


def test_weights_stored_in_half_compute_alike(tmp_path) -> None:
    torch = pytest.importorskip("torch")
    from glioseg.model.export import export_onnx
    from glioseg.model.half import store_in_half
    from glioseg.networks import build_network

    torch.manual_seed(0)
    network = build_network("unet", 3, features=8)
    whole = export_onnx(network, tmp_path / "whole.onnx", 3, 32, {KEY: "{}"})
    half = store_in_half(whole, tmp_path / "half.onnx")
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    images = np.random.default_rng(0).normal(size=(2, 3, 32, 32)).astype(np.float32)
    before, after = OnnxRuntime(whole)(images), OnnxRuntime(half)
    assert after.metadata == {KEY: "{}"}
    np.testing.assert_allclose(after(images), before, atol=5e-3 * np.abs(before).max())
