"""Networks of the published write-up against builds that are written down here on their own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from glioseg.networks import build_network
from glioseg.prepare import neighbour_channels
from glioseg.recipe import load_recipe


@pytest.fixture(autouse=True)
def _same_weights():
    torch.manual_seed(3)


def batch(channels=3, height=32, width=64, count=2):
    return torch.randn(count, channels, height, width)


class PublishedAttentionGate(nn.Module):
    """The gate as its description reads, written down apart from the package's."""

    def __init__(self, in_channels, out_channels):
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size=1)

    def forward(self, encoder, decoder):
        weights = self.conv(encoder)
        weights = F.interpolate(weights, size=decoder.shape[2:], mode="bilinear", align_corners=True)
        return decoder * torch.sigmoid(weights)


def published_attention_unet(features):
    """Modules of the published network by name: the reference U-Net's and four gates."""
    modules = dict(build_network("unet", 3, features=features).named_children())
    for level in range(1, 5):
        width = features * 2 ** (level - 1)
        modules[f"gate{level}"] = PublishedAttentionGate(width, width)
    return nn.ModuleDict(modules)


def test_the_published_gate_weighs_the_decoder_by_the_encoder():
    independent = published_attention_unet(4).eval()
    own = build_network("attention_unet", 3, features=4, gate="as_published").eval()
    own.load_state_dict(independent.state_dict())
    images = batch()
    with torch.no_grad():
        features, skips = images, {}
        for level in range(1, 5):
            skips[level] = independent[f"encoder{level}"](features)
            features = F.max_pool2d(skips[level], 2)
        features = independent["bottleneck"](features)
        for level in range(4, 0, -1):
            up = independent[f"upconv{level}"](features)
            gated = independent[f"gate{level}"](skips[level], up)
            features = independent[f"decoder{level}"](torch.cat((gated, skips[level]), dim=1))
        torch.testing.assert_close(own(images), independent["conv"](features))
    with torch.device("meta"):
        whole = published_attention_unet(32)
    assert sum(parameter.numel() for parameter in whole.parameters()) == 7_850_561


def keras_layers(features):
    """The convolutions of the Keras network in the order in which it names them, head last."""

    def same(below, width, kernel):
        return nn.Conv2d(below, width, kernel, padding="same")

    widths = [features * 2**level for level in range(5)]
    layers, below = [], 1
    for width in widths:
        layers += [same(below, width, 3), same(width, width, 3)]
        below = width
    for width in reversed(widths[:-1]):
        layers += [same(2 * width, width, 2), same(2 * width, width, 3), same(width, width, 3)]
    return nn.ModuleList([*layers, same(features, 2, 3)])


def test_keras_unet_computes_what_an_independent_build_does():
    network = build_network("keras_unet", 1, 2, features=4).eval()
    layers = keras_layers(4)
    own = [*network.encoder]
    for up, block in zip(network.ups, network.decoder, strict=True):
        own += [up, block]
    flat = [m for part in [*own, network.head] for m in part.modules() if isinstance(m, nn.Conv2d)]
    for layer, one in zip(layers, flat, strict=True):
        layer.load_state_dict(one.state_dict())
    images = batch(1)
    todo = iter(layers)
    with torch.no_grad():
        features, skips = images, []
        for level in range(5):
            features = F.max_pool2d(features, 2) if level else features
            features = torch.relu(next(todo)(features))
            features = torch.relu(next(todo)(features))
            skips.append(features)
        for skip in reversed(skips[:-1]):
            up = torch.relu(next(todo)(features.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)))
            features = torch.cat((skip, up), dim=1)
            features = torch.relu(next(todo)(features))
            features = torch.relu(next(todo)(features))
        torch.testing.assert_close(network(images), next(todo)(features))
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in keras_layers(32).parameters()) == 7_760_066


@pytest.mark.parametrize(
    ("arguments", "count"),
    [({"up": "bilinear"}, 8_358_116), ({"batch_norm": "none"}, 9_042_276), ({"heads": "last"}, 9_046_145)],
)
def test_the_variants_of_unet_plus_plus_have_the_published_sizes(arguments, count):
    with torch.device("meta"):
        network = build_network("unet_plus_plus", 3, 1, **arguments)
    assert sum(parameter.numel() for parameter in network.parameters()) == count


@pytest.mark.parametrize(
    ("recipe", "count"),
    [
        ("reference", 7_763_041),
        ("attention_unet", 7_850_561),
        ("attention_unet_oktay", 8_280_036),
        ("resnet34_unet", 21_656_897),
        ("unet_plus_plus", 9_046_244),
        ("unet_plus_plus_deep_supervision", 9_046_244),
        ("keras_unet", 7_760_066),
    ],
)
def test_recipes_build_networks_of_the_published_sizes(recipe, count):
    chosen = load_recipe(recipe)
    channels = len(neighbour_channels(chosen.input.sequences, chosen.input.neighbours))
    with torch.device("meta"):
        network = build_network(
            chosen.network.name, channels, chosen.labels.channels, **chosen.network.arguments
        )
    assert sum(parameter.numel() for parameter in network.parameters()) == count
