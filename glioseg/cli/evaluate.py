"""``glioseg evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glioseg.cli.clusters import DaskOption, cluster_at
from glioseg.cli.labelled import ChannelsOption, LayoutOption, LesionOption, RuleOption, cases_in, lesion_in
from glioseg.cli.networks import Best, Fast, Flips
from glioseg.cli.streams import AsJson, Output, path_given

if TYPE_CHECKING:
    from glioseg.runs.record import Evaluation


def evaluate(
    model: Annotated[str, typer.Argument(help="Run folder, .onnx file, or name of a model that ships.")],
    data: Annotated[Path, typer.Argument(help="Folder of labelled scans, or - (named by standard input).")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Default: RUN/evaluation, or evaluation-<model>.")
    ] = None,
    patients: Annotated[
        str,
        typer.Option(
            help="validation (of the model's own split), all, or a file with a patient in each line."
        ),
    ] = "validation",
    best: Best = False,
    flips: Flips = False,
    fast: Fast = False,
    flair_alone: Annotated[
        bool, typer.Option("--flair-alone", help="Leave out T1, as if there were FLAIR alone.")
    ] = False,
    pictures: Annotated[
        bool, typer.Option(help="Draw outlines of each slice and an animation of each patient.")
    ] = True,
    gif_duration: Annotated[
        int, typer.Option(min=10, max=10_000, help="Milliseconds that each slice stands in a GIF.")
    ] = 150,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads. Default: all.")] = None,
    patient_rule: RuleOption = None,
    layout: LayoutOption = None,
    labels: LesionOption = None,
    channels: ChannelsOption = "",
    dask: DaskOption = None,
    as_json: AsJson = False,
) -> None:
    """Score a model on labelled scans. DSC per patient with its protocol, plots, outlines, GIFs."""
    from glioseg.environment import command_line
    from glioseg.evaluation.evaluate import choose_patients, picked_by, trained_among
    from glioseg.evaluation.evaluate import evaluate as run_evaluation
    from glioseg.model.predictor import load_model
    from glioseg.runs.record import DataPlace
    from glioseg.words import sentence

    output = Output(as_json)
    threads = threads or (None if dask is None else 1)  # a worker has a scan for each of its own
    predictor = load_model(model, flips, threads, fast=fast, best=best)
    folder_of_data = path_given(data)
    if dask is not None:  # the workers have other current folders
        folder_of_data = folder_of_data.absolute()
    found = cases_in(folder_of_data, patient_rule, layout, labels, channels)
    cases = choose_patients(found, patients, predictor.description)
    folder = out
    if folder is None:
        folder = (
            Path(model) / "evaluation" if Path(model).is_dir() else Path(f"evaluation-{Path(model).stem}")
        )
    with cluster_at(dask, output) as cluster:
        result = run_evaluation(
            predictor,
            cases,
            folder,
            checkpoint=picked_by(predictor.description, cases),
            command=command_line(),
            flair_alone=flair_alone,
            pictures=pictures,
            gif_seconds=gif_duration / 1000,
            progress=lambda patient, score: output.say(f"{patient}  DSC {score:.4f}"),
            cluster=cluster,
            place=DataPlace(
                data=str(folder_of_data.absolute()),
                patient_rule=patient_rule,
                layout=layout,
                channels=channels,
                lesion=lesion_in(labels).lesion,
            ),
        )
    own, reference = result.own["dice"], result.reference
    seen = trained_among(predictor.description, cases)
    _record(result, folder, seen, output)
    output.say(f"\nown grid            {own.summary()}")
    output.say(f"reference protocol  {reference.summary()}")
    for title, scores in result.classes.items():
        output.say(f"{title:<18}  {scores.summary()}")
    output.say(f"lesion-free slices with a false positive: {100 * result.false_positive_rate:.1f} %")
    if seen:
        output.say(sentence("sentences", "evaluation.seen", seen=len(seen), count=len(cases)))
    output.say(f"\n{own.protocol.describe()}\n{reference.protocol.describe()}")
    output.say(
        f"\nWritten to {folder}: metrics.csv, metrics.json, dsc.png, masks{', pictures' if pictures else ''}"
    )


def _record(result: Evaluation, folder: Path, seen: list[str], output: Output) -> None:
    """A record a scan and, last, one of all: statistics with their protocols, without the values."""
    for patient, (hits, free) in result.false_positive_slices.items():
        facts = {
            "id": patient,
            **{name: scores.values[patient] for name, scores in result.columns.items()},
            "expected_dice": result.expected_dice.get(patient),
            "false_positive_slices": hits,
            "lesion_free_slices": free,
        }
        output.record("scan", facts)
    scores = {name: each.to_dict() for name, each in result.columns.items()}
    for each in scores.values():
        del each["values"]
    rate = result.false_positive_rate
    total = {"folder": folder, "false_positive_slices_rate": rate, "trained_on": seen, "scores": scores}
    output.record("evaluation", total)
