"""The order of slices by the numbers in their names: at the end or in front, in brackets, with signs.

One name alone often reads in several ways: ``z_12.5`` may be slice 5 of ``z_12``, or lie at 12.5 mm. So the
names of a folder are read together, and as a number at the end wherever that is enough.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import gcd
from statistics import median

from glioseg.io.names import split_number

Numbered = tuple[str, float | None]
"""Which scan a name belongs to, and its number or place in that; ``None`` without."""

_SEPARATORS = " _.-=+(["
_BRACKETS = re.compile(r"^(?P<scan>.*?)[ _.\-]*(?:\((?P<round>\d+)\)|\[(?P<square>\d+)\])$", re.DOTALL)
_OF = re.compile(r"(?<=\d)[ _.\-]*of[ _.\-]*\d+$|(?<=\d)[ _]?mm$", re.IGNORECASE)
"""What may follow a number at the end: how many there are, or the unit of a place."""
_PLACE = re.compile(r"^(?P<before>.*?)(?P<sign>[-+]?)(?P<number>\d+(?:[.,]\d+)?)[)\]]?$", re.DOTALL)
_UNUSUAL = re.compile(r"\D$|[-+.,\N{MINUS SIGN}]\d+$|of[ _.\-]*\d+$", re.IGNORECASE)
"""What names have at their end where more is to be done than to split off a number."""
_IN_FRONT = re.compile(
    r"^[(\[]?(?P<number>[-+]?\d{1,4}(?:[.,]\d+)?)[)\]]?[ _.\-]+(?P<scan>[^\d(\[].*)$", re.DOTALL
)
"""Longer numbers in front are dates and the numbers of patients."""

_MOST = 10
"""Share of numbers to names up to which numbers that are not there may be missing."""

_FEWEST = 3
"""Names from which on a rule that is guessed from them counts."""


def numbered(stems: Sequence[str]) -> list[Numbered]:
    """Read the file names of a folder, without their suffixes.

    A number at the end comes first (``scan_12``), or one in brackets there (``scan (12)``), before which
    stands the name alone (``scan``). Where signs or fractions make evenly spaced places of the numbers at the
    end (``z_-4.5``, ``z_0.5``), they are places. Without a number at the end, one in front counts if three
    names or more differ in nothing else and most of the numbers in their range are there.

    >>> numbered(["scan_9", "scan_10"])
    [('scan', 9), ('scan', 10)]
    >>> numbered(["z_-2.5", "z_0", "z_2.5"])
    [('z', -2.5), ('z', 0.0), ('z', 2.5)]
    """
    if not any(_UNUSUAL.search(stem) for stem in stems):
        return [split_number(stem) for stem in stems]
    stems = [_OF.sub("", stem.replace("\N{MINUS SIGN}", "-")) for stem in stems]
    read = [_at_the_end(stem) for stem in stems]
    bracketed = {scan for (scan, _), stem in zip(read, stems, strict=True) if stem[-1:] in (")", "]")}
    read = [(scan, 0) if number is None and scan in bracketed else (scan, number) for scan, number in read]
    for places in (_places(stems), _in_front(stems, read)):
        for number, place in places.items():
            read[number] = place
    return read


def _at_the_end(stem: str) -> Numbered:
    found = _BRACKETS.match(stem)
    return (found["scan"], int(found["round"] or found["square"])) if found else split_number(stem)


def _places(stems: Sequence[str]) -> dict[int, Numbered]:
    """The names of which the numbers are places with a sign or a fraction."""
    groups: dict[str, list[tuple[int, re.Match[str]]]] = defaultdict(list)
    for number, stem in enumerate(stems):
        found = _PLACE.match(stem)
        # What follows a digit is a part of a date, a version or an identifier.
        if found and not re.search(r"\d[.,]?$", found["before"]):
            groups[found["before"]].append((number, found))
    read: dict[int, Numbered] = {}
    for before, members in groups.items():
        places = _values(before, [found for _, found in members])
        scan = before.rstrip(_SEPARATORS)
        read.update({number: (scan, place) for (number, _), place in zip(members, places, strict=False)})
    return read


def _values(before: str, found: Sequence[re.Match[str]]) -> list[float]:
    """The places that numbers stand for, or nothing where they are plain numbers.

    A hyphen is a sign where names with and without one would else be equal, behind another separator, and
    mostly before fractions; otherwise it parts the number from the name.
    """
    sizes = [float(each["number"].replace(",", ".")) for each in found]
    minus = [each["sign"] == "-" for each in found]
    fractions = any(not each["number"].isdecimal() for each in found)
    apart = before.endswith(tuple(_SEPARATORS))
    some = any(minus) and not all(minus)
    signed = some and (fractions or apart or len(set(sizes)) < len(sizes))
    signed = signed or (fractions and apart and all(minus))
    places = [-size if signed and below else size for size, below in zip(sizes, minus, strict=True)]
    if fractions and _evenly_spaced(places):
        return places
    unlike = len(set(places)) == len(places)
    return [int(place) for place in places] if signed and unlike and not fractions else []


def _evenly_spaced(places: Sequence[float]) -> bool:
    """Whether fractions are those of places: three in four steps alike, and few with one whole number."""
    steps = _steps(sorted(places))
    if len(places) < _FEWEST or min(steps) <= 0:
        return False
    alike = sum(abs(step - median(steps)) <= 0.2 * median(steps) for step in steps)
    return 4 * alike >= 3 * len(steps) and len(places) < _FEWEST * len({int(place) for place in places})


def _in_front(stems: Sequence[str], read: Sequence[Numbered]) -> dict[int, Numbered]:
    """The names without a number at the end that have one in front, read as if it stood there."""
    groups: dict[str, dict[int, str]] = defaultdict(dict)
    for number, (stem, (_, own)) in enumerate(zip(stems, read, strict=True)):
        found = _IN_FRONT.match(stem) if own is None else None
        if found:
            groups[found["scan"]][number] = f"{found['scan']}_{found['number']}"
    turned: dict[int, Numbered] = {}
    for scan, names in groups.items():
        whole = [split_number(name) for name in names.values()]
        places = _places(list(names.values()))
        numbers = [own for _, own in whole if own is not None]
        dense = max(numbers) - min(numbers) < 2 * len(numbers) and {name for name, _ in whole} == {scan}
        if len(names) >= _FEWEST and (dense or len(places) == len(names)):
            turned.update(
                {number: places.get(place, (scan, whole[place][1])) for place, number in enumerate(names)}
            )
    return turned


def missing(numbers: Iterable[float]) -> list[float]:
    """The numbers or places that are missing between those there are, which may stand in even steps.

    >>> missing([1, 2, 4, 5]), missing([10, 20, 30]), missing([-2.5, 0, 5, 7.5])
    ([3], [], [2.5])
    """
    there = sorted(set(numbers))
    steps = _steps(there)
    if not steps:
        return []
    if all(isinstance(number, int) for number in there):
        step: float = gcd(*(int(step) for step in steps))
    else:
        step = median(steps)
    if sum(round(gap / step) for gap in steps) > _MOST * len(there):
        return []  # the numbers are dates or the like, which do not follow each other
    return [
        round(before + step * count, 6)
        for before, gap in zip(there, steps, strict=False)
        for count in range(1, round(gap / step))
    ]


def _steps(ordered: Sequence[float]) -> list[float]:
    return [after - before for before, after in pairwise(ordered)]
