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
    study: Annotated[
        str | None,
        typer.Option(
            help="Study that the runs belong to, by name or .toml file: it names the experiments, and the "
            "report says which of them were not run."
        ),
    ] = None,
    shared: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the same report in another language: pictures without words and measured "
            "costs are taken from there."
        ),
    ] = None,
) -> None:
    """Write a report on runs: what each changed, did it help."""
    from glioseg.training.extra import require_train

    require_train()
    from glioseg.cli.headline import headline_of
    from glioseg.report import Headline, check_language, write_report
    from glioseg.studies.study import load_study

    check_language(language)
    headline = Headline(title)
    if study is not None:
        headline = headline_of(load_study(study), language, [run.name for run in runs], title)
    page = write_report(runs, out, language=language, headline=headline, shared=shared)
    typer.echo(f"Report: {page}")
