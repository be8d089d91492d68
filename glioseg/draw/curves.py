"""Training curves over each other, and scores of several models side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from glioseg.draw.figure import save_figure, text_in
from glioseg.measure import Scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Series = Sequence[tuple[Sequence[float], Sequence[float]]]
"""Curves of one row, one a seed: epochs and values."""

Columns = Mapping[str, Sequence[float]]
"""The columns of a run's ``metrics.csv``."""

CURVES = {
    "loss": "training loss",
    "val_loss": "validation loss",
    "val_dsc": "validation mean DSC",
    "epoch": "epoch",
}

QUANTITIES = ("loss", "val_loss", "val_dsc")

BASELINE, OTHER = "#5f5f5f", "#0072b2"
"""Colours of the row that others are compared with, and of the one that is compared."""


@dataclass(frozen=True)
class Panel:
    """One set of axes.

    Attributes:
        title: above it.
        lines: curves of the rows by name; the first is drawn as the baseline.
        side: beside it, on the left.
        limits: of the vertical axis; what the values need by default.
    """

    title: str
    lines: Mapping[str, Series]
    side: str = ""
    limits: tuple[float, float] | None = None


def band(series: Series) -> tuple[list[float], list[float], list[float], list[float]]:
    """Epochs, and of each the mean, the least and the greatest value over the seeds that have it.

    Args:
        series: curves of one row. Values that are not finite do not count.
    """
    values: dict[float, list[float]] = {}
    for across, heights in series:
        for epoch, height in zip(across, heights, strict=False):
            if np.isfinite(height):
                values.setdefault(epoch, []).append(height)
    epochs = sorted(values)
    each = [values[epoch] for epoch in epochs]
    return (
        epochs,
        [float(np.mean(one)) for one in each],
        [min(one) for one in each],
        [max(one) for one in each],
    )


def panels_plot(
    panels: Sequence[Panel], path: Path, columns: int, horizontal: str = "epoch", font: str | None = None
) -> Path:
    """Draw curves as they were measured, nothing smoothed: a line a row, its seeds as a band.

    Args:
        panels: row by row.
        path: the PNG file to write.
        columns: panels side by side.
        horizontal: label of the horizontal axis, whose ticks are whole epochs.
        font: family of the text; Matplotlib's own by default.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = -(-len(panels) // columns)
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    # Where each panel compares another row with the first, its own title names that row.
    named = names if len(names) <= 2 else names[:1]
    with text_in(font):
        height = 2.9 * rows + 0.5
        figure = Figure(figsize=(4.1 * columns, height), dpi=90)
        FigureCanvasAgg(figure)
        for number, panel in enumerate(panels):
            axes = figure.add_subplot(rows, columns, number + 1)
            _draw(axes, panel, names[0])
            if number >= len(panels) - columns:
                axes.set_xlabel(horizontal)
        handles = {
            label: handle
            for axes in figure.axes
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
            if label in named
        }
        figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=2, frameon=False)
        figure.tight_layout(rect=(0, 0.4 / height, 1, 1))
        return save_figure(figure, path)


def _draw(axes: Axes, panel: Panel, baseline: str) -> None:
    from matplotlib.ticker import MaxNLocator

    for name, series in panel.lines.items():
        colour = BASELINE if name == baseline else OTHER
        epochs, means, low, high = band(series)
        if len(series) > 1:
            axes.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
        style = "--" if name == baseline and len(panel.lines) > 1 else "-"
        marker = "o" if len(epochs) < 4 else None
        axes.plot(epochs, means, style, color=colour, linewidth=1.6, marker=marker, label=name)
    axes.set_title(fill(panel.title, 40), fontsize="medium")
    axes.set_ylabel(fill(panel.side, 28))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(alpha=0.3)
    if panel.limits is not None:
        axes.set_ylim(*panel.limits)


def run_curves_plot(
    runs: Mapping[str, Sequence[Columns]],
    path: Path,
    labels: Mapping[str, str] = CURVES,
    font: str | None = None,
) -> Path:
    """Training loss, validation loss and validation DSC: a line of panels for each row, over the first row.

    Args:
        runs: by name of the row, the columns of each run's ``metrics.csv``; the first is the baseline.
        path: the PNG file to write.
        labels: titles by column, and of ``"epoch"``, the horizontal axis.
        font: family of the text; Matplotlib's own by default.
    """
    first, *others = runs
    panels = [
        Panel(labels[column], _lines(runs, column, first, other), other if len(others) > 1 else "")
        for other in others or [first]
        for column in QUANTITIES
    ]
    return panels_plot(panels, path, len(QUANTITIES), labels["epoch"], font)


def dsc_curves_plot(
    runs: Mapping[str, Sequence[Columns]],
    path: Path,
    labels: Mapping[str, str] = CURVES,
    font: str | None = None,
) -> Path:
    """Validation DSC alone: a panel for each row, over the first row, all on one scale.

    Args:
        runs, path, labels, font: as for :func:`run_curves_plot`.
    """
    first, *others = runs
    values = [one for seeds in runs.values() for columns in seeds for one in columns.get("val_dsc", ())]
    lowest = min((one for one in values if np.isfinite(one)), default=0.0)
    limits = (min(0.9, np.floor(10 * lowest) / 10), 1.0)
    panels = [
        Panel(other, _lines(runs, "val_dsc", first, other), limits=limits) for other in others or [first]
    ]
    return panels_plot(panels, path, min(3, len(panels)), labels["epoch"], font)


def _lines(runs: Mapping[str, Sequence[Columns]], column: str, *names: str) -> dict[str, Series]:
    return {
        name: [(columns["epoch"], columns[column]) for columns in runs[name] if column in columns]
        for name in names
    }


def patients_plot(
    scores: Mapping[str, Scores], path: Path, horizontal: str = "DSC", font: str | None = None
) -> Path:
    """The score of every patient, a dot for each row, patients sorted by their mean.

    Args:
        scores: by name of the row; of a metric between 0 and 1.
        path: the PNG file to write.
        horizontal: label of the horizontal axis.
        font: family of the text; Matplotlib's own by default.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    means: dict[str, list[float]] = {}
    for each in scores.values():
        for patient, value in each.counted.items():
            means.setdefault(patient, []).append(value)
    patients = sorted(means, key=lambda patient: sum(means[patient]) / len(means[patient]))
    with text_in(font):
        height = 1.2 + 0.3 * len(patients) + 0.25 * len(scores)
        figure = Figure(figsize=(11, height), dpi=90)
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        step = 0.6 / max(1, len(scores) - 1)
        for number, (name, each) in enumerate(scores.items()):
            known = [
                (each.counted[patient], place)
                for place, patient in enumerate(patients)
                if patient in each.counted
            ]
            # The first row on top, as in the legend.
            places = [place + 0.3 - number * step for _, place in known]
            colour, marker = look(number)
            axes.scatter(
                [value for value, _ in known],
                places,
                s=26,
                color=colour,
                marker=marker,
                label=name,
                zorder=3,
            )
        axes.set_yticks(range(len(patients)), patients)
        axes.set_ylim(-0.6, len(patients) - 0.4)
        axes.set_xlim(-0.02, 1.02)  # a dot at 0 is not cut
        axes.grid(alpha=0.3)
        axes.set_xlabel(horizontal)
        handles, names = axes.get_legend_handles_labels()
        legend = 0.11 * (len(names) + 1) + 0.15
        figure.legend(handles, names, loc="upper center", ncols=2, frameon=False)
        figure.tight_layout(rect=(0, 0, 1, 1 - legend / height))
        return save_figure(figure, path)


def look(number: int) -> tuple[str, str]:
    """Colour and marker of a row: ten colours that people with colour blindness can tell apart better than
    most, then the same with another marker.
    """
    colours = (
        "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00",
        "#56b4e9", "#7f3c8d", "#4d4d4d", "#b8b000", "#a05a2c",
    )  # fmt: skip
    return colours[number % len(colours)], "o^sD"[number // len(colours) % 4]
