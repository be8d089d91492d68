"""What all parts of a report share: the rows, what compares them, the language."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from glioseg.draw import chinese_font
from glioseg.errors import InputError
from glioseg.evaluation.cost import Cost, architecture
from glioseg.measure import Scores, check_same_protocol
from glioseg.recipe import Recipe
from glioseg.report.costs import kept_costs
from glioseg.runs.compare import RowComparison, compare_rows, scores_of
from glioseg.runs.folder import RunFolder
from glioseg.runs.patients import find_patient, place_of, read_patient
from glioseg.runs.record import ProtocolName
from glioseg.runs.rows import Row, differences
from glioseg.scan import Scan, Segmentation
from glioseg.words import sentence

FAULTY = "as_published."
"""What the names of the losses begin with that are faulty on purpose."""

BASELINE_SCORE: ProtocolName = "reference"
"""The scores that rows are compared by."""


@dataclass(frozen=True)
class Headline:
    """What a study says about itself.

    Attributes:
        title: of the page; the language's own by default.
        introduction: first paragraphs.
        names: name of the row by name of the run folder; otherwise the recipe says it.
        published: DSC that a publication gives, by name of the row.
        plain: by name of the row, what figures call it where no font can draw its name.
        missing: names of rows that belong to the study and were not run.
    """

    title: str | None = None
    introduction: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[str, float] = field(default_factory=dict)
    plain: Mapping[str, str] = field(default_factory=dict)
    missing: Sequence[str] = ()


@dataclass(frozen=True)
class Page:
    """Rows on their way to becoming blocks.

    Attributes:
        rows: the first is the baseline.
        out: folder of the report.
        language: of the texts.
        headline: what a study says about itself.
        shared: folder of the same report in another language; pictures without words and the measured costs
            are taken from there, and put there where they are missing.
    """

    rows: Sequence[Row]
    out: Path
    language: str
    headline: Headline
    shared: Path | None = None
    _patients: dict[tuple[Any, ...], tuple[Scan, Segmentation | None]] = field(
        default_factory=dict, repr=False
    )

    def say(self, code: str, **parameters: object) -> str:
        """A sentence of the catalogue in the report's language."""
        return sentence("sentences", code, self.language, **parameters)

    @cached_property
    def font(self) -> str | None:
        """A font that draws the report's language, if an ordinary one does not."""
        return chinese_font() if self.language == "zh" else None

    @property
    def label_language(self) -> str:
        """The language of the figures: English where no font can draw the report's."""
        return "en" if self.language == "zh" and not self.font else self.language

    def label(self, code: str) -> str:
        """A text of the catalogue for a figure."""
        return sentence("sentences", code, self.label_language)

    @property
    def baseline(self) -> Row:
        """The row that the others are compared with."""
        return self.rows[0]

    @cached_property
    def incomparable(self) -> dict[str, str]:
        """Why a row stands outside of the statistics, by name."""
        found = {}
        for row in self.rows:
            try:
                scores = scores_of(row, BASELINE_SCORE)
                if row is not self.baseline and self.baseline.name not in found:
                    first = scores_of(self.baseline, BASELINE_SCORE)
                    check_same_protocol(first, scores, (self.baseline.name, row.name))
            except InputError as error:
                found[row.name] = "; ".join(f"{one.where}: {one.found}" for one in error.faults)
        return found

    @cached_property
    def scored(self) -> list[Row]:
        """The rows that can be compared."""
        return [row for row in self.rows if row.name not in self.incomparable]

    @cached_property
    def several_seeds(self) -> list[str]:
        """The rows that have more seeds than one, where not every row has the same."""
        if len({row.seeds for row in self.scored}) < 2:
            return []
        return [row.name for row in self.scored if len(row.seeds) > 1]

    @cached_property
    def corrected(self) -> dict[str, Row]:
        """By name of each faulty row, the row that has nothing but its loss mended."""
        return {
            row.name: other
            for row in self.rows
            if row.recipe.loss.name.startswith(FAULTY)
            for other in self.rows
            if _but_loss(other.recipe) == _but_loss(row.recipe)
            and other.recipe.loss.name == _mended(row.recipe.loss.name)
        }

    @cached_property
    def comparisons(self) -> dict[tuple[str, str], RowComparison]:
        """Every row with the baseline and every faulty one with its corrected one, as one family of tests."""
        pairs = []
        if self.baseline in self.scored:
            pairs = [(row, self.baseline) for row in self.scored if row is not self.baseline]
        for row in self.scored:
            other = self.corrected.get(row.name)
            if other in self.scored and (row, other) not in pairs:
                pairs.append((row, other))
        compared = compare_rows(pairs, BASELINE_SCORE)
        return {(one.first.name, one.second.name): one for one in compared}

    @cached_property
    def costs(self) -> dict[str, Cost]:
        """Cost of each architecture, kept beside the report for other languages."""
        path = (self.shared or self.out) / "costs.json"
        return kept_costs([row.recipe for row in self.rows], path, known=self.shared is not None)

    def cost(self, row: Row) -> Cost:
        """Cost of a row's network."""
        return self.costs[architecture(row.recipe)]

    def wordless(self, name: str, draw: Callable[[Path], object]) -> str:
        """Draw a picture without words, if another language has not done so; give its address.

        Args:
            name: of the file.
            draw: writes the picture to a path.
        """
        path = (self.shared or self.out) / name
        if self.shared is None or not path.is_file():
            draw(path)
        return Path(os.path.relpath(path, self.out)).as_posix()

    def drawn_before(self, *names: str) -> bool:
        """Whether such pictures without words lie in the folder that reports share."""
        return self.shared is not None and all((self.shared / name).is_file() for name in names)

    def patient(self, run: RunFolder, patient: str) -> tuple[Scan, Segmentation | None]:
        """A patient's scan and truth, read once for all rows.

        Raises:
            InputError: the data are not there any more, or lack the patient.
        """
        key = (str(place_of(run, patient)), str(run.recipe.labels), str(run.recipe.input.sequences), patient)
        if key not in self._patients:
            self._patients[key] = read_patient(run, find_patient(run, patient))
        return self._patients[key]

    def joined(self, items: Sequence[str]) -> str:
        """Several things in one sentence."""
        return ("；" if self.language == "zh" else "; ").join(items)

    @property
    def gap(self) -> str:
        """What stands between two sentences."""
        return "" if self.language == "zh" else " "

    def drawn(self, row: Row) -> str:
        """The name of a row in figures."""
        return (
            row.name if self.label_language == self.language else self.headline.plain.get(row.name, row.name)
        )

    def described(self, scores: Scores) -> str:
        """The protocol of scores in the report's language."""
        return scores.protocol.describe().text(self.language)


def scores_or_none(row: Row, protocol: ProtocolName) -> Scores | None:
    """Scores of a row, or ``None`` where it has none that belong together."""
    try:
        return scores_of(row, protocol)
    except InputError:
        return None


def number(value: float | None, digits: int = 3) -> str:
    """A value with so many digits; nothing for none."""
    return "" if value is None else f"{value:.{digits}f}"


def p_value(value: float) -> str:
    """A p-value as papers print it."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _but_loss(recipe: Recipe) -> list[tuple[str, Any, Any]]:
    """Everything but names, seed, loss and when to give up, in comparison with an empty recipe."""
    aside = ("loss.name", "train.stuck_epochs")
    return [one for one in differences(recipe, Recipe()) if one[0] not in aside]


def _mended(loss: str) -> str:
    """The loss that has nothing but the fault mended."""
    name = loss.removeprefix(FAULTY)
    return "dice" if name == "dice_without_sigmoid" else name
