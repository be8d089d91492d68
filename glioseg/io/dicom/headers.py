"""Headers of DICOM files, one :class:`DicomImage` an image, refused where they promise what no scan has."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from glioseg.errors import Fault, InputError
from glioseg.io.dicom.anonymise import KEPT
from glioseg.io.dicom.opening import damaged, open_header, silenced
from glioseg.io.refuse import check_size
from glioseg.words import Phrase

IMAGES = {
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "enhanced MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "legacy converted enhanced MR",
    # Programs that convert MR write these; those without a place in the patient are refused for that.
    "1.2.840.10008.5.1.4.1.1.7": "secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.2": "multi-frame grey secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.3": "multi-frame grey secondary capture",
}
"""SOP classes that are read as images."""

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""SOP classes of SEG, and of SEG that holds labels."""

COLOURS = {"1.2.840.10008.5.1.4.1.1.4.3", "1.2.840.10008.5.1.4.1.1.7.4"}

_NATIVE = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2")

_KEYWORDS = [
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "Modality",
    "SeriesNumber",
    "SeriesDescription",
    "ProtocolName",
    "SequenceName",
    "ScanningSequence",
    "SequenceVariant",
    "ImageType",
    "AngioFlag",
    "RepetitionTime",
    "EchoTime",
    "InversionTime",
    "ContrastBolusAgent",
    "EchoNumbers",
    "TemporalPositionIdentifier",
    "DiffusionBValue",
    "AcquisitionNumber",
    "TriggerTime",
    "InstanceNumber",
    "Rows",
    "Columns",
    "NumberOfFrames",
    "SamplesPerPixel",
    "BitsAllocated",
    "PhotometricInterpretation",
    "PixelSpacing",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "SliceThickness",
    "SpacingBetweenSlices",
    "RescaleSlope",
    "RescaleIntercept",
    "PatientName",
    "PatientID",
    "SharedFunctionalGroupsSequence",
    "PerFrameFunctionalGroupsSequence",
]


@dataclass(frozen=True, kw_only=True)
class DicomImage:
    """One image of a file, in plain values; lengths in mm, times in ms, ``None`` for what is not said.

    Attributes:
        file: where it is.
        index: its place in the file, from 0.
        frames: how many there are in the file.
        instance, sop_class, study, series, frame_of_reference: UIDs, ``""`` where there is none.
        patient: PatientID, or the name where there is none; never shown.
        number: of the series.
        description, protocol: what people wrote about the series; never shown, it may hold a name.
        shown: of that, what may be shown: without the words of the patient's name and id.
        scanning: words of ScanningSequence, SequenceName and ImageType.
        derived: whether ImageType says that it is not an original image.
        modality: ``MR`` and so on.
        rows, columns: size.
        position: of the first pixel's centre in the patient (left, posterior, superior).
        orientation: direction of a row and of a column.
        spacing: between rows and between columns.
        thickness, between: of the slice, and from slice to slice.
        repetition, echo, inversion: TR, TE, TI.
        contrast: whether a contrast agent is named.
        angiography, diffusion: whether the header says so.
        slope, intercept: from stored values to those meant.
        inverted: whether the lowest value is white.
        marks: what may tell images at one position apart, by the name of the attribute.
        about: pydicom's dataset of what the file says of patient and study, for what is written.
    """

    file: Path
    index: int
    frames: int
    rows: int
    columns: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...] | None
    spacing: tuple[float, ...] | None
    thickness: float | None
    between: float | None
    instance: str
    sop_class: str = ""
    study: str = ""
    patient: str = field(default="", repr=False)
    series: str = ""
    frame_of_reference: str = ""
    number: int | None = None
    description: str = ""
    protocol: str = ""
    shown: str = ""
    scanning: frozenset[str] = frozenset()
    derived: bool = False
    modality: str = ""
    repetition: float | None = None
    echo: float | None = None
    inversion: float | None = None
    contrast: bool = False
    angiography: bool = False
    diffusion: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    inverted: bool = False
    marks: tuple[tuple[str, str], ...] = ()
    about: Any = field(default=None, repr=False, compare=False)


class Images(NamedTuple):
    """What a file holds.

    Attributes:
        frames: its images.
        kind: what it is instead when it holds none (``SEG``, ``SR``, ``CT`` ...).
        study: StudyInstanceUID.
        segmentation: whether it is a SEG.
    """

    frames: list[DicomImage]
    kind: str
    study: str = ""
    segmentation: bool = False


def read_frames(path: Path) -> Images:
    """Read the header of a file: its images, or what it is instead.

    Raises:
        InputError: the file is damaged, or promises a size that no scan has.
    """
    header = open_header(path, [*_KEYWORDS, *KEPT])
    try:
        with silenced():
            frames, kind = _frames(path, header)
            sop_class = text_of(header, "SOPClassUID")
            return Images(frames, kind, text_of(header, "StudyInstanceUID"), sop_class in SEGMENTATIONS)
    except InputError:
        raise
    except Exception as error:  # values that cannot be converted, sequences that end too early
        raise InputError(damaged(path)) from error


def _frames(path: Path, header: Any) -> tuple[list[DicomImage], str]:
    sop_class = text_of(header, "SOPClassUID") or str(header.file_meta.get("MediaStorageSOPClassUID", ""))
    modality = text_of(header, "Modality")
    if sop_class == "1.2.840.10008.1.3.10":
        return [], Phrase("dicom.directory")
    if not header.get("SOPClassUID"):  # cut before anything that matters
        raise InputError(damaged(path))
    if sop_class in COLOURS:
        return [], Phrase("dicom.colour")
    if "MOSAIC" in {str(word).upper() for word in _values(header, "ImageType")}:
        return [], Phrase("dicom.mosaic")
    if sop_class not in IMAGES or modality not in ("MR", "OT", ""):
        return [], modality or Phrase("dicom.no_image")
    count, rows, columns = (count_of(header, word) for word in ("NumberOfFrames", "Rows", "Columns"))
    samples = count_of(header, "SamplesPerPixel", 1)
    bits = count_of(header, "BitsAllocated", 16)
    if rows is None or columns is None:
        raise InputError(damaged(path))
    count = 1 if count is None else count
    size = os.stat(path).st_size
    native = _syntax(header) in _NATIVE
    room = size * 8 // max(1, bits or 16) if native else None
    check_size(path, (count, rows, columns, samples or 1), stored_bytes=room)
    photometric = text_of(header, "PhotometricInterpretation")
    if (samples or 1) > 1 or photometric not in ("MONOCHROME1", "MONOCHROME2", ""):
        return [], Phrase("dicom.colour")
    groups = header.get("PerFrameFunctionalGroupsSequence")
    if groups and len(groups) != count:
        raise InputError(Fault("dicom.places_of_frames", path, count=count, places=len(groups)))
    shared = (header.get("SharedFunctionalGroupsSequence") or [None])[0]
    common = _common(path, header, sop_class, modality, count, rows, columns, photometric)
    common["about"] = _about(header)
    return [
        DicomImage(**common, **_own(header, shared, groups[index] if groups else None, index))
        for index in range(count)
    ], ""


def _about(header: Any) -> Any:
    """What the header says of patient and study, as it stands there: not every value need be sound."""
    from pydicom.dataset import Dataset
    from pydicom.tag import Tag

    about = Dataset()
    for keyword in KEPT:
        if keyword in header:
            element = header.get_item(keyword)
            about[Tag(keyword)] = element
    about.set_original_encoding(
        header.original_encoding[0], header.original_encoding[1], header.original_character_set
    )
    return about


def _common(
    path: Path,
    header: Any,
    sop_class: str,
    modality: str,
    count: int,
    rows: int,
    columns: int,
    photometric: str,
) -> dict[str, Any]:
    """What is the same for all frames of a file."""
    description, protocol = text_of(header, "SeriesDescription"), text_of(header, "ProtocolName")
    shown = re.sub(r"[^\w .,;:+*/()&<>=#%-]", " ", description or protocol)
    for word in _words(f"{header.get('PatientName') or ''} {header.get('PatientID') or ''}"):
        if len(word) > 2:
            shown = re.sub(re.escape(word), "", shown, flags=re.IGNORECASE)
    image_type = [str(word).upper() for word in _values(header, "ImageType")]
    scanning = {word for name in ("ScanningSequence", "SequenceName") for word in _values(header, name)}
    number, agent = number_of(header, "SeriesNumber"), text_of(header, "ContrastBolusAgent")
    return {
        "file": path,
        "frames": count,
        "instance": text_of(header, "SOPInstanceUID"),
        "sop_class": sop_class,
        "study": text_of(header, "StudyInstanceUID"),
        "patient": text_of(header, "PatientID") or text_of(header, "PatientName"),
        "series": text_of(header, "SeriesInstanceUID"),
        "frame_of_reference": text_of(header, "FrameOfReferenceUID"),
        "number": None if number is None else int(number),
        "description": description,
        "protocol": protocol,
        "shown": shown.strip()[:64],
        "scanning": frozenset({str(word).upper() for word in scanning} | set(image_type)),
        "derived": bool(image_type) and image_type[0] == "DERIVED",
        "modality": modality,
        "rows": rows,
        "columns": columns,
        "contrast": bool(agent) and not re.match(r"\W*(no|none|without|n/?a)\b|\W*$", agent, re.IGNORECASE),
        "angiography": text_of(header, "AngioFlag").upper() == "Y",
        "inverted": photometric == "MONOCHROME1",
    }


def _own(header: Any, shared: Any, own: Any, index: int) -> dict[str, Any]:
    """What each frame of a file has of its own; single-frame files have it in the header itself."""

    def group(name: str) -> Any:
        for holder in (own, shared):
            found = holder.get(name) if holder is not None else None
            if found:
                return found[0]
        return header if own is None and shared is None else {}

    measures, timing = group("PixelMeasuresSequence"), group("MRTimingAndRelatedParametersSequence")
    content, values = group("FrameContentSequence"), group("PixelValueTransformationSequence")
    echo, modifier = group("MREchoSequence"), group("MRModifierSequence")
    diffusion = number_of(group("MRDiffusionSequence"), "DiffusionBValue")
    inversions = _values(modifier, "InversionTimes") or _values(header, "InversionTime")
    slope = number_of(values, "RescaleSlope")
    marks = {
        "EchoNumbers": text_of(header, "EchoNumbers"),
        "EchoTime": text_of(echo, "EffectiveEchoTime") or text_of(header, "EchoTime"),
        "InversionTime": " ".join(map(str, inversions)),
        "TemporalPositionIdentifier": text_of(content, "TemporalPositionIndex")
        or text_of(header, "TemporalPositionIdentifier"),
        "DiffusionBValue": "" if diffusion is None else f"{diffusion:g}",
        "StackID": text_of(content, "StackID"),
        "ImageType": "\\".join(map(str, _values(header, "ImageType"))),
        "AcquisitionNumber": text_of(header, "AcquisitionNumber"),
        "TriggerTime": text_of(header, "TriggerTime"),
    }
    return {
        "index": index,
        "position": numbers_of(group("PlanePositionSequence"), "ImagePositionPatient", 3),
        "orientation": numbers_of(group("PlaneOrientationSequence"), "ImageOrientationPatient", 6),
        "spacing": numbers_of(measures, "PixelSpacing", 2),
        "thickness": number_of(measures, "SliceThickness"),
        "between": number_of(measures, "SpacingBetweenSlices"),
        "repetition": number_of(timing, "RepetitionTime"),
        "echo": number_of(echo, "EffectiveEchoTime") or number_of(header, "EchoTime"),
        "inversion": _float(inversions[0]) if inversions else None,
        "diffusion": bool(diffusion),
        "slope": 1.0 if slope is None else slope,
        "intercept": number_of(values, "RescaleIntercept") or 0.0,
        "marks": tuple(marks.items()),
    }


def _syntax(header: Any) -> str:
    return str(header.file_meta.get("TransferSyntaxUID", "")) if hasattr(header, "file_meta") else ""


def _values(holder: Any, keyword: str) -> list[Any]:
    value = holder.get(keyword)
    if value is None or value == "":
        return []
    return [value] if isinstance(value, (str, bytes)) or not hasattr(value, "__iter__") else list(value)


def text_of(holder: Any, keyword: str) -> str:
    """An attribute as text, ``""`` where it is missing."""
    values = _values(holder, keyword)
    return " ".join(str(value) for value in values).strip("\0 ")


def _float(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def number_of(holder: Any, keyword: str) -> float | None:
    """The first value of an attribute as a finite number, if it is one."""
    values = _values(holder, keyword)
    return _float(values[0]) if values else None


def numbers_of(holder: Any, keyword: str, length: int) -> tuple[float, ...] | None:
    """The values of an attribute, if there are ``length`` of them and all are finite numbers."""
    numbers = [_float(value) for value in _values(holder, keyword)]
    known = tuple(number for number in numbers if number is not None)
    return known if len(known) == len(numbers) == length else None


def count_of(holder: Any, keyword: str, default: int | None = None) -> int | None:
    """The first value of an attribute as a whole number."""
    number = number_of(holder, keyword)
    return default if number is None else int(number)


def _words(text: str) -> set[str]:
    return {word.casefold() for word in re.findall(r"\w+", text.replace("^", " ").replace("_", " "))}
