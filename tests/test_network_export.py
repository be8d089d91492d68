"""Export to ONNX: both exporters, any size, nothing of the machine, nothing written that is not the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from glioseg.errors import GliosegError
from glioseg.networks import (
    build_network,
    export,
)
from glioseg.networks.export import INPUT, export_onnx


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
