"""What of a patient is written into a DICOM file: all that the source says, or nothing.

Source: DICOM PS3.15 Annex E, Basic Application Level Confidentiality Profile: of the attributes listed there
a SEG holds those of this module; UIDs are replaced (by 2.25.<UUID>, PS3.5 B.2), dates emptied where the
standard lets them be empty.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import Any

PATIENT = [
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
]
STUDY = [
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
]
DATES = tuple(f"{what}{kind}" for what in ("Content", "Acquisition", "Series") for kind in ("Date", "Time"))
KEPT = (*PATIENT, *STUDY, *DATES)
"""What of a source's header is kept for what is written."""

_REQUIRED = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)
UNDATED = ("19000101", "000000")
"""Date and time where the standard wants one and none may be told."""

_DECIMAL = r"(?=.{1,16}$)[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"

_FORMS = {
    "PatientBirthDate": r"\d{8}",
    "StudyDate": r"\d{8}",
    "StudyTime": r"\d{6}(\.\d{1,6})?",
    "PatientSex": r"[MFO]",
    "PatientSize": _DECIMAL,
    "PatientWeight": _DECIMAL,
}


def about_patient(header: Any, anonymise: bool) -> dict[str, Any]:
    """Attributes of patient and study, as a SEG repeats them, by keyword.

    Args:
        header: pydicom's dataset of the source.
        anonymise: leave everything empty but what the standard requires to be there.
    """
    kept: dict[str, Any] = dict.fromkeys(_REQUIRED, "")
    if anonymise:
        return {**kept, "PatientIdentityRemoved": "YES", "DeidentificationMethod": "glioseg --anonymise"}
    for keyword in (*PATIENT, *STUDY):
        value = header.get(keyword)
        text = "" if value is None else str(value)
        form = _FORMS.get(keyword)
        if form is not None and not re.fullmatch(form, text):
            text = ""  # what the standard does not allow would be refused by what reads the SEG
        if text:
            # Names as text: pydicom would otherwise write them in the source's own character set.
            kept[keyword] = text
    return kept


class Uids:
    """UIDs as a SEG writes them: those of the source, or fresh ones, the same for the same.

    Args:
        anonymise: whether to replace them. The replacements are random: nothing leads back.
    """

    def __init__(self, anonymise: bool) -> None:
        self._fresh: dict[str, str] | None = {} if anonymise else None

    def of(self, uid: str) -> str:
        """What to write for a UID of the source."""
        if self._fresh is None:
            return uid
        return self._fresh.setdefault(uid, f"2.25.{uuid.uuid4().int}")

    def made_of(self, *parts: str) -> str:
        """A UID of our own: by default the same for the same parts, so that equal masks are equal files."""
        text = "\n".join(parts)
        if self._fresh is not None:
            return self.of(text)
        digest = hashlib.sha256(text.encode()).digest()
        return f"2.25.{uuid.UUID(bytes=digest[:16], version=4).int}"
