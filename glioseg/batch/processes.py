"""Further processes that help with the scans of one call; who does which scan is settled by claims."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glioseg.batch.work import Outputs, Work
from glioseg.errors import GliosegError
from glioseg.model.predictor import Predictor
from glioseg.model.runtime import usable_cores
from glioseg.results.folder import ResultsFolder
from glioseg.results.record import ScanResult

if TYPE_CHECKING:
    from glioseg.io.source import Source

END_SECONDS = 60.0
"""How long a helper may take to notice that nothing is left to do: far less than it waits for others."""


SCANS_EACH = 4
"""So many scans a process has to have that its start pays."""

CORES_EACH = 2
"""One process keeps two cores busy: it reads and writes while the network works. On two cores, 30 patients
take two processes 18.4 s and one 18.6 s."""

MOST_WORKERS = 8
"""More processes wait for the disk and take memory; who has both names a number."""


def fitting_workers(scans: int, threads: int | None = None) -> int:
    """How many processes share scans well: one for two cores, or fewer where each has more threads.

    Args:
        scans: how many there are.
        threads: of each process, if a person says so.
    """
    fitting = usable_cores() // max(CORES_EACH, threads or 1)
    return max(1, min(fitting, MOST_WORKERS, scans // SCANS_EACH))


@contextmanager
def helpers(
    count: int,
    folder: ResultsFolder,
    own: str,
    sources: Sequence[Source],
    predictor: Predictor,
    outputs: Outputs,
) -> Iterator[None]:
    """Processes that work on the scans of a folder while the body does the same.

    They say nothing: the body takes over what they have done, and tries again, and tells, what they could
    not do. When the body ends they have nothing left to do; when it fails they are stopped.

    Args:
        count: how many; none for 0.
        folder: where results go.
        own: as for :class:`~glioseg.results.folder.ResultsFolder`.
        sources: the scans.
        predictor: network, from :func:`glioseg.load_model`.
        outputs: which pictures and files.
    """
    # Not forked: this process has threads.
    context = multiprocessing.get_context("spawn")
    arguments = folder.path, folder.made_with, own, list(sources), predictor, outputs, os.getpid()
    processes = [context.Process(target=_help, args=arguments, daemon=True) for _ in range(count)]
    try:
        for process in processes:
            process.start()
        yield
        for process in processes:
            process.join(END_SECONDS)
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
                process.join()


def _help(
    out: Path,
    made_with: dict[str, Any],
    own: str,
    sources: list[Source],
    predictor: Predictor,
    outputs: Outputs,
    parent: int,
) -> None:
    def progress(result: ScanResult, before: bool) -> None:
        if hasattr(os, "getppid") and os.getppid() != parent:
            raise SystemExit(1)  # nobody is left to whom it matters

    try:
        with ResultsFolder(out, made_with, own) as folder:
            Work(folder, predictor, outputs, progress, helped=True).do(sources)
    except GliosegError:
        return  # the first process meets it too, and tells it
