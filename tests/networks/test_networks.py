"""One contract that every network of the registry inherits, and the registry."""

from __future__ import annotations

import copy

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from glioseg.errors import InputError
from glioseg.model.export import INPUT, OUTPUT, export_onnx
from glioseg.networks import (
    REGISTRY,
    build_network,
    find_network,
    pad_to_multiple,
    without_pretrained,
)
from glioseg.networks.weights import read_weights, save_weights

SMALL = {
    "unet": {"features": 4},
    "attention_unet": {"features": 4},
    "resnet34_unet": {},
    "unet_plus_plus": {"feature_scale": 16},
    "keras_unet": {"features": 4},
    "lite0_unet": {"pretrained": "none", "decoder": (16, 16, 8, 8, 8)},
    "lite2_unet": {"pretrained": "none", "decoder": (16, 16, 8, 8, 8)},
}
"""Arguments that make a network small enough for a test; the structure stays."""

CASES = {
    **{name: (name, SMALL[name]) for name in REGISTRY},
    "lite0_unet-mirrored": ("lite0_unet", {**SMALL["lite0_unet"], "mirrored": True}),
    "attention_unet-skip_1x1": ("attention_unet", {"features": 4, "gate": "skip_1x1"}),
    "attention_unet-additive": ("attention_unet", {"features": 4, "gate": "additive"}),
    "unet_plus_plus-each": (
        "unet_plus_plus",
        {"feature_scale": 16, "heads": "each", "up": "bilinear", "batch_norm": "all"},
    ),
    "unet_plus_plus-last": ("unet_plus_plus", {"feature_scale": 16, "heads": "last", "batch_norm": "none"}),
    "monai:SegResNet": (
        "monai:SegResNet",
        {"init_filters": 8, "blocks_down": [1, 1, 1], "blocks_up": [1, 1]},
    ),
    "monai:DynUNet": (
        "monai:DynUNet",
        {"filters": [4, 8, 8, 8, 8], "deep_supervision": True, "deep_supr_num": 2},
    ),
}
contract = pytest.mark.parametrize(("name", "arguments"), CASES.values(), ids=CASES)


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(3)


def build(name, arguments, in_channels=3, out_channels=1):
    return build_network(name, in_channels, out_channels, **arguments)


def batch(channels=3, height=32, width=64, count=2):
    return torch.randn(count, channels, height, width)


def heads(output):
    return output if isinstance(output, tuple) else (output,)


def reaches_beyond_probabilities(network, images):
    """Whether a change of the weights can carry the output below 0, and one above 1.

    A step along the gradient of the mean output moves logits as far as one likes. Probabilities stay in 0..1
    however far one goes.
    """
    parameters = list(network.parameters())
    gradients = torch.autograd.grad(network(images).mean(), parameters, allow_unused=True)
    norm = sum(float(gradient.square().sum()) for gradient in gradients if gradient is not None)
    return norm > 0 and all(
        any(_moved(network, images, gradients, sign * length / norm, sign) for length in (1, 10, 100))
        for sign in (-1, 1)
    )


@torch.no_grad()
def _moved(network, images, gradients, step, sign):
    """Whether one step takes some output below -0.5 or above 1.5; the network itself stays as it is."""
    other = copy.deepcopy(network)
    for parameter, gradient in zip(other.parameters(), gradients, strict=True):
        if gradient is not None:
            parameter.add_(gradient, alpha=step)
    output = other(images)
    output = output[torch.isfinite(output)]
    return bool((output < -0.5).any() if sign < 0 else (output > 1.5).any())


# ---------------------------------------------------------------- the contract


def test_every_network_stands_in_the_contract():
    assert set(CASES) >= set(REGISTRY)
    assert all(entry.summary for entry in REGISTRY.values())


@contract
@pytest.mark.parametrize(("in_channels", "out_channels"), [(1, 1), (3, 3), (5, 1)])
def test_shape_and_a_whole_training_step(name, arguments, in_channels, out_channels):
    network = build(name, arguments, in_channels, out_channels).train()
    images = batch(in_channels)
    outputs = heads(network(images))
    for output in outputs:
        assert output.shape == (2, out_channels, 32, 64)
        assert output.dtype == torch.float32
    # Not a plain sum: batch normalisation would take its gradient to zero.
    target = torch.rand_like(outputs[0])
    sum((output - target).square().sum() for output in outputs).backward()
    without = [key for key, value in network.named_parameters() if value.grad is None]
    assert not without
    still = [key for key, value in network.named_parameters() if not value.grad.abs().sum() > 0]
    assert not still
    assert all(torch.isfinite(value.grad).all() for value in network.parameters())
    with torch.no_grad():
        for value in network.parameters():
            value.sub_(value.grad, alpha=1e-4)
    assert all(torch.isfinite(output).all() for output in heads(network(images)))


@contract
def test_returns_logits_not_probabilities(name, arguments):
    network = build(name, arguments).eval()
    assert reaches_beyond_probabilities(network, batch(height=32, width=32))


@contract
def test_one_tensor_in_evaluation_that_does_not_change_from_call_to_call(name, arguments):
    network = build(name, arguments).eval()
    images = batch()
    with torch.no_grad():
        first, second, alone = network(images), network(images), network(images[:1])
    assert isinstance(first, torch.Tensor)
    assert torch.equal(first, second)
    torch.testing.assert_close(first[:1], alone, rtol=1e-4, atol=1e-5)


@contract
def test_the_seed_decides_the_weights(name, arguments):
    states = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        states.append(build(name, arguments).state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not all(torch.equal(states[0][key], states[2][key]) for key in states[0])


@contract
def test_memory_format_does_not_change_the_result(name, arguments):
    network = build(name, arguments).eval()
    images = batch()
    with torch.no_grad():
        plain = network(images)
        network = network.to(memory_format=torch.channels_last)
        last = network(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(plain, last.contiguous(), rtol=1e-4, atol=1e-5)


@contract
def test_weights_come_back_from_a_file(name, arguments, tmp_path):
    network = build(name, arguments).eval()
    file = save_weights(network, tmp_path / "weights.safetensors")
    other = build(name, without_pretrained(name, arguments)).eval()
    other.load_state_dict(read_weights(file))
    images = batch()
    with torch.no_grad():
        assert torch.equal(network(images), other(images))


@contract
def test_odd_sizes_padded_and_restored(name, arguments):
    network = build(name, arguments).eval()
    multiple = find_network(name).multiple
    images = batch(height=37, width=2 * multiple + 1, count=1).numpy()
    padded, (rows, columns) = pad_to_multiple(images, multiple)
    with torch.no_grad():
        logits = network(torch.from_numpy(padded))[..., rows, columns]
    assert logits.shape == (1, 1, *images.shape[-2:])
    assert np.array_equal(padded[..., rows, columns], images)


@contract
def test_onnx_runtime_agrees(name, arguments, tmp_path):
    # Trained statistics, not those a fresh batch normalisation begins with.
    network = build(name, arguments).train()
    with torch.no_grad():
        network(batch(height=32, width=32) * 2 + 1)
    file = export_onnx(network, tmp_path / "model.onnx", 3, 32, {"key": "value"})
    assert network.training
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert session.get_modelmeta().custom_metadata_map == {"key": "value"}
    for count in (1, 3):
        images = batch(height=32, width=32, count=count)
        with torch.no_grad():
            expected = network.eval()(images).numpy()
        logits = session.run([OUTPUT], {INPUT: images.numpy()})[0]
        np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)


# ---------------------------------------------------------------- what the contract refuses


class Ending(nn.Module):
    """A network with something after its logits, as the published notebooks have."""

    def __init__(self, ending):
        super().__init__()
        self.network, self.ending = build_network("unet", 3, 3, features=4), ending

    def forward(self, images):
        return self.ending(self.network(images))


@pytest.mark.parametrize(
    "ending", [nn.Sigmoid(), nn.Softmax(dim=1), nn.Identity()], ids=lambda e: type(e).__name__
)
def test_a_network_that_ends_in_probabilities_fails_the_contract(ending):
    network = Ending(ending).eval()
    logits = isinstance(ending, nn.Identity)
    assert reaches_beyond_probabilities(network, batch(height=32, width=32)) == logits


# ---------------------------------------------------------------- the registry


def test_unknown_names_and_arguments_are_refused_with_the_cure():
    with pytest.raises(InputError, match="Did you mean 'unet'"):
        build_network("unett", 3)
    with pytest.raises(InputError, match="featurs"):
        build_network("unet", 3, featurs=4)


def test_building_from_a_checkpoint_needs_no_pretrained_weights():
    for name in ("lite0_unet", "lite2_unet", "resnet34_unet"):
        assert without_pretrained(name, {"dropout": 0.1}) == {"dropout": 0.1, "pretrained": "none"}
    assert without_pretrained("unet", {"features": 8}) == {"features": 8}
    assert without_pretrained("monai:UNet", {}) == {}


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("attention_unet", {"gate": "adaptive"}, "not 'adaptive'"),
        ("unet_plus_plus", {"heads": "all"}, "last, mean, each"),
        ("unet_plus_plus", {"feature_scale": 0}, r"1\.\.64"),
        ("lite0_unet", {"decoder": (1, 2)}, "five"),
        ("monai:SegResnet", {}, "Did you mean 'monai:SegResNet'"),
        ("monai:Zebra", {}, "Known: .*UNet"),
        ("monai:UNETR", {}, "img_size"),
        ("monai:SegResNet", {"filters": 8}, "filters"),
        ("monai:DenseNet121", {"nonsense": 8}, "nonsense"),
    ],
)
def test_a_wrong_setting_is_refused_in_words(name, arguments, message):
    with pytest.raises(InputError, match=message):
        build_network(name, 3, 1, **arguments)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.sampled_from([1, 8, 16, 32]))
def test_padding_is_least_and_undone(height, width, multiple):
    images = np.arange(2 * height * width, dtype=np.float32).reshape(2, height, width)
    padded, (rows, columns) = pad_to_multiple(images, multiple)
    assert np.array_equal(padded[..., rows, columns], images)
    for before, after in zip(images.shape[1:], padded.shape[1:], strict=True):
        assert after % multiple == 0
        assert after - before < multiple
    assert set(np.unique(padded)) == set(np.unique(images))


def test_an_argument_of_another_network_is_refused_with_its_own() -> None:
    with pytest.raises(InputError, match=r"\(pretrained, decoder, dropout, mirrored\), found features\."):
        build_network("lite0_unet", 3, features=4)
