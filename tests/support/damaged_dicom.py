"""Rows of the table of damaged input: DICOM."""

from __future__ import annotations

import shutil
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.data import get_testdata_file

from support import dicom_kit
from support.damage_table import Arguments, damaged, predict, sound
from support.dicom_kit import AXIAL, enhanced, rotated, series
from support.sound_scans import cut, volume


def shipped(name: str) -> Path:
    """A file that comes with pydicom."""
    found = get_testdata_file(name, download=False)
    assert found is not None, f"pydicom ships no {name}"
    return Path(str(found))


def change(path: Path, **values: Any) -> Path:
    """Set attributes of a file, as they are: whatever the standard says."""
    dataset = pydicom.dcmread(path)
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


def every(paths: list[Path], action: Callable[[pydicom.Dataset, int], None]) -> None:
    for number, path in enumerate(paths):
        dataset = pydicom.dcmread(path)
        action(dataset, number)
        dataset.save_as(path)


@damaged("DICOM cut within its pixels", "AX_FLAIR", "damaged or cut short")
def _(tmp: Path) -> Arguments:
    paths = series(tmp / "p1", volume(dtype=np.int16))
    cut(paths[2], 0.8)
    return predict(tmp / "p1")


@damaged("DICOM of 200 bytes", "AX_FLAIR")
def _(tmp: Path) -> Arguments:
    paths = series(tmp / "p1", volume())
    paths[2].write_bytes(paths[2].read_bytes()[:200])
    return predict(tmp / "p1")


@damaged("truncated file that pydicom ships", "MR_truncated.dcm", "cut short")
def _(tmp: Path) -> Arguments:
    shutil.copy(shipped("MR_truncated.dcm"), tmp / "MR_truncated.dcm")
    change(tmp / "MR_truncated.dcm", SeriesDescription="FLAIR")
    cut(tmp / "MR_truncated.dcm", 0.6)
    return predict(tmp)


@damaged("empty file named DICOM", "a.dcm", "empty file")
def _(tmp: Path) -> Arguments:
    (tmp / "a.dcm").write_bytes(b"")
    return predict(tmp)


@damaged("text named DICOM", "a.dcm", "another kind of file")
def _(tmp: Path) -> Arguments:
    (tmp / "a.dcm").write_text("hello" * 100, encoding="ascii")
    return predict(tmp / "a.dcm")


@damaged("preamble and nothing else", "IM1")
def _(tmp: Path) -> Arguments:
    (tmp / "IM1").write_bytes(bytes(128) + b"DICM")
    return predict(tmp)


@damaged("preamble and noise", "IM1")
def _(tmp: Path) -> Arguments:
    (tmp / "IM1").write_bytes(bytes(128) + b"DICM" + np.random.default_rng(0).bytes(5000))
    return predict(tmp)


@damaged("header of 60,000 x 60,000", "AX_FLAIR", "60000 x 60000")
def _(tmp: Path) -> Arguments:
    change(series(tmp / "p1", volume())[0], Rows=60000, Columns=60000)
    return predict(tmp / "p1")


@damaged("header of 8000 x 8000 in a small file", "AX_FLAIR", "too short")
def _(tmp: Path) -> Arguments:
    change(series(tmp / "p1", volume())[0], Rows=8000, Columns=8000)
    return predict(tmp / "p1")


@damaged("header of a billion frames", "a.dcm", "1000000000 slices")
def _(tmp: Path) -> Arguments:
    change(enhanced(tmp / "a.dcm", volume()), NumberOfFrames=1_000_000_000)
    return predict(tmp / "a.dcm")


@damaged("frames without places", "a.dcm", "the place of each of 7 frames")
def _(tmp: Path) -> Arguments:
    change(enhanced(tmp / "a.dcm", volume()), NumberOfFrames=7)
    return predict(tmp / "a.dcm")


@damaged("rows of 0", "AX_FLAIR", "at least one voxel")
def _(tmp: Path) -> Arguments:
    change(series(tmp / "p1", volume())[0], Rows=0)
    return predict(tmp / "p1")


@damaged("compressed image larger than its header", "30000 x 20000", "64 x 48")
def _(tmp: Path) -> Arguments:
    paths = series(tmp / "p1", volume((64, 48, 6)), syntax="1.2.840.10008.1.2.4.90")
    data = paths[0].read_bytes()
    start = data.index(b"\xff\x4f\xff\x51")
    paths[0].write_bytes(data[: start + 8] + struct.pack(">II", 30000, 20000) + data[start + 16 :])
    return predict(tmp / "p1")


@damaged("deflated file that never ends", "bomb.dcm", "inflated")
def _(tmp: Path) -> Arguments:
    path = shutil.copy(shipped("image_dfl.dcm"), tmp / "bomb.dcm")
    data = Path(path).read_bytes()
    start = 144 + struct.unpack_from("<I", data, 140)[0]
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    # A full flush makes what follows independent: the same bytes again are as many zeros again.
    block = squeeze.compress(bytes(1 << 24)) + squeeze.flush(zlib.Z_FULL_FLUSH)
    with open(path, "wb") as out:
        out.write(data[:start])
        for _ in range(70):
            out.write(block)
        out.write(squeeze.flush())
    return predict(path)


@damaged("a missing slice", "p1", "AX FLAIR", "1 missing slice", "the whole series")
def _(tmp: Path) -> Arguments:
    series(tmp / "p1", volume())[3].unlink()
    return predict(tmp / "p1")


@damaged("uneven slices", "p1", "a slice every 5.00 mm", "steps from")
def _(tmp: Path) -> Arguments:
    path = series(tmp / "p1", volume())[3]
    dataset = pydicom.dcmread(path)
    x, y, z = dataset.ImagePositionPatient
    change(path, ImagePositionPatient=[x, y, z + 2])
    return predict(tmp / "p1")


@damaged("slices stacked at a slant", "p1", "along their normal")
def _(tmp: Path) -> Arguments:
    slanted = AXIAL.copy()
    slanted[1, 2] = 2.0
    series(tmp / "p1", volume(), slanted)
    return predict(tmp / "p1")


@damaged("images at one place that nothing tells apart", "p1", "5 images at the place of another")
def _(tmp: Path) -> Arguments:
    paths = series(tmp / "p1", volume())
    for number, path in enumerate(paths[:5]):
        again = shutil.copy(path, tmp / "p1" / f"again{number}.dcm")
        change(Path(again), SOPInstanceUID=dicom_kit.uid("again", number))
    return predict(tmp / "p1")


@damaged("no positions", "p1", "no sound ImagePositionPatient in 6 of 6")
def _(tmp: Path) -> Arguments:
    series(tmp / "p1", volume(), ImagePositionPatient=None)
    return predict(tmp / "p1")


@damaged("row and column along one line", "p1", "orientation")
def _(tmp: Path) -> Arguments:
    series(tmp / "p1", volume(), ImageOrientationPatient=[1, 0, 0, 1, 0, 0])
    return predict(tmp / "p1")


@damaged("positions that are no numbers", "p1", "ImagePositionPatient")
def _(tmp: Path) -> Arguments:
    for path in series(tmp / "p1", volume()):
        data = path.read_bytes()
        dataset = pydicom.dcmread(path)
        text = "\\".join(str(value) for value in dataset.ImagePositionPatient).encode()
        assert text in data
        path.write_bytes(data.replace(text, b"here" + b" " * (len(text) - 4)))
    return predict(tmp / "p1")


@damaged("one slice of unknown thickness", "p1", "the thickness of its only slice")
def _(tmp: Path) -> Arguments:
    series(tmp / "p1", volume((20, 24, 1)), SliceThickness=None)
    return predict(tmp / "p1")


@damaged("an infinite rescale slope", "p1", "infinite")
def _(tmp: Path) -> Arguments:
    series(tmp / "p1", volume(), RescaleSlope="1e38", RescaleIntercept="0")
    return predict(tmp / "p1")


@damaged("a colour screenshot", "p1", "a colour image")
def _(tmp: Path) -> Arguments:
    (tmp / "p1").mkdir()
    shutil.copy(shipped("SC_rgb_rle.dcm"), tmp / "p1")
    return predict(tmp / "p1")


@damaged("a compression that nothing decodes", "p1", "MPEG", "[dicom]")
def _(tmp: Path) -> Arguments:
    paths = series(tmp / "p1", volume((20, 24, 2)), syntax="1.2.840.10008.1.2.5")
    for path in paths:
        dataset = pydicom.dcmread(path)
        dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.100"
        dataset.save_as(path)
    return predict(tmp / "p1")


@damaged("damaged compressed data", "AX_FLAIR", "damaged or cut short")
def _(tmp: Path) -> Arguments:
    path = series(tmp / "p1", volume(), syntax="1.2.840.10008.1.2.5")[1]
    data = bytearray(path.read_bytes())
    item = b"\xfe\xff\x00\xe0"
    frame = data.index(item, data.index(item) + 4)  # the first item is the table of offsets
    data[frame + 8 : frame + 80] = bytes(72)
    path.write_bytes(data)
    return predict(tmp / "p1")


@damaged("no FLAIR among several", "p1", "a FLAIR series", "AX T1", "AX T2", "--series flair=")
def _(tmp: Path) -> Arguments:
    for name in ("AX T1", "AX T2 TSE"):
        series(tmp / "p1", volume(), name=name)
    return predict(tmp / "p1")


@damaged("two FLAIR", "p1", "one flair series", "FLAIR A", "FLAIR B", "--series flair=")
def _(tmp: Path) -> Arguments:
    for name in ("FLAIR A", "FLAIR B"):
        series(tmp / "p1" / name, volume(), name=name)
    return predict(tmp / "p1")


@damaged("CT", "CT_small.dcm", "only CT (1)")
def _(tmp: Path) -> Arguments:
    return predict(shutil.copy(shipped("CT_small.dcm"), tmp / "CT_small.dcm"))


@damaged("only a structured report and contours", "p1", "SR (1)", "RTSTRUCT (1)")
def _(tmp: Path) -> Arguments:
    (tmp / "p1").mkdir()
    for name in ("test-SR.dcm", "rtstruct.dcm"):
        shutil.copy(shipped(name), tmp / "p1" / name)
    return predict(tmp / "p1")


@damaged("a DICOMDIR alone", "DICOMDIR", "Give the folder that holds the images")
def _(tmp: Path) -> Arguments:
    return predict(shutil.copy(shipped("DICOMDIR"), tmp / "DICOMDIR"))


@sound("DICOM beside what is no image, and a DICOMDIR")
def _(tmp: Path) -> Arguments:
    series(tmp / "p1", volume(), suffix="")
    for name in ("test-SR.dcm", "rtstruct.dcm", "DICOMDIR", "SC_rgb_rle.dcm", "liver_1frame.dcm"):
        shutil.copy(shipped(name), tmp / "p1" / name)
    (tmp / "p1" / "notes.txt").write_text("notes", encoding="ascii")
    return predict(tmp / "p1")


@sound("files of a series twice")
def _(tmp: Path) -> Arguments:
    series(tmp / "p1", volume())
    shutil.copytree(tmp / "p1", tmp / "p1" / "copy")
    return predict(tmp / "p1")


@sound("FLAIR that only its parameters tell")
def _(tmp: Path) -> Arguments:
    series(tmp / "p1", volume(), name="", RepetitionTime="9000", EchoTime="120", InversionTime="2500")
    return predict(tmp / "p1")


@sound("a localiser of three planes beside FLAIR")
def _(tmp: Path) -> Arguments:
    series(tmp / "p1", volume())
    for number, turn in enumerate(((0, 0, 0), (90, 0, 0), (0, 90, 0))):
        series(tmp / "p1" / f"{number}", volume((32, 32, 3)), rotated(AXIAL, turn), name="3-plane loc")
    return predict(tmp / "p1")
