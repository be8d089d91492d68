"""Killed at any file operation, and at any instant: nothing untrue, and the next start completes it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.results_kit import write_scan

TESTS = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])}


def kills(work: Path, case: str, step: int) -> tuple[list[dict[str, object]], int]:
    """What was found after each kill, and how many operations there are."""
    for seed, name in enumerate("abc"):
        write_scan(work / "scans" / f"{name}.nii.gz", seed)
    command = [sys.executable, "-m", "support.killed", str(work / "scans"), str(work), case, str(step)]
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stderr
    *found, last = [json.loads(line) for line in done.stdout.splitlines()]
    return found, last["operations"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that can be split off")
@pytest.mark.parametrize("case", ["fresh", "other settings", "more scans"])
@pytest.mark.parametrize(
    "step", [pytest.param(1, marks=pytest.mark.slow, id="every operation"), pytest.param(17, id="some")]
)
def test_a_kill_before_a_file_operation_leaves_nothing_untrue(tmp_path: Path, case: str, step: int) -> None:
    found, operations = kills(tmp_path, case, step)
    assert operations > 60, "the operations are counted"
    assert len(found) == operations // step - 1
    wrong = [each for each in found if each["lies"] or each["again"] or each["other"] or not each["same"]]
    assert wrong == []
