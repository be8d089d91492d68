"""``glioseg train``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from glioseg.cli.labelled import (
    ChannelsOption,
    LabelsOption,
    LayoutOption,
    RuleOption,
    labels_in,
    settings_of,
)


def train(
    data: Annotated[
        Path | None, typer.Argument(help="Folder of labelled scans; with --resume only if it has moved.")
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            help="Name of a recipe (see glioseg recipes), or a .toml file.",
            show_default="default; with --from finetune",
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change a setting: table.key=value. May be repeated.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Run folder. Default: runs/<recipe>-<time>.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            "--from",
            help="Learn on from a model that ships (see glioseg models), a run folder, .onnx or .safetensors "
            "file, and say by how much that changed it.",
        ),
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run folder.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 (the second GPU) or mps.")] = "auto",
    devices: Annotated[
        int | None, typer.Option(min=1, help="Devices a node. Default: as torchrun or srun says, or 1.")
    ] = None,
    nodes: Annotated[
        int | None, typer.Option(min=1, help="Machines. Default: as torchrun or srun says, or 1.")
    ] = None,
    strategy: Annotated[str, typer.Option(help="Lightning's strategy, for instance ddp.")] = "auto",
    precision: Annotated[str, typer.Option(help="auto, 32-true, 16-mixed or bf16-mixed.")] = "auto",
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads. Default: all.")] = None,
    compiled: Annotated[
        bool,
        typer.Option(
            "--compile", help="Let PyTorch fuse kernels first: a slow start, and not always faster steps."
        ),
    ] = False,
    minutes: Annotated[
        float | None, typer.Option(min=0, help="Stop cleanly in this time, to be resumed.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that load ahead when the data do not fit on the GPU."),
    ] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder for prepared slices.")] = None,
    patient_rule: RuleOption = None,
    layout: LayoutOption = None,
    labels: LabelsOption = None,
    channels: ChannelsOption = "",
) -> None:
    """Train a network on labelled scans. Can be killed at any time and continued with --resume."""
    from glioseg.errors import Fault, InputError
    from glioseg.training.extra import require_train
    from glioseg.training.hardware import Hardware, check_device

    # Before anything heavy: wrong usage should be told at once.
    require_train()
    if data is None and resume is None:
        raise InputError(Fault("cli.train_nothing", "glioseg train"))
    given = {
        "--set": settings,
        "--out": out,
        "--from": start,
        "--recipe": recipe,
        "--labels": labels,
        "--channels": channels,
    }
    beside = [option for option, value in given.items() if value]
    if resume is not None and beside:
        raise InputError(Fault("cli.resume_with", "glioseg train --resume", option=beside[0]))
    check_device(device)
    changed = [*settings_of(labels_in(labels)), *(settings or [])]
    from glioseg.recipe import load_recipe
    from glioseg.runs.folder import RunFolder

    if resume is None and start is None:
        chosen = load_recipe(recipe or "default", changed)
    elif resume is not None:
        chosen = RunFolder.open(resume).recipe
    from glioseg.training.train import default_run_folder
    from glioseg.training.train import train as run_training

    if start is not None:
        from glioseg.training.start import read_start

        weights = read_start(start)
        chosen = load_recipe(recipe or "finetune", changed, weights.tables)

    hardware = Hardware(device, devices, nodes, strategy, precision, threads, compiled, workers)
    if out is None and resume is None:
        if hardware.started_elsewhere:
            raise InputError(Fault("train.out"))
        out = default_run_folder(chosen)
        if hardware.world > 1:
            # Lightning starts further processes with this command line: they too shall be told the folder.
            sys.argv += ["--out", str(out)]
    options: dict[str, Any] = {
        "hardware": hardware,
        "cache": cache,
        "minutes": minutes,
        "layout": layout,
        "channels": channels,
        "echo": typer.echo,
    }
    if resume is not None:
        run_training(data, None, resume, resume=True, **options)
    elif start is not None and data is not None and out is not None:
        from glioseg.studies.finetune import finetune

        finetune(data, chosen, out, weights, patient_rule=patient_rule, **options)
    else:
        run_training(data, chosen, out, patient_rule=patient_rule, **options)
