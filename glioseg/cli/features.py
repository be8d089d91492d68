"""``glioseg features``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def features(
    masks: Annotated[
        Path,
        typer.Argument(
            help="Masks: a folder of <id>/<slice>_mask.tif or <id>_mask.nii.gz, a file, or a run."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The table to write.")] = Path("features.csv"),
    scans: Annotated[
        Path | None, typer.Option(help="Folder of labelled scans, for FLAIR intensities and the side.")
    ] = None,
) -> None:
    """Measure the shape of lesions, one row a patient. Says why where a value is not defined."""
    from glioseg.measure.shape.table import find_masks, labels_of_masks, measure_all, sources_of

    table = measure_all(sources_of(find_masks(masks), scans, labels_of_masks(masks)))
    table.write_csv(out)
    for reason, count, names in table.reasons():
        typer.echo(f"not defined for {count} of {len(table.rows)}, {reason}: {', '.join(names)}")
    typer.echo(f"Written to {out}: {len(table.rows)} patients")
