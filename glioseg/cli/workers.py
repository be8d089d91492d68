"""Options that the verbs share which carry out several runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glioseg.studies.queue import Workers

Jobs = Annotated[int, typer.Option(min=1, help="Runs at the same time.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads of a run. Default: an equal share.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 (the second GPU) or mps.")]
Compile = Annotated[
    bool,
    typer.Option(
        "--compile", help="Let PyTorch fuse kernels first: a slow start, and not always faster steps."
    ),
]
Cache = Annotated[Path | None, typer.Option(help="Folder for prepared slices.")]
Minutes = Annotated[
    float | None, typer.Option(min=0, help="Stop cleanly in this time; the same command goes on.")
]
Ahead = Annotated[
    int | None,
    typer.Option("--workers", min=0, help="Processes that load ahead when the data do not fit on the GPU."),
]
PROGRAM = (sys.executable, "-m", "glioseg")
"""What starts this command line in a process of its own."""

Language = Annotated[str, typer.Option("--lang", help="Language of the report: en or zh.")]


def make_workers(
    jobs: int,
    threads: int | None,
    device: str,
    cache: Path | None,
    data: tuple[str, ...] = (),
    minutes: float | None = None,
    compiled: bool = False,
    ahead: int | None = None,
) -> Workers:
    """What the options say, after the extra that training needs was found.

    Args:
        jobs, threads, device, cache, minutes, compiled, ahead: as the options are.
        data: what :func:`glioseg.cli.labelled.data_options` gives.
    """
    from glioseg.studies.queue import Workers
    from glioseg.training.extra import require_train
    from glioseg.training.hardware import check_device

    require_train()
    check_device(device)
    kept = ("--cache", str(cache)) if cache is not None else ()
    faster = ("--compile",) if compiled else ()
    loading = ("--workers", str(ahead)) if ahead is not None else ()
    training = (*data, *kept, *faster, *loading)
    return Workers(PROGRAM, jobs, threads, device, training, ("--no-pictures", *data), minutes)


@contextmanager
def told_what_is_left() -> Iterator[None]:
    """Say which runs a time limit has left, and how to go on; that is no failure."""
    from glioseg.studies.queue import OutOfTimeError

    try:
        yield
    except OutOfTimeError as error:
        typer.echo(f"The time is up. {error}. The same command goes on.")
        raise typer.Exit(0) from None
