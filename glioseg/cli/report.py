"""``glioseg report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glioseg.cli.workers import Language


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders; the first is the baseline.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the report.")] = Path("report"),
    language: Language = "en",
    title: Annotated[str | None, typer.Option(help="Title of the page.")] = None,
) -> None:
    """Write a report on runs: what each changed, did it help."""
    from glioseg.cli.train import require_train

    require_train()
    from glioseg.report import Headline, write_report

    page = write_report(runs, out, language=language, headline=Headline(title))
    typer.echo(f"Report: {page}")
