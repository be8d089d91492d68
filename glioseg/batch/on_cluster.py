"""The scans of one call, each done by whichever worker of a Dask cluster is free."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glioseg.batch.work import Outputs, Work
from glioseg.cluster import Cluster
from glioseg.errors import Fault, GliosegError, InputError, raise_all
from glioseg.model.predictor import Predictor
from glioseg.results.folder import ResultsFolder
from glioseg.results.record import ScanResult
from glioseg.unexpected import faults_of

if TYPE_CHECKING:
    from glioseg.io.source import Source


@dataclass(frozen=True)
class Segmenting:
    """What a worker does with a scan; travels to it with the name of the network, which is loaded there once.

    Attributes:
        out, made_with, own, job: as for :class:`~glioseg.results.folder.ResultsFolder`.
        predictor: network, from :func:`glioseg.load_model`.
        outputs: which pictures and files.
    """

    out: Path
    made_with: dict[str, Any]
    own: str
    job: str
    predictor: Predictor
    outputs: Outputs

    def __call__(self, source: Source) -> tuple[ScanResult | None, list[Fault]]:
        """Segment a scan into the folder; its record, or what is wrong with it."""
        folder = self._folder
        work = Work(folder, self.predictor, self.outputs, helped=True)
        try:
            work.do([source])
        except InputError as error:
            return None, [*work.faults, *error.faults]
        finally:
            folder.claims.close()
        return work.results[0], work.faults

    def sees_folder(self) -> bool:
        """Whether the folder of results is there, with the claim of the process that gives out the scans."""
        return self._folder.claims.folder.is_dir()

    @property
    def _folder(self) -> ResultsFolder:
        return ResultsFolder(self.out, self.made_with, self.own, self.job)


class ClusterWork(Work):
    """The scans of one call that workers of a cluster do.

    Args:
        cluster: entered.
        folder: where results go, on a disk that all workers see under the same path, entered.
        predictor, outputs, progress, tell_fault: as for :class:`~glioseg.batch.work.Work`.
    """

    def __init__(
        self,
        cluster: Cluster,
        folder: ResultsFolder,
        predictor: Predictor,
        outputs: Outputs,
        progress: Callable[[ScanResult, bool], None] | None = None,
        tell_fault: Callable[[Fault], None] | None = None,
    ) -> None:
        super().__init__(folder, predictor, outputs, progress, tell_fault, helped=True)
        self.cluster = cluster
        own = folder.own.relative_to(folder.path).as_posix()
        out = folder.path.absolute()
        self.segmenting = Segmenting(out, folder.made_with, own, cluster.job, predictor, outputs)

    def check_workers(self) -> None:
        """Refuse what no worker could do anything about, before the work starts.

        Raises:
            InputError: a worker that is there now has no such model, or does not see the folder of results.
        """
        faults: list[Fault] = []
        for worker, found in self.cluster.on_every_worker(self.segmenting.sees_folder).items():
            if isinstance(found, GliosegError):
                faults += faults_of(found, worker)
            elif isinstance(found, OSError):
                continue  # it died or left while it was asked
            elif isinstance(found, Exception):
                faults.append(Fault("cluster.worker", worker, reason=f"{type(found).__name__}: {found}"))
            elif not found:
                faults.append(Fault("cluster.not_shared", worker, folder=self.segmenting.out))
        raise_all(faults)

    def _segment_or_wait(self, waiting: Sequence[int]) -> None:
        """Let the workers do it."""
        sources = [self.sources[number] for number in waiting]
        for place, done in self.cluster.each(self.segmenting, sources, lambda source: source.place):
            number = waiting[place]
            if isinstance(done, Exception):
                self._failed(faults_of(done, sources[place].place))
                continue
            result, faults = done
            self._failed(faults)
            if result is not None:
                self.sources[number] = replace(self.sources[number], id=result.id)
                self._take_over(number, result, before=False)
            if self.stopped:
                return
