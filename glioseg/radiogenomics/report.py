"""The report of a study: one HTML page, the same as Markdown, pictures, and every number as CSV and JSON."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from functools import partial
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
from glioseg.report.language import check_language
from glioseg.words import Phrase, sentence

Say = partial[str]
"""Gives a sentence of the catalogue in the report's language."""

_BEVR = PAPER[0]
_SHOWN = 3
_FAR = 6


def write_report(study: AssociationStudy, out: Path, language: str = "en") -> list[Path]:
    """Write ``index.html``, ``report.md``, PNGs, ``features.csv``, ``associations.csv``, ``auc.csv`` and
    ``study.json`` into a folder; with predicted masks also ``manual_features.csv``.

    The same study gives the same bytes. No path of the machine is written.

    Args:
        study: what was found.
        out: the folder.
        language: of the page, ``"en"`` or ``"zh"``; the pictures and tables of numbers are in English.

    Raises:
        InputError: the folder cannot be written, or there is no such language.
    """
    check_language(language)
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
    blocks = _blocks(study, out, partial(sentence, "sentences", language=language))
    written += [out / block.file for block in blocks if isinstance(block, Picture)]
    written.append(write_text(out / "report.md", to_markdown(blocks)))
    written.append(
        write_text(out / "index.html", to_html(blocks, out, "zh-CN" if language == "zh" else language))
    )
    return written


def _blocks(study: AssociationStudy, out: Path, say: Say) -> list[Block]:
    def headed(name: str, *blocks: Block) -> list[Block]:
        return [Heading(say(f"radiogenomics.heading.{name}")), *blocks]

    def said(phrase: Phrase) -> str:
        return phrase.text(say.keywords["language"])

    title = "radiogenomics.title_predicted" if study.predicted else "radiogenomics.title_manual"
    blocks: list[Block] = [
        Heading(say(title), 1),
        Paragraph(said(wording.summary(study))),
        *headed("warnings", Notes([said(warning) for warning in wording.warnings(study)])),
    ]
    published = _published(study, say)
    if published is not None:
        blocks += headed("paper", published)
    blocks += headed("features", _quartiles(study, say))
    blocks += headed("association", *_associations(study, out, say))
    blocks += headed("medians", _medians(study.tests.paper, say))
    blocks += headed("areas", *_areas(study, out, say))
    if study.truth is not None:
        blocks += headed("agreement", *_agreement(study, out, say))
    blocks += headed("gallery", *_gallery(study, out, say))
    blocks += headed("other", *_explored(study.tests, say))
    blocks += headed("missing", *_missing(study, say))
    cite = Paragraph(say("radiogenomics.cite", citation=flow(wording.CITATION)))
    return [*blocks, *headed("methods", Paragraph(said(wording.methods(study))), cite)]


def _header(say: Say, *names: str) -> list[str]:
    """Titles of columns."""
    return [say(f"radiogenomics.column.{name}") if name else "" for name in names]


def _published(study: AssociationStudy, say: Say) -> Table | None:
    """The paper's own claims beside ours, where the columns are those of the LGG data set."""
    rows = []
    for test in study.tests.paper:
        bound = wording.PUBLISHED_P.get((test.feature, test.column))
        if bound is not None and isinstance(test.fisher, MonteCarlo):
            verdict = say("radiogenomics.as_paper" if test.fisher.p < bound else "radiogenomics.weaker")
            title = say(f"shape.{test.feature}")
            what = say("radiogenomics.fisher_of", feature=title, column=test.column)
            rows.append([what, f"< {bound:g}", format_p(test.fisher.p), str(test.patients), verdict])
    for one in study.tests.discriminations:
        if (one.feature, one.column, one.level) == (_BEVR, "RNASeqCluster", "2"):
            counted = str(one.area.positives + one.area.negatives) if isinstance(one.area, Auc) else "0"
            area = wording.published_area().text(say.keywords["language"])
            rows.append([say("radiogenomics.area_of"), area, format_auc(one.area), counted, ""])
    caption = say("radiogenomics.paper_caption")
    return Table(_header(say, "", "paper", "here", "patients", ""), rows, caption) if rows else None


def _quartiles(study: AssociationStudy, say: Say) -> Table:
    rows = []
    for name in PAPER:
        values = study.table.column(name)
        defined = values[~np.isnan(values)]
        quartiles = np.percentile(defined, (25, 50, 75)) if len(defined) else [math.nan] * 3
        rows.append([say(f"shape.{name}"), str(len(defined)), *(f"{quartile:.3f}" for quartile in quartiles)])
    header = _header(say, "feature", "patients", "first_quartile", "median", "third_quartile")
    return Table(header, rows)


def _associations(study: AssociationStudy, out: Path, say: Say) -> list[Block]:
    """For each feature its table of p-values and its boxes; with predicted masks also the manual table."""
    blocks: list[Block] = []
    for name in PAPER:
        tests = [test for test in study.tests.paper if test.feature == name]
        file = f"{name}_by_category.png"
        figures.draw_boxes(out / file, study.table.column(name), study.labels, tests)
        title = say(f"shape.{name}")
        caption = say("radiogenomics.boxes_caption", feature=title)
        family = {"tests": len(study.tests.paper), "significant": SIGNIFICANT}
        blocks += [Heading(title, 3), _p_values(tests, say("radiogenomics.p_caption", **family), say)]
        if study.truth_tests is not None:
            manual = [test for test in study.truth_tests.paper if test.feature == name]
            blocks.append(_p_values(manual, say("radiogenomics.p_manual_caption", **family), say))
        blocks.append(Picture(file, caption))
    return blocks


def _p_values(tests: Sequence[Association], caption: str, say: Say) -> Table:
    header = _header(say, "column", "n", "fisher", "bonferroni", "benjamini", "cramer")
    header += _header(say, "kruskal", "bonferroni", "benjamini", "epsilon")
    rows, strong = [], set()
    for place, test in enumerate(tests):
        fisher = test.fisher.p if isinstance(test.fisher, MonteCarlo) else math.nan
        kruskal = test.kruskal if isinstance(test.kruskal, KruskalWallis) else KruskalWallis(*[math.nan] * 3)
        row = [test.column, str(test.patients)]
        row += [format_p(p) for p in (fisher, test.bonferroni, test.benjamini_hochberg)]
        row.append(_two(float(test.cramers_v), say))
        row += [format_p(p) for p in (kruskal.p, test.kruskal_bonferroni, test.kruskal_benjamini_hochberg)]
        row.append(_two(kruskal.epsilon_squared, say))
        rows.append(row)
        corrected = {3: test.bonferroni, 4: test.benjamini_hochberg}
        corrected |= {7: test.kruskal_bonferroni, 8: test.kruskal_benjamini_hochberg}
        strong |= {(place, column) for column, p in corrected.items() if p < SIGNIFICANT}
    return Table(header, rows, caption, frozenset(strong))


def _medians(tests: Sequence[Association], say: Say) -> Table:
    by_level: dict[tuple[str, str], dict[str, str]] = {}
    for test in tests:
        for level in test.levels:
            known = f"{level.median:.3f} ({level.patients})"
            cell = known if level.patients else say("radiogenomics.no_patient")
            by_level.setdefault((test.column, level.name), {})[test.feature] = cell
    rows = [
        [column, level, *(cells.get(name, "") for name in PAPER)]
        for (column, level), cells in by_level.items()
    ]
    header = [*_header(say, "column", "category"), *(say(f"shape.{name}") for name in PAPER)]
    return Table(header, rows, say("radiogenomics.medians_caption"))


def _areas(study: AssociationStudy, out: Path, say: Say) -> list[Block]:
    tests = study.tests.discriminations
    figures.draw_auc(out / "auc.png", tests)
    cells: dict[tuple[str, str], list[str]] = {}
    for test in tests:
        cells.setdefault((test.column, test.level), []).append(format_auc(test.area))
    scores = list(dict.fromkeys(test.score for test in tests))
    named = [say("radiogenomics.column.area", score=score.replace("_", " ")) for score in scores]
    header = [*_header(say, "column", "category"), *named]
    caption = say("radiogenomics.areas_caption")
    if study.truth_tests is not None:
        manual = {(one.feature, one.column, one.level): one for one in study.truth_tests.discriminations}
        header.append(say("radiogenomics.column.manual_area", score=scores[0].replace("_", " ")))
        for (column, level), row in cells.items():
            row.append(_manual_area(manual, column, level))
    rows = [[column, level, *row] for (column, level), row in cells.items()]
    return [Picture("auc.png", say("radiogenomics.auc_caption")), Table(header, rows, caption)]


def _manual_area(manual: Mapping[tuple[str, str, str], Discrimination], column: str, level: str) -> str:
    found = manual.get((_BEVR, column, level))
    return "" if found is None else format_auc(found.area)


def _agreement(study: AssociationStudy, out: Path, say: Say) -> list[Block]:
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
            why = say("radiogenomics.not_defined_because", reason=found.reason)
            rows.append([say(f"shape.{name}"), "", why, "", ""])
        else:
            interval = say("radiogenomics.range", low=f"{found.low:.2f}", high=f"{found.high:.2f}")
            numbers = (str(found.n), f"{found.pearson:.2f}", interval, f"{found.spearman:.2f}")
            rows.append([say(f"shape.{name}"), *numbers])
    true, predicted = pairs[_BEVR]
    furthest, missing = [], say("radiogenomics.column.missing")
    for id in far[_BEVR]:
        place = patients.index(id)
        values = (f"{study.dice[id]:.3f}", f"{true[place]:.3f}", f"{predicted[place]:.3f}")
        furthest.append(
            [id, *values, *(study.labels[column][place] or missing for column in study.columns[:1])]
        )
    scores = [*study.dice.values()] or [math.nan]
    median, least = f"{np.median(scores):.3f}", f"{min(scores):.3f}"
    dice = say("radiogenomics.agreement", median=median, least=least)
    header = _header(say, "feature", "patients", "pearson", "interval", "spearman")
    far_header = [*_header(say, "patient", "dice", "manual", "predicted"), *study.columns[:1]]
    caption = say("radiogenomics.furthest_caption")
    return [
        Paragraph(dice),
        Picture("correlation.png", say("radiogenomics.correlation_caption")),
        Table(header, rows),
        Table(far_header, furthest, caption),
    ]


def _gallery(study: AssociationStudy, out: Path, say: Say) -> list[Block]:
    values = study.table.column(_BEVR)
    ranked = [study.table.patients[place] for place in np.argsort(values, kind="stable")][
        : int((~np.isnan(values)).sum())
    ]
    # The same tumour is not shown at both ends.
    shown = min(_SHOWN, len(ranked) // 2)
    if not shown:
        return [Paragraph(say("radiogenomics.gallery_none"))]
    by_patient = dict(zip(study.table.patients, values, strict=True))
    colours = say("radiogenomics.colours_predicted" if study.predicted else "radiogenomics.colours_manual")
    blocks: list[Block] = []
    for which, patients in (("most", ranked[:shown]), ("least", ranked[::-1][:shown])):
        file = f"{which}_irregular.png"
        lesions = [(id, float(by_patient[id]), *study.masks_of(id)) for id in patients]
        figures.draw_gallery(out / file, lesions)
        blocks.append(Picture(file, say(f"radiogenomics.gallery.{which}", colours=colours)))
    return blocks


def _explored(tests: Findings, say: Say) -> list[Block]:
    clear = [test for test in tests.explored if test.kruskal_benjamini_hochberg < SIGNIFICANT]
    text = say("radiogenomics.explored", tests=len(tests.explored), clear=len(clear), significant=SIGNIFICANT)
    if not clear:
        return [Paragraph(text)]
    rows = [
        [
            say(f"shape.{test.feature}"),
            FEATURES[test.feature].unit,
            test.column,
            str(test.patients),
            format_p(test.kruskal.p),
            format_p(test.kruskal_benjamini_hochberg),
            _two(test.kruskal.epsilon_squared, say),
        ]
        for test in sorted(clear, key=lambda test: test.kruskal_benjamini_hochberg)
        if isinstance(test.kruskal, KruskalWallis)
    ]
    header = _header(say, "feature", "unit", "column", "n", "kruskal", "benjamini", "epsilon")
    return [Paragraph(text), Table(header, rows)]


def _missing(study: AssociationStudy, say: Say) -> list[Block]:
    patients = list(study.table.rows)
    rows = [[column, str(sum(label is None for label in labels))] for column, labels in study.labels.items()]
    caption = say("radiogenomics.missing_caption", patients=len(patients))
    blocks: list[Block] = [Table(_header(say, "column", "missing"), rows, caption)]
    undefined = [[why, str(count), ", ".join(features)] for why, count, features in study.table.reasons()]
    if undefined:
        blocks.append(Table(_header(say, "reason", "patients", "features"), undefined))
    left_out = "; ".join(f"{column}: {why}" for column, why in study.left_out.items())
    if left_out:
        blocks.append(Paragraph(say("radiogenomics.left_out", columns=left_out)))
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


def _two(number: float, say: Say) -> str:
    return say("radiogenomics.not_defined") if math.isnan(number) else f"{number:.2f}"
