"""Our own preparation of any scan: what a network gets to see."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.phantom import EVEN, HEAD, PREPARATIONS, TISSUE, ellipse, head, scan_of, stepped

from glioseg.errors import InputError
from glioseg.prepare import Preparation, choose_sequences, neighbour_channels, stack_neighbours
from glioseg.prepare.tissue import LINEAR, learn_tissue
from glioseg.scan import CHANNELS, Scan


def test_every_slice_is_kept_and_the_whole_head_is_shown(labelled) -> None:
    for scan, truth in labelled.values():
        prepared = HEAD(scan)
        frame = prepared.frame
        assert (frame.first, frame.last) == (0, len(scan.voxels))
        assert np.isfinite(prepared.images).all()
        seen = frame.restore(np.ones((len(scan.voxels), 128, 128), np.float32)) > 0
        tissue = scan.channel("flair") > 40
        assert (tissue & seen).sum() > 0.995 * tissue.sum()
        assert (truth.mask <= seen).all()
        foreground = frame.coverage(tissue) > 0.5
        for channel in range(3):
            inside = prepared.images[..., channel][foreground]
            assert abs(inside.mean()) < 0.5
            assert 0.5 < inside.std() < 1.5


@pytest.mark.parametrize("name", PREPARATIONS)
def test_memory_is_little_more_than_what_comes_out(name) -> None:
    scan = scan_of(head(128, 128, 128))
    prepare = Preparation(name=name, size=128)
    prepare(scan_of(head(3, 128, 128)))  # what is imported and remembered once does not count
    tracemalloc.start()
    images = prepare(scan).images
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 3 * images.nbytes


def test_ends_are_dropped_only_where_something_is_left() -> None:
    preparation = Preparation(size=32, drop_ends=True)
    for slices, kept in ((1, (0, 1)), (2, (0, 2)), (3, (1, 2)), (5, (1, 4))):
        frame = preparation(scan_of(head(slices))).frame
        assert (frame.first, frame.last) == kept


@settings(max_examples=25)
@given(st.floats(1e-3, 1e3), st.sampled_from(PREPARATIONS))
def test_the_unit_of_the_intensities_does_not_matter(factor: float, name: str) -> None:
    preparation = Preparation(name=name, size=48)
    voxels = head()
    expected = preparation(scan_of(voxels))
    scaled = preparation(scan_of(voxels * np.float32(factor)))
    assert scaled.frame == expected.frame
    np.testing.assert_allclose(scaled.images, expected.images, atol=1e-3)


@pytest.mark.parametrize(
    ("dtype", "factor"), [(np.uint16, 256), (np.int16, 100), (np.float64, 0.01), (np.uint8, 1)]
)
def test_the_type_of_the_voxels_does_not_matter(dtype, factor) -> None:
    voxels = head()
    expected = HEAD(scan_of(voxels)).images
    np.testing.assert_allclose(HEAD(scan_of((voxels * factor).astype(dtype))).images, expected, atol=1e-3)


def background_and_head(prepared, inside):
    """Prepared pixels that show nothing but air, and those that show nothing but head."""
    share = prepared.frame.coverage(inside)
    return prepared.images[share == 0], prepared.images[share > 0.999]


def z_scored(voxels, inside, outside):
    """Each channel z-scored inside, and ``outside`` elsewhere: how skull-stripped scans are passed on."""
    scored = np.full(voxels.shape, outside, np.float32)
    for channel in range(voxels.shape[-1]):
        values = voxels[..., channel][inside].astype(np.float32)
        scored[..., channel][inside] = (values - values.mean()) / values.std()
    return scored


@pytest.mark.parametrize(
    "kind", ["uint8", "uint16", "float", "shifted below 0", "z-scored, air 0", "z-scored, air least"]
)
@pytest.mark.parametrize("id", ["TCGA_CS_4944_20010208", "TCGA_HT_7692_19960724"])
@pytest.mark.parametrize("preparation", [HEAD, TISSUE, EVEN], ids=lambda one: one.name)
def test_the_background_is_the_darkest(kind: str, id: str, preparation: Preparation, labelled) -> None:
    scan, _ = labelled[id]
    inside = scan.channel("flair") > 25
    stripped = scan.voxels * inside[..., None]
    voxels = {
        "uint8": stripped,
        "uint16": stripped.astype(np.uint16) * 200,
        "float": stripped * np.float32(1e-3),
        "shifted below 0": stripped.astype(np.int16) - 1024,
        "z-scored, air 0": z_scored(stripped, inside, 0),
        "z-scored, air least": z_scored(stripped, inside, -10),
    }[kind]
    prepared = preparation(scan_of(voxels))
    air, tissue = background_and_head(prepared, inside)
    assert len(air) > 1000
    assert len(tissue) > 1000
    assert (air.max(axis=0) <= tissue.min(axis=0) + 1e-5).all()
    np.testing.assert_allclose(np.ptp(air, axis=0), 0, atol=1e-4, err_msg="air is one value")
    assert np.isfinite(prepared.images).all()


def test_brain_tissue_has_the_same_intensities_whatever_else_is_bright(labelled) -> None:
    for scan, truth in labelled.values():
        prepared = TISSUE(scan)
        frame = prepared.frame
        lesion = frame.to_prepared(truth.mask)
        brain = np.broadcast_to(ellipse((128, 128), (64, 64), (40, 30)), lesion.shape) & ~lesion
        for channel in range(3):
            assert abs(np.median(prepared.images[..., channel][brain])) < 0.25


def test_bright_scalp_does_not_change_the_intensities_of_the_brain(labelled) -> None:
    for scan, _ in labelled.values():
        flair = TISSUE.frame(scan).coverage(scan.channel("flair") / np.float32(255))
        inner = ellipse((128, 128), (64, 64), (50, 40))
        bright = np.where(inner, flair, 3 * flair)
        flair, bright = (stepped(channel, learn_tissue) for channel in (flair, bright))
        np.testing.assert_array_equal(bright[:, inner], flair[:, inner])


@given(st.integers(0, 100), st.floats(0, 0.2), st.floats(5, 60))
def test_a_lesion_and_fluid_hardly_move_the_scale_of_tissue(seed: int, share: float, width: float) -> None:
    generator = np.random.default_rng(seed)
    tissue = generator.normal(300, width, (2, 64, 64, 1))
    other = generator.random(tissue.shape)
    mixed = np.where(other < share, 900, np.where(other > 1 - share, 100, tissue)).astype(np.float32)
    images = TISSUE.model_copy(update={"size": 64})(framed(mixed)).images[..., 0]
    middle = images[:, 24:40, 24:40]
    own = middle[np.abs(middle) < 1.5]
    assert abs(np.median(own)) < 0.2
    assert 0.5 / LINEAR < own.std() < 1.6 / LINEAR


def framed(voxels) -> Scan:
    """A FLAIR scan of these voxels with black pixels around, so that there is a head to be found."""
    return scan_of(np.pad(voxels, ((0, 0), (8, 8), (8, 8), (0, 0))), ("flair",))


def test_one_sequence_is_enough() -> None:
    voxels = head(channels=1)
    alone = HEAD(scan_of(voxels, ("flair",)))
    filled = HEAD(scan_of(voxels.repeat(3, -1)))
    assert alone.images.shape == (3, 128, 128, 1)
    assert alone.frame == filled.frame
    for channel in range(3):
        np.testing.assert_array_equal(filled.images[..., channel], alone.images[..., 0])


def test_the_head_is_looked_for_in_flair() -> None:
    voxels = head()
    voxels[..., [0, 2]] = 0
    voxels[:, :20, :20, [0, 2]] = 1000
    assert HEAD.frame(scan_of(voxels)) == HEAD.frame(scan_of(head()))


@pytest.mark.parametrize("value", [0, 60, 255])
def test_a_constant_slice_within_a_scan_does_no_harm(value: int) -> None:
    voxels = head(6)
    voxels[2] = value
    for name in PREPARATIONS:
        prepared = Preparation(name=name, size=64)(scan_of(voxels))
        assert prepared.images.shape[0] == 6
        assert np.isfinite(prepared.images).all()
        assert prepared.images[3].std() > 0.1


def test_a_constant_channel_beside_flair_does_no_harm() -> None:
    for value in (0, 100):
        voxels = head()
        voxels[..., 2] = value
        prepared = HEAD(scan_of(voxels))
        assert np.isfinite(prepared.images).all()
        np.testing.assert_array_equal(prepared.images[..., :2], HEAD(scan_of(head())).images[..., :2])
        assert np.abs(TISSUE(scan_of(voxels)).images).max() < 5
    with pytest.raises(InputError, match="channel 'post' is constant"):
        Preparation(name="reference", size=64)(scan_of(voxels * np.array([1, 1, 0], np.float32)))


@pytest.mark.parametrize("name", PREPARATIONS)
@pytest.mark.parametrize("value", [0, 7, 255, -3])
def test_a_scan_without_a_head_is_refused_by_name(name: str, value: int) -> None:
    scan = scan_of(np.full((3, 64, 64, 3), value, np.int16))
    preparation = Preparation(name=name, size=64)
    with pytest.raises(InputError, match="TCGA_XX_0001: expected a head on a darker background") as caught:
        preparation(scan)
    assert "same value" in str(caught.value) or "every voxel is 0" in str(caught.value) or name == "reference"
    assert caught.value.faults[0].cure


def test_next_to_nothing_in_a_slice_is_refused_for_what_it_is() -> None:
    voxels = np.zeros((1, 200, 200, 3), np.uint8)
    voxels[0, 100:110, 100:110] = 90
    with pytest.raises(InputError, match="less than 1 % of FLAIR stands out"):
        HEAD(scan_of(voxels))


@pytest.mark.parametrize("shape", [(1, 64, 64), (1, 20, 200), (2, 300, 31), (1, 8, 8), (40, 32, 32)])
@pytest.mark.parametrize("name", PREPARATIONS)
def test_scans_of_any_shape(shape, name) -> None:
    voxels = head(*shape)
    prepared = Preparation(name=name, size=48)(scan_of(voxels))
    assert prepared.images.shape == (shape[0], 48, 48, 3)
    assert np.isfinite(prepared.images).all()
    assert prepared.frame.restore(prepared.images[..., 0]).shape == shape


def test_slices_are_prepared_alike_however_many_there_are() -> None:
    """More slices than are resized at a time, and the same ones again, change nothing."""
    voxels = head(5)
    several = np.tile(voxels, (14, 1, 1, 1))
    for name in set(PREPARATIONS) - {"even_tissue"}:  # shading runs through all slices
        preparation = Preparation(name=name, size=48)
        images = preparation(scan_of(several)).images
        assert images.shape[0] == 70
        for start in range(5, 70, 5):
            np.testing.assert_allclose(images[start : start + 5], images[:5], atol=1e-5)


# ---------------------------------------------------------------- the input of a network


@given(
    slices=st.integers(1, 6),
    channels=st.sampled_from((1, 3)),
    neighbours=st.integers(0, 3),
    seed=st.integers(0, 1000),
    data=st.data(),
)
def test_neighbours_are_flair_of_the_slices_around(slices, channels, neighbours, seed, data) -> None:
    images = np.random.default_rng(seed).random((slices, 2, 3, channels)).astype(np.float16)
    positions = np.array(data.draw(st.lists(st.integers(0, slices - 1), min_size=1, max_size=5)))
    stacked = stack_neighbours(images, positions, neighbours)
    names = neighbour_channels(CHANNELS if channels == 3 else ("flair",), neighbours)
    assert stacked.shape == (len(positions), len(names), 2, 3)
    assert stacked.dtype == np.float32
    flair = 1 if channels == 3 else 0
    for row, position in enumerate(positions):
        for place, name in enumerate(names):
            if name in CHANNELS:
                expected = images[position, ..., place]
            else:
                near = min(max(position + int(name.removeprefix("flair")), 0), slices - 1)
                expected = images[near, ..., flair]
            np.testing.assert_array_equal(stacked[row, place], expected)


def test_names_of_the_channels() -> None:
    assert neighbour_channels(CHANNELS, 0) == CHANNELS
    assert neighbour_channels(CHANNELS, 2) == (*CHANNELS, "flair-2", "flair-1", "flair+1", "flair+2")


def test_a_fingerprint_changes_with_every_setting() -> None:
    choices = [
        Preparation(name=name, size=size, drop_ends=drop_ends)
        for name in PREPARATIONS
        for size in (128, 256)
        for drop_ends in (False, True)
    ]
    assert len({choice.fingerprint for choice in choices}) == len(choices) == 4 * len(PREPARATIONS)
    assert replace(HEAD.frame(scan_of(head())), size=64) != HEAD.frame(scan_of(head()))


def test_a_network_may_take_some_sequences_alone() -> None:
    names = neighbour_channels(CHANNELS, 1)
    stacked = np.arange(2 * 5).reshape(2, 5, 1, 1) * np.ones((2, 5, 4, 4))
    assert choose_sequences(stacked, CHANNELS) is stacked
    for sequences in (("flair",), ("post", "pre"), ("pre", "flair")):
        chosen = choose_sequences(stacked, sequences)
        places = [names.index(name) for name in neighbour_channels(sequences, 1)]
        np.testing.assert_array_equal(chosen, stacked[:, places])
    alone = stacked[:, :3]
    np.testing.assert_array_equal(choose_sequences(alone, ("flair",)), alone[:, 1:2])
