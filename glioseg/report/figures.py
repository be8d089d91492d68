"""The figures of a report: curves, scores by patient, examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from textwrap import fill

import numpy as np

from glioseg.draw import (
    DscLabels,
    Tile,
    draw_gif,
    dsc_curves_plot,
    dsc_plot,
    examples_sheet,
    frames,
    patients_plot,
    run_curves_plot,
    short_names,
)
from glioseg.draw.curves import CURVES, Columns
from glioseg.errors import Fault, InputError
from glioseg.measure import Scores
from glioseg.report.document import Block, Heading, Paragraph, Picture
from glioseg.report.page import BASELINE_SCORE, Page, number, scores_or_none
from glioseg.runs.compare import scores_of
from glioseg.runs.folder import RunFolder
from glioseg.runs.patients import mask_path, stored_mask
from glioseg.runs.record import RunRecord
from glioseg.runs.rows import Row
from glioseg.scan import Scan, Segmentation

TILE = 232
"""Pixels a side of an example."""

MOVING = 168
"""Pixels of the longer side of an animation."""


def curves(page: Page) -> list[Block]:
    """Validation DSC by epoch, a panel for each comparison with the baseline."""
    return [_curves(page, page.rows, "curves.png", dsc_curves_plot, page.say("report.curves_caption"))]


def row_curves(page: Page, row: Row, place: int) -> list[Block]:
    """The three curves of a row over the baseline's."""
    alone = row is page.baseline
    rows = [row] if alone else [page.baseline, row]
    caption = page.say("report.base_curves_caption" if alone else "report.row_curves_caption", row=row.name)
    if row.recipe.loss != page.baseline.recipe.loss:
        caption = page.gap.join([caption, page.say("report.scales_caption")])
    return [_curves(page, rows, f"curves_{place:02d}.png", run_curves_plot, caption)]


def _curves(
    page: Page,
    rows: Sequence[Row],
    file: str,
    plot: Callable[[Mapping[str, Sequence[Columns]], Path, Mapping[str, str], str | None], object],
    caption: str,
) -> Picture:
    labels = {column: page.label(f"report.curve.{column}") for column in CURVES}
    runs: dict[str, list[Columns]] = {page.drawn(row): [run.curves for run in row.runs] for row in rows}
    plot(runs, page.out / file, labels, page.font)
    if any(len(row.runs) > 1 for row in rows):
        caption = page.gap.join([caption, page.say("report.band_caption")])
    return Picture(file, caption)


def patients(page: Page) -> list[Block]:
    """Scores by patient of all rows in one figure."""
    if not page.scored:
        return []
    drawn = {page.drawn(row): scores_of(row, BASELINE_SCORE) for row in page.scored}
    patients_plot(drawn, page.out / "patients.png", page.label("report.patients_axis"), page.font)
    return [
        Heading(page.say("report.patients")),
        Picture("patients.png", page.say("report.patients_caption")),
        *_widest(page),
    ]


def row_scores(page: Page, row: Row, place: int) -> list[Block]:
    """The bars of a row's patients."""
    scores = scores_or_none(row, BASELINE_SCORE)
    if scores is None:
        return []
    file = f"dsc_{place:02d}.png"
    own = page.label_language == page.language
    foot = fill(
        page.described(scores) if own else scores.protocol.describe(),
        90 if own and page.language == "zh" else 170,
    )
    labels = DscLabels(
        page.label("report.statistic.mean"),
        page.label("report.statistic.median"),
        page.label("report.skipped"),
        "DSC",
        foot,
    )
    dsc_plot(scores, page.out / file, labels, page.font)
    return [Picture(file, page.say("report.bars_caption", row=row.name))]


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
    """Best, median and worst patient by the mean over the rows, of every row whose masks are at hand."""
    compared = [row for row in page.scored if not row.folds] or page.scored
    if not compared:
        return []
    means: dict[str, list[float]] = {}
    for row in compared:
        for patient, value in scores_of(row, "own").counted.items():
            means.setdefault(patient, []).append(value)
    chosen = _chosen({patient: float(np.mean(values)) for patient, values in means.items()})
    # Also rows that the statistics leave out: what a network marks can be looked at under any protocol.
    others = [row for row in page.rows if row not in compared and not row.folds]
    able = [row for row in (*compared, *others) if all(_scored(row, one) for one in chosen)]
    shown = [row for row in able if all(_has_mask(_run_of(row, one), one) for one in chosen)]
    lines = []
    try:
        if not shown:
            raise InputError(Fault("report.no_masks", chosen[0]))
        for place, row in enumerate(shown, start=1):
            # Names of rows may be Chinese, which the font of the sheet cannot draw; those of recipes are not.
            seed = f", seed {_run_of(row, chosen[0]).recipe.train.seed}" if len(row.seeds) > 1 else ""
            heading = f"{place}  {row.recipe.name}{seed}"
            lines.append((heading, [_tile(page, row, one) for one in chosen]))
    except InputError as error:
        return [
            Heading(page.say("report.examples")),
            Paragraph(page.say("report.examples_missing", reason=error)),
        ]
    file = page.wordless("examples.png", lambda path: examples_sheet(lines, path))
    rows = page.joined([f"{place} {row.name}" for place, row in enumerate(shown, start=1)])
    caption = [page.say("report.examples_caption", patients=", ".join(chosen), rows=rows)]
    if absent := [row.name for row in able if row not in shown]:
        caption.append(page.say("report.examples_absent", rows=page.joined(absent)))
    return [Heading(page.say("report.examples")), Picture(file, page.gap.join(caption))]


def row_examples(page: Page, row: Row, place: int) -> list[Block]:
    """Best, median and worst patient of a row, and all slices of the worst one as an animation."""
    scores = scores_or_none(row, "own")
    if scores is None or not scores.counted:
        return []
    chosen = _chosen(scores.counted)
    still, moving = f"examples_{place:02d}.png", f"worst_{place:02d}.gif"
    try:
        for patient in chosen:
            if not _has_mask(_run_of(row, patient), patient) and not page.drawn_before(still, moving):
                raise InputError(Fault("report.no_masks", patient))
        tiles = [_tile(page, row, patient) for patient in chosen]
        _, scan, predicted, truth = _masks(page, row, chosen[-1])
    except InputError as error:
        return [Paragraph(page.say("report.examples_missing", reason=error))]
    still = page.wordless(still, lambda path: examples_sheet([("", tiles)], path))
    moving = page.wordless(
        moving,
        lambda path: draw_gif(
            scan,
            predicted,
            truth,
            path,
            size=MOVING,
            seconds=0.4,
            positions=_outlined(scan, predicted, truth),
            small=True,
        ),
    )
    name = row.name
    if len(row.seeds) > 1:
        name = page.say("report.with_seed", row=name, seed=_run_of(row, chosen[0]).recipe.train.seed)
    return [
        Picture(still, page.say("report.row_examples_caption", row=name, patients=", ".join(chosen))),
        Picture(moving, page.say("report.row_moving_caption", row=name, patient=chosen[-1])),
    ]


def _chosen(scores: Mapping[str, float]) -> list[str]:
    """The best, the median and the worst patient; fewer where these are the same."""
    ranked = sorted(scores, key=lambda patient: -scores[patient])
    return list(dict.fromkeys([ranked[0], ranked[len(ranked) // 2], ranked[-1]]))


def _outlined(scan: Scan, *masks: Segmentation | None) -> list[int]:
    """Positions of the slices with an outline, and of their neighbours; of all where none has one."""
    marked = np.zeros(len(scan.voxels), bool)
    for mask in masks:
        if mask is not None:
            marked |= mask.mask.any(axis=(1, 2))
    near = marked.copy()
    near[1:] |= marked[:-1]
    near[:-1] |= marked[1:]
    return np.flatnonzero(near if near.any() else ~near).tolist()


def _masks(
    page: Page, row: Row, patient: str
) -> tuple[RunRecord, Scan, Segmentation | None, Segmentation | None]:
    """The run that scored a patient, its scan, and predicted and true mask."""
    run = _run_of(row, patient)
    folder = RunFolder(run.path)
    scan, truth = page.patient(folder, patient)
    return run, scan, stored_mask(folder, scan), truth


def _run_of(row: Row, patient: str) -> RunRecord:
    """The run of a row that scored a patient, if there are several one whose mask is at hand."""
    runs = _scored(row, patient)
    return next((run for run in runs if _has_mask(run, patient)), runs[0])


def _scored(row: Row, patient: str) -> list[RunRecord]:
    """The runs of a row that scored a patient."""
    return [run for run in row.runs if (scores := run.scores("own")) and patient in scores.values]


def _has_mask(run: RunRecord, patient: str) -> bool:
    return mask_path(RunFolder(run.path), patient) is not None


def _tile(page: Page, row: Row, patient: str) -> Tile:
    """The slice with the largest true lesion, outlined, square, with the patient and both DSCs."""
    run, scan, predicted, truth = _masks(page, row, patient)
    shown = truth or predicted
    if shown is None:
        raise InputError(Fault("report.no_masks", patient))
    position = int(shown.mask.sum(axis=(1, 2)).argmax())
    (picture,) = frames(scan, predicted, truth, size=TILE, positions=[position], numbered=False, crop=True)
    square = np.zeros((TILE, TILE, 3), np.uint8)
    height, width = (min(TILE, side) for side in picture.shape[:2])
    top, left = (TILE - height) // 2, (TILE - width) // 2
    square[top : top + height, left : left + width] = picture[:height, :width]
    (name,) = short_names([patient])
    own, reference = run.scores("own"), run.scores(BASELINE_SCORE)
    return Tile(square, f"{name}  {_score(own, patient)} | {_score(reference, patient)}")


def _score(scores: Scores | None, patient: str) -> str:
    return "-" if scores is None else number(scores.values.get(patient))
