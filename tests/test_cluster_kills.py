"""200 scans of real slices while workers are killed; see tests/test_cluster.py for the short tests."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from support.results_kit import lies, rows_of

from glioseg.batch import Outputs, predict_many
from glioseg.cluster import Cluster, over
from glioseg.errors import InputError
from glioseg.io import find_scans
from glioseg.model.predictor import load_model
from glioseg.samples import SAMPLES

pytest.importorskip("distributed")

from support.cluster_kit import Workers, local_cluster

SCANS = 200


def link_scans(folder: Path, count: int) -> Path:
    """Scans of one or two real slices each, links to copies of those that ship."""
    shutil.copytree(SAMPLES, folder.parent / "samples")
    slices = [path for path in sorted(folder.parent.glob("samples/TCGA*/*.tif")) if "_mask" not in path.name]
    for number in range(count):
        scan = folder / f"scan_{number:03d}"
        scan.mkdir(parents=True)
        for place in range(1 + number % 2):
            os.link(slices[(number + 7 * place) % len(slices)], scan / f"{scan.name}_{place + 1}.tif")
    return folder


def kill_now_and_then(workers: Workers, records: Path, ended: threading.Event, killed: list[int]) -> None:
    """Every few seconds, but no faster than a busy machine starts workers: a few scans are done between."""
    random, done = Random(0), 0
    while not ended.wait(random.uniform(1.5, 4)):
        if (now := len(list(records.glob("*.json")))) >= done + 12:
            done = now
            killed.append(random.randrange(len(workers.processes)))
            workers.kill(killed[-1])


def masks_of(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in (out / "masks").rglob("*")
        if path.is_file()
    }


def die(number: int) -> int:
    if number % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


@pytest.mark.slow
def test_what_kills_every_worker_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where no claims count the deaths: the scheduler does, and is asked twice."""
    monkeypatch.setattr("glioseg.cluster.LOSSES", 2)
    with local_cluster(2, tmp_path) as local, Cluster(local.scheduler_address) as cluster:
        found = dict(over(cluster, die, [0, 1, 2], lambda number: f"item {number}"))
    assert (found[0], found[2]) == (0, 2)
    assert isinstance(found[1], InputError)
    assert [(fault.code, fault.where) for fault in found[1].faults] == [("cluster.killed", "item 1")]


@pytest.mark.slow
def test_kills_of_workers_cost_nothing(tmp_path: Path) -> None:
    scans, out = link_scans(tmp_path / "scans", SCANS), tmp_path / "out"
    ended, killed = threading.Event(), []
    with local_cluster(0, tmp_path / "dask") as local:
        workers = Workers(local.scheduler_address, 2, tmp_path / "dask")
        killer = threading.Thread(target=kill_now_and_then, args=(workers, out / "scans", ended, killed))
        command = [sys.executable, "-m", "glioseg", "predict", scans, "-o", out, "--no-outlines", "--no-gif"]
        killer.start()
        try:
            done = subprocess.run(
                [*map(str, command), "--dask", local.scheduler_address],
                capture_output=True,
                text=True,
                check=False,
                timeout=1800,
            )
        finally:
            ended.set()
            killer.join()
            workers.close()
    assert done.returncode == 0, done.stderr
    assert len(killed) > 4, "workers were killed"
    told = Counter(re.findall(r"^\[\d+/200\] (\w+): lesion on", done.stdout, re.MULTILINE))
    assert len(told) == SCANS
    assert set(told.values()) == {1}, "each was done once"
    assert "Dask cluster: " in done.stdout

    alone = tmp_path / "alone"
    predict_many(find_scans([scans])[0], alone, load_model(threads=1), Outputs(outlines=False, gif=False))
    assert masks_of(out) == masks_of(alone)
    assert len(masks_of(out)) == SCANS * 3 // 2
    assert len(rows_of(out)) == SCANS
    assert lies(out) == []
