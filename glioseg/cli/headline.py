"""What a study says about itself, for the report on its runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glioseg.report import Headline
    from glioseg.studies.study import Study


def headline_of(study: Study, language: str, runs: Collection[str], title: str | None = None) -> Headline:
    """Title, introduction and names of a study in a language.

    Args:
        study: the study.
        language: of the report.
        runs: names of the run folders that the report is on; experiments without one are named as missing.
        title: instead of the study's.
    """
    from glioseg.report import Headline

    rows = list(study.experiments.values())
    planned = {run.name: experiment for run, experiment in study.plan().items()}
    begun = [experiment for name, experiment in planned.items() if name in runs]
    chinese = language == "zh"
    return Headline(
        title or (study.title_zh if chinese else None) or study.title,
        (study.introduction_zh if chinese else ()) or study.introduction,
        {name: row.name_in(language) for name, row in planned.items()},
        {row.name_in(language): row.published for row in rows if row.published is not None},
        {row.name_in(language): row.name for row in rows},
        [row.name_in(language) for row in rows if row not in begun],
    )
