"""From an ONNX file of glioseg back to a torch network that can be trained on.

The file of a model holds its weights already: one file serves both to segment and to learn on from. The
exporter merges each batch normalisation into the convolution before it. The network built here has the merged
weights in the convolution, and a normalisation that only adds the merged bias. In evaluation it computes what
the file computes, which is checked; in training its batch statistics have to stay frozen, since the true ones
are gone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError, require_extra
from glioseg.model.description import ModelDescription, read_description
from glioseg.model.export import INPUT, OUTPUT, TOLERANCE
from glioseg.networks import build_network, find_network, without_pretrained

NODE_OF = {"Conv2d": "Conv", "ConvTranspose2d": "ConvTranspose", "BatchNorm2d": "BatchNormalization"}
"""What the exporter makes of the layers whose weights it renames or merges; all others keep their names."""


def recover_network(path: Path) -> tuple[Any, ModelDescription]:
    """The network of a model file, with its weights, in evaluation mode, and the file's description.

    Args:
        path: an ``.onnx`` file that glioseg wrote, not in 8 bits.

    Raises:
        InputError: the file is not such a model, or its weights do not give a network that computes the same.
    """
    require_extra("train", "torch", "onnx")
    import onnx
    import torch

    try:
        model = onnx.load(path)
    except Exception as error:  # a damaged file makes protobuf raise errors of its own
        raise InputError(Fault("model.not_recovered", path, reason=type(error).__name__)) from error
    description = read_description(path, {one.key: one.value for one in model.metadata_props})
    sizes = [one.dim_value for one in model.graph.input[0].type.tensor_type.shape.dim]
    arguments = without_pretrained(description.network, description.network_arguments)
    network = build_network(
        description.network, sizes[1], **{"out_channels": description.labels.channels, **arguments}
    ).eval()
    multiple = find_network(description.network).multiple
    images = torch.randn(2, sizes[1], sizes[2] or multiple, sizes[3] or multiple)
    try:
        network.load_state_dict(_state(network, model, images))
        difference = _difference(network, model, images)
    except (KeyError, RuntimeError, ValueError, IndexError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(Fault("model.not_recovered", path, reason=reason)) from error
    if not difference <= TOLERANCE:
        raise InputError(Fault("model.not_recovered", path, reason=f"{difference:.3g} > {TOLERANCE:g}"))
    return network, description


def _state(network: Any, model: Any, images: Any) -> dict[str, Any]:
    """The state dict of ``network`` from the constants of an ONNX model that was traced from it.

    The nodes of the graph stand in the order in which the modules were called.
    """
    import torch

    constants = _constants(model)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    values = {name: constants[name] for name in state if name in constants}
    nodes = [node for node in model.graph.node if node.op_type in NODE_OF.values()]
    for name, kind, norm in _calls(network, images):
        if kind == "BatchNorm2d" and (not nodes or nodes[0].op_type != NODE_OF[kind]):
            continue  # merged into the convolution before
        node = nodes.pop(0)
        if node.op_type != NODE_OF[kind]:
            raise ValueError(f"{node.op_type} in the place of {name}")
        parts = (
            ("weight", "bias", "running_mean", "running_var") if kind == "BatchNorm2d" else ("weight", "bias")
        )
        given = dict(zip(parts, (constants[one] for one in node.input[1:]), strict=False))
        merged = norm is not None and not (nodes and nodes[0].op_type == NODE_OF["BatchNorm2d"])
        if norm is not None and merged:
            own = given["bias"] if f"{name}.bias" not in state else np.zeros_like(given["bias"])
            values[f"{norm.name}.weight"] = np.ones_like(own)
            values[f"{norm.name}.bias"] = own
            values[f"{norm.name}.running_mean"] = np.zeros_like(own)
            # Divided by the root of variance and epsilon: by one.
            values[f"{norm.name}.running_var"] = np.full_like(own, 1 - norm.epsilon)
        values |= {f"{name}.{part}": value for part, value in given.items() if f"{name}.{part}" in state}
    missing = [name for name in state if name not in values and not name.endswith("num_batches_tracked")]
    if missing or nodes:
        raise ValueError(f"no weights of {missing[0]}" if missing else f"{len(nodes)} more layers")
    return {**state, **{name: torch.from_numpy(np.array(value)) for name, value in values.items()}}


def _constants(model: Any) -> dict[str, npt.NDArray[Any]]:
    """Constants of a model by name; some are another name of one, or its wider kind."""
    from onnx import numpy_helper

    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in ("Cast", "Identity") and node.input[0] in constants:
            value = constants[node.input[0]]
            constants[node.output[0]] = value.astype(np.float32) if node.op_type == "Cast" else value
    return constants


class _Norm(NamedTuple):
    name: str
    epsilon: float


def _calls(network: Any, images: Any) -> list[tuple[str, str, _Norm | None]]:
    """Name and kind of the layers with weights in the order of their calls; of a convolution also the batch
    normalisation that follows it directly."""
    import torch

    calls: list[tuple[str, str, Any]] = []
    followed: dict[int, _Norm] = {}
    hooks = []

    def remember(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            if _kind(module) == "BatchNorm2d":
                # Tensors live as long as they stand in the list, so that no two have one id.
                followed[id(inputs[0])] = _Norm(name, module.eps)
            calls.append((name, _kind(module), output))

        return hook

    for name, module in network.named_modules():
        if _kind(module) in NODE_OF:
            hooks.append(module.register_forward_hook(remember(name)))
    try:
        with torch.no_grad():
            network(images[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return [
        (name, kind, None if kind == "BatchNorm2d" else followed.get(id(output)))
        for name, kind, output in calls
    ]


def _kind(module: Any) -> str:
    """Which of :data:`NODE_OF` a module is; subclasses count."""
    return next((base.__name__ for base in type(module).__mro__ if base.__name__ in NODE_OF), "")


def _difference(network: Any, model: Any, images: Any) -> float:
    """Greatest difference of the logits of the two, as a share of the largest logit (at least of 1)."""
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    expected = session.run([OUTPUT], {INPUT: images.numpy()})[0]
    with torch.no_grad():
        logits = network(images).numpy()
    return float(np.abs(logits - expected).max() / max(1.0, np.abs(expected).max()))
