"""Prepared pixels of a length in mm, and slices along the axis along which a scan was made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from support.phantom import ellipse, head

from glioseg.errors import InputError
from glioseg.grid import Grid
from glioseg.measure import dice
from glioseg.prepare import Preparation
from glioseg.prepare.frame import turned, turned_back
from glioseg.recipe import load_recipe
from glioseg.scan import Scan

SPHERE = np.linalg.norm((np.indices((64, 64, 64)).T - (40, 24, 30)).T, axis=0) < 10


def sphere(thick: int | None = None) -> tuple[Scan, np.ndarray]:
    """A round head of 56 mm with a lesion, its voxels averaged to 4 mm along an axis."""
    inside = np.linalg.norm((np.indices((64, 64, 64)).T - (31.5, 31.5, 31.5)).T, axis=0) < 28
    values = np.where(SPHERE, 200.0, np.random.default_rng(3).uniform(60, 140, SPHERE.shape)) * inside
    spacing = [1.0, 1.0, 1.0]
    lesion = SPHERE
    if thick is not None:
        spacing[thick] = 4.0
        shape = [*values.shape]
        shape[thick : thick + 1] = [16, 4]
        values, lesion = (each.reshape(shape).mean(axis=thick + 1) for each in (values, SPHERE))
    grid = Grid(values.shape, tuple(spacing))
    return Scan(values[..., None].astype(np.float32).repeat(3, axis=3), grid, "ball"), lesion > 0.5


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_what_is_turned_comes_back(axis: int) -> None:
    voxels = np.arange(4 * 5 * 6 * 2).reshape(4, 5, 6, 2)
    there = turned(voxels, axis)
    assert there.shape[0] == voxels.shape[axis]
    np.testing.assert_array_equal(turned_back(there, axis), voxels)
    if axis:
        assert there[0, 0, 0, 0] == voxels[-1, 0, 0, 0], "superior is at the top"


@pytest.mark.parametrize("thick", [None, 0, 1, 2])
def test_slices_lie_along_the_axis_of_the_thickest_voxels(thick: int | None) -> None:
    scan, lesion = sphere(thick)
    prepare = Preparation(name="head", size=64, slices="thickest")
    prepared = prepare(scan)
    assert len(prepared.images) == (64 if thick is None else 16)
    assert prepared.frame.aspect == 1
    assert prepare.frame(scan) == prepared.frame
    target = prepare.target(lesion, prepared.frame)
    assert dice(prepared.frame.restore(target) > 0.5, lesion) > 0.97
    # FLAIR of the prepared slices is that of the scan, where the lesion is bright
    bright = prepared.images[..., 1] > np.quantile(prepared.images[..., 1], 0.97)
    assert dice(prepared.frame.restore(bright.astype(np.float32)) > 0.5, lesion) > 0.5


def test_axial_slices_stay_unless_another_axis_is_clearly_thicker() -> None:
    for spacing in ((1.0, 1.0, 1.2), (5.0, 1.0, 1.0), (3.0, 1.0, 4.0), None):
        assert Grid((4, 4, 4), spacing).thickest_axis == 0
    assert Grid((4, 4, 4), (1.0, 1.0, 1.6)).thickest_axis == 2
    assert Grid((4, 4, 4), (1.0, 5.0, 1.6)).thickest_axis == 1


@pytest.mark.parametrize("spacing", [0.5, 1.0, 2.0])
def test_a_pixel_has_its_length_whatever_the_scan_has(spacing: float) -> None:
    voxels = head(height=96, width=80)
    scan = Scan(voxels, Grid(voxels.shape[:3], (3.0, spacing, spacing)), "head")
    frame = Preparation(name="head", size=256, pixel_mm=0.75).frame(scan)
    assert frame.side * spacing == pytest.approx(256 * 0.75)
    plain = Preparation(name="head", size=256).frame(scan)
    # both lie around the middle of the head
    assert frame.top + frame.side / 2 == pytest.approx(plain.top + plain.side / 2)
    assert frame.left + frame.across / 2 == pytest.approx(plain.left + plain.across / 2)


def test_no_head_is_cut_and_none_refused() -> None:
    voxels = head(height=96, width=80)
    scan = Scan(voxels, Grid(voxels.shape[:3], (3.0, 2.0, 2.0)), "head")
    fitting = Preparation(name="head", size=64).frame(scan)
    assert Preparation(name="head", size=64, pixel_mm=0.5).frame(scan) == fitting
    unknown = replace(scan, grid=Grid(scan.grid.shape))
    assert Preparation(name="head", size=64, pixel_mm=9.0).frame(unknown) == fitting


def test_the_lesion_of_one_length_is_as_large_in_each_scan() -> None:
    """What it is for: a network sees one magnification, whatever field of view was chosen."""
    sizes = []
    for length in (1.0, 1.6):
        side = round(160 / length)
        inside = ellipse((side, side), (side / 2, side / 2), (0.4 * side, 0.4 * side))
        lesion = ellipse((side, side), (side / 2, side * 0.4), (10 / length, 10 / length))[None]
        noise = np.random.default_rng(1).uniform(60, 120, (1, side, side))
        voxels = (noise * inside)[..., None].repeat(3, axis=3).astype(np.float32)
        scan = Scan(voxels, Grid(voxels.shape[:3], (5.0, length, length)), "head")
        prepare = Preparation(name="head", size=128, pixel_mm=1.5)
        sizes.append(float(prepare.target(lesion, prepare.frame(scan)).sum()))
    assert sizes[0] == pytest.approx(np.pi * (10 / 1.5) ** 2, rel=0.03)
    assert sizes[1] == pytest.approx(sizes[0], rel=0.03)


def test_other_arrays_have_other_names_in_the_cache_and_the_published_one_stays() -> None:
    plain, *others = (
        Preparation(**choice) for choice in ({}, {"pixel_mm": 1.0}, {"pixel_mm": 1.5}, {"slices": "thickest"})
    )
    assert len({each.fingerprint for each in (plain, *others)}) == 4
    assert plain.fingerprint == "even_tissue-128-v4"
    with pytest.raises(InputError, match="reference"):
        load_recipe("reference", ["prepare.pixel_mm=1.0"])
