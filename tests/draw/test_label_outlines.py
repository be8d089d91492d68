"""Several labels in pictures: an outline for each, in the colours of the viewer."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image
from support.draw_kit import RED, head, lesion, where

import glioseg
from glioseg.draw import contact_sheet, draw_gif, draw_slices, enlarge, frames, outline, overlay
from glioseg.draw.outlines import LABELS, enlarge_labels
from glioseg.scan import Segmentation

few = settings(max_examples=60, deadline=None)


@few
@given(
    arrays(
        np.uint8, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12), elements=st.integers(0, 8)
    )
)
def test_each_label_has_an_outline_in_its_colour(labels):
    drawn = overlay(np.full(labels.shape, 77, np.uint8), labels=labels)
    for place in range(1, 9):
        np.testing.assert_array_equal(where(drawn, LABELS[place - 1]), outline(labels == place))
    assert where(drawn, 77)[labels == 0].all()


@few
@given(arrays(np.uint8, (6, 7), elements=st.integers(0, 3)), st.sampled_from([0.5, 2, 3, (2.0, 1.5)]))
def test_enlarged_labels_lie_where_their_masks_do(labels, scale):
    drawn = enlarge_labels(labels, scale)
    np.testing.assert_array_equal(drawn > 0, enlarge(labels > 0, scale))
    if scale in (2, 3):
        for value in range(1, 4):
            np.testing.assert_array_equal(drawn == value, enlarge(labels == value, scale))


def two_labels(scan):
    """Two labels that touch, of values that are not 1 and 2."""
    voxels = np.zeros(scan.grid.shape, np.uint8)
    voxels[1:, 16:24, 10:18] = 4
    voxels[1:, 16:24, 18:26] = 9
    return Segmentation(voxels, scan.grid, scan.id, labels={4: "oedema", 9: "core"})


@pytest.mark.parametrize("small", [False, True])
def test_files_show_several_labels_in_the_colours_of_the_viewer(tmp_path, small):
    scan = head(spacing=(5, 1, 1))
    mask = two_labels(scan)
    (file,) = draw_slices(scan, mask, None, tmp_path / "slices", size=None)[1:2]
    sheet = contact_sheet(scan, mask, None, tmp_path / "sheet.png")
    gif = draw_gif(scan, mask, None, tmp_path / "all.gif", positions=[1], small=small)
    for path in (file, sheet, gif):
        picture = np.asarray(Image.open(path).convert("RGB"))
        assert where(picture, LABELS[0]).sum() > 20
        assert where(picture, LABELS[1]).sum() > 20
        assert not where(picture, RED).any()
    expected = next(frames(scan, mask, size=192, positions=[1], numbered=False))
    shown = np.asarray(Image.open(file).convert("RGB"))
    for colour in LABELS:
        np.testing.assert_array_equal(where(shown, colour), where(expected, colour))


def test_beside_the_truth_several_labels_are_one_mask():
    scan = head()
    mask, truth = two_labels(scan), lesion(scan)
    seen, whole = (list(frames(scan, each, truth, size=96)) for each in (mask, scan.segmentation(mask.mask)))
    np.testing.assert_array_equal(seen, whole)


def test_the_viewer_has_the_same_colours():
    script = Path(glioseg.__file__).parent / "server" / "static" / "js" / "voxels" / "labels.js"
    listed = re.search(r"const COLOURS = \[(.*?)\];", script.read_text(encoding="utf-8"))
    assert listed is not None
    assert re.findall("#[0-9a-f]{6}", listed[1]) == ["#" + bytes(colour).hex() for colour in LABELS]
