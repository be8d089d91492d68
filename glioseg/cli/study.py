"""``glioseg study``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glioseg.cli.workers import (
    Ahead,
    Cache,
    Compile,
    Device,
    Jobs,
    Language,
    Minutes,
    PatientRule,
    Threads,
    make_workers,
    told_what_is_left,
)


def study(
    name: Annotated[str, typer.Argument(help="lgg-cpu, lgg-gpu, or a .toml file.")],
    data: Annotated[Path, typer.Argument(help="Folder of labelled scans.")],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change a setting of every run: table.key=value. May be repeated."),
    ] = None,
    seeds: Annotated[
        list[int] | None, typer.Option("--seed", min=0, help="Only this seed. May be repeated.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder. Default: runs/<name>.")] = None,
    jobs: Jobs = 1,
    threads: Threads = None,
    device: Device = "auto",
    language: Language = "en",
    cache: Cache = None,
    patient_rule: PatientRule = None,
    minutes: Minutes = None,
    compiled: Compile = False,
    ahead: Ahead = None,
) -> None:
    """Run a list of experiments, resumable, and report on it."""
    workers = make_workers(jobs, threads, device, cache, patient_rule, minutes, compiled, ahead)
    from glioseg.report import Headline, check_language, write_report
    from glioseg.studies.queue import carry_out
    from glioseg.studies.study import load_study

    check_language(language)
    chosen = load_study(name).changed(tuple(settings or ()), tuple(seeds or ()))
    folder = out if out is not None else Path("runs") / Path(name).stem
    plan = chosen.plan()
    typer.echo(f"{len(plan)} runs in {folder}")
    with told_what_is_left():
        carry_out(list(plan), data, folder, workers, typer.echo)
    runs = {planned.name: experiment for planned, experiment in plan.items()}
    # The rows of the report stand in the order of the file, not in the order of the runs.
    order = list(chosen.experiments.values())
    chinese = language == "zh"
    headline = Headline(
        (chosen.title_zh if chinese else None) or chosen.title,
        (chosen.introduction_zh if chinese else ()) or chosen.introduction,
        {run: row.name_in(language) for run, row in runs.items()},
        {row.name_in(language): row.published for row in order if row.published is not None},
        {row.name_in(language): row.name for row in order},
    )
    paths = [folder / run for run in sorted(runs, key=lambda run: order.index(runs[run]))]
    report = write_report(paths, folder / "report", language=language, headline=headline)
    typer.echo(f"Report: {report}")
