"""Which file is meant by a name, what is refused as a model, and how a loaded one travels."""

from __future__ import annotations

import os
import pickle
import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from support.known_models import known_model

import glioseg
from glioseg.errors import InputError
from glioseg.model.predictor import Predictor, load_model
from glioseg.model.runtime import OnnxRuntime, usable_cores
from glioseg.model.weights import find_model

PATIENT = "TCGA_CS_4944_20010208"


def test_a_model_is_found_by_name_run_folder_and_file(model, tmp_path) -> None:
    assert find_model("default") == find_model(find_model("default").stem)
    assert find_model(model) == model
    shutil.copyfile(model, tmp_path / "model.onnx")
    assert find_model(tmp_path) == tmp_path / "model.onnx"


def test_a_file_says_what_was_trained_on(tmp_path) -> None:
    manifest = {
        "data_fingerprint": "abc",
        "data": "/somewhere/private",
        "split": {"name": "reference", "train": ["a"], "validation": ["b"]},
    }
    path = known_model(tmp_path / "model.onnx", manifest=manifest, checkpoint="best")
    description = load_model(path).description
    assert description.trained_on == {
        "fingerprint": "abc", "split": "reference", "train": ["a"], "validation": ["b"],
    }  # fmt: skip
    assert description.checkpoint == "best"
    assert not description.prepare.drop_ends, "a user's first and last slice are segmented too"
    assert b"private" not in path.read_bytes()


def wrong_models(folder: Path) -> dict[str, tuple[object, str]]:
    known = known_model(folder / "known.onnx")
    (folder / "text.onnx").write_text("no network", encoding="utf-8")
    (folder / "empty.onnx").touch()
    (folder / "cut.onnx").write_bytes(known.read_bytes()[:200])
    (folder / "run").mkdir()
    return {
        "no such name": ("lgg-lite", "nothing of that name"),
        "no such file": (folder / "none.onnx", "nothing of that name"),
        "text": (folder / "text.onnx", "expected an ONNX model"),
        "empty": (folder / "empty.onnx", "expected an ONNX model"),
        "cut short": (folder / "cut.onnx", "expected an ONNX model"),
        "of others": (known_model(folder / "others.onnx", metadata=False), "without its description"),
        "unfinished run": (folder / "run", "glioseg train --resume"),
        "another kind of file": (Path(__file__), "nothing of that name"),
        "other channels": (
            known_model(folder / "channels.onnx", input_shape=("batch", 5, 64, 64)),
            "expected an input of 3 x 64 x 64, found 5 x 64 x 64",
        ),
        "other size": (
            known_model(folder / "size.onnx", input_shape=("batch", 3, 1, 1)),
            "expected an input of 3 x 64 x 64, found 3 x 1 x 1",
        ),
    }


def test_what_is_no_model_is_refused_in_words(tmp_path) -> None:
    for kind, (given, words) in wrong_models(tmp_path).items():
        with pytest.raises(InputError) as caught:
            load_model(given)  # type: ignore[arg-type]
        text = str(caught.value)
        assert words in text, kind
        assert "\n" not in text, kind
        assert caught.value.faults[0].cure, kind


def test_sizes_that_the_file_leaves_free_are_taken(tmp_path, labelled) -> None:
    path = known_model(tmp_path / "free.onnx", input_shape=("batch", 3, "rows", "columns"))
    assert load_model(path)(labelled[PATIENT][0]).segmentation.mask.any()


@pytest.mark.parametrize("threshold", [0, 1, -0.5, 2, float("nan")])
def test_a_threshold_that_is_none(threshold: float, model: Path) -> None:
    with pytest.raises(InputError, match="threshold: expected a number between 0 and 1"):
        load_model(model, threshold=threshold)


def test_the_fingerprint_is_that_of_the_weights(model: Path, tmp_path: Path) -> None:
    shutil.copyfile(model, tmp_path / "copy.onnx")
    other = known_model(tmp_path / "other.onnx", gain=4.5)
    prints = [OnnxRuntime(path).fingerprint for path in (model, tmp_path / "copy.onnx", other)]
    assert prints[0] == prints[1] != prints[2]
    assert load_model(other).fingerprint == prints[2]


def test_threads_are_those_of_the_process() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


class TestOtherProcesses:
    def test_a_predictor_travels_by_name_and_options(self, labelled) -> None:
        scan, _ = labelled[PATIENT]
        one = glioseg.load_model(threads=1, threshold=0.7)
        other = pickle.loads(pickle.dumps(one))
        assert other.fingerprint == one.fingerprint
        assert other.description == one.description
        assert len(pickle.dumps(one)) < 1000
        assert pickle.loads(pickle.dumps(one)) is other, "it is loaded once a process"
        np.testing.assert_array_equal(other(scan).segmentation.mask, one(scan).segmentation.mask)

    def test_by_a_path_that_holds_in_every_folder(self, model: Path, tmp_path, monkeypatch) -> None:
        monkeypatch.chdir(model.parent)
        packed = pickle.dumps(load_model(model.name, threads=1))
        monkeypatch.chdir(tmp_path)
        assert pickle.loads(packed).fingerprint == load_model(model).fingerprint

    def test_other_weights_under_that_name_are_refused(self, model: Path, tmp_path) -> None:
        here = tmp_path / "model.onnx"
        shutil.copy(model, here)
        packed = pickle.dumps(load_model(here))
        known_model(here, gain=3.0)
        with pytest.raises(InputError, match="the same model file on every machine"):
            pickle.loads(packed)

    def test_one_made_by_hand_says_that_it_cannot(self, predictor: Predictor) -> None:
        with pytest.raises(TypeError, match="load_model"):
            pickle.dumps(Predictor(predictor.runtime, predictor.description))

    def test_a_pool_of_processes_segments_with_it(self, sequences, model: Path) -> None:
        work = partial(glioseg.segment, model=load_model(model, threads=1))
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            (found,) = pool.map(work, [sequences["flair"]])
        np.testing.assert_array_equal(found.segmentation.mask, work(sequences["flair"]).segmentation.mask)
