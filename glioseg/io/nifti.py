"""NIfTI volumes in any orientation, shown the radiological way and written back on their own grid.

Voxels are presented as slices from inferior to superior, rows from anterior to posterior and columns from
the patient's right to left, by permuting and flipping the axes of the file; nothing is interpolated.

Source: NIfTI-1 data format, https://nifti.nimh.nih.gov/nifti-1 (scl_slope, xyzt_units).
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.files import written_whole
from glioseg.grid import Grid
from glioseg.io.finite import made_finite
from glioseg.io.fourth_axis import check_no_time, check_other_contrasts, places_of
from glioseg.io.labels import check_no_labels, labels_of, segmentation_of
from glioseg.io.names import stem_of
from glioseg.io.nifti_file import DAMAGED, damaged, opened
from glioseg.io.placement import affine_of, contradictions, doubtful_sizes
from glioseg.io.refuse import check_size, quiet
from glioseg.io.turn import Affine, Turn, orient
from glioseg.scan import CHANNELS, SEQUENCES, Scan, Segmentation, Storage
from glioseg.words import Note


def read(path: Path, id: str, channels: Sequence[str] = (), wanted: Sequence[str] = CHANNELS) -> Scan:
    """Read a 3-D volume (FLAIR alone), or a 4-D or RGB one.

    Args:
        path: ``.nii``, ``.nii.gz``, one file of a pair ``.hdr`` and ``.img``, ``.mgz``, ``.mgh``, ``.nrrd``,
            ``.nhdr``, ``.mha`` or ``.mhd``.
        id: name of the scan.
        channels: what each volume along the fourth axis is, in words such as ``FLAIR``, ``T1w``, ``t1gd`` and
            ``T2w``; those that are not wanted are left aside. By default three volumes are
            pre-contrast, FLAIR and post-contrast, as the data set LGG has them, and that is noted.
        wanted: the channels of the scan, as far as they are there.

    Raises:
        InputError: the file is damaged, has another number of axes or kind of values, holds labels or one
            sequence at several times, does not say where its voxels lie, or promises a size that no scan has.
    """
    with opened(path) as file:
        return _scan(path, file.image, id, channels, (path,), file.room, wanted)


def _scan(
    path: Path,
    image: Any,
    id: str,
    channels: Sequence[str] = (),
    files: tuple[Path, ...] = (),
    room: int | None = None,
    wanted: Sequence[str] = CHANNELS,
) -> Scan:
    grid, turn, count, notes = _grid(path, image, room)
    colour = image.get_data_dtype().names is not None
    guessed = count > 1 and not colour and not channels
    if guessed:
        check_no_time(path, image.header, count)
    if colour:
        places = dict(zip(CHANNELS, range(3), strict=True))
    else:
        places = places_of(path, image, count, channels, wanted)
    stored = _values(path, image, turn.shape, count)
    if guessed:
        check_other_contrasts(path, stored)
        notes += (Note("fourth_axis"),)
    names = tuple(name for name in SEQUENCES if name in places)
    order = [places[name] for name in names]
    if order != list(range(count)):
        stored = stored[..., order]
    voxels, odd = made_finite(path, turn.presented(stored))
    if count == 1:
        check_no_labels(path, voxels)
    storage = Storage("nifti", files, image.header.copy())
    return Scan(voxels, grid, id, names, storage=storage, notes=(*notes, *odd))


def read_segmentation(
    path: Path, like: Scan | Segmentation | None, labels: Mapping[int, str] | None
) -> Segmentation:
    """Read a mask; its axes may be in another order than the scan's.

    Raises:
        InputError: as :func:`read`; other values; or its voxels do not lie on those of ``like``.
    """
    with opened(path) as file:
        grid, turn, count, _ = _grid(path, file.image, file.room)
        if count != 1:
            raise InputError(Fault("nifti.mask_channels", path, channels=count))
        if like is not None and not like.grid.lies_on(grid):
            said = {"grid": like.grid.describe(), "own": grid.describe(like.grid)}
            raise InputError(Fault("io.mask_on_other_grid", path, **said))
        stored = _values(path, file.image, turn.shape, 1)
    voxels = labels_of(path, turn.presented(stored)[..., 0], labels)
    storage = Storage("nifti", (path,), file.image.header.copy())
    return segmentation_of(voxels, like or grid, storage, stem_of(path), labels)


def from_image(image: Any, id: str) -> Scan:
    """A scan of an image of nibabel; see :func:`read`.

    Raises:
        InputError: as :func:`read`, but for what only a file can have.
    """
    import nibabel

    where = Path(image.get_filename() or id) if hasattr(image, "get_filename") else Path(id)
    if not isinstance(image, (nibabel.Nifti1Image, nibabel.Nifti2Image)):
        raise InputError(_another_kind(where, image))
    stored = image.get_filename() and not isinstance(image.dataobj, np.ndarray)
    return _scan(where, image, id, files=(where,) if stored else ())


def write_segmentation(segmentation: Segmentation, folder: Path, name: str) -> list[Path]:
    """Write ``folder/<name>_mask.nii.gz``, see :func:`write_file`."""
    return [write_file(segmentation, folder / f"{name}_mask.nii.gz")]


def write_file(segmentation: Segmentation, path: Path) -> Path:
    """Write one file, uint8 labels, with the shape, sform and qform of the scan's file.

    A segmentation of a scan of another format is written as presented, with its affine, or with its spacing
    alone.
    """
    what, highest = "lesion mask", 1
    if not segmentation.lesion_or_not:
        what, highest = "labels", int(segmentation.voxels.max())
    return _write(segmentation.voxels, segmentation.grid, segmentation.storage, path, highest, what)


def write_probability(probability: npt.NDArray[np.float32], like: Scan | Segmentation, path: Path) -> Path:
    """Write a probability map, float32 ``(slices, height, width)``, as :func:`write_file` writes labels.

    Args:
        probability: on the grid of ``like``.
        like: the scan that it belongs to, or a segmentation of that.
        path: the file.
    """
    return _write(probability, like.grid, like.storage, path, 1, "lesion probability")


def write_channel(scan: Scan, name: str, path: Path) -> Path:
    """Write one sequence of a scan in its own values, float32, as :func:`write_file` writes labels."""
    voxels = scan.channel(name).astype(np.float32)
    return _write(voxels, scan.grid, scan.storage, path, int(voxels.max()), name)


def _write(
    voxels: npt.NDArray[np.uint8 | np.float32],
    grid: Grid,
    storage: Storage,
    path: Path,
    highest: int,
    description: str,
) -> Path:
    import nibabel

    if storage.format == "nifti" and storage.header is not None:
        header = storage.header.copy()
        turn = _turn(affine_of(path, header), header.get_data_shape())
        header.extensions.clear()
        header.set_data_shape(turn.shape)
        header.set_data_dtype(voxels.dtype)
        header.set_slope_inter(1, 0)
        header.set_intent("none")
        header["cal_min"], header["cal_max"], header["descrip"], header["aux_file"] = (
            0,
            highest,
            description,
            "",
        )
        kind = nibabel.Nifti2Image if isinstance(header, nibabel.Nifti2Header) else nibabel.Nifti1Image
        with quiet("nibabel.global"):
            image = kind(turn.stored(voxels), None, header)
        image.header["pixdim"][1:4] = header["pixdim"][1:4]  # nibabel puts 1 where no size is given
    else:
        image = nibabel.Nifti1Image(voxels.transpose(2, 1, 0), _affine_for_writing(grid))
        image.header.set_xyzt_units("mm")
        if grid.affine is None:
            image.header["sform_code"] = image.header["qform_code"] = 0
    content = image.to_bytes()
    if path.name.lower().endswith(".gz"):
        content = gzip.compress(content, 6, mtime=0)  # no time stamp: equal masks give equal files
    with written_whole(path) as part:
        part.write_bytes(content)
    return path


def _grid(path: Path, image: Any, room: int | None) -> tuple[Grid, Turn, int, tuple[Note, ...]]:
    """The grid of an image, how it stands in the file, its number of volumes, and what is odd; all checked.

    Args:
        path: the file.
        image: as nibabel has it.
        room: most bytes of voxels that the file can hold, if that is known.
    """
    shape = _without_trailing(image.shape)
    dtype = image.get_data_dtype()
    colour = dtype.names is not None
    count = 3 if colour else shape[3] if len(shape) == 4 else 1
    if not 2 <= len(shape) <= (3 if colour else 4):
        there = " x ".join(map(str, shape))
        raise InputError(Fault("nifti.axes", path, count=len(shape), sizes=there))
    if dtype.names not in (None, ("R", "G", "B")) or (not colour and dtype.kind not in "iuf"):
        if colour:
            raise InputError(Fault("nifti.transparent", path))
        raise InputError(Fault("nifti.value_type", path, type=dtype))
    volume = (shape[0], shape[1], shape[2] if len(shape) > 2 else 1)
    if min(shape) < 1:
        check_size(path, (volume[2], volume[1], volume[0], count))
    affine = affine_of(path, image.header)
    turn = _turn(affine, shape)
    values = None if room is None else room // dtype.itemsize * len(dtype.names or (1,))
    check_size(path, (*turn.sizes, count), stored_bytes=values)
    notes = contradictions(image.header)
    doubt = doubtful_sizes(affine, turn.shape, image.header)
    presented = turn.presented_affine(affine)
    slices, height, width = map(float, np.linalg.norm(presented[:3, :3], axis=0))
    spacing = None if doubt else (slices, height, width)
    place = None if doubt == "size_unknown" else presented
    return Grid(turn.sizes, spacing, place), turn, count, (*notes, *([doubt] if doubt else []))


def _turn(affine: Affine, shape: tuple[int, ...]) -> Turn:
    """How a volume of some shape, with channels or without, stands in its file."""
    spatial = _without_trailing(shape)[:3]
    return Turn(spatial, orient(affine, (*spatial, *[1] * (3 - len(spatial)))))  # type: ignore[arg-type]


def _without_trailing(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes without the axes of size 1 after the third."""
    sizes = tuple(int(size) for size in shape)
    while len(sizes) > 3 and sizes[-1] == 1:
        sizes = sizes[:-1]
    return sizes


def _another_kind(path: Path, image: Any) -> Fault:
    return Fault("nifti.other_image", path, kind=type(image).__name__)


def _values(path: Path, image: Any, shape: tuple[int, ...], channels: int) -> npt.NDArray[Any]:
    """Voxels in the file's order as ``(x, y, z, channels)``, scaled by scl_slope and scl_inter."""
    data = image.dataobj
    try:
        if isinstance(data, np.ndarray):  # made in memory
            values = data
        elif data.slope == 1 and data.inter == 0:
            values = np.asanyarray(data.get_unscaled())
        else:
            exact = np.float64 if image.get_data_dtype().itemsize > 2 else np.float32
            with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as not finite
                values = np.asarray(data, dtype=exact)
    except MemoryError as error:
        raise InputError(Fault("memory.ran_out", path)) from error
    except DAMAGED as error:
        raise InputError(damaged(path, error)) from error
    if values.dtype.names is not None:
        values = np.stack([values[name] for name in values.dtype.names], axis=-1)
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        values = values.astype(np.float64)
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    return values.reshape(*shape, *[1] * (3 - len(shape)), channels)


def _affine_for_writing(grid: Grid) -> Affine:
    if grid.affine is not None:
        return grid.affine[:, [2, 1, 0, 3]]
    slices, rows, columns = grid.spacing or (1.0, 1.0, 1.0)
    return np.diag([-columns, -rows, slices, 1.0])
