"""``glioseg summary``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from glioseg.cli.streams import AsJson, Output


def summary(
    out: Annotated[Path, typer.Argument(help="Folder of results, of glioseg predict.")],
    as_json: AsJson = False,
) -> None:
    """Join the records of a folder into its summary.csv. Jobs that shared it need it once."""
    from glioseg.environment import environment
    from glioseg.io.names import listed
    from glioseg.results.summary import join_records
    from glioseg.words import sentence

    output = Output(as_json)
    table, incomplete = join_records(out, environment())
    with table.open(encoding="utf-8", newline="") as file:
        scans = sum(1 for _ in csv.DictReader(file))
    if incomplete:
        names = listed(incomplete)
        typer.echo(sentence("sentences", "results.incomplete", folder=out, scans=names), err=True)
    output.record("summary", {"folder": out, "table": table, "scans": scans, "incomplete": incomplete})
    output.say(sentence("sentences", "results.joined", "en", table=table, scans=scans))
