"""One image file: a single slice, or a multi-page TIFF with one page a slice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.files import written_whole
from glioseg.grid import Grid
from glioseg.io.finite import made_finite
from glioseg.io.labels import read_label_pages, segmentation_of, stored_as_image
from glioseg.io.names import split_number, stem_of, suffix_of
from glioseg.io.pictures import read_pages
from glioseg.io.plain_tiff import plain_of
from glioseg.scan import CHANNELS, Scan, Segmentation, Storage


def read(path: Path, id: str) -> Scan:
    """Read a grey (FLAIR alone) or RGB (pre, FLAIR, post) image of one or more pages.

    Raises:
        InputError: see :func:`glioseg.io.pictures.read_pages` and :func:`glioseg.io.finite.made_finite`.
    """
    voxels, notes = made_finite(path, read_pages(path))
    channels = CHANNELS if voxels.shape[3] == 3 else ("flair",)
    grid = _grid(path, voxels.shape)
    return Scan(voxels, grid, id, channels, storage=Storage("image", (path,)), notes=notes)


def read_segmentation(
    path: Path, like: Scan | Segmentation | None, labels: Mapping[int, str] | None
) -> Segmentation:
    """Read a mask of one or more pages.

    Raises:
        InputError: see :func:`glioseg.io.labels.read_label_pages`; or its size is not that of ``like``.
    """
    voxels = read_label_pages(path, labels)
    if like is not None and voxels.shape != like.grid.shape:
        found = Grid((voxels.shape[0], voxels.shape[1], voxels.shape[2])).describe()
        raise InputError(Fault("io.mask_of_other_size", path, grid=like.grid.describe(), own=found))
    place = like or _grid(path, voxels.shape)
    return segmentation_of(voxels, place, Storage("image", (path,)), stem_of(path), labels)


def write_segmentation(segmentation: Segmentation, folder: Path, name: str) -> list[Path]:
    """Write ``folder/<name>_mask.tif`` (or ``.png``), uint8, one page a slice; lesion or not as 0 and 255."""
    files = segmentation.storage.files
    suffix = suffix_of(files[0]) if files else ".tif"
    return [write_picture(folder / f"{name}_mask", suffix, stored_as_image(segmentation))]


def write_picture(stem: Path, suffix: str, voxels: npt.NDArray[np.uint8]) -> Path:
    """Write the pages of a mask, in TIFF for TIFF and for several pages, otherwise in PNG.

    Args:
        stem: path without the suffix.
        suffix: the suffix of the image that the mask belongs to.
        voxels: uint8 ``(pages, height, width)``.
    """
    from PIL import Image

    if len(voxels) > 1 or suffix in (".tif", ".tiff"):
        path = stem.with_name(stem.name + (suffix if suffix in (".tif", ".tiff") else ".tif"))
    else:
        path = stem.with_name(stem.name + ".png")
    with written_whole(path) as part:
        if len(voxels) == 1 and path.suffix != ".png":
            part.write_bytes(plain_of(voxels[0]))
            return path
        pages = [Image.fromarray(page) for page in voxels]
        if path.suffix == ".png":
            pages[0].save(part, format="PNG")
        else:
            pages[0].save(part, format="TIFF", save_all=True, append_images=pages[1:])
    return path


def _grid(path: Path, shape: tuple[int, ...]) -> Grid:
    first = split_number(stem_of(path))[1] if shape[0] == 1 else None
    numbers = (first,) if first is not None else ()
    return Grid((shape[0], shape[1], shape[2]), slice_numbers=numbers)
