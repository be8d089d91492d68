"""What the verbs on labelled scans have in common: options that say what scans and masks hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glioseg.dataset.case import Case
    from glioseg.recipe import Labels

LayoutOption = Annotated[
    str | None,
    typer.Option(
        help="kaggle_3m, images-masks, nnunet, decathlon, brats, bids, wmh, dicom or scans. "
        "Default: recognised."
    ),
]
RuleOption = Annotated[
    str | None,
    typer.Option("--patient-rule", help="Regular expression that finds the patient in a file name."),
]
LabelsOption = Annotated[
    str | None,
    typer.Option(help="Values of masks: lesion=1,2,4 for those that are lesion; 1,2,3 for classes."),
]
LesionOption = Annotated[
    str | None, typer.Option("--labels", help="Values of the masks that are lesion, such as lesion=1,2,4.")
]
ChannelsOption = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="What lies along a fourth axis, in order: flair,t1,t1c,t2. Default: pre,flair,post.",
    ),
]


def labels_in(text: str | None) -> Labels:
    """The labels of ``lesion=1,2,4`` or ``1,2,3``; lesion or not without text.

    Raises:
        InputError: it is neither.
    """
    from glioseg.errors import Fault, InputError
    from glioseg.recipe import Labels

    if not text:
        return Labels()
    merged = re.fullmatch(r"\s*lesion\s*=(.*)", text)
    try:
        values = tuple(int(part) for part in (merged[1] if merged else text).split(","))
        return Labels(lesion=values) if merged else Labels(values=values)
    except ValueError as error:
        raise InputError(Fault("cli.labels", "--labels", labels=text)) from error


def lesion_in(text: str | None) -> Labels:
    """The values that are lesion, by name or not: where classes are not told apart, all of them are.

    Raises:
        InputError: see :func:`labels_in`.
    """
    labels = labels_in(text)
    return type(labels)(lesion=labels.lesion or labels.values)


def settings_of(labels: Labels) -> list[str]:
    """The settings of a recipe that say the same."""
    told = {"lesion": labels.lesion, "values": labels.values}
    return [f"labels.{name}={list(values)}" for name, values in told.items() if values]


def data_options(rule: str | None, layout: str | None, channels: str) -> tuple[str, ...]:
    """The options that say the same of the data to ``glioseg train`` and ``glioseg evaluate``."""
    told = {"--patient-rule": rule, "--layout": layout, "--channels": channels or None}
    return tuple(part for name, value in told.items() if value is not None for part in (name, value))


def cases_in(
    data: Path, rule: str | None, layout: str | None, labels: str | None, channels: str
) -> list[Case]:
    """The labelled scans of a folder, as the options say.

    Raises:
        InputError: see :func:`glioseg.dataset.find.find_cases` and :func:`labels_in`.
    """
    from glioseg.dataset.case import with_lesion_values
    from glioseg.dataset.find import find_cases

    lesion = lesion_in(labels)
    return with_lesion_values(find_cases(data, rule, layout=layout, channels=channels), lesion)
