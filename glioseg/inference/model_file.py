"""A model is one ``.onnx`` file that says itself how its input is prepared and its output read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from glioseg._version import __version__
from glioseg.errors import Fault, InputError
from glioseg.inference.appearance import Appearance
from glioseg.inference.confidence import Calibration
from glioseg.prepare import Preparation
from glioseg.recipe import Labels, PostprocessChoice, Recipe

Variant = Literal["file", "fast", "second"]
"""Files of a model that ships, as ``index.json`` calls them."""
OPTIONS = {"fast": ("--fast", "an 8-bit variant"), "second": ("--best", "a second network")}
"""The option that wants a variant, and what the variant is."""

KEY = "glioseg"
"""Key of the ONNX metadata that holds the description as JSON."""

WEIGHTS = Path(__file__).parent.parent / "weights"


class ModelDescription(BaseModel):
    """What has to be known of a model to use it.

    Attributes:
        name: of the recipe it was trained with.
        network: name of its architecture.
        prepare: how scans are made ready.
        neighbours: slices on each side whose FLAIR is an input channel.
        labels: classes of its output, if it tells more than lesion or not.
        postprocess: from its probabilities to a mask.
        made: version of glioseg that wrote it.
        trained_on: patients by role, as names; no paths.
        appearance: what its training scans look like; ``None`` if that is not known.
        calibration: from the evidence of a mask to the DSC to expect.
        checkpoint: which weights these are (``best`` or ``last``).
    """

    model_config = ConfigDict(frozen=True)

    name: str
    network: str
    prepare: Preparation
    neighbours: int
    labels: Labels = Labels()
    postprocess: PostprocessChoice
    made: str
    trained_on: dict[str, Any] = {}
    appearance: Appearance | None = None
    calibration: Calibration = Calibration()
    checkpoint: str = "given"


def describe(
    recipe: Recipe, manifest: dict[str, Any], appearance: Appearance | None = None
) -> dict[str, str]:
    """Metadata for the ONNX file of a run. It holds no path and nothing of the machine."""
    prepare = Preparation.of(recipe.prepare.model_copy(update={"drop_ends": False}))
    description = ModelDescription(
        name=recipe.name,
        network=recipe.network.name,
        prepare=prepare,
        neighbours=recipe.input.neighbours,
        labels=recipe.labels,
        postprocess=recipe.postprocess,
        made=__version__,
        trained_on={
            "fingerprint": manifest.get("data_fingerprint"),
            "split": manifest.get("split", {}).get("name"),
            "train": manifest.get("split", {}).get("train", []),
            "validation": manifest.get("split", {}).get("validation", []),
        },
        appearance=appearance,
        checkpoint=recipe.train.checkpoint,
    )
    return {KEY: description.model_dump_json()}


def model_summaries() -> dict[str, str]:
    """Name and one line about each model that ships; ``default`` stands for the first of them."""
    return {name: entry["summary"] for name, entry in _index().items()}


def model_card(name: str) -> str:
    """The card of a model that ships: data, recipe, scores, limits; Markdown.

    Raises:
        InputError: no such model ships.
    """
    known = _index()
    chosen = next(iter(known)) if name == "default" else name
    if chosen not in known:
        raise InputError(
            Fault(
                f"model '{name}'",
                f"one of {', '.join(['default', *known])}",
                "no such name",
                "Check the name.",
            )
        )
    return (WEIGHTS / f"{chosen}.md").read_text(encoding="utf-8")


def find_model(model: str | Path, variant: Variant = "file") -> Path:
    """The ``.onnx`` file of a shipped model's name, a run folder, or a file.

    Args:
        model: which.
        variant: ``fast``, in 8 bits, or ``second``, another network of the same recipe; some of the models
            that ship have them.

    Raises:
        InputError: there is no such model, or it has no such variant.
    """
    index = _index()
    name = next(iter(index)) if str(model) == "default" else str(model)
    if variant != "file" and variant not in index.get(name, {}):
        option, kind = OPTIONS[variant]
        having = [known for known, entry in index.items() if variant in entry]
        expected = f"one of {', '.join(having)}" if having else f"a model with {kind}"
        raise InputError(Fault(f"{option} with model '{model}'", expected, "none", f"Leave out {option}."))
    if name in index:
        return WEIGHTS / index[name][variant]
    path = Path(model)
    if path.is_dir():
        inside = path / "model.onnx"
        if inside.is_file():
            return inside
        raise InputError(
            Fault(
                path,
                "a finished run with model.onnx",
                "none",
                "Finish the training first: glioseg train --resume " + str(path),
            )
        )
    if path.suffix == ".onnx" and path.is_file():
        return path
    raise InputError(
        Fault(
            f"model '{model}'",
            f"one of {', '.join(['default', *index])}, a run folder, or an .onnx file",
            "nothing of that name",
            "Check the name.",
        )
    )


def read_description(path: Path, metadata: dict[str, str]) -> ModelDescription:
    """The description in a model's metadata.

    Raises:
        InputError: the file was not written by glioseg.
    """
    try:
        return ModelDescription.model_validate(json.loads(metadata[KEY]))
    except (KeyError, ValueError, ValidationError) as error:
        raise InputError(
            Fault(
                path,
                "a model that glioseg exported",
                "an ONNX file without its description",
                "Use the model.onnx of a run folder.",
            )
        ) from error


def _index() -> dict[str, dict[str, Any]]:
    content: dict[str, dict[str, Any]] = json.loads((WEIGHTS / "index.json").read_text(encoding="utf-8"))
    return content
