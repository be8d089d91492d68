"""The figures of a report: curves, scores by patient, examples."""

from __future__ import annotations

from textwrap import fill

import numpy as np

from glioseg.draw import DscLabels, dsc_plot, frames, patients_plot, tile, with_text, write_png
from glioseg.draw.curves import CURVES, SMOOTHING, run_curves_plot
from glioseg.draw.outlines import Pixels
from glioseg.errors import Fault, InputError
from glioseg.report.document import Block, Heading, Paragraph, Picture
from glioseg.report.page import BASELINE_SCORE, Page, number
from glioseg.runs.compare import scores_of
from glioseg.runs.folder import RunFolder
from glioseg.runs.patients import read_patient, stored_mask
from glioseg.runs.rows import Row

TILE = 200
"""Pixels a side of an example."""


def curves(page: Page) -> list[Block]:
    """Loss and DSC by epoch, a line a row."""
    labels = {column: page.label(f"report.curve.{column}") for column in CURVES}
    runs = {page.drawn(row): [run.curves for run in row.runs] for row in page.rows}
    run_curves_plot(runs, page.out / "curves.png", labels, page.font)
    return [Picture("curves.png", page.say("report.curves_caption", weight=SMOOTHING))]


def patients(page: Page) -> list[Block]:
    """Scores by patient: all rows in one figure, and each row's bars."""
    if not page.scored:
        return []
    scores = {row.name: scores_of(row, BASELINE_SCORE) for row in page.scored}
    drawn = {page.drawn(row): scores[row.name] for row in page.scored}
    patients_plot(drawn, page.out / "patients.png", page.label("report.patients_axis"), page.font)
    blocks: list[Block] = [
        Heading(page.say("report.patients")),
        Picture("patients.png", page.say("report.patients_caption")),
        *_widest(page),
    ]
    for place, (name, each) in enumerate(scores.items()):
        file = f"dsc_{place:02d}.png"
        own = page.label_language == page.language
        foot = fill(
            page.described(each) if own else each.protocol.describe(),
            90 if own and page.language == "zh" else 170,
        )
        labels = DscLabels(
            page.label("report.statistic.mean"),
            page.label("report.statistic.median"),
            page.label("report.skipped"),
            "DSC",
            foot,
        )
        dsc_plot(each, page.out / file, labels, page.font)
        blocks.append(Picture(file, page.say("report.bars_caption", row=name)))
    return blocks


def _widest(page: Page) -> list[Block]:
    """The patient whose score varies most between rows, and what that does to a mean."""
    rows = [row for row in page.scored if not any(run.collapse for run in row.runs)]
    if len(rows) < 2:
        return []
    scores = [scores_of(row, BASELINE_SCORE).values for row in rows]
    shared = set(scores[0]).intersection(*scores[1:])
    ranges = {patient: [each[patient] for each in scores] for patient in sorted(shared)}
    patient = max(ranges, key=lambda patient: max(ranges[patient]) - min(ranges[patient]))
    low, high = min(ranges[patient]), max(ranges[patient])
    text = page.say(
        "report.widest",
        patient=patient,
        low=number(low),
        high=number(high),
        patients=len(scores[0]),
        effect=number((high - low) / len(scores[0])),
    )
    return [Paragraph(text)]


def examples(page: Page) -> list[Block]:
    """Best, median and worst patient by the mean over the rows."""
    shown = [row for row in page.scored if not row.folds] or page.scored
    if not shown:
        return []
    means: dict[str, list[float]] = {}
    for row in shown:
        for patient, value in scores_of(row, "own").counted.items():
            means.setdefault(patient, []).append(value)
    ranked = sorted(means, key=lambda patient: -float(np.mean(means[patient])))
    patients = list(dict.fromkeys([ranked[0], ranked[len(ranked) // 2], ranked[-1]]))
    pictures: dict[tuple[str, str], Pixels] = {}
    try:
        for patient in patients:
            for number, row in enumerate(shown, start=1):
                pictures[row.name, patient] = _example(row, patient, number)
    except InputError as error:
        return [
            Heading(page.say("report.examples")),
            Paragraph(page.say("report.examples_missing", reason=error)),
        ]
    sheet = tile([pictures[row.name, patient] for row in shown for patient in patients], len(patients))
    write_png(sheet, page.out / "examples.png")
    rows = "; ".join(f"{place} {row.name}" for place, row in enumerate(shown, start=1))
    caption = page.say("report.examples_caption", patients=", ".join(patients), rows=rows)
    return [Heading(page.say("report.examples")), Picture("examples.png", caption)]


def _example(row: Row, patient: str, place: int) -> Pixels:
    """The slice with the largest true lesion, outlined, square, with the place of the row and its DSC."""
    run = next(run for run in row.runs if (scores := run.scores("own")) and patient in scores.values)
    folder = RunFolder(run.path)
    scan, truth = read_patient(folder, patient)
    predicted = stored_mask(folder, scan)
    shown = truth or predicted
    if shown is None:
        raise InputError(Fault("report.no_masks", patient))
    area = shown.mask.sum(axis=(1, 2))
    position = int(area.argmax())
    (picture,) = frames(scan, predicted, truth, size=TILE, positions=[position], numbered=False, crop=True)
    square = np.zeros((TILE, TILE, 3), np.uint8)
    height, width = (min(TILE, side) for side in picture.shape[:2])
    top, left = (TILE - height) // 2, (TILE - width) // 2
    square[top : top + height, left : left + width] = picture[:height, :width]
    # The stored masks are those of the own grid: the other protocol can score another component.
    score = run.scores("own")
    value = f"  {score.values[patient]:.3f}" if score is not None else ""
    return with_text(square, f"{place}{value}")
