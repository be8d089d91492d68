"""How the runs of a report came about: cost, data, protocol, environment."""

from __future__ import annotations

import json
import shlex
from pathlib import PurePosixPath, PureWindowsPath

from glioseg.evaluation.cost import Cost, measure_cost
from glioseg.report.document import Block, Commands, Heading, Notes, Paragraph, Table
from glioseg.report.page import Page, scores_or_none
from glioseg.runs.folder import RunFolder
from glioseg.runs.record import ProtocolName, RunRecord
from glioseg.runs.rows import Row


def cost(page: Page) -> list[Block]:
    """Parameters, arithmetic and time of each row."""
    costs = _costs(page)
    keys = ("row", "parameters", "gmacs", "seconds", "minutes")
    table = []
    for row in page.rows:
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
    header = [page.say(f"report.column.{key}") for key in keys]
    return [Table(header, table), Paragraph(page.say("report.cost_caption", threads=threads))]


def _costs(page: Page) -> dict[str, Cost]:
    """Cost by row, measured once for each architecture: rows that differ in the loss alone cost the same."""
    rows: dict[str, list[Row]] = {}
    for row in page.rows:
        recipe = row.recipe
        parts = (recipe.network, recipe.input, recipe.labels)
        key = json.dumps([part.model_dump(mode="json") for part in parts] + [recipe.prepare.size])
        rows.setdefault(key, []).append(row)
    costs = {}
    for alike in rows.values():
        models = [RunFolder(run.path).model for row in alike for run in row.runs]
        model = next((model for model in models if model.is_file()), models[0])
        cost = measure_cost(alike[0].recipe, model)
        costs.update({row.name: cost for row in alike})
    return costs


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
