"""Learn on from a model, and say by how much that changed it: on the new patients, and on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from glioseg.dataset.case import with_lesion_values
from glioseg.dataset.find import Case, find_cases
from glioseg.dataset.split import split_cases
from glioseg.evaluation.evaluate import evaluate
from glioseg.files import write_json
from glioseg.measure import Scores
from glioseg.measure.comparison import Comparison, compare_paired
from glioseg.model.predictor import Predictor, load_model
from glioseg.recipe import Recipe
from glioseg.runs.folder import RunFolder
from glioseg.training.hardware import Hardware
from glioseg.training.start import Start
from glioseg.training.train import train
from glioseg.words import Phrase

NEW, BASE = "the new model", "the model before"


def usable_base(name: str, threads: int | None = None) -> Predictor | None:
    """The model that a training started from, ready to segment; ``None`` for a bare file of weights."""
    path = Path(name)
    if path.suffix == ".safetensors":
        path = path.parent
        if not (path / "model.onnx").is_file():
            return None
        name = str(path)
    return load_model(name, threads=threads)


def score_base(base: Predictor, cases: Sequence[Case], validation: Sequence[str]) -> dict[str, Scores]:
    """What the model reaches before it learns on: on the validation patients, and on those it validated on.

    Returns:
        DSC on the scan's own grid: ``validation`` of the patients named, ``own_validation`` of the patients
        that the model's own training was validated on, as far as they are in the data.
    """
    return {key: _dice(base, chosen) for key, chosen in _groups(base, cases, validation).items() if chosen}


def compare_with_base(
    run: RunFolder,
    base: Predictor,
    before: dict[str, Scores],
    cases: Sequence[Case],
    threads: int | None = None,
) -> dict[str, Comparison]:
    """Score the run's model on the same patients, compare the two in pairs, and record it in the run.

    Args:
        run: a finished run.
        base: the model that it started from.
        before: what :func:`score_base` gave.
        cases: the data set.
        threads: of the networks; all usable cores by default.

    Returns:
        A comparison for each group of patients in ``before``; patients trained on are in neither.
    """
    split = run.manifest["split"]
    model = load_model(run.path, threads=threads)
    compared, single = {}, {}
    for key, chosen in _groups(base, cases, split["validation"]).items():
        chosen = [case for case in chosen if case.id not in split["train"]]
        if key not in before or not chosen:
            continue
        old = before[key].of_patients([case.id for case in chosen])
        new = _dice(model, chosen)
        compared[key] = compare_paired(new, old, (NEW, BASE))
        single[key] = {id: [old.values[id], new.values[id]] for id in old.values}
    write_json(
        run.path / "change.json",
        {
            key: {
                **one.to_dict(),
                "before": before[key].mean,
                "after": before[key].mean + one.difference,
                "single": single[key],
            }
            for key, one in compared.items()
        },
    )
    return compared


def finetune(
    data: Path,
    recipe: Recipe,
    out: Path,
    start: Start,
    *,
    patient_rule: str | None = None,
    layout: str | None = None,
    channels: str = "",
    cache: Path | None = None,
    hardware: Hardware | None = None,
    echo: Callable[[str], None] = print,
    **options: Any,
) -> RunFolder:
    """Train on from a model, then compare the two on the same patients and record it in ``change.json``.

    Args:
        data, recipe, out, start, patient_rule, layout, channels, cache, hardware, echo: as
            :func:`glioseg.train` has them.
        options: further ones of :func:`glioseg.train`.

    Returns:
        The run. A training that ran out of its minutes is not compared.

    Raises:
        InputError: as :func:`glioseg.train`.
    """
    hardware = hardware or Hardware()
    # Of several processes one scores.
    base = usable_base(start.name, hardware.threads) if hardware.writes else None
    if base is not None:
        # What a recipe does differently to a mask is nothing that was learned.
        base.description = base.description.model_copy(update={"postprocess": recipe.postprocess})
    cases = with_lesion_values(find_cases(data, patient_rule, cache, layout, channels), recipe.labels)
    split = split_cases(recipe.split, cases)
    before: dict[str, Scores] = {}
    if base is not None:
        before = score_base(base, cases, split.validation)
        if "validation" in before:
            scores = before["validation"]
            echo(_say("before", mean=f"{scores.mean:.3f}", count=len(scores.values)))
        seen = set(base.description.trained_on.get("train", [])) & set(split.validation)
        if seen:
            echo(_say("seen", count=len(seen)))
    options |= {"patient_rule": patient_rule, "layout": layout, "channels": channels}
    options |= {"cache": cache, "hardware": hardware, "echo": echo}
    run = train(data, recipe, out, start=start, **options)
    if base is not None and run.manifest.get("status") == "finished":
        for key, one in compare_with_base(run, base, before, cases, hardware.threads).items():
            echo(f"{_say(key)} {one.sentence}")
        if recipe.train.checkpoint == "best":
            echo(_say("picked"))
    return run


def _say(key: str, **parameters: object) -> str:
    return Phrase(f"finetune.{key}", **parameters)


def _groups(base: Predictor, cases: Sequence[Case], validation: Sequence[str]) -> dict[str, list[Case]]:
    own: Any = base.description.trained_on.get("validation", [])
    return {
        "validation": [case for case in cases if case.id in set(validation)],
        "own_validation": [case for case in cases if case.id in set(own) - set(validation)],
    }


def _dice(model: Predictor, cases: Sequence[Case]) -> Scores:
    return evaluate(model, cases, pictures=False).own["dice"]
