"""Segment many scans into a folder: resumable, one bad scan does not stop the others.

The folder holds ``masks/`` (in the kind each scan was read in; of DICOM also as NIfTI), ``outlines/``
(one PNG for each slice), ``gifs/``, ``scans/`` (the record of each finished scan, one JSON each),
``summary.csv`` and ``manifest.json``. What it promises stands in :mod:`glioseg.results.folder`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glioseg.batch.outcome import Outcome
from glioseg.batch.processes import helpers
from glioseg.batch.work import Outputs, Work, made_with, model_facts
from glioseg.errors import Fault
from glioseg.model.predictor import Predictor
from glioseg.results.folder import BESIDE_BIDS, ResultsFolder
from glioseg.results.record import ScanResult, write_summary

if TYPE_CHECKING:
    from glioseg.cluster import Cluster
    from glioseg.io.source import Source

__all__ = ["Outcome", "Outputs", "ScanResult", "predict_many", "write_summary"]


def predict_many(
    sources: Sequence[Source],
    out: Path,
    predictor: Predictor,
    outputs: Outputs | None = None,
    manifest: dict[str, Any] | None = None,
    progress: Callable[[ScanResult, bool], None] | None = None,
    tell_fault: Callable[[Fault], None] | None = None,
    workers: int = 1,
    cluster: Cluster | None = None,
) -> Outcome:
    """Segment scans one after the other while the next is read and the last is written.

    Several processes may do so in one folder at a time, with the same settings: each scan is done by one.

    Args:
        sources: from :func:`glioseg.io.find.find_scans`; for BIDS with names from
            :func:`glioseg.results.bids.named_as_bids`.
        out: folder for everything; what is finished in it is not done again.
        predictor: network.
        outputs: which pictures and files.
        manifest: facts for ``manifest.json``.
        progress: called for each scan that is done, with whether it had been done before.
        tell_fault: called for each fault as soon as it happens.
        workers: processes that do so together, this one among them; each with its own copy of the network,
            which therefore has to come from :func:`glioseg.load_model`.
        cluster: whose workers do it instead, entered; scans, results and network have to be there under the
            same paths, which are given in full.

    Returns:
        The results in the order of the sources, how many had been done before, and the faults of the rest.
        A full disk ends the work: the scans that are left have neither result nor fault.

    Raises:
        InputError: ``out`` cannot be written, or another process writes to it with other settings.
    """
    outputs = outputs or Outputs()
    sources = [source.with_sequences(predictor.description.sequences) for source in sources]
    own = BESIDE_BIDS if outputs.bids else ""
    job = "" if cluster is None else cluster.job
    with ResultsFolder(out, made_with(predictor, outputs), own, job) as folder:
        if outputs.bids:
            from glioseg.results.bids import start_derivatives

            start_derivatives(folder.path, sources)
        named = [folder.named(source) for source in sources]
        work: Work
        if cluster is None:
            work = Work(folder, predictor, outputs, progress, tell_fault, helped=workers > 1)
            with helpers(workers - 1, folder, own, named, predictor, outputs):
                work.do(named)
        else:
            from glioseg.batch.on_cluster import ClusterWork

            work = ClusterWork(cluster, folder, predictor, outputs, progress, tell_fault)
            work.check_workers()
            work.do(named)
        incomplete = work.conclude({**(manifest or {}), **model_facts(predictor)})
    results = [result for result in work.results if result is not None]
    return Outcome(results, work.skipped, work.faults, incomplete)
