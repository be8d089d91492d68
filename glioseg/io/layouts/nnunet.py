"""nnU-Net's raw data sets, and the Medical Segmentation Decathlon, whose layout they descend from.

``imagesTr/CASE_0000.nii.gz``, ``CASE_0001.nii.gz`` ... hold one sequence each and ``labelsTr/CASE.nii.gz``
the mask; ``dataset.json`` names the sequences (``channel_names``, before version 2 ``modality``) and the
labels. In the Decathlon ``imagesTr/CASE.nii.gz`` holds all sequences along its fourth axis.

Source: https://github.com/MIC-DKFZ/nnUNet, documentation/dataset_format.md; https://doi.org/10.1038/s41467-022-30695-9
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from glioseg.errors import Fault, InputError
from glioseg.io.layouts.found import Recognised, folders, noted, read_json, volumes
from glioseg.io.names import stem_of
from glioseg.io.source import Source
from glioseg.io.vocabulary import is_t2, sequence_in
from glioseg.scan import LESION, lesion_of
from glioseg.words import Joined, Phrase

DESCRIPTION = "dataset.json"
DECATHLON_ORDER = ("FLAIR", "T1w", "t1gd", "T2w")
"""The channels of the Decathlon's brain tumours, which most brain data sets of nnU-Net keep."""

_IMAGES = re.compile(r"images(?P<part>tr|ts|val)", re.IGNORECASE)
_NUMBERED = re.compile(r"(?P<case>.+)_(?P<channel>\d{4})")


def recognise(folder: Path) -> Recognised | None:
    """The cases of a data set, or of its ``imagesTr`` alone; ``None`` if it is no such data set."""
    alone = _IMAGES.fullmatch(folder.name) is not None
    root = folder.parent if alone else folder
    parts = [folder] if alone else [each for each in folders(folder) if _IMAGES.fullmatch(each.name)]
    images = {part: files for part in parts if (files := volumes(part))}
    if not images:
        return None
    faults: list[Fault] = []
    described: dict[str, Any] = {}
    if (root / DESCRIPTION).is_file():
        try:
            described = read_json(root / DESCRIPTION)
        except InputError as error:
            faults += error.faults
    names = _channel_names(described)
    every = [file for files in images.values() for file in files]
    numbered = all(_NUMBERED.fullmatch(stem_of(file)) for file in every)
    if numbered and "channel_names" not in described and names:
        numbered = all(_channel(file) < len(names) for file in every)  # "case_0042" of the Decathlon
    if not numbered and not names:
        return None
    names, guessed = (names, False) if names else (_assumed_names(every), True)
    found = _numbered_cases if numbered else _whole_cases
    labels = _labels(described)
    sources = []
    for part, files in images.items():
        truths = {stem_of(file): file for file in volumes(_labels_beside(part))}
        told = found(files, names, truths, labels)
        sources += told[0]
        faults += told[1]
    kind = "nnunet" if numbered else "decathlon"
    why = Phrase(f"layout.{kind}{'_without_json' if guessed else ''}", channels=Joined(names))
    if guessed:
        sources = [replace(source, note=f"{source.note}; {why}") for source in sources]
    return Recognised(why, sources, faults)


def _channel(file: Path) -> int:
    found = _NUMBERED.fullmatch(stem_of(file))
    return int(found["channel"]) if found else 0


def _channel_names(described: Mapping[str, Any]) -> tuple[str, ...]:
    """What ``dataset.json`` calls the channels, in their order; nothing if it does not name them."""
    for key in ("channel_names", "modality"):
        named = described.get(key)
        if isinstance(named, dict) and all(str(number).isdigit() for number in named):
            return tuple(str(named[number]) for number in sorted(named, key=int))
    return ()


def _assumed_names(files: Sequence[Path]) -> tuple[str, ...]:
    """What is assumed where nothing names the channels: one is FLAIR, four are those of the Decathlon."""
    count = 1 + max(_channel(file) for file in files)
    return DECATHLON_ORDER if count == 4 else ("FLAIR",) if count == 1 else ("",) * count


def _labels(described: Mapping[str, Any]) -> dict[int, str]:
    """What each value of a mask counts as: lesion, or background where it is to be ignored."""
    told = described.get("labels")
    values: dict[int, str] = {}
    for key, value in told.items() if isinstance(told, dict) else ():
        name, numbers = (str(value), key) if str(key).isdigit() else (str(key), value)
        for number in numbers if isinstance(numbers, list) else [numbers]:
            if str(number).isdigit() and 0 < int(number) < 256:
                values.setdefault(int(number), "" if name.casefold() == "ignore" else LESION[1])
    return {0: "", **dict(sorted(values.items()))} if values else lesion_of((1, 2, 3, 4))


def _labels_beside(images: Path) -> Path:
    return images.parent / re.sub(r"(?i)^images", "labels", images.name)


def _numbered_cases(
    files: Sequence[Path], names: Sequence[str], truths: Mapping[str, Path], labels: Mapping[int, str]
) -> tuple[list[Source], list[Fault]]:
    """The cases of files that hold a channel each."""
    cases: dict[str, dict[int, Path]] = defaultdict(dict)
    for file in files:
        found = _NUMBERED.fullmatch(stem_of(file))
        if found:
            cases[found["case"]][int(found["channel"])] = file
    sources: list[Source] = []
    faults: list[Fault] = []
    for case, channels in cases.items():
        chosen: dict[str, Path] = {}
        aside: list[str] = []
        further: dict[str, Path] = {}
        for number, file in sorted(channels.items()):
            name = names[number] if number < len(names) else ""
            sequence = sequence_in(name) or ("flair" if len(names) == 1 else None)
            if sequence in (None, "other") or sequence in chosen:
                aside.append(f"{file.name} ({name})" if name else file.name)
                if is_t2(name):
                    further.setdefault("t2", file)
            else:
                chosen[str(sequence)] = file
        if "flair" not in chosen:
            where = next(iter(channels.values())).parent
            known = Joined(names) if any(names) else Phrase("layout.no_names")
            faults.append(Fault("layout.no_flair_channel", where, case=case, channels=known))
            continue
        lacking = [
            f"{case}_{number:04} ({names[number]})" for number in range(len(names)) if number not in channels
        ]
        source = Source(
            case,
            "nifti",
            tuple(chosen.values()),
            tuple(chosen),
            truth=(truths[case],) if case in truths else (),
            layout="nnunet",
            labels=labels,
            lacks=tuple(lacking),
            further=further,
        )
        sources.append(noted(source, aside))
    return sources, faults


def _whole_cases(
    files: Sequence[Path], names: Sequence[str], truths: Mapping[str, Path], labels: Mapping[int, str]
) -> tuple[list[Source], list[Fault]]:
    """The cases of files that hold all channels."""
    channels = () if len(names) == 1 else tuple(names)
    return [
        Source(
            stem_of(file),
            "nifti",
            (file,),
            note=f"{file.name}: {Joined(names)}",
            truth=(truths[stem_of(file)],) if stem_of(file) in truths else (),
            channels=channels,
            layout="decathlon",
            labels=labels,
        )
        for file in files
    ], []
