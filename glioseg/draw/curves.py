"""Training curves over each other, and scores of several models side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from glioseg.draw.figure import save_figure, text_in
from glioseg.measure import Scores

Series = Sequence[tuple[Sequence[float], Sequence[float]]]
"""Curves of one row, one a seed: x values and y values."""

SMOOTHING = 0.6

CURVES = {
    "loss": "training loss",
    "val_loss": "validation loss",
    "val_dsc": "validation mean DSC",
    "epoch": "epoch",
}


def smoothed(values: Sequence[float], weight: float = SMOOTHING) -> list[float]:
    """Smooth a curve as TensorBoard does: an exponential moving average without the bias of its start.

    Args:
        values: the curve; NaN stays NaN and does not count.
        weight: of the past, from 0 (as it is) to below 1.

    Source:
        TensorBoard, ``resmoothDataset`` of its line chart.
    """
    average, mass, found = 0.0, 0.0, []
    for value in values:
        if math.isnan(value):
            found.append(value)
            continue
        average = average * weight + (1 - weight) * value
        mass = mass * weight + (1 - weight)
        found.append(average / mass)
    return found


def curves_plot(
    panels: Mapping[str, Mapping[str, Series]],
    path: Path,
    horizontal: str = "epoch",
    font: str | None = None,
    weight: float = SMOOTHING,
) -> Path:
    """Overlay curves: raw values thin, smoothed ones thick, one colour a row, one panel a quantity.

    Args:
        panels: by title, the curves of each row by name.
        path: the PNG file to write.
        horizontal: label of the horizontal axis.
        font: family of the text; Matplotlib's own by default.
        weight: of the smoothing.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    names = list(dict.fromkeys(name for rows in panels.values() for name in rows))
    with text_in(font):
        legend_rows = math.ceil(len(names) / 2)
        height = 4.2 + 0.26 * legend_rows
        figure = Figure(figsize=(5.0 * len(panels), height), dpi=90)
        FigureCanvasAgg(figure)
        for number, (title, rows) in enumerate(panels.items()):
            axes = figure.add_subplot(1, len(panels), number + 1)
            for name, series in rows.items():
                colour = _colour(names.index(name))
                for turn, (across, values) in enumerate(series):
                    axes.plot(across, values, color=colour, alpha=0.3, linewidth=1)
                    label = name if turn == 0 else None
                    marker = "o" if len(values) == 1 else None
                    axes.plot(
                        across,
                        smoothed(values, weight),
                        color=colour,
                        label=label,
                        linewidth=2,
                        marker=marker,
                    )
            axes.set_title(title)
            axes.set_xlabel(horizontal)
            # Ticks are epochs, and there is no half of one.
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
        handles = {
            label: handle
            for axes in figure.axes
            for handle, label in zip(*axes.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=2, frameon=False)
        figure.tight_layout(rect=(0, 0.26 * legend_rows / height + 0.02, 1, 1))
        return save_figure(figure, path)


def run_curves_plot(
    runs: Mapping[str, Sequence[Mapping[str, Sequence[float]]]],
    path: Path,
    labels: Mapping[str, str] = CURVES,
    font: str | None = None,
) -> Path:
    """Training loss, validation loss and validation DSC of runs.

    Args:
        runs: by name of the row, the columns of each run's ``metrics.csv``.
        path: the PNG file to write.
        labels: titles by column, and of ``"epoch"``, the horizontal axis.
        font: family of the text; Matplotlib's own by default.
    """
    panels = {
        labels[column]: {
            name: [(columns["epoch"], columns[column]) for columns in seeds if column in columns]
            for name, seeds in runs.items()
        }
        for column in ("loss", "val_loss", "val_dsc")
    }
    return curves_plot(panels, path, labels["epoch"], font)


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
            places = [place + number * step - 0.3 for _, place in known]
            axes.scatter(
                [value for value, _ in known], places, s=26, color=_colour(number), label=name, zorder=3
            )
        axes.set_yticks(range(len(patients)), patients)
        axes.set_ylim(-0.6, len(patients) - 0.4)
        axes.set_xlim(0, 1)
        axes.grid(alpha=0.3)
        axes.set_xlabel(horizontal)
        handles, names = axes.get_legend_handles_labels()
        legend = 0.11 * (len(names) + 1) + 0.15
        figure.legend(handles, names, loc="upper center", ncols=2, frameon=False)
        figure.tight_layout(rect=(0, 0, 1, 1 - legend / height))
        return save_figure(figure, path)


def _colour(number: int) -> str:
    """Ten colours that people with colour blindness can tell apart better than most, then again."""
    colours = (
        "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00",
        "#56b4e9", "#7f3c8d", "#4d4d4d", "#b8b000", "#a05a2c",
    )  # fmt: skip
    return colours[number % len(colours)]
