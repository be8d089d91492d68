"""NIfTI in any orientation: every voxel stays at its millimetre, and goes back where it came from."""

from __future__ import annotations

import gzip
import itertools
import os
import pickle
import struct
from contextlib import suppress
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.sound_scans import AFFINE, nifti, volume

from glioseg.errors import InputError
from glioseg.io import read_scan, read_segmentation, write_segmentation
from glioseg.io.nifti import orient

TURNS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))
SHAPE = (4, 5, 6)


def rotation(angles: tuple[float, float, float]) -> np.ndarray:
    turned = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = [other for other in range(3) if other != axis]
        one = np.eye(3)
        one[first, first] = one[second, second] = np.cos(angle)
        one[first, second], one[second, first] = -np.sin(angle), np.sin(angle)
        turned = turned @ one
    return turned


def affine_of(turn: tuple, angles: tuple[float, float, float], spacing: tuple, origin: tuple) -> np.ndarray:
    order, signs = turn
    affine = np.eye(4)
    affine[:3, :3] = rotation(angles) @ np.eye(3)[:, list(order)] @ np.diag(signs) @ np.diag(spacing)
    affine[:3, 3] = origin
    return affine


def millimetres(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Place of every voxel, ``(*shape, 3)``."""
    voxels = np.moveaxis(np.indices(shape), 0, -1)
    return voxels @ affine[:3, :3].T + affine[:3, 3]


angle = st.floats(-0.6, 0.6)
size = st.floats(0.3, 8.0)
place = st.floats(-200, 200)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(TURNS),
    st.tuples(angle, angle, angle),
    st.tuples(size, size, size),
    st.tuples(place, place, place),
)
def test_every_voxel_keeps_its_place_in_any_orientation(
    tmp_path_factory: pytest.TempPathFactory, turn: tuple, angles: tuple, spacing: tuple, origin: tuple
) -> None:
    folder = tmp_path_factory.mktemp("nifti")
    stored = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)  # each value tells its voxel
    path = nifti(folder / "scan.nii", stored, affine_of(turn, angles, spacing, origin))
    affine = nib.load(path).affine  # as the file's single precision holds it
    scan = read_scan(path)
    assert scan.grid.affine is not None

    flair = scan.channel("flair")
    index = np.unravel_index(flair.astype(int), SHAPE)
    np.testing.assert_allclose(
        millimetres(scan.grid.affine, flair.shape), millimetres(affine, SHAPE)[index], atol=1e-3
    )
    # Shown upwards, backwards, to the left, each along its own file axis.
    directions = scan.grid.affine[:3, :3] / np.asarray(scan.grid.spacing)
    assert directions[2, 0] == pytest.approx(
        np.abs(affine[2, :3] / np.linalg.norm(affine[:3, :3], axis=0)).max()
    )
    if max(np.abs(angles)) < 0.3:  # less than half a right angle in all: no doubt which axis is which
        assert directions[1, 1] < -0.5
        assert directions[0, 2] < -0.5

    lesion = np.random.default_rng(0).random(flair.shape) < 0.3
    (written,) = write_segmentation(scan.segmentation(lesion), folder / "out")
    again = nib.load(written)
    np.testing.assert_array_equal(again.affine, affine)
    assert again.shape == SHAPE
    np.testing.assert_array_equal(np.asanyarray(again.dataobj)[index], lesion.astype(np.uint8))
    np.testing.assert_array_equal(read_segmentation(written, scan).voxels, lesion)


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_all_48_orientations_show_the_same_picture(turn: tuple, tmp_path: Path) -> None:
    """The same head, stored along axes in every order and direction, is read as the same array."""
    head = volume((5, 6, 7))
    affine = np.diag([-1.0, -2.0, 3.0, 1.0])
    order, signs = turn
    stored = np.flip(head, [axis for axis in range(3) if signs[axis] < 0]).transpose(order)
    moved = np.zeros((4, 4))
    moved[3, 3] = 1
    for new, old in enumerate(order):
        moved[old, new] = signs[old]
        moved[old, 3] = 0 if signs[old] > 0 else head.shape[old] - 1
    scan = read_scan(nifti(tmp_path / "scan.nii", stored, affine @ moved))
    np.testing.assert_array_equal(scan.channel("flair"), head.transpose(2, 1, 0))
    assert scan.grid.spacing == (3.0, 2.0, 1.0)
    np.testing.assert_allclose(scan.grid.affine, affine[:, [2, 1, 0, 3]])


@given(st.sampled_from(TURNS), st.tuples(angle, angle, angle), st.tuples(size, size, size))
def test_axes_are_always_a_permutation(turn: tuple, angles: tuple, spacing: tuple) -> None:
    for shape in (SHAPE, (1, 5, 6), (4, 1, 6), (4, 5, 1), (1, 1, 6), (1, 1, 1)):
        found = orient(affine_of(turn, angles, spacing, (0, 0, 0)), shape)
        assert sorted(found[:, 0]) == [0, 1, 2]
        assert set(found[:, 1]) <= {-1, 1}


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_a_lone_slice_is_one_slice_in_any_plane(turn: tuple, tmp_path: Path) -> None:
    affine = affine_of(turn, (0, 0, 0), (1, 1, 1), (0, 0, 0))
    for flat in range(3):
        shape = [5, 6, 7]
        shape[flat] = 1
        scan = read_scan(nifti(tmp_path / "scan.nii", volume(tuple(shape)), affine))
        assert scan.grid.shape[0] == 1
        assert sorted(scan.grid.shape[1:]) == sorted(size for size in shape if size != 1)
        directions = scan.grid.affine[:3, :3]
        rows, columns = directions[:, 1], directions[:, 2]
        assert rows.sum() == pytest.approx(-1), "rows run backwards or downwards"
        assert columns.sum() == pytest.approx(-1), "columns run to the left or backwards"


def test_the_header_goes_back_whole(tmp_path: Path) -> None:
    """Everything that says where voxels lie is copied; what speaks of intensities is not."""
    image = nib.Nifti1Image(volume(), None)
    turned = affine_of(TURNS[7], (0.1, -0.2, 0.3), (1, 1, 5), (1, 2, 3))
    image.header.set_qform(turned, code=1)
    image.header.set_sform(turned, code=4)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_dim_info(freq=1, phase=0, slice=2)
    image.header["descrip"] = "patient Smith"
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"patient Smith"))
    nib.save(nib.Nifti1Image(volume(), None, image.header), tmp_path / "scan.nii.gz")
    scan = read_scan(tmp_path / "scan.nii.gz")
    (path,) = write_segmentation(scan.segmentation(scan.channel("flair") > 300, id="m"), tmp_path)
    before, after = nib.load(tmp_path / "scan.nii.gz").header, nib.load(path).header
    for name in before:
        if name not in ("datatype", "bitpix", "vox_offset", "cal_max", "cal_min", "descrip"):
            np.testing.assert_array_equal(after[name], before[name], err_msg=name)
    assert not list(after.extensions)
    assert b"Smith" not in gzip.decompress(path.read_bytes())
    assert struct.unpack_from("<ff", gzip.decompress(path.read_bytes()), 112) == (1.0, 0.0)


def test_only_a_qform_and_only_a_voxel_size(tmp_path: Path) -> None:
    image = nib.Nifti1Image(volume(), None)
    turned = affine_of(TURNS[20], (0.1, 0, 0.2), (1, 2, 5), (1, 2, 3))
    image.header.set_qform(turned, code=1)
    nib.save(nib.Nifti1Image(volume(), None, image.header), tmp_path / "q.nii")
    assert sorted(read_scan(tmp_path / "q.nii").grid.spacing) == pytest.approx([1, 2, 5])

    image = nib.Nifti1Image(volume(), None)
    image.header.set_zooms((1, 2, 5))
    nib.save(image, tmp_path / "z.nii")
    scan = read_scan(tmp_path / "z.nii")
    assert scan.grid.spacing == (5, 2, 1)
    (path,) = write_segmentation(scan.segmentation(scan.channel("flair") > 300, id="m"), tmp_path)
    after = nib.load(path)
    assert (int(after.header["sform_code"]), int(after.header["qform_code"])) == (0, 0)
    np.testing.assert_array_equal(after.affine, nib.load(tmp_path / "z.nii").affine)


@pytest.mark.parametrize(("unit", "factor"), [("mm", 1), ("meter", 1000), ("micron", 0.001), ("unknown", 1)])
def test_units_become_millimetres(unit: str, factor: float, tmp_path: Path) -> None:
    affine = AFFINE.copy()
    affine[:3] /= factor
    image = nib.Nifti1Image(volume(), affine)
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "scan.nii")
    scan = read_scan(tmp_path / "scan.nii")
    assert scan.grid.spacing == pytest.approx((5, 1, 1))
    assert scan.grid.voxel_volume == pytest.approx(5)
    assert scan.notes == ()


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_the_dtype_stays_and_is_in_native_order(dtype: str, tmp_path: Path) -> None:
    stored = np.array([0, 1, 100, 127], dtype).reshape(2, 2, 1).repeat(3, axis=2)
    nib.save(nib.Nifti1Image(stored, AFFINE, dtype=stored.dtype), tmp_path / "scan.nii")
    scan = read_scan(tmp_path / "scan.nii")
    assert scan.voxels.dtype == np.dtype(dtype)
    assert scan.voxels.dtype.isnative
    assert scan.voxels.max() == 127


def test_a_mask_in_another_axis_order_lands_on_its_scan(tmp_path: Path) -> None:
    scan = read_scan(nifti(tmp_path / "scan.nii", volume()))
    lesion = volume(seed=5, dtype=np.uint8) > 200
    turned = AFFINE @ np.array([[0, -1, 0, 19], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])
    other = np.flip(lesion, 0).transpose(1, 0, 2)
    direct = read_segmentation(nifti(tmp_path / "a.nii", lesion.astype(np.uint8)), scan)
    by_way = read_segmentation(nifti(tmp_path / "b.nii", other.astype(np.uint8), turned), scan)
    np.testing.assert_array_equal(direct.voxels, by_way.voxels)
    moved = AFFINE.copy()
    moved[2, 3] += 5
    with pytest.raises(InputError, match=r"5\.0 mm away"):
        read_segmentation(nifti(tmp_path / "c.nii", lesion.astype(np.uint8), moved), scan)


def test_labels_are_not_a_mask(tmp_path: Path) -> None:
    labels = volume(dtype=np.uint8) % 5
    with pytest.raises(InputError, match=r"4 values besides 0 \(1, 2, 3, 4\)"):
        read_segmentation(nifti(tmp_path / "labels.nii", labels))


def test_a_scan_can_go_to_another_process(tmp_path: Path) -> None:
    scan = read_scan(nifti(tmp_path / "scan.nii", volume()))
    again = pickle.loads(pickle.dumps(scan))
    mask = volume().transpose(2, 1, 0) > 300
    first = write_segmentation(scan.segmentation(mask, id="a"), tmp_path)[0].read_bytes()
    assert write_segmentation(again.segmentation(mask, id="b"), tmp_path)[0].read_bytes() == first


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_bytes_that_are_changed_never_end_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    path = nifti(folder / "scan.nii", volume((6, 5, 4)))
    content = bytearray(path.read_bytes())
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 347), st.integers(0, 255)), max_size=6)):
        content[place] = value
    content = content[: data.draw(st.sampled_from([len(content), 500, 348, 100]))]
    if data.draw(st.booleans()):
        path = folder / "scan.nii.gz"
        path.write_bytes(gzip.compress(content)[: data.draw(st.sampled_from([None, 30, 100, -4]))])
    else:
        path.write_bytes(content)
    with suppress(InputError):
        assert np.isfinite(read_scan(path).voxels).all()


@pytest.mark.skipif("GLIOSEG_NIFTI" not in os.environ, reason="GLIOSEG_NIFTI names no folder of cases")
def test_real_cases_come_back_on_their_own_grid(tmp_path: Path) -> None:
    for folder in sorted(Path(os.environ["GLIOSEG_NIFTI"]).iterdir()):
        flair, post = folder / "FLAIR.nii.gz", folder / "T1POST.nii.gz"
        scan = read_scan(flair=flair, post=post)
        assert scan.id == folder.name
        (path,) = write_segmentation(
            scan.segmentation(scan.channel("flair") > np.mean(scan.voxels)), tmp_path
        )
        before, after = nib.load(flair), nib.load(path)
        np.testing.assert_array_equal(after.affine, before.affine)
        assert after.shape == before.shape
