"""A patient of the challenge on white matter hyperintensities: ``wmh.nii.gz`` beside ``pre/`` and ``orig/``.

``pre/`` holds FLAIR and T1 on one grid, ``orig/`` the same before they were brought together. In the mask 1
is the lesion and 2 other pathology, which the challenge does not count.

Source: https://doi.org/10.1109/TMI.2019.2905770
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from glioseg.io.layouts.found import Recognised, folders, volumes
from glioseg.io.names import name_of, stem_of
from glioseg.io.volumes import volume_scans
from glioseg.scan import lesion_of
from glioseg.words import Phrase

_LABELS = {**lesion_of((1,)), 2: ""}


def recognise(folder: Path) -> Recognised | None:
    """The scan of a patient's folder; ``None`` if it is none of these. Those of the test set have no mask."""
    masks = [file for file in volumes(folder) if stem_of(file).casefold() == "wmh"]
    inside = {each.name.casefold(): each for each in folders(folder)}
    places = [inside[name] for name in ("pre", "orig") if name in inside]
    if not (len(masks) == 1 and places) and not (len(places) == 2 and not volumes(folder)):
        return None
    sources, faults = volume_scans(volumes(places[0]))
    if len(sources) != 1:
        return None
    aside = [place.name for place in places[1:]]
    note = "; ".join([sources[0].described, *(f"left aside: {name}" for name in aside)])
    scan = replace(
        sources[0], id=name_of(folder), note=note, truth=tuple(masks), layout="wmh", labels=dict(_LABELS)
    )
    return Recognised(Phrase("layout.wmh", folder=places[0].name), (scan,), faults)
