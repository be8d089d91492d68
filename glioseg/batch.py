"""Segment many scans into a folder: resumable, one bad scan does not stop the others.

The folder holds ``masks/`` (in the kind each scan was read in; of DICOM also as NIfTI), ``outlines/``
(a PNG a slice), ``gifs/``, ``scans/`` (what is known of each finished scan, one JSON each),
``summary.csv`` and ``manifest.json``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glioseg.errors import Fault, InputError
from glioseg.files import make_folder, write_fault, write_json, write_text
from glioseg.io.save import write_both
from glioseg.measure.size import largest_diameter
from glioseg.model.predictor import Predictor
from glioseg.prediction import Prediction
from glioseg.scan import Scan

if TYPE_CHECKING:
    from glioseg.io.source import Source


@dataclass(frozen=True)
class Outputs:
    """What is written besides the masks, the summary and the manifest.

    Attributes:
        outlines: a PNG a slice.
        gif: an animation a scan.
        probability: the probability map.
        anonymise: masks name no patient; only DICOM could.
    """

    outlines: bool = True
    gif: bool = True
    probability: bool = False
    anonymise: bool = False


@dataclass(frozen=True)
class ScanResult:
    """The numbers of one scan; lengths and volumes in mm only where the spacing is known.

    Attributes:
        id: name of the scan.
        source: file or folder it came from.
        slices, slices_with_lesion, lesion_voxels: counts.
        lesion_mm3: volume, or ``None``.
        largest_diameter: greatest distance within the lesion on one slice.
        diameter_unit: ``"mm"`` or ``"pixels"``.
        filled: sequences that were missing and replaced by FLAIR.
        seconds: wall time from reading to the mask.
        expected_dice: DSC to expect of the mask; ``None`` if it is empty.
        doubts: what to know before trusting it, keys of :data:`glioseg.model.calibration.DOUBTS`.
        label_voxels: voxels of each label, of a model with classes.
        key: changes when the input, the model or a setting does.
        outputs: files and folders of this scan in the output folder.
    """

    id: str
    source: str
    slices: int
    slices_with_lesion: int
    lesion_voxels: int
    lesion_mm3: float | None
    largest_diameter: float
    diameter_unit: str
    filled: tuple[str, ...]
    seconds: float
    expected_dice: float | None
    doubts: tuple[str, ...]
    key: str
    outputs: tuple[str, ...]
    label_voxels: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of a folder of scans."""

    results: list[ScanResult]
    skipped: int
    faults: list[Fault]


def predict_many(
    sources: Sequence[Source],
    out: Path,
    predictor: Predictor,
    outputs: Outputs | None = None,
    manifest: dict[str, Any] | None = None,
    progress: Callable[[ScanResult, bool], None] | None = None,
) -> Outcome:
    """Segment scans one after the other while the next is read and the last is written.

    Args:
        sources: from :func:`glioseg.io.find.find_scans`.
        out: folder for everything; what is finished in it is not done again.
        predictor: network.
        outputs: which pictures and files.
        manifest: facts for ``manifest.json``.
        progress: called for each scan that is done, with whether it had been done before.

    Returns:
        The results in the order of the sources, how many had been done before, and the faults of the rest.

    Raises:
        InputError: ``out`` cannot be written.
    """
    outputs = outputs or Outputs()
    ours = not out.exists()
    make_folder(out)
    with _staged(out):
        pass  # a folder that cannot be written should be told before the work
    model = predictor.description.model_dump(mode="json", exclude={"appearance"})
    facts = {"model": model, "weights": predictor.fingerprint, "flips": predictor.flips}
    prepared = predictor.description.prepare.fingerprint
    settings = json.dumps([asdict(outputs), facts, prepared], sort_keys=True)
    results: dict[str, ScanResult] = {}
    faults: list[Fault] = []
    skipped = 0
    waiting = []
    for source in sources:
        key = _key(source, settings)
        done = _finished(out, source.id, key)
        if done is None:
            waiting.append((source, key))
        else:
            results[source.id] = done
            skipped += 1
            if progress is not None:
                progress(done, True)
    with ThreadPoolExecutor(1) as writer:
        writing: list[Future[ScanResult]] = []
        for source, key, scan, started in _read_ahead(waiting, faults):
            try:
                prediction = predictor(scan)
            except InputError as error:
                faults += error.faults
                continue
            seconds = time.perf_counter() - started
            writing.append(writer.submit(_write, out, source, key, scan, prediction, outputs, seconds))
            # At most one scan is being written: memory stays that of three scans, however many there are.
            _collect(writing[:-1], results, faults, progress)
            writing = writing[-1:]
        _collect(writing, results, faults, progress)
    ordered = [results[source.id] for source in sources if source.id in results]
    if not ordered:
        # Nothing could be read: leave no folder behind that looks like a result.
        if ours:
            out.rmdir()
        return Outcome([], 0, faults)
    write_summary(ordered, out / "summary.csv")
    write_json(
        out / "manifest.json",
        {
            **(manifest or {}),
            **facts,
            "scans": [result.id for result in ordered],
            "faults": [str(fault) for fault in faults],
        },
    )
    return Outcome(ordered, skipped, faults)


def write_summary(results: Sequence[ScanResult], path: Path) -> Path:
    """One row a scan."""
    text = io.StringIO()
    left_out = {"key", "outputs"}
    if not any(result.label_voxels for result in results):
        left_out.add("label_voxels")
    columns = [name for name in ScanResult.__dataclass_fields__ if name not in left_out]
    table = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    table.writeheader()
    for result in results:
        row = asdict(result)
        row["filled"], row["doubts"] = " ".join(result.filled), " ".join(result.doubts)
        row["label_voxels"] = " ".join(f"{label}:{count}" for label, count in result.label_voxels.items())
        for name in ("lesion_mm3", "expected_dice"):
            row[name] = "" if row[name] is None else row[name]
        table.writerow(row)
    return write_text(path, text.getvalue())


def _read_ahead(
    waiting: Sequence[tuple[Source, str]], faults: list[Fault]
) -> Iterator[tuple[Source, str, Scan, float]]:
    """Scans in order, each read while the one before is being segmented."""

    def read(source: Source) -> tuple[Scan, float]:
        started = time.perf_counter()
        scan = source.read()
        return scan, time.perf_counter() - started

    with ThreadPoolExecutor(1) as reader:
        futures: list[Future[tuple[Scan, float]]] = []
        for number, (source, key) in enumerate(waiting):
            for ahead, _ in waiting[number + len(futures) : number + 2]:
                futures.append(reader.submit(read, ahead))
            try:
                scan, seconds = futures.pop(0).result()
            except InputError as error:
                faults += error.faults
                continue
            yield source, key, scan, time.perf_counter() - seconds


def _write(
    out: Path, source: Source, key: str, scan: Scan, prediction: Prediction, outputs: Outputs, seconds: float
) -> ScanResult:
    from glioseg.draw import draw_gif, draw_slices

    mask = prediction.segmentation
    with _staged(out) as stage:
        write_both(mask, stage / "masks", scan.id, anonymise=outputs.anonymise)
        if outputs.outlines:
            draw_slices(scan, mask, None, stage / "outlines" / scan.id)
        if outputs.gif:
            draw_gif(scan, mask, None, stage / "gifs" / f"{scan.id}.gif")
        if outputs.probability:
            _write_probability(scan, prediction, stage / "probability")
        written = tuple(sorted(item.relative_to(stage).as_posix() for item in stage.glob("*/*")))
    diameter, unit = largest_diameter(mask)
    volume = mask.volume_mm3
    result = ScanResult(
        id=scan.id,
        source=str(scan.source or source.files[0]),
        slices=len(mask.voxels),
        slices_with_lesion=mask.slices_with_lesion,
        lesion_voxels=int(mask.mask.sum()),
        lesion_mm3=None if volume is None else round(volume, 1),
        largest_diameter=diameter,
        diameter_unit=unit,
        filled=scan.filled,
        seconds=round(seconds, 3),
        expected_dice=None if prediction.expected_dice is None else round(prediction.expected_dice, 3),
        doubts=prediction.doubts,
        key=key,
        outputs=written,
        label_voxels={}
        if mask.lesion_or_not
        else {str(value): count for value, count in mask.counts.items()},
    )
    # Last of all: only a scan whose files are complete has this record.
    write_json(out / "scans" / f"{scan.id}.json", asdict(result))
    return result


@contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """A folder beside the results; what is in its folders moves into those of ``out`` once all is written."""
    stage = out / f".part-{os.urandom(8).hex()}"
    try:
        stage.mkdir()
        yield stage
        for item in sorted(stage.glob("*/*")):
            target = make_folder(out / item.parent.name) / item.name
            if target.is_dir():
                shutil.rmtree(target)
            os.replace(item, target)
    except OSError as error:
        raise InputError(write_fault(out, error)) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _write_probability(scan: Scan, prediction: Prediction, folder: Path) -> None:
    """Probability map as float16 ``.npy`` on the scan's own grid, ``(slices, height, width)``."""
    from glioseg.files import written_whole

    with written_whole(folder / f"{scan.id}.npy") as part, part.open("wb") as handle:
        np.save(handle, prediction.probability.astype(np.float16))


def _collect(
    writing: Sequence[Future[ScanResult]],
    results: dict[str, ScanResult],
    faults: list[Fault],
    progress: Callable[[ScanResult, bool], None] | None,
) -> None:
    for future in writing:
        try:
            result = future.result()
        except InputError as error:
            faults += error.faults
            continue
        results[result.id] = result
        if progress is not None:
            progress(result, False)


def _key(source: Source, settings: str) -> str:
    """Hash of the input files' names, sizes and times, of what they are taken for, and of all settings."""
    digest = hashlib.sha256(f"{settings}\n{source.sequences}{source.slice_numbers}\n".encode())
    for path in source.files:
        try:
            state = path.stat()
        except OSError:
            continue  # reading it will say what is wrong
        digest.update(f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _finished(out: Path, id: str, key: str) -> ScanResult | None:
    """The record of a scan that was done before with the same input, model and settings."""
    try:
        content = json.loads((out / "scans" / f"{id}.json").read_text(encoding="utf-8"))
        for name in ("filled", "doubts", "outputs"):
            content[name] = tuple(content[name])
        result = ScanResult(**content)
    except (OSError, ValueError, TypeError, KeyError):
        return None
    there = all((out / name).exists() for name in result.outputs)
    return result if result.key == key and there else None
