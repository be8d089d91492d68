"""A model from a file is tried before it is used: whatever it does, there is one fault with a reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402
from support.known_models import known_model  # noqa: E402

from glioseg.errors import InputError  # noqa: E402
from glioseg.model import trial  # noqa: E402
from glioseg.model.calibration import Calibration  # noqa: E402
from glioseg.model.description import KEY  # noqa: E402
from glioseg.model.predictor import load_model  # noqa: E402
from glioseg.model.trial import check_model  # noqa: E402
from glioseg.model.weights import find_model  # noqa: E402
from glioseg.prediction import Evidence  # noqa: E402


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return known_model(tmp_path / "model.onnx")


def described(model: Path, change: Callable[[Any], Any]) -> Path:
    """The same network with another description."""
    content = onnx.load(model)
    text = {entry.key: entry.value for entry in content.metadata_props}[KEY]
    changed = change(json.loads(text))
    helper.set_model_props(content, {KEY: changed if isinstance(changed, str) else json.dumps(changed)})
    onnx.save(content, model)
    return model


def setting(**values: Any) -> Callable[[Any], Any]:
    return lambda content: {**content, **values}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: [], "should be an object"),
        (lambda content: "null", "should be an object"),
        (lambda content: "{", "Invalid JSON"),
        (lambda content: "[" * 100_000 + "]" * 100_000, "recursion limit"),
        (lambda content: {}, "name: Field required"),
        (setting(neighbours=-1), "neighbours"),
        (setting(neighbours=10**9), "neighbours"),
        (setting(neighbours="many"), "neighbours"),
        (setting(sequences=["flair", "dwi"]), "sequences are different ones"),
        (setting(sequences=[]), "sequences"),
        (setting(prepare={"name": "head", "size": 10**9}), "prepare.size"),
        (setting(prepare=3), "prepare"),
        (setting(labels={"values": [300]}), "labels"),
        (setting(trained_on={"validation": 3}), "trained_on.validation"),
        (setting(appearance={"mean": [0]}), "appearance"),
        (setting(calibration={"slope": "steep"}), "calibration.slope"),
        (setting(calibration={"slope": float("nan")}), "calibration.slope"),
        (setting(name="x" * 5_000_000), "characters"),
    ],
)
def test_a_damaged_description_is_one_fault(model: Path, change: Callable[[Any], Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        load_model(described(model, change))
    (fault,) = caught.value.faults
    assert fault.code == "model.description"
    assert words in fault.found


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (setting(neighbours=2), "model.input_size"),
        (setting(prepare={"name": "head", "size": 32}), "model.input_size"),
        (setting(labels={"values": [1, 2]}), "model.output"),
        (setting(sequences=["flair"]), "model.input_size"),
    ],
)
def test_a_description_of_another_network_is_refused(
    model: Path, change: Callable[[Any], Any], code: str
) -> None:
    with pytest.raises(InputError) as caught:
        load_model(described(model, change))
    assert [fault.code for fault in caught.value.faults] == [code]


def graph(
    path: Path, nodes: list[Any], inputs: list[Any] | None = None, kind: int = TensorProto.FLOAT
) -> Path:
    """A network of these nodes with the description of a known one."""
    known = onnx.load(known_model(path))
    shape = ("batch", 3, 64, 64)
    images = helper.make_tensor_value_info("images", kind, shape)
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)
    made = helper.make_graph(nodes, "graph", [images, *(inputs or [])], [logits])
    content = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(content, {entry.key: entry.value for entry in known.metadata_props})
    onnx.save(content, path)
    return path


def constant(name: str, value: Any) -> Any:
    return helper.make_node(
        "Constant", [], [name], value=onnx.numpy_helper.from_array(np.asarray(value), name)
    )


def endless() -> list[Any]:
    """A loop that goes round 2**62 times."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["again"]), helper.make_node("Identity", ["value"], ["next"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, ()),
            helper.make_tensor_value_info("go", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("value", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, ()),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, None),
        ],
    )
    turns = [constant("turns", np.int64(2**62)), constant("yes", np.bool_(True))]
    return [*turns, helper.make_node("Loop", ["turns", "yes", "images"], ["logits"], body=body)]


def huge() -> list[Any]:
    """A constant of 4 TB."""
    shape = constant("shape", np.array([10**6, 10**6], np.int64))
    return [shape, helper.make_node("ConstantOfShape", ["shape"], ["logits"])]


def test_a_network_that_never_ends_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SECONDS", 3.0)
    with pytest.raises(InputError, match="in 3 s, found one that does not end"):
        load_model(graph(tmp_path / "model.onnx", endless()))


def test_a_network_larger_than_any_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"predicts two empty slices|an ONNX model"):
        load_model(graph(tmp_path / "model.onnx", huge()))


def test_other_outputs_than_logits_are_refused(tmp_path: Path) -> None:
    pooled = [helper.make_node("GlobalAveragePool", ["images"], ["logits"])]
    with pytest.raises(InputError, match=r"logits of 2 x 1 x 64 x 64 .* found 2 x 3 x 1 x 1"):
        load_model(graph(tmp_path / "model.onnx", pooled))
    infinite = [
        constant("which", np.array([1])),
        helper.make_node("Gather", ["images", "which"], ["chosen"], axis=1),
        helper.make_node("Log", ["chosen"], ["logits"]),
    ]
    with pytest.raises(InputError, match="finite logits"):
        load_model(graph(tmp_path / "model.onnx", infinite))


def test_other_inputs_than_slices_are_refused(tmp_path: Path) -> None:
    second = helper.make_tensor_value_info("more", TensorProto.FLOAT, ("batch", 3, 64, 64))
    both = [helper.make_node("Add", ["images", "more"], ["logits"])]
    with pytest.raises(InputError, match=r"one input of the kind tensor\(float\)"):
        load_model(graph(tmp_path / "model.onnx", both, [second]))
    cast = [helper.make_node("Cast", ["images"], ["logits"], to=TensorProto.FLOAT)]
    with pytest.raises(InputError, match=r"found tensor\(double\)"):
        load_model(graph(tmp_path / "model.onnx", cast, kind=TensorProto.DOUBLE))


def test_a_network_for_one_slice_at_a_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="predicts two empty slices"):
        load_model(known_model(tmp_path / "one.onnx", input_shape=(1, 3, 64, 64)))


def test_a_crash_is_told(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "PROGRAM", "import os; os.abort()")
    monkeypatch.setattr(trial, "_sound", set())
    with pytest.raises(InputError, match="a crash of ONNX Runtime"):
        check_model(model)


def test_those_that_ship_and_the_same_content_again_are_not_tried(
    model: Path, tmp_path: Path, shipped_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_model(model)
    monkeypatch.setattr(trial, "PROGRAM", "import os; os.abort()")
    check_model(find_model("default"))
    again = tmp_path / "again.onnx"
    again.write_bytes(model.read_bytes())
    check_model(again)


def test_a_calibration_never_leaves_the_range() -> None:
    for slope in (-1e9, 1e9):
        expected = Calibration(intercept=slope, slope=slope, border_slope=slope)(Evidence(0.9, 4.0))
        assert 0 <= expected <= 1


def test_metadata_that_is_no_text_is_refused(model: Path) -> None:
    content = model.read_bytes()
    place = content.index(b'"neighbours"')
    model.write_bytes(content[:place] + b"\xff\xfe" + content[place + 2 :])
    with pytest.raises(InputError, match="an ONNX model"):
        load_model(model)
