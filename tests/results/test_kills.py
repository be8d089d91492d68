"""Killed at any file operation, and at any instant: nothing untrue, and the next start completes it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
from support.known_models import known_model
from support.results_kit import content, lies, write_scan

from glioseg.samples import SAMPLES

PATIENTS = ("TCGA_CS_4944_20010208", "TCGA_CS_6667_20011105", "TCGA_HT_7692_19960724")
TESTS = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}


def kills(work: Path, case: str, step: int) -> tuple[list[dict[str, object]], int]:
    """What was found after each kill, and how many operations there are."""
    for seed, name in enumerate("abc"):
        bids = f"sub-{name}/anat/sub-{name}_FLAIR.nii.gz"
        write_scan(work / "scans" / (bids if case == "derivatives" else f"{name}.nii.gz"), seed)
    command = [sys.executable, "-m", "support.killed", str(work / "scans"), str(work), case, str(step)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    *found, last = [json.loads(line) for line in done.stdout.splitlines()]
    return found, last["operations"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can be split off")
@pytest.mark.parametrize("case", ["fresh", "other settings", "more scans", "derivatives"])
@pytest.mark.parametrize(
    "step", [pytest.param(1, marks=pytest.mark.slow, id="every operation"), pytest.param(37, id="some")]
)
def test_a_kill_before_a_file_operation_leaves_nothing_untrue(tmp_path: Path, case: str, step: int) -> None:
    found, operations = kills(tmp_path, case, step)
    assert operations > 74, "the operations are counted"
    assert len(found) == operations // step - 1
    wrong = [each for each in found if each["lies"] or each["again"] or each["other"] or not each["same"]]
    assert wrong == []


@pytest.mark.slow
def test_a_kill_at_any_instant_changes_nothing(tmp_path: Path) -> None:
    """``GLIOSEG_KILLS`` says how often the command is killed; 25 times by default."""
    kills_left = int(os.environ.get("GLIOSEG_KILLS", "25"))
    model = known_model(tmp_path / "model.onnx")
    scans = [str(SAMPLES / patient) for patient in PATIENTS]
    command = [sys.executable, "-m", "glioseg", "predict", *scans, "--threads", "1", "--model", str(model)]
    started = time.monotonic()
    subprocess.run([*command, "-o", str(tmp_path / "whole")], check=True, stdout=subprocess.DEVNULL)
    duration = time.monotonic() - started
    wanted = content(tmp_path / "whole")
    random = Random(15)
    out = tmp_path / "out"
    instants = []
    while kills_left:
        with subprocess.Popen(
            [*command, "-o", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            instants.append(random.uniform(0, duration))
            try:
                process.wait(instants[-1])
            except subprocess.TimeoutExpired:
                kills_left -= 1
            process.kill()
        if out.exists():
            assert lies(out) == [], instants
        if process.returncode == 0 or random.random() < 0.3:
            # The next start completes it, and leaves nothing behind that an undisturbed one would not.
            done = subprocess.run([*command, "-o", str(out)], capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert content(out) == wanted, instants
            assert not list(out.rglob(".*"))
            shutil.rmtree(out)
