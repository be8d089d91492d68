"""Small sound scans of every kind, and the tools that damage them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image


def slice_rgb(number: int = 0, size: int = 32) -> np.ndarray:
    """An uint8 RGB slice with a bright disc, a little different for each number."""
    rows, columns = np.mgrid[:size, :size]
    disc = ((rows - size / 2) ** 2 + (columns - size / 2) ** 2 < (size / 3) ** 2).astype(float)
    texture = np.random.default_rng(number).normal(0, 8, (size, size, 3))
    return np.clip(disc[..., None] * (60 + 40 * np.arange(3)) + np.abs(texture), 0, 255).astype(np.uint8)


def mask_of(number: int = 0, size: int = 32) -> np.ndarray:
    """A 0/255 mask; every third is empty."""
    mask = np.zeros((size, size), np.uint8)
    if number % 3:
        mask[10:14, 9 : 12 + number % 5] = 255
    return mask


def save(path: Path, array: np.ndarray, mode: str | None = None, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def patient(root: Path, id: str = "TCGA_CS_0001_19990101", slices: int = 4, first: int = 0) -> Path:
    """A sound patient folder as in kaggle_3m."""
    for number in range(1, slices + 1):
        save(root / id / f"{id}_{number}.tif", slice_rgb(first + number))
        save(root / id / f"{id}_{number}_mask.tif", mask_of(number))
    return root / id


def labelled(tmp: Path) -> Path:
    """A data set of two sound patients."""
    patient(tmp / "data", "TCGA_CS_0001_19990101")
    patient(tmp / "data", "TCGA_DU_0002_19990101", first=50)
    return tmp / "data"


def volume(shape: tuple[int, ...] = (20, 24, 6), seed: int = 0, dtype: Any = np.int16) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 500, shape).astype(dtype)


AFFINE = np.array([[-1.0, 0, 0, 40], [0, 1.0, 0, -30], [0, 0, 5.0, 10], [0, 0, 0, 1]])


def nifti(path: Path, array: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, affine), path)
    return path


def nifti_with(path: Path, change: Callable[[bytearray], None]) -> Path:
    """An uncompressed NIfTI whose header bytes are changed."""
    nifti(path, volume())
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)
    return path


def png_chunks(*chunks: tuple[bytes, bytes]) -> bytes:
    data = b"\x89PNG\r\n\x1a\n"
    for kind, content in chunks:
        data += (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )
    return data


def png_header(width: int, height: int, bits: int = 8, colour: int = 0) -> tuple[bytes, bytes]:
    return b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)


def cut(path: Path, share: float) -> Path:
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
