"""The numbers beside the picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from glioseg.measure import METRICS, Protocol, measure
from glioseg.measure.protocol import json_number
from glioseg.scan import Segmentation
from glioseg.server.scans import Entry
from glioseg.words import LANGUAGES, said

SHOWN_METRICS = ("dice", "iou", "sensitivity", "precision", "hd95", "nsd")
NO_COLUMNS = ("labels", "metrics", "per_slice", "protocol", "protocol_translations", "revision", "notes")


def numbers_of(entry: Entry) -> dict[str, Any]:
    """Everything that is known of an entry's mask; lengths in mm only where the spacing is known.

    ``labels`` counts the voxels of each, where there are several. ``expected_dice`` and ``flags`` are the
    model's own of its mask (:mod:`glioseg.model.calibration`); a corrected mask has no others than those of
    the scan, which ``notes`` says in sentences, and for a mask of a run they may not be stored (the flag
    ``not_stored``).
    Metrics are those of :mod:`glioseg.measure.metrics`, when there is a truth.
    """
    from glioseg.measure.size import largest_diameter

    with entry.changing:  # mask and revision of one moment
        mask, by_hand, revision = entry.mask, entry.corrected is not None, entry.revision
    scan = entry.scan
    if mask is None:
        raise ValueError("numbers need a mask")
    diameter, unit = largest_diameter(mask)
    # Masks can be large, and this is done after every stroke: they are counted through once.
    counts = per_slice(mask)
    lesion_voxels, voxel_volume = sum(counts), scan.grid.voxel_volume
    expected = None if by_hand or entry.expected_dice is None else round(entry.expected_dice, 4)
    result: dict[str, Any] = {
        "id": scan.id,
        "corrected": by_hand,
        "revision": revision,
        "slices": scan.grid.shape[0],
        "slices_with_lesion": sum(count > 0 for count in counts),
        "lesion_voxels": lesion_voxels,
        "lesion_mm3": None if voxel_volume is None else round(lesion_voxels * voxel_volume, 1),
        "largest_diameter": diameter,
        "diameter_unit": unit,
        "expected_dice": expected,
        "filled": list(scan.filled),
        "flags": [*scan.notes] if by_hand else list(entry.doubts),
        "notes": [_in_languages(note) for note in scan.notes],
        "labels": _labels(entry, mask),
        "metrics": None,
        "protocol": None,
        "protocol_translations": {},
        "per_slice": {"predicted": counts, "true": None},
    }
    if entry.truth is not None:
        spacing = scan.grid.spacing
        measured = measure(mask.mask, entry.truth.mask, spacing, SHOWN_METRICS)
        result["metrics"] = {
            name: {
                "value": json_number(value),
                "title": METRICS[name].title,
                "meaning": METRICS[name].meaning,
                "unit": METRICS[name].length_unit(spacing) if METRICS[name].is_length else "",
            }
            for name, value in measured.items()
        }
        result["per_slice"]["true"] = per_slice(entry.truth)
        protocol = Protocol(
            metric="dice",
            patients=(scan.id,),
            checkpoint="given",
            threshold=entry.threshold,
            postprocessing="corrected by hand" if by_hand else entry.postprocessing,
        ).describe()
        result |= {"protocol": protocol, "protocol_translations": {"zh": {"sentence": protocol.text("zh")}}}
    return result


def _labels(entry: Entry, mask: Segmentation) -> list[dict[str, Any]]:
    """Of a mask with several labels: how large each is, and its Dice against the same label of the truth."""
    if mask.lesion_or_not:
        return []
    counts, unit, true = mask.counts, entry.scan.grid.voxel_volume, entry.labelled
    return [
        {
            "value": value,
            "name": name,
            "voxels": counts.get(value, 0),
            "mm3": None if unit is None else round(counts.get(value, 0) * unit, 1),
            "dice": None
            if true is None or value not in true.labels
            else json_number(measure(mask.label(value), true.label(value), None, ("dice",))["dice"]),
        }
        for value, name in mask.labels.items()
    ]


def _in_languages(note: str) -> dict[str, Any]:
    """The sentence of a note, in English and in the other languages."""
    others = {language: {"sentence": said(note, language)} for language in LANGUAGES if language != "en"}
    return {"code": str(note), "sentence": said(note), "translations": others}


def per_slice(mask: Segmentation) -> list[int]:
    """Lesion voxels of each slice."""
    return [int(np.count_nonzero(labels)) for labels in mask.voxels]


def as_csv(content: dict[str, Any]) -> str:
    """The same as one row under its header."""
    row = {name: value for name, value in content.items() if name not in NO_COLUMNS}
    row["filled"], row["flags"] = " ".join(row["filled"]), " ".join(row["flags"])
    if content["labels"]:
        row |= label_cells(content["labels"])
    for name, metric in (content["metrics"] or {}).items():
        row[name] = metric["value"]
    row["protocol"] = content["protocol"]
    return table_of([row], list(row))


def label_cells(labels: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The cells of a table that count labels and name them, see ``labels`` of :func:`numbers_of`."""
    return {
        "label_voxels": " ".join(f"{each['value']}:{each['voxels']}" for each in labels),
        "label_names": "; ".join(f"{each['value']}:{each['name']}" for each in labels),
    }


def table_of(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """A table as CSV, with a header."""
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    for row in rows:
        table.writerow({name: _harmless(value) for name, value in row.items()})
    return text.getvalue()


def _harmless(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula: names come from uploads."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return "" if value is None else value
