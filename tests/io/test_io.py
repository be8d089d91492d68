"""The contract that every reader keeps, and what the room of readers promises as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import nibabel as nib
import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image
from support import dicom_kit
from support.sound_scans import AFFINE, mask_of, nifti, patient, save, slice_rgb, volume

from glioseg.errors import InputError
from glioseg.grid import Grid
from glioseg.io import READERS, read_scan, read_segmentation, with_all_channels, write_segmentation
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


# --- folders of slices ------------------------------------------------------------------------


class TestKaggleFolder(ReaderContract):
    format = "slices"

    def make(self, folder: Path) -> Made:
        path = patient(folder, "TCGA_CS_0001_19990101", 12)
        voxels = np.stack([slice_rgb(number) for number in range(1, 13)])
        return Made({"source": path}, voxels, path.name)

    def stored(self, made: Made) -> Stored:
        return Stored([f"{made.id}/{made.id}_{number}_mask.tif" for number in range(1, 13)])


class TestGreySixteenBitPng(ReaderContract):
    format = "slices"

    def make(self, folder: Path) -> Made:
        voxels = np.random.default_rng(0).integers(0, 65536, (3, 20, 30)).astype(np.uint16)
        for number, pixels in zip((8, 9, 10), voxels, strict=True):
            save(folder / "head" / f"IM-0001-{number}.png", pixels)
        return Made({"source": folder / "head"}, voxels, "head", ("pre", "post"), (8, 9, 10))

    def stored(self, made: Made) -> Stored:
        return Stored([f"head/IM-0001-{number}_mask.png" for number in (8, 9, 10)])


class TestJpegFolder(ReaderContract):
    format = "slices"

    def make(self, folder: Path) -> Made:
        for number in (1, 2, 3):
            save(folder / "head" / f"{number}.jpg", slice_rgb(number), quality=90)
        voxels = np.stack([np.asarray(Image.open(folder / "head" / f"{number}.jpg")) for number in (1, 2, 3)])
        return Made({"source": folder / "head"}, voxels, "head")

    def stored(self, made: Made) -> Stored:
        return Stored([f"head/{number}_mask.png" for number in (1, 2, 3)])


class TestGreySavedAsColour(ReaderContract):
    """Grey JPEG or TIFF of three equal channels is FLAIR alone."""

    format = "slices"

    def make(self, folder: Path) -> Made:
        voxels = np.stack([np.stack([slice_rgb(number)[..., 1]] * 3, axis=-1) for number in (1, 2)])
        for number, pixels in enumerate(voxels, 1):
            save(folder / "head" / f"slice{number:03}.tiff", pixels)
        return Made({"source": folder / "head"}, voxels, "head", ("pre", "post"))

    def stored(self, made: Made) -> Stored:
        return Stored([f"head/slice{number:03}_mask.tiff" for number in (1, 2)])


class TestFolderOfOneSlice(ReaderContract):
    format = "slices"

    def make(self, folder: Path) -> Made:
        save(folder / "head" / "only_7.tif", slice_rgb())
        return Made({"source": folder / "head"}, slice_rgb()[None], "head", numbers=(7,))

    def stored(self, made: Made) -> Stored:
        return Stored(["head/only_7_mask.tif"])


# --- image files ------------------------------------------------------------------------------


class TestOneJpeg(ReaderContract):
    format = "image"

    def make(self, folder: Path) -> Made:
        path = save(folder / "head.JPG", slice_rgb()[..., 0], quality=95)
        return Made({"source": path}, np.asarray(Image.open(path))[None], "head", ("pre", "post"))

    def stored(self, made: Made) -> Stored:
        return Stored(["head_mask.png"])


class TestOneColourTiff(ReaderContract):
    format = "image"

    def make(self, folder: Path) -> Made:
        path = save(folder / "head_12.tif", slice_rgb())
        return Made({"source": path}, slice_rgb()[None], "head_12", numbers=(12,))

    def stored(self, made: Made) -> Stored:
        return Stored(["head_12_mask.tif"])


class TestSixteenBitColourTiff(ReaderContract):
    format = "image"

    def make(self, folder: Path) -> Made:
        voxels = np.random.default_rng(0).integers(0, 65536, (1, 20, 30, 3)).astype(np.uint16)
        tifffile.imwrite(folder / "head.tif", voxels[0], photometric="rgb", compression="zlib")
        return Made({"source": folder / "head.tif"}, voxels, "head")

    def stored(self, made: Made) -> Stored:
        return Stored(["head_mask.tif"])


class TestGreyStack(ReaderContract):
    format = "image"

    def make(self, folder: Path) -> Made:
        voxels = volume((7, 20, 30), dtype=np.int16)
        tifffile.imwrite(folder / "stack.tif", voxels, photometric="minisblack")
        return Made({"source": folder / "stack.tif"}, voxels, "stack", ("pre", "post"))

    def stored(self, made: Made) -> Stored:
        return Stored(["stack_mask.tif"])


class TestColourStack(ReaderContract):
    format = "image"

    def make(self, folder: Path) -> Made:
        voxels = np.stack([slice_rgb(number) for number in range(3)])
        planes = np.moveaxis(voxels, 3, 1)
        tifffile.imwrite(folder / "stack.tif", planes, photometric="rgb", planarconfig="separate")
        return Made({"source": folder / "stack.tif"}, voxels, "stack")

    def stored(self, made: Made) -> Stored:
        return Stored(["stack_mask.tif"])


# --- NIfTI ------------------------------------------------------------------------------------

SPACING = (5.0, 1.0, 1.0)


def presented(stored: np.ndarray) -> np.ndarray:
    """How :data:`damaged.AFFINE` (left, anterior, superior) is shown: the rows turn round."""
    return np.moveaxis(stored, (2, 1, 0), (0, 1, 2))[:, ::-1]


class NiftiContract(ReaderContract):
    format = "nifti"

    def stored(self, made: Made) -> Stored:
        path = made.arguments.get("source") or made.arguments["flair"]
        image = nib.load(path)
        return Stored([f"{made.id}_mask.nii.gz"], lesion=1, affine=image.affine, shape=image.shape[:3])


class TestNifti(NiftiContract):
    def make(self, folder: Path) -> Made:
        path = nifti(folder / "head.1.nii.gz", volume())
        return Made({"source": path}, presented(volume()), "head.1", ("pre", "post"), spacing=SPACING)


class TestFourDimensionalNifti(NiftiContract):
    def make(self, folder: Path) -> Made:
        stored = volume((20, 24, 6, 3), dtype=np.float32)
        path = nifti(folder / "head.nii", stored)
        return Made({"source": path}, presented(stored), "head", spacing=SPACING)


class TestColourNifti(NiftiContract):
    def make(self, folder: Path) -> Made:
        stored = np.random.default_rng(0).integers(0, 255, (20, 24, 6, 3)).astype(np.uint8)
        kind = np.dtype([(name, np.uint8) for name in "RGB"])
        path = nifti(folder / "head.nii.gz", stored.view(kind)[..., 0])
        return Made({"source": path}, presented(stored), "head", spacing=SPACING)


class TestScaledNifti(NiftiContract):
    def make(self, folder: Path) -> Made:
        image = nib.Nifti1Image(volume(), AFFINE)
        image.header.set_slope_inter(0.5, -3)
        nib.save(image, folder / "head.nii.gz")
        # nibabel chooses the stored integers so that the values stay
        values = np.asarray(nib.load(folder / "head.nii.gz").dataobj)
        assert nib.load(folder / "head.nii.gz").dataobj.slope == 0.5
        return Made(
            {"source": folder / "head.nii.gz"},
            presented(values.astype(np.float32)),
            "head",
            ("pre", "post"),
            spacing=SPACING,
        )


class TestBigEndianNifti(NiftiContract):
    def make(self, folder: Path) -> Made:
        image = nib.Nifti1Image(volume(), AFFINE, nib.Nifti1Header(endianness=">"), dtype=np.int16)
        nib.save(image, folder / "head.nii")
        assert nib.load(folder / "head.nii").header.endianness == ">"
        voxels = presented(volume())
        return Made({"source": folder / "head.nii"}, voxels, "head", ("pre", "post"), spacing=SPACING)


class TestNifti2(NiftiContract):
    def make(self, folder: Path) -> Made:
        nib.save(nib.Nifti2Image(volume(), AFFINE), folder / "head.nii.gz")
        voxels = presented(volume())
        return Made({"source": folder / "head.nii.gz"}, voxels, "head", ("pre", "post"), spacing=SPACING)


class TestOneSliceOfNifti(NiftiContract):
    def make(self, folder: Path) -> Made:
        path = nifti(folder / "head.nii.gz", volume((20, 24)))
        voxels = presented(volume((20, 24))[..., None])
        return Made({"source": path}, voxels, "head", ("pre", "post"), spacing=(5.0, 1.0, 1.0))


class TestSequences(NiftiContract):
    """FLAIR and T1 post-contrast as int16 and float, one stored upside down; no T1 before contrast."""

    def make(self, folder: Path) -> Made:
        flair, post = volume(seed=1), volume(seed=2, dtype=np.float32)
        turned = AFFINE @ np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 5], [0, 0, 0, 1]])
        arguments = {
            "flair": nifti(folder / "p1" / "FLAIR.nii.gz", flair),
            "post": nifti(folder / "p1" / "t1_post.nii.gz", post[..., ::-1], turned),
        }
        voxels = presented(np.stack([flair, flair, post], axis=-1).astype(np.float32))
        return Made(arguments, voxels, "p1", ("pre",), spacing=SPACING)


class TestSequencesInFolders(ReaderContract):
    """One grey folder of slices a sequence."""

    format = "slices"

    def make(self, folder: Path) -> Made:
        voxels = np.stack([slice_rgb(number) for number in (1, 2)])
        for place, name in enumerate(CHANNELS):
            for number, pixels in enumerate(voxels[..., place], 1):
                save(folder / "p1" / name / f"{number}.png", pixels)
        return Made({name: folder / "p1" / name for name in CHANNELS}, voxels, "p1")

    def stored(self, made: Made) -> Stored:
        return Stored([f"p1/{number}_mask.png" for number in (1, 2)])


# --- DICOM ------------------------------------------------------------------------------------


def shown(stored: np.ndarray) -> np.ndarray:
    """How an axial series, ``(columns, rows, slices)``, is shown: as it is stored."""
    return np.moveaxis(stored, (2, 1, 0), (0, 1, 2))


class DicomContract(ReaderContract):
    format = "dicom"

    def stored(self, made: Made) -> Stored:
        return Stored([f"{made.id}_mask.dcm"], lesion=1)


class TestDicomSeries(DicomContract):
    def make(self, folder: Path) -> Made:
        dicom_kit.series(folder / "p 1", volume())
        return Made({"source": folder / "p 1"}, shown(volume()), "p 1", ("pre", "post"), spacing=SPACING)


class TestDicomWithoutSuffix(DicomContract):
    def make(self, folder: Path) -> Made:
        voxels = volume(dtype=np.uint16)
        dicom_kit.series(folder / "p1" / "FLAIR", voxels, suffix="")
        return Made({"source": folder / "p1"}, shown(voxels), "p1", ("pre", "post"), spacing=SPACING)


class TestObliqueDicom(DicomContract):
    def make(self, folder: Path) -> Made:
        dicom_kit.series(folder / "p1", volume(), dicom_kit.rotated(dicom_kit.AXIAL, (20, -10, 15)))
        return Made({"source": folder / "p1"}, shown(volume()), "p1", ("pre", "post"), spacing=SPACING)


class TestSagittalDicom(DicomContract):
    """Slices from left to right, rows downwards, columns backwards: turned as NIfTI is."""

    def make(self, folder: Path) -> Made:
        affine = np.array([[0, 0, 3.0, -9], [-1, 0, 0, 5], [0, -1.5, 0, 7], [0, 0, 0, 1]])
        dicom_kit.series(folder / "p1", volume(), affine)
        voxels = volume().transpose(1, 0, 2)[::-1, :, ::-1]
        return Made({"source": folder / "p1"}, voxels, "p1", ("pre", "post"), spacing=(1.5, 1.0, 3.0))


class TestEnhancedDicom(DicomContract):
    def make(self, folder: Path) -> Made:
        path = dicom_kit.enhanced(folder / "head.dcm", volume())
        return Made({"source": path}, shown(volume()), "head", ("pre", "post"), spacing=SPACING)


class TestDicomStudy(DicomContract):
    """All sequences of a study, each in a folder of its own."""

    def make(self, folder: Path) -> Made:
        voxels = np.stack([volume(seed=seed) for seed in range(3)], axis=-1)
        for place, name in enumerate(("AX T1", "AX T2 FLAIR", "AX T1 +C")):
            dicom_kit.series(folder / "p1" / f"{place}", voxels[..., place], name=name)
        dicom_kit.series(folder / "p1" / "3", volume(seed=4), name="AX T2 TSE")
        shown_voxels = np.moveaxis(voxels, (2, 1, 0), (0, 1, 2))
        return Made({"source": folder / "p1"}, shown_voxels, "p1", spacing=SPACING)


class TestDicomSequencesByOption(DicomContract):
    """Named one by one, whatever their headers say."""

    def make(self, folder: Path) -> Made:
        voxels = np.stack([volume(seed=seed) for seed in range(3)], axis=-1)
        for place, name in enumerate(CHANNELS):
            dicom_kit.series(folder / "p1" / name, voxels[..., place], name="UNKNOWN", study=name)
        arguments = {name: folder / "p1" / name for name in ("flair", "post", "pre")}
        shown_voxels = np.moveaxis(voxels, (2, 1, 0), (0, 1, 2))
        return Made(arguments, shown_voxels, "p1", spacing=SPACING)


# --- the room as a whole ----------------------------------------------------------------------


def test_every_reader_has_a_contract_test() -> None:
    def tested(kind: type) -> set[str]:
        return {getattr(kind, "format", "")}.union(*(tested(sub) for sub in kind.__subclasses__()))

    assert set(READERS) <= tested(ReaderContract)


def test_nothing_heavy_is_imported_before_a_reader_is_used() -> None:
    heavy = (
        "pydicom",
        "highdicom",
        "PIL",
        "tifffile",
        "nibabel",
        "matplotlib",
        "scipy",
        "torch",
        "onnxruntime",
    )
    code = f"import sys, glioseg.io, glioseg.dataset; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_scan_and_its_sequences_exclude_each_other(tmp_path: Path) -> None:
    path = nifti(tmp_path / "a.nii", volume())
    with pytest.raises(InputError, match="one file a sequence"):
        read_scan(path, post=path)
    with pytest.raises(InputError, match="at least its FLAIR"):
        read_scan()


def test_channels_that_are_there_are_kept() -> None:
    voxels = np.random.default_rng(0).random((2, 4, 5, 2))
    scan = with_all_channels(Scan(voxels, Grid((2, 4, 5)), "a", ("flair", "post")))
    assert scan.filled == ("pre",)
    np.testing.assert_array_equal(scan.voxels, voxels[..., [0, 0, 1]])


def test_a_mask_on_a_grid_of_no_file_is_written_as_nifti(tmp_path: Path) -> None:
    voxels = disc((4, 5, 6))
    for grid in (
        Grid((4, 5, 6)),
        Grid((4, 5, 6), spacing=(3.0, 0.5, 0.5)),
        Grid(
            (4, 5, 6), (5.0, 1.0, 1.0), np.array([[0, 0, -1.0, 3], [0, -1, 0, 4], [5, 0, 0, 5], [0, 0, 0, 1]])
        ),
    ):
        (path,) = write_segmentation(Segmentation.from_mask(voxels, grid, "a"), tmp_path)
        again = read_segmentation(path)
        np.testing.assert_array_equal(again.voxels, voxels)
        assert again.grid.spacing == (grid.spacing or (1.0, 1.0, 1.0))
        if grid.affine is not None:
            np.testing.assert_allclose(again.grid.affine, grid.affine)


def test_masks_of_some_slices_only_are_refused(tmp_path: Path) -> None:
    folder = patient(tmp_path, "p1", 4)
    (folder / "p1_2_mask.tif").unlink()
    save(folder / "p1_9_mask.tif", np.zeros((32, 32), np.uint8))
    with pytest.raises(InputError) as caught:
        read_segmentation(folder, read_scan(folder))
    assert len(caught.value.faults) == 2
    assert "p1_2_mask" in str(caught.value)
    assert "p1_9_mask" in str(caught.value)


def test_masks_by_other_words(tmp_path: Path) -> None:
    for number in (1, 2):
        save(tmp_path / "p1" / f"p1_{number}.png", slice_rgb(number))
        save(tmp_path / "p1" / f"p1_{number}_seg.png", mask_of(number))
    scan = read_scan(tmp_path / "p1")
    assert scan.grid.shape[0] == 2
    expected = np.stack([mask_of(1), mask_of(2)]) == 255
    np.testing.assert_array_equal(read_segmentation(tmp_path / "p1", scan).voxels, expected)
    np.testing.assert_array_equal(read_segmentation(tmp_path / "p1").voxels, expected)


def test_slice_number_zero_stays(tmp_path: Path) -> None:
    save(tmp_path / "p1" / "p1_0.png", slice_rgb())
    assert read_scan(tmp_path / "p1").grid.slice_numbers == (0,)


def test_when_one_slice_cannot_be_written_none_stays(tmp_path: Path) -> None:
    scan = read_scan(patient(tmp_path, "p1", 4))
    obstacle = tmp_path / "out" / "p1" / "p1_3_mask.tif"
    obstacle.mkdir(parents=True)
    with pytest.raises(InputError, match="p1_3_mask"):
        write_segmentation(scan.segmentation(disc(scan.grid.shape)), tmp_path / "out")
    assert list((tmp_path / "out" / "p1").iterdir()) == [obstacle]


def test_names_of_slices_must_tell_their_order(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save(tmp_path / "p1" / f"{name}.png", slice_rgb())
    with pytest.raises(InputError, match="a slice number at the end of the name"):
        read_scan(tmp_path / "p1")


def test_slices_of_two_scans_are_told_apart(tmp_path: Path) -> None:
    for name in ("a_1", "a_2", "b_1"):
        save(tmp_path / "p1" / f"{name}.png", slice_rgb())
    with pytest.raises(InputError, match=r"2 scans \(a, b\)"):
        read_scan(tmp_path / "p1")


@pytest.mark.parametrize("kind", ["slices", "image", "nifti"])
def test_a_folder_that_cannot_be_written_is_said(kind: str, tmp_path: Path) -> None:
    paths = {
        "slices": patient(tmp_path, "p1", 2),
        "image": save(tmp_path / "a.png", slice_rgb()),
        "nifti": nifti(tmp_path / "b.nii", volume()),
    }
    scan = read_scan(paths[kind])
    (tmp_path / "out").write_text("a file", encoding="utf-8")
    with pytest.raises(InputError, match="out"):
        write_segmentation(scan.segmentation(disc(scan.grid.shape)), tmp_path / "out")
    assert (tmp_path / "out").read_text(encoding="utf-8") == "a file"
