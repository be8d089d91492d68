"""Rows of the table of damaged input: NIfTI volumes and sequences."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np

from support.damage_table import Arguments, damaged, predict, sound
from support.sound_scans import AFFINE, cut, nifti, nifti_with, save, slice_rgb, volume


@sound("NaN in NIfTI")
def _(tmp: Path) -> Arguments:
    voxels = volume(dtype=np.float32)
    voxels[3, 4, 5] = np.nan
    return predict(nifti(tmp / "scan.nii.gz", voxels))


@damaged("nothing but NaN in NIfTI", "scan.nii.gz", "NaN", "all")
def _(tmp: Path) -> Arguments:
    return predict(nifti(tmp / "scan.nii.gz", np.full((8, 8, 3), np.nan, np.float32)))


@sound("infinity in NIfTI")
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


@damaged("text named .nii.gz", "scan.nii.gz", "another kind")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.nii.gz").write_text("nothing", encoding="utf-8")
    return predict(tmp / "scan.nii.gz")


@damaged("text named .nii", "scan.nii", "NIfTI")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.nii").write_text("nothing " * 100, encoding="utf-8")
    return predict(tmp / "scan.nii")


@sound("compressed file named .nii")
def _(tmp: Path) -> Arguments:
    nifti(tmp / "made.nii.gz", volume()).rename(tmp / "scan.nii")
    return predict(tmp / "scan.nii")


@damaged("a wrong checksum of gzip", "scan.nii.gz", "damaged", "CRC", "Copy")
def _(tmp: Path) -> Arguments:
    path = nifti(tmp / "scan.nii.gz", volume())
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)
    return predict(path)


@damaged("gzip that ends before its checksum", "scan.nii.gz", "cut short")
def _(tmp: Path) -> Arguments:
    path = nifti(tmp / "scan.nii.gz", volume())
    path.write_bytes(path.read_bytes()[:-4])
    return predict(path)


@damaged("extensions, and no word on where the voxels begin", "scan.nii", "vox_offset")
def _(tmp: Path) -> Arguments:
    def change(data: bytearray) -> None:
        struct.pack_into("<f", data, 108, 0)
        data[348] = 1

    return predict(nifti_with(tmp / "scan.nii", change))


@damaged("voxels that begin within the header", "scan.nii", "damaged", "vox offset 100")
def _(tmp: Path) -> Arguments:
    return predict(nifti_with(tmp / "scan.nii", lambda data: struct.pack_into("<f", data, 108, 100)))


@damaged("half of a pair", "scan.hdr", "scan.img")
def _(tmp: Path) -> Arguments:
    nib.save(nib.Nifti1Pair(volume(), AFFINE), tmp / "scan.hdr")
    (tmp / "scan.img").unlink()
    return predict(tmp / "scan.hdr")


@damaged("a pointer of git-annex", "scan.nii.gz", "not been fetched", "git annex get scan.nii.gz")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.nii.gz").write_text("/annex/objects/MD5E-s312--d41d8cd98f.nii.gz\n", encoding="ascii")
    return predict(tmp / "scan.nii.gz")


@damaged("a link of git-annex", "scan.nii.gz", "not been fetched", "git annex get", needs="links")
def _(tmp: Path) -> Arguments:
    (tmp / "scan.nii.gz").symlink_to("../.git/annex/objects/Xk/9p/MD5E-s312--d41d/MD5E-s312--d41d.nii.gz")
    return predict(tmp / "scan.nii.gz")


@damaged("a pointer of git LFS", "scan.nii.gz", "not been fetched", "git lfs pull")
def _(tmp: Path) -> Arguments:
    text = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    (tmp / "scan.nii.gz").write_text(text, encoding="ascii")
    return predict(tmp / "scan.nii.gz")


@damaged("labels under the name of a scan", "BRATS_001.nii.gz", "whole numbers 0 to 3", "mask")
def _(tmp: Path) -> Arguments:
    return predict(nifti(tmp / "BRATS_001.nii.gz", volume(dtype=np.uint8) % 4))


@damaged("a mask of two values under the name of a scan", "scan.nii.gz", "0 and 255", "mask")
def _(tmp: Path) -> Arguments:
    return predict(nifti(tmp / "scan.nii.gz", (volume() % 2 * 255).astype(np.uint8)))


@damaged("seconds along the fourth axis", "scan.nii.gz", "3 volumes 2 sec apart", "--channels")
def _(tmp: Path) -> Arguments:
    image = nib.Nifti1Image(volume((20, 24, 6, 3)), AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    image.header["pixdim"][4] = 2
    nib.save(image, tmp / "scan.nii.gz")
    return predict(tmp / "scan.nii.gz")


@damaged("one contrast along the fourth axis", "scan.nii.gz", "3 volumes that look alike", "--channels")
def _(tmp: Path) -> Arguments:
    one = volume()
    noise = np.random.default_rng(1).normal(0, 5, (*one.shape, 3))
    return predict(nifti(tmp / "scan.nii.gz", (one[..., None] + noise).astype(np.float32)))


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


@sound("sequences of different sizes")
def _(tmp: Path) -> Arguments:
    flair = nifti(tmp / "flair.nii.gz", volume())
    post = nifti(tmp / "post.nii.gz", volume((20, 22, 6)))
    return ["predict", "--flair", str(flair), "--post", str(post)]


@sound("sequences in different places")
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
