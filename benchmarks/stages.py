"""Where the processor time of a whole ``predict`` goes: each stage, and all of it over the network alone."""

from __future__ import annotations

import argparse
import pkgutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.measure import Measured, fresh, guarded, interleaved, middle, number, ratio, start, table
from glioseg.errors import raise_all
from glioseg.io import Source, find_scans
from glioseg.samples import SAMPLES

STAGES = {
    "read": ["glioseg.io.source.Source.read"],
    "prepare": ["glioseg.prepare.Preparation.__call__", "glioseg.prepare.Prepared.some"],
    "network": ["glioseg.model.runtime.OnnxRuntime.__call__", "glioseg.model.runtime.OpenVino.__call__"],
    "to the own grid": ["glioseg.model.steps.OnScan.add"],
    "masks, outlines": ["glioseg.draw.draw_slices"],
    "GIF": ["glioseg.draw.draw_gif"],
    "mask files": ["glioseg.batch.work.write_both"],
    "record": ["glioseg.results.folder.ResultsFolder.store", "glioseg.results.folder.ResultsFolder.conclude"],
}
"""What is timed, by the functions that do it. What lies outside is called the rest."""


def main() -> None:
    arguments = _arguments()
    sources, faults = find_scans(arguments.scans)
    raise_all(faults)
    start(1)
    shares(sources, arguments.model, 1, arguments.rounds, not arguments.no_pictures)


def shares(sources: Sequence[Source], model: str, threads: int, rounds: int, pictures: bool = True) -> None:
    """Processor seconds of each stage, their shares of the whole, and the whole over the network alone."""
    variants = {
        name: partial(fresh, segment, sources, model, threads, fast, pictures)
        for name, fast in {"exact": False, "--fast": True}.items()
    }
    results = interleaved(variants, rounds)
    slices = middle(results["exact"], "slices")
    rows = [
        [stage, *(_share(runs, stage) for runs in results.values())]
        for stage in [*STAGES, "rest", "all"]
        if any(middle(runs, stage) for runs in results.values())
    ]
    table([f"CPU seconds, {slices:.0f} slices", *results], rows)
    over = [ratio(runs, runs, "all", "network") for runs in results.values()]
    table(["processor seconds", *results], [["all over the network alone", *over]])


def _share(runs: Sequence[Measured], stage: str) -> str:
    seconds, whole = middle(runs, stage), middle(runs, "all")
    return f"{number(seconds)} ({seconds / whole:.0%})"


def segment(sources: Sequence[Source], model: str, threads: int, fast: bool, pictures: bool) -> Measured:
    """Segment scans into a new folder as ``glioseg predict`` does, and time the stages."""
    from glioseg.batch import Outputs, predict_many
    from glioseg.model.predictor import load_model

    predictor = load_model(model, threads=threads, fast=fast)
    outputs = Outputs(outlines=pictures, gif=pictures)
    spent: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        predict_many(sources[:1], Path(folder, "first"), predictor, outputs)  # what is imported on first use
        for stage, functions in STAGES.items():
            for function in functions:
                stack.enter_context(_timed(function, stage, spent))
        began, processor = time.perf_counter(), time.process_time()
        outcome = predict_many(sources, Path(folder, "out"), predictor, outputs)
        whole, seconds = time.process_time() - processor, time.perf_counter() - began
    raise_all(outcome.faults)
    stages = {stage: spent[stage] for stage in STAGES}
    return {
        **stages,
        "rest": whole - sum(stages.values()),
        "all": whole,
        "seconds": seconds,
        "slices": float(sum(result.slices for result in outcome.results)),
    }


@contextmanager
def _timed(function: str, stage: str, spent: Counter[str]) -> Iterator[None]:
    """Add the processor time that a function's own thread spends in it."""
    original = pkgutil.resolve_name(function)

    @wraps(original)
    def timed(*arguments: Any, **options: Any) -> Any:
        began = time.thread_time()
        try:
            return original(*arguments, **options)
        finally:
            spent[stage] += time.thread_time() - began

    with patch(function, timed):
        yield


def _arguments() -> argparse.Namespace:
    made = argparse.ArgumentParser(description="Processor time of each stage of glioseg predict, one thread.")
    made.add_argument("--rounds", type=int, default=3, help="times that all variants run (3)")
    made.add_argument("scans", nargs="*", type=Path, default=[SAMPLES], help="as glioseg predict takes them")
    made.add_argument("--model", default="default")
    made.add_argument("--no-pictures", action="store_true", help="without outlines and GIF")
    return made.parse_args()


if __name__ == "__main__":
    guarded(main)
