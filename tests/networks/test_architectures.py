"""What is particular to each network, and the recipes that train them."""

from __future__ import annotations

import hashlib
import inspect

import pytest
import torch
from monai.utils import OptionalImportError
from safetensors.torch import save_file
from torch import nn

from glioseg.errors import InputError, WrongKindError
from glioseg.losses import FAULTY, build_loss
from glioseg.networks import (
    build_network,
    resnet34_unet,
)
from glioseg.prepare import neighbour_channels
from glioseg.recipe import load_recipe, recipe_names


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(3)


def batch(channels=3, height=32, width=64, count=2):
    return torch.randn(count, channels, height, width)


# ---------------------------------------------------------------- the reference U-Net


def test_reference_unet_has_the_published_names_and_size():
    state = build_network("unet", 3, 1).state_dict()
    network = build_network("unet", 3, 1)
    assert sum(parameter.numel() for parameter in network.parameters()) == 7_763_041
    names = {"conv.weight", "conv.bias"}
    for level in range(1, 5):
        names |= {f"upconv{level}.weight", f"upconv{level}.bias"}
    blocks = [(f"{side}coder{level}", f"{side}c{level}") for side in ("en", "de") for level in range(1, 5)]
    for block, short in [*blocks, ("bottleneck", "bottleneck")]:
        for number in (1, 2):
            names.add(f"{block}.{short}conv{number}.weight")
            names |= {
                f"{block}.{short}norm{number}.{part}"
                for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
            }
    assert set(state) == names
    assert state["encoder1.enc1conv1.weight"].shape == (32, 3, 3, 3)
    assert state["upconv4.weight"].shape == (512, 256, 2, 2)
    assert state["decoder4.dec4conv1.weight"].shape == (256, 512, 3, 3)
    assert state["conv.weight"].shape == (1, 32, 1, 1)


# ---------------------------------------------------------------- attention


@pytest.mark.parametrize("gate", ["as_published", "skip_1x1", "additive"])
def test_a_gate_that_is_open_leaves_the_reference_unet(gate):
    plain = build_network("unet", 3, features=4).eval()
    gated = build_network("attention_unet", 3, features=4, gate=gate).eval()
    missing = gated.load_state_dict(plain.state_dict(), strict=False)
    assert not missing.unexpected_keys
    assert all(key.startswith("gate") for key in missing.missing_keys)
    levels = {key[:5] for key in missing.missing_keys}
    assert levels == (set() if gate == "additive" else {"gate1"}) | {"gate2", "gate3", "gate4"}
    images = batch()
    with torch.no_grad():
        assert not torch.equal(gated(images), plain(images))
        for module in gated.modules():
            # 1 after the sigmoid, whatever the image shows
            if hasattr(module, "psi"):
                module.psi.weight.zero_()
                module.psi.bias.fill_(100)
            elif type(module).__name__ in ("SkipGate", "PublishedGate"):
                module.conv.weight.zero_()
                module.conv.bias.fill_(100)
        torch.testing.assert_close(gated(images), plain(images))


# ---------------------------------------------------------------- ResNet-34


def torchvision_state():
    """A state dict with the names and shapes of torchvision's ResNet-34, written down from its definition."""
    shapes = {"conv1.weight": (64, 3, 7, 7), "fc.weight": (1000, 512), "fc.bias": (1000,)}
    norms = {"bn1": 64}
    below = 64
    for stage, (blocks, width) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512), strict=True), start=1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (width, below, 3, 3)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            norms |= {f"{name}.bn1": width, f"{name}.bn2": width}
            if below != width:
                shapes[f"{name}.downsample.0.weight"] = (width, below, 1, 1)
                norms[f"{name}.downsample.1"] = width
            below = width
    state = {name: torch.randn(shape) * 0.05 for name, shape in shapes.items()}
    for name, width in norms.items():
        state |= {
            f"{name}.{part}": torch.rand(width) for part in ("weight", "bias", "running_mean", "running_var")
        }
        state[f"{name}.num_batches_tracked"] = torch.tensor(1)
    return state


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("weights") / "resnet34.pth"
    torch.manual_seed(0)
    torch.save(torchvision_state(), file)
    return file


def test_resnet34_takes_torchvisions_weights_from_a_file(resnet_file, tmp_path):
    state = torch.load(resnet_file, weights_only=True)
    assert sum(
        value.numel() for name, value in state.items() if "running" not in name and "num_b" not in name
    ) == (
        21_797_672  # what torchvision states for resnet34
    )
    network = build_network("resnet34_unet", 3, pretrained=str(resnet_file))
    own = network.encoder.state_dict()
    assert set(own) == {name for name in state if not name.startswith("fc.")}
    assert all(torch.equal(own[name], state[name]) for name in own)
    assert str(resnet_file) in network.start
    save_file(state, tmp_path / "resnet34.safetensors")
    other = build_network("resnet34_unet", 3, pretrained=str(tmp_path / "resnet34.safetensors"))
    assert torch.equal(other.encoder.layer4[2].conv2.weight, state["layer4.2.conv2.weight"])
    # A grey image in five channels excites the stem as it does in three.
    five = build_network("resnet34_unet", 5, pretrained=str(resnet_file))
    grey = torch.randn(1, 1, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(
            five.encoder.conv1(grey.expand(-1, 5, -1, -1)),
            network.encoder.conv1(grey.expand(-1, 3, -1, -1)),
            rtol=1e-3,
            atol=1e-4,
        )


def test_a_pretrained_network_says_what_it_starts_from_or_what_is_wrong(tmp_path, resnet_file):
    assert "from scratch" in build_network("resnet34_unet", 3).start
    assert "from scratch" in build_network("lite0_unet", 3, pretrained="none").start
    assert build_network("lite0_unet", 3).start == "The EfficientNet-Lite0 encoder starts from imagenet."
    assert build_network("lite2_unet", 3).start == "The EfficientNet-Lite2 encoder starts from imagenet."
    missing, text, other = tmp_path / "missing.pth", tmp_path / "text.pth", tmp_path / "other.pth"
    text.write_text("not weights")
    torch.save(build_network("unet", 3, features=4).state_dict(), other)
    code = tmp_path / "code.pth"
    torch.save({"conv1.weight": nn.Conv2d(3, 64, 7)}, code)
    for file in (missing, text, other, code):
        with pytest.raises(
            InputError, match=f"{file.name}: expected a state dict of torchvision's ResNet-34"
        ):
            build_network("resnet34_unet", 3, pretrained=str(file))


def test_resnet34_downloads_only_when_asked(tmp_path, resnet_file, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    content = resnet_file.read_bytes()
    start = hashlib.sha256(content).hexdigest()[:8]
    source = tmp_path / f"resnet34-{start}.pth"
    source.write_bytes(content)
    monkeypatch.setattr(resnet34_unet, "WEIGHTS_URL", source.as_uri())
    network = build_network("resnet34_unet", 3, pretrained="download")
    assert source.as_uri() in network.start
    assert (tmp_path / "cache" / "hub" / "checkpoints" / source.name).is_file()
    damaged = tmp_path / "resnet34-00000000.pth"
    damaged.write_bytes(content)
    monkeypatch.setattr(resnet34_unet, "WEIGHTS_URL", damaged.as_uri())
    with pytest.raises(InputError, match=r"hash.*by other means"):
        build_network("resnet34_unet", 3, pretrained="download")


# ---------------------------------------------------------------- U-Net++


@pytest.mark.parametrize("heads", ["last", "mean", "each"])
def test_unet_plus_plus_heads(heads):
    network = build_network("unet_plus_plus", 3, feature_scale=16, heads=heads, batch_norm="none")
    images = batch()
    with torch.no_grad():
        training, evaluation = network.train()(images), network.eval()(images)
    if heads == "each":
        assert isinstance(training, tuple)
        assert len(training) == 4
        training = torch.stack(training).mean(dim=0)
    torch.testing.assert_close(training, evaluation)
    assert len(network.ends) == (1 if heads == "last" else 4)


@pytest.mark.parametrize(("batch_norm", "count"), [("none", 0), ("encoder", 10), ("all", 30)])
def test_unet_plus_plus_batch_normalisation(batch_norm, count):
    network = build_network("unet_plus_plus", 3, feature_scale=16, batch_norm=batch_norm)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == count


def test_deep_supervision_trains_every_head_by_the_loss_alone():
    network = build_network("unet_plus_plus", 3, feature_scale=16, heads="each").train()
    target = torch.zeros(2, 1, 32, 32)
    target[..., 8:20, 8:20] = 1
    loss = build_loss("dice")(network(batch(width=32)), target)
    loss.backward()
    assert all(end.weight.grad.abs().sum() > 0 for end in network.ends)


# ---------------------------------------------------------------- Keras


def test_keras_unet_drops_out_only_in_training_and_in_the_depth():
    network = build_network("keras_unet", 3, features=4)
    images = batch()
    with torch.no_grad():
        assert not torch.equal(network.train()(images), network(images))
        assert torch.equal(network.eval()(images), network(images))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    weights = network.encoder[4][2].weight
    assert float(weights.detach().std()) == pytest.approx((2 / (64 * 9)) ** 0.5, rel=0.05)


# ---------------------------------------------------------------- sizes that the descriptions state


@pytest.mark.parametrize(
    ("name", "channels", "arguments", "count"),
    [
        ("unet", (3, 1), {}, 7_763_041),
        ("attention_unet", (3, 1), {"gate": "as_published"}, 7_850_561),
        ("attention_unet", (3, 1), {"gate": "skip_1x1"}, 7_937_601),
        ("attention_unet", (3, 1), {"gate": "additive"}, 8_280_036),
        ("resnet34_unet", (3, 1), {}, 21_656_897),
        ("unet_plus_plus", (3, 1), {}, 9_046_244),
        ("unet_plus_plus", (3, 1), {"feature_scale": 1}, 36_166_084),
        ("keras_unet", (1, 2), {}, 7_760_066),
    ],
)
def test_as_many_parameters_as_the_description_says(name, channels, arguments, count):
    with torch.device("meta"):
        network = build_network(name, *channels, **arguments)
    assert sum(parameter.numel() for parameter in network.parameters()) == count
    assert f"{count:,}" in inspect.getdoc(type(network))


# ---------------------------------------------------------------- MONAI


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("UNet", {}),
        ("AttentionUnet", {}),
        ("BasicUNet", {}),
        ("BasicUNetPlusPlus", {"deep_supervision": True}),
        ("VNet", {}),
        ("SegResNet", {}),
        ("DynUNet", {"kernel_size": [3, 3, 3], "strides": [1, 2, 2], "upsample_kernel_size": [2, 2]}),
        ("SwinUNETR", {"feature_size": 12}),
    ],
)
def test_monai_networks_by_name(name, arguments):
    network = build_network(f"monai:{name}", 4, 1, **arguments).eval()
    with torch.no_grad():
        assert network(batch(4, count=1)).shape == (1, 1, 32, 64)


def test_monai_network_that_does_not_segment_is_refused():
    network = build_network("monai:DenseNet121", 3, 1, init_features=4, growth_rate=2, block_config=[1, 1])
    with pytest.raises(WrongKindError, match=r"\[\(2, 1\)\].*does not segment"):
        network(batch())


def test_monai_network_that_lacks_a_package_says_which(monkeypatch):
    from monai.networks import nets

    class Bare(nn.Module):
        def __init__(self, in_channels, out_channels):
            raise OptionalImportError("import einops (No module named 'einops').")

    monkeypatch.setattr(nets, "Bare", Bare, raising=False)
    with pytest.raises(InputError, match=r"einops.*Install the package"):
        build_network("monai:Bare", 3)


# ---------------------------------------------------------------- recipes

ROWS = {
    "unet_soft_iou": {"loss"},
    "unet_bce_dice": {"loss"},
    "attention_unet": {"network"},
    "attention_unet_oktay": {"network"},
    "resnet34_unet": {"network"},
    "unet_plus_plus": {"network"},
    "unet_plus_plus_deep_supervision": {"network"},
    "unet_adamw_one_cycle": {"optimizer", "schedule"},
    "keras_unet": {"input", "network", "labels", "loss", "augment", "train"},
}


def changed(name, other):
    """The tables in which two recipes differ."""
    one, two = load_recipe(name).model_dump(), load_recipe(other).model_dump()
    return {key for key in one if one[key] != two[key]} - {"name", "summary"}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_the_case_study_differs_from_the_reference_where_it_says(name):
    assert changed(name, "reference") == ROWS[name]


@pytest.mark.parametrize("name", ["unet_soft_iou", "unet_bce_dice", "unet_plus_plus"])
def test_a_faulty_row_differs_from_its_sound_one_in_the_loss(name):
    faulty = load_recipe(f"{name}_as_published")
    assert changed(faulty.name, name) == {"loss", "train"}
    assert "FAULTY" in faulty.summary
    assert faulty.loss.name in FAULTY
    assert faulty.loss.arguments == load_recipe(name).loss.arguments
    # It is to show where it ends, not to be stopped on the way.
    assert faulty.train == load_recipe(name, ["train.stuck_epochs=0"]).train


@pytest.mark.parametrize("name", ["unet_soft_iou", "unet_soft_iou_as_published"])
def test_an_empty_slice_costs_1_in_the_soft_iou_rows(name):
    choice = load_recipe(name).loss
    logits = torch.full((1, 1, 8, 8), -9.0)
    cost = build_loss(choice.name, **choice.arguments)(logits, torch.zeros_like(logits))
    assert float(cost) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_builds_and_takes_a_step(name):
    recipe = load_recipe(name)
    channels = len(neighbour_channels(recipe.input.sequences, recipe.input.neighbours))
    classes = recipe.labels.channels
    network = build_network(recipe.network.name, channels, classes, **recipe.network.arguments).train()
    loss = build_loss(recipe.loss.name, **recipe.loss.arguments)
    target = torch.zeros(2, 1, 32, 32)
    target[..., 8:20, 8:20] = 1
    if classes > 1:
        target = torch.cat((1 - target, target), dim=1)
    cost = loss(network(batch(channels, width=32)), target)
    cost.backward()
    assert torch.isfinite(cost)
    assert all(torch.isfinite(parameter.grad).all() for parameter in network.parameters())
