"""Export to ONNX: both exporters, any size, nothing of the machine, nothing written that is not the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from glioseg.errors import GliosegError
from glioseg.model import export
from glioseg.model.export import INPUT, export_onnx
from glioseg.model.quantise import FLOAT_NODES, quantise
from glioseg.networks import build_network


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(3)


def batch(channels=3, height=32, width=64, count=2):
    return torch.randn(count, channels, height, width)


@pytest.fixture(params=export.EXPORTERS, ids=lambda exporter: exporter.__name__)
def exporter(request, monkeypatch):
    monkeypatch.setattr(export, "EXPORTERS", (request.param,))


@pytest.mark.usefixtures("exporter")
def test_both_exporters_make_a_file_for_any_size_that_tells_nothing_of_the_machine(tmp_path, capfd):
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Upsample(scale_factor=2)
    )
    file = export_onnx(network, tmp_path / "any.onnx", 3, 32, {}, multiple=16)
    assert capfd.readouterr() == ("", "")
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    images = batch(height=48, width=80)
    with torch.no_grad():
        expected = network(images).numpy()
    np.testing.assert_allclose(session.run(None, {INPUT: images.numpy()})[0], expected, rtol=1e-3, atol=1e-4)
    content = file.read_bytes()
    for word in (b".py", b"site-packages", str(tmp_path).encode(), b"stack_trace"):
        assert word not in content
    onnx.checker.check_model(onnx.load(file), full_check=True)
    assert list(tmp_path.iterdir()) == [file]


def test_an_exporter_that_fails_or_computes_something_else_gives_way_to_the_next(tmp_path, monkeypatch):
    def fails(network, images, multiple):
        raise RuntimeError("no such operator\nand a long story")

    def other(network, images, multiple):
        return tracer(build_network("unet", 3, features=4).eval(), images, multiple)

    tracer = export.EXPORTERS[0]
    network = build_network("unet", 3, features=4).eval()
    monkeypatch.setattr(export, "EXPORTERS", (fails, other, tracer))
    file = export_onnx(network, tmp_path / "model.onnx", 3, 32, {})
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    images = batch(width=32)
    with torch.no_grad():
        expected = network(images).numpy()
    np.testing.assert_allclose(session.run(None, {INPUT: images.numpy()})[0], expected, rtol=1e-3, atol=1e-4)
    monkeypatch.setattr(export, "EXPORTERS", (fails, other))
    with pytest.raises(GliosegError, match=r"nothing was written.*no such operator; other: .* differ"):
        export_onnx(network, tmp_path / "none.onnx", 3, 32, {})
    assert list(tmp_path.iterdir()) == [file]


class PaddedBefore(nn.Module):
    """A convolution with zeros around it in every way that torch has."""

    def __init__(self, amounts, mode="constant", value=None):
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3, stride=2, padding=1)
        self.amounts, self.mode, self.value = amounts, mode, value

    def forward(self, images):
        if self.mode == "constant":
            return self.convolution(nn.functional.pad(images, self.amounts, value=self.value))
        return self.convolution(nn.functional.pad(images, self.amounts, mode=self.mode))


@pytest.mark.parametrize(
    ("network", "left"),
    [
        (PaddedBefore((0, 1, 0, 1)), 0),
        (PaddedBefore((2, 0, 1, 3)), 0),
        (PaddedBefore((0, 1, 0, 1), value=2.0), 1),
        (PaddedBefore((1, 1, 1, 1), mode="reflect"), 1),
        (PaddedBefore((-1, 1, 0, 1)), 1),
        (build_network("lite0_unet", 3, pretrained="none"), 0),
    ],
)
def test_convolutions_pad_for_themselves_where_that_is_the_same(tmp_path, network, left):
    file = export_onnx(network.eval(), tmp_path / "padded.onnx", 3, 64, {})
    assert [node.op_type for node in onnx.load(file).graph.node].count("Pad") == left
    images = batch(height=64)
    logits = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]).run(
        None, {INPUT: images.numpy()}
    )[0]
    with torch.no_grad():
        np.testing.assert_allclose(logits, network(images).numpy(), rtol=1e-3, atol=1e-4)


def test_an_8_bit_network_computes_nearly_the_same_in_a_smaller_file(tmp_path, capfd):
    network = build_network("lite0_unet", 3, pretrained="none").train()
    for _ in range(3):
        network(batch(count=4))  # sensible statistics for its normalisation
    file = export_onnx(network.eval(), tmp_path / "whole.onnx", 3, 64, {"known": "as before"})
    small = quantise(file, tmp_path / "small.onnx", [batch(height=64).numpy() for _ in range(8)])
    assert capfd.readouterr().err == ""
    assert small.stat().st_size < 0.4 * file.stat().st_size
    content = onnx.load(small)
    assert {entry.key: entry.value for entry in content.metadata_props} == {"known": "as before"}
    images = batch(height=64).numpy()
    exact, near = (
        onnxruntime.InferenceSession(one, providers=["CPUExecutionProvider"]).run(None, {INPUT: images})[0]
        for one in (file, small)
    )
    assert np.corrcoef(exact.ravel(), near.ravel())[0, 1] > 0.97
    assert not np.array_equal(exact, near)
    rounded = {
        output for node in content.graph.node if node.op_type == "DequantizeLinear" for output in node.output
    }
    first, second, third, fourth = [node for node in content.graph.node if node.op_type == "Conv"][:4]
    for convolution in (first, second, third):
        assert convolution.name.startswith(FLOAT_NODES), "the stem and the first block stay in float32"
        assert not rounded & set(convolution.input)
    assert rounded >= set(fourth.input)
