"""Write masks as DICOM SEG (binary), one frame an image of the series and segment, referring to each image.

A mask has the segment ``lesion``; labels have ``label <value>: <name>`` each, since segments are numbered
1, 2, 3 ... without gaps and values need not be.
"""

from __future__ import annotations

import hashlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np

from glioseg._version import __version__
from glioseg.errors import Fault, InputError
from glioseg.files import written_whole
from glioseg.io.dicom.anonymise import UNDATED, Uids, about_patient
from glioseg.io.dicom.detect import require_dicom
from glioseg.io.dicom.opening import silenced
from glioseg.io.dicom.series import Series
from glioseg.io.dicom.volume import put_back
from glioseg.scan import Origin, Segmentation

KINDS: dict[Origin, tuple[str, str]] = {
    "automatic": ("AUTOMATIC", "Lesion found by glioseg; not for clinical use"),
    "corrected": ("SEMIAUTOMATIC", "Lesion found by glioseg, corrected by hand; not for clinical use"),
    "given": ("MANUAL", "Lesion mask that came with the scan; not for clinical use"),
}
"""SegmentAlgorithmType and ContentDescription (at most 64 letters) by how a mask came about."""


def write_segments(segmentation: Segmentation, path: Path, *, anonymise: bool = False) -> Path:
    """Write a SEG. Equal masks of equal sources give equal files, unless they are anonymised.

    Args:
        segmentation: of a scan that was read from DICOM. Lesion or not gives the segment ``lesion``, others
            the segment ``label <value>: <name>`` for each value that occurs.
        path: the file.
        anonymise: leave the patient, dates and original UIDs out.

    Raises:
        InputError: the scan comes from elsewhere, or the file cannot be written.
    """
    require_dicom()
    series = segmentation.storage.header
    if not isinstance(series, Series):
        raise InputError(Fault("dicom.mask_of_other_kind", path))
    with silenced():
        dataset = _segmentation(segmentation, series, anonymise)
        with written_whole(path) as part:
            dataset.save_as(part, enforce_file_format=True)
    return path


def _titles(segmentation: Segmentation) -> dict[int, str]:
    """The label of the segment of each value; a SEG has at least one segment."""
    if segmentation.lesion_or_not:
        return dict(segmentation.labels)
    return {
        value: _title(value, segmentation.labels.get(value, ""))
        for value in segmentation.counts or segmentation.labels or (1,)
    }


def _title(value: int, name: str) -> str:
    """``label 2: oedema``, or ``label 2`` where the name says no more; at most 64 letters, as DICOM wants."""
    title = f"label {value}"
    return title if name in ("", str(value), title) else f"{title}: {name}".replace("\\", "/")[:64]


def _segmentation(segmentation: Segmentation, series: Series, anonymise: bool) -> Any:
    import highdicom
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes
    from pydicom.uid import ExplicitVRLittleEndian

    uids = Uids(anonymise)
    frames = series.frames
    titles = _titles(segmentation)
    stored = put_back(series, segmentation.voxels)
    numbered = np.zeros(stored.shape, np.uint8)
    for number, value in enumerate(titles, 1):
        numbered[stored == value] = number
    # Source images of one file stand in the order of the file, which need not be that of their places.
    in_file = sorted(range(len(frames)), key=lambda place: frames[place].index)
    single = all(frame.frames == 1 for frame in frames)
    pixels = numbered if single else numbered[in_file]
    content = hashlib.sha256(pixels.tobytes()).hexdigest()
    kind, said = KINDS[segmentation.origin]
    seed = (frames[0].instance, content, "\n".join(titles.values()), __version__, kind)
    algorithm = highdicom.AlgorithmIdentificationSequence(
        name="glioseg", version=__version__, family=codes.DCM.ArtificialIntelligence
    )
    descriptions = [
        SegmentDescription(
            segment_number=number,
            segment_label=title,
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Lesion,
            algorithm_type=kind,
            algorithm_identification=None if kind == "MANUAL" else algorithm,
        )
        for number, title in enumerate(titles.values(), 1)
    ]
    about = series.first.about
    date, time = UNDATED if anonymise else _date_and_time(about)
    dataset = highdicom.seg.Segmentation(
        source_images=_single(series, uids) if single else [_multi(series, uids)],
        pixel_array=pixels,
        segmentation_type="BINARY",
        segment_descriptions=descriptions,
        series_instance_uid=uids.made_of("series", *seed),
        series_number=9000 + max(0, min(series.first.number or 0, 9000)),
        sop_instance_uid=uids.made_of("instance", *seed),
        instance_number=1,
        manufacturer="glioseg",
        manufacturer_model_name="glioseg",
        software_versions=__version__,
        device_serial_number="none",
        content_label="LESION",
        content_description=said,
        series_description="glioseg lesion mask",
        transfer_syntax_uid=ExplicitVRLittleEndian,
        # Every image has its frame, so that the whole grid can be read from the SEG alone.
        omit_empty_frames=False,
        specific_character_set="ISO_IR 192",
        content_date=date,
        content_time=time,
    )
    # The study's own time and not now: equal masks give equal files.
    created = {"InstanceCreationDate": date, "InstanceCreationTime": time}
    organization = uids.made_of("dimensions", *seed)
    for item in (*dataset.DimensionOrganizationSequence, *dataset.DimensionIndexSequence):
        item.DimensionOrganizationUID = organization
    for item in dataset.get("ContributingEquipmentSequence", ()):
        item.pop("ContributionDateTime", None)
    # With one segment highdicom says it once for all frames; who refers to a segment looks at each frame.
    shared = dataset.SharedFunctionalGroupsSequence[0]
    if "SegmentIdentificationSequence" in shared:
        for own in dataset.PerFrameFunctionalGroupsSequence:
            own.SegmentIdentificationSequence = deepcopy(shared.SegmentIdentificationSequence)
        del shared.SegmentIdentificationSequence
    for keyword, text in {**created, **about_patient(about, anonymise)}.items():
        if keyword != "StudyInstanceUID":
            setattr(dataset, keyword, text)
    return dataset


def _date_and_time(about: Any) -> tuple[str, str]:
    from pydicom.valuerep import DA, TM

    for kind in ("Content", "Acquisition", "Series", "Study"):
        date = str(about.get(f"{kind}Date") or "")
        time = str(about.get(f"{kind}Time") or "")
        try:
            if DA(date) and TM(time):
                return date, time
        except (ValueError, TypeError):
            continue
    return UNDATED


def _single(series: Series, uids: Uids) -> list[Any]:
    """What a SEG needs to know of each image, and nothing of the patient; that is added at the end."""
    from pydicom.dataset import Dataset, FileMetaDataset

    images = []
    for frame in series.frames:
        image = Dataset()
        image.file_meta = FileMetaDataset()
        _identify(image, series, uids)
        image.SOPClassUID, image.SOPInstanceUID = frame.sop_class, uids.of(frame.instance)
        image.Rows, image.Columns = frame.rows, frame.columns
        image.ImagePositionPatient = [_decimal(value) for value in frame.position or ()]
        image.ImageOrientationPatient = [_decimal(value) for value in series.first.orientation or ()]
        image.PixelSpacing = [_decimal(value) for value in series.first.spacing or ()]
        step = _decimal(float(np.linalg.norm(series.step)))
        image.SliceThickness = _decimal(abs(frame.thickness)) if frame.thickness else step
        image.SpacingBetweenSlices = step
        images.append(image)
    return images


def _multi(series: Series, uids: Uids) -> Any:
    """The header of a file of many frames, without what it says of the patient."""
    from pydicom.dataset import Dataset, FileMetaDataset

    first = series.first
    image = Dataset()
    image.file_meta = FileMetaDataset()
    _identify(image, series, uids)
    image.SOPClassUID, image.SOPInstanceUID = first.sop_class, uids.of(first.instance)
    image.Rows, image.Columns, image.NumberOfFrames = first.rows, first.columns, first.frames
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    step = _decimal(float(np.linalg.norm(series.step)))
    measures.PixelSpacing = [_decimal(value) for value in first.spacing or ()]
    measures.SliceThickness = _decimal(abs(first.thickness)) if first.thickness else step
    measures.SpacingBetweenSlices = step
    orientation.ImageOrientationPatient = [_decimal(value) for value in first.orientation or ()]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    image.SharedFunctionalGroupsSequence = [shared]
    own = []
    for frame in sorted(series.frames, key=lambda frame: frame.index):
        group, place = Dataset(), Dataset()
        place.ImagePositionPatient = [_decimal(value) for value in frame.position or ()]
        group.PlanePositionSequence = [place]
        own.append(group)
    image.PerFrameFunctionalGroupsSequence = own
    return image


def _identify(image: Any, series: Series, uids: Uids) -> None:
    first = series.first
    empty = (
        "PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime StudyID AccessionNumber "
        "ReferringPhysicianName"
    )
    for keyword in empty.split():
        setattr(image, keyword, "")
    image.Modality = first.modality or "MR"
    image.StudyInstanceUID = uids.of(first.study) if first.study else uids.made_of("study", first.instance)
    image.SeriesInstanceUID = (
        uids.of(first.series) if first.series else uids.made_of("no series", first.instance)
    )
    frame_of_reference = first.frame_of_reference
    image.FrameOfReferenceUID = (
        uids.of(frame_of_reference) if frame_of_reference else uids.made_of("place", first.instance)
    )


def _decimal(value: float) -> float | str:
    """A number as DICOM writes it, in at most 16 characters."""
    from pydicom.valuerep import format_number_as_ds

    text = repr(float(value))
    return text if len(text) <= 16 else format_number_as_ds(float(value))
