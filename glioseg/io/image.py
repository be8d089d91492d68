"""One image file: a single slice, or a multi-page TIFF with one page a slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from glioseg.errors import Fault, InputError
from glioseg.files import written_whole
from glioseg.io.names import split_number, stem_of, suffix_of
from glioseg.io.pictures import read_mask_pages, read_pages
from glioseg.scan import CHANNELS, BoolArray, Grid, Mask, Scan


def read(path: Path, id: str) -> Scan:
    """Read a grey (FLAIR alone) or RGB (pre, FLAIR, post) image of one or more pages.

    Raises:
        InputError: see :func:`glioseg.io.pictures.read_pages`.
    """
    voxels = read_pages(path)
    return Scan(voxels, _grid(path, voxels.shape), id, CHANNELS if voxels.shape[3] == 3 else ("flair",))


def read_mask(path: Path, like: Grid | None) -> Mask:
    """Read a mask of one or more pages.

    Raises:
        InputError: see :func:`glioseg.io.pictures.read_mask_pages`; or its size is not that of ``like``.
    """
    voxels = read_mask_pages(path)
    if like is not None and voxels.shape != like.shape:
        found = f"{voxels.shape[0]} of {voxels.shape[2]} x {voxels.shape[1]}"
        expected = f"{like.shape[0]} slices of {like.shape[2]} x {like.shape[1]}, as the scan"
        raise InputError(Fault(path, expected, found, "Give the mask of this scan."))
    return Mask(voxels, like or _grid(path, voxels.shape), stem_of(path))


def write_mask(mask: Mask, folder: Path, name: str) -> list[Path]:
    """Write ``folder/<name>_mask.tif`` (or ``.png``), uint8, values 0 and 255, one page a slice."""
    suffix = suffix_of(mask.grid.files[0]) if mask.grid.files else ".tif"
    return [write_picture(folder / f"{name}_mask", suffix, mask.voxels)]


def write_picture(stem: Path, suffix: str, voxels: BoolArray) -> Path:
    """Write the pages of a mask as uint8 0/255, in TIFF for TIFF and for several pages, otherwise in PNG.

    Args:
        stem: path without the suffix.
        suffix: the suffix of the image that the mask belongs to.
        voxels: boolean ``(pages, height, width)``.
    """
    from PIL import Image

    if len(voxels) > 1 or suffix in (".tif", ".tiff"):
        path = stem.with_name(stem.name + (suffix if suffix in (".tif", ".tiff") else ".tif"))
    else:
        path = stem.with_name(stem.name + ".png")
    pages = [Image.fromarray(np.where(page, np.uint8(255), np.uint8(0))) for page in voxels]
    with written_whole(path) as part:
        if path.suffix == ".png":
            pages[0].save(part, format="PNG")
        else:
            pages[0].save(part, format="TIFF", save_all=True, append_images=pages[1:])
    return path


def _grid(path: Path, shape: tuple[int, ...]) -> Grid:
    first = split_number(stem_of(path))[1] if shape[0] == 1 else None
    numbers = (first,) if first is not None else ()
    return Grid((shape[0], shape[1], shape[2]), slice_numbers=numbers, format="image", files=(path,))
