"""``glioseg export-dataset``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from glioseg.cli.labelled import ChannelsOption, LabelsOption, LayoutOption, RuleOption, labels_in


def export_dataset(
    data: Annotated[Path, typer.Argument(help="Folder of labelled scans.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to make, for instance Dataset101_Lesion.")],
    to: Annotated[str, typer.Option(help="nnunet: a raw data set of nnU-Net, version 2.")] = "nnunet",
    labels: LabelsOption = None,
    layout: LayoutOption = None,
    channels: ChannelsOption = "",
    patient_rule: RuleOption = None,
) -> None:
    """Write labelled scans as a raw data set of nnU-Net."""
    from glioseg.dataset.export import CHANNEL_NAMES, export_nnunet
    from glioseg.dataset.find import find_cases
    from glioseg.errors import Fault, InputError

    if to != "nnunet":
        raise InputError(Fault("cli.export_to", "--to", found=to))
    live = sys.stderr.isatty()

    def tell(done: int, number: int) -> None:
        if live:
            sys.stderr.write(f"\r{done} of {number} scans" if done < number else "\r\033[K")
            sys.stderr.flush()

    cases = find_cases(data, patient_rule, layout=layout, channels=channels)
    result = export_nnunet(cases, out, labels_in(labels), tell)
    named = ", ".join(CHANNEL_NAMES[name] for name in result.channels)
    test = f", {result.test} for the test" if result.test else ""
    typer.echo(f"{result.training} scans for training{test}; channels {named}. Written to {out}")
