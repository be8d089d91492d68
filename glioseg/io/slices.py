"""A folder of slices, one picture a slice, in the order of the numbers in their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError, raise_all
from glioseg.grid import Grid
from glioseg.io.finite import made_finite
from glioseg.io.labels import read_label_pages, segmentation_of, stored_as_image
from glioseg.io.names import (
    is_hidden,
    is_mask,
    is_picture,
    listed,
    slice_of_mask,
    split_number,
    stem_of,
    suffix_of,
)
from glioseg.io.numbering import Numbered, missing, numbered
from glioseg.io.pictures import read_pages
from glioseg.io.refuse import check_size, reading
from glioseg.scan import CHANNELS, LESION, Scan, Segmentation, Storage
from glioseg.words import Phrase

THREADS = 4
"""Files that are read at a time."""

_Array = TypeVar("_Array", bound=npt.NDArray[Any])


def read(path: Path, id: str) -> Scan:
    """Read the slices of one scan in a folder; files named ``..._mask`` are left aside.

    Raises:
        InputError: there is no image, there are several scans, numbers occur twice or are missing from
            the names, or slices cannot be read or differ in size or kind.
    """
    return read_slices(*_images(path), id=id)


def read_segmentation(
    path: Path, like: Scan | Segmentation | None, labels: Mapping[int, str] | None
) -> Segmentation:
    """Read the ``<slice>_mask`` files of a folder.

    With ``like``, a scan read from slices, each mask is found by the name of its slice. Without, the folder's
    own images give the grid, or the masks themselves when there are none.

    Raises:
        InputError: a slice has no mask, a mask no slice, or a mask cannot be read.
    """
    decode = partial(read_label_pages, labels=labels)
    masks = {slice_of_mask(file): file for file in _files(path, masks=True)}
    if not masks:
        raise InputError(Fault("slices.no_masks", path))
    id = path.name
    if like is None:
        if _files(path, masks=False):
            like = read(path, id)
        else:
            files, numbers = in_order(path, list(masks.values()), slice_of_mask)
            voxels = _stacked(files, decode, "mask", None, THREADS)
            own = Storage("slices", files)
            return segmentation_of(voxels, Grid(voxels.shape, slice_numbers=numbers), own, id, labels)
    if len(like.storage.files) != like.grid.shape[0]:
        raise InputError(Fault("slices.mask_of_other_kind", path))
    wanted = {stem_of(file).casefold(): file for file in like.storage.files}
    faults = [
        Fault("slices.slice_without_mask", path / (stem_of(file) + "_mask"))
        for key, file in wanted.items()
        if key not in masks
    ]
    faults += [Fault("slices.mask_without_slice", file) for key, file in masks.items() if key not in wanted]
    raise_all(faults)
    in_turn = [masks[key] for key in wanted]
    voxels = _stacked(in_turn, decode, "mask", like.grid.shape[1:], THREADS)
    return segmentation_of(voxels, like, like.storage, id, labels)


def write_segmentation(segmentation: Segmentation, folder: Path, name: str) -> list[Path]:
    """Write ``folder/name/<slice>_mask.tif`` (or ``.png``) for each slice, uint8; lesion or not as 0 and 255.

    When one of them cannot be written, none of them stays.
    """
    from glioseg.io.image import write_picture

    grid, files = segmentation.grid, segmentation.storage.files
    if len(files) == grid.shape[0]:
        names = [(stem_of(file), suffix_of(file)) for file in files]
    else:
        names = [(f"{name}_{number}", ".tif") for number in grid.slice_numbers]
    written: list[Path] = []
    try:
        for (stem, suffix), page in zip(names, stored_as_image(segmentation), strict=True):
            written.append(write_picture(folder / name / f"{stem}_mask", suffix, page[None]))
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return written


def read_slices(
    files: Sequence[Path], slice_numbers: Sequence[int], *, id: str, threads: int = THREADS
) -> Scan:
    """Read slices that are already in order.

    Args:
        files: one file a slice.
        slice_numbers: the number of each.
        id: name of the scan.
        threads: how many files are read at a time.

    Returns:
        A scan with the channel ``flair`` (grey files) or all of :data:`glioseg.scan.CHANNELS` (RGB files).

    Raises:
        InputError: slices cannot be read or differ in size, mode or bit depth; all faults at once.
    """
    stacked = _stacked(files, read_pages, "image", None, threads)
    voxels, notes = made_finite(files[0].parent, stacked)
    if missing(slice_numbers):
        notes = (*notes, "missing_slices")
    channels = CHANNELS if voxels.shape[3] == 3 else ("flair",)
    shape = (voxels.shape[0], voxels.shape[1], voxels.shape[2])
    grid = Grid(shape, slice_numbers=tuple(slice_numbers))
    return Scan(voxels, grid, id, channels, storage=Storage("slices", tuple(files)), notes=notes)


def read_slice_masks(
    files: Sequence[Path], scan: Scan, id: str, labels: Mapping[int, str] | None = LESION
) -> Segmentation:
    """Read the mask of each slice of a scan; ``files`` are in the order of its slices.

    Raises:
        InputError: masks cannot be read, or have another size than the slices; all faults at once.
    """
    voxels = read_masks_alone(files, scan.grid.shape[1:], labels=labels)
    return segmentation_of(voxels, scan, scan.storage, id, labels)


def read_masks_alone(
    files: Sequence[Path],
    size: tuple[int, ...] | None = None,
    *,
    threads: int = THREADS,
    labels: Mapping[int, str] | None = LESION,
) -> npt.NDArray[np.uint8]:
    """Read masks as labels ``(files, height, width)``; without ``size``, the size of most is expected.

    Args:
        files: one mask a slice.
        size: height and width.
        threads: files read at a time.
        labels: those that there may be besides 0; see :func:`glioseg.io.labels.labels_of`.

    Raises:
        InputError: masks cannot be read, or differ in size; all faults at once.
    """
    return _stacked(files, partial(read_label_pages, labels=labels), "mask", size, threads)


def _stacked(
    files: Sequence[Path],
    decode: Callable[[Path], _Array],
    what: str,
    size: tuple[int, ...] | None,
    threads: int,
) -> _Array:
    """Decode one-page files into one array; the size and kind of most of them (or ``size``) is expected."""
    stack = _Stack(files)

    def put(place: int) -> _Kind:
        return stack.put(place, decode(files[place]))

    found = _each(range(len(files)), put, threads)
    faults = [fault for result in found if isinstance(result, InputError) for fault in result.faults]
    slices = [
        (file, kind) for file, kind in zip(files, found, strict=True) if not isinstance(kind, InputError)
    ]
    faults += [Fault("slices.pages", file, count=kind.pages) for file, kind in slices if kind.pages != 1]
    kinds = Counter((kind.shape, kind.dtype) for _, kind in slices)
    if kinds:
        shape, dtype = kinds.most_common(1)[0][0]
        shape = (*(size or shape[:2]), *shape[2:])
        for file, kind in slices:
            if kind.shape != shape or (what == "image" and kind.dtype != dtype):
                code = "slices.slice_of_other_kind"
                if what == "mask":
                    code = "slices.mask_of_other_size" if size else "slices.masks_of_other_size"
                said = {"kind": _kind(shape, dtype), "own": _kind(kind.shape, kind.dtype)}
                faults.append(Fault(code, file, **said))
    raise_all(faults)
    return stack.whole()  # type: ignore[return-value]


class _Kind(NamedTuple):
    """What a slice is, beside its values."""

    pages: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class _Stack:
    """Slices in one array, each put into its place as soon as it is decoded: no scan is held twice.

    The first one says how large they are. One of another kind is left out, for that is a fault.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._files, self._lock = files, Lock()
        self._voxels: npt.NDArray[Any] | None = None
        self._refused: InputError | None = None

    def put(self, place: int, pages: npt.NDArray[Any]) -> _Kind:
        with self._lock:
            if self._voxels is None and self._refused is None:
                self._make(pages)
        if self._voxels is not None and self._voxels[:1].shape == pages.shape:
            self._voxels[place] = pages[0]
        return _Kind(len(pages), pages.shape[1:], pages.dtype)

    def _make(self, pages: npt.NDArray[Any]) -> None:
        channels = pages.shape[3] if pages.ndim == 4 else 1
        try:
            check_size(self._files[0].parent, (len(self._files), *pages.shape[1:3], channels))
        except InputError as error:
            self._refused = error
            return
        self._voxels = np.empty((len(self._files), *pages.shape[1:]), pages.dtype)

    def whole(self) -> npt.NDArray[Any]:
        """All slices, once it is known that they are of one kind."""
        if self._refused is not None:
            raise self._refused
        assert self._voxels is not None
        return self._voxels


def _kind(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    size = f"{shape[1]} x {shape[0]}"
    if len(shape) == 2:
        return size
    return Phrase("slices.rgb" if shape[2] == 3 else "slices.grey", size=size, type=dtype)


def _each(places: Sequence[int], decode: Callable[[int], _Kind], threads: int) -> list[_Kind | InputError]:
    def attempt(place: int) -> _Kind | InputError:
        try:
            return decode(place)
        except InputError as error:
            return error

    if len(places) < 8 or threads < 2:
        return [attempt(place) for place in places]
    # Threads hide the latency of disks and networks, and Pillow and zlib decode outside the lock.
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(attempt, places))


def _files(folder: Path, *, masks: bool) -> list[Path]:
    with reading(folder):
        entries = sorted(folder.iterdir())
    return [file for file in entries if is_picture(file) and not is_hidden(file) and is_mask(file) == masks]


def _images(folder: Path) -> tuple[tuple[Path, ...], tuple[int, ...]]:
    files = _files(folder, masks=False)
    if not files:
        masks = len(_files(folder, masks=True))
        raise InputError(
            Fault("slices.only_masks", folder, count=masks) if masks else Fault("slices.no_slices", folder)
        )
    return in_order(folder, files)


def in_order(
    folder: Path, files: list[Path], stem: Callable[[Path], str] = stem_of
) -> tuple[tuple[Path, ...], tuple[int, ...]]:
    """Sort slices by the numbers in their stems, see :func:`glioseg.io.numbering.numbered`.

    Returns:
        The files in order, and their numbers; places with a sign or a fraction are numbered from 1.

    Raises:
        InputError: a name has no number, a number occurs twice, or the names are those of several scans.
    """
    if len(files) == 1:
        number = split_number(stem(files[0]))[1]
        return tuple(files), (1 if number is None else number,)
    read = numbered([stem(file) for file in files])
    named = [(scan, number, file) for (scan, number), file in zip(read, files, strict=True)]
    scans = sorted({scan for scan, number, _ in named if number is not None})
    faults = [Fault("slices.no_number", file, name=file.name) for _, number, file in named if number is None]
    if len(scans) > 1:
        faults.append(Fault("slices.several_scans", folder, count=len(scans), names=listed(scans)))
    else:
        times = Counter(number for _, number, _ in named if number is not None)
        for place in sorted(n for n, count in times.items() if count > 1):
            twice = listed(file.name for _, other, file in named if other == place)
            faults.append(Fault("slices.number_twice", folder, number=place, files=twice))
    raise_all(faults)
    ordered = sorted((number or 0, file) for _, number, file in named)
    numbers = tuple(place for place, _ in ordered if isinstance(place, int) and place >= 0)
    if len(numbers) < len(ordered):
        numbers = tuple(range(1, len(ordered) + 1))
    return tuple(file for _, file in ordered), numbers


def told_by_names(files: Sequence[Path], read: Sequence[Numbered]) -> Phrase | None:
    """What a person should know of the order of slices: what is missing, or that names are read with care.

    Args:
        files: in order.
        read: what :func:`glioseg.io.numbering.numbered` makes of their names.
    """
    gaps = missing(number for _, number in read if number is not None)
    span = {"first": files[0].name, "last": files[-1].name}
    if gaps:
        names = listed(gaps, 5)
        return Phrase("slices.missing", count=len(files), missing=names, **span)
    plain = all(split_number(stem_of(files[end])) == read[end] for end in (0, -1))
    return None if plain else Phrase("slices.order", count=len(files), **span)
