"""How the runs of a report came about: cost, data, protocol, environment."""

from __future__ import annotations

import shlex
from pathlib import PurePosixPath, PureWindowsPath

from glioseg.report.document import Block, Commands, Heading, Notes, Paragraph, Table
from glioseg.report.page import Page, scores_or_none
from glioseg.runs.record import ProtocolName, RunRecord


def facts(page: Page) -> list[Block]:
    """What was really run: how many rows and seeds, at which size, how long; and what was not."""
    runs = [run for row in page.rows for run in row.runs]
    finished = [run for run in runs if run.finished]
    notes = [
        page.say(
            "report.facts_rows",
            rows=len(page.rows),
            runs=len(runs),
            finished=len(finished),
            seeds=_range({len(row.runs) for row in page.rows}),
        ),
        page.say(
            "report.facts_size",
            sizes=_range({row.recipe.prepare.size for row in page.rows}),
            epochs=_range({len(run.curves.get("epoch", ())) for run in runs}),
        ),
    ]
    minutes = [float(run.manifest["training_minutes"]) for run in finished]
    if minutes:
        low, high, total = f"{min(minutes):.1f}", f"{max(minutes):.1f}", f"{sum(minutes):.0f}"
        notes.append(page.say("report.facts_minutes", low=low, high=high, total=total))
    if page.headline.missing:
        notes.append(page.say("report.facts_missing", rows=page.joined(page.headline.missing)))
    return [Notes(notes)]


def _range(numbers: set[int]) -> str:
    return "–".join(str(one) for one in dict.fromkeys((min(numbers), max(numbers))))


def cost(page: Page) -> list[Block]:
    """Parameters, arithmetic and time of each row; times also as multiples of the baseline's."""
    base = page.cost(page.baseline)
    keys = ("row", "parameters", "gmacs", "seconds", "times", "minutes")
    table = []
    for row in page.rows:
        cost = page.cost(row)
        minutes = [float(run.manifest["training_minutes"]) for run in row.runs if run.finished]
        timed = cost.seconds is not None and base.seconds is not None
        table.append(
            [
                row.name,
                f"{cost.parameters:,}",
                f"{cost.gmacs:.2f}",
                "" if cost.seconds is None else f"{1000 * cost.seconds:.0f}",
                f"{(cost.seconds or 0) / (base.seconds or 1):.1f}" if timed else "",
                ", ".join(f"{one:.1f}" for one in minutes),
            ]
        )
    header = [page.say(f"report.column.{key}") for key in keys]
    return [Table(header, table), Paragraph(page.say("report.cost_caption"))]


def data(page: Page) -> list[Block]:
    """Patients, slices and split."""
    notes: list[str] = []
    for row in page.rows:
        manifests = [run.manifest for run in row.runs]
        split = manifests[0].get("split", {})
        train, validation = split.get("train", []), split.get("validation", [])
        if row.folds:
            patients = {patient for one in manifests for patient in one["split"]["validation"]}
            notes.append(page.say("report.data_folds", patients=len(patients), folds=len(manifests)))
        else:
            notes.append(
                page.say(
                    "report.data_patients",
                    patients=len(train) + len(validation),
                    train=len(train),
                    validation=len(validation),
                )
            )
            notes.append(page.say("report.data_validation", patients=", ".join(validation)))
        slices, lesion = manifests[0].get("training_slices"), manifests[0].get("lesion_slices")
        if slices and lesion is not None:
            share = f"{100 * lesion / slices:.0f}"
            notes.append(page.say("report.data_slices", slices=slices, lesion=lesion, share=share))
        fingerprint = manifests[0].get("data_fingerprint")
        name = "kfold" if row.folds else split.get("name")
        notes.append(page.say("report.data_split", split=name, fingerprint=fingerprint))
    return [Notes(list(dict.fromkeys(notes)))]


def protocol(page: Page) -> list[Block]:
    """How the scores were made."""
    notes = [page.say("report.protocol_curve")]
    kinds: tuple[ProtocolName, ...] = ("reference", "own")
    for kind in kinds:
        sentences = dict.fromkeys(
            page.described(scores) for row in page.rows if (scores := scores_or_none(row, kind)) is not None
        )
        notes += [page.say(f"report.protocol.{kind}", text=text) for text in sentences]
    return [Notes(notes)]


def environment(page: Page) -> list[Block]:
    """Machine, packages and commands."""
    records = [run for row in page.rows for run in row.runs]
    machines = dict.fromkeys(
        page.say(
            "report.environment_text",
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
        Heading(page.say("report.commands")),
        Paragraph(page.say("report.commands_text")),
        Commands(commands),
    ]


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
