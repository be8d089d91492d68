"""``glioseg crossval``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glioseg.cli.labelled import (
    ChannelsOption,
    LabelsOption,
    LayoutOption,
    RuleOption,
    data_options,
    labels_in,
    settings_of,
)
from glioseg.cli.workers import (
    Ahead,
    Cache,
    Compile,
    Device,
    Jobs,
    Language,
    Minutes,
    Threads,
    make_workers,
    told_what_is_left,
)


def crossval(
    data: Annotated[Path, typer.Argument(help="Folder of labelled scans.")],
    recipe: Annotated[
        str, typer.Option(help="Name of a recipe (see glioseg recipes), or a .toml file.")
    ] = "default",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: table.key=value. May be repeated.")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Patients are dealt by site into so many folds.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the dealing.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder. Default: runs/<recipe>-<folds>-fold.")
    ] = None,
    jobs: Jobs = 1,
    threads: Threads = None,
    device: Device = "auto",
    language: Language = "en",
    cache: Cache = None,
    patient_rule: RuleOption = None,
    layout: LayoutOption = None,
    labels: LabelsOption = None,
    channels: ChannelsOption = "",
    minutes: Minutes = None,
    compiled: Compile = False,
    ahead: Ahead = None,
) -> None:
    """Score every patient with a network that never saw it."""
    told = data_options(patient_rule, layout, channels)
    workers = make_workers(jobs, threads, device, cache, told, minutes, compiled, ahead)
    from glioseg.environment import command_line
    from glioseg.evaluation.reliability import assess
    from glioseg.report import check_language, write_report
    from glioseg.studies.crossval import gather, plan_folds
    from glioseg.studies.queue import carry_out

    check_language(language)
    folder = out if out is not None else Path("runs") / f"{Path(recipe).stem}-{folds}-fold"
    changed = [*settings_of(labels_in(labels)), *(settings or [])]
    plan = plan_folds(recipe, folds, seed, changed)
    with told_what_is_left():
        runs = carry_out(plan, data, folder, workers, typer.echo)
    whole = gather(runs, folder, command_line())
    report = write_report(runs, folder / "report", language=language)
    typer.echo(f"\nown grid            {whole.own['dice'].summary()}")
    typer.echo(f"reference protocol  {whole.reference.summary()}")
    typer.echo(f"lesion-free slices with a false positive: {100 * whole.false_positive_rate:.1f} %")
    reliability = assess(whole.evidence, whole.own["dice"].values)
    if reliability is not None:
        typer.echo(reliability.sentence())
    typer.echo(f"\n{whole.own['dice'].protocol.describe()}\n{whole.reference.protocol.describe()}")
    typer.echo(f"\nWritten to {folder}: metrics.csv, metrics.json, dsc.png, masks\nReport: {report}")
