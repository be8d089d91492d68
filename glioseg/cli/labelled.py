"""What the verbs on labelled scans have in common: the layout of the data, and the values of their masks."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from glioseg.recipe import Labels

LayoutOption = Annotated[
    str | None,
    typer.Option(
        help="kaggle_3m, images-masks, nnunet, decathlon, brats, bids, wmh, dicom or scans. "
        "Default: recognised."
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
