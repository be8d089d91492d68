"""Kinds of pictures that people have: opaque transparency, grey palettes, BMP, thumbnails, other codecs."""

from __future__ import annotations

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from support.sound_scans import mask_of, png_chunks, png_header, save, slice_rgb

from glioseg.dataset.check import check
from glioseg.errors import InputError
from glioseg.io import find_scans, read_scan, write_segmentation
from glioseg.io.labels import read_label_pages
from glioseg.io.pictures import read_pages
from glioseg.samples import SAMPLES

COLOUR = slice_rgb()[:20]
GREY = COLOUR[..., 0]
DEEP = COLOUR.astype(np.uint16) * 257 + 3
GREYS = [value for grey in range(256) for value in (grey,) * 3]


def with_opacity(pixels: np.ndarray, opacity: int | None = None) -> np.ndarray:
    full = np.iinfo(pixels.dtype).max if opacity is None else opacity
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    return np.concatenate([pixels, np.full((*pixels.shape[:2], 1), full, pixels.dtype)], axis=2)


def png16(path: Path, pixels: np.ndarray) -> Path:
    """Save a 16-bit PNG of grey or RGB with opacity, which Pillow does not write."""
    height, width, channels = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = png_header(width, height, 16, {2: 4, 4: 6}[channels])
    path.write_bytes(png_chunks(header, (b"IDAT", zlib.compress(rows)), (b"IEND", b"")))
    return path


def test_a_channel_for_opacity_that_is_full_everywhere_is_dropped(tmp_path: Path) -> None:
    pictures = [
        (save(tmp_path / "rgba.png", with_opacity(COLOUR)), COLOUR),
        (save(tmp_path / "la.png", with_opacity(GREY)), GREY),
        (png16(tmp_path / "rgba16.png", with_opacity(DEEP)), DEEP),
        (png16(tmp_path / "la16.png", with_opacity(DEEP[..., 0])), DEEP[..., 0]),
        (save(tmp_path / "rgba.tif", with_opacity(COLOUR)), COLOUR),
    ]
    tifffile.imwrite(
        tmp_path / "ga.tif", with_opacity(DEEP[..., 0]), photometric="minisblack", extrasamples=["unassalpha"]
    )
    for path, pixels in (*pictures, (tmp_path / "ga.tif", DEEP[..., 0])):
        pages = read_pages(path)
        assert pages.dtype == pixels.dtype
        np.testing.assert_array_equal(pages[0], pixels.reshape(20, 32, -1), err_msg=path.name)


def test_what_is_transparent_is_refused_with_the_reason(tmp_path: Path) -> None:
    for path in (
        save(tmp_path / "rgba.png", with_opacity(COLOUR, 254)),
        save(tmp_path / "la.png", with_opacity(GREY, 0)),
        png16(tmp_path / "rgba16.png", with_opacity(DEEP, 65534)),
        png16(tmp_path / "la16.png", with_opacity(DEEP[..., 0], 255)),
        save(tmp_path / "rgba.tif", with_opacity(COLOUR, 254)),
    ):
        with pytest.raises(InputError, match="transparency"):
            read_pages(path)


def test_a_palette_of_greys_is_grey(tmp_path: Path) -> None:
    """Also one that runs from white to black, one of 4 bits, and a mask."""
    for name in ("a.png", "a.tif", "a.bmp"):
        for palette in (GREYS, GREYS[::-1]):
            image = Image.fromarray(GREY)
            image.putpalette(palette)
            image.save(tmp_path / name)
            shown = GREY if palette is GREYS else 255 - GREY
            np.testing.assert_array_equal(read_pages(tmp_path / name)[0, ..., 0], shown, err_msg=name)
        mask = Image.fromarray((mask_of(1) > 0).astype(np.uint8))
        mask.putpalette([0, 0, 0, 255, 255, 255])
        mask.save(tmp_path / name)
        if name == "a.bmp":  # of which Pillow reads the pixels wrong
            with pytest.raises(InputError, match="8 bit with few colours"):
                read_label_pages(tmp_path / name)
        else:
            np.testing.assert_array_equal(read_label_pages(tmp_path / name)[0], mask_of(1) > 0)
        coloured = Image.fromarray(GREY)
        coloured.putpalette([255, 0, 0, *GREYS[3:]])
        coloured.save(tmp_path / name)
        with pytest.raises(InputError, match="palette"):
            read_pages(tmp_path / name)
    image = Image.fromarray(GREY // 16)
    image.putpalette([value for grey in range(16) for value in (17 * grey,) * 3])
    image.save(tmp_path / "b.png", bits=4)
    np.testing.assert_array_equal(read_pages(tmp_path / "b.png")[0, ..., 0], GREY // 16 * 17)


def test_bmp_is_read_and_its_mask_written_as_png(tmp_path: Path) -> None:
    for number in range(3):
        save(tmp_path / "p" / f"p_{number}.bmp", slice_rgb(number)[:20])
    (source,), faults = find_scans([tmp_path / "p"])
    assert faults == []
    scan = source.read()
    np.testing.assert_array_equal(scan.voxels, [slice_rgb(number)[:20] for number in range(3)])
    written = write_segmentation(scan.segmentation(scan.voxels[..., 0] > 60), tmp_path / "out", "p")
    assert [path.name for path in written] == ["p_0_mask.png", "p_1_mask.png", "p_2_mask.png"]


# --- thumbnails -------------------------------------------------------------------------------


def stack_with_thumbnails(path: Path, pages: list[np.ndarray], first: bool, kind: str) -> Path:
    """Save pages, and a smaller version or the transparency of the first as a page before or after them."""
    marks = {
        "new": {"subfiletype": 1},
        "old": {"extratags": [(255, "H", 1, 2, False)]},
        "mask": {"subfiletype": 4},
    }
    small = pages[0][::4, ::4] > 60 if kind == "mask" else pages[0][::4, ::4]
    with tifffile.TiffWriter(path) as file:
        if first:
            file.write(small, photometric="minisblack", **marks[kind])
        for page in pages:
            file.write(page, photometric="minisblack", contiguous=False)
        if not first:
            file.write(small, photometric="minisblack", **marks[kind])
    return path


@pytest.mark.parametrize("kind", ["new", "old", "mask"])
@pytest.mark.parametrize("first", [True, False])
def test_thumbnails_in_tiff_are_no_pages(kind: str, first: bool, tmp_path: Path) -> None:
    pages = [slice_rgb(number)[:20, :, 0] for number in range(4)]
    (tmp_path / "s").mkdir()
    (tmp_path / "p").mkdir()
    stack = stack_with_thumbnails(tmp_path / "s" / "scan.tif", pages, first, kind)
    np.testing.assert_array_equal(read_pages(stack)[..., 0], pages)
    for number, page in enumerate(pages):
        stack_with_thumbnails(tmp_path / "p" / f"p_{number}.tif", [page], first, kind)
    sources, faults = find_scans([tmp_path / "s", tmp_path / "p"])
    assert faults == []
    assert [(source.format, len(source.files)) for source in sources] == [("image", 1), ("slices", 4)]
    np.testing.assert_array_equal(read_scan(tmp_path / "p").voxels[..., 1], pages)


def test_a_file_that_holds_nothing_but_a_thumbnail_is_read(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GREY, photometric="minisblack", subfiletype=1)
    np.testing.assert_array_equal(read_pages(tmp_path / "a.tif")[0, ..., 0], GREY)


# --- compressions that need another package ---------------------------------------------------

WITHOUT_IMAGECODECS = """
import sys
sys.modules["imagecodecs"] = None
import numpy as np
from pathlib import Path
from glioseg.dataset.check import check
from glioseg.errors import InputError
from glioseg.io.pictures import read_pages
from glioseg.samples import SAMPLES
for path in sorted(Path(sys.argv[1]).glob("*.tif")):
    try:
        np.save(path.with_suffix(".npy"), read_pages(path))
    except InputError as error:
        path.with_suffix(".txt").write_text(str(error), encoding="utf-8")
"""


def saying(path: Path, pixels: np.ndarray, compression: int) -> Path:
    """Save a TIFF that says it is compressed in a way in which it is not; nothing gets as far."""
    tifffile.imwrite(
        path, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack", compression="zlib"
    )
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["Compression"].overwrite(compression)
    return path


def packed_12_bit(path: Path, values: np.ndarray) -> Path:
    """Save 12-bit grey values, two of them in three bytes."""
    height, width = values.shape
    pairs = values.reshape(-1, 2).astype(np.uint32)
    packed = (pairs[:, 0] << 12 | pairs[:, 1]).astype(">u4").view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()
    tags = [(256, width), (257, height), (258, 12), (259, 1), (262, 1), (273, 8 + 2 + 12 * 9 + 4), (277, 1)]
    tags += [(278, height), (279, len(packed))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + packed)
    return path


def test_a_codec_that_is_not_installed_is_named_with_the_cure(tmp_path: Path) -> None:
    """Damage is what the file is not."""
    deep = DEEP[..., 0] >> 4
    packed_12_bit(tmp_path / "packed.tif", deep)
    names = {"zstd": 50000, "webp": 50001, "jpegxl": 50002, "lerc": 34887, "jpeg2000": 34712}
    for name, code in names.items():
        saying(tmp_path / f"{name}.tif", GREY, code)
    saying(tmp_path / "zstd16.tif", DEEP, 50000)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_IMAGECODECS, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert done.stdout == ""
    np.testing.assert_array_equal(np.load(tmp_path / "packed.npy")[0, ..., 0], deep)
    for name in (*names, "zstd16"):
        text = (tmp_path / f"{name}.txt").read_text(encoding="utf-8")
        assert name.removesuffix("16").upper() in text
        assert "pip install imagecodecs" in text
        assert "damaged" not in text


# --- masks ------------------------------------------------------------------------------------


def test_masks_of_jpeg_are_parted_at_half(tmp_path: Path) -> None:
    """Real masks, grey or RGB, of any quality that programs have by default: nothing is lost."""
    for path in sorted(SAMPLES.glob("TCGA_HT_7692_19960724/*_mask.tif"))[::3]:
        mask = np.asarray(Image.open(path))
        for quality in (60, 75, 95):
            for pixels in (mask, np.stack([mask] * 3, axis=2)):
                read = read_label_pages(save(tmp_path / "a.jpg", pixels, quality=quality))
                np.testing.assert_array_equal(read[0], mask > 0)


def test_pictures_and_smooth_masks_of_jpeg_are_no_masks(tmp_path: Path) -> None:
    rows = np.mgrid[:32, :32][0]
    for pixels in (GREY, (rows * 8).astype(np.uint8), np.where(rows > 16, np.uint8(3), np.uint8(0))):
        with pytest.raises(InputError, match="0 and 1, or 0 and 255"):
            read_label_pages(save(tmp_path / "a.jpg", pixels, quality=95))
    with pytest.raises(InputError, match="one channel"):
        read_label_pages(save(tmp_path / "a.png", COLOUR))
    with pytest.raises(InputError, match="0 and 1, or 0 and 255"):  # nothing has blurred what is not JPEG
        read_label_pages(save(tmp_path / "a.png", np.where(rows > 16, np.uint8(250), np.uint8(0))))


def test_check_says_that_masks_are_jpeg(tmp_path: Path) -> None:
    for number in (1, 2):
        save(tmp_path / "data" / "p" / f"p_{number}.png", slice_rgb(number))
        save(tmp_path / "data" / "p" / f"p_{number}_mask.jpg", mask_of(number))
    census = check(tmp_path / "data")
    assert census.faults == ()
    assert census.notes == ("2 masks are JPEG files, which blur: what is 128 or more is taken as lesion",)
    assert census.lesion_voxels == sum(np.count_nonzero(mask_of(number)) for number in (1, 2))
