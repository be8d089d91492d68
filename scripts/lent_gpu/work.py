"""All the work on the lent machine: unpack, prepare, train and evaluate the rows side by side, stop in time.

    python work.py SECONDS          # counted from the time that the file "began" says

The rows of ROWS first. When the last of their trainings has ended, as many of FURTHER begin as can end.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

from glioseg.dataset.cache import prepare_cases
from glioseg.dataset.find import find_cases
from glioseg.errors import GliosegError
from glioseg.io.pack import opened
from glioseg.recipe import load_recipe
from glioseg.runs.folder import RunFolder
from glioseg.studies.queue import OutOfTimeError, PlannedRun, Workers, carry_out

ROWS = (
    "unet_plus_plus_deep_supervision",
    "unet_plus_plus_as_published",
    "attention_unet_oktay",
    "keras_unet",
    "unet_adamw_one_cycle",
    "resnet34_unet",
    "lite0_unet",
)
FURTHER = ("reference", "unet_bce_dice", "attention_unet", "unet_soft_iou", "unet_plus_plus")
START_SECONDS, ROW_SECONDS = 25, 50
"""What further rows take: to begin, and then each of them. Four at once took 210 s."""
SCORING_SECONDS = 45
"""What is kept of the time for an evaluation."""

BEGAN = float(Path("began").read_text())
DATA, RUNS = Path("kaggle_3m"), Path("runs")
DEVICE = os.environ.get("DEVICE", "cuda")
SETTINGS = tuple(os.environ.get("SETTINGS", "train.epochs=20").split())
JOBS = int(os.environ.get("JOBS", len(ROWS)))


def share_the_gpu() -> None:
    """Start NVIDIA's MPS, with which kernels of several processes run at once; do without if it fails."""
    os.environ["CUDA_MPS_PIPE_DIRECTORY"] = str(Path("mps").absolute())
    os.environ["CUDA_MPS_LOG_DIRECTORY"] = str(Path("mps").absolute())
    Path("mps").mkdir(exist_ok=True)
    try:
        subprocess.run(["nvidia-cuda-mps-control", "-d"], check=True, timeout=20)
        trial = "import torch; torch.ones(1, device='cuda').sum().item()"
        subprocess.run([sys.executable, "-c", trial], check=True, timeout=60)
        print("MPS runs")
    except (OSError, subprocess.SubprocessError) as error:
        print(f"Without MPS: {error}")
        if not isinstance(error, OSError):
            subprocess.run(["nvidia-cuda-mps-control"], input=b"quit\n", timeout=20, check=False)
        del os.environ["CUDA_MPS_PIPE_DIRECTORY"], os.environ["CUDA_MPS_LOG_DIRECTORY"]


def prepare(recipe_name: str, share: int, shares: int) -> None:
    """Prepare a share of the patients as a recipe wants them."""
    recipe = load_recipe(recipe_name, SETTINGS)
    cases = [case.with_sequences(recipe.input.sequences) for case in find_cases(DATA)[share::shares]]
    prepare_cases(cases, recipe.prepare, labels=recipe.labels)


def plan(recipes: tuple[str, ...], seed: int) -> list[PlannedRun]:
    """A run of each recipe."""
    return [PlannedRun(f"{name}-seed{seed}", name, (*SETTINGS, f"train.seed={seed}")) for name in recipes]


def status(row: PlannedRun) -> str | None:
    """What the manifest of a row says; ``None``: not begun."""
    run = RunFolder(RUNS / row.name)
    return run.manifest.get("status") if run.manifest_file.is_file() else None


def bring_to_end(rows: list[PlannedRun], end: float) -> None:
    """Train and evaluate; a second time what fell over, say because the memory of the GPU was full."""
    program = (sys.executable, str(Path(__file__).with_name("on_gpu.py")))
    threads = max(1, (os.cpu_count() or 1) // JOBS)

    def carry(some: list[PlannedRun], minutes: float | None) -> None:
        try:
            carry_out(some, DATA, RUNS, Workers(program, JOBS, threads, DEVICE, minutes=minutes), say)
        except (GliosegError, OutOfTimeError) as error:
            say(str(error))

    for _ in range(2):
        carry(rows, max(0.0, end - SCORING_SECONDS - time.time()) / 60)
    # What ended too late for the time limit of a training can still be scored.
    carry([row for row in rows if status(row) == "finished"], None)


def say(text: str) -> None:
    """A line with the seconds since the first command."""
    print(f"{time.time() - BEGAN:6.0f} {text}")


def main() -> None:
    """Everything, one after the other."""
    end = BEGAN + float(sys.argv[1])
    with ProcessPoolExecutor(8) as pool:
        opened(Path("pack"), Path("cache")).rename(DATA)
        say("unpacked")
        made = [
            pool.submit(prepare, name, share, 4) for name in ("reference", "keras_unet") for share in range(4)
        ]
        if DEVICE == "cuda":
            share_the_gpu()
        for one in made:
            one.result()
    say("prepared")
    rows = plan(ROWS, 42)
    with ThreadPoolExecutor() as threads:
        first = threads.submit(bring_to_end, rows, end)
        while not first.done() and not all(status(row) in ("finished", "failed", "stopped") for row in rows):
            time.sleep(1)
        left = end - SCORING_SECONDS - time.time()
        further = plan(FURTHER[: max(0, int((left - START_SECONDS) // ROW_SECONDS))], 43)
        say(f"{left:.0f} s are left for trainings: {len(further)} further rows begin")
        bring_to_end(further, end)
        first.result()
    say("done")


if __name__ == "__main__":
    main()
