"""``glioseg check``: every fault of a data set in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def check(
    data: Annotated[Path, typer.Argument(help="Folder of labelled scans.")],
    patient_rule: Annotated[
        str | None, typer.Option(help="Regular expression that finds the patient in a file name.")
    ] = None,
) -> None:
    """List all faults of a data set with their cure; count it. Exit code 2 if anything is wrong."""
    from glioseg.dataset.check import check as check_data

    census = check_data(data, patient_rule)
    typer.echo(census.summary())
    for fault in census.faults:
        typer.echo(f"error: {fault}", err=True)
    if census.faults:
        raise typer.Exit(2)
