"""The scans of one call: read ahead, segmented, written behind, and what became of each."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glioseg.errors import Fault
from glioseg.files import FULL, written_whole
from glioseg.io.memory import SEGMENTING, memory_for
from glioseg.io.save import write_both
from glioseg.measure.size import largest_diameter
from glioseg.model.predictor import Predictor
from glioseg.prediction import Prediction
from glioseg.results.folder import BESIDE_BIDS, ResultsFolder
from glioseg.results.record import ScanResult, origin_of
from glioseg.scan import Scan
from glioseg.unexpected import faults_of
from glioseg.words import said

if TYPE_CHECKING:
    from glioseg.io.source import Source

POLL_SECONDS = 0.5
"""How often it is asked whether another process has finished a scan."""


@dataclass(frozen=True)
class Outputs:
    """What is written besides the masks, the summary and the manifest.

    Attributes:
        outlines: one PNG for each slice.
        gif: one animation for each scan.
        probability: the probability map.
        anonymise: masks name no patient; only DICOM could.
        report: one page about each scan, as PDF.
        bids: BIDS derivatives, see :mod:`glioseg.results.bids`, with the probability map; the rest stands in
            their folder ``code``.
    """

    outlines: bool = True
    gif: bool = True
    probability: bool = False
    anonymise: bool = False
    report: bool = False
    bids: bool = False

    @property
    def needs_probability(self) -> bool:
        """Whether the probability map is written."""
        return self.probability or self.bids


def model_facts(predictor: Predictor) -> dict[str, Any]:
    """The network, for the manifest."""
    model = predictor.description.model_dump(mode="json", exclude={"appearance"})
    return {"model": model, "weights": predictor.fingerprint, "flips": predictor.flips}


def made_with(predictor: Predictor, outputs: Outputs) -> dict[str, Any]:
    """The model and the settings in short, as they are written; ``settings`` among them is a digest."""
    prepared = predictor.description.prepare.fingerprint
    settings = json.dumps([asdict(outputs), model_facts(predictor), prepared], sort_keys=True)
    facts = {
        "settings": hashlib.sha256(settings.encode()).hexdigest()[:16],
        "model": predictor.description.name,
        "weights": predictor.fingerprint,
        "flips": predictor.flips,
        "threshold": predictor.description.postprocess.threshold,
        **asdict(outputs),
    }
    return dict(json.loads(json.dumps(facts)))


class Work:
    """The scans of one call, with what became of each.

    Args:
        folder: where results go.
        predictor: network.
        outputs: which pictures and files.
        progress: called for each scan that is done, with whether it had been done before.
        tell_fault: called for each fault as soon as it happens.
        helped: other processes of this call work in the folder: what they do was not done before.
    """

    def __init__(
        self,
        folder: ResultsFolder,
        predictor: Predictor,
        outputs: Outputs,
        progress: Callable[[ScanResult, bool], None] | None = None,
        tell_fault: Callable[[Fault], None] | None = None,
        helped: bool = False,
    ) -> None:
        self.folder, self.predictor, self.outputs = folder, predictor, outputs
        self.progress, self.tell_fault, self.helped = progress, tell_fault, helped
        self.sources: list[Source] = []
        self.results: list[ScanResult | None] = []
        self.told: set[int] = set()
        self.skipped = 0
        self.faults: list[Fault] = []
        self.stopped = False

    def do(self, sources: Sequence[Source]) -> None:
        """Segment what has not been done; again what was removed from the folder meanwhile."""
        self.sources = list(sources)
        self.results = [None] * len(sources)
        waiting = []
        for number, source in enumerate(sources):
            if not self._take_over(number, self.folder.finished(source)):
                waiting.append(number)
        for _ in range(2):
            self._segment_or_wait(waiting)
            if self.stopped:
                return
            waiting = [
                number
                for number, result in enumerate(self.results)
                if result is not None and not self.folder.is_there(result)
            ]
            if not waiting:
                return
            for number in waiting:
                self.results[number] = None
        for number in waiting:
            self._failed([Fault("results.vanished", self.folder.path, scan=self.sources[number].id)])

    def conclude(self, facts: dict[str, Any]) -> list[str]:
        """Write the summary and the manifest; the names of other scans whose files are not complete."""
        first = [result.id for result in self.results if result is not None]
        facts = {**facts, "faults": [str(fault) for fault in self.faults]}
        also = None
        if self.outputs.bids:
            from glioseg.results.bids import write_participants

            also = write_participants
        try:
            incomplete = self.folder.conclude(first, facts, also)
        except Exception as error:  # what a library or the system may raise is told like everything else
            self._failed(faults_of(error, self.folder.path))
            return []
        own = {source.id for source in self.sources}
        return [name for name in incomplete if name not in own]

    def _segment_or_wait(self, waiting: Sequence[int]) -> None:
        """Do what nobody else is doing, then what others have left, and take over what they have done."""
        left = self._segment(waiting)
        while left and not self.stopped:
            time.sleep(POLL_SECONDS)
            left = [
                number
                for number in left
                if not self._take_over(number, self.folder.finished(self.sources[number]), not self.helped)
            ]
            left = self._segment(left)

    def _segment(self, waiting: Sequence[int]) -> list[int]:
        """Segment scans; those that another process is working on are returned."""
        elsewhere: list[int] = []
        with ThreadPoolExecutor(1) as writer:
            writing: list[tuple[int, Future[ScanResult]]] = []
            for number, scan, started in self._read_ahead(waiting, elsewhere):
                if writing and writing[0][1].done():
                    self._collect(writing)
                    writing = []
                source = self.sources[number]
                if self.stopped:
                    self.folder.give_back(source)
                    break
                try:
                    prediction = self.predictor(scan, self.outputs.needs_probability)
                except Exception as error:  # whatever a network or a library runs into
                    self._failed(faults_of(error, source.place), source)
                    continue
                seconds = time.perf_counter() - started
                writing.append((number, writer.submit(self._write, source, scan, prediction, seconds)))
                # At most one scan is being written: memory stays that of three, however many there are.
                self._collect(writing[:-1])
                writing = writing[-1:]
                if self.stopped:
                    break
            self._collect(writing)
        return elsewhere

    def _read_ahead(self, waiting: Sequence[int], elsewhere: list[int]) -> Iterator[tuple[int, Scan, float]]:
        """Scans in order, each claimed and read while the one before is being segmented."""

        def read(source: Source) -> tuple[Scan, float]:
            started = time.perf_counter()
            with memory_for(SEGMENTING):
                scan = source.read()
            return scan, time.perf_counter() - started

        places = iter(waiting)
        with ThreadPoolExecutor(1) as reader:
            ahead: list[tuple[int, Future[tuple[Scan, float]]]] = []
            try:
                while True:
                    while len(ahead) < 2 and (number := next(places, None)) is not None:
                        claimed = self._claimed(number, elsewhere)
                        if claimed is not None:
                            ahead.append((number, reader.submit(read, claimed)))
                    if not ahead:
                        return
                    number, future = ahead.pop(0)
                    try:
                        scan, seconds = future.result()
                    except Exception as error:  # whatever a library runs into in a damaged file
                        source = self.sources[number]
                        self._failed(faults_of(error, source.place), source)
                        continue
                    yield number, scan, time.perf_counter() - seconds
            finally:
                for number, future in ahead:
                    future.cancel()
                    self.folder.give_back(self.sources[number])

    def _claimed(self, number: int, elsewhere: list[int]) -> Source | None:
        """The scan once it is this process's to do."""
        source = self.folder.claim(self.sources[number])
        if source is None:
            elsewhere.append(number)
            return None
        self.sources[number] = source
        if self._take_over(number, self.folder.finished(source), not self.helped):
            self.folder.give_back(source)
            return None
        return source

    def _write(self, source: Source, scan: Scan, prediction: Prediction, seconds: float) -> ScanResult:
        mask = prediction.segmentation
        diameter, unit = largest_diameter(mask)
        volume = mask.volume_mm3
        expected = prediction.expected_dice
        result = ScanResult(
            id=source.id,
            source=str(scan.source or source.files[0]),
            slices=len(mask.voxels),
            slices_with_lesion=mask.slices_with_lesion,
            lesion_voxels=int(mask.mask.sum()),
            lesion_mm3=None if volume is None else round(volume, 1),
            largest_diameter=diameter,
            diameter_unit=unit,
            filled=scan.filled,
            seconds=round(seconds, 3),
            expected_dice=None if expected is None else round(float(expected), 3),
            doubts=prediction.doubts,
            notes=tuple(said(doubt) for doubt in prediction.doubts if doubt in scan.notes),
            key=self.folder.key(source),
            outputs=(),
            label_voxels={}
            if mask.lesion_or_not
            else {str(value): count for value, count in mask.counts.items()},
            origin=origin_of(source),
            content=self.folder.content(source),
        )
        with self.folder.stage() as stage:
            if self.outputs.bids:
                from glioseg.results.bids import write_derivative

                write_derivative(stage, source, prediction, result, self.folder.made_with)
                self._draw(scan, prediction, stage / BESIDE_BIDS, source.id)
            else:
                write_both(mask, stage / "masks", source.id, anonymise=self.outputs.anonymise)
                if scan.storage.format == "dicom" and mask.grid.spacing is not None:
                    from glioseg.results.dicom import report_measurements

                    report_measurements(mask, stage / "masks", source.id, expected)
                if self.outputs.probability:
                    _write_probability(source.id, prediction, stage / "probability")
                self._draw(scan, prediction, stage, source.id)
            return self.folder.store(stage, result)

    def _draw(self, scan: Scan, prediction: Prediction, folder: Path, id: str) -> None:
        from glioseg.draw import draw_gif, draw_slices, grey

        if self.outputs.report:
            self._report(scan, prediction, folder / "reports" / f"{id}.pdf")
        if not (self.outputs.outlines or self.outputs.gif):
            return
        volume = grey(scan)
        if self.outputs.outlines:
            draw_slices(
                scan, prediction.segmentation, None, folder / "outlines" / id, size=None, volume=volume
            )
        if self.outputs.gif:
            draw_gif(scan, prediction.segmentation, None, folder / "gifs" / f"{id}.gif", volume=volume)

    def _report(self, scan: Scan, prediction: Prediction, path: Path) -> None:
        from glioseg.draw.case_page import CaseFacts, case_page

        description = self.predictor.description
        threshold = description.postprocess.threshold
        facts = CaseFacts(description.name, threshold, prediction.expected_dice, prediction.doubts)
        case_page(scan, prediction.segmentation, facts, path)

    def _collect(self, writing: Sequence[tuple[int, Future[ScanResult]]]) -> None:
        for number, future in writing:
            source = self.sources[number]
            try:
                result = future.result()
            except Exception as error:  # whatever a writer runs into
                self._failed(faults_of(error, source.place), source)
                continue
            self.results[number] = result.without_files
            self.folder.give_back(source)
            self._tell(number, result, before=False)

    def _take_over(self, number: int, done: ScanResult | None, before: bool = True) -> bool:
        """Whether a scan has been done, by this call or by another; then it is noted."""
        if done is None:
            return False
        self.results[number] = done.without_files
        self.skipped += before
        self._tell(number, done, before=before)
        return True

    def _tell(self, number: int, result: ScanResult, *, before: bool) -> None:
        if number not in self.told and self.progress is not None:
            self.progress(result, before)
        self.told.add(number)

    def _failed(self, faults: Sequence[Fault], source: Source | None = None) -> None:
        """Note faults and tell them at once; a full disk ends the work."""
        for fault in faults:
            if fault.code == FULL and self.stopped:
                continue  # what was on its way when the disk was found full does not fit either
            self.faults.append(fault)
            self.stopped = self.stopped or fault.code == FULL
            if self.tell_fault is not None:
                self.tell_fault(fault)
        if source is not None:
            self.folder.give_back(source)


def _write_probability(id: str, prediction: Prediction, folder: Path) -> None:
    """The probability map on the scan's own grid, in the kind that the scan was.

    Of a volume a NIfTI file as the mask is; of pictures, float16 ``.npy`` ``(slices, height, width)``.
    """
    segmentation = prediction.segmentation
    assert prediction.probability is not None
    if segmentation.storage.format not in ("slices", "image"):
        from glioseg.io.nifti import write_probability

        write_probability(prediction.probability, segmentation, folder / f"{id}.nii.gz")
        return
    with written_whole(folder / f"{id}.npy") as part, part.open("wb") as handle:
        np.save(handle, prediction.probability.astype(np.float16))
