"""Write what was measured of a mask as a DICOM SR by template TID 1500, which refers to the mask's SEG.

Source: DICOM PS3.16, TID 1500 Measurement Report, TID 1411 Volumetric ROI Measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from glioseg._version import __version__
from glioseg.errors import Fault, InputError
from glioseg.files import written_whole
from glioseg.io.dicom.anonymise import Uids
from glioseg.io.dicom.detect import require_dicom
from glioseg.io.dicom.opening import open_whole, silenced
from glioseg.io.dicom.segmentation import is_segmentation

MR_BRAIN = ("24590-2", "LN", "MR Brain")
EXPECTED_DSC = ("expected_dsc", "99GLIOSEG", "Expected Dice similarity coefficient")
"""The standard has no code for it."""


@dataclass(frozen=True)
class MeasuredSegment:
    """What was measured of one segment.

    Attributes:
        number: of the segment in the SEG, from 1.
        volume: in mm3.
        long_axis, short_axis: longest diameter on one image and the extent at right angles to it, in mm;
            ``None`` for what is empty.
    """

    number: int
    volume: float
    long_axis: float | None = None
    short_axis: float | None = None


def write_measurements(
    segmentation: Path,
    measured: Sequence[MeasuredSegment],
    path: Path,
    expected_dice: float | None = None,
) -> Path:
    """Write the report. Equal measurements of an equal SEG give equal files.

    Patient, study and dates are those that the SEG has: of an anonymised one, none.

    Args:
        segmentation: a SEG that :func:`glioseg.io.dicom.segment.write_segments` wrote.
        measured: of each segment.
        path: the file.
        expected_dice: of the whole mask, where the model says one.

    Raises:
        InputError: it is no such SEG, or the file cannot be written.
    """
    require_dicom()
    if not is_segmentation(segmentation):
        raise InputError(Fault("dicom.no_seg", segmentation, kind="?"))
    with silenced():
        dataset = _report(open_whole(segmentation), measured, expected_dice)
        with written_whole(path) as part:
            dataset.save_as(part, enforce_file_format=True)
    return path


def _report(seg: Any, measured: Sequence[MeasuredSegment], expected_dice: float | None) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    uids = Uids(False)
    seed = (str(seg.SOPInstanceUID), *map(str, measured), str(expected_dice))
    device = sr.DeviceObserverIdentifyingAttributes(
        uid=uids.made_of("device", __version__), name="glioseg", manufacturer_name="glioseg"
    )
    observer = sr.ObserverContext(codes.DCM.Device, device)
    content = sr.MeasurementReport(
        observation_context=sr.ObservationContext(observer_device_context=observer),
        procedure_reported=sr.CodedConcept(*MR_BRAIN),
        imaging_measurements=[_group(seg, each, expected_dice, uids.made_of(*seed)) for each in measured],
        title=codes.DCM.ImagingMeasurementReport,
    )
    dataset = sr.Comprehensive3DSR(
        evidence=[seg, *_images(seg)],
        content=content,
        series_instance_uid=uids.made_of("series", *seed),
        series_number=min(int(seg.SeriesNumber) + 1, 9999),
        sop_instance_uid=uids.made_of("instance", *seed),
        instance_number=1,
        manufacturer="glioseg",
        is_complete=True,
        series_description="glioseg lesion measurements",
    )
    # The time of the SEG and not now.
    for kind in ("Date", "Time"):
        for keyword in (f"Content{kind}", f"InstanceCreation{kind}", f"Series{kind}"):
            if keyword in dataset:
                setattr(dataset, keyword, seg.get(f"Content{kind}"))
    return dataset


def _images(seg: Any) -> list[Any]:
    """The images that a SEG refers to, with as much of each as a reference needs."""
    from pydicom.dataset import Dataset

    images = []
    for series in seg.ReferencedSeriesSequence:
        for referred in series.ReferencedInstanceSequence:
            image = Dataset()
            image.StudyInstanceUID, image.SeriesInstanceUID = seg.StudyInstanceUID, series.SeriesInstanceUID
            image.SOPClassUID = referred.ReferencedSOPClassUID
            image.SOPInstanceUID = referred.ReferencedSOPInstanceUID
            images.append(image)
    return images


def _group(seg: Any, each: MeasuredSegment, expected_dice: float | None, uid: str) -> Any:
    from highdicom import sr
    from pydicom.sr.codedict import codes

    made = [sr.Measurement(codes.SCT.Volume, each.volume, codes.UCUM.CubicMillimeter)]
    axes = {codes.SCT.LongAxis: each.long_axis, codes.SCT.ShortAxis: each.short_axis}
    made += [
        sr.Measurement(name, length, codes.UCUM.Millimeter)
        for name, length in axes.items()
        if length is not None
    ]
    if expected_dice is not None:
        made.append(sr.Measurement(sr.CodedConcept(*EXPECTED_DSC), expected_dice, codes.UCUM.NoUnits))
    title = str(seg.SegmentSequence[each.number - 1].SegmentLabel)
    return sr.VolumetricROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=sr.TrackingIdentifier(uid=Uids(False).made_of(uid, title), identifier=title),
        referenced_segment=sr.ReferencedSegment.from_segmentation(seg, each.number),
        finding_type=codes.SCT.Lesion,
        algorithm_id=sr.AlgorithmIdentification("glioseg", __version__),
        finding_sites=[sr.FindingSite(codes.SCT.Brain)],
        measurements=made,
    )
