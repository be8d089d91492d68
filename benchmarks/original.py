"""The data set made ready the original program's way: scikit-image, float64, everything in memory.

Written from the description of the protocol (Buda et al. 2019, brain-segmentation-pytorch), stage after
stage over all volumes as there, without progress messages and without reading the files a second time
for the validation patients.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from skimage.exposure import rescale_intensity
from skimage.io import imread
from skimage.transform import resize

Array = npt.NDArray[Any]
Volume = tuple[Array, Array]
"""Images ``(slices, height, width, 3)`` and masks ``(slices, height, width)``."""


def load(folders: list[Path], size: int = 256) -> list[tuple[Array, Array, Array]]:
    """Images (float64, z-scored), masks and sampling weights of the slices, for each patient's folder."""
    volumes = [_read(folder) for folder in folders]
    volumes = [_crop(*volume) for volume in volumes]
    volumes = [_pad(*volume) for volume in volumes]
    volumes = [_resize(*volume, size) for volume in volumes]
    volumes = [(_normalise(images), masks) for images, masks in volumes]
    return [(images, masks[..., np.newaxis], _weights(masks)) for images, masks in volumes]


def _read(folder: Path) -> Volume:
    images, masks = [], []
    for path in sorted(folder.glob("*.tif"), key=lambda path: int(re.findall(r"\d+", path.stem)[-1])):
        if "mask" in path.name:
            masks.append(imread(path, as_gray=True))
        else:
            images.append(imread(path))
    return np.array(images[1:-1]), np.array(masks[1:-1])


def _crop(images: Array, masks: Array) -> Volume:
    images[images < 0.1 * images.max()] = 0
    loud = images.max(axis=-1)
    box = []
    for others in ((1, 2), (0, 2), (0, 1)):
        places = np.nonzero(loud.max(axis=others))[0]
        box.append(slice(places.min(), places.max() + 1))
    return images[tuple(box)], masks[tuple(box)]


def _pad(images: Array, masks: Array) -> Volume:
    height, width = masks.shape[1:]
    missing = abs(height - width)
    both = (missing // 2, missing - missing // 2)
    padding = ((0, 0), both, (0, 0)) if height < width else ((0, 0), (0, 0), both)
    return np.pad(images, (*padding, (0, 0))), np.pad(masks, padding)


def _resize(images: Array, masks: Array, size: int) -> Volume:
    shape = (len(images), size, size)
    settings = {"mode": "constant", "cval": 0, "anti_aliasing": False}
    return (
        resize(images, (*shape, images.shape[-1]), order=2, **settings),
        resize(masks, shape, order=0, **settings),
    )


def _normalise(images: Array) -> Array:
    low, high = np.percentile(images, 10), np.percentile(images, 99)
    images = rescale_intensity(images, in_range=(low, high))
    return (images - images.mean(axis=(0, 1, 2))) / images.std(axis=(0, 1, 2))


def _weights(masks: Array) -> Array:
    lesion = masks.sum(axis=(1, 2))
    return (lesion + 0.1 * lesion.sum() / len(lesion)) / (1.1 * lesion.sum())
