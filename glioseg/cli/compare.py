"""``glioseg compare``."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from glioseg.runs.compare import RowComparison
    from glioseg.runs.record import ProtocolName
    from glioseg.runs.rows import Row


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
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads of the timing.")] = None,
) -> None:
    """Compare runs: scores, cost, differences beyond noise."""
    from glioseg.cli.train import require_train
    from glioseg.errors import Fault, InputError

    require_train()
    if protocol not in ("own", "reference"):
        raise InputError(Fault("cli.protocol", "--protocol", protocol=protocol))
    if len(runs) < 2:
        raise InputError(Fault("cli.compare_one", "glioseg compare"))
    from glioseg.runs.compare import compare_rows, pairs_of, scores_of
    from glioseg.runs.record import read_runs
    from glioseg.runs.rows import group_runs

    kind: ProtocolName = "own" if protocol == "own" else "reference"
    rows = group_runs(read_runs(runs))
    # Before anything is measured or written: scores that do not belong together are refused.
    compared = compare_rows(pairs_of(rows, every), kind)
    table = [_line(row, kind, threads) for row in rows]
    _print(table)
    typer.echo(f"\n{scores_of(rows[0], kind).protocol.describe()}\n")
    for one in compared:
        typer.echo(one.sentence)
    if out is not None:
        _write(out, rows, kind, table, compared)
        typer.echo(f"\nWritten to {out}: table.csv, comparison.json, curves.png, patients.png, patients.csv")


def _line(row: Row, kind: ProtocolName, threads: int | None) -> dict[str, Any]:
    """One row of the table."""
    from glioseg.evaluation.cost import measure_cost
    from glioseg.runs.compare import scores_of
    from glioseg.runs.folder import RunFolder

    scores = scores_of(row, kind)
    best = row.best
    seeds = row.seed_means(kind)
    cost = measure_cost(row.recipe, RunFolder(row.runs[0].path).model, threads)
    low, high = scores.interval()
    return {
        "experiment": row.name,
        "runs": len(row.runs),
        "best_val_dsc": max((dsc for dsc, _ in best), default=None),
        "epoch": max(best)[1] if best else None,
        "dsc_mean": scores.mean,
        "dsc_low": low,
        "dsc_high": high,
        "dsc_median": scores.median,
        "seed_lowest": min(seeds),
        "seed_highest": max(seeds),
        "parameters": cost.parameters,
        "gmacs": cost.gmacs,
        "seconds_per_slice": cost.seconds,
        "threads": cost.threads,
    }


def _print(table: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    titles = (
        "runs",
        "best val DSC",
        "epoch",
        "DSC (95 % interval)",
        "seeds",
        "parameters",
        "GMAC",
        "ms/slice",
    )
    shown = Table(box=box.SIMPLE)
    shown.add_column("experiment", overflow="fold")
    for title in titles:
        shown.add_column(title, justify="right")
    for line in table:
        several = line["runs"] > 1
        shown.add_row(
            line["experiment"],
            str(line["runs"]),
            "" if line["best_val_dsc"] is None else f"{line['best_val_dsc']:.4f}",
            str(line["epoch"] or ""),
            f"{line['dsc_mean']:.3f} ({line['dsc_low']:.3f}-{line['dsc_high']:.3f})",
            f"{line['seed_lowest']:.3f}-{line['seed_highest']:.3f}" if several else "one",
            f"{line['parameters'] / 1e6:.1f} M",
            f"{line['gmacs']:.2f}",
            "" if line["seconds_per_slice"] is None else f"{1000 * line['seconds_per_slice']:.1f}",
        )
    Console().print(shown)


def _write(
    out: Path,
    rows: list[Row],
    kind: ProtocolName,
    table: list[dict[str, Any]],
    compared: list[RowComparison],
) -> None:
    from glioseg.draw import patients_plot
    from glioseg.draw.curves import run_curves_plot
    from glioseg.files import make_folder, write_json, write_text
    from glioseg.runs.compare import scores_of

    make_folder(out)
    scores = {row.name: scores_of(row, kind) for row in rows}
    write_text(out / "table.csv", _as_csv(table))
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
        "table": table,
        "scores": {name: each.to_dict() for name, each in scores.items()},
        "comparisons": [one.to_dict() for one in compared],
    }
    write_json(out / "comparison.json", content)
    patients_plot(scores, out / "patients.png")
    run_curves_plot({row.name: [run.curves for run in row.runs] for row in rows}, out / "curves.png")


def _as_csv(lines: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()
