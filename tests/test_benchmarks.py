"""Each benchmark runs once at its smallest size and prints its ratios; no time is asserted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from glioseg.samples import SAMPLES

ROOT = Path(__file__).parent.parent
RATIO = r"[\d.]+ \([\d.]+-[\d.]+\)"


def run(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def rows(printed: str) -> dict[str, int]:
    """How many ratios each line of the tables holds, by its first column."""
    cells = [re.split(r"  +", line) for line in printed.splitlines() if "  " in line]
    return {cell[0]: sum(bool(re.fullmatch(RATIO, text)) for text in cell) for cell in cells}


@pytest.mark.slow
def test_dataset() -> None:
    pytest.importorskip("skimage")
    options = ["--patients", "1", "--size", "64", "--rounds", "1", "--threads", "1"]
    printed = run("-m", "benchmarks.dataset", str(SAMPLES), *options).stdout
    assert "threads 1" in printed
    found = rows(printed)
    assert found["original"] == 2
    for name in ("reference protocol, 64 px", "default, 128 px"):
        assert found[f"{name}, cold"] == found[f"{name}, warm"] == 2
    # The original's way, written again, gives what the preparation gives: the two were made apart.
    computed, stored = map(float, re.findall(r"[\d.]+e[-+]\d+", printed))
    assert computed < 1e-4
    assert stored < 1e-2
    assert "mask pixels that differ: 0" in printed


def test_dataset_without_scikit_image() -> None:
    hide = "import sys, runpy; sys.modules['skimage'] = None; sys.argv[1:] = ['data'];"
    done = run("-c", f"{hide} runpy.run_module('benchmarks.dataset', run_name='__main__')", code=2)
    assert '[bench]"' in done.stderr


@pytest.mark.slow
def test_train_step() -> None:
    pytest.importorskip("torch")
    options = ["--sizes", "32", "--reference-size", "32", "--batch", "2", "--steps", "1", "--rounds", "1"]
    printed = run("-m", "benchmarks.train_step", *options, "--threads", "1").stdout
    found = rows(printed)
    for name in ("reference, 32, plain", "default, 32, plain", "default, 32, channels last"):
        assert found[f"{name}, kept"] == found[f"{name}, given back"] == 2
    assert found["32 px"] == 3


@pytest.mark.slow
def test_predict(shipped_model: Path) -> None:
    pytest.importorskip("torch")
    one_slice = SAMPLES / "TCGA_CS_4944_20010208" / "TCGA_CS_4944_20010208_10.tif"
    options = ["--counts", "1", "21", "--rounds", "1", "--threads", "1"]
    printed = run("-m", "benchmarks.predict", str(one_slice), *options).stdout
    found = rows(printed)
    for engine in ("eager torch", "ONNX Runtime"):
        assert found[f"reference U-Net, 256 px, {engine}"] == 2
    assert found["all over the network alone"] == 2
    assert {"network", "prepare", "GIF", "all"} < set(found)
    assert sum(name.startswith("glioseg, ") and count == 2 for name, count in found.items()) == 1
    assert sum(name.startswith("glioseg --fast, ") and count == 2 for name, count in found.items()) == 1
    assert {"glioseg predict, 20 slices", "glioseg predict, one slice", "glioseg --help"} < set(found)
    assert {"1 in one scan", "21 in one scan", "21 in scans of 20"} < set(found)
