"""The report of a study: one HTML page, the same as Markdown, pictures, and every number as CSV and JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glioseg._version import __version__
from glioseg.files import make_folder, write_json, write_text
from glioseg.measure.shape.features import FEATURES
from glioseg.measure.statistics import Auc
from glioseg.measure.values import NotDefined
from glioseg.radiogenomics import figures, wording
from glioseg.radiogenomics.association import Association, Discrimination
from glioseg.radiogenomics.statistics import KruskalWallis, MonteCarlo, format_auc, format_p
from glioseg.radiogenomics.study import PAPER, AssociationStudy, Findings
from glioseg.radiogenomics.wording import SIGNIFICANT, flow
from glioseg.report.document import (
    Block,
    Heading,
    Notes,
    Paragraph,
    Picture,
    Table,
    to_html,
    to_markdown,
)

_BEVR = PAPER[0]
_SHOWN = 3
_FAR = 6


def write_report(study: AssociationStudy, out: Path) -> list[Path]:
    """Write ``index.html``, ``report.md``, PNGs, ``features.csv``, ``associations.csv``, ``auc.csv`` and
    ``study.json`` into a folder; with predicted masks also ``manual_features.csv``.

    The same study gives the same bytes. No path of the machine is written.

    Raises:
        InputError: the folder cannot be written.
    """
    make_folder(out)
    tests = [*study.tests.paper, *study.tests.explored]
    written = [
        study.table.write_csv(out / "features.csv"),
        _write_rows(out / "associations.csv", [_flat(test) for test in tests]),
        _write_rows(out / "auc.csv", [test.to_dict() for test in study.tests.discriminations]),
        write_json(out / "study.json", {"glioseg": __version__, **study.to_dict()}),
    ]
    if study.truth is not None:
        written.append(study.truth.write_csv(out / "manual_features.csv"))
    blocks = _blocks(study, out)
    written += [out / block.file for block in blocks if isinstance(block, Picture)]
    written.append(write_text(out / "report.md", to_markdown(blocks)))
    written.append(write_text(out / "index.html", to_html(blocks, out)))
    return written


def _blocks(study: AssociationStudy, out: Path) -> list[Block]:
    masks = "predicted masks" if study.predicted else "manual masks"
    blocks: list[Block] = [
        Heading(f"Tumour shape and genomic subtype: {masks}", 1),
        Paragraph(wording.summary(study)),
        Heading("Before you read the numbers"),
        Notes(wording.warnings(study)),
    ]
    published = _published(study)
    if published is not None:
        blocks += [Heading("Beside the paper"), published]
    blocks += [Heading("Features"), _quartiles(study), Heading("Association"), *_associations(study, out)]
    blocks += [Heading("Medians by category"), _medians(study.tests.paper)]
    blocks += [Heading("One category against the rest"), *_areas(study, out)]
    if study.truth is not None:
        blocks += [Heading("Predicted against manual masks"), *_agreement(study, out)]
    blocks += [Heading("The most and the least irregular tumours"), *_gallery(study, out)]
    blocks += [Heading("Other features"), *_explored(study.tests)]
    blocks += [Heading("Missing values"), *_missing(study)]
    blocks += [
        Heading("Methods"),
        Paragraph(wording.methods(study)),
        Paragraph(f"Cite: {flow(wording.CITATION)}"),
    ]
    return blocks


def _published(study: AssociationStudy) -> Table | None:
    """The paper's own claims beside ours, where the columns are those of the LGG data set."""
    rows = []
    for test in study.tests.paper:
        bound = wording.PUBLISHED_P.get((test.feature, test.column))
        if bound is not None and isinstance(test.fisher, MonteCarlo):
            verdict = "as the paper" if test.fisher.p < bound else "weaker than the paper"
            what = f"{FEATURES[test.feature].title} x {test.column}, Fisher p"
            rows.append([what, f"< {bound:g}", format_p(test.fisher.p), str(test.patients), verdict])
    for one in study.tests.discriminations:
        if (one.feature, one.column, one.level) == (_BEVR, "RNASeqCluster", "2"):
            counted = str(one.area.positives + one.area.negatives) if isinstance(one.area, Auc) else "0"
            what = "AUC of 1 / bounding ellipsoid volume ratio, RNASeqCluster = 2"
            rows.append([what, wording.published_area(), format_auc(one.area), counted, ""])
    caption = "P-values without correction, as the paper gives them. They move with the choice of patients."
    return Table(["", "paper, 110 patients", "here", "patients", ""], rows, caption) if rows else None


def _quartiles(study: AssociationStudy) -> Table:
    rows = []
    for name in PAPER:
        values = study.table.column(name)
        defined = values[~np.isnan(values)]
        quartiles = np.percentile(defined, (25, 50, 75)) if len(defined) else [math.nan] * 3
        rows.append([FEATURES[name].title, str(len(defined)), *(f"{quartile:.3f}" for quartile in quartiles)])
    return Table(["feature", "patients", "first quartile", "median", "third quartile"], rows)


def _associations(study: AssociationStudy, out: Path) -> list[Block]:
    """For each feature its table of p-values and its boxes; with predicted masks also the manual table."""
    blocks: list[Block] = []
    for name in PAPER:
        tests = [test for test in study.tests.paper if test.feature == name]
        file = f"{name}_by_category.png"
        figures.draw_boxes(out / file, study.table.column(name), study.labels, tests)
        caption = flow(f"""{FEATURES[name].title} by category. Box: quartiles and median; a point a patient;
            dotted: the median of all, where the split is.""")
        family = f"corrected over {len(study.tests.paper)} tests; below {SIGNIFICANT} they stand out"
        blocks += [Heading(FEATURES[name].title, 3), _p_values(tests, f"P-values, {family}.")]
        if study.truth_tests is not None:
            manual = [test for test in study.truth_tests.paper if test.feature == name]
            blocks.append(_p_values(manual, f"The same with the manual masks of these patients, {family}."))
        blocks.append(Picture(file, caption))
    return blocks


def _p_values(tests: Sequence[Association], caption: str) -> Table:
    header = ["column", "n", "Fisher p", "Bonferroni", "Benjamini-Hochberg", "Cramer's V"]
    header += ["Kruskal-Wallis p", "Bonferroni", "Benjamini-Hochberg", "epsilon squared"]
    rows, strong = [], set()
    for place, test in enumerate(tests):
        fisher = test.fisher.p if isinstance(test.fisher, MonteCarlo) else math.nan
        kruskal = test.kruskal if isinstance(test.kruskal, KruskalWallis) else KruskalWallis(*[math.nan] * 3)
        row = [test.column, str(test.patients)]
        row += [format_p(p) for p in (fisher, test.bonferroni, test.benjamini_hochberg)]
        row.append(_two(float(test.cramers_v)))
        row += [format_p(p) for p in (kruskal.p, test.kruskal_bonferroni, test.kruskal_benjamini_hochberg)]
        row.append(_two(kruskal.epsilon_squared))
        rows.append(row)
        corrected = {3: test.bonferroni, 4: test.benjamini_hochberg}
        corrected |= {7: test.kruskal_bonferroni, 8: test.kruskal_benjamini_hochberg}
        strong |= {(place, column) for column, p in corrected.items() if p < SIGNIFICANT}
    return Table(header, rows, caption, frozenset(strong))


def _medians(tests: Sequence[Association]) -> Table:
    by_level: dict[tuple[str, str], dict[str, str]] = {}
    for test in tests:
        for level in test.levels:
            cell = f"{level.median:.3f} ({level.patients})" if level.patients else "no patient"
            by_level.setdefault((test.column, level.name), {})[test.feature] = cell
    rows = [
        [column, level, *(cells.get(name, "") for name in PAPER)]
        for (column, level), cells in by_level.items()
    ]
    header = ["column", "category", *(FEATURES[name].title for name in PAPER)]
    return Table(
        header, rows, "Median, and in brackets the number of patients. Categories as the table codes them."
    )


def _areas(study: AssociationStudy, out: Path) -> list[Block]:
    tests = study.tests.discriminations
    figures.draw_auc(out / "auc.png", tests)
    cells: dict[tuple[str, str], list[str]] = {}
    for test in tests:
        cells.setdefault((test.column, test.level), []).append(format_auc(test.area))
    scores = list(dict.fromkeys(test.score for test in tests))
    header = ["column", "category", *(f"AUC of {score.replace('_', ' ')}" for score in scores)]
    caption = (
        "Area under the ROC curve with its 95 % interval (DeLong), not corrected for the number of areas."
    )
    if study.truth_tests is not None:
        manual = {(one.feature, one.column, one.level): one for one in study.truth_tests.discriminations}
        header.append(f"manual masks, {scores[0].replace('_', ' ')}")
        for (column, level), row in cells.items():
            row.append(_manual_area(manual, column, level))
    rows = [[column, level, *row] for (column, level), row in cells.items()]
    orange = (
        "AUC of each feature for one category against the others; orange where the interval leaves out 0.5."
    )
    return [Picture("auc.png", orange), Table(header, rows, caption)]


def _manual_area(manual: Mapping[tuple[str, str, str], Discrimination], column: str, level: str) -> str:
    found = manual.get((_BEVR, column, level))
    return "" if found is None else format_auc(found.area)


def _agreement(study: AssociationStudy, out: Path) -> list[Block]:
    """Correlation of each feature, and the patients that lie furthest off in the paper's features."""
    assert study.truth is not None
    patients = study.table.patients
    pairs = {name: (study.truth.column(name, patients), study.table.column(name)) for name in PAPER}
    far: dict[str, list[str]] = {}
    for name, (true, predicted) in pairs.items():
        ranked = sorted(zip(np.abs(predicted - true), patients, strict=True), reverse=True)
        far[name] = [id for distance, id in ranked if not math.isnan(distance)][:_FAR]
    figures.draw_correlation(out / "correlation.png", pairs, study.correlations, patients, far)
    rows = []
    for name, found in study.correlations.items():
        if isinstance(found, NotDefined):
            rows.append([FEATURES[name].title, "", f"not defined: {found.reason}", "", ""])
        else:
            interval = f"{found.low:.2f} to {found.high:.2f}"
            numbers = (str(found.n), f"{found.pearson:.2f}", interval, f"{found.spearman:.2f}")
            rows.append([FEATURES[name].title, *numbers])
    true, predicted = pairs[_BEVR]
    furthest = []
    for id in far[_BEVR]:
        place = patients.index(id)
        values = (f"{study.dice[id]:.3f}", f"{true[place]:.3f}", f"{predicted[place]:.3f}")
        furthest.append(
            [id, *values, *(study.labels[column][place] or "missing" for column in study.columns[:1])]
        )
    scores = [*study.dice.values()] or [math.nan]
    dice = flow(f"""Dice coefficient on the scans' own grids, all slices: median {np.median(scores):.3f},
        least {min(scores):.3f}.""")
    header = ["feature", "patients", "Pearson's r", "95 % interval (Fisher's z)", "Spearman's rho"]
    far_header = ["patient", "Dice", "manual", "predicted", *study.columns[:1]]
    caption = "The patients whose bounding ellipsoid volume ratio differs most between the masks."
    return [
        Paragraph(dice),
        Picture(
            "correlation.png",
            "Each patient a point; those furthest from the dotted line of equality are named.",
        ),
        Table(header, rows),
        Table(far_header, furthest, caption),
    ]


def _gallery(study: AssociationStudy, out: Path) -> list[Block]:
    values = study.table.column(_BEVR)
    ranked = [study.table.patients[place] for place in np.argsort(values, kind="stable")][
        : int((~np.isnan(values)).sum())
    ]
    # The same tumour is not shown at both ends.
    shown = min(_SHOWN, len(ranked) // 2)
    if not shown:
        return [Paragraph("Fewer than two tumours have a bounding ellipsoid volume ratio.")]
    by_patient = dict(zip(study.table.patients, values, strict=True))
    colours = (
        "red: the predicted mask, green: the manual one" if study.predicted else "green: the manual mask"
    )
    blocks: list[Block] = []
    for which, patients in (("most", ranked[:shown]), ("least", ranked[::-1][:shown])):
        file = f"{which}_irregular.png"
        lesions = [(id, float(by_patient[id]), *study.masks_of(id)) for id in patients]
        figures.draw_gallery(out / file, lesions)
        caption = flow(f"""The {which} irregular tumours by bounding ellipsoid volume ratio. Above: the slice
            of largest area, {colours}, dashed: the ellipsoid in that slice. Below: the largest component
            within its ellipsoid; the height is not to scale.""")
        blocks.append(Picture(file, caption))
    return blocks


def _explored(tests: Findings) -> list[Block]:
    clear = [test for test in tests.explored if test.kruskal_benjamini_hochberg < SIGNIFICANT]
    text = flow(f"""{len(tests.explored)} tests of size, shape and FLAIR intensity, a family of their own;
        {len(clear)} have a Kruskal-Wallis p below {SIGNIFICANT} after Benjamini and Hochberg's correction.
        FLAIR values are those of the files and depend on the scanner. All tests are in associations.csv.""")
    if not clear:
        return [Paragraph(text)]
    rows = [
        [
            FEATURES[test.feature].title,
            FEATURES[test.feature].unit,
            test.column,
            str(test.patients),
            format_p(test.kruskal.p),
            format_p(test.kruskal_benjamini_hochberg),
            _two(test.kruskal.epsilon_squared),
        ]
        for test in sorted(clear, key=lambda test: test.kruskal_benjamini_hochberg)
        if isinstance(test.kruskal, KruskalWallis)
    ]
    header = ["feature", "unit", "column", "n", "Kruskal-Wallis p", "Benjamini-Hochberg", "epsilon squared"]
    return [Paragraph(text), Table(header, rows)]


def _missing(study: AssociationStudy) -> list[Block]:
    patients = list(study.table.rows)
    rows = [[column, str(sum(label is None for label in labels))] for column, labels in study.labels.items()]
    caption = (
        f"Patients of {len(patients)} without a category. They are left out of the tests of that column."
    )
    blocks: list[Block] = [Table(["column", "missing"], rows, caption)]
    undefined = [[why, str(count), ", ".join(features)] for why, count, features in study.table.reasons()]
    if undefined:
        blocks.append(Table(["not defined because", "patients", "features"], undefined))
    left_out = "; ".join(f"{column}: {why}" for column, why in study.left_out.items())
    if left_out:
        blocks.append(Paragraph(f"Columns that were not tested: {left_out}."))
    return blocks


def _flat(test: Association) -> dict[str, Any]:
    """One row of ``associations.csv``; the categories in one cell."""
    row = test.to_dict()
    row["levels"] = "; ".join(
        f"{level.name}: {level.low} low, {level.high} high, median {level.median:.6g}"
        for level in test.levels
    )
    return row


def _write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        cells = {name: "NaN" if value is None else value for name, value in row.items()}
        writer.writerow(
            {name: f"{cell:.10g}" if isinstance(cell, float) else cell for name, cell in cells.items()}
        )
    return write_text(path, text.getvalue())


def _two(number: float) -> str:
    return "not defined" if math.isnan(number) else f"{number:.2f}"
