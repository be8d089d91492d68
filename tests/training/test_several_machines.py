"""Trainings on several machines, played by processes on this one that talk through gloo."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.verb import call

pytest.importorskip("pytorch_lightning")

import torch
from safetensors.torch import load_file

from glioseg.cli import app
from glioseg.errors import InputError
from glioseg.samples import SAMPLES
from glioseg.training.hardware import Hardware
from glioseg.training.launch import launched

# Nothing that depends on how a batch is dealt out: no batch statistics, a loss that is a mean over pixels, no
# mixing of images, no edges so steep that they make rounding visible; and steps that are as small as what
# rounding changes.
SETTINGS = {
    "network.name": "monai:SegResNet",
    "network.arguments": "{init_filters = 8}",
    "loss.name": "bce",
    "augment.carve_mix": "0",
    "augment.core": "0",
    "augment.strip": "0",
    "optimizer.name": "sgd",
    "optimizer.rate": "0.05",
    "prepare.size": "32",
    "split.name": "holdout",
    "split.fraction": "0.4",
    "train.epochs": "2",
    "train.batch_size": "4",
    "train.steps_per_epoch": "4",
    "train.vis_freq": "0",
    "train.ema": "0",
}
Start = Callable[[Sequence[str], int], list[subprocess.Popen[str]]]


def words(out: Path) -> list[str]:
    settings = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]
    return ["train", str(SAMPLES), *settings, "--out", str(out)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(program: Sequence[str], arguments: Sequence[str], **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *program, *arguments, "--threads", "1", "--device", "cpu"],
        env={**os.environ, "OMP_NUM_THREADS": "1", **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
    )


def by_slurm(arguments: Sequence[str], port: int) -> list[subprocess.Popen[str]]:
    """As ``srun --nodes 2 --ntasks-per-node 1`` starts them."""
    job = {
        "SLURM_JOB_ID": "4711",
        "SLURM_JOB_NAME": "glioseg",
        "SLURM_STEP_ID": "0",
        "SLURM_NTASKS": "2",
        "SLURM_NNODES": "2",
        "SLURM_NTASKS_PER_NODE": "1",
        "SLURM_NODELIST": "127.0.0.1",
        "SLURM_LOCALID": "0",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    return [
        started(["glioseg"], arguments, **job, SLURM_PROCID=str(rank), SLURM_NODEID=str(rank))
        for rank in (0, 1)
    ]


def by_torchrun(arguments: Sequence[str], port: int) -> list[subprocess.Popen[str]]:
    options = ["--nnodes", "2", "--nproc-per-node", "1", "--rdzv-backend", "c10d", "--rdzv-id", "glioseg"]
    options += ["--rdzv-endpoint", f"127.0.0.1:{port}", "-m", "glioseg"]
    return [started(["torch.distributed.run", *options], arguments) for _ in (0, 1)]


@contextmanager
def running(start: Start, arguments: Sequence[str]) -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are gone in the end, whatever happens."""
    processes = start(arguments, free_port())
    try:
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def trained(start: Start, arguments: Sequence[str]) -> list[str]:
    """What each process said."""
    with running(start, arguments) as processes:
        said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), "\n".join(said)
    return said


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "weights.safetensors")


def assert_same(first: Path, second: Path) -> None:
    one, other = weights(first), weights(second)
    assert one.keys() == other.keys()
    for name, values in one.items():
        torch.testing.assert_close(other[name], values, atol=1e-5, rtol=1e-3)


@pytest.fixture(scope="module")
def run_of_one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("one") / "run"
    code, said = call(*words(run), "--threads", "1", "--device", "cpu")
    assert code == 0, said
    return run


@pytest.mark.parametrize("start", [by_slurm, pytest.param(by_torchrun, marks=pytest.mark.slow)])
def test_two_machines_train_what_one_does(start: Start, run_of_one: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    said = "".join(trained(start, words(run)))
    assert said.count("Best validation mean DSC") == 1, "one process speaks"
    assert said.count("patients train") == 1
    assert_same(run_of_one, run)
    files = [sorted(path.name.partition(".")[0] for path in folder.iterdir()) for folder in (run, run_of_one)]
    assert files[0] == files[1], "one process writes"


@pytest.mark.slow
@pytest.mark.parametrize("start", [by_slurm, by_torchrun])
def test_killed_and_resumed(start: Start, run_of_one: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    with running(start, words(run)):
        end = time.monotonic() + 120
        while not (run / "last.ckpt").is_file():
            assert time.monotonic() < end
            time.sleep(0.05)
    said = "".join(trained(start, ["train", "--resume", str(run)]))
    assert said.count("Best validation mean DSC") == 1
    assert_same(run_of_one, run)


def test_without_a_folder_that_all_know_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_STEP_ID": "0", "SLURM_NTASKS": "2", "SLURM_PROCID": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(InputError, match="--out FOLDER"):
        app(words(Path("none"))[:-2], standalone_mode=False)


TORCHRUN = "TORCHELASTIC_RUN_ID=x RANK=5 LOCAL_RANK=1 LOCAL_WORLD_SIZE=2 WORLD_SIZE=6"
SRUN = "SLURM_STEP_ID=0 SLURM_NTASKS=8 SLURM_NNODES=2 SLURM_PROCID=4 SLURM_LOCALID=0"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ("", (0, None, None)),
        ("LOCAL_RANK=1 NODE_RANK=0", (1, None, None)),
        ("LOCAL_RANK=0 NODE_RANK=2", (2, None, None)),
        (TORCHRUN, (5, 2, 3)),
        (SRUN, (4, 4, 2)),
        (f"{SRUN} {TORCHRUN}", (5, 2, 3)),
        # A batch script that does not use srun, and a shell in an allocation: one process each.
        (SRUN.replace("SLURM_STEP_ID=0", ""), (0, None, None)),
        (f"{SRUN} SLURM_JOB_NAME=bash", (0, None, None)),
    ],
)
def test_how_a_process_was_started(environment: str, expected: tuple[object, ...]) -> None:
    assert launched(dict(word.split("=") for word in environment.split())) == expected


def test_tasks_of_slurm_that_train_each_for_itself_all_write(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SLURM_STEP_ID": "0", "SLURM_NTASKS": "2", "SLURM_PROCID": "1"}.items():
        monkeypatch.setenv(name, value)
    assert not Hardware("cpu").writes
    assert Hardware("cpu").world == 2
    assert Hardware("cpu", devices=1, nodes=1).writes
