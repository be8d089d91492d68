"""Picture files of a scan with its outlines: a PNG of each slice, an animated GIF, a sheet of all slices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from glioseg.draw.outlines import BOTH, LABELS, PREDICTED, TRUE, Pixels, label_outlines, outline, tile
from glioseg.draw.png import png_of
from glioseg.draw.views import Layers, frames, layers, looked_up
from glioseg.files import make_folder, written_whole
from glioseg.scan import Scan, Segmentation

Index = npt.NDArray[np.uint8]
"""Entries of a palette, ``(height, width)``."""

# Grey levels of the palettes: as many as fit beside the colours of the outlines, and for GIFs 64,
# which the eye still sees as smooth and which makes the files a third smaller.
PNG_GREYS = 253
LABEL_GREYS = 245
GIF_GREYS = 64
SMALL_GREYS = 32

COLOURS = (PREDICTED, TRUE, BOTH)
"""Entries of the palettes after the greys; then, where there are several labels, :data:`LABELS`."""


def draw_slices(
    scan: Scan,
    predicted: Segmentation | None,
    truth: Segmentation | None,
    folder: Path,
    channel: str = "flair",
    size: int | None = 512,
    volume: npt.NDArray[np.uint8] | None = None,
) -> list[Path]:
    """Write one PNG a slice with outlines, named by the slice's number in the source.

    Args:
        scan: the scan.
        predicted: mask to outline in red, or ``None``; see :func:`glioseg.draw.views.layers` for labels.
        truth: mask to outline in green, or ``None``; yellow is where both outlines run.
        folder: where ``slice_001.png`` and so on go.
        channel: channel that is shown.
        size: longer side of the pictures in pixels; ``None`` for that of the scan, see
            :func:`glioseg.draw.views.layers`.
        volume: what :func:`glioseg.draw.grey` gave for the channel, if it is at hand.

    Returns:
        The files, in the order of the slices.

    Raises:
        InputError: the scan has no such channel, or the folder cannot be written.
    """
    make_folder(folder)
    pictures = layers(scan, predicted, truth, channel, size, numbered=False, volume=volume)
    paths = [folder / f"slice_{number:03d}.png" for number in scan.grid.slice_numbers]
    for path, picture in zip(paths, pictures, strict=True):
        with written_whole(path) as part:
            greys = PNG_GREYS if picture.labels is None else LABEL_GREYS
            part.write_bytes(png_of(_drawn(picture, greys), _palette(greys)))
    return paths


def draw_gif(
    scan: Scan,
    predicted: Segmentation | None,
    truth: Segmentation | None,
    path: Path,
    channel: str = "flair",
    size: int = 256,
    seconds: float = 0.15,
    positions: Sequence[int] | None = None,
    small: bool = False,
    volume: npt.NDArray[np.uint8] | None = None,
) -> Path:
    """Write an animated GIF that runs through the slices, each with its number in the corner.

    Args:
        scan: the scan.
        predicted: mask to outline in red, or ``None``; see :func:`glioseg.draw.views.layers` for labels.
        truth: mask to outline in green, or ``None``; yellow is where both outlines run.
        path: the file to write.
        channel: channel that is shown.
        size: longer side of the picture in pixels.
        seconds: how long each slice stands.
        positions: which slices, counted from 0; all by default.
        small: cut the air around the head off, and take half as many grey levels.
        volume: what :func:`glioseg.draw.grey` gave for the channel, if it is at hand.

    Returns:
        The file.

    Raises:
        InputError: the scan has no such channel, or the file cannot be written.
    """
    pictures = layers(scan, predicted, truth, channel, size, positions, crop=small, volume=volume)
    greys = SMALL_GREYS if small else GIF_GREYS
    first, *others = (_with_palette(_drawn(picture, greys), greys) for picture in pictures)
    with written_whole(path) as part:
        first.save(
            part,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=round(seconds * 1000),
            loop=0,
            optimize=False,
        )
    return path


def contact_sheet(
    scan: Scan,
    predicted: Segmentation | None,
    truth: Segmentation | None,
    path: str | Path,
    channel: str = "flair",
    positions: Sequence[int] | None = None,
    size: int = 192,
) -> Path:
    """Write one PNG with many slices side by side, cropped to the head, each with its number.

    Args:
        scan: the scan.
        predicted: mask to outline in red, or ``None``; see :func:`glioseg.draw.views.layers` for labels.
        truth: mask to outline in green, or ``None``; yellow is where both outlines run.
        path: the file to write.
        channel: channel that is shown.
        positions: which slices, counted from 0; all by default.
        size: longer side of one slice in pixels.

    Returns:
        The file.

    Raises:
        InputError: the scan has no such channel, or the file cannot be written.

    >>> import glioseg
    >>> scan = glioseg.read_scan("scan.nii.gz")                                  # doctest: +SKIP
    >>> found = glioseg.segment(scan).segmentation                               # doctest: +SKIP
    >>> contact_sheet(scan, found, None, "scan.png").name                        # doctest: +SKIP
    'scan.png'
    """
    pictures = list(frames(scan, predicted, truth, channel, size, positions, crop=True))
    return write_png(tile(pictures), Path(path))


def write_png(picture: Pixels, path: Path, small: bool = False) -> Path:
    """Write a picture of grey levels and outlines as a PNG with a palette.

    Args:
        picture: uint8 array ``(height, width, 3)``.
        path: the file to write.
        small: take fewer grey levels and all the time that a small file needs.
    """
    greys = SMALL_GREYS if small else LABEL_GREYS if _shows_labels(picture) else PNG_GREYS
    with written_whole(path) as part:
        part.write_bytes(png_of(_indexed(picture, greys), _palette(greys), small))
    return path


def _indexed(picture: Pixels, greys: int) -> Index:
    """The picture on a palette of evenly spaced greys and the pure colours of the outlines."""
    index = looked_up(picture[..., 1], _nearest(greys))
    coloured = (picture[..., 0] != picture[..., 2]) | (picture[..., 1] != picture[..., 2])
    known = np.array(COLOURS + LABELS)
    index[coloured] = greys + (picture[coloured][:, None] == known).all(axis=2).argmax(axis=1)
    return index


def _shows_labels(picture: Pixels) -> bool:
    """Whether outlines of several labels are drawn in the picture: the colours of masks are pure."""
    partly = (picture > 0) & (picture < 255)
    coloured = (picture[..., 0] != picture[..., 2]) | (picture[..., 1] != picture[..., 2])
    return bool((partly.any(axis=2) & coloured).any())


def _drawn(picture: Layers, greys: int) -> Index:
    """What :func:`_indexed` makes of the slice with its outlines, without making colours first."""
    index = looked_up(picture.grey, _nearest(greys))
    if picture.labels is not None:
        places = label_outlines(picture.labels)
        index[places > 0] = greys + len(COLOURS) - 1 + places[places > 0]
        return index
    lines = [None if mask is None else outline(mask) for mask in (picture.predicted, picture.truth)]
    for colour, line in enumerate(lines):
        if line is not None:
            index[line] = greys + colour
    red, green = lines
    if red is not None and green is not None:
        index[red & green] = greys + COLOURS.index(BOTH)
    return index


@cache
def _nearest(greys: int) -> Index:
    """The entry of the palette that is nearest to each grey level."""
    return np.round(np.arange(256) * ((greys - 1) / 255)).astype(np.uint8)


@cache
def _palette(greys: int) -> bytes:
    """Red, green and blue of each entry."""
    levels = np.round(np.linspace(0, 255, greys))
    colours = np.concatenate([np.stack([levels] * 3, axis=1), COLOURS, LABELS])[:256]
    return colours.astype(np.uint8).tobytes()


def _with_palette(index: Index, greys: int) -> Image.Image:
    image = Image.fromarray(index)
    image.putpalette(_palette(greys))
    return image
