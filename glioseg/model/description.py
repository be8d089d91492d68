"""A model is one ``.onnx`` file that says itself how its input is prepared and its output read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from glioseg._version import __version__
from glioseg.errors import Fault, InputError
from glioseg.model.appearance import Appearance
from glioseg.model.calibration import Calibration
from glioseg.networks import without_pretrained
from glioseg.prepare import Preparation
from glioseg.recipe import Labels, PostprocessChoice, Recipe
from glioseg.scan import CHANNELS

KEY = "glioseg"
"""Key of the ONNX metadata that holds the description as JSON."""


class ModelDescription(BaseModel):
    """What has to be known of a model to use it.

    Attributes:
        name: of the recipe it was trained with.
        network: name of its architecture.
        network_arguments: the architecture's own settings, so that it can be built again.
        prepare: how scans are made ready.
        neighbours: slices on each side whose FLAIR is an input channel.
        sequences: which sequences of the slice itself are input channels, in this order.
        labels: classes of its output, if it tells more than lesion or not.
        postprocess: from its probabilities to a mask.
        made: version of glioseg that wrote it.
        trained_on: patients by role, as names; no paths.
        appearance: what its training scans look like; ``None`` if that is not known.
        calibration: from the evidence of a mask to the DSC to expect.
        checkpoint: which weights these are (``best`` or ``last``).
        monitor: what the best ones were picked by (``val_dsc`` or ``val_loss``).
    """

    model_config = ConfigDict(frozen=True)

    name: str
    network: str
    network_arguments: dict[str, Any] = {}
    prepare: Preparation
    neighbours: int
    sequences: tuple[str, ...] = CHANNELS
    labels: Labels = Labels()
    postprocess: PostprocessChoice
    made: str
    trained_on: dict[str, Any] = {}
    appearance: Appearance | None = None
    calibration: Calibration = Calibration()
    checkpoint: str = "given"
    monitor: str = "val_dsc"


def describe(
    recipe: Recipe, manifest: dict[str, Any], appearance: Appearance | None = None
) -> dict[str, str]:
    """Metadata for the ONNX file of a run. It holds no path and nothing of the machine."""
    prepare = Preparation.of(recipe.prepare.model_copy(update={"drop_ends": False}))
    description = ModelDescription(
        name=recipe.name,
        network=recipe.network.name,
        # Without the path of a file of pretrained weights.
        network_arguments=without_pretrained(recipe.network.name, recipe.network.arguments),
        prepare=prepare,
        neighbours=recipe.input.neighbours,
        sequences=recipe.input.sequences,
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
        monitor=recipe.train.monitor,
    )
    return {KEY: description.model_dump_json()}


def read_description(path: Path, metadata: dict[str, str]) -> ModelDescription:
    """The description in a model's metadata.

    Raises:
        InputError: the file was not written by glioseg.
    """
    try:
        return ModelDescription.model_validate(json.loads(metadata[KEY]))
    except (KeyError, ValueError, ValidationError) as error:
        raise InputError(Fault("model.without_description", path)) from error
