"""What the benchmarks share: fresh processes, interleaved rounds, medians, ratios and tables.

The machines are shared and their speed drifts. So variants take turns (A, B, A, B, ...), and a ratio is
formed within each round, from neighbours in time, before the median over the rounds is taken.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from typing import Any

from glioseg.environment import environment
from glioseg.errors import GliosegError
from glioseg.model.runtime import usable_cores

Measured = dict[str, float]
"""What one variant measured in one round: ``seconds``, ``peak_mb`` and whatever else it returns."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def parser(summary: str, rounds: int = 3) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has."""
    made = argparse.ArgumentParser(description=summary)
    made.add_argument("--rounds", type=int, default=rounds, help=f"times that all variants run ({rounds})")
    made.add_argument("--threads", type=int, default=usable_cores(), help="of every library (all cores)")
    return made


def guarded(main: Callable[[], None]) -> None:
    """Run a benchmark's main; bad input gives a line a fault and not a traceback."""
    try:
        main()
    except GliosegError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None


def start(threads: int) -> None:
    """Set the threads of all libraries in this process's children, and print on what is measured."""
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    facts = environment()
    versions = " ".join(f"{name} {version}" for name, version in facts["packages"].items())
    print(f"{facts['system']}, {usable_cores()} usable cores, threads {threads}, {_load()}")
    print(f"python {facts['python']} {versions}", flush=True)


def fresh(function: Callable[..., Measured], *arguments: Any) -> Measured:
    """Call a function of a module in a new process; adds ``peak_mb``, the process's greatest memory."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_with_peak, function, arguments).result()


def interleaved(variants: dict[str, Callable[[], Measured]], rounds: int) -> dict[str, list[Measured]]:
    """Run all variants in turn, ``rounds`` times over."""
    results: dict[str, list[Measured]] = {name: [] for name in variants}
    for number in range(rounds):
        for name, variant in variants.items():
            results[name].append(variant())
            seconds = results[name][-1]["seconds"]
            print(f"round {number + 1}/{rounds}  {name}: {seconds:.3f} s", file=sys.stderr, flush=True)
    print(f"measured in {rounds} rounds; at the end {_load()}")
    return results


def middle(results: Sequence[Measured], key: str = "seconds") -> float:
    """Median over the rounds."""
    return median(result[key] for result in results)


def ratio(
    above: Sequence[Measured], below: Sequence[Measured], key: str = "seconds", by: str | None = None
) -> str:
    """Median and range over the rounds of one measure divided by another (the same one if not given)."""
    each = [a[key] / b[by or key] for a, b in zip(above, below, strict=True)]
    return f"{number(median(each))} ({number(min(each))}-{number(max(each))})"


def number(value: float) -> str:
    """Three digits that count, and no exponent."""
    return f"{value:.0f}" if value >= 100 or value != value else f"{value:.3g}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print columns, the first to the left and the others to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    print()
    for row in (header, *rows):
        first, *others = (
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join([first, *others]))
    print(flush=True)


def command(*arguments: str) -> Measured:
    """Cost of a ``glioseg`` command from process start to exit; call through :func:`fresh`."""
    line = [sys.executable, "-m", "glioseg", *arguments]
    started = time.perf_counter()
    done = subprocess.run(line, capture_output=True, text=True, encoding="utf-8")
    seconds = time.perf_counter() - started
    spent = os.times()
    if done.returncode:
        raise GliosegError(f"{' '.join(line)} left with {done.returncode}: {done.stderr}")
    processor = spent.children_user + spent.children_system
    return {"seconds": seconds, "processor": processor, "peak_mb": _peak_mb(of_children=True)}


def _with_peak(function: Callable[..., Measured], arguments: tuple[Any, ...]) -> Measured:
    measured = function(*arguments)
    return {"peak_mb": _peak_mb(), **measured}


def _peak_mb(of_children: bool = False) -> float:
    """Greatest resident memory so far in MiB; not a number on Windows, which does not say."""
    try:
        import resource
    except ImportError:
        return float("nan")
    who = resource.RUSAGE_CHILDREN if of_children else resource.RUSAGE_SELF
    return resource.getrusage(who).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _load() -> str:
    """How busy the machine is: above the number of cores, times are not to be trusted, ratios hardly."""
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"
