"""Prepared slices on disk, memory-mapped, so that a training starts at once and shares memory.

One folder a patient: ``images.npy`` (float16), ``targets.npy`` (uint8, 255 = all lesion) and
``meta.json``. Its name holds the hash of the source files' bytes; the folder above is named after the
preparation, so a changed scan or setting never meets an old array. Arrays are checked against their
checksums each time they are opened; what does not match is made again.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.dataset.find import Case, read_case
from glioseg.errors import Fault, InputError, raise_all
from glioseg.files import default_cache, folder_written_whole, make_folder, sweep, write_text
from glioseg.io.nifti_file import with_other_parts
from glioseg.prepare import Preparation
from glioseg.recipe import Labels, PrepareChoice
from glioseg.scan import CHANNELS


@dataclass(frozen=True, eq=False)
class PreparedCase:
    """One patient, ready to train on.

    Attributes:
        id: the patient.
        images: float16 ``(slices, size, size, channels)``, memory-mapped.
        targets: uint8 ``(slices, size, size)``; 255 where all of the pixel is lesion. With classes
            ``(slices, size, size, classes)``, background first; each pixel's values sum to 255.
        lesion: float64 ``(slices,)``: what is not background of each slice, in prepared pixels.
    """

    id: str
    images: npt.NDArray[np.float16]
    targets: npt.NDArray[np.uint8]
    lesion: npt.NDArray[np.float64]


def prepare_cases(
    cases: Sequence[Case],
    preparation: PrepareChoice,
    cache: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
    labels: Labels = Labels(),
) -> list[PreparedCase]:
    """Prepare labelled cases, or take them from the cache.

    Args:
        cases: as :func:`glioseg.dataset.find.find_cases` gives them; each needs its masks.
        preparation: how.
        cache: folder of the cache, :func:`default_cache` if not given.
        progress: called with (done, all) after each case, in the thread of the caller.
        labels: which values of the masks are classes.

    Raises:
        InputError: every case that cannot be read or prepared, all in one error.
    """
    root = make_folder(cache if cache is not None else default_cache())
    _sweep(root)

    def one(case: Case) -> PreparedCase | InputError:
        try:
            return _open_or_make(case, Preparation.of(preparation), labels, root)
        except InputError as error:
            return error

    ready: list[PreparedCase] = []
    faults: list[Fault] = []
    with ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 1))) as pool:
        for done, result in enumerate(pool.map(one, cases), start=1):
            if isinstance(result, InputError):
                faults += result.faults
            else:
                ready.append(result)
            if progress is not None:
                progress(done, len(cases))
    raise_all(_told_once(faults, root))
    return ready


def fingerprint(cases: Sequence[Case], cache: Path | None = None) -> str:
    """Hash over the bytes of all files of the cases, for the record of a run."""
    root = make_folder(cache if cache is not None else default_cache())
    digest = hashlib.sha256()
    for case in cases:
        digest.update(f"{case.id}:{_content_hash(case, root)}\n".encode())
    return digest.hexdigest()[:16]


def _sweep(root: Path) -> None:
    """Remove what killed processes left half-written: prepared cases of any preparation, and hashes."""
    for folder in (root / "content", *(root / "prepared").glob("*")):
        sweep(folder)


def _told_once(faults: list[Fault], root: Path) -> list[Fault]:
    """A cache that cannot be written is one fault, not one for each patient."""
    own = [fault for fault in faults if Path(fault.where).is_relative_to(root)]
    rest = [fault for fault in faults if fault not in own]
    return [Fault("dataset.cache", root, reason=fault.phrase("found")) for fault in own[:1]] + rest


def _open_or_make(case: Case, preparation: Preparation, labels: Labels, root: Path) -> PreparedCase:
    kind = _kind(case, labels)
    folder = root / "prepared" / f"{preparation.fingerprint}{kind}" / f"{case.id}-{_content_hash(case, root)}"
    prepared_case: dict[str, Any] | None = None
    # Looked at again after the work: another process may have done it too. And it may take away a damaged
    # folder just when ours has come in its place, hence more than one try.
    for _ in range(5):
        ready = _open(case.id, folder)
        if ready is not None:
            return ready
        if prepared_case is None:
            prepared_case = _make(case, preparation, labels)
            continue
        shutil.rmtree(folder, ignore_errors=True)
        with folder_written_whole(folder) as part:
            np.save(part / "images.npy", prepared_case["images"])
            np.save(part / "targets.npy", prepared_case["targets"])
            write_text(part / "meta.json", json.dumps(prepared_case["meta"]))
    raise InputError(Fault("dataset.cache_bytes", folder))


def _kind(case: Case, labels: Labels) -> str:
    """What the prepared arrays of a case depend on besides the preparation and the bytes of its files."""
    classes = "-".join(["-labels", *map(str, labels.values)]) if labels.given else ""
    said: dict[str, Any] = {"lesion": labels.lesion}
    if case.source.layout or case.source.channels:
        said |= {"labels": sorted(case.source.labels.items()), "channels": case.source.channels}
        said |= {"sequences": case.source.sequences}
    if case.source.wanted != CHANNELS:
        said |= {"wanted": case.source.wanted, "sequences": case.source.sequences}
    if not any(said.values()):
        return classes
    return f"{classes}-" + hashlib.sha256(json.dumps(said).encode()).hexdigest()[:8]


def _make(case: Case, preparation: Preparation, labels: Labels) -> dict[str, Any]:
    """What the folder of a case holds."""
    scan, truth = read_case(case, labels.stored)
    if truth is None:
        raise InputError(Fault("dataset.not_labelled", case.images[0].parent))
    prepared = preparation(scan)
    images = prepared.images.astype(np.float16)
    shares = [preparation.target(truth.label(value), prepared.frame) for value in labels.named]
    targets = _class_targets(shares) if labels.given else np.rint(shares[0] * 255).astype(np.uint8)
    meta = {"images": _checksum(images), "targets": _checksum(targets)}
    return {"images": images, "targets": targets, "meta": meta}


def _class_targets(classes: Sequence[npt.NDArray[np.float32]]) -> npt.NDArray[np.uint8]:
    """Share of each class in each prepared pixel, background first, summing to 255."""
    shares = np.rint(np.stack(classes, axis=-1) * 255)
    # Rounding each class alone can add up to more than the whole pixel.
    excess = np.clip(shares.sum(axis=-1) - 255, 0, None)
    largest = shares.argmax(axis=-1)[..., None]
    np.put_along_axis(shares, largest, np.take_along_axis(shares, largest, -1) - excess[..., None], -1)
    background = 255 - shares.sum(axis=-1, keepdims=True)
    return np.concatenate((background, shares), axis=-1).astype(np.uint8)


def _open(patient: str, folder: Path) -> PreparedCase | None:
    """The arrays of a folder if they are all there and whole, else ``None``."""
    try:
        meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
        # Read to be checked, and mapped to be kept: what is read through a map stays in memory.
        if _checksum(np.load(folder / "images.npy", allow_pickle=False)) != meta["images"]:
            return None
        targets = np.load(folder / "targets.npy", allow_pickle=False)
        if _checksum(targets) != meta["targets"]:
            return None
        lesion = targets if targets.ndim == 3 else 255 - targets[..., 0]
        areas = lesion.sum(axis=(1, 2), dtype=np.int64) / 255
        images, targets = (
            np.load(folder / name, mmap_mode="r", allow_pickle=False)
            for name in ("images.npy", "targets.npy")
        )
        return PreparedCase(patient, images, targets, areas)
    except Exception:  # whatever NumPy runs into in a damaged header
        return None


def _checksum(array: npt.NDArray[Any]) -> str:
    return f"{array.dtype}{list(array.shape)}:{zlib.crc32(np.ascontiguousarray(array).data):08x}"


def _content_hash(case: Case, root: Path) -> str:
    """Hash of the bytes of a case's files.

    Remembered by path, size and modification time, as git's index does, so that the next start reads
    directory entries and not a gigabyte.
    """
    files = with_other_parts((*case.images, *case.masks))
    seen = hashlib.sha256()
    for path in files:
        try:
            state = path.stat()
        except OSError as error:
            raise InputError(Fault("dataset.file_gone", path, reason=error)) from error
        seen.update(f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}\n".encode())
    note = root / "content" / f"{seen.hexdigest()[:32]}.txt"
    try:
        known = note.read_text(encoding="utf-8").strip()
        if len(known) == 16:
            return known
    except OSError:
        pass
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    with suppress(InputError):  # a cache that is only read can still be used
        write_text(note, digest.hexdigest()[:16])
    return digest.hexdigest()[:16]
