"""Which device ONNX Runtime is told to use, without a GPU."""

from __future__ import annotations

from pathlib import Path

import onnxruntime
import pytest
from support.known_models import known_model

from glioseg.errors import InputError
from glioseg.model.predictor import load_model
from glioseg.model.runtime import CPU, CUDA, providers_of


@pytest.mark.parametrize(
    ("device", "available", "expected"),
    [
        ("cpu", [CUDA, CPU], [CPU]),
        ("auto", [CPU], [CPU]),
        ("auto", [CUDA, CPU], [(CUDA, {"device_id": 0}), CPU]),
        ("cuda", [CUDA, CPU], [(CUDA, {"device_id": 0}), CPU]),
        ("cuda:1", [CUDA, CPU], [(CUDA, {"device_id": 1}), CPU]),
    ],
)
def test_what_is_told(device: str, available: list[str], expected: list[object]) -> None:
    assert providers_of(device, available) == expected


@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_gpu_that_onnx_runtime_has_not_is_refused(device: str) -> None:
    with pytest.raises(InputError, match="onnxruntime-gpu"):
        providers_of(device, [CPU])


@pytest.mark.parametrize("device", ["gpu", "cpu:1", "cuda:x", ""])
def test_other_devices_are_refused(device: str) -> None:
    with pytest.raises(InputError, match="or auto"):
        providers_of(device, [CUDA, CPU])


def test_a_gpu_that_does_not_start_is_refused_and_not_replaced_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ONNX Runtime falls back on the CPU by itself; whoever asked for a GPU is told."""
    real = onnxruntime.InferenceSession
    asked = []

    def without_driver(content, options, providers):
        asked.append(providers)
        return real(content, options, providers=[CPU])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "InferenceSession", without_driver)
    model = known_model(tmp_path / "model.onnx")
    with pytest.raises(InputError, match="onnxruntime-gpu"):
        load_model(model, device="cuda")
    assert [(CUDA, {"device_id": 0}), CPU] in asked
    assert load_model(model, device="auto").runtime is not None
