"""The report on a list of runs: what each changed, whether it helped, and all that shows it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from glioseg.errors import Fault, InputError
from glioseg.files import make_folder, write_text
from glioseg.report import each, figures, methods
from glioseg.report.conclusions import conclusions
from glioseg.report.document import Block, Heading, Notes, Paragraph, Table, to_html, to_markdown
from glioseg.report.language import check_language
from glioseg.report.page import BASELINE_SCORE, FAULTY, Headline, Page, number, p_value, scores_or_none
from glioseg.report.verdicts import collapses, sentence, verdict
from glioseg.runs.record import ProtocolName, read_runs
from glioseg.runs.rows import Row, group_runs


def write_report(
    runs: Sequence[Path],
    out: Path,
    *,
    language: str = "en",
    headline: Headline | None = None,
    shared: Path | None = None,
) -> Path:
    """Write ``index.html`` (complete in itself), ``report.md`` and the pictures beside it.

    Args:
        runs: run folders; those that differ in the seed or the fold alone become one row. The first row is
            the baseline that all others are compared with.
        out: folder of the report.
        language: ``"en"`` or ``"zh"``.
        headline: title, introduction, names of rows and published scores.
        shared: folder of the same report in another language. Pictures that hold no words and the measured
            costs are taken from there, so that both reports show the same and nothing lies there twice.

    Returns:
        The HTML page.

    Raises:
        InputError: there is no run, a folder is no run, or there is no such language.
    """
    check_language(language)
    if not runs:
        raise InputError(Fault("report.no_runs"))
    headline = headline or Headline()
    rows = group_runs(read_runs(runs), headline.names)
    make_folder(out)
    blocks = _blocks(Page(rows, out, language, headline, shared))
    write_text(out / "report.md", to_markdown(blocks))
    return write_text(out / "index.html", to_html(blocks, out, "zh-CN" if language == "zh" else language))


def _blocks(page: Page) -> list[Block]:
    """The whole report."""
    introduction = [Paragraph(text) for text in page.headline.introduction]
    # Without an introduction the task is what the report begins with.
    task: list[Block] = [Heading(page.say("report.task")), Paragraph(page.say("report.task_text"))]
    task = task if introduction else []
    return [
        Heading(page.headline.title or page.say("report.title"), 1),
        *(introduction or [Paragraph(page.say("report.task_text"))]),
        *methods.facts(page),
        Heading(page.say("report.experiments")),
        *_experiments(page),
        Heading(page.say("report.conclusions")),
        *conclusions(page),
        *_faulty(page),
        Heading(page.say("report.curves")),
        *figures.curves(page),
        *figures.patients(page),
        *figures.examples(page),
        Heading(page.say("report.changes")),
        *each.experiments(page),
        Heading(page.say("report.failures")),
        *_failures(page),
        Heading(page.say("report.cost")),
        *methods.cost(page),
        *task,
        Heading(page.say("report.data")),
        *methods.data(page),
        Heading(page.say("report.protocol")),
        *methods.protocol(page),
        Heading(page.say("report.statistics")),
        *_statistics(page),
        Heading(page.say("report.environment")),
        *methods.environment(page),
    ]


def _experiments(page: Page) -> list[Block]:
    published = page.headline.published
    keys = ["row", "runs", "best", "epoch", "reference", "median", "own"]
    header = [page.say(f"report.column.{key}") for key in keys]
    header += [page.say("report.column.published")] if published else []
    header += [page.say("report.column.difference"), page.say("report.column.verdict")]
    table = []
    for row in page.rows:
        best = [dsc for dsc, _ in row.best]
        cells = [
            row.name,
            str(len(row.runs)),
            _spread(best),
            ", ".join(str(epoch) for _, epoch in row.best),
            _with_interval(row, "reference"),
            number(scores.median) if (scores := scores_or_none(row, "reference")) is not None else "",
            _with_interval(row, "own"),
        ]
        cells += [number(published.get(row.name), 4)] if published else []
        one = page.comparisons.get((row.name, page.baseline.name))
        cells += [f"{one.patients.difference:+.3f}" if one else "", verdict(page, row)]
        table.append(cells)
    notes = [page.say("report.experiments_caption")]
    if published:
        notes.append(page.say("report.published_note"))
    if any(len(row.runs) == 1 for row in page.rows):
        notes.append(page.say("report.one_seed"))
    if page.several_seeds:
        notes.append(page.say("report.unequal_seeds"))
    if scratch := [row.name for row in page.rows if _from_scratch(row)]:
        notes.append(page.say("report.from_scratch", rows=page.joined(scratch)))
    return [Table(header, table), Notes(notes)]


def _faulty(page: Page) -> list[Block]:
    """What the rows show whose loss is faulty on purpose."""
    found: list[Block] = []
    for row in page.rows:
        if not row.recipe.loss.name.startswith(FAULTY):
            continue
        kind = "no_sigmoid" if "without_sigmoid" in row.recipe.loss.name else "double_sigmoid"
        parts = [
            page.say(f"report.faulty.{kind}", row=row.name, **_outcome(page, row)),
            *collapses(page, row),
        ]
        other = page.corrected.get(row.name)
        if other is not None:
            parts.append(page.say("report.faulty_corrected", row=other.name, **_outcome(page, other)))
            one = page.comparisons.get((row.name, other.name))
            parts += [page.say("report.faulty_difference", text=sentence(page, one))] if one else []
        found.append(Paragraph(page.gap.join(parts)))
    return [Heading(page.say("report.faulty")), *found] if found else []


def _outcome(page: Page, row: Row) -> dict[str, str]:
    losses = [run.curves["loss"][-1] for run in row.runs if run.curves.get("loss")]
    scores = scores_or_none(row, BASELINE_SCORE)
    return {
        "loss": number(float(np.mean(losses))) if losses else page.say("report.absent"),
        "dsc": number(scores.mean) if scores is not None else page.say("report.verdict.unscored"),
    }


def _failures(page: Page) -> list[Block]:
    notes = []
    for row in page.rows:
        for run in row.runs:
            name, status = run.path.name, run.manifest.get("status")
            if status == "failed":
                reason = run.manifest.get("failure", "")
                notes.append(page.say("report.failure.stopped", run=name, reason=reason))
            elif status != "finished":
                notes.append(page.say("report.failure.unfinished", run=name, status=status))
            elif run.evaluation is None:
                command = f"glioseg evaluate {name} DATA"
                notes.append(page.say("report.failure.unscored", run=name, command=command))
        notes += collapses(page, row)
    notes += [
        page.say("report.failure.mixed", row=row.name, reason=page.incomparable[row.name])
        for row in page.rows
        if row.name in page.incomparable and all(run.evaluation for run in row.runs)
    ]
    return [Notes(notes)] if notes else [Paragraph(page.say("report.failures_none"))]


def _statistics(page: Page) -> list[Block]:
    blocks: list[Block] = [Paragraph(page.say("report.statistics_text"))]
    if page.comparisons:
        header = [
            page.say("report.column.row"),
            page.say("report.column.against"),
            page.say("report.column.difference_of_means"),
            page.say("report.column.interval"),
            page.say("report.column.p"),
            page.say("report.column.adjusted"),
        ]
        table = [
            [
                one.first.name,
                one.second.name,
                f"{one.patients.difference:+.3f}",
                f"{one.patients.interval.low:+.3f} – {one.patients.interval.high:+.3f}",
                p_value(one.patients.p),
                p_value(one.patients.adjusted_p),
            ]
            for one in page.comparisons.values()
        ]
        blocks.append(Table(header, table))
    return blocks


def _with_interval(row: Row, protocol: ProtocolName) -> str:
    scores = scores_or_none(row, protocol)
    if scores is None:
        return ""
    low, high = scores.interval()
    return f"{scores.mean:.3f}" if math.isnan(low) else f"{scores.mean:.3f} ({low:.3f}–{high:.3f})"


def _from_scratch(row: Row) -> bool:
    """Whether the encoder could have had trained weights to start from, and had not."""
    return row.recipe.network.arguments.get("pretrained") == "none"


def _spread(values: Iterable[float]) -> str:
    """Mean, and lowest to highest if there are several."""
    known = list(values)
    if not known:
        return ""
    mean = f"{np.mean(known):.3f}"
    return f"{mean} ({min(known):.3f}–{max(known):.3f})" if len(known) > 1 else mean
