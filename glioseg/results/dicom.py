"""What was measured of a mask, beside its DICOM SEG."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from glioseg.io.dicom.measurements import MeasuredSegment, write_measurements
from glioseg.measure.size import lesions
from glioseg.scan import LESION, Segmentation


def report_measurements(mask: Segmentation, folder: Path, name: str, expected_dice: float | None) -> Path:
    """Write ``folder/<name>_measurements.dcm`` about ``folder/<name>_mask.dcm``.

    Args:
        mask: of a scan in DICOM, whose spacing is known.
        folder, name: of both files.
        expected_dice: of the mask, where the model says one.

    Raises:
        InputError: the file cannot be written.
    """
    values = list(mask.labels) if mask.lesion_or_not else list(mask.counts) or [1]
    measured = [_measured(mask, value, number) for number, value in enumerate(values, start=1)]
    path = folder / f"{name}_measurements.dcm"
    return write_measurements(folder / f"{name}_mask.dcm", measured, path, expected_dice)


def _measured(mask: Segmentation, value: int, number: int) -> MeasuredSegment:
    """One label of a mask; diameters are those of its lesion that has the longest."""
    one = replace(mask, voxels=(mask.voxels == value).astype("uint8"), labels=dict(LESION))
    found, _ = lesions(one)
    longest, across = max((each.diameters for each in found), default=(None, None))
    return MeasuredSegment(number, round(one.volume_mm3 or 0.0, 1), longest, across)
