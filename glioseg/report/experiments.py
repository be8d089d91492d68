"""The report on a list of runs: what each changed, whether it helped, and all that shows it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath
from textwrap import fill
from typing import Any

import numpy as np

from glioseg.draw import (
    DscLabels,
    chinese_font,
    dsc_plot,
    frames,
    patients_plot,
    tile,
    with_text,
    write_png,
)
from glioseg.draw.curves import CURVES, SMOOTHING, run_curves_plot
from glioseg.draw.outlines import Picture as Pixels
from glioseg.errors import Fault, InputError
from glioseg.evaluation.compare import RowComparison, compare_rows, scores_of
from glioseg.evaluation.cost import Cost, measure_cost
from glioseg.evaluation.runs import (
    ProtocolName,
    Row,
    RunRecord,
    differences,
    group_runs,
    read_patient,
    read_runs,
    stored_mask,
)
from glioseg.files import make_folder, write_text
from glioseg.metrics import Scores, check_same_protocol
from glioseg.recipe import Recipe
from glioseg.report.document import (
    Block,
    Commands,
    Heading,
    Notes,
    Paragraph,
    Picture,
    Table,
    to_html,
    to_markdown,
)
from glioseg.report.words import ENGLISH, PROTOCOL_CHINESE, phrase, words
from glioseg.training.run import RunFolder

FAULTY = "as_published."
"""What the names of the losses begin with that are faulty on purpose."""

TILE = 200
BASELINE_SCORE: ProtocolName = "reference"


@dataclass(frozen=True)
class Headline:
    """What a study says about itself.

    Attributes:
        title: of the page; the language's own by default.
        introduction: first paragraphs.
        names: name of the row by name of the run folder; otherwise the recipe says it.
        published: DSC that a publication gives, by name of the row.
        plain: by name of the row, what figures call it where no font can draw its name.
    """

    title: str | None = None
    introduction: Sequence[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[str, float] = field(default_factory=dict)
    plain: Mapping[str, str] = field(default_factory=dict)


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
        raise InputError(Fault("the report", "at least one run folder", "none", "Name run folders."))
    headline = headline or Headline()
    rows = group_runs(read_runs(runs), headline.names)
    make_folder(out)
    blocks = _Report(rows, out, language, headline).blocks()
    write_text(out / "report.md", to_markdown(blocks))
    return write_text(out / "index.html", to_html(blocks, out, "zh-CN" if language == "zh" else language))


@dataclass(frozen=True)
class _Report:
    """Rows on their way to becoming blocks."""

    rows: Sequence[Row]
    out: Path
    language: str
    headline: Headline

    @cached_property
    def words(self) -> Mapping[str, str]:
        return words(self.language)

    @cached_property
    def font(self) -> str | None:
        return chinese_font() if self.language == "zh" else None

    @cached_property
    def labels(self) -> Mapping[str, str]:
        """Words of the figures: English where no font can draw others."""
        return self.words if self.language == "en" or self.font else ENGLISH

    @property
    def baseline(self) -> Row:
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

    def blocks(self) -> list[Block]:
        """The whole report."""
        word = self.words
        introduction = [Paragraph(text) for text in self.headline.introduction]
        return [
            Heading(self.headline.title or word["title"], 1),
            *(introduction or [Paragraph(word["task_text"])]),
            Heading(word["experiments"]),
            *self._experiments(),
            *self._faulty(),
            Heading(word["changes"]),
            *self._changes(),
            Heading(word["curves"]),
            *self._curves(),
            *self._patients(),
            *self._examples(),
            Heading(word["failures"]),
            *self._failures(),
            Heading(word["cost"]),
            *self._cost(),
            Heading(word["task"]),
            *([Paragraph(word["task_text"])] if introduction else []),
            Heading(word["data"]),
            *self._data(),
            Heading(word["protocol"]),
            *self._protocol(),
            Heading(word["statistics"]),
            *self._statistics(),
            Heading(word["environment"]),
            *self._environment(),
        ]

    def _experiments(self) -> list[Block]:
        word = self.words
        published = self.headline.published
        keys = ["row", "runs", "best", "epoch", "reference", "median", "own"]
        header = [word[f"column_{key}"] for key in keys]
        header += [word["column_published"]] if published else []
        header += [word["column_difference"], word["column_verdict"]]
        table = []
        for row in self.rows:
            best = [dsc for dsc, _ in row.best]
            cells = [
                row.name,
                str(len(row.runs)),
                _spread(best),
                ", ".join(str(epoch) for _, epoch in row.best),
                _with_interval(row, "reference"),
                _number(scores.median) if (scores := _scores(row, "reference")) is not None else "",
                _with_interval(row, "own"),
            ]
            cells += [_number(published.get(row.name), 4)] if published else []
            one = self.comparisons.get((row.name, self.baseline.name))
            cells += [f"{one.patients.difference:+.3f}" if one else "", self._verdict(row)]
            table.append(cells)
        notes = [word["experiments_caption"]]
        if published:
            notes.append(word["published_note"])
        if any(len(row.runs) == 1 for row in self.rows):
            notes.append(word["one_seed"])
        return [Table(header, table), Notes(notes)]

    def _verdict(self, row: Row) -> str:
        word = self.words
        if any(run.manifest.get("status") == "failed" for run in row.runs):
            return word["verdict_failed"]
        if row.name in self.incomparable:
            return word["verdict_unscored"]
        if any(run.collapse for run in row.runs):
            return word["verdict_collapsed"]
        if row is self.baseline:
            return word["verdict_baseline"]
        one = self.comparisons.get((row.name, self.baseline.name))
        if one is None or one.verdict == "few":
            return word["verdict_unscored"]
        return word[f"verdict_{one.verdict}"]

    def _sentence(self, one: RowComparison) -> str:
        """What a comparison found, and its numbers."""
        word = self.words
        patients = one.patients
        numbers = word["comparison"].format(
            statistic=word[patients.statistic],
            difference=f"{patients.difference:+.3f}",
            low=f"{patients.interval.low:+.3f}",
            high=f"{patients.interval.high:+.3f}",
            p=_p(patients.p),
            adjusted=_p(patients.adjusted_p),
            patients=patients.patients,
        )
        verdict = {"better": "helped", "worse": "harmed", "equal": "equal", "few": "few"}[one.verdict]
        seeds = ""
        if patients.better is not None and one.verdict == "equal":
            seeds = word["equal_seeds"].format(spread=_number(one.seed_spread)) + self._gap
        return f"{word[verdict]}{self._gap}{seeds}{numbers}"

    @property
    def _gap(self) -> str:
        """What stands between two sentences."""
        return "" if self.language == "zh" else " "

    def _changes(self) -> list[Block]:
        word = self.words
        blocks: list[Block] = []
        for row in self.rows:
            blocks.append(Heading(row.name, 3))
            if row is self.baseline:
                text = f"{row.recipe.summary}. " if row.recipe.summary and self.language == "en" else ""
                blocks.append(Paragraph(text + word["baseline"]))
                continue
            changes = [
                word["change"].format(key=key, value=self._value(value), base=self._value(base))
                for key, value, base in differences(row.recipe, self.baseline.recipe)
            ]
            joint = "；" if self.language == "zh" else "; "
            text = word["changed"].format(changes=joint.join(changes)) if changes else word["unchanged"]
            blocks.append(Paragraph(text))
            one = self.comparisons.get((row.name, self.baseline.name))
            collapse = self._collapse(row)
            sentence = self._sentence(one) if one else self._verdict(row)
            blocks.append(Paragraph(self._gap.join([*collapse, sentence])))
        return blocks

    def _value(self, value: Any) -> str:
        return self.words["absent"] if value is None else str(value)

    def _faulty(self) -> list[Block]:
        """What the rows show whose loss is faulty on purpose."""
        word = self.words
        found: list[Block] = []
        for row in self.rows:
            if not row.recipe.loss.name.startswith(FAULTY):
                continue
            kind = "no_sigmoid" if "without_sigmoid" in row.recipe.loss.name else "double_sigmoid"
            parts = [word[f"faulty_{kind}"].format(row=row.name, **self._outcome(row)), *self._collapse(row)]
            other = self.corrected.get(row.name)
            if other is not None:
                parts.append(word["faulty_corrected"].format(row=other.name, **self._outcome(other)))
                one = self.comparisons.get((row.name, other.name))
                parts += [word["faulty_difference"].format(text=self._sentence(one))] if one else []
            found.append(Paragraph(self._gap.join(parts)))
        return [Heading(word["faulty"]), *found] if found else []

    def _outcome(self, row: Row) -> dict[str, str]:
        losses = [run.curves["loss"][-1] for run in row.runs if run.curves.get("loss")]
        scores = _scores(row, BASELINE_SCORE)
        return {
            "loss": _number(float(np.mean(losses))) if losses else self.words["absent"],
            "dsc": _number(scores.mean) if scores is not None else self.words["verdict_unscored"],
        }

    def _curves(self) -> list[Block]:
        word, label = self.words, self.labels
        labels = {column: label[f"curve_{column}"] for column in CURVES}
        runs = {self._drawn(row): [run.curves for run in row.runs] for row in self.rows}
        run_curves_plot(runs, self.out / "curves.png", labels, self.font)
        return [Picture("curves.png", word["curves_caption"].format(weight=SMOOTHING))]

    def _drawn(self, row: Row) -> str:
        """The name of a row in figures."""
        return row.name if self.labels is self.words else self.headline.plain.get(row.name, row.name)

    def _patients(self) -> list[Block]:
        word, label = self.words, self.labels
        if not self.scored:
            return []
        scores = {row.name: scores_of(row, BASELINE_SCORE) for row in self.scored}
        drawn = {self._drawn(row): scores[row.name] for row in self.scored}
        patients_plot(drawn, self.out / "patients.png", label["patients_axis"], self.font)
        blocks: list[Block] = [
            Heading(word["patients"]),
            Picture("patients.png", word["patients_caption"]),
            *self._widest(),
        ]
        for number, (name, each) in enumerate(scores.items()):
            file = f"dsc_{number:02d}.png"
            own = label is self.words
            foot = fill(
                self._described(each) if own else each.protocol.describe(),
                90 if own and self.language == "zh" else 170,
            )
            labels = DscLabels(label["mean"], label["median"], label["skipped"], "DSC", foot)
            dsc_plot(each, self.out / file, labels, self.font)
            blocks.append(Picture(file, word["bars_caption"].format(row=name)))
        return blocks

    def _widest(self) -> list[Block]:
        """The patient whose score varies most between rows, and what that does to a mean."""
        rows = [row for row in self.scored if not any(run.collapse for run in row.runs)]
        if len(rows) < 2:
            return []
        scores = [scores_of(row, BASELINE_SCORE).values for row in rows]
        shared = set(scores[0]).intersection(*scores[1:])
        ranges = {patient: [each[patient] for each in scores] for patient in sorted(shared)}
        patient = max(ranges, key=lambda patient: max(ranges[patient]) - min(ranges[patient]))
        low, high = min(ranges[patient]), max(ranges[patient])
        text = self.words["widest"].format(
            patient=patient,
            low=_number(low),
            high=_number(high),
            patients=len(scores[0]),
            effect=_number((high - low) / len(scores[0])),
        )
        return [Paragraph(text)]

    def _examples(self) -> list[Block]:
        """Best, median and worst patient by the mean over the rows."""
        word = self.words
        shown = [row for row in self.scored if not row.folds] or self.scored
        if not shown:
            return []
        means: dict[str, list[float]] = {}
        for row in shown:
            for patient, value in scores_of(row, BASELINE_SCORE).counted.items():
                means.setdefault(patient, []).append(value)
        ranked = sorted(means, key=lambda patient: -float(np.mean(means[patient])))
        patients = list(dict.fromkeys([ranked[0], ranked[len(ranked) // 2], ranked[-1]]))
        pictures: dict[tuple[str, str], Pixels] = {}
        try:
            for patient in patients:
                for number, row in enumerate(shown, start=1):
                    pictures[row.name, patient] = _example(row, patient, number)
        except InputError as error:
            return [Heading(word["examples"]), Paragraph(word["examples_missing"].format(reason=error))]
        sheet = tile([pictures[row.name, patient] for row in shown for patient in patients], len(patients))
        write_png(sheet, self.out / "examples.png")
        rows = "; ".join(f"{number} {row.name}" for number, row in enumerate(shown, start=1))
        caption = word["examples_caption"].format(patients=", ".join(patients), rows=rows)
        return [Heading(word["examples"]), Picture("examples.png", caption)]

    def _failures(self) -> list[Block]:
        word = self.words
        notes = []
        for row in self.rows:
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
            notes += self._collapse(row)
        notes += [
            word["failure_mixed"].format(row=row.name, reason=self.incomparable[row.name])
            for row in self.rows
            if row.name in self.incomparable and all(run.evaluation for run in row.runs)
        ]
        return [Notes(notes)] if notes else [Paragraph(word["failures_none"])]

    def _collapse(self, row: Row) -> list[str]:
        found = []
        for run in row.runs:
            if run.collapse is not None and run.evaluation is not None:
                own = run.evaluation.own
                found.append(
                    self.words[f"failure_{run.collapse}"].format(
                        run=run.path.name,
                        sensitivity=_number(own["sensitivity"].mean),
                        precision=_number(own["precision"].mean),
                    )
                )
        return found

    def _cost(self) -> list[Block]:
        word = self.words
        costs: dict[str, Cost] = {}
        for row in self.rows:
            costs[row.name] = measure_cost(row.recipe, RunFolder(row.runs[0].path).model)
        keys = ("row", "parameters", "gmacs", "seconds", "minutes")
        table = []
        for row in self.rows:
            cost = costs[row.name]
            minutes = [float(run.manifest["training_minutes"]) for run in row.runs if run.finished]
            table.append(
                [
                    row.name,
                    f"{cost.parameters:,}",
                    f"{cost.gmacs:.2f}",
                    "" if cost.seconds is None else f"{1000 * cost.seconds:.1f}",
                    ", ".join(f"{one:.0f}" for one in minutes),
                ]
            )
        threads = next(iter(costs.values())).threads
        header = [word[f"column_{key}"] for key in keys]
        return [Table(header, table), Paragraph(word["cost_caption"].format(threads=threads))]

    def _data(self) -> list[Block]:
        word = self.words
        notes: list[str] = []
        for row in self.rows:
            manifests = [run.manifest for run in row.runs]
            split = manifests[0].get("split", {})
            train, validation = split.get("train", []), split.get("validation", [])
            if row.folds:
                patients = {patient for one in manifests for patient in one["split"]["validation"]}
                notes.append(word["data_folds"].format(patients=len(patients), folds=len(manifests)))
            else:
                notes.append(
                    word["data_patients"].format(
                        patients=len(train) + len(validation), train=len(train), validation=len(validation)
                    )
                )
                notes.append(word["data_validation"].format(patients=", ".join(validation)))
            slices, lesion = manifests[0].get("training_slices"), manifests[0].get("lesion_slices")
            if slices and lesion is not None:
                share = f"{100 * lesion / slices:.0f}"
                notes.append(word["data_slices"].format(slices=slices, lesion=lesion, share=share))
            fingerprint = manifests[0].get("data_fingerprint")
            name = "kfold" if row.folds else split.get("name")
            notes.append(word["data_split"].format(split=name, fingerprint=fingerprint))
        return [Notes(list(dict.fromkeys(notes)))]

    def _protocol(self) -> list[Block]:
        word = self.words
        notes = [word["protocol_curve"]]
        kinds: tuple[ProtocolName, ...] = ("reference", "own")
        for kind in kinds:
            sentences = dict.fromkeys(
                self._described(scores) for row in self.rows if (scores := _scores(row, kind)) is not None
            )
            notes += [word[f"protocol_{kind}"].format(text=text) for text in sentences]
        return [Notes(notes)]

    def _described(self, scores: Scores) -> str:
        protocol = scores.protocol
        if self.language == "en":
            return protocol.describe()
        said = {
            key: phrase(self.language, str(text))
            for key, text in {
                "unit": protocol.unit,
                "slices": protocol.slices,
                "postprocessing": protocol.postprocessing,
                "empty": protocol.empty,
                "checkpoint": protocol.checkpoint,
                "grid": protocol.grid,
            }.items()
        }
        return PROTOCOL_CHINESE.format(
            metric=protocol.declaration.title,
            threshold=f"{protocol.threshold:g}",
            patients=len(protocol.patients),
            **said,
        )

    def _statistics(self) -> list[Block]:
        word = self.words
        blocks: list[Block] = [Paragraph(word["statistics_text"])]
        if self.comparisons:
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
                    _p(one.patients.p),
                    _p(one.patients.adjusted_p),
                ]
                for one in self.comparisons.values()
            ]
            blocks.append(Table(header, table))
        return blocks

    def _environment(self) -> list[Block]:
        word = self.words
        records = [run for row in self.rows for run in row.runs]
        machines = dict.fromkeys(
            word["environment_text"].format(
                glioseg=manifest.get("glioseg"),
                python=manifest.get("python"),
                system=manifest.get("system"),
                cores=manifest.get("cores"),
                packages=", ".join(f"{name} {version}" for name, version in manifest["packages"].items()),
            )
            for manifest in (run.manifest for run in records)
            if "packages" in manifest
        )
        commands = [command for run in records for command in _commands(run)]
        return [
            *(Paragraph(text) for text in machines),
            Heading(word["commands"]),
            Paragraph(word["commands_text"]),
            Commands(commands),
        ]


def _example(row: Row, patient: str, number: int) -> Pixels:
    """The slice with the largest true lesion, outlined, square, with the number of the row and its DSC."""
    run = next(run for run in row.runs if (scores := run.scores("own")) and patient in scores.values)
    folder = RunFolder(run.path)
    scan, truth = read_patient(folder, patient)
    predicted = stored_mask(folder, scan)
    shown = truth or predicted
    if shown is None:
        raise InputError(Fault(patient, "a mask", "neither truth nor prediction", "Evaluate the run again."))
    area = shown.voxels.sum(axis=(1, 2))
    position = int(area.argmax())
    (picture,) = frames(scan, predicted, truth, size=TILE, positions=[position], numbered=False, crop=True)
    square = np.zeros((TILE, TILE, 3), np.uint8)
    height, width = (min(TILE, side) for side in picture.shape[:2])
    top, left = (TILE - height) // 2, (TILE - width) // 2
    square[top : top + height, left : left + width] = picture[:height, :width]
    score = run.scores(BASELINE_SCORE)
    value = f"  {score.values[patient]:.3f}" if score is not None else ""
    return with_text(square, f"{number}{value}")


def _commands(run: RunRecord) -> list[str]:
    """What trained and scored a run; of absolute paths only the last part, which is nobody's secret."""
    found = [str(run.manifest.get("command", ""))]
    scores = run.scores("own")
    if scores is not None:
        found.append(scores.command)
    return [shlex.join(map(_shown, shlex.split(command))) for command in found if command]


def _shown(part: str) -> str:
    for kind in (PurePosixPath, PureWindowsPath):
        path = kind(part)
        if path.is_absolute():
            return path.name
    return part


def _but_loss(recipe: Recipe) -> list[tuple[str, Any, Any]]:
    """Everything but names, seed, loss and when to give up, in comparison with an empty recipe."""
    aside = ("loss.name", "train.stuck_epochs")
    return [one for one in differences(recipe, Recipe()) if one[0] not in aside]


def _mended(loss: str) -> str:
    """The loss that has nothing but the fault mended."""
    name = loss.removeprefix(FAULTY)
    return "dice" if name == "dice_without_sigmoid" else name


def _scores(row: Row, protocol: ProtocolName) -> Scores | None:
    """Scores of a row, or ``None`` where it has none that belong together."""
    try:
        return scores_of(row, protocol)
    except InputError:
        return None


def _with_interval(row: Row, protocol: ProtocolName) -> str:
    scores = _scores(row, protocol)
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


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
