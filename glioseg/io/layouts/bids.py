"""The Brain Imaging Data Structure (BIDS): ``sub-01/ses-01/anat/sub-01_ses-01_FLAIR.nii.gz``.

Scans are those of the raw data alone. Masks lie in ``derivatives/``, under the folder of the same subject and
session, or beside the scan. What glioseg wrote there itself is nobody's true mask.

Source: https://bids-specification.readthedocs.io (entities, ``ce``, ``label``, derivatives).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from glioseg.errors import Fault, InputError
from glioseg.io.layouts.found import Recognised, folders, noted, read_json, volumes
from glioseg.io.names import is_hidden, is_mask, is_volume, listed, stem_of
from glioseg.io.source import Source
from glioseg.scan import CHANNELS, lesion_of
from glioseg.words import Phrase

DESCRIPTION = "dataset_description.json"
_SUBJECT = re.compile(r"sub-[A-Za-z0-9]+")
_SESSION = re.compile(r"ses-[A-Za-z0-9]+")
_LESION_VALUES = (1, 2, 3, 4, 255)
"""In a mask that says by its name that it is one of a lesion."""
_LESION = re.compile(r"lesions?|tumou?rs?|wmh|gtv|gliomas?|wt|wholetumou?r|mets?|strokes?", re.IGNORECASE)
_TISSUE = re.compile(
    r"brain|head|gm|wm|csf|bg|tissue\w*|aseg|aparc\w*|vessels?|eyes?|skull|face|defac\w*", re.IGNORECASE
)


def recognise(folder: Path) -> Recognised | None:
    """The scans of a data set, or of one of its subjects; ``None`` if it is no such data set."""
    if _SUBJECT.fullmatch(folder.name):
        root, subjects = folder.parent, [folder]
    else:
        root, subjects = folder, [each for each in folders(folder) if _SUBJECT.fullmatch(each.name)]
    subjects = [subject for subject in subjects if _sessions(subject)]
    if not subjects or _is_derivative(root):
        return None
    masks = _masks_of_derivatives(root)
    sources: list[Source] = []
    faults: list[Fault] = []
    for subject in subjects:
        for session in _sessions(subject):
            found = _scan(subject, session, masks)
            if isinstance(found, Source):
                sources.append(found)
            else:
                faults += found
    described = (root / DESCRIPTION).is_file()
    why = Phrase("layout.bids" if described else "layout.bids_by_names", count=len(subjects))
    return Recognised(why, sources, faults)


def entities(path: Path) -> dict[str, str]:
    """Keys and values in the name of a file, and its last word as ``suffix``.

    >>> entities(Path("sub-01_ce-gadolinium_T1w.nii.gz"))
    {'sub': '01', 'ce': 'gadolinium', 'suffix': 'T1w'}
    """
    *pairs, suffix = stem_of(path).split("_")
    found = dict(pair.split("-", 1) for pair in pairs if "-" in pair)
    return {**found, "suffix": suffix}


def _sessions(subject: Path) -> list[Path]:
    """The folders of a subject that hold anatomical images: of its sessions, or its own."""
    inside = [subject, *(each for each in folders(subject) if _SESSION.fullmatch(each.name))]
    return [each for each in inside if _images(each)]


def _images(session: Path) -> list[Path]:
    anat = session / "anat"
    found = [*volumes(anat), *volumes(session)] if anat.is_dir() else volumes(session)
    return [file for file in found if _SUBJECT.match(file.name)]


def _scan(subject: Path, session: Path, masks: Sequence[Path]) -> Source | list[Fault]:
    own = _images(session)
    id = subject.name if session == subject else f"{subject.name}_{session.name}"
    candidates: dict[str, list[Path]] = {}
    for file in own:
        sequence = _sequence(file)
        if sequence is not None and not is_mask(file):
            candidates.setdefault(sequence, []).append(file)
    if "flair" not in candidates:
        return [Fault("io.no_flair_file", session, scan=id, files=listed(file.name for file in own))]
    chosen = {
        name: min(candidates[name], key=lambda file: len(entities(file)))
        for name in CHANNELS
        if name in candidates
    }
    t2 = [file for file in own if entities(file)["suffix"] == "T2w"]
    truths = [mask for mask in (*own, *masks) if is_mask(mask) and _is_of(mask, subject, session)]
    best = _best(truths)
    of_lesion = bool(best) and _rating(best[0])[0]
    source = Source(
        id,
        "nifti",
        tuple(chosen.values()),
        tuple(chosen),
        truth=tuple(best),
        layout="bids",
        labels=lesion_of(_LESION_VALUES) if of_lesion else {},
        further={"t2": min(t2, key=lambda file: len(entities(file)))} if t2 else {},
    )
    return noted(source, [file.name for file in own if file not in chosen.values() and not is_mask(file)])


def _sequence(file: Path) -> str | None:
    said = entities(file)
    if said["suffix"] == "FLAIR":
        return "flair"
    if said["suffix"] == "T1w":
        return "post" if "ce" in said else "pre"
    return None


def _is_of(mask: Path, subject: Path, session: Path) -> bool:
    said = entities(mask)
    named = {f"sub-{said.get('sub')}", *(part for part in mask.parts if _SUBJECT.fullmatch(part))}
    sessions = {f"ses-{said['ses']}"} if "ses" in said else set()
    sessions |= {part for part in mask.parts[:-1] if _SESSION.fullmatch(part)}
    return subject.name in named and sessions <= {session.name}


def _best(masks: Sequence[Path]) -> list[Path]:
    """Of several masks those that are most likely meant: of a lesion by name, then on the grid of FLAIR."""
    rated = {mask: _rating(mask) for mask in masks if not any(map(_TISSUE.fullmatch, _words(mask)))}
    return [mask for mask, rating in rated.items() if rating == max(rated.values())]


def _words(mask: Path) -> list[str]:
    said = entities(mask)
    return [said[key] for key in ("label", "desc", "suffix") if key in said]


def _rating(mask: Path) -> tuple[bool, bool, bool]:
    space = entities(mask).get("space", "").casefold()
    of_lesion = any(_LESION.fullmatch(word) for word in _words(mask))
    return of_lesion, space in ("", "orig", "flair"), space == "flair"


def _is_derivative(root: Path) -> bool:
    return _description(root).get("DatasetType") == "derivative"


def _description(root: Path) -> dict[str, object]:
    try:
        return read_json(root / DESCRIPTION) if (root / DESCRIPTION).is_file() else {}
    except InputError:
        return {}


def _masks_of_derivatives(root: Path) -> list[Path]:
    """All masks below ``derivatives/``, but those that glioseg wrote."""
    found: list[Path] = []
    derivatives = root / "derivatives"
    for pipeline in folders(derivatives) if derivatives.is_dir() else []:
        said = str(_description(pipeline).get("GeneratedBy", ""))
        if "glioseg" not in pipeline.name.casefold() and "glioseg" not in said.casefold():
            found += _masks_below(pipeline)
    return found


def _masks_below(folder: Path) -> Iterator[Path]:
    for where, inside, files in os.walk(folder):
        inside[:] = sorted(name for name in inside if not is_hidden(Path(name)))
        for name in sorted(files):
            file = Path(where) / name
            if is_volume(file) and is_mask(file) and not is_hidden(file):
                yield file
