"""Scans behind URLs: each folder is staged, segmented here or on a cluster, its results put in their place.

A folder of results that is written in this way has the same content as any other, but no claims: object
stores have none. Several jobs may write to it when each has other scans.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glioseg.batch.outcome import Outcome
from glioseg.batch.work import Outputs, made_with
from glioseg.cluster import over
from glioseg.errors import Fault, InputError
from glioseg.files import write_json
from glioseg.io.find import find_scans
from glioseg.io.source import with_channels
from glioseg.model.predictor import Predictor
from glioseg.remote import RemoteFolder, Unit
from glioseg.results.folder import KINDS, MANIFEST, SUMMARY
from glioseg.results.record import ScanResult, read_record, write_tables
from glioseg.unexpected import faults_of

if TYPE_CHECKING:
    from glioseg.cluster import Cluster


@dataclass(frozen=True)
class StagedSegmenting:
    """What is done with a unit, here or by a worker.

    Attributes:
        place: the folder of results, see :func:`glioseg.remote.place_of`.
        predictor: network, from :func:`glioseg.load_model`.
        outputs: which pictures and files.
        series, channels: what a person says of DICOM and of a fourth axis.
    """

    place: str
    predictor: Predictor
    outputs: Outputs
    series: Mapping[str, str]
    channels: str

    def key(self, unit: Unit) -> str:
        """What changes when the input, the model or a setting does."""
        settings = made_with(self.predictor, self.outputs)["settings"]
        text = f"{settings}\n{unit.signature}\n{sorted(self.series.items())}\n{self.channels}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def __call__(self, unit: Unit) -> tuple[list[ScanResult], list[Fault]]:
        """Stage a unit, segment its scans and put the results in their place; records and faults."""
        from glioseg.batch import predict_many

        with tempfile.TemporaryDirectory(prefix="glioseg-") as temporary:
            folder, out = Path(temporary), Path(temporary) / "out"
            try:
                staged = unit.stage(folder / "scans")
                sources, faults = find_scans([staged], dict(self.series))
                sources = with_channels(sources, self.channels) if sources else []
                sources = [replace(source, id=unit.named(source.id)) for source in sources]
                outcome = predict_many(sources, out, self.predictor, self.outputs)
                faults = [*faults, *outcome.faults]
                # With a fault the unit is never complete, so that it is tried and told again.
                parts = len(outcome.results) + bool(faults)
                results = [
                    self._recorded(unit, out, result.id, f"{unit.url}#{part}/{parts}")
                    for part, result in enumerate(outcome.results, 1)
                ]
                store = RemoteFolder(self.place)
                store.put(out, sorted(_files_in(out, KINDS)))
                store.put(out, sorted(_files_in(out, ("scans",))))
            except InputError as error:
                return [], [_at(fault, folder / "scans" / unit.name, unit.url) for fault in error.faults]
            return results, [_at(fault, folder / "scans" / unit.name, unit.url) for fault in faults]

    def _recorded(self, unit: Unit, out: Path, id: str, origin: str) -> ScanResult:
        path = out / "scans" / f"{id}.json"
        record = read_record(path)
        assert record is not None, "it has just been written"
        record = replace(record, source=unit.url, origin=origin, key=self.key(unit))
        write_json(path, asdict(record))
        return record.without_files


def predict_staged(
    units: Sequence[Unit],
    segmenting: StagedSegmenting,
    manifest: dict[str, Any],
    progress: Callable[[ScanResult, bool], None],
    tell_fault: Callable[[Fault], None],
    cluster: Cluster | None = None,
) -> Outcome:
    """Segment the scans of units into a folder of results, one unit after the other or on a cluster.

    Args:
        units: from :func:`glioseg.remote.units_in`.
        segmenting: with which network, and where results go.
        manifest: facts for ``manifest.json``.
        progress: called for each scan that is done, with whether it had been done before.
        tell_fault: called for each fault as soon as it happens.
        cluster: whose workers do it, entered.

    Raises:
        InputError: the folder of results cannot be read or written.
    """
    store = RemoteFolder(segmenting.place)
    results, faults = [], []
    before: defaultdict[str, list[ScanResult]] = defaultdict(list)
    for record in _records(store)[0].values():
        before[record.origin.rpartition("#")[0]].append(record)
    waiting = []
    for unit in units:
        done = [record for record in before[unit.url] if record.key == segmenting.key(unit)]
        if not _complete(done):
            waiting.append(unit)
            continue
        for record in done:
            results.append(record)
            progress(record, True)
    skipped = len(results)
    for number, found in over(cluster, segmenting, waiting, lambda unit: unit.url):
        records, wrong = found if isinstance(found, tuple) else ([], faults_of(found, waiting[number].url))
        for record in records:
            results.append(record)
            progress(record, False)
        for fault in wrong:
            faults.append(fault)
            tell_fault(fault)
    told = {**manifest, "faults": [str(fault) for fault in faults]}
    incomplete = conclude_remote(store, told, [result.id for result in results])
    return Outcome(results, skipped, faults, incomplete)


def conclude_remote(store: RemoteFolder, facts: dict[str, Any], first: Sequence[str] = ()) -> list[str]:
    """Write the summary and the manifest from all records; names of scans whose files are not all there."""
    records, incomplete = _records(store)
    if records:
        with tempfile.TemporaryDirectory(prefix="glioseg-") as temporary:
            write_tables(
                records, first, Path(temporary) / SUMMARY, Path(temporary) / MANIFEST, facts, incomplete
            )
            store.put(Path(temporary), [SUMMARY, MANIFEST])
    return incomplete


def _records(store: RemoteFolder) -> tuple[dict[str, ScanResult], list[str]]:
    """Records whose files are there in the size that they say, and the names of the others."""
    sizes = store.sizes()
    records: dict[str, ScanResult] = {}
    incomplete: list[str] = []
    names = [name for name in sizes if name.startswith("scans/") and name.endswith(".json")]
    with tempfile.TemporaryDirectory(prefix="glioseg-") as temporary:
        store.get(names, Path(temporary))
        for name in names:
            record = read_record(Path(temporary) / name)
            if record is not None and all(
                sizes.get(file) == size for file, (size, *_) in record.files.items()
            ):
                records[record.id] = record.without_files
            else:
                incomplete.append(Path(name).stem)
    return records, incomplete


def _complete(records: Sequence[ScanResult]) -> bool:
    """Whether these are all the scans of a unit, each of which says how many there are."""
    parts = {record.origin.rpartition("#")[2] for record in records}
    return bool(parts) and parts == {f"{part}/{len(parts)}" for part in range(1, len(parts) + 1)}


def _files_in(out: Path, kinds: Sequence[str]) -> list[str]:
    return [
        path.relative_to(out).as_posix()
        for kind in kinds
        for path in (out / kind).rglob("*")
        if path.is_file()
    ]


def _at(fault: Fault, staged: Path, url: str) -> Fault:
    """A fault of a staged file, said of the file itself."""
    return fault.changed(lambda text: text.replace(str(staged), url))
