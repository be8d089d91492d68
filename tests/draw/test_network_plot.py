"""Drawings of networks come from the networks: their blocks, sizes and what leads where."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402

from glioseg.draw.network import ARROWS, GATE, network_plot  # noqa: E402
from glioseg.networks import build_network  # noqa: E402
from glioseg.networks.structure import Structure, read_structure  # noqa: E402


def structure_of(name: str, **arguments: object) -> Structure:
    return read_structure(build_network(name, 3, **arguments), 3, 64)


def arrows(found: Structure) -> set[tuple[int, int, int, int]]:
    """Channels and size of both ends of each arrow."""
    ends = [(block.channels, block.size) for block in found.blocks]
    return {(*ends[one], *ends[other]) for one, other, _ in found.edges}


def shows(path: Path, colour: str, tolerance: int = 24) -> bool:
    """Whether a picture has a pixel of about a colour."""
    wanted = np.array(list(bytes.fromhex(colour.removeprefix("#"))))
    with Image.open(path) as picture:
        apart = np.abs(np.asarray(picture.convert("RGB")).astype(int) - wanted)
    return bool((apart.max(axis=2) < tolerance).any())


def test_a_unet_goes_down_and_up_with_skips_between_equal_sizes() -> None:
    found = structure_of("unet", features=4)
    assert [(block.channels, block.size) for block in found.blocks] == [
        (3, 64), (4, 64), (8, 32), (16, 16), (32, 8), (64, 4), (32, 8), (16, 16), (8, 32), (4, 64), (1, 64),
    ]  # fmt: skip
    skips = {(4, 64, 4, 64), (8, 32, 8, 32), (16, 16, 16, 16), (32, 8, 32, 8)}
    assert skips <= arrows(found)
    kinds = [kind for _, _, kind in found.edges]
    assert (kinds.count("down"), kinds.count("up"), kinds.count("same")) == (4, 4, 6)
    assert [block.column for block in found.blocks] == list(range(11))


def test_other_networks_differ_where_their_ideas_are() -> None:
    plain = structure_of("unet", features=4)
    gated = structure_of("attention_unet", features=4)
    assert sum("gate" in block.name for block in gated.blocks) == 4
    assert len(gated.blocks) == len(plain.blocks) + 4
    nested = structure_of("unet_plus_plus", feature_scale=8)
    # Fifteen nodes of the published figure, the input, and a head on each of the upper four.
    assert len(nested.blocks) == 15 + 1 + 4
    pretrained = structure_of("resnet34_unet", pretrained="none")
    assert {block.size for block in pretrained.blocks} == {64, 32, 16, 8, 4, 2}
    assert max(block.channels for block in pretrained.blocks) == 512


def test_a_network_whose_way_depends_on_its_values_is_refused() -> None:
    class Fickle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 1, 1)

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            found: torch.Tensor = self.conv(images)
            return found if found.mean() > 0 else -found

    with pytest.raises(ValueError, match="Fickle cannot be traced"):
        read_structure(Fickle(), 3, 64)


def test_drawing_has_every_kind_of_arrow_and_marks_gates(tmp_path: Path) -> None:
    plain = network_plot(structure_of("unet", features=4), tmp_path / "plain.png")
    gated = network_plot(structure_of("attention_unet", features=4), tmp_path / "gated.png")
    assert all(shows(plain, colour) for colour in ARROWS.values())
    assert shows(gated, GATE, 9)
    assert not shows(plain, GATE, 9)
    assert gated.stat().st_size < 40_000
