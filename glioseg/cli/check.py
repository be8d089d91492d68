"""``glioseg check``: every fault of a data set in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glioseg.cli.labelled import ChannelsOption, LabelsOption, LayoutOption, RuleOption, labels_in
from glioseg.cli.streams import AsJson, Output, path_given

if TYPE_CHECKING:
    from glioseg.dataset.check import Census


def check(
    data: Annotated[Path, typer.Argument(help="Folder of labelled scans, or - (named by standard input).")],
    patient_rule: RuleOption = None,
    labels: LabelsOption = None,
    layout: LayoutOption = None,
    channels: ChannelsOption = "",
    as_json: AsJson = False,
) -> None:
    """List all faults of a data set with their cure; count it.

    A fault that many files share is said once. Exit code 2 if anything is wrong.
    """
    from glioseg.dataset.check import check as check_data
    from glioseg.errors import shared

    output = Output(as_json)
    said = labels_in(labels)
    census = check_data(path_given(data), patient_rule, labels=said, layout=layout, channels=channels)
    output.say(census.summary())
    _record(census, output)
    for fault in shared(census.faults):
        typer.echo(f"error: {fault}", err=True)
    if census.faults:
        raise typer.Exit(2)


def _record(census: Census, output: Output) -> None:
    """A record a scan, one a fault and, last, one of the data set."""
    from glioseg.words import said

    for case in census.cases:
        facts = {
            "id": case.id,
            "source": case.source.place,
            "format": case.source.format,
            "files": len(case.source.files),
            "missing": [name for name, ids in census.missing.items() if case.id in ids],
            "without_lesion": case.id in census.without_lesion,
            "doubts": census.notes_of_scans.get(case.id, ()),
            "notes": [said(note) for note in census.notes_of_scans.get(case.id, ())],
        }
        output.record("scan", facts)
    for fault in census.faults:
        output.record_fault(fault)
    counts = (
        "folder",
        "layout",
        "why",
        "patients",
        "slices",
        "lesion_slices",
        "lesion_voxels",
        "sites",
        "kinds",
    )
    facts = {name: getattr(census, name) for name in counts}
    output.record("data", {**facts, "notes": census.notes, "faults": len(census.faults)})
