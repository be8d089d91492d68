"""A model file gives back a network that can be trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from glioseg.errors import InputError  # noqa: E402
from glioseg.model.description import describe  # noqa: E402
from glioseg.model.export import export_onnx  # noqa: E402
from glioseg.model.half import store_in_half  # noqa: E402
from glioseg.model.recover import recover_network  # noqa: E402
from glioseg.model.runtime import OnnxRuntime  # noqa: E402
from glioseg.model.weights import find_model  # noqa: E402
from glioseg.recipe import NetworkChoice, Recipe  # noqa: E402
from glioseg.training.start import network_of  # noqa: E402

NETWORKS = {
    "unet": {"features": 4},
    "attention_unet": {"features": 4},
    "resnet34_unet": {},
    "unet_plus_plus": {"feature_scale": 16},
    "keras_unet": {"features": 4},
    "lite0_unet": {"pretrained": "none", "decoder": (16, 16, 8, 8, 8), "mirrored": True},
}


def exported(path: Path, name: str) -> tuple[Recipe, Path]:
    """A network with uneven batch statistics, as a trained one has them."""
    recipe = Recipe(name="some", network=NetworkChoice(name=name, arguments=NETWORKS[name]))
    torch.manual_seed(1)
    network = network_of(recipe).eval()
    for key, value in network.state_dict().items():
        if key.endswith("running_mean"):
            value.normal_(0, 0.1)
        elif key.endswith("running_var"):
            value.uniform_(0.5, 2)
    return recipe, export_onnx(network, path, 3, 64, describe(recipe, {}))


HEAVY = {"resnet34_unet"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in HEAVY else ()) for name in NETWORKS]
)
def test_a_model_gives_back_a_network_that_computes_the_same(name: str, tmp_path: Path) -> None:
    recipe, path = exported(tmp_path / "model.onnx", name)
    network, description = recover_network(path)
    assert set(NETWORKS[name]) <= set(description.network_arguments)
    images = np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32)
    with torch.no_grad():
        found = network(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found, OnnxRuntime(path, threads=1)(images), atol=2e-3)
    assert type(network) is type(network_of(recipe, pretrained=False))


def test_the_model_that_ships_gives_back_its_network() -> None:
    network, description = recover_network(find_model("default"))
    assert description.name == "lgg-lite0-v5"
    assert sum(value.numel() for value in network.parameters()) == 4_353_361


def test_half_precision_is_enough_and_eight_bits_are_not(tmp_path: Path) -> None:
    _, path = exported(tmp_path / "model.onnx", "unet")
    recover_network(store_in_half(path, tmp_path / "half.onnx"))
    with pytest.raises(InputError, match=r"16 or 32 bits.*weights\.safetensors"):
        recover_network(find_model("default", "fast"))


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model at all")
    with pytest.raises(InputError, match="to learn on from"):
        recover_network(broken)
