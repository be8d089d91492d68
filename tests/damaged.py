"""Makers of damaged input: what people really have on their disks, and what attackers make.

:data:`DAMAGED` is the table: each row makes its files in a folder and gives the arguments of the
command line that must refuse them, and words that the refusal must hold, the file's name among them.
:data:`SOUND` is its counterpart: odd, but to be accepted.
"""

from __future__ import annotations

import gzip
import os
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import tifffile
from PIL import Image

Arguments = list[str]


@dataclass(frozen=True)
class Damage:
    """A row of the table.

    Attributes:
        name: what is wrong.
        make: makes the files in an empty folder and returns the arguments, a verb first.
        words: what the refusal must say, small letters or not.
        needs: what the system must have: ``links``, ``pipes`` or ``permissions``.
    """

    name: str
    make: Callable[[Path], Arguments]
    words: tuple[str, ...]
    needs: str = ""

    @property
    def possible(self) -> bool:
        """Whether this system can make it."""
        if self.needs == "permissions":
            return hasattr(os, "geteuid") and os.geteuid() != 0
        return not self.needs or sys.platform != "win32"


DAMAGED: list[Damage] = []
SOUND: list[Damage] = []


def _row(table: list[Damage], name: str, *words: str, needs: str = "") -> Callable[..., Any]:
    def add(make: Callable[[Path], Arguments]) -> Callable[[Path], Arguments]:
        table.append(Damage(name, make, words, needs))
        return make

    return add


def damaged(name: str, *words: str, needs: str = "") -> Callable[..., Any]:
    return _row(DAMAGED, name, *words, needs=needs)


def sound(name: str) -> Callable[..., Any]:
    return _row(SOUND, name)


# --- sound material ---------------------------------------------------------------------------


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


def predict(*paths: object) -> Arguments:
    return ["predict", *map(str, paths)]


# --- images -----------------------------------------------------------------------------------


@damaged("truncated TIFF", "scan.tif", "cut short")
def _(tmp: Path) -> Arguments:
    return predict(cut(save(tmp / "scan.tif", slice_rgb()), 0.6))


@damaged("truncated compressed TIFF", "scan.tif", "cut short")
def _(tmp: Path) -> Arguments:
    tifffile.imwrite(tmp / "scan.tif", slice_rgb(), compression="zlib", photometric="rgb")
    return predict(cut(tmp / "scan.tif", 0.6))


@damaged("TIFF cut inside its header", "scan.tif", "damaged")
def _(tmp: Path) -> Arguments:
    path = save(tmp / "scan.tif", slice_rgb())
    path.write_bytes(path.read_bytes()[:20])
    return predict(path)


@damaged("text named .tif", "notes.tif", "text")
def _(tmp: Path) -> Arguments:
    (tmp / "notes.tif").write_text("slice 1: nothing to see\n", encoding="utf-8")
    return predict(tmp / "notes.tif")


@damaged("web page saved as .png", "scan.png", "text")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.png").write_text("<!DOCTYPE html><html>404</html>", encoding="utf-8")
    return predict(tmp / "scan.png")


@damaged("TIFF of 0 bytes", "scan.tif", "0 bytes")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.tif").touch()
    return predict(tmp / "scan.tif")


@damaged("JPEG of 0 bytes", "scan.jpg", "0 bytes")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.jpg").touch()
    return predict(tmp / "scan.jpg")


@damaged("PNG with a wrong checksum", "scan.png", "checksum")
def _(tmp: Path) -> Arguments:
    path = save(tmp / "scan.png", slice_rgb())
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    return predict(path)


@damaged("PNG cut short", "scan.png", "cut short")
def _(tmp: Path) -> Arguments:
    return predict(cut(save(tmp / "scan.png", slice_rgb()), 0.5))


@damaged("PNG with too little data", "scan.png", "damaged")
def _(tmp: Path) -> Arguments:
    rows = zlib.compress(b"\0" + bytes(32))
    (tmp / "scan.png").write_bytes(png_chunks(png_header(32, 32), (b"IDAT", rows), (b"IEND", b"")))
    return predict(tmp / "scan.png")


@damaged("PNG of width 0", "scan.png")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.png").write_bytes(png_chunks(png_header(0, 32), (b"IEND", b"")))
    return predict(tmp / "scan.png")


@damaged("decompression bomb in PNG", "scan.png", "60000 x 60000")
def _(tmp: Path) -> Arguments:
    rows = zlib.compress(bytes(10_000_000), 9)
    (tmp / "scan.png").write_bytes(png_chunks(png_header(60000, 60000), (b"IDAT", rows), (b"IEND", b"")))
    return predict(tmp / "scan.png")


@damaged("animated PNG", "scan.png", "animation")
def _(tmp: Path) -> Arguments:
    frames = [Image.fromarray(slice_rgb(number)) for number in range(3)]
    frames[0].save(tmp / "scan.png", save_all=True, append_images=frames[1:])
    return predict(tmp / "scan.png")


@damaged("JPEG cut short", "scan.jpg", "cut short")
def _(tmp: Path) -> Arguments:
    return predict(cut(save(tmp / "scan.jpg", slice_rgb()), 0.6))


@damaged("RGBA PNG", "scan.png", "RGBA")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.png", slice_rgb(), "RGBA"))


@damaged("grey PNG with transparency", "scan.png", "transparency")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.png", slice_rgb(), "LA"))


@damaged("palette PNG", "scan.png", "palette")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.png", slice_rgb(), "P"))


@damaged("1-bit PNG", "scan.png", "1-bit")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.png", slice_rgb(), "1"))


@damaged("CMYK JPEG", "scan.jpg", "CMYK")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.jpg", slice_rgb(), "CMYK"))


@damaged("RGBA TIFF", "scan.tif", "transparency")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.tif", slice_rgb(), "RGBA"))


@damaged("CMYK TIFF", "scan.tif", "separated")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.tif", slice_rgb(), "CMYK"))


@damaged("palette TIFF", "scan.tif", "palette")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.tif", slice_rgb(), "P"))


@damaged("1-bit TIFF", "scan.tif", "1-bit")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.tif", slice_rgb(), "1"))


@damaged("two channels in TIFF", "scan.tif")
def _(tmp: Path) -> Arguments:
    tifffile.imwrite(tmp / "scan.tif", slice_rgb()[..., :2], photometric="minisblack", planarconfig="contig")
    return predict(tmp / "scan.tif")


@damaged("NaN in a float TIFF", "scan.tif", "NaN")
def _(tmp: Path) -> Arguments:
    pixels = slice_rgb()[..., 0].astype(np.float32)
    pixels[3, 4] = np.nan
    tifffile.imwrite(tmp / "scan.tif", pixels)
    return predict(tmp / "scan.tif")


@damaged("complex TIFF", "scan.tif", "complex")
def _(tmp: Path) -> Arguments:
    tifffile.imwrite(tmp / "scan.tif", slice_rgb()[..., 0].astype(np.complex64))
    return predict(tmp / "scan.tif")


@damaged("pages of different sizes in TIFF", "stack.tif", "pages of one size")
def _(tmp: Path) -> Arguments:
    with tifffile.TiffWriter(tmp / "stack.tif") as file:
        for size in (32, 32, 40):
            file.write(slice_rgb(size, size)[..., 0], photometric="minisblack", contiguous=False)
    return predict(tmp / "stack.tif")


def _tiff_sized(path: Path, width: int, height: int) -> Path:
    """A TIFF, BigTIFF for .btf, whose header promises another size than it holds."""
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), bigtiff=True, metadata=None)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageWidth"].overwrite(width)
        file.pages[0].tags["ImageLength"].overwrite(height)
        file.pages[0].tags["RowsPerStrip"].overwrite(height)
    return path


@damaged("BigTIFF with absurd sizes", "scan.tif", "65000 x 65000")
def _(tmp: Path) -> Arguments:
    return predict(_tiff_sized(tmp / "scan.tif", 65000, 65000))


@damaged("TIFF that promises more than the file holds", "scan.tif", "too short")
def _(tmp: Path) -> Arguments:
    return predict(_tiff_sized(tmp / "scan.tif", 4000, 4000))


@damaged("a kind that nobody reads", "scan.bmp", ".bmp")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.bmp", slice_rgb()))


# --- paths and folders ------------------------------------------------------------------------


@damaged("nothing there", "no_such_scan", "nothing of that name")
def _(tmp: Path) -> Arguments:
    return predict(tmp / "no_such_scan")


@damaged("empty folder", "empty", "none")
def _(tmp: Path) -> Arguments:
    (tmp / "empty").mkdir()
    return predict(tmp / "empty")


@damaged("folder of masks alone", "p1", "masks")
def _(tmp: Path) -> Arguments:
    for number in range(3):
        save(tmp / "p1" / f"p1_{number}_mask.tif", mask_of(number))
    return predict(tmp / "p1")


@damaged("folder named like an image", "scan.tif", "none")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.tif").mkdir()
    return predict(tmp / "scan.tif")


@damaged("file given as a folder", "scan.tif", "nothing of that name")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.tif", slice_rgb()) / "slice_1.tif")


@damaged("link to itself", "loop", "link", needs="links")
def _(tmp: Path) -> Arguments:
    (tmp / "loop").symlink_to(tmp / "loop")
    return predict(tmp / "loop")


@damaged("link to nothing", "link.tif", "link", needs="links")
def _(tmp: Path) -> Arguments:
    (tmp / "link.tif").symlink_to(tmp / "gone.tif")
    return predict(tmp / "link.tif")


@damaged("pipe without end", "scan.tif", "a pipe", needs="pipes")
def _(tmp: Path) -> Arguments:
    os.mkfifo(tmp / "scan.tif")
    return predict(tmp / "scan.tif")


@damaged("no permission to read", "scan.tif", "permission", needs="permissions")
def _(tmp: Path) -> Arguments:
    save(tmp / "scan.tif", slice_rgb()).chmod(0)
    return predict(tmp / "scan.tif")


@damaged("slices of different sizes", "p1_3.tif", "40 x 40", "32 x 32")
def _(tmp: Path) -> Arguments:
    for number in range(1, 5):
        save(tmp / "p1" / f"p1_{number}.tif", slice_rgb(number, 40 if number == 3 else 32))
    return predict(tmp / "p1")


@damaged("grey among colour slices", "p1_2.png", "grey", "RGB")
def _(tmp: Path) -> Arguments:
    for number in range(1, 5):
        save(tmp / "p1" / f"p1_{number}.png", slice_rgb(number), "L" if number == 2 else None)
    return predict(tmp / "p1")


@damaged("16 bit among 8-bit slices", "p1_2.tif", "uint16", "uint8")
def _(tmp: Path) -> Arguments:
    for number in range(1, 5):
        kind = np.uint16 if number == 2 else np.uint8
        save(tmp / "p1" / f"p1_{number}.tif", slice_rgb(number)[..., 0].astype(kind))
    return predict(tmp / "p1")


@damaged("a slice number twice", "p1", "2 in", "p1_02.tif")
def _(tmp: Path) -> Arguments:
    for name in ("p1_1", "p1_2", "p1_02"):
        save(tmp / "p1" / f"{name}.tif", slice_rgb())
    return predict(tmp / "p1")


@damaged("one damaged slice of many", "p1_3.tif", "cut short")
def _(tmp: Path) -> Arguments:
    folder = patient(tmp, "p1")
    cut(folder / "p1_3.tif", 0.5)
    return predict(folder)


# --- NIfTI ------------------------------------------------------------------------------------


@damaged("NaN in NIfTI", "scan.nii.gz", "NaN", "1 of")
def _(tmp: Path) -> Arguments:
    voxels = volume(dtype=np.float32)
    voxels[3, 4, 5] = np.nan
    return predict(nifti(tmp / "scan.nii.gz", voxels))


@damaged("nothing but NaN in NIfTI", "scan.nii.gz", "NaN", "all")
def _(tmp: Path) -> Arguments:
    return predict(nifti(tmp / "scan.nii.gz", np.full((8, 8, 3), np.nan, np.float32)))


@damaged("infinity in NIfTI", "scan.nii", "infinity")
def _(tmp: Path) -> Arguments:
    voxels = volume(dtype=np.float32)
    voxels[0, 0, 0] = np.inf
    return predict(nifti(tmp / "scan.nii", voxels))


@damaged("5-D NIfTI", "scan.nii.gz", "found 5 (")
def _(tmp: Path) -> Arguments:
    return predict(nifti(tmp / "scan.nii.gz", volume((8, 8, 3, 2, 2))))


@damaged("vector NIfTI", "field.nii.gz", "found 5 (")
def _(tmp: Path) -> Arguments:
    image = nib.Nifti1Image(volume((8, 8, 3, 1, 3), dtype=np.float32), AFFINE)
    image.header.set_intent("vector")
    nib.save(image, tmp / "field.nii.gz")
    return predict(tmp / "field.nii.gz")


@damaged("4-D NIfTI of seven volumes", "scan.nii.gz", "8 x 8 x 3 x 7")
def _(tmp: Path) -> Arguments:
    return predict(nifti(tmp / "scan.nii.gz", volume((8, 8, 3, 7))))


@damaged("1-D NIfTI", "scan.nii.gz", "found 1 (")
def _(tmp: Path) -> Arguments:
    return predict(nifti(tmp / "scan.nii.gz", volume((8,))))


@damaged("singular affine", "scan.nii.gz", "inverted")
def _(tmp: Path) -> Arguments:
    flat = AFFINE.copy()
    flat[:3, 2] = flat[:3, 1]
    image = nib.Nifti1Image(volume(), None)
    image.header.set_sform(flat, code=1)
    nib.save(nib.Nifti1Image(volume(), None, image.header), tmp / "scan.nii.gz")
    return predict(tmp / "scan.nii.gz")


@damaged("NaN in the affine", "scan.nii", "inverted")
def _(tmp: Path) -> Arguments:
    return predict(nifti_with(tmp / "scan.nii", lambda data: struct.pack_into("<f", data, 280, np.nan)))


@damaged("truncated .nii.gz", "scan.nii.gz", "cut short")
def _(tmp: Path) -> Arguments:
    return predict(cut(nifti(tmp / "scan.nii.gz", volume((40, 40, 10))), 0.7))


@damaged("truncated .nii", "scan.nii", "too short")
def _(tmp: Path) -> Arguments:
    return predict(cut(nifti(tmp / "scan.nii", volume()), 0.7))


@damaged("gzip that is not NIfTI", "scan.nii.gz", "another kind")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.nii.gz").write_bytes(gzip.compress(b"a,b,c\n" * 500))
    return predict(tmp / "scan.nii.gz")


@damaged("text named .nii.gz", "scan.nii.gz", "not compressed")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.nii.gz").write_text("nothing", encoding="utf-8")
    return predict(tmp / "scan.nii.gz")


@damaged("text named .nii", "scan.nii", "NIfTI")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.nii").write_text("nothing " * 100, encoding="utf-8")
    return predict(tmp / "scan.nii")


@damaged("compressed file named .nii", "scan.nii", "compressed", ".nii.gz")
def _(tmp: Path) -> Arguments:
    nifti(tmp / "made.nii.gz", volume()).rename(tmp / "scan.nii")
    return predict(tmp / "scan.nii")


@damaged("NIfTI of 0 bytes", "scan.nii.gz", "0 bytes")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.nii.gz").touch()
    return predict(tmp / "scan.nii.gz")


@damaged("header that promises a huge volume", "scan.nii", "30000")
def _(tmp: Path) -> Arguments:
    sizes = struct.pack("<4h", 3, 30000, 30000, 3000)
    return predict(nifti_with(tmp / "scan.nii", lambda data: data.__setitem__(slice(40, 48), sizes)))


@damaged("compressed header that promises more than the file can hold", "scan.nii.gz", "too short")
def _(tmp: Path) -> Arguments:
    sizes = struct.pack("<4h", 3, 1000, 1000, 500)
    path = nifti_with(tmp / "made.nii", lambda data: data.__setitem__(slice(40, 48), sizes))
    (tmp / "scan.nii.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    return predict(tmp / "scan.nii.gz")


@damaged("an axis of size 0", "scan.nii")
def _(tmp: Path) -> Arguments:
    sizes = struct.pack("<4h", 3, 20, 0, 6)
    return predict(nifti_with(tmp / "scan.nii", lambda data: data.__setitem__(slice(40, 48), sizes)))


@damaged("an axis of negative size", "scan.nii")
def _(tmp: Path) -> Arguments:
    sizes = struct.pack("<4h", 3, 20, -24, 6)
    return predict(nifti_with(tmp / "scan.nii", lambda data: data.__setitem__(slice(40, 48), sizes)))


@damaged("unknown data type", "scan.nii", "damaged")
def _(tmp: Path) -> Arguments:
    return predict(nifti_with(tmp / "scan.nii", lambda data: struct.pack_into("<h", data, 70, 999)))


@damaged("complex NIfTI", "scan.nii.gz", "complex")
def _(tmp: Path) -> Arguments:
    return predict(nifti(tmp / "scan.nii.gz", volume(dtype=np.complex64)))


@damaged("RGBA NIfTI", "scan.nii.gz", "RGBA")
def _(tmp: Path) -> Arguments:
    kind = np.dtype([(name, np.uint8) for name in "RGBA"])
    return predict(nifti(tmp / "scan.nii.gz", np.zeros((8, 8, 3), kind)))


# --- sequences --------------------------------------------------------------------------------


@damaged("sequences of different sizes", "post.nii.gz", "6 slices of 20 x 22", "flair.nii.gz")
def _(tmp: Path) -> Arguments:
    flair = nifti(tmp / "flair.nii.gz", volume())
    post = nifti(tmp / "post.nii.gz", volume((20, 22, 6)))
    return ["predict", "--flair", str(flair), "--post", str(post)]


@damaged("sequences in different places", "pre.nii.gz", "7.0 mm away")
def _(tmp: Path) -> Arguments:
    moved = AFFINE.copy()
    moved[0, 3] += 7
    flair = nifti(tmp / "flair.nii.gz", volume())
    pre = nifti(tmp / "pre.nii.gz", volume(), moved)
    return ["predict", "--flair", str(flair), "--pre", str(pre)]


@damaged("sequences without FLAIR", "pre.nii.gz", "--flair")
def _(tmp: Path) -> Arguments:
    return ["predict", "--pre", str(nifti(tmp / "pre.nii.gz", volume()))]


@damaged("colour file as a sequence", "flair.png", "one sequence")
def _(tmp: Path) -> Arguments:
    return ["predict", "--flair", str(save(tmp / "flair.png", slice_rgb()))]


@damaged(
    "two damaged sequences, both reported", "flair.nii.gz", "post.nii.gz", "0 bytes", "nothing of that name"
)
def _(tmp: Path) -> Arguments:
    (tmp / "flair.nii.gz").touch()
    return ["predict", "--flair", str(tmp / "flair.nii.gz"), "--post", str(tmp / "post.nii.gz")]


@damaged("two files for one sequence", "p1", "FLAIR.nii.gz", "t2_flair.nii.gz", "--flair")
def _(tmp: Path) -> Arguments:
    nifti(tmp / "p1" / "FLAIR.nii.gz", volume())
    nifti(tmp / "p1" / "t2_flair.nii.gz", volume())
    return predict(tmp / "p1")


@damaged("a folder of T1 alone", "T1.nii.gz", "FLAIR", "--flair")
def _(tmp: Path) -> Arguments:
    nifti(tmp / "p1" / "T1.nii.gz", volume())
    return predict(tmp / "p1")


# --- labelled data ----------------------------------------------------------------------------


@damaged("mask of another size", "TCGA_CS_0001_19990101_2_mask.tif", "32 x 32", "30 x 30")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    save(data / "TCGA_CS_0001_19990101" / "TCGA_CS_0001_19990101_2_mask.tif", mask_of(2, 30))
    return ["check", str(data)]


@damaged("mask of grey levels", "TCGA_CS_0001_19990101_2_mask.tif", "255 values besides 0")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    grey = np.arange(1024).reshape(32, 32).astype(np.uint8)
    save(data / "TCGA_CS_0001_19990101" / "TCGA_CS_0001_19990101_2_mask.tif", grey)
    return ["check", str(data)]


@damaged("colour mask", "TCGA_CS_0001_19990101_2_mask.tif", "one channel")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    save(data / "TCGA_CS_0001_19990101" / "TCGA_CS_0001_19990101_2_mask.tif", mask_of(2), "RGB")
    return ["check", str(data)]


@damaged("mask without image", "TCGA_CS_0001_19990101_9_mask.tif", "image")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    save(data / "TCGA_CS_0001_19990101" / "TCGA_CS_0001_19990101_9_mask.tif", mask_of(2))
    return ["check", str(data)]


@damaged("image without mask", "TCGA_CS_0001_19990101_3.tif", "a mask")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    (data / "TCGA_CS_0001_19990101" / "TCGA_CS_0001_19990101_3_mask.tif").unlink()
    return ["check", str(data)]


@damaged("gap in the slice numbers", "TCGA_CS_0001_19990101", "no slice 2")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    for file in (data / "TCGA_CS_0001_19990101").glob("*_2*"):
        file.unlink()
    return ["check", str(data)]


@damaged("one slice number twice", "TCGA_CS_0001_19990101_2.tif", "TCGA_CS_0001_19990101_02.tif")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    save(data / "TCGA_CS_0001_19990101" / "TCGA_CS_0001_19990101_02.tif", slice_rgb(2))
    return ["check", str(data)]


@damaged("one patient under two names", "TCGA_HT_0003_19990101", "TCGA_CS_0001_19990101", "pixel for pixel")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    patient(data, "TCGA_HT_0003_19990101")
    return ["check", str(data)]


@damaged("slice of another patient", "TCGA_XX_0009_19990101_1.tif", "TCGA_CS_0001_19990101_12.tif")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    save(data / "TCGA_CS_0001_19990101" / "TCGA_XX_0009_19990101_1.tif", slice_rgb())
    return ["check", str(data)]


@damaged("folder in place of a slice", "TCGA_CS_0001_19990101_9.tif", "a folder of that name")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    (data / "TCGA_CS_0001_19990101" / "TCGA_CS_0001_19990101_9.tif").mkdir()
    return ["check", str(data)]


@damaged("empty patient folder", "TCGA_HT_0003_19990101", "no image")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    (data / "TCGA_HT_0003_19990101").mkdir()
    return ["check", str(data)]


@damaged("image beside the patients", "lost_1.tif", "Move it")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    save(data / "lost_1.tif", slice_rgb())
    return ["check", str(data)]


@damaged("sizes that differ within a patient", "TCGA_CS_0001_19990101_3.tif", "40 x 40")
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    save(data / "TCGA_CS_0001_19990101" / "TCGA_CS_0001_19990101_3.tif", slice_rgb(3, 40))
    return ["check", str(data)]


@damaged(
    "damaged image and damaged mask in one pass",
    "9990101_1.tif",
    "9990101_4_mask.tif",
    "0 bytes",
    "cut short",
)
def _(tmp: Path) -> Arguments:
    data = labelled(tmp)
    cut(data / "TCGA_CS_0001_19990101" / "TCGA_CS_0001_19990101_1.tif", 0.5)
    (data / "TCGA_DU_0002_19990101" / "TCGA_DU_0002_19990101_4_mask.tif").write_bytes(b"")
    return ["check", str(data)]


@damaged("empty data set", "data", "an empty folder")
def _(tmp: Path) -> Arguments:
    (tmp / "data").mkdir()
    return ["check", str(tmp / "data")]


@damaged("a file as data set", "data.zip", "a folder", "a file")
def _(tmp: Path) -> Arguments:
    (tmp / "data.zip").write_bytes(b"PK")
    return ["check", str(tmp / "data.zip")]


@damaged("no data set", "no_such_data", "nothing of that name")
def _(tmp: Path) -> Arguments:
    return ["check", str(tmp / "no_such_data")]


@damaged("one patient in place of the data set", "TCGA_CS_0001_19990101", "Give", "data")
def _(tmp: Path) -> Arguments:
    return ["check", str(labelled(tmp) / "TCGA_CS_0001_19990101")]


@damaged("the folder above the data set", "data", "one level down")
def _(tmp: Path) -> Arguments:
    labelled(tmp)
    return ["check", str(tmp)]


@damaged("images without a folder of masks", "masks")
def _(tmp: Path) -> Arguments:
    save(tmp / "data" / "images" / "a_1.png", slice_rgb())
    return ["check", str(tmp / "data")]


@damaged("images and masks that do not pair", "a_2.png", "b_1.png")
def _(tmp: Path) -> Arguments:
    for name in ("a_1", "a_2"):
        save(tmp / "data" / "images" / f"{name}.png", slice_rgb())
    for name in ("a_1", "b_1"):
        save(tmp / "data" / "masks" / f"{name}.png", mask_of())
    return ["check", str(tmp / "data")]


@damaged("smoothed JPEG masks", "a_1.jpg", "values besides 0")
def _(tmp: Path) -> Arguments:
    save(tmp / "data" / "images" / "a_1.png", slice_rgb())
    save(tmp / "data" / "masks" / "a_1.jpg", mask_of(1), quality=60)
    return ["check", str(tmp / "data")]


# --- odd, but sound ---------------------------------------------------------------------------


@sound("names with spaces and signs of other scripts")
def _(tmp: Path) -> Arguments:
    for number in range(1, 4):
        save(tmp / "Zoë 脑部 扫描" / f"Zoë 脑部 扫描_{number}.tif", slice_rgb(number))
    return predict(tmp / "Zoë 脑部 扫描")


@sound("NIfTI with such a name")
def _(tmp: Path) -> Arguments:
    return predict(nifti(tmp / "пациент 1 – Kopf.nii.gz", volume()))


@sound("files that systems leave behind")
def _(tmp: Path) -> Arguments:
    folder = patient(tmp / "data")
    (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    (folder / "._TCGA_CS_0001_19990101_1.tif").write_bytes(b"\0\5\26\7")
    (folder / "Thumbs.db").write_bytes(b"\xd0\xcf")
    (tmp / "data" / "data.csv").write_text("Patient\n", encoding="utf-8")
    return ["check", str(tmp / "data")]


@sound("JPEG under the name of PNG")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.png", slice_rgb(), format="JPEG"))


@sound("folder that links to itself")
def _(tmp: Path) -> Arguments:
    folder = patient(tmp / "data")
    if sys.platform != "win32":
        (folder / "again").symlink_to(tmp / "data")
    return predict(tmp / "data")
