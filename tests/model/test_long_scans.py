"""A long scan is segmented a few slices at a time: what is held does not grow with what is not asked for."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from support.known_models import known_model
from support.phantom import head, scan_of

from glioseg.grid import Grid
from glioseg.io import with_all_channels
from glioseg.model.calibration import evidence
from glioseg.model.predictor import Predictor, load_model
from glioseg.postprocess import to_mask
from glioseg.prepare import Preparation
from glioseg.recipe import PostprocessChoice
from glioseg.scan import CHANNELS, Scan

CLEAN = PostprocessChoice(minimum_share=0.25, minimum_contrast=0.5, fill_holes=True)


@pytest.mark.parametrize("spacing", [(5.0, 1.0, 1.0), (1.0, 5.0, 1.0), (1.0, 1.0, 5.0)])
def test_a_mask_without_its_probability_map_is_the_same(spacing, tmp_path, monkeypatch) -> None:
    voxels = head(40, 48, 44)
    scan = Scan(voxels, Grid(voxels.shape[:3], spacing), "thick", CHANNELS)
    prepare = Preparation(name="even_tissue", size=64, slices="thickest")
    model = load_model(known_model(tmp_path / "model.onnx", 6, -3, prepare=prepare, postprocess=CLEAN))
    whole = model(scan)
    assert whole.evidence is not None
    assert 0 < whole.segmentation.mask.sum() < (whole.probability >= 0.5).sum() + 5000
    known = evidence(whole.probability, whole.segmentation.mask)
    assert whole.evidence == pytest.approx(known, rel=1e-12)
    monkeypatch.setattr("glioseg.prepare.head.KEPT", 0)
    monkeypatch.setattr("glioseg.components.MOST_AT_A_TIME", 1)
    pieces = Predictor(model.runtime, model.description, batch=3)(scan, probability=False)
    assert pieces.probability is None
    np.testing.assert_array_equal(pieces.segmentation.voxels, whole.segmentation.voxels)
    assert (pieces.evidence, pieces.doubts) == (whole.evidence, whole.doubts)
    assert pieces.expected_dice == whole.expected_dice
    written = pieces.save(tmp_path / "out")
    assert not [path for path in written if "probability" in path.name]


def test_a_long_scan_is_held_once(tmp_path, monkeypatch) -> None:
    voxels = np.tile(head(20, 64, 64, dtype=np.uint8), (20, 1, 1, 1))
    scan = scan_of(voxels)
    prepare = Preparation(name="even_tissue", size=64)
    model = load_model(known_model(tmp_path / "model.onnx", 6, -3, prepare=prepare, postprocess=CLEAN))
    monkeypatch.setattr("glioseg.prepare.head.KEPT", 0)
    monkeypatch.setattr("glioseg.components.MOST_AT_A_TIME", 1 << 16)
    model(scan_of(voxels[:20]), False)
    tracemalloc.start()
    model(scan, False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * voxels.nbytes, "what is prepared alone takes four times as much as the voxels"


@given(arrays(bool, array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=6)), st.integers(1, 80))
def test_components_are_the_same_however_few_slices_are_labelled_together(mask, most) -> None:
    probability = mask.astype(np.float32)
    flair = np.random.default_rng(0).integers(1, 9, mask.shape).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        found = []
        for least in (1 << 21, most):
            patch.setattr("glioseg.components.MOST_AT_A_TIME", least)
            found.append(to_mask(probability, CLEAN, lambda some: flair[some]))
    np.testing.assert_array_equal(*found)


def test_flair_alone_stands_for_all_sequences_in_the_memory_of_one(labelled) -> None:
    scan, _ = labelled["TCGA_CS_4944_20010208"]
    alone = with_all_channels(Scan.from_array(scan.channel("flair")))
    assert alone.filled == ("pre", "post")
    assert np.shares_memory(alone.channel("pre"), alone.channel("flair"))
    np.testing.assert_array_equal(alone.channel("post"), scan.channel("flair"))
