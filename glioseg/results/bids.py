"""Results as derivatives of the Brain Imaging Data Structure (BIDS).

``sub-01/ses-1/anat/sub-01_ses-1_run-2_desc-lesion_mask.nii.gz`` has the entities of the FLAIR that it belongs
to; beside it are the probability map (``probseg``) and what is known of both (``.json``). A mask of several
labels is a ``dseg``, with its names in a table. Above them are ``dataset_description.json`` and
``participants.tsv``. Records, pictures and ``summary.csv`` stand in ``code``, where validators do not look.

Source: BIDS 1.10, https://bids-specification.readthedocs.io, "Derivatives", "Imaging data types".
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glioseg._version import __version__
from glioseg.errors import Fault, InputError, raise_all
from glioseg.files import write_json, write_text
from glioseg.io.names import listed, stem_of
from glioseg.io.nifti import write_file, write_probability
from glioseg.results.folder import PARTICIPANTS
from glioseg.words import said, sentence

if TYPE_CHECKING:
    from glioseg.io.source import Source
    from glioseg.prediction import Prediction
    from glioseg.results.record import ScanResult

VERSION = "1.10.0"
"""Version of BIDS that is written."""
DESCRIPTION = "dataset_description.json"
RAW = "raw"
"""What the data set that was segmented is called in links."""
_ENTITIES = re.compile(
    r"(?P<subject>sub-[0-9A-Za-z]+)(?:_(?P<session>ses-[0-9A-Za-z]+))?(?:_[a-z]+-[0-9A-Za-z+]+)*"
)
COLUMNS = ("scans", "scans_with_lesion", "largest_lesion_volume", "lowest_expected_dsc", "doubts")
"""Columns of ``participants.tsv`` after the first."""


def named_as_bids(
    sources: Iterable[Source], participants: Sequence[str] = ()
) -> tuple[list[Source], list[Fault]]:
    """Scans with the entities of their FLAIR for a name, and what is wrong with the rest.

    Args:
        sources: scans that were found.
        participants: labels, with or without ``sub-``, of those that are wanted; all by default.

    Raises:
        InputError: there is no scan of a participant that is wanted, or none has the name of one.
    """
    named: dict[str, Source] = {}
    faults: list[Fault] = []
    there: set[str] = set()
    unnamed: list[Fault] = []
    wanted = {f"sub-{label.removeprefix('sub-')}" for label in participants}
    for source in sources:
        entities = "_".join(part for part in _parts(_flair(source)) if not part.startswith("desc-"))
        parsed = _ENTITIES.fullmatch(entities)
        if parsed is not None:
            there.add(parsed["subject"])
        else:
            unnamed.append(Fault("bids.no_name", _flair(source)))
        if wanted and (parsed is None or parsed["subject"] not in wanted):
            continue
        if parsed is None:
            faults.append(unnamed[-1])
        elif entities in named:
            faults.append(Fault("bids.same_name", _flair(source), other=_flair(named[entities])))
        else:
            named[entities] = replace(source, id=entities)
    if wanted and not there:
        raise_all(unnamed)
    raise_all(
        Fault("bids.no_participant", "--participant-label", label=label, there=listed(sorted(there), 5))
        for label in sorted(wanted - there)
    )
    return list(named.values()), faults


def start_derivatives(folder: Path, sources: Sequence[Source]) -> None:
    """Say what a folder of derivatives is: ``dataset_description.json`` and ``README.md``.

    Args:
        folder: the folder of derivatives.
        sources: scans of one data set; without any nothing is written.

    Raises:
        InputError: they are of several data sets, or the folder cannot be written.
    """
    roots = {_root(source) for source in sources}
    if len(roots) > 1:
        raise InputError(Fault("bids.several_roots", folder, folders=listed(sorted(roots))))
    if not roots:
        return
    description: dict[str, Any] = {
        "Name": sentence("sentences", "bids.name"),
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "glioseg",
                "Version": __version__,
                "CodeURL": f"https://github.com/glioseg/glioseg/tree/v{__version__}",
            }
        ],
        "DatasetLinks": {RAW: _from(folder, roots.pop())},
    }
    write_json(folder / DESCRIPTION, description)
    if not (folder / "README.md").exists():
        write_text(folder / "README.md", sentence("sentences", "bids.readme"))


def write_derivative(
    stage: Path,
    source: Source,
    prediction: Prediction,
    result: ScanResult,
    made_with: Mapping[str, Any],
) -> None:
    """Write mask, probability map and what is known of both for one scan.

    Args:
        stage: folder that stands for the folder of derivatives.
        source: named by :func:`named_as_bids`.
        prediction: what the network says.
        result: its numbers.
        made_with: the model and the settings in short.

    Raises:
        InputError: the scan has another name, since another one of that name is in the folder.
    """
    parsed = _ENTITIES.fullmatch(source.id)
    if parsed is None:
        raise InputError(Fault("bids.name_taken", _flair(source)))
    folder = stage / parsed["subject"] / (parsed["session"] or "") / "anat"
    mask = prediction.segmentation
    kind = "mask" if mask.lesion_or_not else "dseg"
    name = f"{source.id}_desc-lesion"
    write_file(mask, folder / f"{name}_{kind}.nii.gz")
    assert prediction.probability is not None
    write_probability(prediction.probability, mask, folder / f"{name}_probseg.nii.gz")
    root = _root(source)
    shared = {
        "Sources": [f"bids:{RAW}:{_from(root, file.resolve())}" for file in source.files],
        "SpatialReference": "orig",
        "Model": {
            "Name": made_with.get("model"),
            "Weights": made_with.get("weights"),
            "Threshold": made_with.get("threshold"),
            "MirroredSlices": made_with.get("flips"),
        },
    }
    filled = ", ".join(result.filled)
    facts = {
        "Description": sentence("sentences", "bids.mask"),
        **({"Type": "Lesion"} if mask.lesion_or_not else {}),
        "Manual": False,
        **shared,
        "ExpectedDSC": result.expected_dice,
        "Doubts": {doubt: said(doubt, filled=filled) for doubt in result.doubts},
        "FilledSequences": list(result.filled),
        "SlicesWithLesion": result.slices_with_lesion,
        "LesionVoxels": result.lesion_voxels,
        "LesionVolume": result.lesion_mm3,
    }
    write_json(folder / f"{name}_{kind}.json", facts)
    of_probability = {"Description": sentence("sentences", "bids.probability"), **shared}
    write_json(folder / f"{name}_probseg.json", of_probability)
    if not mask.lesion_or_not:
        rows = [{"index": value, "name": title} for value, title in mask.labels.items()]
        write_text(folder / f"{name}_dseg.tsv", _table(rows))


def write_participants(folder: Path, results: Sequence[ScanResult]) -> None:
    """Write ``participants.tsv``, one row a participant, and ``participants.json``, which explains it."""
    scans: defaultdict[str, list[ScanResult]] = defaultdict(list)
    for result in results:
        scans[result.id.split("_")[0]].append(result)
    rows = []
    for participant in sorted(scans):
        own = scans[participant]
        volumes = [result.lesion_mm3 for result in own if result.lesion_mm3 is not None]
        expected = [result.expected_dice for result in own if result.expected_dice is not None]
        doubts = dict.fromkeys(doubt for result in own for doubt in result.doubts)
        rows.append(
            {
                "participant_id": participant,
                "scans": len(own),
                "scans_with_lesion": sum(result.lesion_voxels > 0 for result in own),
                "largest_lesion_volume": max(volumes, default="n/a"),
                "lowest_expected_dsc": min(expected, default="n/a"),
                "doubts": " ".join(doubts) or "n/a",
            }
        )
    described = {name: {"Description": sentence("sentences", f"bids.column.{name}")} for name in COLUMNS}
    described["largest_lesion_volume"]["Units"] = "mm^3"
    write_json(folder / "participants.json", described)
    write_text(folder / PARTICIPANTS, _table(rows))


def _flair(source: Source) -> Path:
    by_sequence = dict(zip(source.sequences, source.files, strict=False))
    return by_sequence.get("flair") or source.files[0]


def _parts(file: Path) -> list[str]:
    """The entities in the name of a file, without its suffix."""
    return stem_of(file).split("_")[:-1]


def _root(source: Source) -> Path:
    """The data set that a scan belongs to: the folder above that of its participant."""
    file = _flair(source).resolve()
    own = (folder.parent for folder in file.parents if re.fullmatch(r"sub-[0-9A-Za-z]+", folder.name))
    return next(own, file.parent)


def _from(folder: Path, path: Path) -> str:
    """Where something lies, seen from a folder; as a URL where it lies on another drive."""
    try:
        return Path(os.path.relpath(path, folder.resolve())).as_posix()
    except ValueError:
        return path.as_uri()


def _table(rows: Sequence[Mapping[str, object]]) -> str:
    text = io.StringIO()
    table = csv.DictWriter(text, list(rows[0]), delimiter="\t", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    return text.getvalue()
