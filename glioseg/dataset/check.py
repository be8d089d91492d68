"""Check a labelled data set in one pass: every fault, and a census of what is there."""

from __future__ import annotations

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import numpy.typing as npt

from glioseg.dataset.find import Case, survey
from glioseg.errors import Fault, InputError
from glioseg.io import with_all_channels
from glioseg.io.names import listed, suffix_of
from glioseg.io.slices import read_masks_alone
from glioseg.prepare.frame import no_head
from glioseg.recipe import Labels
from glioseg.scan import Scan
from glioseg.words import Note, Phrase, said, sentence

_MOST_LESION = 0.5
"""Share of all voxels that no lesion has: the whole brain fills less than half of a scan."""

_SAMPLED = 8  # every eighth row of a slice is enough to suspect that two slices are the same


@dataclass(frozen=True)
class Census:
    """What a data set holds, and all that is wrong with it.

    Attributes:
        folder: the data set.
        layout: one of :data:`glioseg.dataset.case.LAYOUTS`, or ``""``.
        cases: its patients, sorted by id.
        faults: everything that must be mended before training.
        notes: what is unusual but allowed.
        slices: number of slices that could be read.
        lesion_slices: number of slices whose mask holds lesion.
        lesion_voxels: number of lesion voxels.
        sites: number of patients of each institution; patients whose name tells none are left out.
        kinds: number of patients with slices of each size and kind, such as ``256 x 256 RGB uint8``.
        missing: ids of the patients without their own ``pre`` or ``post`` sequence: grey images, or pixels
            that equal FLAIR.
        without_lesion: ids of the patients whose masks are all empty.
        counts: number of slices of each patient, as far as it is known.
        why: what the folder was taken for, and by what.
        notes_of_scans: ids of the patients whose scan has notes, see :attr:`glioseg.scan.Scan.notes`.
    """

    folder: Path
    layout: str
    cases: tuple[Case, ...]
    faults: tuple[Fault, ...]
    notes: tuple[str, ...] = ()
    slices: int = 0
    lesion_slices: int = 0
    lesion_voxels: int = 0
    sites: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    without_lesion: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    why: str = ""
    notes_of_scans: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def patients(self) -> int:
        """Number of patients."""
        return len(self.cases)

    def summary(self) -> str:
        """The census in a few plain lines, faults only counted."""
        counts = self.counts
        lines = [f"{self.folder}: {_count(self.patients, 'patient')}, {_count(self.slices, 'slice')}"]
        if counts:
            each = f"{min(counts)}" if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
            lines[0] += f" ({each} a patient)"
        if self.layout:
            lines.append(f"layout: {self.layout} ({self.why})")
        if counts:
            lines.append(f"images: {_shares(self.kinds, self.patients)}")
            share = f" ({self.lesion_slices / self.slices:.0%})" if self.slices else ""
            without = f"; {_named(self.without_lesion, 'without ')}" if self.without_lesion else ""
            voxels = _count(self.lesion_voxels, "voxel")
            lines.append(f"lesion: {_count(self.lesion_slices, 'slice')}{share}, {voxels}{without}")
        if self.sites:
            lines.append(
                "sites: " + ", ".join(f"{site} {number}" for site, number in sorted(self.sites.items()))
            )
        for name, ids in self.missing.items():
            if ids:
                lines.append(f"no {name} sequence of their own (it equals FLAIR): {_named(ids)}")
        lines += [f"note: {note}" for note in self.notes]
        lines.append(_count(len(self.faults), "fault") if self.faults else "no fault")
        return "\n".join(lines)


def check(
    folder: str | Path,
    rule: str | None = None,
    *,
    labels: Labels = Labels(),
    layout: str | None = None,
    channels: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> Census:
    """Read every image and mask of a data set once, and report all faults together.

    Faults are: nothing there; names that do not parse; images without mask and masks without image; slice
    numbers that are missing or occur twice; files that are empty, damaged or of the wrong mode; slices and
    masks of differing sizes; mask values other than {0, 1} or {0, 255}; patients that are the same pixels
    under two names, which would stand on both sides of a split.

    Args:
        folder: the data set, in a layout that :func:`glioseg.dataset.find.find_cases` knows.
        rule: patient rule for ``images-masks``, as there.
        labels: classes that the masks hold instead of lesion or not.
        layout: the data set's layout, as there; recognised by default.
        channels: what lies along the fourth axis of volumes, as there.
        progress: called with the number of patients done and their total.

    Returns:
        The census, with its faults; a data set can be trained on when ``faults`` is empty.

    Raises:
        InputError: the folder cannot be listed, ``rule`` is not a patient rule, or the channels are none of
            volumes.

    >>> import glioseg
    >>> census = glioseg.check(glioseg.sample_folder())
    >>> census.patients, census.slices, census.faults
    (3, 60, ())
    """
    found = survey(folder, rule, layout=layout, channels=channels)
    results: list[_Findings] = []
    with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) + 2)) as pool:
        for result in pool.map(partial(_examine, labels=labels), found.cases):
            results.append(result)
            if progress is not None:
                progress(len(results), len(found.cases))
    faults = [*found.faults, *(fault for result in results for fault in result.faults), *_duplicates(results)]
    notes_of_scans = {result.case.id: result.notes for result in results if result.notes}
    return Census(
        folder=Path(folder),
        layout=found.layout,
        cases=found.cases,
        faults=tuple(faults),
        notes=(
            *found.notes,
            *_grouped(notes_of_scans),
            *_odd_masks(results),
            *_jpeg_masks(found.cases),
        ),
        slices=sum(result.slices for result in results),
        lesion_slices=sum(result.lesion_slices for result in results),
        lesion_voxels=sum(result.lesion_voxels for result in results),
        sites=dict(Counter(case.site for case in found.cases if case.site is not None)),
        kinds=dict(Counter(result.kind for result in results if result.kind).most_common()),
        missing={
            name: tuple(result.case.id for result in results if name in result.missing)
            for name in ("post", "pre")
        },
        without_lesion=tuple(
            result.case.id for result in results if result.masks_read and not result.lesion_voxels
        ),
        counts=tuple(count for result in results if (count := _slices_of(result))),
        why=found.why,
        notes_of_scans=notes_of_scans,
    )


@dataclass(frozen=True)
class _Findings:
    """What the files of one patient hold."""

    case: Case
    faults: tuple[Fault, ...]
    slices: int = 0
    kind: str = ""
    missing: tuple[str, ...] = ()
    sampled: tuple[bytes, ...] = ()
    masks_read: bool = False
    lesion_slices: int = 0
    lesion_voxels: int = 0
    mask_voxels: int = 0
    notes: tuple[str, ...] = ()


def _odd_masks(results: Sequence[_Findings]) -> list[Phrase]:
    """Notes on masks that can hardly be meant: all of them empty, or nearly everything lesion."""
    read = [result for result in results if result.masks_read]
    if read and not any(result.lesion_voxels for result in read):
        return [Phrase("dataset.masks_all_empty")]
    return [
        Phrase("dataset.nearly_all_lesion", patient=result.case.id, share=f"{share:.0%}")
        for result in read
        if (share := result.lesion_voxels / max(1, result.mask_voxels)) > _MOST_LESION
    ]


def _grouped(notes: Mapping[str, Sequence[str]]) -> list[Phrase]:
    """What is to be known of the voxels of scans, by patient; once where several scans share it."""
    alike: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for id, each in notes.items():
        for note in each:
            sequence = note.parameters.get("sequence", "") if isinstance(note, Note) else ""
            alike[str(note), str(sequence)][id] = said(note)
    return [
        Phrase(
            "dataset.note" if len(set(texts.values())) == 1 else "dataset.note_of_first",
            patients=listed(texts, 3),
            first=next(iter(texts)),
            note=next(iter(texts.values())),
        )
        for texts in alike.values()
    ]


def _jpeg_masks(cases: Iterable[Case]) -> list[str]:
    """A note if masks are JPEG files, which keep the border of a lesion only nearly."""
    masks = [mask for case in cases for mask in case.masks if mask is not None]
    count = sum(suffix_of(mask) in (".jpg", ".jpeg") for mask in masks)
    return [sentence("sentences", "dataset.jpeg_masks", count=count)] if count else []


def _slices_of(result: _Findings) -> int:
    files = len(result.case.images) if result.case.source.format == "slices" else 0
    return files or result.slices


def _examine(case: Case, labels: Labels) -> _Findings:
    faults: list[Fault] = []
    scan: Scan | None = None
    kind = ""
    try:
        scan = case.source.read_as_stored(threads=1)
        height, width, channels = scan.voxels.shape[1:]
        kind = f"{width} x {height} {_colour(channels, case)} {scan.voxels.dtype}"
        scan = with_all_channels(scan)
        flair = scan.channel("flair")
        if flair.min() == flair.max():
            faults.append(no_head(scan, Phrase("prepare.constant_flair")))
    except InputError as error:
        faults += error.faults
    lesion = None
    try:
        lesion = _lesion(case, scan, labels)
    except InputError as error:
        faults += error.faults
    return _Findings(
        case,
        tuple(faults),
        len(scan.voxels) if scan else 0,
        kind,
        scan.filled if scan else (),
        _sampled(scan) if scan else (),
        lesion is not None,
        int(lesion.any(axis=(1, 2)).sum()) if lesion is not None else 0,
        int(np.count_nonzero(lesion)) if lesion is not None else 0,
        lesion.size if lesion is not None else 0,
        scan.notes if scan else (),
    )


def _colour(channels: int, case: Case) -> str:
    if channels == 1:
        return "grey"
    return "RGB" if case.source.format in ("slices", "image") else f"{channels} sequences"


def _lesion(case: Case, scan: Scan | None, labels: Labels) -> npt.NDArray[np.bool_] | None:
    """What the masks of a case hold; masks of slices also if the slices themselves cannot be read."""
    masks = [mask for mask in case.masks if mask is not None]
    if not masks:
        return None
    if case.source.format == "slices":
        size = scan.grid.shape[1:] if scan else None
        return read_masks_alone(masks, size, threads=1, labels=labels.stored) > 0
    if scan is None or len(masks) > 1:
        return None
    truth = case.source.read_truth(scan, labels.stored)
    return None if truth is None else truth.mask


# --- the same patient under two names ---------------------------------------------------------


def _sampled(scan: Scan) -> tuple[bytes, ...]:
    """A hash of some rows of each slice that is not of one value."""
    rows = scan.voxels[:, ::_SAMPLED]
    return tuple(_hash(part) for part in rows if part.min() != part.max())


def _hash(array: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=16).digest()


def _duplicates(results: Iterable[_Findings]) -> list[Fault]:
    """Patients of whose slices at least half are another's, pixel for pixel."""
    owners: dict[bytes, set[int]] = defaultdict(set)
    results = list(results)
    for number, result in enumerate(results):
        for key in result.sampled:
            owners[key].add(number)
    shared = Counter(pair for group in owners.values() for pair in combinations(sorted(group), 2))
    faults = []
    for (first, second), number in sorted(shared.items()):
        one, other = results[first], results[second]
        if 2 * number < min(len(set(one.sampled)), len(set(other.sampled))):
            continue
        same = len(_whole(one.case) & _whole(other.case))
        if 2 * same >= min(len(set(one.sampled)), len(set(other.sampled))):
            named = {"patient": other.case.id, "other": one.case.id}
            faults.append(Fault("dataset.same_patient", other.case.source.place, count=same, **named))
    return faults


def _whole(case: Case) -> set[bytes]:
    scan = case.source.read_as_stored()
    return {_hash(part) for part in scan.voxels if part.min() != part.max()}


# --- words ------------------------------------------------------------------------------------


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _named(ids: Sequence[str], what: str = "") -> str:
    """``2 patients (a, b)``; of more than a few the first."""
    return f"{_count(len(ids), 'patient')} {what}({listed(ids, 3)})"


def _shares(kinds: dict[str, int], patients: int) -> str:
    if not kinds:
        return "none could be read"
    if len(kinds) == 1 and sum(kinds.values()) == patients:
        return next(iter(kinds))
    return listed((f"{kind} in {_count(number, 'patient')}" for kind, number in kinds.items()), 4)
