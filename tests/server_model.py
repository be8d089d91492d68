"""A model for tests of the server: bright FLAIR is lesion. One 1x1 convolution, quick and predictable."""

from __future__ import annotations

from pathlib import Path


def bright_flair_model(path: Path) -> Path:
    """Write an ``.onnx`` file whose logit is four times the normalised FLAIR value minus 1.5."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from glioseg.inference.model_file import describe
    from glioseg.prepare import neighbour_channels
    from glioseg.recipe import load_recipe
    from glioseg.scan import CHANNELS

    recipe = load_recipe("default")
    names = neighbour_channels(CHANNELS, recipe.input.neighbours)
    weights = np.zeros((1, len(names), 1, 1), np.float32)
    weights[0, CHANNELS.index("flair")] = 4
    graph = helper.make_graph(
        [helper.make_node("Conv", ["images", "weights", "bias"], ["logits"])],
        "bright_flair",
        [
            helper.make_tensor_value_info(
                "images", TensorProto.FLOAT, ["batch", len(names), "rows", "columns"]
            )
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1, "rows", "columns"])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([-6], np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, describe(recipe, {}))
    onnx.save(model, path)
    return path
