"""``glioseg study``."""

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
    patient_rule: RuleOption = None,
    layout: LayoutOption = None,
    labels: LabelsOption = None,
    channels: ChannelsOption = "",
    minutes: Minutes = None,
    compiled: Compile = False,
    ahead: Ahead = None,
) -> None:
    """Run a list of experiments, resumable, and report on it.

    A study is a TOML file. Its first experiment is the baseline, which all others are compared with. An
    experiment takes the recipe of its key, or the one that it names, and changes settings of it as --set
    does; each seed is a run of its own in <out>/<key>-seed<seed>.

    \b
      title = "Does a larger batch help?"
      seeds = [42, 43]                       # of every experiment
      settings = ["train.epochs=20"]         # of every run
      [experiments.reference]                # a recipe of that name
      name = "U-Net, batches of 16"
      [experiments.large_batch]
      name = "U-Net, batches of 32"
      recipe = "reference"
      settings = ["train.batch_size=32"]

    A run that is finished is not begun again: the same command goes on after a stop, after --minutes, or with
    more experiments in the file. glioseg recipes lists the recipes and their settings.
    """
    told = data_options(patient_rule, layout, channels)
    workers = make_workers(jobs, threads, device, cache, told, minutes, compiled, ahead)
    from glioseg.cli.headline import headline_of
    from glioseg.report import check_language, write_report
    from glioseg.studies.queue import carry_out
    from glioseg.studies.study import load_study

    check_language(language)
    changed = (*settings_of(labels_in(labels)), *(settings or ()))
    chosen = load_study(name).changed(changed, tuple(seeds or ()))
    folder = out if out is not None else Path("runs") / Path(name).stem
    plan = chosen.plan()
    typer.echo(f"{len(plan)} runs in {folder}")
    with told_what_is_left():
        carry_out(list(plan), data, folder, workers, typer.echo)
    runs = {planned.name: experiment for planned, experiment in plan.items()}
    # The rows of the report stand in the order of the file, not in the order of the runs.
    order = list(chosen.experiments.values())
    headline = headline_of(chosen, language, list(runs))
    paths = [folder / run for run in sorted(runs, key=lambda run: order.index(runs[run]))]
    report = write_report(paths, folder / "report", language=language, headline=headline)
    typer.echo(f"Report: {report}")
