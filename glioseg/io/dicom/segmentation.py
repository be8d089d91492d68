"""Read DICOM SEG: each frame goes where its own place in the patient says, whatever the order of frames.

Programs order the frames of a SEG differently, and leave empty ones out.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.grid import SAME_GRID, Grid
from glioseg.io.dicom.detect import dicom_files
from glioseg.io.dicom.headers import SEGMENTATIONS, DicomImage, count_of, number_of, numbers_of, text_of
from glioseg.io.dicom.opening import damaged, open_header, open_whole, silenced
from glioseg.io.dicom.series import SAME_PLACE, Series, normal
from glioseg.io.dicom.volume import series_grid, show
from glioseg.io.refuse import check_size
from glioseg.words import Phrase


def read_segments(path: Path, like: Grid | None) -> tuple[npt.NDArray[np.uint8], Grid]:
    """Read the segments of a SEG as labels.

    Args:
        path: the file, or a folder that holds one SEG.
        like: the grid that they must lie on.

    Returns:
        uint8 ``(slices, height, width)`` as presented, on ``like`` or else on the SEG's own grid. A segment
        called ``label 7`` or ``label 7: oedema`` has the value 7, any other its number.

    Raises:
        InputError: it is no SEG, damaged, of probabilities, overlapping, or does not lie on ``like``.
    """
    path = _only_file(path)
    header = open_whole(path)
    if str(header.get("SOPClassUID", "")) not in SEGMENTATIONS:
        kind = str(header.get("Modality", "")) or Phrase("dicom.other_object")
        raise InputError(Fault("dicom.no_seg", path, kind=kind))
    try:
        with silenced():
            frames, values, labelled = _frames(path, header)
            stored = _pixels(path, header, frames)
    except InputError:
        raise
    except Exception as error:  # pydicom raises whatever damaged bytes lead to
        raise InputError(damaged(path)) from error
    series, places = _stack(path, frames)
    voxels = np.zeros((len(series.frames), frames[0].rows, frames[0].columns), np.uint8)
    for plane, value, place in zip(stored, values, places, strict=True):
        target, lesion = voxels[place], plane != 0
        if target[lesion].any():
            raise InputError(Fault("dicom.overlapping_segments", path))
        target[lesion] = plane[lesion] if labelled else value
    return _on(path, voxels, series, like)


def is_segmentation(path: Path) -> bool:
    """Whether a DICOM file is a SEG. One that cannot be read is not."""
    try:
        return str(open_header(path, ["SOPClassUID"]).get("SOPClassUID", "")) in SEGMENTATIONS
    except InputError:
        return False


def _only_file(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = [file for file in dicom_files(path) if is_segmentation(file)]
    if len(found) != 1:
        raise InputError(Fault("dicom.several_segs", path, count=len(found)))
    return found[0]


def _frames(path: Path, header: Any) -> tuple[list[DicomImage], list[int], bool]:
    """Frames with their places, the value of each, and whether the pixels themselves are the labels."""
    kind = text_of(header, "SegmentationType")
    if kind not in ("BINARY", "LABELMAP"):
        raise InputError(Fault("dicom.seg_kind", path, kind=kind.lower() or Phrase("dicom.no_kind")))
    count = count_of(header, "NumberOfFrames", 1) or 0
    rows, columns = count_of(header, "Rows", 0) or 0, count_of(header, "Columns", 0) or 0
    bits = max(1, count_of(header, "BitsAllocated", 1) or 1)
    # Frames of several segments share a place, hence the bound on values and not on slices.
    check_size(path, (1, rows, columns, max(count, 0)))
    if not header.file_meta.TransferSyntaxUID.is_compressed:
        check_size(path, (1, rows, columns, count), stored_bytes=path.stat().st_size * 8 // bits)
    groups = header.get("PerFrameFunctionalGroupsSequence") or []
    if len(groups) != count:
        raise InputError(Fault("dicom.places_of_frames", path, count=count, places=len(groups)))
    shared = (header.get("SharedFunctionalGroupsSequence") or [{}])[0]
    titles = {
        int(segment.SegmentNumber): str(segment.get("SegmentLabel", ""))
        for segment in header.get("SegmentSequence") or []
    }
    labelled = kind == "LABELMAP"
    frames, values = [], []
    for index, own in enumerate(groups):

        def group(name: str, own: Any = own) -> Any:
            found = own.get(name) or shared.get(name)
            return found[0] if found else {}

        frames.append(
            DicomImage(
                file=path,
                index=index,
                frames=count,
                instance=f"frame {index}",
                rows=rows,
                columns=columns,
                position=numbers_of(group("PlanePositionSequence"), "ImagePositionPatient", 3),
                orientation=numbers_of(group("PlaneOrientationSequence"), "ImageOrientationPatient", 6),
                spacing=numbers_of(group("PixelMeasuresSequence"), "PixelSpacing", 2),
                thickness=number_of(group("PixelMeasuresSequence"), "SliceThickness"),
                between=number_of(group("PixelMeasuresSequence"), "SpacingBetweenSlices"),
            )
        )
        number = 1 if labelled else int(group("SegmentIdentificationSequence").ReferencedSegmentNumber)
        said = re.fullmatch(r"label (\d+)(: .*)?", titles.get(number, ""))
        values.append(int(said[1]) if said else number)
    if max(values) > 255:
        raise InputError(Fault("dicom.large_label", path, label=max(values)))
    return frames, values, labelled


def _pixels(path: Path, header: Any, frames: list[DicomImage]) -> npt.NDArray[Any]:
    pixels = np.asarray(header.pixel_array)
    shape = (len(frames), frames[0].rows, frames[0].columns)
    if pixels.size != int(np.prod(shape)) or pixels.dtype.kind not in "iu" or pixels.max() > 255:
        raise InputError(damaged(path))
    return pixels.reshape(shape)


def _stack(path: Path, frames: list[DicomImage]) -> tuple[Series, list[int]]:
    """The stack of slices that the frames lie on, gaps filled, and the slice of each frame.

    highdicom's ``Segmentation.get_volume`` refuses masks of scans that are read here, with directions rounded
    to three decimals, and puts stacks that lean away from their normal upright: 0.6 mm off at the middle of
    30 mm that lean by 4 %.
    """
    series = Series(tuple(frames))
    if not series.placed:
        raise InputError(Fault("dicom.seg_without_place", path))
    if any(
        np.abs(np.subtract(frame.orientation or (), frames[0].orientation or ())).max() > 0.001
        for frame in frames
    ):
        raise InputError(Fault("dicom.seg_orientations", path))
    depths = np.array([frame.position for frame in frames]) @ normal(frames[0])
    order = np.argsort(depths, kind="stable")
    ends = np.diff(depths[order])
    steps = ends[ends > SAME_PLACE]
    first, last = frames[order[0]], frames[order[-1]]
    if steps.size == 0:
        return Series((first,)), [0] * len(frames)
    heights = depths - depths[order[0]]
    # The header's own step first: frames may be left out, and an uneven stack is even on its mean alone.
    between = abs(frames[0].between or 0.0)
    candidates = [between] if between and (np.rint(steps / between) >= 1).all() else []
    for step in (*candidates, float(steps.min())):
        places = np.rint(heights / step).astype(int)
        if np.abs(heights - places * step).max() <= SAME_GRID * step + SAME_PLACE:
            break
    else:
        ends_of_steps = {"shortest": f"{steps.min():.2f}", "longest": f"{steps.max():.2f}"}
        raise InputError(Fault("dicom.seg_uneven", path, **ends_of_steps))
    count = int(places.max()) + 1
    check_size(path, (count, first.rows, first.columns, 1))
    ends_at = np.array([first.position, last.position])
    positions = [ends_at[0] + (ends_at[1] - ends_at[0]) * place / (count - 1) for place in range(count)]
    filled = tuple(replace(first, position=(float(at[0]), float(at[1]), float(at[2]))) for at in positions)
    return Series(filled), places.tolist()


def _on(
    path: Path, voxels: npt.NDArray[np.uint8], series: Series, like: Grid | None
) -> tuple[npt.NDArray[np.uint8], Grid]:
    if len(series.frames) == 1 and not np.linalg.norm(series.step) > 0:
        series = Series((replace(series.first, thickness=1.0),))
    grid = series_grid(series)
    presented = show(series, voxels)
    if like is None:
        return presented, grid
    if like.lies_on(grid):
        return presented, like
    refusal = Fault("io.mask_on_other_grid", path, grid=like.describe(), own=grid.describe(like))
    if like.affine is None or grid.affine is None:
        raise InputError(refusal)
    index = np.linalg.inv(like.affine) @ grid.affine
    lesion = np.argwhere(presented)
    there = lesion @ index[:3, :3].T + index[:3, 3]
    places = np.rint(there).astype(int)
    # Sizes of voxels are compared along two axes only if a single slice says nothing of its thickness.
    turned = np.abs(index[:3, :3])
    known = [axis for axis in range(3) if presented.shape[axis] > 1]
    fits = np.abs(turned[:, known] - np.rint(turned[:, known])).max(initial=0) < SAME_GRID
    inside = bool((places >= 0).all() and (places < np.array(like.shape)).all())
    if not fits or not inside or np.abs(there - places).max(initial=0) > SAME_GRID:
        raise InputError(refusal)
    result = np.zeros(like.shape, np.uint8)
    result[tuple(places.T)] = presented[tuple(lesion.T)]
    return result, like
