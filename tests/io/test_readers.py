"""The contract that every reader keeps, for each kind of file."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import tifffile
from PIL import Image
from support import dicom_kit
from support.reader_contract import Made, ReaderContract, Stored
from support.sound_scans import AFFINE, nifti, patient, save, slice_rgb, volume
from support.text_volumes import metaimage, nrrd

from glioseg.io import READERS
from glioseg.scan import CHANNELS

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


class TextHeaderContract(NiftiContract):
    """Masks are NIfTI on the grid of the scan's file."""

    def stored(self, made: Made) -> Stored:
        return Stored([f"{made.id}_mask.nii.gz"], lesion=1, affine=AFFINE, shape=volume().shape)


class TestNrrd(TextHeaderContract):
    def make(self, folder: Path) -> Made:
        path = nrrd(folder / "head.1.nrrd", volume())
        return Made({"source": path}, presented(volume()), "head.1", ("pre", "post"), spacing=SPACING)


class TestMetaImage(TextHeaderContract):
    def make(self, folder: Path) -> Made:
        path = metaimage(folder / "head.mhd", volume(dtype=np.float32))
        return Made(
            {"source": path}, presented(volume(dtype=np.float32)), "head", ("pre", "post"), spacing=SPACING
        )


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


def test_every_reader_has_a_contract_test() -> None:
    def tested(kind: type) -> set[str]:
        return {getattr(kind, "format", "")}.union(*(tested(sub) for sub in kind.__subclasses__()))

    assert set(READERS) <= tested(ReaderContract)
