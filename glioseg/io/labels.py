"""From the values that a mask stores to a segmentation: lesion or not, or several labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.grid import Grid
from glioseg.io.pictures import as_labels, as_mask, read_mask_values
from glioseg.scan import LESION, Scan, Segmentation, Storage

MOST_LABEL = 20
"""A volume of whole numbers from 0 to no more than this holds labels: those of a scan take more values."""


def labels_of(
    path: Path, stored: npt.NDArray[Any], labels: Mapping[int, str] | None = LESION
) -> npt.NDArray[np.uint8]:
    """Labels from stored values.

    Args:
        path: where they come from.
        stored: the values: of lesion or not 0 and 1, or 0 and 255 (or the most of their dtype), otherwise the
            labels themselves.
        labels: those that there may be besides 0; ``None`` for any from 1 to 255. Values of one name become
            one label, see :func:`one_a_name`.

    Raises:
        InputError: there are other values.
    """
    if labels is not None and dict(labels) == LESION:
        return as_mask(path, stored).astype(np.uint8)
    found = as_labels(path, stored, None if labels is None else tuple(filter(None, labels)))
    label_of = {} if labels is None else one_a_name(labels)
    if all(value == label for value, label in label_of.items()):
        return found
    table = np.zeros(256, np.uint8)
    table[list(label_of)] = list(label_of.values())
    return table[found]


def one_a_name(labels: Mapping[int, str]) -> dict[int, int]:
    """The label that each stored value becomes: the first value of its name.

    Args:
        labels: names of the stored values; a value without a name (``""``) is background. Where 0 is named as
            background and all others are lesion, lesion is 1 whatever its values.

    >>> one_a_name({0: "", 2: "lesion", 4: "lesion"})
    {0: 0, 2: 1, 4: 1}
    >>> one_a_name({1: "core", 2: "oedema", 4: "core", 5: ""})
    {1: 1, 2: 2, 4: 1, 5: 0}
    """
    first: dict[str, int] = {"": 0}
    for value, name in labels.items():
        first.setdefault(name, value)
    if 0 in labels and set(first) == {"", *LESION.values()}:
        first[LESION[1]] = 1
    return {value: first[name] for value, name in labels.items()}


def check_no_labels(path: Path, voxels: npt.NDArray[Any]) -> None:
    """Refuse what was given for a scan if its values are those of a mask.

    Args:
        path: where they come from.
        voxels: of one sequence.

    Raises:
        InputError: the values are a few small whole numbers and 0, or 0 and one other value.
    """
    highest = voxels.max()
    if voxels.min() != 0 or not highest > 0:
        return
    if highest > MOST_LABEL:
        middle = voxels[len(voxels) // 2]
        if ((middle != 0) & (middle != highest)).any() or ((voxels != 0) & (voxels != highest)).any():
            return
        raise InputError(Fault("io.two_values", path, highest=f"{highest:g}"))
    if voxels.dtype.kind != "f" or (voxels == np.rint(voxels)).all():
        raise InputError(Fault("io.labels_for_scan", path, highest=f"{highest:g}"))


def read_label_pages(path: Path, labels: Mapping[int, str] | None = LESION) -> npt.NDArray[np.uint8]:
    """Decode the pages of a mask file as labels ``(pages, height, width)``; see :func:`labels_of`."""
    return labels_of(path, read_mask_values(path), labels)


def segmentation_of(
    voxels: npt.NDArray[np.uint8],
    like: Scan | Segmentation | Grid,
    own: Storage,
    id: str,
    labels: Mapping[int, str] | None = LESION,
) -> Segmentation:
    """The segmentation of labels that were read.

    Args:
        voxels: the labels.
        like: the scan that they belong to, which says how the segmentation is stored, or their own grid.
        own: how they are stored themselves.
        id: name of the segmentation.
        labels: names of the labels; without, values name themselves.
    """
    if labels is None:
        there = np.unique(voxels).tolist()
        labels = {value: f"label {value}" for value in there if value}
    label_of = one_a_name(labels)
    labels = {label_of[value]: name for value, name in labels.items() if name}
    grid, storage = (like, own) if isinstance(like, Grid) else (like.grid, like.storage)
    return Segmentation(voxels, grid, id, labels, "given", storage)


def stored_as_image(segmentation: Segmentation) -> npt.NDArray[np.uint8]:
    """Labels as images store them: lesion or not as 0 and 255, several labels as they are."""
    if segmentation.lesion_or_not:
        return segmentation.voxels * np.uint8(255)
    return segmentation.voxels
