"""``glioseg check``: every fault of a data set in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glioseg.cli.labelled import LayoutOption, labels_in


def check(
    data: Annotated[Path, typer.Argument(help="Folder of labelled scans.")],
    patient_rule: Annotated[
        str | None, typer.Option(help="Regular expression that finds the patient in a file name.")
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="Values of masks: lesion=1,2,4 for those that are lesion; 1,2,3 for classes."),
    ] = None,
    layout: LayoutOption = None,
) -> None:
    """List all faults of a data set with their cure; count it.

    A fault that many files share is said once. Exit code 2 if anything is wrong.
    """
    from glioseg.dataset.check import check as check_data
    from glioseg.errors import shared

    census = check_data(data, patient_rule, labels=labels_in(labels), layout=layout)
    typer.echo(census.summary())
    for fault in shared(census.faults):
        typer.echo(f"error: {fault}", err=True)
    if census.faults:
        raise typer.Exit(2)
