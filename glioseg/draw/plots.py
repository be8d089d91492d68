"""Plots of scores."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

import numpy as np

from glioseg.draw.figure import save_figure, text_in
from glioseg.errors import Fault, InputError
from glioseg.measure import Scores


@dataclass(frozen=True)
class DscLabels:
    """Words of :func:`dsc_plot` in another language; ``protocol`` is the line at the foot."""

    mean: str
    median: str
    skipped: str
    horizontal: str
    protocol: str


def dsc_plot(scores: Scores, path: Path, labels: DscLabels | None = None, font: str | None = None) -> Path:
    """Plot the score of every patient as bars sorted by value, the mean in red, the median in green.

    The plot of the original program (``dsc.png``), with the values, a legend and the protocol added.
    Patients that the protocol skips are listed at the foot without a bar.

    Args:
        scores: of a metric between 0 and 1.
        path: the PNG file to write; the protocol also stands in its description.
        labels: words of another language than English.
        font: family of the text; Matplotlib's own by default.

    Returns:
        The file.

    Raises:
        InputError: the metric is not one between 0 and 1, or the file cannot be written.
    """
    metric = scores.protocol.declaration
    if (metric.low, metric.high) != (0, 1):
        raise InputError(Fault("draw.metric", metric=metric.name))
    protocol = scores.protocol.describe()
    if labels is None:
        title = "Dice coefficient" if metric.name == "dice" else metric.title
        labels = DscLabels("mean", "median", "skipped", title, fill(protocol, 170))
    with text_in(font):
        return _bars(scores, path, labels, protocol)


def _bars(scores: Scores, path: Path, words: DscLabels, description: str) -> Path:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ranked = sorted(scores.counted.items(), key=lambda item: item[1])
    skipped = [(patient, math.nan) for patient in scores.skipped]
    bars = skipped + ranked
    labels = short_names([patient for patient, _ in bars])
    # As large as the original for its ten patients, and as much taller as more patients need.
    height = max(4.0, 2.4 + 0.3 * len(bars), min(8.0, 0.8 * len(bars)))
    figure = Figure(figsize=(12, height), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.barh(
        range(len(bars)),
        np.nan_to_num([value for _, value in bars]),
        align="center",
        color="skyblue",
    )
    # The values stand in a column of their own, where no line crosses them.
    for position, (_, value) in enumerate(bars):
        axes.text(1.008, position, words.skipped if math.isnan(value) else f"{value:.3f}", va="center")
    if ranked:
        axes.axvline(scores.mean, color="tomato", linewidth=2, label=f"{words.mean} {scores.mean:.3f}")
        label = f"{words.median} {scores.median:.3f}"
        axes.axvline(scores.median, color="forestgreen", linewidth=2, label=label)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize="large")
    axes.set_yticks(range(len(bars)), labels)
    axes.set_ylim(-0.6, len(bars) - 0.4)
    axes.set_xticks([tenth / 10 for tenth in range(11)])
    axes.set_xlim(0, 1)
    axes.xaxis.grid(color="silver", alpha=0.5, linestyle="--", linewidth=1)
    axes.set_xlabel(words.horizontal, fontsize="x-large")
    figure.text(0.01, 0.005, words.protocol, fontsize="small", color="dimgrey", va="bottom")
    figure.tight_layout(rect=(0, 0.45 / height, 1, 1))
    return save_figure(figure, path, description)


def reliability_plot(
    expected: Mapping[str, float], true: Mapping[str, float], threshold: float, path: Path
) -> Path:
    """Plot expected against true DSC, a dot for each patient, with the diagonal of a perfect expectation.

    Args:
        expected: by patient, in 0..1.
        true: by patient, in 0..1.
        threshold: below it an expected DSC asks a person to look, and a true one is bad; drawn as lines.
        path: the PNG file to write.

    Returns:
        The file.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 6), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    patients = list(true)
    axes.plot((0, 1), (0, 1), color="silver", linewidth=1)
    axes.axvline(threshold, color="tomato", linestyle="--", linewidth=1)
    axes.axhline(threshold, color="tomato", linestyle="--", linewidth=1)
    axes.scatter([expected[p] for p in patients], [true[p] for p in patients], s=16, color="steelblue")
    worst = sorted(patients, key=lambda patient: abs(expected[patient] - true[patient]))[-5:]
    for patient, label in zip(worst, short_names(worst), strict=True):
        axes.annotate(label, (expected[patient], true[patient]), fontsize="small", color="dimgrey")
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("expected DSC")
    axes.set_ylabel("true DSC")
    figure.tight_layout()
    return save_figure(figure, path, f"expected and true DSC of {len(patients)} patients")


def short_names(patients: list[str]) -> list[str]:
    """Ids as the original labels them, ``TCGA_CS_4944_20010208`` as ``CS_4944``, if they stay apart."""
    short = [re.sub(r"^TCGA_(.+)_\d{8}$", r"\1", patient) for patient in patients]
    return short if len(set(short)) == len(short) else patients
