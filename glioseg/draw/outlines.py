"""Outlines over a slice: red predicted, green true, yellow where both run; or a colour for each label."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from glioseg.errors import WrongKindError
from glioseg.scan import BoolArray, bounding_box, check_boolean

Pixels = npt.NDArray[np.uint8]

PREDICTED = (255, 0, 0)
TRUE = (0, 255, 0)
BOTH = (255, 255, 0)
LABELS = (
    (255, 43, 43),
    (77, 178, 255),
    (255, 210, 63),
    (95, 208, 122),
    (213, 140, 255),
    (255, 154, 61),
    (64, 224, 208),
    (255, 138, 216),
)
"""Colours of several labels in the order of their values, as the viewer has them; a ninth has the first."""


def outline(mask: BoolArray) -> BoolArray:
    """The pixels of a mask that have a face neighbour outside it: its inner boundary, one pixel thin.

    Args:
        mask: boolean array ``(height, width)``. Beyond the border of the image counts as outside.

    Returns:
        Boolean array of the same shape, a subset of ``mask``.

    Raises:
        WrongKindError: the array is not boolean.
    """
    check_boolean(mask, "a mask to outline")
    line = np.zeros_like(mask)
    if not mask.any():
        return line
    box = bounding_box(mask)
    region = mask[box]
    inside = region.copy()
    inside[1:] &= region[:-1]
    inside[:-1] &= region[1:]
    inside[:, 1:] &= region[:, :-1]
    inside[:, :-1] &= region[:, 1:]
    # Beyond the box there is nothing, so that its border belongs to the line.
    inside[[0, -1]] = False
    inside[:, [0, -1]] = False
    line[box] = region & ~inside
    return line


def label_outlines(labels: Pixels) -> Pixels:
    """The outline of each label, against the background and against other labels.

    Args:
        labels: uint8 array ``(height, width)``, 0 for background.

    Returns:
        uint8 array of the same shape: the label on its outline, 0 elsewhere.
    """
    lines = np.zeros_like(labels)
    for value in _values(labels):
        lines[outline(labels == value)] = value
    return lines


def overlay(
    picture: Pixels,
    predicted: BoolArray | None = None,
    truth: BoolArray | None = None,
    scale: float | tuple[float, float] = 1,
    labels: Pixels | None = None,
) -> Pixels:
    """Draw the outlines of the masks over one slice.

    Args:
        picture: uint8 array ``(height, width)`` or ``(height, width, 3)``.
        predicted: boolean array ``(height, width)``, drawn in red.
        truth: boolean array ``(height, width)``, drawn in green; yellow where both outlines run.
        scale: factor of the size, or one for rows and one for columns. The picture is
            resampled smoothly; outlines are made after that and stay one pixel thin.
        labels: uint8 array ``(height, width)``, instead of masks: 0 for background, and the places of labels
            among the colours of :data:`LABELS`, counted from 1.

    Returns:
        uint8 array ``(height * scale, width * scale, 3)``.

    Raises:
        WrongKindError: the picture is not uint8 or a mask is not boolean.
        ValueError: a mask does not have the height and width of the picture.
    """
    if picture.dtype != np.uint8:
        raise WrongKindError(f"a picture must be uint8, not {picture.dtype}: glioseg.draw.grey makes one.")
    drawn = enlarge(picture, scale)
    drawn = np.repeat(drawn[..., None], 3, axis=2) if drawn.ndim == 2 else drawn.copy()
    if labels is not None:
        places = label_outlines(enlarge_labels(labels, scale))
        drawn[places > 0] = np.array(LABELS, np.uint8)[places[places > 0] - 1]
    lines = []
    for mask, what in ((predicted, "the predicted mask"), (truth, "the true mask")):
        if mask is None:
            lines.append(np.zeros(drawn.shape[:2], dtype=bool))
            continue
        check_boolean(mask, what)
        if mask.shape != picture.shape[:2]:
            raise ValueError(f"{what} of {mask.shape} over a picture of {picture.shape[:2]}")
        lines.append(outline(enlarge(mask, scale)))
    red, green = lines
    drawn[red] = PREDICTED
    drawn[green] = TRUE
    drawn[red & green] = BOTH
    return drawn


def enlarge(image: npt.NDArray[Any], scale: float | tuple[float, float]) -> npt.NDArray[Any]:
    """Resample a uint8 picture (bicubic) or a boolean mask (nearest) to ``scale`` times its size.

    A mask that shrinks keeps every pixel that it touches, so that no small lesion disappears.
    """
    rows, columns = scale if isinstance(scale, tuple) else (scale, scale)
    height, width = image.shape[:2]
    size = (max(1, round(width * columns)), max(1, round(height * rows)))
    if size == (width, height):
        return image
    if image.dtype == np.bool_:
        shrinks = size[0] < width or size[1] < height
        method = Image.Resampling.BOX if shrinks else Image.Resampling.NEAREST
        return np.asarray(Image.fromarray(image.astype(np.uint8) * 255).resize(size, method)) > 0
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def enlarge_labels(labels: Pixels, scale: float | tuple[float, float]) -> Pixels:
    """Resample labels as :func:`enlarge` does masks, one after the other; no label is ever mixed."""
    drawn: Pixels = np.zeros(enlarge(labels > 0, scale).shape, np.uint8)
    for value in _values(labels):
        drawn[enlarge(labels == value, scale)] = value
    return drawn


def _values(labels: Pixels) -> list[int]:
    """The labels that occur."""
    found: list[int] = np.flatnonzero(np.bincount(labels.ravel(), minlength=256)).tolist()
    return [value for value in found if value]


def tile(pictures: Sequence[Pixels], columns: int | None = None, gap: int = 2) -> Pixels:
    """Put pictures of one size side by side, row by row.

    Args:
        pictures: uint8 arrays ``(height, width, 3)``.
        columns: pictures a row; by default about as many as make the whole a 4:3 rectangle.
        gap: black pixels between them.

    Returns:
        uint8 array ``(rows * (height + gap) - gap, columns * (width + gap) - gap, 3)``.

    Raises:
        ValueError: there is no picture.
    """
    if not pictures:
        raise ValueError("no picture to put side by side")
    height, width = pictures[0].shape[:2]
    if columns is None:
        columns = max(1, round((len(pictures) * height / width * 4 / 3) ** 0.5))
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = np.zeros((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), dtype=np.uint8)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = picture
    return sheet
