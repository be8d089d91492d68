"""Time and memory until a data set is ready to train: glioseg, cold and warm, against the original's way."""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.measure import (
    Measured,
    fresh,
    guarded,
    interleaved,
    middle,
    number,
    parser,
    ratio,
    start,
    table,
)
from glioseg.dataset.cache import prepare_cases
from glioseg.dataset.find import Case, find_cases, read_case
from glioseg.errors import require_extra
from glioseg.prepare import Preparation


def main() -> None:
    arguments = _arguments()
    require_extra("bench", "skimage")
    cases = find_cases(arguments.data)[: arguments.patients]
    folders = [case.images[0].parent for case in cases]
    files = [path for case in cases for path in (*case.images, *case.masks) if path is not None]
    # Read once, so that no variant pays for the disk.
    megabytes = sum(len(path.read_bytes()) for path in files) / 2**20
    start(arguments.threads)
    print(f"{len(cases)} patients, {len(files)} files, {megabytes:.0f} MiB")

    reference = Preparation(name="reference", size=arguments.size, drop_ends=True)
    default = Preparation()
    with tempfile.TemporaryDirectory() as scratch:
        cache = Path(scratch)
        variants = {"original": partial(fresh, original, folders, arguments.size)}
        for name, preparation in {"reference protocol": reference, "default": default}.items():
            name = f"{name}, {preparation.size} px"
            ready = partial(fresh, glioseg, arguments.data, len(cases), preparation)
            ready(cache)  # now it is warm
            variants[f"{name}, cold"] = partial(ready, None)
            variants[f"{name}, warm"] = partial(ready, cache)
        results = interleaved(variants, arguments.rounds)

    whole = results["original"]
    table(
        ["ready to train", "seconds", "peak MiB", "mapped MiB", "original / this", "its peak / this"],
        [
            [
                name,
                number(middle(runs)),
                number(middle(runs, "peak_mb")),
                number(middle(runs, "mapped_mb")),
                ratio(whole, runs),
                ratio(whole, runs, "peak_mb"),
            ]
            for name, runs in results.items()
        ],
    )
    print("mapped: part of the memory at the end that is files (cache, libraries), which the system may drop")
    apart = fresh(difference, cases[0], reference)
    print(
        f"largest difference to the original on {cases[0].id}, z-scored: {apart['computed']:.1e} as computed "
        f"in float32, {apart['stored']:.1e} stored in float16; mask pixels that differ: {apart['mask']:.0f}"
    )


def original(folders: list[Path], size: int) -> Measured:
    """Everything in memory, the original's way."""
    from benchmarks.original import load

    started = time.perf_counter()
    ready = load(folders, size)
    seconds = time.perf_counter() - started
    assert ready[0][0].dtype == np.float64
    return {"seconds": seconds, "mapped_mb": _mapped_mb()}


def glioseg(data: Path, count: int, preparation: Preparation, cache: Path | None) -> Measured:
    """Taken from a cache, or prepared into a new one."""
    with tempfile.TemporaryDirectory() as empty:
        started = time.perf_counter()
        ready = prepare_cases(find_cases(data)[:count], preparation, cache or Path(empty))
        seconds = time.perf_counter() - started
        mapped = _mapped_mb()
        del ready  # unmapped before its folder goes
    return {"seconds": seconds, "mapped_mb": mapped}


def difference(case: Case, preparation: Preparation) -> Measured:
    """Largest difference between the arrays of one patient."""
    from benchmarks.original import load

    images, masks, _ = load([case.images[0].parent], preparation.size)[0]
    computed = preparation(read_case(case)[0]).images
    with tempfile.TemporaryDirectory() as cache:
        stored = prepare_cases([case], preparation, Path(cache))[0]
        return {
            "computed": float(np.abs(computed - images).max()),
            "stored": float(np.abs(stored.images - images).max()),
            "mask": float(((stored.targets > 0) != (masks[..., 0] > 0)).sum()),
        }


def _mapped_mb() -> float:
    """Resident memory that is backed by files, in MiB; Linux only."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return float("nan")
    return next((int(line.split()[1]) / 2**10 for line in lines if line.startswith("RssFile")), float("nan"))


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("data", type=Path, help="kaggle_3m as it unpacks: a folder a patient")
    made.add_argument("--patients", type=int, help="only the first so many")
    made.add_argument("--size", type=int, default=256, help="pixels of the reference protocol (256)")
    return made.parse_args()


if __name__ == "__main__":
    guarded(main)
