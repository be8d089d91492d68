"""The contract that every reader keeps: a subclass makes a scan and says how its mask is stored."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import nibabel as nib
import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image

from glioseg.errors import InputError
from glioseg.grid import Grid
from glioseg.io import read_scan, read_segmentation, write_segmentation
from glioseg.scan import CHANNELS, Scan, Segmentation


@dataclass
class Made:
    """A scan on disk, and what must be read from it.

    Attributes:
        arguments: for :func:`read_scan`.
        voxels: ``(slices, height, width)`` for FLAIR alone, otherwise with the channels last.
        id: the id that follows from the path.
        filled: the sequences that are not there.
        numbers: the slice numbers.
        spacing: in mm, if known.
    """

    arguments: dict[str, Any]
    voxels: np.ndarray
    id: str
    filled: tuple[str, ...] = ()
    numbers: tuple[int, ...] = ()
    spacing: tuple[float, float, float] | None = None


@dataclass
class Stored:
    """A mask on disk: its values, its kind of file."""

    names: list[str]
    dtype: str = "uint8"
    lesion: int = 255
    affine: np.ndarray | None = None
    shape: tuple[int, ...] = field(default=())


def disc(shape: tuple[int, ...], seed: int = 3) -> np.ndarray:
    """A lesion without any symmetry, so that a flip or a transposition is seen."""
    mask = np.random.default_rng(seed).random(shape) < 0.02
    mask[0, : shape[1] // 3, : shape[2] // 4] = True
    return mask


class ReaderContract:
    """What every reader keeps. A subclass makes a scan and says how its mask is stored."""

    format: ClassVar[str]

    def make(self, folder: Path) -> Made:
        raise NotImplementedError

    def stored(self, made: Made) -> Stored:
        raise NotImplementedError

    @pytest.fixture
    def made(self, tmp_path: Path) -> Made:
        folder = tmp_path / "in put"
        folder.mkdir()
        return self.make(folder)

    @pytest.fixture
    def scan(self, made: Made) -> Scan:
        return read_scan(**made.arguments)

    def test_voxels_come_as_they_are_stored(self, made: Made, scan: Scan) -> None:
        assert scan.voxels.dtype == made.voxels.dtype
        expected = made.voxels if made.voxels.ndim == 4 else np.stack([made.voxels] * 3, axis=-1)
        np.testing.assert_array_equal(scan.voxels, expected)

    def test_channels_are_named_and_filled_ones_are_said(self, made: Made, scan: Scan) -> None:
        assert scan.channels == CHANNELS
        assert set(scan.filled) == set(made.filled)
        for name in made.filled:
            np.testing.assert_array_equal(scan.channel(name), scan.channel("flair"))

    def test_grid(self, made: Made, scan: Scan) -> None:
        grid = scan.grid
        assert scan.storage.format == self.format
        assert grid.shape == made.voxels.shape[:3]
        assert grid.slice_numbers == (made.numbers or tuple(range(1, grid.shape[0] + 1)))
        assert all(file.is_file() for file in scan.storage.files)
        if made.spacing is None:
            assert grid.spacing is None
            assert grid.affine is None
        else:
            assert grid.affine is not None
            np.testing.assert_allclose(grid.spacing, made.spacing, rtol=1e-6)
            np.testing.assert_allclose(np.linalg.norm(grid.affine[:3, :3], axis=0), made.spacing, rtol=1e-6)

    def test_id(self, made: Made, scan: Scan) -> None:
        assert scan.id == made.id
        assert read_scan(**made.arguments, id="another").id == "another"

    def test_strings_and_relative_paths_are_paths(
        self, made: Made, scan: Scan, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = Path(next(iter(made.arguments.values())))
        monkeypatch.chdir(first.parent)
        again = read_scan(**{name: os.path.relpath(path) for name, path in made.arguments.items()})
        assert again.id == made.id
        np.testing.assert_array_equal(again.voxels, scan.voxels)

    def test_mask_comes_back_bit_for_bit(self, made: Made, scan: Scan, tmp_path: Path) -> None:
        mask = scan.segmentation(disc(scan.grid.shape))
        paths = write_segmentation(mask, tmp_path / "out")
        stored = self.stored(made)
        assert [path.relative_to(tmp_path / "out").as_posix() for path in paths] == stored.names
        source = paths[0].parent if len(paths) > 1 else paths[0]
        np.testing.assert_array_equal(read_segmentation(source, scan).voxels, mask.voxels)
        assert read_segmentation(source, scan).grid is scan.grid
        np.testing.assert_array_equal(read_segmentation(source).voxels, mask.voxels)

    def test_mask_is_stored_in_the_kind_that_was_read(self, made: Made, scan: Scan, tmp_path: Path) -> None:
        stored = self.stored(made)
        mask = scan.segmentation(disc(scan.grid.shape))
        for path in write_segmentation(mask, tmp_path / "out"):
            if path.name.endswith(".nii.gz"):
                image = nib.load(path)
                values = np.asanyarray(image.dataobj)
                np.testing.assert_array_equal(image.affine, stored.affine)
                assert image.shape == stored.shape
            elif path.suffix == ".dcm":
                values = pydicom.dcmread(path).pixel_array
            elif path.suffix in (".tif", ".tiff"):
                values = tifffile.imread(path)
            else:
                values = np.asarray(Image.open(path))
            assert str(values.dtype) == stored.dtype
            assert set(np.unique(values)) <= {0, stored.lesion}

    def test_writing_twice_gives_the_same_bytes(self, scan: Scan, tmp_path: Path) -> None:
        mask = scan.segmentation(disc(scan.grid.shape))
        first = {path: path.read_bytes() for path in write_segmentation(mask, tmp_path / "out")}
        assert {path: path.read_bytes() for path in write_segmentation(mask, tmp_path / "out")} == first
        assert sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file()) == sorted(first)

    def test_a_mask_of_another_size_is_refused(self, scan: Scan, tmp_path: Path) -> None:
        mask = scan.segmentation(disc(scan.grid.shape))
        paths = write_segmentation(mask, tmp_path / "out")
        source = paths[0].parent if len(paths) > 1 else paths[0]
        slices, height, width = scan.grid.shape
        wider = np.zeros((slices, height, width + 1), np.uint8)
        other = Segmentation(wider, Grid(wider.shape), storage=scan.storage)
        with pytest.raises(InputError, match=str(width + 1)):
            read_segmentation(source, other)

    def test_one_name_for_the_mask(self, scan: Scan, tmp_path: Path) -> None:
        mask = scan.segmentation(disc(scan.grid.shape))
        for path in write_segmentation(mask, tmp_path / "out", "Zoë, 1"):
            assert path.relative_to(tmp_path / "out").as_posix().startswith("Zoë, 1")
        for name in ("../up", "a/b", "..", "/etc/a"):
            with pytest.raises(InputError, match="a plain name"):
                write_segmentation(mask, tmp_path / "out", name)
