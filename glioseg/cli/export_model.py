"""``glioseg export-model``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export_model(
    model: Annotated[str, typer.Argument(help="Run folder, model.onnx, or name of a model that ships.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to make, for instance lesion_bundle.")],
    to: Annotated[str, typer.Option(help="monai: a MONAI bundle, for python -m monai.bundle run.")] = "monai",
) -> None:
    """Write a trained model as a MONAI bundle. A run folder holds the model as ONNX already: model.onnx."""
    from glioseg.errors import Fault, InputError
    from glioseg.model.bundle.write import export_bundle

    if to != "monai":
        raise InputError(Fault("cli.export_model_to", "--to", found=to))
    export_bundle(model, out)
    typer.echo(f"Written to {out}. To segment the scans of a folder with it:")
    typer.echo(
        f"python -m monai.bundle run --bundle_root {out} --config_file {out / 'configs' / 'inference.json'} "
        "--dataset_dir SCANS --output_dir MASKS"
    )
