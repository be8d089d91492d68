"""The report on a list of runs: what each changed, whether it helped, and all that shows it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glioseg.errors import Fault, InputError
from glioseg.files import make_folder, write_text
from glioseg.report import figures, methods
from glioseg.report.conclusions import conclusions, numbers_of
from glioseg.report.document import Block, Heading, Notes, Paragraph, Table, to_html, to_markdown
from glioseg.report.page import BASELINE_SCORE, FAULTY, Headline, Page, number, p_value, scores_or_none
from glioseg.report.words import words
from glioseg.runs.compare import RowComparison
from glioseg.runs.record import ProtocolName, read_runs
from glioseg.runs.rows import Row, differences, group_runs


def write_report(
    runs: Sequence[Path], out: Path, *, language: str = "en", headline: Headline | None = None
) -> Path:
    """Write ``index.html`` (complete in itself), ``report.md`` and the pictures beside it.

    Args:
        runs: run folders; those that differ in the seed or the fold alone become one row. The first row is
            the baseline that all others are compared with.
        out: folder of the report.
        language: ``"en"`` or ``"zh"``.
        headline: title, introduction, names of rows and published scores.

    Returns:
        The HTML page.

    Raises:
        InputError: there is no run, a folder is no run, or there is no such language.
    """
    words(language)
    if not runs:
        raise InputError(Fault("report.no_runs"))
    headline = headline or Headline()
    rows = group_runs(read_runs(runs), headline.names)
    make_folder(out)
    blocks = _blocks(Page(rows, out, language, headline))
    write_text(out / "report.md", to_markdown(blocks))
    return write_text(out / "index.html", to_html(blocks, out, "zh-CN" if language == "zh" else language))


def _blocks(page: Page) -> list[Block]:
    """The whole report."""
    word = page.words
    introduction = [Paragraph(text) for text in page.headline.introduction]
    return [
        Heading(page.headline.title or word["title"], 1),
        *(introduction or [Paragraph(word["task_text"])]),
        Heading(word["experiments"]),
        *_experiments(page),
        Heading(word["conclusions"]),
        *conclusions(page),
        *_faulty(page),
        Heading(word["changes"]),
        *_changes(page),
        Heading(word["curves"]),
        *figures.curves(page),
        *figures.patients(page),
        *figures.examples(page),
        Heading(word["failures"]),
        *_failures(page),
        Heading(word["cost"]),
        *methods.cost(page),
        Heading(word["task"]),
        *([Paragraph(word["task_text"])] if introduction else []),
        Heading(word["data"]),
        *methods.data(page),
        Heading(word["protocol"]),
        *methods.protocol(page),
        Heading(word["statistics"]),
        *_statistics(page),
        Heading(word["environment"]),
        *methods.environment(page),
    ]


def _experiments(page: Page) -> list[Block]:
    word = page.words
    published = page.headline.published
    keys = ["row", "runs", "best", "epoch", "reference", "median", "own"]
    header = [word[f"column_{key}"] for key in keys]
    header += [word["column_published"]] if published else []
    header += [word["column_difference"], word["column_verdict"]]
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
        cells += [f"{one.patients.difference:+.3f}" if one else "", _verdict(page, row)]
        table.append(cells)
    notes = [word["experiments_caption"]]
    if published:
        notes.append(word["published_note"])
    if any(len(row.runs) == 1 for row in page.rows):
        notes.append(word["one_seed"])
    return [Table(header, table), Notes(notes)]


def _verdict(page: Page, row: Row) -> str:
    word = page.words
    if any(run.manifest.get("status") == "failed" for run in row.runs):
        return word["verdict_failed"]
    if row.name in page.incomparable:
        return word["verdict_unscored"]
    if any(run.collapse for run in row.runs):
        return word["verdict_collapsed"]
    if row is page.baseline:
        return word["verdict_baseline"]
    one = page.comparisons.get((row.name, page.baseline.name))
    if one is None or one.verdict == "few":
        return word["verdict_unscored"]
    return word[f"verdict_{_shown(one)}"]


def _shown(one: RowComparison) -> str:
    """The verdict; ``higher`` or ``lower`` where it cannot be put down to a change."""
    unknown = {} if one.attributed else {"better": "higher", "worse": "lower"}
    return unknown.get(one.verdict, one.verdict)


def _sentence(page: Page, one: RowComparison) -> str:
    """What a comparison found, and its numbers."""
    word = page.words
    patients = one.patients
    numbers = numbers_of(page, one)
    shown = _shown(one)
    verdict = {"better": "helped", "worse": "harmed"}.get(shown, shown)
    seeds = ""
    if patients.better is not None and one.verdict == "equal" and not one.same_recipe:
        seeds = word["equal_seeds"].format(spread=number(one.seed_spread)) + page.gap
    return f"{word[verdict]}{page.gap}{seeds}{numbers}"


def _changes(page: Page) -> list[Block]:
    word = page.words
    blocks: list[Block] = []
    for row in page.rows:
        blocks.append(Heading(row.name, 3))
        if row is page.baseline:
            blocks.append(Paragraph(page.gap.join([_trained(page, row), word["baseline"]])))
            continue
        changes = [
            word["change"].format(key=key, value=_value(page, value), base=_value(page, base))
            for key, value, base in differences(row.recipe, page.baseline.recipe)
        ]
        joint = "；" if page.language == "zh" else "; "
        text = word["changed"].format(changes=joint.join(changes)) if changes else word["unchanged"]
        blocks.append(Paragraph(text))
        one = page.comparisons.get((row.name, page.baseline.name))
        collapse = _collapse(page, row)
        sentence = _sentence(page, one) if one else _verdict(page, row)
        blocks.append(Paragraph(page.gap.join([*collapse, sentence])))
    return blocks


def _trained(page: Page, row: Row) -> str:
    """What was run, from the run: a recipe's summary speaks of its own settings, which a study changes."""
    recipe = row.recipe
    epochs = dict.fromkeys(len(run.curves.get("epoch", ())) for run in row.runs)
    return page.words["baseline_run"].format(
        network=recipe.network.name,
        loss=recipe.loss.name,
        size=recipe.prepare.size,
        epochs=", ".join(map(str, epochs)),
        batch=recipe.train.batch_size,
    )


def _value(page: Page, value: Any) -> str:
    return page.words["absent"] if value is None else str(value)


def _faulty(page: Page) -> list[Block]:
    """What the rows show whose loss is faulty on purpose."""
    word = page.words
    found: list[Block] = []
    for row in page.rows:
        if not row.recipe.loss.name.startswith(FAULTY):
            continue
        kind = "no_sigmoid" if "without_sigmoid" in row.recipe.loss.name else "double_sigmoid"
        parts = [word[f"faulty_{kind}"].format(row=row.name, **_outcome(page, row)), *_collapse(page, row)]
        other = page.corrected.get(row.name)
        if other is not None:
            parts.append(word["faulty_corrected"].format(row=other.name, **_outcome(page, other)))
            one = page.comparisons.get((row.name, other.name))
            parts += [word["faulty_difference"].format(text=_sentence(page, one))] if one else []
        found.append(Paragraph(page.gap.join(parts)))
    return [Heading(word["faulty"]), *found] if found else []


def _outcome(page: Page, row: Row) -> dict[str, str]:
    losses = [run.curves["loss"][-1] for run in row.runs if run.curves.get("loss")]
    scores = scores_or_none(row, BASELINE_SCORE)
    return {
        "loss": number(float(np.mean(losses))) if losses else page.words["absent"],
        "dsc": number(scores.mean) if scores is not None else page.words["verdict_unscored"],
    }


def _failures(page: Page) -> list[Block]:
    word = page.words
    notes = []
    for row in page.rows:
        for run in row.runs:
            name, status = run.path.name, run.manifest.get("status")
            if status == "failed":
                reason = run.manifest.get("failure", "")
                notes.append(word["failure_stopped"].format(run=name, reason=reason))
            elif status != "finished":
                notes.append(word["failure_unfinished"].format(run=name, status=status))
            elif run.evaluation is None:
                command = f"glioseg evaluate {name} DATA"
                notes.append(word["failure_unscored"].format(run=name, command=command))
        notes += _collapse(page, row)
    notes += [
        word["failure_mixed"].format(row=row.name, reason=page.incomparable[row.name])
        for row in page.rows
        if row.name in page.incomparable and all(run.evaluation for run in row.runs)
    ]
    return [Notes(notes)] if notes else [Paragraph(word["failures_none"])]


def _collapse(page: Page, row: Row) -> list[str]:
    found = []
    for run in row.runs:
        if run.collapse is not None and run.evaluation is not None:
            own = run.evaluation.own
            found.append(
                page.words[f"failure_{run.collapse}"].format(
                    run=run.path.name,
                    sensitivity=number(own["sensitivity"].mean),
                    precision=number(own["precision"].mean),
                )
            )
    return found


def _statistics(page: Page) -> list[Block]:
    word = page.words
    blocks: list[Block] = [Paragraph(word["statistics_text"])]
    if page.comparisons:
        header = [
            word["column_row"],
            word["column_against"],
            word["column_difference_of_means"],
            word["column_interval"],
            word["column_p"],
            word["column_adjusted"],
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


def _spread(values: Iterable[float]) -> str:
    """Mean, and lowest to highest if there are several."""
    known = list(values)
    if not known:
        return ""
    mean = f"{np.mean(known):.3f}"
    return f"{mean} ({min(known):.3f}–{max(known):.3f})" if len(known) > 1 else mean
