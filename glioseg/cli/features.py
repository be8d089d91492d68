"""``glioseg features``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glioseg.cli.clusters import DaskOption, cluster_at
from glioseg.cli.labelled import ChannelsOption, LayoutOption, LesionOption, lesion_in
from glioseg.cli.streams import AsJson, Output, path_given


def features(
    masks: Annotated[
        Path,
        typer.Argument(
            help="Labelled scans in any layout; or masks: a folder of <id>/<slice>_mask.tif or "
            "<id>_mask.nii.gz, a file, a run, or -."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The table to write.")] = Path("features.csv"),
    scans: Annotated[
        Path | None,
        typer.Option(help="Of masks alone, the folder of their scans: for FLAIR intensities and the side."),
    ] = None,
    layout: LayoutOption = None,
    labels: LesionOption = None,
    channels: ChannelsOption = "",
    dask: DaskOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure the shape of lesions, one row a patient. Says why where a value is not defined."""
    from glioseg.measure.shape.table import measure_all, readers_of
    from glioseg.measure.values import NotDefined

    output = Output(as_json)
    source = path_given(masks)
    if dask is not None:  # the workers have other current folders
        source, scans = source.absolute(), scans and scans.absolute()
    found = readers_of(source, scans, layout=layout, lesion=lesion_in(labels), channels=channels)
    with cluster_at(dask, output) as cluster:
        table = measure_all(found, cluster)
    table.write_csv(out)
    for reason, count, names in table.reasons():
        output.say(f"not defined for {count} of {len(table.rows)}, {reason}: {', '.join(names)}")
    for patient, row in table.rows.items():
        values = {name: value for name, value in row.items() if not isinstance(value, NotDefined)}
        missing = {name: value.reason for name, value in row.items() if isinstance(value, NotDefined)}
        output.record("scan", {"id": patient, **dict.fromkeys(row), **values, "not_defined": missing})
    number = len(table.rows)
    output.say(f"Written to {out}: {number} patient{'' if number == 1 else 's'}")
