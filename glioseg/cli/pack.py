"""``glioseg pack``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from glioseg.cli.labelled import LayoutOption, RuleOption, data_options


def pack(
    data: Annotated[Path, typer.Argument(help="Folder of labelled scans.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The pack, a folder to make.")] = Path(
        "data.glioseg"
    ),
    part_size: Annotated[str, typer.Option(help="Most bytes of a part, such as 50MB or 1GB.")] = "50MB",
    patient_rule: RuleOption = None,
    layout: LayoutOption = None,
) -> None:
    """Pack a data set to carry it elsewhere. Lossless, in parts; whatever takes DATA takes the pack."""
    from glioseg.dataset.pack import pack as pack_data
    from glioseg.dataset.pack import parse_size

    size = parse_size(part_size)
    live = sys.stderr.isatty()

    def tell(done: int, number: int) -> None:
        if live:
            sys.stderr.write(f"\r{done} of {number} files" if done < number else "\r\033[K")
            sys.stderr.flush()

    result = pack_data(data, out, size, patient_rule, layout, tell)
    typer.echo(
        f"{result.patients} patients, {result.files} files: {_mega(result.source_bytes)} became "
        f"{_mega(result.packed_bytes)} in {result.parts} part{'' if result.parts == 1 else 's'}"
    )
    check = shlex.join(["glioseg", "check", str(out), *data_options(patient_rule, layout, "")])
    typer.echo(f"Written to {out}. It takes the place of the folder: {check}")


def _mega(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
