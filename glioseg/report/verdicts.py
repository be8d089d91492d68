"""Whether a row helped, in a word and in a sentence, and how its settings differ from the baseline's."""

from __future__ import annotations

from typing import Any

from glioseg.report.conclusions import numbers_of
from glioseg.report.page import Page, number
from glioseg.runs.compare import RowComparison
from glioseg.runs.rows import Row, differences


def verdict(page: Page, row: Row) -> str:
    """In a word or a few: whether a row helped."""
    if any(run.manifest.get("status") == "failed" for run in row.runs):
        return page.say("report.verdict.failed")
    if row.name in page.incomparable:
        scored = all(run.evaluation for run in row.runs)
        return page.say("report.verdict.incomparable" if scored else "report.verdict.unscored")
    if any(run.collapse for run in row.runs):
        return page.say("report.verdict.collapsed")
    if row is page.baseline:
        return page.say("report.verdict.baseline")
    one = page.comparisons.get((row.name, page.baseline.name))
    if one is None or one.verdict == "few":
        return page.say("report.verdict.unscored")
    return page.say(f"report.verdict.{_shown(one)}")


def sentence(page: Page, one: RowComparison) -> str:
    """What a comparison found, and its numbers."""
    shown = _shown(one)
    verdict = {"better": "helped", "worse": "harmed"}.get(shown, shown)
    return page.gap.join([page.say(f"report.outcome.{verdict}"), numbers_of(page, one)])


def changed(page: Page, row: Row) -> str:
    """The settings in which a row differs from the baseline, and its capacity where that differs too."""
    found = [
        page.say("report.change", setting=key, value=_value(page, value), base=_value(page, base))
        for key, value, base in differences(row.recipe, page.baseline.recipe)
    ]
    text = page.say("report.changed", changes=page.joined(found)) if found else page.say("report.unchanged")
    own, base = page.cost(row).parameters, page.cost(page.baseline).parameters
    if own == base:
        return text
    share = f"{own / base:.2f}"
    capacity = page.say("report.capacity", parameters=f"{own:,}", base=f"{base:,}", share=share)
    return page.gap.join([text, capacity])


def collapses(page: Page, row: Row) -> list[str]:
    """A sentence for each run of a row that collapsed."""
    found = []
    for run in row.runs:
        if run.collapse is not None and run.evaluation is not None:
            own = run.evaluation.own
            found.append(
                page.say(
                    f"report.failure.{run.collapse}",
                    run=run.path.name,
                    sensitivity=number(own["sensitivity"].mean),
                    precision=number(own["precision"].mean),
                )
            )
    return found


def _shown(one: RowComparison) -> str:
    """The verdict; ``higher`` or ``lower`` where it cannot be put down to a change."""
    unknown = {} if one.attributed else {"better": "higher", "worse": "lower"}
    return unknown.get(one.verdict, one.verdict)


def _value(page: Page, value: Any) -> str:
    return page.say("report.absent") if value is None else str(value)
