"""A Dask cluster of real processes on this machine, and networks that end the process which runs them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glioseg.prediction import Prediction
from glioseg.scan import Scan

from .results_kit import BrightNetwork


@contextmanager
def local_cluster(workers: int, folder: Path) -> Iterator[Any]:
    """A scheduler and workers of one thread; a worker that dies is started again."""
    from distributed import LocalCluster

    options = {"processes": True, "dashboard_address": "127.0.0.1:0", "silence_logs": 50}
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, local_directory=str(folder), **options
    ) as cluster:
        yield cluster


def processes_of(cluster: Any) -> list[int]:
    """Numbers of the processes of the workers that there are now; one that is starting is none yet.

    Dask does not start a worker again that died while it was starting.
    """
    from distributed.core import Status

    nannies = [nanny for nanny in list(cluster.workers.values()) if nanny.status == Status.running]
    return [nanny.pid for nanny in nannies if nanny.pid is not None]


class Deadly(BrightNetwork):
    """Ends its process with SIGKILL, of some scans every time and of some the first time alone.

    Args:
        always, once: names of scans.
        seen: folder in which it notes, one file a call, which scan was given to which process.
    """

    def __init__(self, seen: Path, always: tuple[str, ...] = (), once: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.seen, self.always, self.once = seen, always, once

    def __call__(self, scan: Scan) -> Prediction:
        times = len(list(self.seen.glob(f"{scan.id} *")))
        (self.seen / f"{scan.id} {times}").touch()
        if scan.id in self.always or (scan.id in self.once and times == 0):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(scan)
