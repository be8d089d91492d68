"""Rows of the table of damaged input: labelled data; and what is odd, but sound."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from support.damage_table import Arguments, damaged, predict, sound
from support.sound_scans import cut, labelled, mask_of, nifti, patient, save, slice_rgb, volume


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
    red = np.stack([mask_of(2), 0 * mask_of(2), 0 * mask_of(2)], axis=2)
    save(data / "TCGA_CS_0001_19990101" / "TCGA_CS_0001_19990101_2_mask.tif", red)
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


@damaged("a damaged archive as data set", "data.zip", "a whole zip archive", "one that is damaged")
def _(tmp: Path) -> Arguments:
    (tmp / "data.zip").write_bytes(b"PK")
    return ["check", str(tmp / "data.zip")]


@damaged("no data set", "no_such_data", "nothing of that name")
def _(tmp: Path) -> Arguments:
    return ["check", str(tmp / "no_such_data")]


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
    save(tmp / "data" / "masks" / "a_1.jpg", mask_of(1) // 2, quality=60)
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
