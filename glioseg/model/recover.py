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
from typing import Any

import numpy as np

from glioseg.errors import Fault, InputError, require_extra
from glioseg.model.description import ModelDescription, read_description
from glioseg.model.export import INPUT, OUTPUT, TOLERANCE
from glioseg.networks import build_network, find_network, without_pretrained


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
    """The state dict of ``network`` from the constants of an ONNX model that was traced from it."""
    import torch
    from onnx import numpy_helper

    constants = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in constants:
            constants[node.output[0]] = constants[node.input[0]].astype(np.float32)
    state = {name: value.clone() for name, value in network.state_dict().items()}
    given = {name for name in state if name in constants}
    for name in given:
        state[name] = torch.from_numpy(constants[name].copy())
    norms = _norms_after(network, images)
    for node in model.graph.node:
        # The tracer names a node after the module that it computes: /encoder/_bn0/BatchNormalization.
        module = ".".join(_last_scopes(node.name))
        if node.op_type == "BatchNormalization":
            names = ("weight", "bias", "running_mean", "running_var")
            values = dict(zip(names, node.input[1:5], strict=True))
        elif node.op_type in ("Conv", "ConvTranspose"):
            values = dict(zip(("weight", "bias"), node.input[1:3], strict=False))
        else:
            continue
        if node.op_type != "BatchNormalization" and f"{module}.bias" not in state and "bias" in values:
            merged = constants[values.pop("bias")]
            norm, epsilon = norms[module]
            state[f"{norm}.weight"] = torch.ones(len(merged))
            state[f"{norm}.bias"] = torch.from_numpy(merged.copy())
            state[f"{norm}.running_mean"] = torch.zeros(len(merged))
            # Divided by the root of variance and epsilon: by one.
            state[f"{norm}.running_var"] = torch.full((len(merged),), 1 - epsilon)
            given |= {f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var")}
        for part, name in values.items():
            state[f"{module}.{part}"] = torch.from_numpy(constants[name].copy())
            given.add(f"{module}.{part}")
    missing = [name for name in state if name not in given and not name.endswith("num_batches_tracked")]
    if missing:
        raise ValueError(f"no weights of {missing[0]}")
    return state


def _last_scopes(node: str) -> list[str]:
    """Module path of a node's name: a module inside ModuleList or Sequential repeats the names above it.

    ``/decoder.0/convolutions/convolutions.1/Conv`` is of ``decoder.0.convolutions.1``.
    """
    scopes: list[str] = []
    for scope in node.strip("/").split("/")[:-1]:
        if scopes and scope.startswith(f"{scopes[-1]}."):
            scopes.pop()
        scopes.append(scope)
    return scopes


def _norms_after(network: Any, images: Any) -> dict[str, tuple[str, float]]:
    """For each convolution that a batch normalisation follows directly: the name of that, and its epsilon."""
    import torch
    from torch import nn

    makers: dict[int, str] = {}
    kept: list[Any] = []
    found: dict[str, tuple[str, float]] = {}
    hooks = []

    def remember(name: str) -> Callable[[Any, Any, Any], None]:
        def hook(module: Any, inputs: Any, output: Any) -> None:
            makers[id(output)] = name
            # As long as the tensor lives, nothing else has its id.
            kept.append(output)

        return hook

    def look_up(name: str) -> Callable[[Any, Any], None]:
        def hook(module: Any, inputs: Any) -> None:
            if id(inputs[0]) in makers:
                found[makers[id(inputs[0])]] = (name, module.eps)

        return hook

    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            hooks.append(module.register_forward_hook(remember(name)))
        elif isinstance(module, nn.BatchNorm2d):
            hooks.append(module.register_forward_pre_hook(look_up(name)))
    try:
        with torch.no_grad():
            network(images[:1])
    finally:
        for hook in hooks:
            hook.remove()
    return found


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
