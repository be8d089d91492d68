"""Bright areas that a mask leaves out, and the shape of a head: on real scans and on phantoms."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glioseg.model.bright import bright_areas, is_other_disease
from glioseg.model.description import ModelDescription
from glioseg.model.head import Head, look_at_head
from glioseg.model.predictor import load_model
from glioseg.model.steps import doubts_about
from glioseg.prepare import Preparation
from glioseg.scan import BoolArray, Scan, Segmentation

Labelled = dict[str, tuple[Scan, Segmentation]]


@pytest.fixture(scope="module")
def description(shipped_model: object) -> ModelDescription:
    return load_model().description


def doubts_of(description: ModelDescription, scan: Scan, *masks: BoolArray) -> list[set[str]]:
    prepared = description.prepare(scan)
    return [
        set(doubts_about(description, scan, prepared, mask, 0.9 if mask.any() else None)) for mask in masks
    ]


def with_spots(scan: Scan) -> Scan:
    """Round spots of one centimetre beside the middle of the brain, in each second upper slice."""
    voxels = scan.voxels.copy()
    slices, height, width = voxels.shape[:3]
    columns = np.flatnonzero((voxels[slices // 2, ..., 1] > 40).any(axis=0))
    middle, breadth = columns.mean(), np.ptp(columns)
    down, across = np.mgrid[:height, :width]
    for row in np.linspace(0.4, 0.65, 4) * height:
        for aside in (0.1, 0.2):
            for side in (-1, 1):
                spot = (down - row) ** 2 + (across - middle - side * aside * breadth) ** 2 < 5**2
                voxels[slices // 2 : -slices // 5 : 2, spot, 1] = 230
    return replace(scan, voxels=voxels)


def without_skull(scan: Scan, description: ModelDescription) -> Scan:
    """Only what lies well below the outline of the head."""
    prepared = description.prepare(scan)
    head = look_at_head(prepared.images[..., 1])
    assert head is not None
    brain = np.zeros(prepared.images.shape[:3], np.float32)
    brain[head.slices] = head.deep
    kept = prepared.frame.restore(brain) > 0.5
    return replace(scan, voxels=scan.voxels * kept[..., None])


def test_sound_gliomas_raise_no_doubt(description: ModelDescription, labelled: Labelled) -> None:
    for scan, truth in labelled.values():
        (found,) = doubts_of(description, scan, truth.mask)
        assert not {"bright_areas", "turned", "other_contrast", "unlike_training"} & found


def test_spots_on_both_sides_are_told_whatever_is_marked(
    description: ModelDescription, labelled: Labelled
) -> None:
    scan, truth = labelled["TCGA_CS_4944_20010208"]
    ill = with_spots(scan)
    nothing, speck = np.zeros_like(truth.mask), np.zeros_like(truth.mask)
    speck[len(speck) // 2, 100:106, 100:106] = True
    # All marked: no glioma lies on both sides of the middle, and far from it.
    spots = (ill.voxels != scan.voxels).any(axis=-1)
    assert all("bright_areas" in found for found in doubts_of(description, ill, nothing, speck, spots))
    # A lesion that is not marked at all.
    assert all("bright_areas" in found for found in doubts_of(description, scan, nothing))


def test_only_models_of_gliomas_in_units_of_tissue_tell(
    description: ModelDescription, labelled: Labelled
) -> None:
    assert description.learned_gliomas
    scan, truth = labelled["TCGA_CS_4944_20010208"]
    others = [description.model_copy(update={"prepare": Preparation(name="head", size=160)})]
    for patients in ([], ["ms_01", "TCGA_01"]):
        trained_on = description.trained_on.copy()
        trained_on["train"] = patients
        others.append(description.model_copy(update={"trained_on": trained_on}))
    assert [other.learned_gliomas for other in others] == [True, False, False]
    for other in others:
        assert "bright_areas" not in doubts_of(other, with_spots(scan), np.zeros_like(truth.mask))[0]


def test_heads_upside_down_are_told_with_and_without_their_skull(
    description: ModelDescription, labelled: Labelled
) -> None:
    scan, truth = labelled["TCGA_CS_4944_20010208"]
    stripped = without_skull(scan, description)
    for shown, skull in ((scan, True), (stripped, False)):
        head = look_at_head(description.prepare(shown).images[..., 1])
        assert head is not None
        assert head.skull is skull
        lying = replace(shown, voxels=shown.voxels[:, ::-1, ::-1].copy())
        assert "turned" not in doubts_of(description, shown, truth.mask)[0]
        assert "turned" in doubts_of(description, lying, truth.mask[:, ::-1, ::-1])[0]


def ball(size: int = 64, slices: int = 12) -> np.ndarray:
    """A head of tissue (0) in air (-2), broadest behind its middle."""
    down, across = np.mgrid[:size, :size] - size / 2 + 0.5
    wide = 0.35 * size + 0.1 * down
    return np.where((down / (0.42 * size)) ** 2 + (across / wide) ** 2 < 1, 0.0, -2.0)[None].repeat(slices, 0)


def head_of(flair: np.ndarray) -> Head:
    head = look_at_head(flair)
    assert head is not None
    return head


def test_the_head_of_a_phantom_is_measured() -> None:
    flair = ball()
    head = head_of(flair)
    assert list(head.slices) == [6, 7, 8, 9, 10, 11]
    assert head.lean < 0 < head_of(flair[:, ::-1]).lean
    assert abs(head.middle - 63) <= 1
    assert not head.skull
    assert head.outline.shape == head.deep.shape == (6, 64, 64)
    assert not (head.deep & ~head.outline).any()


def test_bright_areas_of_a_phantom_are_measured() -> None:
    flair, mask = ball(), np.zeros((12, 64, 64), bool)
    flair[7:11, 30:34, 20:24] = 1.5
    flair[7:11, 30:34, 40:44] = 1.5
    none = bright_areas(flair, mask, head_of(flair))
    assert none is not None
    assert none.unmarked == none.symmetric > 0
    assert none.to_mask == np.inf
    mask[7:11, 30:34, 20:24] = True
    one = bright_areas(flair, mask, head_of(flair))
    assert one is not None
    assert one.to_mask == 1
    assert one.symmetric == one.unmarked > 0
    assert one.on_both_sides == 0
    mask[7:11, 30:34, 40:44] = True
    both = bright_areas(flair, mask, head_of(flair))
    assert both == (0, 0, 0, 1)
    assert both is not None
    assert is_other_disease(both)


@pytest.mark.parametrize("size", [1, 2, 7, 32])
def test_what_is_no_head_is_not_judged(size: int) -> None:
    for flair in (
        np.zeros((3, size, size), np.float32),
        np.random.default_rng(0).normal(size=(3, size, size)).astype(np.float32),
    ):
        head = look_at_head(flair)
        if head is not None:
            bright_areas(flair, np.zeros(flair.shape, bool), head)
