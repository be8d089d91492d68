"""Which series of a study is FLAIR, which T1 before and after contrast: by words, then by parameters.

Ranges of TR, TE and TI are those of clinical brain protocols at 1.5 and 3 T.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glioseg.errors import Fault
from glioseg.io.dicom.headers import DicomImage
from glioseg.io.dicom.series import Series
from glioseg.io.names import listed
from glioseg.io.vocabulary import is_t2
from glioseg.io.vocabulary import named as named_by
from glioseg.scan import CHANNELS
from glioseg.words import Phrase

NONE = "none"
"""``--series post=none``: do as if the study had no such series."""


def sequence_of(series: Series) -> str | None:
    """``flair``, ``pre``, ``post``, ``other`` (T2, DWI, localisers ...) or ``None`` when nothing tells.

    SeriesDescription decides, then ProtocolName, then the parameters. "T1 FLAIR" is T1. A T1 whose words say
    nothing of contrast is post-contrast when a contrast agent is named.
    """
    first = series.first
    if (
        first.angiography
        or first.diffusion
        or first.scanning & {"LOCALIZER", "ADC", "EP", "PROJECTION IMAGE"}
    ):
        return "other"
    for text in (first.description, first.protocol):
        said = named_by(text)
        if said.kind == "t1" and said.contrast is None:
            return "post" if first.contrast else "pre"
        if said.kind:
            return said.sequence
    kind = _by_parameters(first)
    if kind == "t1":
        return "post" if first.contrast else "pre"
    return kind


def choose(
    series: Sequence[Series], where: str, wanted: Mapping[str, str]
) -> tuple[dict[str, Series], list[Fault]]:
    """Choose the series of one study.

    Of several that fit, original images go before derived ones, axial ones before others, and those on the
    grid of FLAIR before others; if several are left that is a fault.

    Args:
        series: all of the study.
        where: the study's folder, for faults.
        wanted: for ``flair``, ``pre`` and ``post``, a SeriesInstanceUID or description (with ``#2`` for the
            second part of a series), or ``none``; what the study does not have is matched as usual.

    Returns:
        The chosen series by sequence, and what is wrong.
    """
    chosen: dict[str, Series] = {}
    faults: list[Fault] = []
    decided = set()
    for name, value in wanted.items():
        if value.casefold() == NONE:
            decided.add(name)
            continue
        fits = named(series, value)
        if len(fits) > 1:
            faults.append(_several(where, name, fits))
        if fits:
            decided.add(name)
            chosen[name] = fits[0]
    free = [each for each in series if each not in chosen.values()]
    kinds = {name: [each for each in free if sequence_of(each) == name] for name in CHANNELS}
    if "flair" not in decided and not kinds["flair"]:
        # One series that nothing speaks against is FLAIR, as one NIfTI file is.
        unknown = [each for each in free if sequence_of(each) is None]
        kinds["flair"] = unknown if len(unknown) == 1 and not any(kinds.values()) else []
    for name in ("flair", "pre", "post"):
        if name in decided or not kinds[name]:
            continue
        best = _best(kinds[name], chosen.get("flair"))
        if len(best) > 1:
            faults.append(_several(where, name, best))
        chosen[name] = best[0]
    if "flair" not in chosen:
        shown = listed((_shown(each) for each in series), 5)
        example = next((each.choice for each in series), "DESCRIPTION")
        faults.append(Fault("dicom.no_flair", where, series=shown, example=example))
    # A T1 with faults is left out when it is read, see glioseg.io.dicom.reader.
    if "flair" in chosen:
        faults += chosen["flair"].faults
    return chosen, faults


def t2_of(series: Sequence[Series], chosen: Mapping[str, Series]) -> Series | None:
    """The T2 of a study by its words; ``None`` if there is none, or several of which nothing tells one."""
    free = [each for each in series if each not in chosen.values() and not each.faults]
    found = [each for each in free if sequence_of(each) == "other" and _says_t2(each)]
    best = _best(found, chosen.get("flair"))
    return best[0] if len(best) == 1 else None


def _says_t2(series: Series) -> bool:
    texts = (text for text in (series.first.description, series.first.protocol) if named_by(text).kind)
    return is_t2(next(texts, ""))


def named(series: Sequence[Series], value: str) -> list[Series]:
    """Those that a person means by a UID or a description, with ``#2`` for a part of a series."""
    text, _, place = value.partition("#") if re.search(r"#\d+$", value) else (value, "", "")
    text = text.strip().casefold()
    fits = [
        each
        for each in series
        if text in (each.uid, each.first.description.casefold(), each.first.protocol.casefold())
    ]
    return [each for each in fits if not place or each.place == int(place)]


def describe(chosen: Mapping[str, Series], series: Sequence[Series]) -> str:
    """``series 4 'AX FLAIR' as flair, series 6 'T1' as pre; left aside: series 2 'DWI'``."""
    used = ", ".join(f"{chosen[name].title} as {name}" for name in ("flair", "pre", "post") if name in chosen)
    rest = [each.title for each in series if each not in chosen.values()]
    return used + (f"; left aside: {listed(rest, 4)}" if rest else "")


@dataclass(frozen=True)
class FoundSeries:
    """A series of a study, for a person who chooses.

    Attributes:
        key: what ``--series flair=...`` takes to mean this one.
        title: ``series 4 'AX FLAIR'``; nothing of the patient.
        images: how many.
        plane: ``axial``, ``coronal``, ``sagittal``, or ``""`` where the headers do not say.
        sequence: ``flair``, ``pre`` or ``post`` if it is taken for that, or ``None``.
        number: SeriesNumber, if there is one.
        name: what the series is called, without the patient; may be empty.
        part: what tells it from others of its number and name; may be empty.
    """

    key: str
    title: str
    images: int
    plane: str
    sequence: str | None
    number: int | None = None
    name: str = ""
    part: str = ""


class SeriesFault(Fault):
    """A fault that goes away when a person says which series is which.

    Args:
        fault: what is wrong.
        series: those there are.
        study: name and files of the study, if it is of one that was found.
    """

    def __init__(
        self, fault: Fault, series: tuple[FoundSeries, ...], study: tuple[str, tuple[Path, ...]] | None = None
    ) -> None:
        self.__dict__.update(fault.__dict__)
        self.series, self.study = series, study


def listing(chosen: Mapping[str, Series], series: Sequence[Series]) -> tuple[FoundSeries, ...]:
    """The series of a study, each with what it is taken for."""
    taken = {id(each): name for name, each in chosen.items()}
    return tuple(
        FoundSeries(
            each.key,
            each.title,
            len(each.frames),
            each.plane,
            taken.get(id(each)),
            each.first.number,
            each.first.shown,
            each.part,
        )
        for each in series
    )


def _best(series: Sequence[Series], flair: Series | None) -> list[Series]:
    best = list(series)
    for better in (
        [each for each in best if each.placed],
        [each for each in best if not each.first.derived],
        [each for each in best if flair is not None and _one_grid(each, flair)],
        [each for each in best if each.plane == "axial"],
    ):
        tied = [each for each in best if each in better]
        best = tied or best
    return best


def _one_grid(one: Series, other: Series) -> bool:
    if one.faults or other.faults or len(one.frames) != len(other.frames):
        return False
    size = (one.first.rows, one.first.columns) == (other.first.rows, other.first.columns)
    return size and bool(abs(one.affine - other.affine).max() < 0.01)


def _several(where: str, name: str, series: Sequence[Series]) -> Fault:
    shown = listed((_shown(each) for each in series), 5)
    return Fault(
        "dicom.several_series",
        where,
        sequence=Phrase(f"sequence.{name}"),
        series=shown,
        option=f'{name}="{series[0].choice}"',
        uid=series[0].uid,
    )


def _shown(series: Series) -> str:
    count = len(series.frames)
    images = Phrase("dicom.images" if count > 1 else "dicom.image", count=count)
    if series.plane:
        images = Phrase("dicom.in_plane", plane=Phrase(f"plane.{series.plane}"), images=images)
    title = series.title
    if series.place:
        title = Phrase("dicom.series_place", series=title, number=series.place)
    return Phrase("dicom.series_with_images", series=title, images=images)


def _by_parameters(first: DicomImage) -> str | None:
    repetition, echo, inversion = first.repetition, first.echo, first.inversion
    if repetition is None or echo is None:
        return None
    if inversion is not None and inversion >= 1500 and repetition >= 4000 and echo >= 60:
        return "flair"
    if echo >= 60 and (inversion is not None or repetition < 6000):
        return "other"  # T2; a longer TR without a word on inversion may be either
    if echo <= 35 and (repetition <= 1200 or (inversion is not None and repetition <= 3500)):
        return "t1"
    return None
