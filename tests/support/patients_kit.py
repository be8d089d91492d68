"""Many small patients for the work list, each another one."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from glioseg.io import read_scan
from glioseg.samples import SAMPLES, sample_cases

PATIENCE = 120.0


def small_patient(folder: Path, name: str, seed: int) -> Path:
    """One slice of 48 x 48 pixels: a grey head with a bright spot whose place and size tell the seed."""
    y, x = np.ogrid[:48, :48]
    head = ((y - 24) / 21) ** 2 + ((x - 24) / 18) ** 2 < 1
    row, column, radius = 16 + seed % 17, 16 + seed // 17 % 17, 3 + seed // 289
    spot = (y - row) ** 2 + (x - column) ** 2 < radius**2
    values = np.random.default_rng(seed).integers(0, 6, (48, 48)) + head * 90 + spot * 140
    place = folder / name
    place.mkdir(parents=True)
    Image.fromarray(values.astype(np.uint8)).save(place / f"{name}.tif")
    return place


def sample_patients(folder: Path, count: int, slices: int = 3) -> list[str]:
    """Patients of a few slices of the bundled scans, cropped to 128 x 128 pixels; their names."""
    import tifffile

    scans = [read_scan(SAMPLES / case.id) for case in sample_cases()]
    names = []
    for number in range(count):
        scan, first = scans[number % 3], 5 + 2 * (number // 3)
        name = f"patient_{number + 1:02d}"
        (folder / name).mkdir(parents=True)
        for place in range(slices):
            image = scan.voxels[first + place, 64:192, 64:192]
            tifffile.imwrite(folder / name / f"{name}_{place + 1}.tif", image, photometric="rgb")
        names.append(name)
    return names


def until(true: Callable[[], Any]) -> Any:
    """Wait for something, and give what it is."""
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return found
