"""Each scan once, each with a name of its own."""

from __future__ import annotations

import filecmp
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from glioseg.io.nifti_file import with_other_parts
from glioseg.io.source import Source
from glioseg.words import Phrase


def without_copies(sources: Iterable[Source]) -> list[Source]:
    """The scans without those that are there a second time: of one name, with files of the same bytes.

    Archives are often unpacked into a folder beside the first one. The first scan that has a copy says in its
    note what was left aside.
    """
    kept: list[Source] = []
    named: dict[str, list[int]] = defaultdict(list)
    copied: dict[int, Source] = {}
    for source in sources:
        places = named[source.id.casefold()]
        original = next((place for place in places if _is_copy(kept[place], source)), None)
        if original is None:
            places.append(len(kept))
            kept.append(source)
        else:
            copied.setdefault(original, source)
    if copied:
        first = min(copied)
        note = kept[first].note or kept[first].described
        said = Phrase("io.copies", count=len(copied), folder=copied[first].place.parent)
        kept[first] = replace(kept[first], note=f"{note}; {said}")
    return kept


def _is_copy(one: Source, other: Source) -> bool:
    own, others = with_other_parts(one.files), with_other_parts(other.files)
    files = list(zip(own, others, strict=False))
    return (
        one.format == other.format
        and len(own) == len(others)
        and all(file.parent != copy.parent for file, copy in files)
        and all(file.parts[-2:] == copy.parts[-2:] for file, copy in files)
        and all(file.stat().st_size == copy.stat().st_size for file, copy in files)
        and all(filecmp.cmp(file, copy, shallow=False) for file, copy in files)
    )


def named_apart(sources: Sequence[Source]) -> list[Source]:
    """Give scans of one name different ones, so that no result overwrites another, also where a disk does not
    tell small letters from capitals: the names of the folders in which they differ stand before.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place, source in enumerate(sources):
        groups[source.id.casefold()].append(place)
    ids = {place: source.id for place, source in enumerate(sources)}
    for places in groups.values():
        if len(places) > 1:
            before = _differing([sources[place].files[0] for place in places])
            ids.update(
                {place: f"{name}_{ids[place]}" for place, name in zip(places, before, strict=True) if name}
            )
    taken: set[str] = set()
    renamed = []
    for place, source in enumerate(sources):
        number, id = 1, ids[place]
        while id.casefold() in taken:
            number += 1
            id = f"{ids[place]}_{number}"
        taken.add(id.casefold())
        renamed.append(replace(source, id=id))
    return renamed


def _differing(files: Sequence[Path]) -> list[str]:
    """The folders above files in which they differ: the nearest, and more until all are told apart."""
    above = [[folder.name for folder in file.absolute().parents][:-1] for file in files]
    told = ["" for _ in files]
    for level in range(min(map(len, above))):
        names = [folders[level] for folders in above]
        if len({name.casefold() for name in names}) > 1:
            told = [f"{name}_{before}" if before else name for name, before in zip(names, told, strict=True)]
            if len({name.casefold() for name in told}) == len(told):
                break
    return told
