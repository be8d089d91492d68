"""``glioseg demo``: the bundled scans, segmented and scored, in one command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the pictures.")] = Path("glioseg-demo"),
) -> None:
    """Segment the bundled real scans and show how well it went. Needs nothing but the install."""
    from rich.console import Console
    from rich.table import Column, Table

    from glioseg.dataset.find import read_case
    from glioseg.draw import draw_gif, draw_slices
    from glioseg.files import make_folder
    from glioseg.io import write_segmentation
    from glioseg.measure import dice
    from glioseg.model.predictor import load_model
    from glioseg.samples import sample_cases

    make_folder(out)
    predictor = load_model()
    scan_column = Column("scan", no_wrap=True)
    table = Table(scan_column, "lesion slices", "lesion voxels", "Dice", "seconds")
    for case in sample_cases():
        scan, truth = read_case(case)
        assert truth is not None
        prediction = predictor(scan)
        mask = prediction.segmentation
        write_segmentation(mask, out / "masks", scan.id)
        draw_slices(scan, mask, truth, out / "outlines" / scan.id)
        draw_gif(scan, mask, truth, out / "gifs" / f"{scan.id}.gif")
        table.add_row(
            scan.id,
            f"{mask.slices_with_lesion} of {len(mask.voxels)}",
            str(int(mask.mask.sum())),
            f"{dice(mask.mask, truth.mask):.3f}",
            f"{prediction.seconds:.2f}",
        )
    Console().print(table)
    typer.echo(f"Red: predicted. Green: truth. Yellow: both.\nPictures: {out.resolve()}")
    typer.echo("Next: glioseg predict YOUR_SCAN -o OUT. Not for clinical use.")
