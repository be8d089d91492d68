"""``glioseg compare``."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glioseg.cli.workers import Language

if TYPE_CHECKING:
    from glioseg.runs.compare import Overview
    from glioseg.runs.record import ProtocolName


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(help="Run folders. Seeds of one recipe stand together; the first is the baseline."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for curves, plots, CSV and JSON.")
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(help="Which DSC: reference (the published protocol's) or own (each scan's grid)."),
    ] = "reference",
    every: Annotated[bool, typer.Option("--all-pairs", help="Compare every pair.")] = False,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1, help="CPU threads with which the cost of each network is measured. Default: all."
        ),
    ] = None,
    language: Language = "en",
) -> None:
    """Compare runs: scores, cost, differences beyond noise."""
    from glioseg.errors import Fault, InputError
    from glioseg.training.extra import require_train

    require_train()
    if protocol not in ("own", "reference"):
        raise InputError(Fault("cli.protocol", "--protocol", protocol=protocol))
    from glioseg.cli.columns import paragraph, table
    from glioseg.evaluation.cost import architecture, measure_costs
    from glioseg.report import check_language
    from glioseg.runs.compare import overview
    from glioseg.words import sentence

    check_language(language)

    kind: ProtocolName = "own" if protocol == "own" else "reference"
    found = overview(runs, kind, every)
    lines: list[dict[str, Any]] = []
    costs = measure_costs([row.recipe for row in found.rows], threads)
    for row in found.rows:
        cost = costs[architecture(row.recipe)]
        more = {"parameters": cost.parameters, "gmacs": cost.gmacs, "seconds_per_slice": cost.seconds}
        lines.append({**found.facts(row), **more, "threads": cost.threads})
    one = sentence("sentences", "compare.one_seed", language)
    typer.echo(table(_titles(SCORES, language), [_scores(line, one) for line in lines]))
    typer.echo(table(_titles(COSTS, language), [_cost(line) for line in lines]))
    for text in _differences(found, language):
        typer.echo(text)
    typer.echo(f"\n{paragraph(found.scores(found.rows[0]).protocol.describe().text(language))}\n")
    typer.echo("\n\n".join(paragraph(one.text(language)) for one in found.comparisons))
    if out is not None:
        _write(out, found, lines, language)
        written = "table.csv, comparison.json, curves.png, patients.png, patients.csv"
        typer.echo("\n" + sentence("sentences", "compare.written", language, out=out, files=written))


SCORES = ("row", "runs", "best", "epoch", "dsc", "seeds")
COSTS = ("row", "parameters", "gmac", "seconds")


def _titles(keys: Sequence[str], language: str) -> list[str]:
    from glioseg.words import sentence

    return [sentence("sentences", f"compare.column.{key}", language) for key in keys]


def _scores(line: dict[str, Any], one: str) -> list[str]:
    several = line["runs"] > 1
    interval = "" if isnan(line["dsc_low"]) else f" ({line['dsc_low']:.3f}-{line['dsc_high']:.3f})"
    return [
        line["experiment"],
        str(line["runs"]),
        "" if line["best_val_dsc"] is None else f"{line['best_val_dsc']:.4f}",
        str(line["epoch"] or ""),
        f"{line['dsc_mean']:.3f}{interval}",
        f"{line['seed_lowest']:.3f}-{line['seed_highest']:.3f}" if several else one,
    ]


def _cost(line: dict[str, Any]) -> list[str]:
    seconds = line["seconds_per_slice"]
    return [
        line["experiment"],
        f"{line['parameters'] / 1e6:.1f} M",
        f"{line['gmacs']:.2f}",
        "" if seconds is None else f"{1000 * seconds:.1f}",
    ]


def _differences(found: Overview, language: str) -> list[str]:
    """Which runs each experiment is, and what its settings are that the first one's are not."""
    from glioseg.cli.columns import paragraph
    from glioseg.runs.rows import differences
    from glioseg.words import sentence

    base = found.rows[0]
    said = []
    for row in found.rows:
        folders = ", ".join(run.path.as_posix() for run in row.runs)
        said.append(paragraph(f"{row.name}: {folders}"))
        if row is base:
            said.append("  " + sentence("sentences", "compare.is_baseline", language))
            continue
        changed = differences(row.recipe, base.recipe)
        lines = [
            sentence(
                "sentences",
                "compare.setting",
                language,
                setting=name,
                value=_value(own, language),
                base=_value(other, language),
            )
            for name, own, other in changed
        ] or [sentence("sentences", "compare.no_setting", language)]
        said += [paragraph(line, "  ") for line in lines]
    return said


def _value(value: Any, language: str) -> str:
    from glioseg.words import sentence

    return sentence("sentences", "compare.not_set", language) if value is None else str(value)


def _write(out: Path, found: Overview, lines: list[dict[str, Any]], language: str) -> None:
    from glioseg.draw import chinese_font, patients_plot, run_curves_plot
    from glioseg.draw.curves import CURVES
    from glioseg.files import make_folder, write_json, write_text
    from glioseg.words import sentence

    make_folder(out)
    scores = {row.name: found.scores(row) for row in found.rows}
    write_text(out / "table.csv", _as_csv(lines))
    patients = list(next(iter(scores.values())).values)
    write_text(
        out / "patients.csv",
        _as_csv(
            [
                {"patient": patient, **{name: each.values[patient] for name, each in scores.items()}}
                for patient in patients
            ]
        ),
    )
    content = {
        "table": lines,
        "scores": {name: each.to_dict() for name, each in scores.items()},
        "comparisons": [one.to_dict() for one in found.comparisons],
    }
    write_json(out / "comparison.json", content)
    font = chinese_font() if language == "zh" else None
    drawn = language if font else "en"
    labels = {column: sentence("sentences", f"report.curve.{column}", drawn) for column in CURVES}
    curves = {row.name: [run.curves for run in row.runs] for row in found.rows}
    patients_plot(scores, out / "patients.png", font=font)
    run_curves_plot(curves, out / "curves.png", labels, font)


def _as_csv(lines: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()
