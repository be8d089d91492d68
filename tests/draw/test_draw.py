"""Outlines are exact, colours pure, pictures in true shape; files read back as what was drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from scipy.ndimage import binary_erosion, binary_fill_holes
from support.draw_kit import GREEN, RED, YELLOW, head, lesion, where

from glioseg.draw import (
    Tile,
    contact_sheet,
    draw_gif,
    draw_slices,
    enlarge,
    examples_sheet,
    frames,
    grey,
    outline,
    overlay,
    short_names,
    tile,
    write_png,
)
from glioseg.errors import InputError, WrongKindError
from glioseg.grid import Grid
from glioseg.scan import Scan

few = settings(max_examples=60, deadline=None)
masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


# ---------------------------------------------------------------- outlines


@few
@given(masks)
def test_an_outline_is_what_face_connected_erosion_takes_away(mask):
    line = outline(mask)
    assert not (line & ~mask).any()
    np.testing.assert_array_equal(line, mask & ~binary_erosion(mask))
    np.testing.assert_array_equal(outline(mask[::-1].T), line[::-1].T)


@few
@given(masks)
def test_filling_the_outline_gives_a_mask_without_holes_back(mask):
    whole = binary_fill_holes(mask)
    np.testing.assert_array_equal(binary_fill_holes(outline(whole)), whole)


def test_the_border_of_the_image_is_outside():
    assert outline(np.ones((5, 5), dtype=bool)).sum() == 16


@few
@given(st.integers(2, 5), st.integers(1, 4), st.integers(1, 4))
def test_an_outline_on_an_enlarged_picture_stays_one_pixel_thin(scale, height, width):
    mask = np.zeros((8, 8), dtype=bool)
    mask[2 : 2 + height, 2 : 2 + width] = True
    red = where(overlay(np.zeros((8, 8), dtype=np.uint8), predicted=mask, scale=scale), RED)
    rows, columns = height * scale, width * scale
    assert red.sum() == 2 * rows + 2 * columns - 4
    assert red[2 * scale : 2 * scale + rows, 2 * scale : 2 * scale + columns][0].all()


@few
@given(masks, st.data())
def test_colours_say_which_outline_runs_where(predicted, data):
    truth = data.draw(arrays(bool, predicted.shape))
    picture = np.full(predicted.shape, 77, dtype=np.uint8)
    drawn = overlay(picture, predicted, truth)
    red, green = outline(predicted), outline(truth)
    np.testing.assert_array_equal(where(drawn, RED), red & ~green)
    np.testing.assert_array_equal(where(drawn, GREEN), green & ~red)
    np.testing.assert_array_equal(where(drawn, YELLOW), red & green)
    assert where(drawn, 77)[~red & ~green].all()
    assert (picture == 77).all()


def test_overlay_takes_colour_pictures_and_leaves_them_unchanged():
    picture = np.random.default_rng(1).integers(0, 255, size=(6, 7, 3), dtype=np.uint8)
    before = picture.copy()
    drawn = overlay(picture, np.ones((6, 7), dtype=bool))
    np.testing.assert_array_equal(drawn[1:-1, 1:-1], before[1:-1, 1:-1])
    np.testing.assert_array_equal(picture, before)
    np.testing.assert_array_equal(overlay(picture), picture)


def test_overlay_refuses_the_wrong_kind():
    picture, mask = np.zeros((4, 4), dtype=np.uint8), np.zeros((4, 4), dtype=bool)
    with pytest.raises(WrongKindError, match="uint8"):
        overlay(picture.astype(float), mask)
    with pytest.raises(WrongKindError, match="true mask must be boolean"):
        overlay(picture, mask, mask.astype(np.uint8) * 255)
    with pytest.raises(ValueError, match=r"\(3, 4\)"):
        overlay(picture, mask[:3])


def test_a_lesion_of_one_pixel_survives_shrinking():
    mask = np.zeros((1024, 1024), dtype=bool)
    mask[501, 333] = True
    assert enlarge(mask, 0.25).sum() == 1


def test_tile_places_every_picture():
    pictures = [np.full((4, 6, 3), value, dtype=np.uint8) for value in range(1, 8)]
    sheet = tile(pictures, columns=3, gap=2)
    assert sheet.shape == (3 * 4 + 2 * 2, 3 * 6 + 2 * 2, 3)
    assert [sheet[row * 6, column * 8, 0] for row in range(3) for column in range(3)] == [*range(1, 8), 0, 0]
    assert tile(pictures[:1]).shape == (4, 6, 3)
    with pytest.raises(ValueError, match="no picture"):
        tile([])


# ---------------------------------------------------------------- grey levels


@pytest.mark.parametrize(
    "change",
    [
        lambda voxels: voxels.astype(np.uint16) * 200 + 1000,
        lambda voxels: voxels.astype(np.float32) / 50 - 3,
        lambda voxels: voxels.astype(np.int16) - 500,
    ],
)
def test_grey_does_not_depend_on_offset_scale_and_dtype(change):
    scan = head()
    other = Scan(change(scan.voxels), scan.grid, "other")
    difference = grey(scan).astype(int) - grey(other).astype(int)
    assert np.abs(difference).max() <= 1
    assert grey(scan).max() == 255


def test_grey_uses_one_window_for_all_slices_and_the_channel_asked_for():
    scan = head(slices=2)
    scan.voxels[1] //= 2
    drawn = grey(scan)
    assert drawn[1].max() < 0.6 * drawn[0].max()
    scan.voxels[..., 2] = scan.voxels[..., 2].T.reshape(scan.voxels.shape[:3])
    assert (grey(scan, "post") != drawn).any()
    with pytest.raises(InputError, match="pre, flair, post"):
        grey(scan, "t2")


def test_grey_of_nothing_is_black():
    for value in (0, 7.5, np.nan):
        scan = Scan(np.full((2, 5, 5, 3), value), Grid((2, 5, 5)), "flat")
        assert not grey(scan).any()


def test_grey_draws_what_is_not_finite_and_padding_inside_the_range_black():
    scan = head(dtype=np.float32)
    brain = scan.voxels > 30
    scored = np.where(brain, (scan.voxels - scan.voxels[brain].mean()) / scan.voxels[brain].std(), 0)
    scored[0, 24, 20] = np.nan
    scored[0, 24, 21] = np.inf
    drawn = grey(Scan(scored, scan.grid, "scored"))
    assert not drawn[:, 0].any()
    assert not drawn[0, 24, 20:22].any()
    assert drawn[1, 24, 20] > 0
    assert drawn.max() == 255


# ---------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("shape", "spacing", "drawn"),
    [
        ((256, 240), None, (256, 240)),
        ((256, 240), (5.0, 0.9, 0.9), (256, 240)),
        ((64, 80), None, (192, 240)),  # whole steps
        ((100, 200), (1.0, 2.0, 1.0), (200, 200)),  # square pixels
        ((200, 100), (1.0, 0.8, 3.2), (200, 400)),
    ],
)
def test_a_picture_of_a_pixel_a_pixel(shape, spacing, drawn, tmp_path):
    voxels = np.random.default_rng(1).integers(0, 255, (1, *shape, 1), dtype=np.uint8)
    scan = Scan(voxels, Grid((1, *shape), spacing), "p", ("flair",))
    (path,) = draw_slices(scan, None, None, tmp_path, size=None)
    with Image.open(path) as image:
        assert image.size == drawn[::-1]
        if drawn == shape:
            shown = np.asarray(image.convert("L")).astype(int)
            assert np.abs(shown - grey(scan)[0]).max() <= 1


@pytest.mark.filterwarnings("error")
def test_slices_are_named_by_number_and_show_both_outlines(tmp_path):
    scan = head(numbers=(4, 5, 9))
    predicted, truth = lesion(scan), lesion(scan, left=14)
    paths = draw_slices(scan, predicted, truth, tmp_path / "pictures", size=96)
    assert [path.name for path in paths] == ["slice_004.png", "slice_005.png", "slice_009.png"]
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == [path.name for path in paths]
    expected = overlay(grey(scan)[1], predicted.mask[1], truth.mask[1], scale=2)
    with Image.open(paths[1]) as image:
        drawn = np.asarray(image.convert("RGB"))
    assert drawn.shape == (96, 80, 3)
    for colour in (RED, GREEN, YELLOW):
        assert where(drawn, colour).any()
        np.testing.assert_array_equal(where(drawn, colour), where(expected, colour))
    assert np.abs(drawn.astype(int) - expected.astype(int)).max() <= 1


def test_a_gif_shows_every_slice_in_pure_colours(tmp_path):
    scan = head(slices=4)
    scan.voxels[3] = scan.voxels[2]
    predicted, truth = lesion(scan), lesion(scan, left=14)
    path = draw_gif(scan, predicted, truth, tmp_path / "run" / "head.gif", size=96, seconds=0.2)
    expected = list(frames(scan, predicted, truth, size=96))
    with Image.open(path) as image:
        assert image.n_frames == 4
        assert image.info["loop"] == 0
        for index, picture in enumerate(expected):
            image.seek(index)
            assert image.info["duration"] == 200
            drawn = np.asarray(image.convert("RGB"))
            for colour in (RED, GREEN, YELLOW):
                np.testing.assert_array_equal(where(drawn, colour), where(picture, colour))
            assert np.abs(drawn.astype(int) - picture.astype(int)).max() <= 3
    assert where(expected[1], YELLOW).any()
    assert not where(expected[0], RED).any()


def test_frames_carry_their_slice_number_unless_told_not_to():
    scan = head()
    plain = list(frames(scan, size=96, numbered=False))
    numbered = list(frames(scan, size=96))
    changed = (plain[0] != numbered[0]).any(axis=2)
    assert changed.any()
    assert not changed[20:].any()
    assert not changed[:, 30:].any()
    assert (numbered[0][:20, :30] != numbered[1][:20, :30]).any()


def test_pictures_have_the_true_shape_of_the_pixels():
    squeezed = head(height=24, width=40, spacing=(5.0, 2.0, 1.0))
    assert next(frames(squeezed, lesion(squeezed), size=96)).shape == (96, 80, 3)
    assert next(frames(head(height=24, width=40), size=80)).shape == (48, 80, 3)
    assert next(frames(head(height=1024, width=512), size=256)).shape == (256, 128, 3)


def test_a_sheet_is_cropped_to_the_head_but_never_cuts_a_lesion(tmp_path):
    scan = head(height=96, width=96)
    scan.voxels[:, :, 60:] = 0
    cropped = next(frames(scan, size=96, crop=True))
    assert cropped.shape[0] == 96
    assert cropped.shape[1] < 70
    corner = np.zeros(scan.grid.shape, dtype=bool)
    corner[0, 95, 95] = True
    picture = next(frames(scan, scan.segmentation(corner), size=96, crop=True))
    assert where(picture, RED).any()
    path = contact_sheet(scan, lesion(scan), None, tmp_path / "sheet.png", positions=[0, 2], size=64)
    with Image.open(path) as image:
        assert image.height == 64
        assert where(image.convert("RGB"), RED).any()


def test_one_slice_and_a_flat_scan_are_drawn(tmp_path):
    flat = Scan(np.zeros((1, 9, 9, 3)), Grid((1, 9, 9)), "flat")
    empty = flat.segmentation(np.zeros((1, 9, 9), dtype=bool))
    assert len(draw_slices(flat, empty, empty, tmp_path)) == 1
    assert draw_gif(flat, empty, None, tmp_path / "flat.gif").exists()
    assert contact_sheet(flat, None, None, tmp_path / "sheet.png").exists()


def test_a_mask_on_another_grid_is_refused():
    scan = head()
    with pytest.raises(ValueError, match="a mask of"):
        list(frames(scan, lesion(head(height=32))))


def test_nothing_is_left_where_writing_fails(tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(InputError, match="a file of that name"):
        draw_gif(head(), None, None, tmp_path / "file" / "head.gif")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# ---------------------------------------------------------------- sheets of examples


def test_examples_have_their_titles_on_white_above_them(tmp_path):
    grey = np.full((280, 280, 3), 90, np.uint8)
    lines = [("1  U-Net", [Tile(grey, "CS_6668  0.937"), Tile(grey, "HT_7616")]), ("", [Tile(grey, "x")])]
    path = examples_sheet(lines, tmp_path / "examples.png")
    with Image.open(path) as image:
        picture = np.asarray(image.convert("RGB"))
    assert picture.shape[1] == 2 * 280 + 8
    dark = (picture < 60).all(axis=2)
    tiles = np.flatnonzero((picture == picture[-1, 0]).all(axis=2)[:, :280].sum(axis=1) > 270)
    assert len(tiles) == 2 * 280
    # The heading and the first title stand above the first tile; nothing is written over a tile.
    assert dark[: tiles[0]].sum() > 100
    assert not dark[tiles].any()


def test_a_long_title_is_whole(tmp_path):
    grey = np.full((230, 230, 3), 90, np.uint8)
    name = "sub-control01_ses-baseline01"
    pictures = []
    for score in ("0.912 | 0.111", "0.912 | 0.888"):
        with Image.open(
            examples_sheet([("", [Tile(grey, f"{name}  {score}")])], tmp_path / "a.png")
        ) as image:
            pictures.append(np.asarray(image.convert("RGB")))
    assert (pictures[0] != pictures[1]).any()


def test_a_small_file_has_the_colours_of_the_outlines(tmp_path):
    scan = head(slices=4, height=200, width=180)
    picture = next(frames(scan, lesion(scan), positions=[1]))
    large, small = write_png(picture, tmp_path / "a.png"), write_png(picture, tmp_path / "b.png", small=True)
    assert small.stat().st_size < large.stat().st_size
    with Image.open(small) as image:
        assert where(image.convert("RGB"), RED).any()


def test_names_are_short_where_they_stay_apart():
    assert short_names(["TCGA_CS_6668_20011025", "b"]) == ["CS_6668", "b"]
    assert short_names(["TCGA_CS_6668_2001102", "TCGA_A_20010208", "TCGA_A_20010209"])[1] == "TCGA_A_20010208"


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_files_show_what_frames_show_in_any_type(dtype: type, tmp_path: Path) -> None:
    """Pictures for files are drawn without colours in between, and small integers by a table."""
    scan = head()
    scan = replace(scan, voxels=scan.voxels.astype(dtype) - (dtype is not np.uint8) * dtype(20))
    truth = scan.segmentation(np.roll(lesion(scan).mask, 2, axis=2))
    files = draw_slices(scan, lesion(scan), truth, tmp_path, size=96, volume=grey(scan))
    assert np.array_equal(grey(scan), grey(replace(scan, voxels=scan.voxels.astype(np.float64))))
    for file, shown in zip(files, frames(scan, lesion(scan), truth, size=96, numbered=False), strict=True):
        picture = np.asarray(Image.open(file).convert("RGB")).astype(int)
        assert np.abs(picture - shown).max() <= 1, "253 greys instead of 256"
        pure = (shown != shown[..., [1, 2, 0]]).any(axis=2)
        np.testing.assert_array_equal(picture[pure], shown[pure])
