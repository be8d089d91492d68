"""Networks of known behaviour, as ONNX files that glioseg takes for its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from glioseg.model.description import describe
from glioseg.prepare import Preparation
from glioseg.recipe import InputChoice, PostprocessChoice, Recipe

FLAIR = 1


def known_model(
    path: Path,
    gain: float = 4.0,
    offset: float = -4.0,
    *,
    prepare: Preparation | None = None,
    neighbours: int = 0,
    channel: int = FLAIR,
    pattern: npt.NDArray[Any] | None = None,
    postprocess: PostprocessChoice | None = None,
    manifest: dict[str, Any] | None = None,
    checkpoint: str = "last",
    metadata: bool = True,
    input_shape: tuple[int | str, ...] | None = None,
) -> Path:
    """Write a network whose logits are ``gain * channel + offset + pattern``.

    With the numbers given, whatever is brighter in FLAIR than the head's mean by one deviation is lesion.

    Args:
        path: the ``.onnx`` file.
        gain, offset: see above.
        prepare, neighbours, postprocess, manifest, checkpoint: what the file says of itself.
        channel: which input channel is looked at.
        pattern: ``(size, size)`` added to the logits of every slice.
        metadata: whether the file says anything of itself.
        input_shape: of the network, instead of the one that fits.
    """
    prepare = prepare or Preparation(name="head", size=64)
    size = prepare.size
    shape = input_shape or ("batch", 3 + 2 * neighbours, size, size)
    added = np.float32(offset) + (np.zeros((size, size)) if pattern is None else pattern)
    constants = {
        "which": np.array([channel], np.int64),
        "gain": np.array([gain], np.float32),
        "added": added.astype(np.float32)[None, None],
    }
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["images", "which"], ["chosen"], axis=1),
            helper.make_node("Mul", ["chosen", "gain"], ["scaled"]),
            helper.make_node("Add", ["scaled", "added"], ["logits"]),
        ],
        "known",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ("batch", 1, *shape[2:]))],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if metadata:
        recipe = Recipe.model_validate(
            {
                "name": "known",
                "prepare": prepare,
                "input": InputChoice(neighbours=neighbours),
                "postprocess": postprocess or PostprocessChoice(),
                "train": {"checkpoint": checkpoint},
            }
        )
        helper.set_model_props(model, describe(recipe, manifest or {}))
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def two_class_model(path: Path, values: tuple[int, int] = (1, 3)) -> Path:
    """Write a network that tells ``oedema`` (bright in FLAIR) from ``core`` (brighter still).

    Args:
        path: the ``.onnx`` file.
        values: labels of the two.
    """
    recipe = Recipe.model_validate(
        {
            "name": "classes",
            "prepare": Preparation(name="head", size=64),
            "labels": {"values": values, "names": ("oedema", "core")},
        }
    )
    # Background, oedema, core: lines that the brightness crosses at 1 and at 2 deviations.
    weights = np.zeros((3, 3 + 2 * recipe.input.neighbours, 1, 1), np.float32)
    weights[:, FLAIR, 0, 0] = (0, 8, 16)
    constants = {"weights": weights, "bias": np.array([0, -8, -24], np.float32)}
    shapes = {"images": weights.shape[1], "logits": 3}
    inputs, outputs = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", channels, "rows", "columns"])]
        for name, channels in shapes.items()
    )
    graph = helper.make_graph(
        [helper.make_node("Conv", ["images", "weights", "bias"], ["logits"])],
        "classes",
        inputs,
        outputs,
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, describe(recipe, {}))
    onnx.save(model, path)
    return path
