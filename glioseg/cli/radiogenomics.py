"""``glioseg radiogenomics``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glioseg.cli.labelled import ChannelsOption, LayoutOption, LesionOption, lesion_in
from glioseg.cli.workers import Language


def radiogenomics(
    data: Annotated[Path, typer.Argument(help="Folder of labelled scans with data.csv.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the report.")] = Path("radiogenomics"),
    truth: Annotated[bool, typer.Option("--truth", help="Measure the manual masks.")] = False,
    masks: Annotated[
        Path | None,
        typer.Option(help="Folder of predicted masks: <id>/<slice>_mask.tif or <id>_mask.nii.gz."),
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="Run or evaluation whose folder 'masks' holds them.")
    ] = None,
    clinical: Annotated[
        Path | None, typer.Option(help="Table of categories by patient. Default: data.csv in the folder.")
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="Its column that names the patient. Default: the first.")
    ] = None,
    layout: LayoutOption = None,
    labels: LesionOption = None,
    channels: ChannelsOption = "",
    columns: Annotated[str, typer.Option(help="Columns to test, separated by commas.")] = "",
    resamples: Annotated[int, typer.Option(min=1, help="Random tables of each Monte Carlo test.")] = 100_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the random tables.")] = 0,
    language: Language = "en",
) -> None:
    """Test tumour shape against genomics and outcome. Clusters, grade, histology and survival."""
    from glioseg.errors import Fault, InputError
    from glioseg.measure.shape.table import results_in
    from glioseg.radiogenomics.report import write_report
    from glioseg.radiogenomics.study import radiogenomics as run_study
    from glioseg.radiogenomics.wording import summary
    from glioseg.report import check_language
    from glioseg.words import sentence

    check_language(language)
    if sum((truth, masks is not None, run is not None)) != 1:
        raise InputError(Fault("cli.masks_of", "glioseg radiogenomics"))
    if run is not None:
        masks = results_in(run)
        if masks is None:
            raise InputError(Fault("cli.run_without_masks", run))
    wanted = [name.strip() for name in columns.split(",") if name.strip()]
    study = run_study(
        data,
        masks,
        clinical,
        wanted,
        key,
        resamples,
        seed,
        layout=layout,
        lesion=lesion_in(labels),
        channels=channels,
    )
    write_report(study, out, language)
    typer.echo(summary(study).text(language))
    files = "index.html, report.md, features.csv, associations.csv, auc.csv, study.json"
    typer.echo("\n" + sentence("sentences", "compare.written", language, out=out, files=files))
