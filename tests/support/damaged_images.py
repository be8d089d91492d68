"""Rows of the table of damaged input: images, paths and folders."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import tifffile
from PIL import Image

from support.damage_table import Arguments, damaged, predict
from support.sound_scans import (
    AFFINE,
    cut,
    mask_of,
    patient,
    png_chunks,
    png_header,
    save,
    slice_rgb,
    volume,
)


def see_through(pixels: np.ndarray) -> np.ndarray:
    """The pixels with a channel for opacity, one pixel of which is not opaque."""
    opacity = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    opacity[0, 0] = 254
    return np.concatenate([pixels, opacity], axis=2)


@damaged("a slice whose content git LFS holds", "scan.tif", "not been fetched", "git lfs pull")
def _(tmp: Path) -> Arguments:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    (tmp / "scan.tif").write_text(text, encoding="ascii")
    return predict(tmp / "scan.tif")


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
    return predict(save(tmp / "scan.png", see_through(slice_rgb())))


@damaged("grey PNG with transparency", "scan.png", "transparency")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.png", see_through(slice_rgb()[..., :1])))


@damaged("palette PNG", "scan.png", "palette")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.png", slice_rgb(), "P"))


@damaged("1-bit PNG", "scan.png", "1-bit")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.png", slice_rgb(), "1"))


@damaged("GIF named .png", "scan.png", "a GIF image that is named .png", "save it as PNG")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.png", slice_rgb()[..., 0], format="GIF"))


@damaged("WebP named .jpg", "scan.jpg", "a WebP image")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.jpg").write_bytes(b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0" + bytes(13))
    return predict(tmp / "scan.jpg")


@damaged("HEIC named .jpg", "scan.jpg", "a HEIC image")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.jpg").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    return predict(tmp / "scan.jpg")


@damaged("NIfTI named .png", "scan.png", "NIfTI", "Name it .nii")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.png").write_bytes(nib.Nifti1Image(volume(), AFFINE).to_bytes())
    return predict(tmp / "scan.png")


@damaged("zip named .tif", "scan.tif", "a ZIP file")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.tif").write_bytes(b"PK\3\4" + bytes(60))
    return predict(tmp / "scan.tif")


@damaged("BMP cut short", "scan.bmp", "cut short")
def _(tmp: Path) -> Arguments:
    return predict(cut(save(tmp / "scan.bmp", slice_rgb()), 0.6))


@damaged("palette PNG with a transparent grey", "scan.png", "palette")
def _(tmp: Path) -> Arguments:
    image = Image.fromarray(slice_rgb()[..., 0])
    image.putpalette([value for grey in range(256) for value in (grey,) * 3])
    image.save(tmp / "scan.png", transparency=0)
    return predict(tmp / "scan.png")


@damaged("pages of one stack turned differently", "stack.tif", "pages of one size")
def _(tmp: Path) -> Arguments:
    with tifffile.TiffWriter(tmp / "stack.tif") as file:
        for number in (1, 6, 1):
            turn = [(274, "H", 1, number, False)]
            file.write(
                slice_rgb(number)[:24, :, 0], photometric="minisblack", extratags=turn, contiguous=False
            )
    return predict(tmp / "stack.tif")


@damaged("CMYK JPEG", "scan.jpg", "CMYK")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.jpg", slice_rgb(), "CMYK"))


@damaged("RGBA TIFF", "scan.tif", "transparency")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.tif", see_through(slice_rgb())))


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


@damaged("nothing but NaN in a float TIFF", "scan.tif", "NaN", "all")
def _(tmp: Path) -> Arguments:
    tifffile.imwrite(tmp / "scan.tif", np.full((32, 32), np.nan, np.float32))
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


@damaged("a kind that nobody reads", "scan.pcx", ".pcx")
def _(tmp: Path) -> Arguments:
    return predict(save(tmp / "scan.pcx", slice_rgb()))


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
