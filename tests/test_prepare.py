"""The reference protocol to the pixel, our own preparation for any scan, and an exact way back from both."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from glioseg.dataset.find import find_cases, read_case
from glioseg.errors import InputError, WrongKindError
from glioseg.metrics import dice
from glioseg.prepare import Frame, Preparation, neighbour_channels, stack_neighbours
from glioseg.prepare.tissue import LINEAR, normalise_tissue
from glioseg.scan import CHANNELS, Grid, Scan

REFERENCE = Preparation(name="reference", size=256, drop_ends=True)
DEFAULT = Preparation()
TISSUE = Preparation(name="tissue")
PREPARATIONS = ("default", "tissue", "reference")


def scan_of(voxels, channels=CHANNELS) -> Scan:
    return Scan(voxels, Grid(voxels.shape[:3]), "TCGA_XX_0001", channels)


def ellipse(shape, centre, radii):
    """Boolean ``(height, width)``, true inside an ellipse."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return ((rows - centre[0]) / radii[0]) ** 2 + ((columns - centre[1]) / radii[1]) ** 2 <= 1


def head(slices=3, height=96, width=80, channels=3, dtype=np.float32, seed=0):
    """A textured head on black, ``(slices, height, width, channels)``, values 0 and 40 to 140."""
    inside = ellipse((height, width), (height / 2, width / 2), (height * 0.4, width * 0.4))
    texture = np.random.default_rng(seed).integers(40, 140, (slices, height, width, channels))
    return (texture * inside[..., None]).astype(dtype)


# ---------------------------------------------------------------- the reference protocol

GOLDEN = {  # patient: crop (slices, height, width), lesion pixels before and after the resize
    "TCGA_HT_7616_19940813": ((28, 247, 189), 30881, 33076),
    "TCGA_CS_6668_20011025": ((26, 244, 193), 7223, 7938),
    "TCGA_CS_4944_20010208": ((18, 240, 199), 28110, 31988),
    "TCGA_HT_7879_19981009": ((26, 240, 206), 11654, 13141),
    "TCGA_DU_7014_19860618": ((58, 256, 213), 68295, 68295),
    "TCGA_DU_6408_19860521": ((54, 226, 245), 82464, 90022),
    "TCGA_DU_6404_19850629": ((51, 225, 244), 18399, 20245),
    "TCGA_DU_5851_19950428": ((35, 225, 255), 16446, 16847),
    "TCGA_CS_6667_20011105": ((18, 245, 216), 8017, 8752),
    "TCGA_HT_7692_19960724": ((18, 230, 188), 2875, 3567),
}
SAMPLES = ("TCGA_CS_4944_20010208", "TCGA_CS_6667_20011105", "TCGA_HT_7692_19960724")


def check_golden(id, scan, truth):
    (slices, height, width), before, after = GOLDEN[id]
    frame = REFERENCE.frame(scan)
    assert frame.last - frame.first == slices
    assert frame.side == max(height, width), "the square has the longer side of the crop"
    padding = frame.side - min(height, width)
    start = frame.left if width < height else frame.top
    # The shorter side is padded: floor of half before it, the rest after.
    inner = np.any(scan.voxels[1:-1] >= 0.1 * scan.voxels[1:-1].max(), axis=(0, -1))
    extents = [np.flatnonzero(inner.any(axis=axis)) for axis in (1, 0)]
    assert [places[-1] + 1 - places[0] for places in extents] == [height, width]
    assert start == extents[int(width < height)][0] - padding // 2
    # All lesion of the ten patients lies inside the crop, so "before" can be counted on the scan's grid.
    assert int(truth.voxels[1:-1].sum()) == before
    assert int(frame.to_prepared(truth.voxels).sum()) == after
    assert REFERENCE.target(truth.voxels, frame).sum(dtype=np.float64) == after


@pytest.mark.parametrize("id", SAMPLES)
def test_golden_values_of_the_bundled_patients(id, labelled) -> None:
    check_golden(id, *labelled[id])


def test_golden_values_of_all_ten_patients(data_folder) -> None:
    cases = {case.id: case for case in find_cases(data_folder) if case.id in GOLDEN}
    assert len(cases) == 10
    for id, case in cases.items():
        check_golden(id, *read_case(case))


# What the original program (scikit-image 0.26: resize, rescale_intensity; NumPy) makes of the samples:
# least, greatest and mean-over-the-lesion of each channel, then single pixels (slice, row, column).
ORIGINAL = {
    "TCGA_CS_4944_20010208": (
        ((-0.81111, -0.82178, -0.86974), (3.05649, 3.04099, 3.3254), (0.56076, 2.02578, 0.44809)),
        {
            (2, 64, 100): (-0.60166, 1.19383, 0.54403),
            (2, 128, 128): (1.42845, 1.19822, 1.45814),
            (2, 150, 90): (0.33892, 0.16967, 0.16059),
            (2, 201, 140): (0.50669, 0.92516, 0.1835),
            (9, 64, 100): (0.67279, 1.01728, 0.71275),
            (9, 128, 128): (0.65453, 1.66657, 0.80541),
            (9, 150, 90): (0.39977, 2.19392, 0.38063),
            (15, 150, 90): (0.92966, 0.80687, 0.67665),
        },
    ),
    "TCGA_CS_6667_20011105": (
        ((-0.75693, -0.77107, -0.84313), (3.29895, 3.23521, 3.81077), (0.6155, 2.30434, 0.94589)),
        {
            (2, 64, 100): (-0.75347, -0.57051, -0.83863),
            (2, 150, 90): (-0.29328, -0.77107, 0.45641),
            (9, 128, 128): (1.04995, 0.98677, 1.39745),
            (15, 64, 100): (0.9927, 0.38971, 0.15732),
            (15, 201, 140): (0.2056, 0.15968, 1.22379),
        },
    ),
    "TCGA_HT_7692_19960724": (
        ((-0.69453, -0.66784, -0.73218), (3.23049, 3.68846, 2.98587), (1.22443, 2.30843, 0.82431)),
        {
            (2, 150, 90): (-0.14687, -0.66784, 2.98587),
            (9, 64, 100): (2.42176, 1.76928, 1.47433),
            (15, 64, 100): (1.52619, 0.752, 2.593),
            (15, 201, 140): (1.1842, 0.82709, 0.95408),
        },
    ),
}


@pytest.mark.parametrize("id", SAMPLES)
def test_reference_images_are_those_of_the_original(id, labelled) -> None:
    scan, truth = labelled[id]
    prepared = REFERENCE(scan)
    images, lesion = prepared.images, prepared.frame.to_prepared(truth.voxels)
    statistics, pixels = ORIGINAL[id]
    found = images.min(axis=(0, 1, 2)), images.max(axis=(0, 1, 2)), images[lesion].mean(axis=0)
    np.testing.assert_allclose(found, statistics, atol=1e-3)
    for place, values in pixels.items():
        np.testing.assert_allclose(images[place], values, atol=1e-3, err_msg=str(place))
    np.testing.assert_allclose(images.mean(axis=(0, 1, 2), dtype=np.float64), 0, atol=1e-3)
    np.testing.assert_allclose(images.std(axis=(0, 1, 2), dtype=np.float64), 1, atol=1e-3)


def test_the_reference_of_a_scan_that_fills_its_256_pixels_keeps_every_pixel() -> None:
    voxels = head(4, 256, 256)
    voxels[:, ::255, :] = voxels[:, :, ::255] = 90
    prepared = Preparation(name="reference", size=256)(scan_of(voxels))
    frame = prepared.frame
    assert (frame.first, frame.last, frame.top, frame.left, frame.side) == (0, 4, 0, 0, 256)
    low, high = np.percentile(voxels, (10, 99))
    expected = (np.clip(voxels, low, high) - low) / (high - low)
    expected = (expected - expected.mean(axis=(0, 1, 2))) / expected.std(axis=(0, 1, 2))
    np.testing.assert_allclose(prepared.images, expected, atol=1e-4)


def test_the_reference_crops_slices_without_head() -> None:
    voxels = head(6)
    voxels[[0, 5]] = 2  # below a tenth of the maximum
    frame = Preparation(name="reference", size=64).frame(scan_of(voxels))
    assert (frame.first, frame.last) == (1, 5)
    inner = Preparation(name="reference", size=64, drop_ends=True).frame(scan_of(voxels))
    assert (inner.first, inner.last) == (1, 5)
    restored = frame.restore(np.ones((4, 64, 64), np.float32))
    assert not restored[[0, 5]].any()
    assert restored[1:5].any(axis=(1, 2)).all()


# ---------------------------------------------------------------- the way there and back

sides = st.integers(8, 90)


@st.composite
def any_frames(draw) -> Frame:
    height, width = draw(sides), draw(sides)
    side = draw(st.floats(8, 120))
    top, left = (draw(st.floats(-0.5 * side, length - 0.5 * side)) for length in (height, width))
    return Frame((1, height, width), 0, 1, top, left, side, draw(st.integers(16, 80)))


@given(any_frames())
def test_probabilities_stay_probabilities_and_end_with_the_frame(frame: Frame) -> None:
    restored = frame.restore(np.ones((1, frame.size, frame.size), np.float32))
    rows = np.arange(frame.shape[1]) + 0.5
    columns = np.arange(frame.shape[2]) + 0.5
    inside = ((rows > frame.top) & (rows < frame.top + frame.side))[:, None] & (
        (columns > frame.left) & (columns < frame.left + frame.side)
    )
    np.testing.assert_array_equal(restored[0][inside], 1)
    margin = 1e-6 * frame.side  # where a pixel's centre lies on the very edge, rounding decides
    outside = ((rows < frame.top - margin) | (rows > frame.top + frame.side + margin))[:, None] | (
        (columns < frame.left - margin) | (columns > frame.left + frame.side + margin)
    )
    assert not restored[0][outside].any()


@settings(max_examples=30)
@given(any_frames(), st.integers(0, 2**32 - 1))
def test_nearest_neighbour_takes_the_pixel_under_each_centre(frame: Frame, seed: int) -> None:
    mask = np.random.default_rng(seed).random(frame.shape) < 0.5
    step = frame.side / frame.size
    expected = np.zeros((frame.size, frame.size), bool)
    for i in range(frame.size):
        for j in range(frame.size):
            row, column = (
                int(np.floor(start + (place + 0.5) * step))
                for start, place in ((frame.top, i), (frame.left, j))
            )
            if 0 <= row < frame.shape[1] and 0 <= column < frame.shape[2]:
                expected[i, j] = mask[0, row, column]
    np.testing.assert_array_equal(frame.to_prepared(mask)[0], expected)


@given(any_frames())
def test_no_position_is_shifted(frame: Frame) -> None:
    """A ramp of positions comes out as the positions of the new pixels' centres, there and back."""
    _, height, width = frame.shape
    step = frame.side / frame.size
    centres = (np.arange(frame.size) + 0.5) * step
    pixels = np.arange(height) + 0.5, np.arange(width) + 0.5
    starts = frame.top, frame.left
    # Prepared pixels that the scan's edge does not reach, and scan pixels that the frame's does not.
    reach = max(step, 1.0) + 0.5
    there_inner = [
        (start + centres > reach) & (start + centres < len(own) - reach)
        for start, own in zip(starts, pixels, strict=True)
    ]
    edge = step / 2 + 1e-3
    back_inner = [
        (own > start + edge) & (own < start + frame.side - edge)
        for start, own in zip(starts, pixels, strict=True)
    ]
    shape = frame.size, frame.size
    for axis in (0, 1):
        own = np.meshgrid(*pixels, indexing="ij")[axis].astype(np.float32)
        prepared = np.meshgrid(frame.top + centres, frame.left + centres, indexing="ij")[axis]
        there = frame.coverage(own[None])[0]
        assert there.shape == shape
        inner = np.ix_(*there_inner)
        # Where the filter is wide its sampled triangle is not quite symmetric: within half a scan pixel.
        np.testing.assert_allclose(there[inner], prepared[inner], atol=1e-3 if step <= 1 else 0.5)
        back = frame.restore(prepared[None].astype(np.float32))[0]
        inner = np.ix_(*back_inner)
        np.testing.assert_allclose(back[inner], own[inner], atol=1e-3)


@given(
    sides, sides, st.integers(16, 80), st.integers(-40, 40), st.integers(-40, 40), st.integers(0, 2**32 - 1)
)
def test_pixels_of_the_same_size_come_back_as_they_were(height, width, size, top, left, seed) -> None:
    frame = Frame((2, height, width), 0, 2, top, left, size, size)
    mask = np.random.default_rng(seed).random(frame.shape) < 0.5
    inside = np.zeros(frame.shape, bool)
    inside[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = True
    np.testing.assert_array_equal(frame.coverage(mask), frame.to_prepared(mask))
    np.testing.assert_array_equal(frame.restore(frame.coverage(mask)), mask & inside)


@settings(max_examples=60)
@given(
    height=st.integers(40, 300),
    width=st.integers(40, 300),
    slices=st.integers(1, 3),
    size=st.sampled_from((64, 128, 256)),
    head_share=st.tuples(st.floats(0.3, 0.5), st.floats(0.3, 0.5)),
    lesion=st.tuples(st.floats(0.15, 0.7), st.floats(0.15, 0.7), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3)),
)
def test_a_perfect_network_comes_back_to_the_grid_of_the_scan(
    height, width, slices, size, head_share, lesion
) -> None:
    middle = height / 2, width / 2
    radii = height * head_share[0], width * head_share[1]
    voxels = np.zeros((slices, height, width, 3), np.uint8)
    voxels[:, ellipse((height, width), middle, radii)] = 100
    own_radii = radii[0] * lesion[0], radii[1] * lesion[1]
    centre = middle[0] + lesion[2] * radii[0], middle[1] + lesion[3] * radii[1]
    truth = np.broadcast_to(ellipse((height, width), centre, own_radii), voxels.shape[:3])
    scan = scan_of(voxels)
    preparation = Preparation(size=size)
    frame = preparation.frame(scan)
    # Large enough: a quarter of the pixels of either grid that the outline runs through is a percent or so.
    assume(min(own_radii) >= 7 * max(1.0, frame.side / size))
    restored = frame.restore(preparation.target(truth, frame))
    assert dice(restored >= 0.5, truth) >= 0.98


def test_a_large_scan_comes_back(labelled) -> None:
    scan, truth = labelled["TCGA_CS_4944_20010208"]
    large = Scan(
        np.ascontiguousarray(scan.voxels[8:10].repeat(4, 1).repeat(4, 2)), Grid((2, 1024, 1024)), "x"
    )
    mask = truth.voxels[8:10].repeat(4, 1).repeat(4, 2)
    prepared = DEFAULT(large)
    assert prepared.images.shape == (2, 128, 128, 3)
    assert dice(prepared.frame.restore(prepared.frame.coverage(mask)) >= 0.5, mask) > 0.98


@pytest.mark.parametrize("name", PREPARATIONS)
def test_a_frame_alone_is_that_of_the_prepared_scan(name, labelled) -> None:
    for drop_ends in (False, True):
        preparation = Preparation(name=name, size=96, drop_ends=drop_ends)
        for scan, _ in labelled.values():
            prepared = preparation(scan)
            frame = preparation.frame(scan)
            assert frame == prepared.frame
            assert frame.shape == scan.grid.shape
            assert prepared.images.shape == (frame.last - frame.first, 96, 96, 3)


def test_a_frame_refuses_what_is_not_on_its_grid() -> None:
    frame = Frame((3, 20, 30), 1, 3, 0, 0, 30, 16)
    with pytest.raises(ValueError, match=r"\(3, 20, 31\) for a scan of \(3, 20, 30\)"):
        frame.to_prepared(np.zeros((3, 20, 31), bool))
    with pytest.raises(ValueError, match=r"\(2, 20, 30\) for a scan of \(3, 20, 30\)"):
        frame.coverage(np.zeros((2, 20, 30), bool))
    with pytest.raises(ValueError, match=r"\(3, 16, 16\) for a frame of \(2, 16, 16\)"):
        frame.restore(np.zeros((3, 16, 16), np.float32))
    with pytest.raises(WrongKindError, match="must be boolean, not uint8"):
        frame.to_prepared(np.full((3, 20, 30), 255, np.uint8))
    for name in PREPARATIONS:
        with pytest.raises(WrongKindError, match="must be boolean, not uint8"):
            Preparation(name=name).target(np.full((3, 20, 30), 255, np.uint8), frame)


# ---------------------------------------------------------------- any scan


def test_every_slice_is_kept_and_the_whole_head_is_shown(labelled) -> None:
    for scan, truth in labelled.values():
        prepared = DEFAULT(scan)
        frame = prepared.frame
        assert (frame.first, frame.last) == (0, len(scan.voxels))
        assert np.isfinite(prepared.images).all()
        seen = frame.restore(np.ones((len(scan.voxels), 128, 128), np.float32)) > 0
        tissue = scan.channel("flair") > 40
        assert (tissue & seen).sum() > 0.995 * tissue.sum()
        assert (truth.voxels <= seen).all()
        foreground = frame.coverage(tissue) > 0.5
        for channel in range(3):
            inside = prepared.images[..., channel][foreground]
            assert abs(inside.mean()) < 0.5
            assert 0.5 < inside.std() < 1.5


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
    expected = DEFAULT(scan_of(voxels)).images
    np.testing.assert_allclose(DEFAULT(scan_of((voxels * factor).astype(dtype))).images, expected, atol=1e-3)


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
@pytest.mark.parametrize("preparation", [DEFAULT, TISSUE], ids=["default", "tissue"])
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
        lesion = frame.to_prepared(truth.voxels)
        brain = np.broadcast_to(ellipse((128, 128), (64, 64), (40, 30)), lesion.shape) & ~lesion
        for channel in range(3):
            assert abs(np.median(prepared.images[..., channel][brain])) < 0.25


def test_bright_scalp_does_not_change_the_intensities_of_the_brain(labelled) -> None:
    for scan, _ in labelled.values():
        flair = TISSUE.frame(scan).coverage(scan.channel("flair") / np.float32(255))
        inner = ellipse((128, 128), (64, 64), (50, 40))
        bright = np.where(inner, flair, 3 * flair)
        for channel in (flair, bright):
            normalise_tissue(channel)
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
    alone = DEFAULT(scan_of(voxels, ("flair",)))
    filled = DEFAULT(scan_of(voxels.repeat(3, -1)))
    assert alone.images.shape == (3, 128, 128, 1)
    assert alone.frame == filled.frame
    for channel in range(3):
        np.testing.assert_array_equal(filled.images[..., channel], alone.images[..., 0])


def test_the_head_is_looked_for_in_flair() -> None:
    voxels = head()
    voxels[..., [0, 2]] = 0
    voxels[:, :20, :20, [0, 2]] = 1000
    assert DEFAULT.frame(scan_of(voxels)) == DEFAULT.frame(scan_of(head()))


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
        prepared = DEFAULT(scan_of(voxels))
        assert np.isfinite(prepared.images).all()
        np.testing.assert_array_equal(prepared.images[..., :2], DEFAULT(scan_of(head())).images[..., :2])
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
        DEFAULT(scan_of(voxels))


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
    for name in PREPARATIONS:
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
    assert len({choice.fingerprint for choice in choices}) == len(choices) == 12
    assert replace(DEFAULT.frame(scan_of(head())), size=64) != DEFAULT.frame(scan_of(head()))
