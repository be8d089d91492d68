"""Captured steps: what is captured when, what a capture may not change, and the way back when it fails.

Capturing itself needs a CUDA GPU; here something else stands in its place, and one test runs it where it can.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
lightning = pytest.importorskip("pytorch_lightning")

from torch import Tensor, nn  # noqa: E402

from glioseg.recipe import Recipe, load_recipe  # noqa: E402
from glioseg.samples import SAMPLES  # noqa: E402
from glioseg.training import graphed as graphs  # noqa: E402
from glioseg.training import supply  # noqa: E402
from glioseg.training import train as training  # noqa: E402
from glioseg.training.graphed import GraphedNetwork, is_small  # noqa: E402
from glioseg.training.module import SegmentationModule  # noqa: E402
from glioseg.training.resident import ResidentData  # noqa: E402
from glioseg.training.train import Hardware, train  # noqa: E402


def network(dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(dropout)]
    return nn.Sequential(*layers, nn.Conv2d(4, 1, 1)).train()


class Captures:
    """In the place of a capture: counts, and runs the network as it is."""

    def __init__(self, change: Callable[[Tensor], Tensor] = lambda logits: logits) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.replayed = 0
        self.change = change

    def __call__(self, captured: nn.Module, samples: tuple[Tensor, ...]) -> Callable[[Tensor], Any]:
        self.shapes.append(tuple(samples[0].shape))
        for _ in range(3):  # as the real one warms up
            captured(samples[0])

        def replay(images: Tensor) -> Any:
            assert images.shape == samples[0].shape
            self.replayed += 1
            return self.change(captured(images))

        return replay


class TestGraphedNetwork:
    def test_shapes_that_were_captured_are_replayed_and_others_are_not(self) -> None:
        captures = Captures()
        called = GraphedNetwork(network(), captures)
        assert called.prepare([torch.randn(2, 3, 16, 16), torch.randn(2, 3, 8, 8)]) is None
        assert captures.shapes == [(2, 3, 16, 16), (2, 3, 8, 8)]
        before = captures.replayed
        called(torch.randn(2, 3, 8, 8))
        assert captures.replayed == before + 1
        assert called(torch.randn(1, 3, 8, 8)).shape == (1, 1, 8, 8)
        assert captures.replayed == before + 1

    @pytest.mark.parametrize("dropout", [0.0, 0.5])
    def test_nothing_of_the_network_changes(self, dropout: float) -> None:
        made = network(dropout)
        before = {name: value.clone() for name, value in made.state_dict().items()}
        places = {name: value.data_ptr() for name, value in made.state_dict().items()}
        state = torch.get_rng_state()
        GraphedNetwork(made, Captures()).prepare([torch.ones(2, 3, 16, 16)])
        assert torch.equal(torch.get_rng_state(), state)
        for name, value in made.state_dict().items():
            assert torch.equal(value, before[name]), name
            assert value.data_ptr() == places[name], "graphs know the weights by their addresses"
        assert all(weight.grad is None for weight in made.parameters())

    def test_a_capture_that_fails_leaves_the_plain_way(self) -> None:
        def fails(captured: nn.Module, samples: tuple[Tensor, ...]) -> Callable[[Tensor], Any]:
            captured(samples[0])
            raise RuntimeError("operation not permitted when stream is capturing\nsecond line")

        made = network()
        before = {name: value.clone() for name, value in made.state_dict().items()}
        called = GraphedNetwork(made, fails)
        reason = called.prepare([torch.randn(2, 3, 16, 16)])
        assert reason == "RuntimeError: operation not permitted when stream is capturing"
        assert all(torch.equal(value, before[name]) for name, value in made.state_dict().items())
        assert called(torch.randn(2, 3, 16, 16)).shape == (2, 1, 16, 16)

    @pytest.mark.parametrize("factor", [1.5, 0.0, float("nan")])
    def test_a_capture_that_answers_otherwise_is_not_used(self, factor: float) -> None:
        captures = Captures(lambda logits: logits * factor)
        called = GraphedNetwork(network(), captures)
        reason = called.prepare([torch.randn(2, 3, 16, 16)])
        assert reason is not None
        assert "differ" in reason
        assert called.calls == {}

    def test_a_capture_without_gradients_is_not_used(self) -> None:
        called = GraphedNetwork(network(), Captures(lambda logits: logits.detach()))
        assert called.prepare([torch.randn(2, 3, 16, 16)]) is not None

    def test_several_heads_are_compared_too(self) -> None:
        class Heads(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.one, self.unused = nn.Conv2d(3, 1, 1), nn.Conv2d(3, 1, 1)

            def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
                return self.one(images), 2 * self.one(images)

        assert GraphedNetwork(Heads(), Captures()).prepare([torch.randn(2, 3, 8, 8)]) is None

    def test_small(self) -> None:
        from glioseg.networks import build_network

        assert is_small(build_network("lite0_unet", 5, out_channels=1, pretrained="none"))
        assert not is_small(build_network("unet", 3, out_channels=1))


TINY = ["prepare.size=64", "network.arguments.pretrained=none", "train.batch_size=2", "train.vis_freq=0"]
TINY += ["train.steps_per_epoch=2", "split.name=holdout", "split.fraction=0.3", "train.small_size=32"]


class TestTraining:
    @pytest.mark.parametrize(
        ("epochs", "small_epochs", "sizes"),
        [(1, 0, [64]), (2, 1, [32, 64]), (2, 5, [32])],
    )
    def test_every_size_to_come_is_captured_before_the_first_step(
        self, epochs: int, small_epochs: int, sizes: list[int]
    ) -> None:
        settings = [*TINY, f"train.epochs={epochs}", f"train.small_epochs={small_epochs}"]
        module = SegmentationModule(load_recipe("default", settings), (), 10)
        assert [sample.shape[-1] for sample in graphs._samples(module, 0)] == sizes
        last = list(graphs._samples(module, epochs - 1))
        assert [sample.shape[-1] for sample in last] == sizes[-1:]
        assert all(sample.is_contiguous(memory_format=torch.channels_last) for sample in last)

    @pytest.mark.slow
    def test_a_graphed_training_is_the_plain_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recipe = load_recipe("default", [*TINY, "train.epochs=2", "train.small_epochs=1"])
        monkeypatch.setattr(supply.SuppliedData, "setup", resident_on_cpu)
        plain = run(recipe, tmp_path / "plain")
        captures = Captures()
        monkeypatch.setattr(training, "_wants_graphs", lambda hardware, module: True)
        monkeypatch.setattr(graphs, "_captured", captures)
        lines: list[str] = []
        captured = run(recipe, tmp_path / "graphed", lines)
        assert captures.shapes == [(2, 5, 32, 32), (2, 5, 64, 64)]
        assert captures.replayed == 2 + 4, "compared once a size, then every step"
        assert captured == plain
        assert not any("graph" in line.replace("graphed", "") for line in lines)

    @pytest.mark.slow
    def test_a_failure_is_one_line_and_the_same_training(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        recipe = load_recipe("default", [*TINY, "train.epochs=1"])
        monkeypatch.setattr(supply.SuppliedData, "setup", resident_on_cpu)
        plain = run(recipe, tmp_path / "plain")
        monkeypatch.setattr(training, "_wants_graphs", lambda hardware, module: True)
        lines: list[str] = []
        # Without a GPU, the real capture fails.
        monkeypatch.setattr(torch.cuda, "make_graphed_callables", no_graphs)
        assert run(recipe, tmp_path / "tried", lines) == plain
        assert [line for line in lines if "graph (" in line] == [
            "The network is not captured as a CUDA graph (RuntimeError: no graphs here): "
            "its kernels start one by one."
        ]

    def test_only_where_the_host_would_be_waited_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        light = SegmentationModule(load_recipe("default", TINY), (), 10)
        large = SegmentationModule(load_recipe("reference"), (), 10)
        assert not training._wants_graphs(Hardware("cpu"), light)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        assert training._wants_graphs(Hardware("cuda:1"), light)
        assert not training._wants_graphs(Hardware("cuda"), large)
        assert not training._wants_graphs(Hardware("cuda", devices=2), light)
        assert not training._wants_graphs(Hardware("cuda", nodes=2), light)
        assert not training._wants_graphs(Hardware("cuda", compiled=True), light)
        assert not training._wants_graphs(Hardware("cpu"), light)

    def test_nothing_is_captured_beside_threads_that_load_ahead(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        captures = Captures()
        monkeypatch.setattr(training, "_wants_graphs", lambda hardware, module: True)
        monkeypatch.setattr(graphs, "_captured", captures)
        run(load_recipe("default", [*TINY, "train.epochs=1"]), tmp_path / "run")
        assert captures.shapes == []


def no_graphs(*_: object, **__: object) -> None:
    raise RuntimeError("no graphs here")


def resident_on_cpu(self: Any, stage: str) -> None:
    if self.resident is None:
        device = torch.device("cpu")
        self.resident = ResidentData(self.recipe, self.train_cases, self.validation_cases, device)


def run(recipe: Recipe, out: Path, lines: list[str] | None = None) -> bytes:
    """Weights of a training."""
    echo = (lines if lines is not None else []).append
    return train(SAMPLES, recipe, out, hardware=Hardware("cpu", threads=1), echo=echo).weights.read_bytes()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="a capture needs a CUDA GPU")
@pytest.mark.parametrize("half", [False, True])
def test_a_real_capture_answers_as_the_network_does(half: bool) -> None:
    from glioseg.networks import build_network

    device = torch.device("cuda")
    torch.manual_seed(0)
    made = build_network("lite0_unet", 5, out_channels=1, pretrained="none").to(device).train()
    made = made.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    called = GraphedNetwork(made)
    sample = torch.randn(4, 5, 64, 64, device=device).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cuda", torch.bfloat16, enabled=half):
        assert called.prepare([sample]) is None
        images = torch.randn_like(sample)
        torch.testing.assert_close(called(images).clone(), made(images), rtol=2e-2, atol=2e-2)
