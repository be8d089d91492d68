"""A Dask cluster of real processes on this machine, and networks that end the process which runs them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


class Workers:
    """Workers of a scheduler as plain processes; one that is killed is replaced, also if it was starting.

    Dask's own nannies give a worker up that dies while it starts.
    """

    def __init__(self, address: str, count: int, folder: Path) -> None:
        self.command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--no-nanny"]
        self.command += ["--nthreads", "1", "--no-dashboard", "--local-directory", str(folder)]
        self.processes = [self._start() for _ in range(count)]

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def kill(self, number: int) -> None:
        """Kill a worker with SIGKILL and start another."""
        self.processes[number].kill()
        self.processes[number].wait()
        self.processes[number] = self._start()

    def close(self) -> None:
        """Kill all."""
        for process in self.processes:
            process.kill()
            process.wait()


class Deadly(BrightNetwork):
    """Ends its process with SIGKILL, of some scans every time and of some the first time alone.

    Args:
        always, once: names of scans.
        seen: folder in which it notes, one file a call, which scan was given to which process, with the
            claims that there were in results beside it.
    """

    def __init__(self, seen: Path, always: tuple[str, ...] = (), once: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.seen, self.always, self.once = seen, always, once

    def __call__(self, scan: Scan, probability: bool = True) -> Prediction:
        times = len(list(self.seen.glob(f"{scan.id} *")))
        (self.seen / f"{scan.id} {times}").write_text(self._claims(), encoding="utf-8")
        if scan.id in self.always or (scan.id in self.once and times == 0):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(scan)

    def _claims(self) -> str:
        found = [os.getpid()]
        for path in sorted(self.seen.parent.glob("**/.claims/*.json")):
            with suppress(OSError, ValueError):
                claim = json.loads(path.read_text(encoding="utf-8"))
                found.append({key: claim.get(key) for key in ("name", "pid", "deaths")})
        return json.dumps(found)
