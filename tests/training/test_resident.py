"""The path of a GPU, as far as a CPU can walk it: the same batches, draws made ahead, few looks at values."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_lightning")

from glioseg.augment import Augmentation, Draws  # noqa: E402
from glioseg.dataset.cache import PreparedCase  # noqa: E402
from glioseg.losses import build_loss  # noqa: E402
from glioseg.recipe import Recipe, load_recipe  # noqa: E402
from glioseg.samples import SAMPLES  # noqa: E402
from glioseg.training import supply  # noqa: E402
from glioseg.training.callbacks import chosen_slices  # noqa: E402
from glioseg.training.data import training_loader, validation_loader  # noqa: E402
from glioseg.training.module import SegmentationModule, log_every  # noqa: E402
from glioseg.training.resident import ResidentData, fits  # noqa: E402
from glioseg.training.train import Hardware, train  # noqa: E402

CPU = torch.device("cpu")


def cases(counts: Sequence[int], classes: int = 0) -> list[PreparedCase]:
    generator = np.random.default_rng(3)
    made = []
    for number, count in enumerate(counts):
        images = generator.normal(size=(count, 16, 16, 3)).astype(np.float16)
        targets = generator.integers(0, 256, (count, 16, 16), np.uint8)
        if classes:
            rest = 255 - targets
            targets = np.stack((targets, rest // 3, rest - rest // 3), axis=-1)
        images.flags.writeable = targets.flags.writeable = False  # as mapped arrays are
        made.append(
            PreparedCase(f"p{number}", images, targets, generator.integers(0, 50, count).astype(float))
        )
    return made


def recipe(*settings: str) -> Recipe:
    tiny = ["prepare.size=32", "train.batch_size=6", "network.arguments.pretrained=none"]
    return load_recipe("default", [*tiny, *settings])


class TestBatches:
    @pytest.mark.parametrize("neighbours", [0, 1, 2])
    @pytest.mark.parametrize("classes", [0, 2])
    @pytest.mark.parametrize(("rank", "world"), [(0, 1), (0, 2), (1, 2)])
    def test_training_batches_are_bit_for_bit_those_of_the_loader(
        self, neighbours: int, classes: int, rank: int, world: int
    ) -> None:
        chosen = recipe(f"input.neighbours={neighbours}")
        data = cases((5, 1, 9, 3), classes)
        resident = ResidentData(chosen, data, data[:2], CPU)
        for epoch in (0, 3):
            ours = list(resident.training_loader(epoch, rank, world))
            theirs = list(training_loader(chosen, data, epoch, rank, world))
            assert len(ours) == len(theirs) == len(resident.training_loader(epoch, rank, world)) > 0
            for one, other in zip(ours, theirs, strict=True):
                assert_same(one, other)
                draws = Augmentation(chosen.augment).draw(chosen.train.seed, epoch, other["position"].numpy())
                assert torch.equal(one["draws"].uniform, draws.uniform)
                assert torch.equal(one["draws"].elastic, draws.elastic)
                assert one["draws"].seeds == draws.seeds

    @pytest.mark.parametrize("classes", [0, 2])
    @pytest.mark.parametrize(("rank", "world"), [(0, 1), (1, 2)])
    def test_validation_batches_are_those_of_the_loader(self, classes: int, rank: int, world: int) -> None:
        chosen = recipe("input.neighbours=1")
        data = cases((5, 40, 2), classes)
        ours = list(ResidentData(chosen, data, data, CPU).validation_loader(rank, world))
        theirs = list(validation_loader(chosen, data, rank, world))
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other)
            assert torch.equal(one["case"], other["case"])

    @pytest.mark.slow
    def test_a_training_from_the_device_is_that_from_the_loaders(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings = ["train.epochs=2", "train.steps_per_epoch=2", "split.name=holdout", "split.fraction=0.3"]
        chosen = recipe(*settings, "network.arguments.dropout=0.3")
        plain = run(chosen, tmp_path / "plain")

        def setup(self: Any, stage: str) -> None:
            if self.resident is None:
                self.resident = ResidentData(self.recipe, self.train_cases, self.validation_cases, CPU)

        monkeypatch.setattr(supply.SuppliedData, "setup", setup)
        assert run(chosen, tmp_path / "resident") == plain


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    for name in ("image", "target"):
        assert one[name].dtype == other[name].dtype == torch.float32
        assert one[name].shape == other[name].shape
        assert torch.equal(one[name], other[name])


def run(chosen: Recipe, out: Path) -> bytes:
    done = train(SAMPLES, chosen, out, hardware=Hardware("cpu", threads=1), echo=lambda line: None)
    return done.weights.read_bytes()


class TestDrawsAhead:
    def loader(self, monkeypatch: pytest.MonkeyPatch, draw: Any) -> Any:
        loader = ResidentData(recipe(), cases((30,)), [], CPU).training_loader(0, 0, 1)
        monkeypatch.setattr(loader.augmentation, "draw", draw)
        return loader

    def test_they_are_made_in_another_thread_before_they_are_asked_for(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain = Augmentation(recipe().augment).draw
        made = threading.Semaphore(0)
        threads = set()

        def draw(*arguments: Any) -> Draws:
            threads.add(threading.get_ident())
            made.release()
            return plain(*arguments)

        batches = iter(self.loader(monkeypatch, draw))
        next(batches)
        for _ in range(5):  # of all five batches, while only one has been taken
            assert made.acquire(timeout=60)
        assert threads.isdisjoint({threading.get_ident()})
        batches.close()

    def test_a_failure_comes_out_where_the_batch_would(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def draw(*_: Any) -> Draws:
            raise MemoryError("no room")

        with pytest.raises(MemoryError, match="no room"):
            list(self.loader(monkeypatch, draw))

    def test_no_thread_is_left_behind(self, monkeypatch: pytest.MonkeyPatch) -> None:
        before = threading.active_count()
        batches: Iterator[Any] = iter(self.loader(monkeypatch, Augmentation(recipe().augment).draw))
        next(batches)
        batches.close()  # type: ignore[attr-defined]
        assert threading.active_count() == before


class TestFits:
    @pytest.mark.parametrize(("free", "expected"), [(1 << 30, True), (1 << 10, False)])
    def test_half_of_the_free_memory_is_for_the_training(
        self, free: int, expected: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 1 << 40))
        assert fits(cases((4,)), torch.device("cuda")) is expected

    def test_only_a_gpu_is_asked(self) -> None:
        assert not fits(cases((4,)), CPU)


class TestLoadingAhead:
    @pytest.mark.parametrize(("asked", "expected"), [(3, 3), (0, 0), (None, min(8, os.cpu_count() or 1))])
    def test_processes_load_what_does_not_fit(
        self, asked: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        lines: list[str] = []
        monkeypatch.setattr(supply, "fits", lambda *_: False)
        data = supply.SuppliedData(recipe(), cases((4,)), cases((2,)), 1, lines.append, asked)
        strategy = SimpleNamespace(root_device=torch.device("cuda"))
        data.trainer = SimpleNamespace(strategy=strategy, current_epoch=0, global_rank=0)  # type: ignore[assignment]
        data.setup("fit")
        assert data.train_dataloader().num_workers == data.val_dataloader().num_workers == expected
        assert len(lines) == 1

    def test_the_option_reaches_the_runs_of_a_study(self) -> None:
        from glioseg.cli.workers import make_workers

        made = make_workers(1, None, "cpu", None, ahead=4)
        assert made.train_options == ("--workers", "4")
        assert make_workers(1, None, "cpu", None).train_options == ()


class TestPictures:
    areas = MappingProxyType({"a": np.array([0, 9, 4]), "b": np.array([5, 0]), "c": np.array([0, 0, 0])})

    def test_one_of_each_patient_by_default(self) -> None:
        assert list(chosen_slices(self.areas)) == [("a", 0, 1), ("b", 0, 0), ("c", 0, 0)]

    def test_patients_take_turns_and_large_lesions_come_first(self) -> None:
        assert list(chosen_slices(self.areas, 2)) == [("a", 0, 1), ("b", 0, 0)]
        turns = [("a", 0, 1), ("b", 0, 0), ("c", 0, 0), ("a", 1, 2), ("b", 1, 1)]
        assert list(chosen_slices(self.areas, 5)) == turns

    def test_there_are_no_more_than_all(self) -> None:
        assert len(set(chosen_slices(self.areas, 200))) == 8
        assert list(chosen_slices({}, 3)) == []

    def test_the_setting_reaches_tensorboard(self, tmp_path: Path) -> None:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        settings = ["train.epochs=1", "train.steps_per_epoch=1", "split.name=holdout", "split.fraction=0.3"]
        run(recipe(*settings, "train.vis_freq=1", "train.vis_images=3"), tmp_path / "run")
        events = EventAccumulator(str(tmp_path / "run"), {"images": 0}).Reload()
        tags = events.Tags()["images"]
        assert len(tags) == 3
        assert {tag.removeprefix(tags[0]) for tag in tags} == {"", "_2", "_3"}


class TestFewLooks:
    """Each look at a value on a GPU waits for it. Tensors on ``meta`` have no value: a look is an error."""

    @pytest.mark.parametrize(
        ("name", "channels"),
        [("dice", 1), ("bce_dice", 1), ("soft_iou", 1), ("categorical_cross_entropy", 3)],
    )
    def test_losses_look_once(self, name: str, channels: int) -> None:
        loss = build_loss(name)
        shape = (2, channels, 8, 8)
        targets = torch.zeros(shape)
        targets[:, 0] = 1
        on_device = torch.zeros(shape, device="meta"), targets.to("meta")
        with pytest.raises(Exception, match="meta"):
            loss(*on_device)
        assert loss(*on_device).shape == ()
        with pytest.raises(Exception, match=r"0\.\.1"):  # on a CPU they always look
            loss(torch.zeros(shape), 255 * targets)

    def test_a_loss_is_logged_more_seldom(self) -> None:
        assert log_every(torch.device("cuda")) == 5 * log_every(CPU)

    @pytest.mark.parametrize(("kind", "looks"), [("cuda", [0, 50]), ("cpu", list(range(60)))])
    def test_the_training_looks_at_its_loss_when_it_is_logged(self, kind: str, looks: list[int]) -> None:
        looked = []

        class Module(SegmentationModule):
            device = torch.device(kind)  # type: ignore[assignment]
            current_epoch = 0  # type: ignore[assignment]
            global_step = 0  # type: ignore[assignment]

            def log(self, *_: Any, **__: Any) -> None:
                pass

            def _check_finite(self, loss: Any, step: int) -> None:
                looked.append(step)

        settings = ["network.arguments.features=1", "prepare.size=32", "train.epochs=1"]
        module = Module(load_recipe("reference", settings), (), 60)
        batch = {"image": torch.zeros(1, 3, 32, 32), "target": torch.zeros(1, 1, 32, 32)}
        for step in range(60):
            Module.global_step = step  # type: ignore[assignment]
            module.training_step({**batch, "position": torch.tensor([step])}, step)
        assert looked == looks


@pytest.mark.skipif(
    not torch.cuda.is_available(), reason="compares a CUDA GPU with the CPU, and there is none"
)
def test_the_first_losses_on_a_gpu_are_those_of_the_cpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In float32, without TF32: the sums run in another order, and nothing else differs."""
    losses: dict[str, list[float]] = {"cpu": [], "cuda": []}
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    plain = SegmentationModule.training_step

    def step(self: Any, batch: Any, batch_idx: int) -> Any:
        loss = plain(self, batch, batch_idx)
        losses[self.device.type].append(float(loss.detach()))
        return loss

    monkeypatch.setattr(SegmentationModule, "training_step", step)
    settings = ["prepare.size=64", "train.epochs=1", "train.steps_per_epoch=20", "train.batch_size=4"]
    chosen = load_recipe("reference", [*settings, "split.name=holdout", "split.fraction=0.3"])
    for device in losses:
        hardware = Hardware(device, precision="32-true")
        train(SAMPLES, chosen, tmp_path / device, hardware=hardware, echo=lambda line: None)
    assert len(losses["cpu"]) == 20
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], atol=1e-3)
