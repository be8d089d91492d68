"""Orientation tags of TIFF, JPEG and PNG are applied once, and masks are written as the picture is shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from support.sound_scans import mask_of, save, slice_rgb

from glioseg.dataset.check import check
from glioseg.io import read_scan, read_segmentation, write_segmentation
from glioseg.io.orientation import INVERSE, TAG, shown
from glioseg.io.pictures import read_pages

TURNS = range(1, 9)


def stored_for(pixels: np.ndarray, turn: int) -> np.ndarray:
    """Pixels as they are stored under a tag, so that they are shown as given."""
    return np.ascontiguousarray(shown(pixels[None], INVERSE.get(turn, turn))[0])


def turned(path: Path, pixels: np.ndarray, turn: int, **options: object) -> Path:
    """Save pixels so that viewers show them as given."""
    exif = Image.Exif()
    exif[TAG] = turn
    tag = {"tiffinfo": {TAG: turn}} if path.suffix == ".tif" else {"exif": exif}
    return save(path, stored_for(pixels, turn), **tag, **options)


@pytest.mark.parametrize("turn", TURNS)
def test_the_eight_orientations_are_those_of_viewers(turn: int) -> None:
    pixels = slice_rgb()[:20]
    image = Image.fromarray(pixels)
    image.getexif()[TAG] = turn
    viewed = np.asarray(ImageOps.exif_transpose(image))
    np.testing.assert_array_equal(shown(pixels[None], turn)[0], viewed)
    np.testing.assert_array_equal(stored_for(viewed, turn), pixels)


def test_every_kind_of_picture_is_read_as_shown(tmp_path: Path) -> None:
    """Not square, grey and RGB, whatever the compression."""
    colour = slice_rgb()[:20]
    kinds = {
        "plain.tif": {},
        "lzw.tif": {"compression": "tiff_lzw"},
        "deflate.tif": {"compression": "tiff_adobe_deflate"},
        "a.png": {},
    }
    for pixels in (colour, colour[..., 1]):
        for turn in TURNS:
            for name, options in kinds.items():
                pages = read_pages(turned(tmp_path / name, pixels, turn, **options))
                np.testing.assert_array_equal(pages[0], pixels.reshape(20, 32, -1), err_msg=f"{name} {turn}")
            pages = read_pages(turned(tmp_path / "a.jpg", pixels, turn, quality=100))
            assert np.abs(pages[0].astype(int) - pixels.reshape(20, 32, -1)).mean() < 12, turn


WITHOUT_IMAGECODECS = """
import sys
sys.modules["imagecodecs"] = None
import numpy as np
from pathlib import Path
from glioseg.io.pictures import read_pages
for path in Path(sys.argv[1]).glob("*.tif"):
    np.save(path.with_suffix(".npy"), read_pages(path))
"""


def test_lzw_without_imagecodecs_is_turned_once(tmp_path: Path) -> None:
    """Pillow, which decodes it then, turns pages by itself."""
    pixels = slice_rgb()[:20, :, 0]
    stack = [pixels, slice_rgb(1)[:20, :, 0]]
    for turn in TURNS:
        turned(tmp_path / f"{turn}.tif", pixels, turn, compression="tiff_lzw")
        first, second = (Image.fromarray(stored_for(page, turn)) for page in stack)
        options = {"tiffinfo": {TAG: turn}, "compression": "tiff_lzw"}
        first.save(tmp_path / f"stack_{turn}.tif", save_all=True, append_images=[second], **options)
    subprocess.run([sys.executable, "-c", WITHOUT_IMAGECODECS, str(tmp_path)], check=True)
    for turn in TURNS:
        np.testing.assert_array_equal(np.load(tmp_path / f"{turn}.npy")[0, ..., 0], pixels, err_msg=str(turn))
        pages = np.load(tmp_path / f"stack_{turn}.npy")[..., 0]
        np.testing.assert_array_equal(pages, stack, err_msg=f"stack {turn}")


def test_pages_of_a_stack_may_be_turned_each_in_its_own_way(tmp_path: Path) -> None:
    pages = [slice_rgb(number)[..., 0] for number in range(3)]
    with tifffile.TiffWriter(tmp_path / "stack.tif") as file:
        for page, turn in zip(pages, (1, 6, 3), strict=True):
            tag = [(TAG, "H", 1, turn, False)]
            file.write(stored_for(page, turn), photometric="minisblack", extratags=tag, contiguous=False)
    np.testing.assert_array_equal(read_pages(tmp_path / "stack.tif")[..., 0], pages)


def test_a_tag_that_is_written_once_holds_for_the_whole_stack(tmp_path: Path) -> None:
    pages = np.stack([slice_rgb(number)[:20, :, 0] for number in range(3)])
    for turn in TURNS:
        stored = np.stack([stored_for(page, turn) for page in pages])
        tag = [(TAG, "H", 1, turn, True)]
        tifffile.imwrite(tmp_path / "stack.tif", stored, photometric="minisblack", extratags=tag)
        np.testing.assert_array_equal(read_pages(tmp_path / "stack.tif")[..., 0], pages)


def test_damaged_exif_and_unknown_orientations_turn_nothing(tmp_path: Path) -> None:
    pixels = slice_rgb()[..., 0]
    exif = Image.Exif()
    exif[TAG] = 6
    for content in (exif.tobytes()[:20], b"Exif\0\0MM", b"Exif\0\0nothing at all"):
        save(tmp_path / "a.png", pixels, exif=content)
        np.testing.assert_array_equal(read_pages(tmp_path / "a.png")[0, ..., 0], pixels)
    save(tmp_path / "a.tif", pixels, tiffinfo={TAG: 9})
    np.testing.assert_array_equal(read_pages(tmp_path / "a.tif")[0, ..., 0], pixels)


def test_masks_are_written_as_shown_and_without_the_tag(tmp_path: Path) -> None:
    """So a viewer shows the mask as it shows the slice, and reading both again compares them so."""
    for kind, turns in (("tif", (1, 1, 1)), ("png", (6, 6, 6)), ("jpg", (3, 6, 8)), ("tif", (5, 6, 7))):
        folder = tmp_path / f"{kind}{turns[0]}" / "p"
        pixels = [slice_rgb(number)[:20] for number in range(3)]
        for number, turn in enumerate(turns):
            turned(folder / f"p_{number + 1}.{kind}", pixels[number], turn)
        scan = read_scan(folder)
        assert scan.grid.shape == (3, 20, 32)
        masks = np.stack([mask_of(number)[:20] > 0 for number in (1, 2, 4)])
        written = write_segmentation(scan.segmentation(masks), folder.parent, "p")
        for path, mask in zip(written, masks, strict=True):
            with Image.open(path) as image:
                assert image.getexif().get(TAG, 1) == 1
                np.testing.assert_array_equal(np.asarray(image) > 0, mask)
        np.testing.assert_array_equal(read_segmentation(folder, scan).mask, masks)
        census = check(folder.parent)
        assert census.faults == ()
        assert census.lesion_voxels == np.count_nonzero(masks)


def test_check_compares_sizes_as_shown(tmp_path: Path) -> None:
    """A mask of the size in which the slice is stored is not one of the slice."""
    folder = tmp_path / "data" / "p"
    turned(folder / "p_1.tif", slice_rgb()[:20], 6)
    save(folder / "p_1_mask.tif", mask_of(1)[:, :20])
    (fault,) = check(tmp_path / "data").faults
    assert "32 x 20" in fault.expected
    assert "20 x 32" in fault.found
    turned(folder / "p_1_mask.tif", mask_of(1)[:20], 6)
    assert check(tmp_path / "data").faults == ()
