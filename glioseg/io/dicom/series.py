"""Which images make a volume: series told apart, and their slices sorted by where they lie in the patient.

Source: DICOM PS3.3 C.7.6.2.1.1 (Image Position and Image Orientation): positions are millimetres to the
patient's left, posterior and superior.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault
from glioseg.io.dicom.headers import DicomImage
from glioseg.io.names import listed
from glioseg.io.turn import Affine
from glioseg.words import Phrase

_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
SAME_PLACE = 0.01
"""How near, in mm, two slices lie to be at one position."""
SAME_SPACING = 0.005
"""Share by which the pixel spacings of one series may differ."""
UNEVEN = 0.1
"""Share of the usual step by which one step between slices may differ from it."""
SLANT = 0.05
"""Tangent of the angle by which slices may be stacked away from their normal: volumes err by 0.1 %."""

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Series:
    """The images of one volume, or of what was meant to be one.

    Attributes:
        frames: sorted along the normal of the slices where they have a place, else in the order found.
        part: what tells it from others of the same SeriesInstanceUID, for instance ``EchoTime 90``.
        place: its number among those, from 1; 0 when there is one alone.
    """

    frames: tuple[DicomImage, ...]
    part: str = ""
    place: int = 0

    @property
    def first(self) -> DicomImage:
        """The first image."""
        return self.frames[0]

    @property
    def uid(self) -> str:
        """SeriesInstanceUID."""
        return self.first.series

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, each once."""
        return tuple(dict.fromkeys(frame.file for frame in self.frames))

    @property
    def title(self) -> str:
        """``series 4 'AX FLAIR'``; nothing of the patient."""
        number = self.first.number
        title = Phrase("dicom.series") if number is None else Phrase("dicom.series_number", number=number)
        if self.first.shown:
            title = Phrase("dicom.series_name", series=title, name=self.first.shown)
        return Phrase("dicom.series_part", series=title, part=self.part) if self.part else title

    @property
    def choice(self) -> str:
        """What ``--series flair=...`` takes to choose it."""
        words = self.first.shown
        whole = words in (self.first.description, self.first.protocol)
        return (words if words and whole else self.uid) + (f"#{self.place}" if self.place else "")

    @property
    def key(self) -> str:
        """As :attr:`choice`, and of this series alone: two may have one description."""
        return f"{self.uid}#{self.place}" if self.uid and self.place else self.uid or self.choice

    @property
    def where(self) -> dict[str, object]:
        """Its folder, or its only file, and its title, as parameters of a fault."""
        files = self.files
        return {"place": files[0] if len(files) == 1 else files[0].parent, "series": self.title}

    @property
    def placed(self) -> bool:
        """Whether every image says where it lies."""
        return all(_has_place(frame) for frame in self.frames)

    @cached_property
    def plane(self) -> str:
        """``axial``, ``coronal`` or ``sagittal``: the nearest; ``""`` without a place."""
        if not self.placed:
            return ""
        return ("sagittal", "coronal", "axial")[int(np.argmax(np.abs(normal(self.first))))]

    @cached_property
    def step(self) -> Vector:
        """From the centre of a slice to that of the next, in mm (left, posterior, superior)."""
        if len(self.frames) == 1:
            length = self.first.between or self.first.thickness or 0.0
            return normal(self.first) * abs(length)
        ends = np.array([self.frames[0].position, self.frames[-1].position])
        step: Vector = (ends[1] - ends[0]) / (len(self.frames) - 1)
        return step

    @cached_property
    def affine(self) -> Affine:
        """From (column, row, slice) to RAS+ millimetres; only for series without faults."""
        first = self.first
        assert first.orientation is not None
        assert first.spacing is not None
        affine = np.eye(4)
        affine[:3, 0] = np.array(first.orientation[:3]) * first.spacing[1]
        affine[:3, 1] = np.array(first.orientation[3:]) * first.spacing[0]
        affine[:3, 2] = self.step
        affine[:3, 3] = first.position
        product: Affine = _LPS_TO_RAS @ affine
        return product

    @cached_property
    def faults(self) -> tuple[Fault, ...]:
        """What keeps it from being a volume."""
        fault = _fault(self)
        return () if fault is None else (fault,)


def find_series(frames: Sequence[DicomImage]) -> list[Series]:
    """Tell the images of one study apart into volumes.

    Images of one SeriesInstanceUID, size, orientation and pixel spacing belong together. Where several lie at
    one position, what their headers say of echo, time, inversion, diffusion and kind parts them.

    Args:
        frames: in any order; files that are there twice (one SOPInstanceUID) count once.

    Returns:
        The series by number; those that cannot be told apart keep all their images and have a fault.
    """
    once: dict[tuple[object, ...], DicomImage] = {}
    for frame in frames:
        # Programs that take names out write one UID into several images: those at other places are others.
        at = None if frame.position is None else tuple(round(value, 3) for value in frame.position)
        name = (*_series_of(frame), at) if frame.instance else str(frame.file)
        once.setdefault((frame.instance, name, frame.index), frame)
    by_uid: dict[str, list[DicomImage]] = defaultdict(list)
    for frame in once.values():
        by_uid[frame.series].append(frame)
    found: list[Series] = []
    for members in by_uid.values():
        parts: list[tuple[str, list[DicomImage]]] = []
        for group in _by_series(members):
            stacks = _by_grid(group)
            for stack in stacks:
                kind = f"{Series(tuple(stack)).plane} {stack[0].columns} x {stack[0].rows}".strip()
                name = kind if len(stacks) > 1 else ""
                for part, rest in _parts(stack):
                    parts.append((" ".join(filter(None, (name, part))), rest))
        numbered = len(parts) > 1
        for place, (part, rest) in enumerate(parts, 1):
            found.append(Series(tuple(_sorted(rest)), part, place if numbered else 0))
    return sorted(_joined(found), key=lambda series: (series.first.number or 0, series.uid, series.place))


def _series_of(frame: DicomImage) -> tuple[object, ...]:
    """What the images of one series have in common, where UIDs cannot be relied upon."""
    return frame.series, frame.number, frame.description


def _by_series(frames: Sequence[DicomImage]) -> list[list[DicomImage]]:
    """Images of one UID by number and description of the series: a UID may be blank, or that of several."""
    groups: dict[tuple[object, ...], list[DicomImage]] = defaultdict(list)
    for frame in frames:
        groups[_series_of(frame)].append(frame)
    return list(groups.values())


def _parts(stack: list[DicomImage]) -> list[tuple[str, list[DicomImage]]]:
    """A stack parted where images lie at one position, and from images that were computed of the others."""
    original = [frame for frame in stack if not frame.derived]
    if original and len(original) < len(stack) and Series(tuple(_sorted(stack))).faults:
        derived = [frame for frame in stack if frame.derived]
        if not Series(tuple(_sorted(original))).faults:
            return [("", original), ("DERIVED", derived)]
    return _parted(stack, [word for word, _ in stack[0].marks])


def _joined(found: list[Series]) -> list[Series]:
    """The series, the two halves of one volume joined: every other slice, or top and bottom."""
    rest = list(found)
    for one in found:
        for other in found:
            if one in rest and other in rest and one is not other and _are_halves(one, other):
                whole = Series(tuple(_sorted([*one.frames, *other.frames])), one.part)
                rest = [whole if each is one else each for each in rest if each is not other]
    return rest


def _are_halves(one: Series, other: Series) -> bool:
    first, second = one.first, other.first
    if one.uid == other.uid or first.description != second.description or not first.description:
        return False
    if first.frame_of_reference != second.frame_of_reference or first.marks != second.marks:
        return False
    if abs(len(one.frames) - len(other.frames)) > 1 or min(len(one.frames), len(other.frames)) < 2:
        return False
    if not _same_kind(first, second) or not (one.placed and other.placed) or one.faults or other.faults:
        return False
    whole = Series(tuple(_sorted([*one.frames, *other.frames])))
    if whole.faults:
        return False
    thick = first.thickness or 0.0
    # Slices that overlap would be two acquisitions of one volume.
    return bool(np.linalg.norm(whole.step) > 0.8 * thick)


def normal(frame: DicomImage) -> Vector:
    """The unit normal of a slice, towards which slices are sorted."""
    assert frame.orientation is not None
    across: Vector = np.cross(frame.orientation[:3], frame.orientation[3:])
    return across / np.linalg.norm(across)


def _has_place(frame: DicomImage) -> bool:
    if frame.position is None or frame.orientation is None or frame.spacing is None:
        return False
    row, column = np.array(frame.orientation[:3]), np.array(frame.orientation[3:])
    lengths = np.linalg.norm([row, column], axis=1)
    upright = np.abs(lengths - 1).max() < 0.01 and abs(float(row @ column)) < 0.01
    return bool(upright and min(frame.spacing) > 0)


def _by_grid(frames: Sequence[DicomImage]) -> list[list[DicomImage]]:
    """Group by size, orientation and spacing, within what rounding in headers does."""
    stacks: list[list[DicomImage]] = []
    for frame in frames:
        for stack in stacks:
            if _same_kind(stack[0], frame):
                stack.append(frame)
                break
        else:
            stacks.append([frame])
    return stacks


def _same_kind(first: DicomImage, second: DicomImage) -> bool:
    if (first.rows, first.columns) != (second.rows, second.columns):
        return False
    for one, other, tolerance in (
        (first.orientation, second.orientation, 0.01),
        # Headers of one series round differently.
        (first.spacing, second.spacing, 0.001 + SAME_SPACING * max(first.spacing or (0.0,))),
    ):
        if (one is None) != (other is None):
            return False
        if one is not None and other is not None and np.abs(np.subtract(one, other)).max() > tolerance:
            return False
    return True


def _sorted(frames: Sequence[DicomImage]) -> list[DicomImage]:
    if not all(_has_place(frame) for frame in frames):
        return list(frames)
    along = normal(frames[0])
    return sorted(frames, key=lambda frame: float(along @ np.array(frame.position)))


def _depths(frames: Sequence[DicomImage]) -> Vector:
    along = normal(frames[0])
    depths: Vector = np.array([frame.position for frame in frames]) @ along
    return depths


def _repeats(frames: Sequence[DicomImage]) -> int:
    """How many images lie where another one does."""
    if not all(_has_place(frame) for frame in frames):
        return 0
    return int((np.diff(np.sort(_depths(frames))) < SAME_PLACE).sum())


def _parted(frames: list[DicomImage], words: Sequence[str]) -> list[tuple[str, list[DicomImage]]]:
    """Part images that lie at one position by the first attributes that leave none doubled."""
    if not _repeats(frames):
        return [("", frames)]
    for place, word in enumerate(words):
        groups: dict[str, list[DicomImage]] = defaultdict(list)
        for frame in frames:
            groups[dict(frame.marks).get(word, "")].append(frame)
        if len(groups) < 2:
            continue
        parts = [
            (f"{word} {value or 'none'}" + (f" {inner}" if inner else ""), rest)
            for value, group in groups.items()
            for inner, rest in _parted(group, words[place + 1 :])
        ]
        if not any(_repeats(rest) for _, rest in parts):
            return parts
    return [("", frames)]


def _fault(series: Series) -> Fault | None:
    where, frames = series.where, series.frames
    if not series.placed:
        lacking = [frame for frame in frames if not _has_place(frame)]
        words = [
            word
            for word, name in (
                ("ImagePositionPatient", "position"),
                ("ImageOrientationPatient", "orientation"),
                ("PixelSpacing", "spacing"),
            )
            if any(getattr(frame, name) is None for frame in lacking)
        ]
        what = reduce(lambda one, more: Phrase("list.and", before=one, last=more), words) if words else None
        what = what or Phrase("dicom.orientation_or_spacing")
        return Fault("dicom.no_place", what=what, count=len(lacking), images=len(frames), **where)
    if any(not frame.instance for frame in frames):
        return Fault("dicom.no_uid", **where)
    if repeats := _repeats(frames):
        return Fault("dicom.repeats", count=repeats, **where)
    if len(frames) == 1:
        if float(np.linalg.norm(series.step)) > 0:
            return None
        return Fault("dicom.no_thickness", **where)
    return _uneven(series)


def _uneven(series: Series) -> Fault | None:
    """A fault when slices are missing, unevenly spaced or stacked at a slant."""
    where = series.where
    depths = _depths(series.frames)
    steps = np.diff(depths)
    usual = float(np.median(steps))
    odd = np.flatnonzero(np.abs(steps - usual) > UNEVEN * usual + SAME_PLACE)
    if odd.size:
        ratios = steps[odd] / usual
        gaps = listed(
            Phrase("dicom.gap", one=f"{depths[at]:.1f}", other=f"{depths[at + 1]:.1f}") for at in odd
        )
        told = {"step": f"{usual:.2f}", "gaps": gaps, **where}
        if (np.abs(ratios - np.round(ratios)) < 2 * UNEVEN).all() and (ratios > 1.5).all():
            missing = int((np.round(ratios) - 1).sum())
            code = "dicom.missing_slices" if missing > 1 else "dicom.missing_slice"
            return Fault(code, count=missing, **told)
        shortest, longest = f"{steps.min():.2f}", f"{steps.max():.2f}"
        return Fault("dicom.uneven", shortest=shortest, longest=longest, **told)
    positions = np.array([frame.position for frame in series.frames])
    straight = positions[0] + np.outer(np.arange(len(positions)), series.step)
    along = normal(series.first)
    aside = float(np.linalg.norm(series.step - along * (along @ series.step)))
    off = float(np.linalg.norm(positions - straight, axis=1).max())
    if aside > SLANT * usual or off > UNEVEN * usual + SAME_PLACE:
        return Fault("dicom.slanted", distance=f"{max(off, aside):.2f}", **where)
    return None
