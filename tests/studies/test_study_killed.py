"""A study that is killed at random instants comes to the same results, and nothing is left over."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest

pytest.importorskip("pytorch_lightning")

from support.killing import result

from glioseg.samples import SAMPLES

STUDY = """
title = "Two small runs"
settings = ["prepare.size=32", "network.arguments.features=4", "train.epochs=1", "train.batch_size=2",
            "train.steps_per_epoch=1", "train.vis_freq=0"]
seeds = [1, 2]
[experiments.reference]
name = "Reference"
"""
RUNS = ("reference-seed1", "reference-seed2")


def content(out: Path) -> dict[str, Any]:
    """All that a study holds, without what the clock decides."""
    files = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    evaluations = {name: path.read_bytes() for name, path in files.items() if "/evaluation/" in name}
    names = sorted(name for name in files if "/events." not in name)
    return {"names": names, "runs": [result(out / run) for run in RUNS], "evaluations": evaluations}


def kill(process: subprocess.Popen[bytes], alone: bool) -> None:
    """Kill a study, ``alone`` or with the run that it has begun, as a machine that is switched off would."""
    if alone:
        process.kill()
    else:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs groups of processes")
def test_a_study_killed_at_any_instant_comes_to_the_same_end(tmp_path: Path) -> None:
    """``GLIOSEG_KILLS`` says how often it is killed; 3 times by default."""
    kills_left = int(os.environ.get("GLIOSEG_KILLS", "3"))
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    out, cache = tmp_path / "out", tmp_path / "cache"
    command = [sys.executable, "-m", "glioseg", "study", str(tmp_path / "study.toml"), str(SAMPLES)]
    command += ["-o", str(out), "--cache", str(cache), "--threads", "1", "--device", "cpu"]
    log = (tmp_path / "log").open("wb")

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    started = time.monotonic()
    assert start().wait(600) == 0
    duration = time.monotonic() - started
    wanted = content(out)
    shutil.rmtree(out)
    random = Random(7)
    instants = []
    while kills_left:
        for _ in range(min(kills_left, random.randint(1, 3))):
            process = start()
            instants.append((random.uniform(0, duration), random.random() < 0.5))
            try:
                assert process.wait(instants[-1][0]) in (0, 1, 2)
            except subprocess.TimeoutExpired:
                kill(process, alone=instants[-1][1])
                kills_left -= 1
        # A run whose study was killed goes on until it has something to say; until then its folder is in use.
        deadline = time.monotonic() + 600
        while start().wait(600) != 0:
            assert time.monotonic() < deadline, (tmp_path / "log").read_text(encoding="utf-8")[-4000:]
        assert content(out) == wanted, instants
        assert not list(tmp_path.rglob(".part-*")), instants
        shutil.rmtree(out)
    print("killed after seconds, the study alone or with its run:", instants)
