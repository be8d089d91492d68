"""One page about one case as PDF: key slices, numbers, lesions, and what to know before trusting the mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from glioseg._version import __version__
from glioseg.draw.figure import text_in
from glioseg.draw.outlines import LABELS
from glioseg.draw.views import frames
from glioseg.files import written_whole
from glioseg.grid import Grid
from glioseg.measure.size import largest_diameter, lesions
from glioseg.scan import Scan, Segmentation
from glioseg.words import said, sentence

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PICTURES = 6
"""Slices that are shown."""

LISTED = 6
"""Lesions that are listed."""

NAMED = 6
"""Labels that are named."""

A4 = (8.27, 11.69)
WIDTH = {"en": 104, "zh": 56}
"""Signs of a line of text across the page."""


@dataclass(frozen=True)
class CaseFacts:
    """What a page says besides scan and mask.

    Attributes:
        model: what made the mask, or the mask that was corrected.
        threshold: probability from which a voxel is lesion.
        expected_dice: of the mask; ``None`` where it is not known.
        doubts: of the mask, see :data:`glioseg.model.calibration.DOUBTS`.
        truth: outlined in green, where there is one.
    """

    model: str
    threshold: float
    expected_dice: float | None = None
    doubts: Sequence[str] = ()
    truth: Segmentation | None = None


def case_page(
    scan: Scan,
    mask: Segmentation,
    facts: CaseFacts,
    path: str | Path,
    language: str = "en",
    font: str | None = None,
) -> Path:
    """Write the page.

    Args:
        scan: the scan.
        mask: of it, outlined in red.
        facts: what is known of the mask.
        path: the PDF file to write.
        language: one of :data:`glioseg.words.LANGUAGES`.
        font: family of the text, which Chinese needs (:func:`glioseg.draw.chinese_font`).

    Returns:
        The file.

    Raises:
        InputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    with text_in(font):
        figure = Figure(figsize=A4)
        _heading(figure.add_axes((0.07, 0.915, 0.86, 0.06)), scan, language)
        _pictures(figure, scan, mask, facts.truth, language)
        _table(figure.add_axes((0.07, 0.235, 0.5, 0.17)), _numbers(scan, mask, facts, language))
        _lesions(figure.add_axes((0.6, 0.235, 0.33, 0.17)), mask, scan, language)
        _doubts(figure.add_axes((0.07, 0.03, 0.86, 0.185)), scan, facts, language)
        with written_whole(Path(path)) as part:
            figure.savefig(part, format="pdf", metadata={"CreationDate": None, "Title": scan.id})
    return Path(path)


def key_slices(mask: Segmentation, count: int = PICTURES) -> list[int]:
    """Slices that show a lesion best: evenly over those that have some, the largest among them.

    Without a lesion they are spread over the middle of the scan.

    Args:
        mask: the mask.
        count: how many, if there are so many.

    Returns:
        Positions counted from 0, ascending.
    """
    areas = (mask.voxels > 0).sum(axis=(1, 2))
    there = np.flatnonzero(areas)
    if not len(there):
        total = len(areas)
        there = np.arange(total // 4, max(total // 4 + 1, total - total // 4))
    chosen = set(there[np.linspace(0, len(there) - 1, min(count, len(there))).round().astype(int)].tolist())
    largest = int(areas.argmax())
    if areas.any() and largest not in chosen:
        chosen.remove(min(chosen, key=lambda each: abs(each - largest)))
        chosen.add(largest)
    return sorted(chosen)


def _heading(axes: Axes, scan: Scan, language: str) -> None:
    axes.axis("off")
    axes.text(0, 0.75, sentence("sentences", "case.title", language, scan=_short(scan.id)), size=16)
    warning = sentence("sentences", "case.not_clinical", language)
    axes.text(0, 0.1, warning, size=9, color="white", bbox={"facecolor": "#b00020", "pad": 4, "lw": 0})


def _short(id: str, most: int = 48) -> str:
    return id if len(id) <= most else f"{id[: most - 1]}…"


def _pictures(
    figure: Figure, scan: Scan, mask: Segmentation, truth: Segmentation | None, language: str
) -> None:
    positions = key_slices(mask)
    shown = frames(scan, mask, truth, size=384, positions=positions, numbered=False, crop=True)
    if truth is None and len(mask.labels) > 1:
        _label_legend(figure, mask, language)
    else:
        key = "case.outlines" if truth is None else "case.outlines_and_truth"
        figure.text(0.93, 0.908, sentence("sentences", key, language), size=7.5, color="#555555", ha="right")
    columns, width, height = 3, 0.28, 0.225
    for place, (position, picture) in enumerate(zip(positions, shown, strict=True)):
        row, column = divmod(place, columns)
        axes = figure.add_axes((0.07 + column * 0.29, 0.665 - row * 0.245, width, height))
        axes.axis("off")
        axes.imshow(picture, interpolation="none")
        number = scan.grid.slice_numbers[position]
        axes.set_title(sentence("sentences", "case.slice", language, number=number), size=8, pad=3)


def _label_legend(figure: Figure, mask: Segmentation, language: str) -> None:
    """The colour, the name and the size of each label, in one line."""
    from matplotlib.offsetbox import AnnotationBbox, DrawingArea, HPacker, TextArea
    from matplotlib.patches import Rectangle

    counts = mask.counts
    parts: list[Artist] = []
    for place, value in enumerate(sorted(mask.labels)[:NAMED]):
        colour = [channel / 255 for channel in LABELS[place % len(LABELS)]]
        voxels = counts.get(value, 0)
        # How many voxels there are is explained once, in the table.
        size = f"{voxels:,}" if mask.grid.spacing is None else _size(voxels, mask.grid, language)
        square = DrawingArea(6, 6)
        square.add_artist(Rectangle((0, 0), 6, 6, facecolor=colour, edgecolor="none"))
        text = f"{_short(mask.labels[value], 14)} {size}"
        name = TextArea(text, textprops={"size": 7.5, "color": "#555555"})
        parts.append(HPacker(children=[square, name], pad=0, sep=3, align="center"))
    if len(mask.labels) > NAMED:
        parts.append(TextArea("…"))
    line = HPacker(children=parts, pad=0, sep=8)
    figure.add_artist(
        AnnotationBbox(
            line, (0.93, 0.9065), xycoords="figure fraction", box_alignment=(1, 0.5), frameon=False, pad=0
        )
    )


def _size(voxels: int, grid: Grid, language: str) -> str:
    """A number of voxels in millilitres, where the spacing is known."""
    unit = grid.voxel_volume
    if unit is None:
        return sentence("sentences", "case.voxels", language, count=f"{voxels:,}")
    return sentence("sentences", "case.ml", language, volume=f"{voxels * unit / 1000:.1f}")


def _numbers(scan: Scan, mask: Segmentation, facts: CaseFacts, language: str) -> list[tuple[str, str]]:
    """What stands in the table of numbers: names and values."""

    def tell(key: str, **parameters: object) -> str:
        return sentence("sentences", f"case.{key}", language, **parameters)

    diameter, unit = largest_diameter(mask)
    present = ", ".join(_sequence(name, language) for name in scan.channels if name not in scan.filled)
    missing = ", ".join(_sequence(name, language) for name in scan.filled)
    sequences = tell("filled", present=present, missing=missing) if missing else present
    size = _size(int(np.count_nonzero(mask.voxels)), mask.grid, language)
    expected = tell("not_expected") if facts.expected_dice is None else f"{facts.expected_dice:.2f}"
    return [
        (tell("volume"), size),
        (tell("slices"), tell("slices_of", lesion=mask.slices_with_lesion, all=len(mask.voxels))),
        (tell("diameter"), tell(f"in_{unit}", length=f"{diameter:.1f}") if mask.voxels.any() else "–"),
        (tell("expected"), expected),
        (tell("mask"), tell(mask.origin)),
        (tell("model"), f"{facts.model}, {tell('threshold').lower()} {facts.threshold:g}"),
        (tell("sequences"), sequences),
        (tell("grid"), _grid(scan.grid, language)),
    ]


def _table(axes: Axes, rows: Sequence[tuple[str, str]]) -> None:
    axes.axis("off")
    for place, (name, value) in enumerate(rows):
        height = 1 - place / len(rows)
        axes.text(0, height, name, size=8, color="#555555", va="top")
        axes.text(0.34, height, fill(value, 52), size=8, va="top")


def _lesions(axes: Axes, mask: Segmentation, scan: Scan, language: str) -> None:
    axes.axis("off")
    found, count = lesions(mask, LISTED)
    lines = 1 / (LISTED + 3)
    if not found:
        axes.text(0, 1, sentence("sentences", "case.none", language), size=9, va="top")
        return
    axes.text(0, 1, sentence("sentences", "case.lesions", language), size=8, va="top", color="#555555")
    heads = sentence("sentences", "case.lesion_columns", language).split("|")
    unit = "mm" if mask.grid.spacing else "pixels"
    rows = [heads] + [
        [
            str(number),
            f"{each.voxels:,}" if each.volume is None else f"{each.volume / 1000:.2f} ml",
            sentence(
                "sentences", f"case.in_{unit}", language, length="{:.1f} x {:.1f}".format(*each.diameters)
            ),
            str(scan.grid.slice_numbers[each.place[0]]),
        ]
        for number, each in enumerate(found, start=1)
    ]
    for place, row in enumerate(rows, start=1):
        for left, text in zip((0, 0.14, 0.42, 0.88), row, strict=True):
            axes.text(left, 1 - place * lines, text, size=7.5, va="top")
    if count > len(found):
        more = sentence("sentences", "case.more", language, count=count - len(found))
        axes.text(0, 1 - (len(rows) + 1) * lines, more, size=7.5, va="top")


def _sequence(name: str, language: str) -> str:
    return sentence("sentences", f"sequence.{name}", language)


def _grid(grid: Grid, language: str) -> str:
    size = grid.describe().text(language)
    return (
        size if grid.spacing is None else f"{size}, {' x '.join(f'{each:.4g}' for each in grid.spacing)} mm"
    )


def _doubts(axes: Axes, scan: Scan, facts: CaseFacts, language: str) -> None:
    axes.axis("off")
    filled = ", ".join(_sequence(name, language) for name in scan.filled)
    axes.text(0, 1, sentence("sentences", "case.look", language), size=9, va="top", weight="bold")
    told = [f"• {said(doubt, language, filled=filled)}" for doubt in facts.doubts]
    text = "\n".join(fill(line, WIDTH[language], subsequent_indent="  ") for line in told)
    axes.text(0, 0.87, text or sentence("sentences", "case.no_doubts", language), size=8, va="top")
    made = sentence("sentences", "case.made", language, version=__version__, date=date.today().isoformat())
    axes.text(0, 0, fill(made, WIDTH[language] + 16), size=7, color="#555555")
