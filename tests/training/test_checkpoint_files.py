"""Checkpoints that are written in the background: the latest of each file, whole, and no error is lost."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_lightning")

from glioseg.errors import InputError  # noqa: E402
from glioseg.training.callbacks import LatestCheckpointIO, WholeCheckpointIO  # noqa: E402


class SlowDisk(WholeCheckpointIO):
    """Notes what it writes, once it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.free, self.begun, self.written = threading.Event(), threading.Event(), []

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        self.begun.set()
        assert self.free.wait(30)
        super().save_checkpoint(checkpoint, path, storage_options)
        self.written.append((Path(path).name, checkpoint["epoch"]))


def test_of_those_that_wait_the_latest_alone_is_written(tmp_path: Path) -> None:
    disk = SlowDisk()
    latest = LatestCheckpointIO(disk)
    weight = torch.zeros(3)
    for epoch in range(6):
        weight.fill_(epoch)
        latest.save_checkpoint({"epoch": epoch, "weight": weight}, tmp_path / "last.ckpt")
        if epoch in (0, 3):
            latest.save_checkpoint({"epoch": epoch, "weight": weight}, str(tmp_path / "best.ckpt"))
        assert disk.begun.wait(30)  # the first is under way
    weight.fill_(-1)  # what the training does with it next
    disk.free.set()
    latest.teardown()
    assert sorted(disk.written) == [("best.ckpt", 3), ("last.ckpt", 0), ("last.ckpt", 5)]
    for name, epoch in (("best", 3), ("last", 5)):
        stored = torch.load(tmp_path / f"{name}.ckpt", weights_only=True)
        assert (stored["epoch"], stored["weight"].tolist()) == (epoch, [epoch] * 3)


def test_what_could_not_be_written_is_raised(tmp_path: Path) -> None:
    latest = LatestCheckpointIO(WholeCheckpointIO())
    (tmp_path / "last.ckpt").mkdir()
    latest.save_checkpoint({"epoch": 0}, tmp_path / "last.ckpt")
    with pytest.raises(InputError, match=r"last\.ckpt"):
        latest.teardown()
