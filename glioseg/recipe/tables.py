"""The tables of a recipe. They say nothing of how they are carried out: what they configure imports them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from glioseg.scan import CHANNELS, LESION, SEQUENCES, lesion_of
from glioseg.settings import TomlTable


class PrepareChoice(TomlTable):
    """How scans are made ready: a name and a size. :class:`glioseg.prepare.Preparation` does it.

    ``head`` finds the head in FLAIR, cuts a square around it, keeps every slice and
    normalises each channel from its foreground: clipped between background and the 99.8th
    percentile, then z-scored. ``tissue`` does the same in units of brain tissue
    (:mod:`glioseg.prepare.tissue`), ``even_tissue`` takes out the shading of the coils before that
    (:mod:`glioseg.prepare.shading`). ``reference`` is the published protocol
    (:mod:`glioseg.prepare.reference`).
    """

    name: Literal["head", "tissue", "even_tissue", "reference"] = "even_tissue"
    size: int = Field(default=128, ge=16, le=1024, description="pixels a side of a prepared slice")
    pixel_mm: float | None = Field(
        default=None,
        gt=0,
        le=10,
        description="length of a prepared pixel; by default, and where a head would not fit or a scan does "
        "not know its spacing, the square fits the head",
    )
    slices: Literal["axial", "thickest"] = Field(
        default="axial",
        description="thickest: along the axis along which a scan was made in thick slices; each scan its own",
    )
    drop_ends: bool = Field(
        default=False, description="leave out the first and last slice, as the reference protocol does"
    )

    @model_validator(mode="after")
    def _fits(self) -> PrepareChoice:
        if self.name == "reference" and (self.pixel_mm is not None or self.slices != "axial"):
            raise ValueError("reference has neither pixel_mm nor slices: it prepares as published")
        return self


class NetworkChoice(TomlTable):
    """Which network, with its own arguments."""

    name: str = "unet"
    arguments: dict[str, Any] = Field(default_factory=dict)


class Labels(TomlTable):
    """Which values of a mask are classes: lesion or not, or several that exclude each other.

    Without values a mask says lesion or not, and a network ends in one channel (sigmoid). With values each
    is a class, everything else is background, and a network ends in one channel a class, background first
    (softmax).

    Attributes:
        values: what masks store for each class, 1 to 255; 0 is background.
        names: what people call the classes; their values by default.
        lesion: instead of classes: the stored values that are lesion, all alike; by default 1, or 255.
    """

    values: tuple[int, ...] = Field(default=(), description="stored value of each class; none: lesion or not")
    names: tuple[str, ...] = Field(default=(), description="name of each class")
    lesion: tuple[int, ...] = Field(default=(), description="instead of classes: stored values of lesion")

    @model_validator(mode="after")
    def _fits(self) -> Labels:
        for values in (self.values, self.lesion):
            if any(not 1 <= value <= 255 for value in values) or len(set(values)) < len(values):
                raise ValueError("values are different whole numbers from 1 to 255")
        if self.values and self.lesion:
            raise ValueError("either classes (values) or lesion or not (lesion)")
        if self.names and len(self.names) != len(self.values):
            raise ValueError(f"{len(self.values)} values but {len(self.names)} names")
        if len(set(self.titles)) < len(self.titles):
            raise ValueError("names differ from each other")
        return self

    @property
    def given(self) -> bool:
        """Whether there are classes, and not lesion or not alone."""
        return bool(self.values)

    @property
    def channels(self) -> int:
        """Channels in which a network ends: 1, or background and every class."""
        return len(self.values) + 1 if self.values else 1

    @property
    def named(self) -> dict[int, str]:
        """Names of the labels of a segmentation: of each class, or lesion or not."""
        return dict(zip(self.values, self.titles, strict=True)) if self.values else dict(LESION)

    @property
    def stored(self) -> dict[int, str]:
        """What each stored value of a mask means, for reading; values of one name become one label."""
        return lesion_of(self.lesion) if self.lesion else self.named

    @property
    def titles(self) -> tuple[str, ...]:
        """Names of the classes, without background."""
        return self.names or tuple(map(str, self.values))


class LossChoice(TomlTable):
    """Which loss, with its own arguments."""

    name: str = "dice"
    arguments: dict[str, Any] = Field(default_factory=dict)


class InputChoice(TomlTable):
    """What the network sees: sequences of the slice itself, and FLAIR of the slices around.

    ``t1`` and ``t1c`` are other words for ``pre`` and ``post``. Every scan has FLAIR: the head is found in
    it, and it stands in for sequences that a scan lacks. Scans are prepared with pre, FLAIR and post,
    whichever of them the network takes, and with T2 if it takes that.
    """

    sequences: tuple[str, ...] = Field(
        default=CHANNELS, min_length=1, description="which of pre, flair, post and t2, in the network's order"
    )
    neighbours: int = Field(default=0, ge=0, le=3, description="slices on each side whose FLAIR is added")

    @field_validator("sequences")
    @classmethod
    def _known(cls, sequences: tuple[str, ...]) -> tuple[str, ...]:
        named = tuple({"t1": "pre", "t1c": "post"}.get(name, name) for name in sequences)
        if not set(named) <= set(SEQUENCES) or len(set(named)) < len(named):
            raise ValueError(f"sequences are different ones of {', '.join(SEQUENCES)}")
        return named


class SplitChoice(TomlTable):
    """How to split; :func:`glioseg.dataset.split.split_patients` does it.

    ``reference`` is the published ten validation patients, and ``holdout`` where they are not among the data;
    ``kfold`` deals the patients of each site
    over ``folds`` and validates on number ``fold``; ``holdout`` takes ``fraction`` of each site; ``file``
    reads ``{"train": [...], "validation": [...]}`` (JSON), or a text file of validation patients, one a
    line; ``all`` trains on everybody and validates on nobody.
    """

    name: Literal["reference", "kfold", "holdout", "file", "all"] = "reference"
    folds: int = Field(default=5, ge=2, description="number of parts (kfold)")
    fold: int = Field(default=0, ge=0, description="the part that validates, from 0 (kfold)")
    fraction: float = Field(default=0.1, gt=0, lt=1, description="share that validates (holdout)")
    seed: int = Field(default=0, description="of the dealing (kfold, holdout)")
    file: str | None = Field(
        default=None, description="names of the validation patients, one a line, or JSON of both sides (file)"
    )


class SamplingChoice(TomlTable):
    """Which slices an epoch has.

    ``lesion_weighted`` is the reference protocol: patients drawn uniformly, slices with weight
    (s + 0.1 S / n) / (1.1 S), as many as there are. ``all_lesion`` takes every lesion slice once and
    ``empty_per_lesion`` times as many of the others; with ``patient_balance`` patients with few lesion slices
    give them more than once, and those with many leave some out. ``every_slice`` takes each slice once.
    """

    name: Literal["lesion_weighted", "all_lesion", "every_slice"] = "lesion_weighted"
    empty_per_lesion: float = Field(
        default=0.6, ge=0, description="slices without lesion for each with lesion (all_lesion)"
    )
    patient_balance: float = Field(
        default=0.0, ge=0, le=1, description="0: each lesion slice once; 1: as many of each patient"
    )


class AugmentChoice(TomlTable):
    """What may happen to a training image (see :mod:`glioseg.augment.batch`). 0 turns a kind off."""

    scale: float = Field(default=0.0, ge=0, lt=1, description="zoom by 1 ± this")
    rotation: float = Field(default=0.0, ge=0, le=180, description="degrees, ±")
    shear: float = Field(default=0.0, ge=0, lt=1, description="± this share of the side")
    shear_degrees: float = Field(
        default=0.0, ge=0, le=60, description="degrees by which columns lean, ±; beside shear"
    )
    shift: float = Field(default=0.0, ge=0, lt=1, description="± this share of the side")
    flip: float = Field(default=0.0, ge=0, le=1, description="probability of a left-right flip")
    elastic: float = Field(default=0.0, ge=0, le=0.2, description="deviation of bending, share of the side")
    elastic_grid: int = Field(default=5, ge=2, le=32, description="control points a side for elastic")
    gamma: float = Field(default=0.0, ge=0, lt=2, description="exponent exp(± this), per channel")
    gain: float = Field(default=0.0, ge=0, lt=1, description="contrast times 1 ± this, per channel")
    offset: float = Field(
        default=0.0, ge=0, le=2, description="brightness ± this, in deviations, per channel"
    )
    bias_field: float = Field(
        default=0.0, ge=0, le=2, description="smooth shading exp(± this) over the image"
    )
    noise: float = Field(default=0.0, ge=0, le=1, description="greatest deviation of Gaussian noise")
    blur: float = Field(default=0.0, ge=0, le=1, description="probability of a light 3x3 blur")
    missing: float = Field(
        default=0.0, ge=0, le=1, description="probability that pre, post or both are replaced by FLAIR"
    )
    carve_mix: float = Field(
        default=0.0, ge=0, le=1, description="probability of getting the lesion of another image of the batch"
    )
    fade: float = Field(
        default=0.0, ge=0, le=1, description="greatest share of a lesion's contrast that is taken away"
    )
    core: float = Field(
        default=0.0, ge=0, le=1, description="probability that a lesion gets a dark core and a bright rim"
    )
    strip: float = Field(default=0.0, ge=0, le=1, description="probability that the skull is taken away")
    cut: float = Field(default=0.0, ge=0, le=1, description="probability that a side of the image is cut off")
    targets: Literal["linear", "nearest"] = Field(
        default="linear", description="interpolation of the target: nearest keeps a hard mask hard"
    )
    fill: Literal["background", "nearest"] = Field(
        default="background",
        description="what comes in from beyond the image: background, or its border repeated",
    )


class OptimizerChoice(TomlTable):
    """Adam, AdamW or SGD. ``encoder_rate`` is for networks with a pretrained ``encoder``."""

    name: Literal["adam", "adamw", "sgd"] = "adam"
    rate: float = Field(default=1e-4, gt=0, description="learning rate; the greatest of a schedule")
    encoder_rate: float | None = Field(
        default=None, gt=0, description="learning rate of an encoder that was trained before"
    )
    weight_decay: float = Field(default=0.0, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of SGD")
    clip_norm: float | None = Field(default=None, gt=0, description="greatest norm of the gradient")


class ScheduleChoice(TomlTable):
    """How the learning rate goes. ``one_cycle`` and ``cosine`` step each batch, ``plateau`` each epoch."""

    name: Literal["constant", "one_cycle", "cosine", "plateau"] = "constant"
    warmup: float = Field(
        default=0.25, ge=0, lt=1, description="share of the steps in which it rises (one_cycle)"
    )
    final: float = Field(
        default=0.0, ge=0, lt=1, description="rate at the end, as a share of the greatest (one_cycle, cosine)"
    )
    patience: int = Field(default=5, ge=1, description="epochs without progress before a step (plateau)")
    factor: float = Field(default=0.5, gt=0, lt=1, description="what a step multiplies the rate by (plateau)")


class TrainChoice(TomlTable):
    """Length, batch, seed and what is kept."""

    epochs: int = Field(default=100, ge=1)
    batch_size: int = Field(default=16, ge=1, description="slices")
    steps_per_epoch: int | None = Field(default=None, ge=1, description="instead of a whole pass")
    seed: int = Field(default=42, ge=0, lt=2**31)
    ema: float = Field(default=0.0, ge=0, lt=1, description="decay of the averaged weights; 0: none")
    checkpoint: Literal["best", "last"] = Field(
        default="best", description="which weights are the result: of the best epoch, or of the last"
    )
    monitor: Literal["val_dsc", "val_loss"] = Field(
        default="val_dsc", description="what the best epoch has the greatest (val_dsc) or least (val_loss) of"
    )
    early_stopping: int | None = Field(default=None, ge=1, description="epochs of patience on val_loss")
    vis_freq: int = Field(
        default=10, ge=0, description="pictures to TensorBoard each so many epochs; 0: never"
    )
    vis_images: int | None = Field(
        default=None,
        ge=1,
        description="pictures each time: the validation patients in turn, of each its largest lesions first; "
        "one of each patient if not given",
    )
    stuck_epochs: int = Field(
        default=10,
        ge=0,
        description="stop after so many epochs of all-empty or all-full predictions; 0: never",
    )
    channels_last: bool = Field(default=False, description="memory layout that is faster for some networks")
    frozen_norms: bool = Field(
        default=False,
        description="batch normalisation keeps the statistics that the training starts with (--from)",
    )
    start_share: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share in the result of the weights that the training started with (--from)",
    )
    small_size: int | None = Field(
        default=None, ge=32, description="pixels a side of the first small_epochs; they are quicker"
    )
    small_epochs: int = Field(default=0, ge=0, description="epochs at small_size; the rest at prepare.size")


class PostprocessChoice(TomlTable):
    """From a probability map to a mask."""

    threshold: float = Field(default=0.5, gt=0, lt=1, description="probability from which a voxel is lesion")
    largest_component: bool = Field(
        default=False, description="keep the largest face-connected 3-D component"
    )
    minimum_voxels: int = Field(default=0, ge=0, description="drop smaller 3-D components")
    minimum_share: float = Field(
        default=0, ge=0, le=1, description="drop 3-D components smaller than this share of the largest"
    )
    minimum_contrast: float = Field(
        default=0,
        ge=0,
        le=1,
        description="drop 3-D components that on FLAIR stand out from the brain by less than this share of "
        "what the largest does",
    )
    fill_holes: bool = Field(default=False, description="then fill what a slice's outline encloses")

    @property
    def keeps_all_components(self) -> bool:
        """Whether no component is dropped."""
        return (
            not self.largest_component
            and self.minimum_voxels <= 1
            and not self.minimum_share
            and not self.minimum_contrast
        )

    def describe(self) -> str:
        """What is done to a mask after the threshold, for protocols; ``none`` if nothing is."""
        filled = "holes filled in each slice" if self.fill_holes else ""
        if self.keeps_all_components:
            return filled or "none"
        rules = [f"of at least {self.minimum_voxels} voxels"] if self.minimum_voxels > 1 else []
        if self.minimum_share and not self.largest_component:
            rules.append(f"of at least {self.minimum_share:g} of the largest")
        if self.minimum_contrast and not self.largest_component:
            rules.append(f"with at least {self.minimum_contrast:g} of the largest one's contrast")
        kind = "largest face-connected 3-D component" if self.largest_component else "3-D components"
        kept = " ".join((kind, " and ".join(rules))).strip()
        return f"{kept}; {filled}" if filled else kept
