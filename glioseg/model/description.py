"""A model is one ``.onnx`` file that says itself how its input is prepared and its output read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from typing_extensions import TypedDict

from glioseg._version import __version__
from glioseg.errors import Fault, InputError
from glioseg.model.appearance import Appearance
from glioseg.model.calibration import Calibration
from glioseg.networks import without_pretrained
from glioseg.prepare import Preparation
from glioseg.recipe import InputChoice, Labels, PostprocessChoice, Recipe
from glioseg.scan import CHANNELS
from glioseg.settings import first_error

KEY = "glioseg"
"""Key of the ONNX metadata that holds the description as JSON."""


LGG = "TCGA_"
"""How the names of the patients of TCGA-LGG begin."""

MOST_CHARACTERS = 4 * 2**20
"""More than the names of all patients of any training take."""


class TrainedOn(TypedDict, total=False):
    """Patients by role, as names; no paths."""

    fingerprint: str | None
    split: str | None
    train: list[str]
    validation: list[str]


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
    neighbours: int = Field(ge=0, le=3)
    sequences: tuple[str, ...] = CHANNELS
    labels: Labels = Labels()
    postprocess: PostprocessChoice
    made: str
    trained_on: TrainedOn = {}
    appearance: Appearance | None = None
    calibration: Calibration = Calibration()
    checkpoint: str = "given"
    monitor: str = "val_dsc"

    @property
    def learned_gliomas(self) -> bool:
        """Whether all patients it was trained on are of TCGA-LGG, whose lesions are one glioma each."""
        patients = self.trained_on.get("train", [])
        return bool(patients) and all(patient.startswith(LGG) for patient in patients)

    @field_validator("sequences")
    @classmethod
    def _known(cls, sequences: tuple[str, ...]) -> tuple[str, ...]:
        return InputChoice(sequences=sequences).sequences


def describe(
    recipe: Recipe, manifest: dict[str, Any], appearance: Appearance | None = None
) -> dict[str, str]:
    """Metadata for the ONNX file of a run. It holds no path and nothing of the machine."""
    split = manifest.get("split") or {}
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
            "split": split.get("name"),
            "train": split.get("train", []),
            "validation": split.get("validation", []),
        },
        appearance=appearance,
        checkpoint=recipe.train.checkpoint,
        monitor=recipe.train.monitor,
    )
    return {KEY: description.model_dump_json()}


def read_description(path: Path, metadata: dict[str, str]) -> ModelDescription:
    """The description in a model's metadata.

    Raises:
        InputError: the file was not written by glioseg, or its description is damaged.
    """
    try:
        text = metadata[KEY]
    except KeyError as error:
        raise InputError(Fault("model.without_description", path)) from error
    try:
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"{len(text):,} characters")
        text.encode("utf-8")
        return ModelDescription.model_validate_json(text)
    except ValueError as error:  # pydantic's errors and half characters are among them
        reason = first_error(error) if isinstance(error, ValidationError) else error
        raise InputError(Fault("model.description", path, reason=reason)) from error
