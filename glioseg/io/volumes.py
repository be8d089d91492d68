"""Which NIfTI files are one scan, by the words for sequences in their names."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from glioseg.errors import Fault
from glioseg.io.names import listed, patient_of, stem_of
from glioseg.io.source import Source
from glioseg.io.vocabulary import is_t2, sequence_in, without_sequence
from glioseg.scan import CHANNELS
from glioseg.words import Phrase


@dataclass(frozen=True)
class _Volume:
    """What the name of a file says.

    Attributes:
        file: where it is.
        sequence: ``flair``, ``pre``, ``post``, ``other`` or ``None``.
        scan: the rest of the name, ``""`` when nothing is left.
        loose: of that, what is not about the way of imaging.
    """

    file: Path
    sequence: str | None
    scan: str
    loose: str


def volume_scans(files: Sequence[Path]) -> tuple[list[Source], list[Fault]]:
    """The scans in NIfTI files, and what is wrong with the rest.

    Files of one folder belong together. So do those of folders that are named after sequences
    (``p1/FLAIR/...``, ``p1/T1/...``), if one of these is FLAIR.

    Args:
        files: none of them a mask.
    """
    named = {file: _by_name(file) for file in files}
    folders: dict[Path, list[_Volume]] = defaultdict(list)
    for file, volume in named.items():
        folders[file.parent].append(volume)
    homes: dict[Path, list[Path]] = defaultdict(list)
    for folder in folders:
        homes[Path(os.path.abspath(folder)).parent].append(folder)
    sources: list[Source] = []
    faults: list[Fault] = []
    done: set[Path] = set()
    for folder, volumes in folders.items():
        if folder in done:
            continue
        beside = homes[Path(os.path.abspath(folder)).parent]
        together = [each for each in beside if _is_of_one_sequence(each, folders[each])]
        if folder in together and any(_folder_says(each) == "flair" for each in together):
            done.update(together)
            members = [_by_folder(volume) for each in together for volume in folders[each]]
            found = _named_by_folder(_scans_of(members, patient_of(folder.parent)), folder)
        else:
            found = _scans_of(volumes, patient_of(folder))
        sources += found[0]
        faults += found[1]
    return sources, faults


def _named_by_folder(
    found: tuple[list[Source], list[Fault]], folder: Path
) -> tuple[list[Source], list[Fault]]:
    """The only scan of folders that name it themselves (``BraTS2021_00495_flair.nii/``), under that name."""
    scans, faults = found
    name = without_sequence(stem_of(folder))
    return [replace(scan, id=name) for scan in scans] if name and len(scans) == 1 else scans, faults


def _by_name(file: Path) -> _Volume:
    stem = stem_of(file)
    sequence = sequence_in(stem)
    words = {sequence_in(word) for word in re.split(r"[ _.\-]+", stem)}
    if sequence is None or words.issuperset(CHANNELS):  # of several sequences along a fourth axis
        return _Volume(file, None, stem, stem)
    return _Volume(file, sequence, without_sequence(stem), without_sequence(stem, loosely=True))


def _folder_says(folder: Path) -> str | None:
    return sequence_in(stem_of(folder))


def _is_of_one_sequence(folder: Path, volumes: Iterable[_Volume]) -> bool:
    said = _folder_says(folder)
    return said is not None and all(volume.sequence in (None, said) for volume in volumes)


def _by_folder(volume: _Volume) -> _Volume:
    if volume.sequence is not None:
        return volume
    return _Volume(volume.file, _folder_says(volume.file.parent), "", "")


def _scans_of(volumes: Sequence[_Volume], home: str) -> tuple[list[Source], list[Fault]]:
    """The scans of one folder.

    Args:
        volumes: its files.
        home: its name, for scans of whose names nothing is left.
    """
    groups: dict[str, list[_Volume]] = defaultdict(list)
    for volume in volumes:
        if volume.sequence is not None:
            groups[volume.scan].append(volume)
    unknown = [volume for volume in volumes if volume.sequence is None]
    scans = {
        scan: list(group) for scan, group in groups.items() if any(each.sequence == "flair" for each in group)
    }
    faults: list[Fault] = []
    aside: dict[str, list[Path]] = defaultdict(list)
    joined: set[str] = set()
    for scan, group in groups.items():
        if scan in scans:
            continue
        owner = _owner(group[0], scans)
        if owner is not None:
            for volume in group:
                if volume.sequence == "other" or volume.sequence in {each.sequence for each in scans[owner]}:
                    aside[owner].append(volume.file)
                else:
                    scans[owner].append(volume)
                    joined.add(owner)
        elif len(scans) == 1 or (scans and all(each.sequence == "other" for each in group)):
            aside[next(iter(scans))] += [each.file for each in group]
        else:
            names = listed(each.file.name for each in group)
            faults.append(Fault("io.no_flair_file", group[0].file.parent, scan=scan or home, files=names))
    sources: list[Source] = []
    for volume in unknown:
        if scans:
            nearest = [scan for scan in scans if scan and volume.scan.startswith(scan)]
            aside[[*nearest, *scans][0]].append(volume.file)
        else:
            sources.append(Source(volume.scan, "nifti", (volume.file,)))
    for scan, members in scans.items():
        # The name that files of several names have in common, without the number of the series.
        name = members[0].loose if scan in joined else scan
        found_in = _scan(name or home, members, aside[scan], noted=scan in joined)
        if isinstance(found_in, Source):
            sources.append(found_in)
        else:
            faults += found_in
    return sources, faults


def _owner(volume: _Volume, scans: Mapping[str, Sequence[_Volume]]) -> str | None:
    """The scan with FLAIR that a file of another name belongs to, if that can be told.

    That is the only one whose name is the same but for the way of imaging and the number of the series; or
    the only one of the folder, if one of the two names says nothing but the sequence.
    """
    alike = [scan for scan, group in scans.items() if group[0].loose == volume.loose]
    if len(alike) == 1:
        return alike[0]
    only = next(iter(scans)) if len(scans) == 1 else None
    return only if only is not None and "" in (only, volume.scan) else None


def _scan(id: str, volumes: Sequence[_Volume], aside: Sequence[Path], *, noted: bool) -> Source | list[Fault]:
    """One scan of its sequences, or the faults of those that are there twice."""
    by_sequence: dict[str | None, list[Path]] = defaultdict(list)
    for volume in volumes:
        by_sequence[volume.sequence].append(volume.file)
    faults = [
        Fault(
            "io.several_files_of_sequence",
            by_sequence[sequence][0].parent,
            sequence=Phrase(f"sequence.{sequence}"),
            scan=id,
            files=listed(file.name for file in by_sequence[sequence]),
        )
        for sequence in CHANNELS
        if len(by_sequence[sequence]) > 1
    ]
    if faults:
        return faults
    sequences = tuple(sequence for sequence in CHANNELS if by_sequence[sequence])
    files = tuple(by_sequence[sequence][0] for sequence in sequences)
    t2 = [file for file in (*by_sequence["other"], *aside) if _is_t2(file)]
    source = Source(id, "nifti", files, sequences, further={"t2": t2[0]} if len(t2) == 1 else {})
    if noted or aside:
        left = f"; left aside: {listed((file.name for file in aside), 4)}" if aside else ""
        source = replace(source, note=source.described + left)
    return source


def _is_t2(file: Path) -> bool:
    """Whether a volume is T2 by its name, or by that of a folder that is named after its sequence."""
    stem = stem_of(file)
    return is_t2(stem if sequence_in(stem) is not None else file.parent.name)
