"""``glioseg check``: every fault of a data set in one pass."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glioseg.recipe import Labels


def check(
    data: Annotated[Path, typer.Argument(help="Folder of labelled scans.")],
    patient_rule: Annotated[
        str | None, typer.Option(help="Regular expression that finds the patient in a file name.")
    ] = None,
    labels: Annotated[
        str | None, typer.Option(help="Labels of masks with several classes, such as 1,2,3.")
    ] = None,
) -> None:
    """List all faults of a data set with their cure; count it.

    A fault that many files share is said once. Exit code 2 if anything is wrong.
    """
    from glioseg.dataset.check import check as check_data
    from glioseg.errors import shared

    census = check_data(data, patient_rule, labels=_labels(labels))
    typer.echo(census.summary())
    for fault in shared(census.faults):
        typer.echo(f"error: {fault}", err=True)
    if census.faults:
        raise typer.Exit(2)


def _labels(text: str | None) -> Labels:
    from glioseg.errors import Fault, InputError
    from glioseg.recipe import Labels

    try:
        return Labels(values=tuple(int(part) for part in text.split(","))) if text else Labels()
    except ValueError as error:
        raise InputError(Fault("cli.labels", "--labels", labels=text)) from error
