"""From a torch network to an ONNX file that ONNX Runtime computes alike."""

from __future__ import annotations

import logging
import warnings
from copy import deepcopy
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from glioseg.errors import GliosegError, require_extra
from glioseg.files import written_whole

OPSET = 20
"""Understood by every ONNX Runtime since 1.17; newer ones bring nothing that these networks use."""

INPUT, OUTPUT = "images", "logits"

TOLERANCE = 1e-3
"""Greatest difference between torch and ONNX Runtime, as a share of the largest logit (at least of 1)."""


def export_onnx(
    network: Any,
    path: Path,
    in_channels: int,
    size: int,
    metadata: dict[str, str],
    multiple: int | None = None,
) -> Path:
    """Write a network as one ONNX file, once ONNX Runtime has been seen to agree with torch.

    The file has one input ``images``, float32 ``(batch, in_channels, height, width)`` with any batch, and one
    output ``logits``. It keeps nothing of the machine: no paths, no stack traces.

    Torch has two exporters. The older one traces and takes a second; the newer one (``torch.export``) takes
    ten to fifty times as long for the same graph, so it has its turn only where the first is gone, fails, or
    gives something that computes other logits.

    Args:
        network: a ``torch.nn.Module``; it is left as it is (a copy in evaluation mode is exported).
        path: the file to write.
        in_channels: input channels.
        size: height and width in pixels.
        metadata: stored in the file as ``metadata_props``.
        multiple: take any height and width that are multiples of this, not just ``size``.

    Returns:
        ``path``.

    Raises:
        GliosegError: neither exporter gives a file that computes what torch does. Nothing is written.
        InputError: a module of the extra ``train`` is missing, or the file cannot be written.
    """
    require_extra("train", "torch", "onnx", "onnxscript")
    import onnx
    import torch

    copy = deepcopy(network).cpu().float().eval()
    generator = torch.Generator().manual_seed(0)
    # Two images to trace with: a batch of one would be taken for a constant.
    shapes = [(2, size, size), (1, size, size)]
    if multiple is not None:
        shapes.append((3, multiple, 2 * multiple))
    examples = [torch.randn(n, in_channels, h, w, generator=generator) for n, h, w in shapes]
    failures = []
    for exporter in EXPORTERS:
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")
                model = exporter(copy, examples[0], multiple)
                _forget_machine(model)
                _fold_padding(model)
                onnx.helper.set_model_props(model, metadata)
                content = model.SerializeToString()
                for images in examples:
                    _check_parity(copy, content, images)
        except Exception as error:  # the exporters and ONNX Runtime raise errors of many kinds
            reason = str(error).strip() or type(error).__name__
            failures.append(f"{exporter.__name__.strip('_')}: {reason.splitlines()[0]}")
        else:
            with written_whole(path) as part:
                part.write_bytes(content)
            return path
    raise GliosegError(
        f"The network could not be exported to {path.name}, nothing was written. {'; '.join(failures)}"
    )


def _trace(network: Any, images: Any, multiple: int | None) -> Any:
    """ONNX model by tracing (TorchScript)."""
    import onnx
    import torch

    free = {0: "batch"} if multiple is None else {0: "batch", 2: "rows", 3: "columns"}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "traced.onnx"
        torch.onnx.export(
            network,
            (images,),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: free, OUTPUT: free},
        )
        return onnx.load(file)


def _torch_export(network: Any, images: Any, multiple: int | None) -> Any:
    """ONNX model by ``torch.export``."""
    import torch

    free: dict[int, Any] = {0: torch.export.Dim("batch", min=1)}
    if multiple is not None:
        free[2] = multiple * torch.export.Dim("rows", min=1)
        free[3] = multiple * torch.export.Dim("columns", min=1)
    # It warns that torchvision is missing, which nothing here uses.
    noisy = logging.getLogger("torch.onnx._internal.exporter._registration")
    level = noisy.level
    noisy.setLevel(logging.ERROR)
    try:
        program = torch.onnx.export(
            network,
            (images,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=(free,),
            verbose=False,
        )
    finally:
        noisy.setLevel(level)
    assert program is not None
    return program.model_proto


EXPORTERS = (_trace, _torch_export)


def _fold_padding(model: Any) -> None:
    """Let convolutions pad for themselves where a node of its own pads with zeros before them.

    ONNX convolutions can pad one side more than the other, torch's cannot. A node between two convolutions
    costs more than its own time: the runtime leaves its blocked memory layout for it.
    """
    import onnx

    graph = model.graph
    pads = [node for node in graph.node if node.op_type == "Pad" and _pads_with_zeros(node)]
    amounts = _constants(model, [pad.input[1] for pad in pads])
    for pad in pads:
        before, after = amounts[pad.input[1]].reshape(2, -1)
        readers = [node for node in graph.node if pad.output[0] in node.input]
        images_only = not (before[:2].any() or after[:2].any()) and min(*before, *after) >= 0
        if not images_only or [node.op_type for node in readers] != ["Conv"]:
            continue
        (convolution,) = readers
        total = np.concatenate((before[2:], after[2:]))
        for attribute in [one for one in convolution.attribute if one.name == "pads"]:
            total = total + np.array(attribute.ints)
            convolution.attribute.remove(attribute)
        convolution.attribute.append(onnx.helper.make_attribute("pads", total.tolist()))
        convolution.input[0] = pad.input[0]
        graph.node.remove(pad)
    _drop_unread(graph)


def _pads_with_zeros(pad: Any) -> bool:
    mode = {attribute.name: attribute.s for attribute in pad.attribute}.get("mode", b"constant")
    # Its inputs are: images, amounts, value (0 if there is none), axes (all if there are none).
    return mode == b"constant" and not any(pad.input[2:])


def _constants(model: Any, names: list[str]) -> dict[str, Any]:
    """Values within a model that do not depend on its input."""
    import onnx
    import onnxruntime

    if not names:
        return {}
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    del probe.graph.output[:]
    probe.graph.output.extend(
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.INT64, None) for name in names
    )
    _drop_unread(probe.graph)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        probe.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    shape = session.get_inputs()[0].shape
    images = np.zeros([size if isinstance(size, int) else 64 for size in shape], np.float32)
    return dict(zip(names, session.run(names, {INPUT: images}), strict=True))


def _drop_unread(graph: Any) -> None:
    """Remove the nodes that nothing reads any more."""
    while True:
        read = {name for node in graph.node for name in node.input} | {one.name for one in graph.output}
        unread = [node for node in graph.node if not read & set(node.output)]
        if not unread:
            return
        for node in unread:
            graph.node.remove(node)


def _forget_machine(model: Any) -> None:
    """Remove what the exporters note of the source: stack traces with paths, in every node and value."""
    model.doc_string = ""
    graph = model.graph
    for item in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer, graph):
        item.doc_string = ""
        del item.metadata_props[:]


def _check_parity(network: Any, content: bytes, images: Any) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    logits = session.run([OUTPUT], {INPUT: images.numpy()})[0]
    expected = network(images).numpy()
    if logits.shape != expected.shape:
        raise ValueError(f"logits of {logits.shape} where torch gives {expected.shape}")
    difference = float(np.abs(logits - expected).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(expected).max())):
        raise ValueError(f"logits that differ by {difference:g} from torch's")
