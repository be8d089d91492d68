"""Options that the verbs share which carry out several runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glioseg.studies.queue import Workers

Jobs = Annotated[int, typer.Option(min=1, help="Runs at the same time.")]
Threads = Annotated[int | None, typer.Option(min=1, help="CPU threads of a run. Default: an equal share.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Cache = Annotated[Path | None, typer.Option(help="Folder for prepared slices.")]
PatientRule = Annotated[
    str | None, typer.Option(help="Regular expression that finds the patient in a file name.")
]
PROGRAM = (sys.executable, "-m", "glioseg")
"""What starts this command line in a process of its own."""

Language = Annotated[str, typer.Option("--lang", help="Language of the report: en or zh.")]


def make_workers(
    jobs: int, threads: int | None, device: str, cache: Path | None, patient_rule: str | None
) -> Workers:
    """What the options say, after the extra that training needs was found."""
    from glioseg.cli.train import check_device, require_train
    from glioseg.studies.queue import Workers

    require_train()
    check_device(device)
    rule = ("--patient-rule", patient_rule) if patient_rule is not None else ()
    kept = ("--cache", str(cache)) if cache is not None else ()
    return Workers(PROGRAM, jobs, threads, device, (*rule, *kept), ("--no-pictures", *rule))
