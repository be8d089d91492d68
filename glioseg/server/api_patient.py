"""The route that tells what the files of a scan say of the patient, on the machine that serves alone."""

from __future__ import annotations

import re
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from glioseg.errors import Fault
from glioseg.server.api import OneEntry
from glioseg.server.faults import Refused
from glioseg.server.packing import is_here
from glioseg.server.scans import Entry
from glioseg.server.schemas import NO_SCAN, REFUSALS

router = APIRouter(prefix="/api", responses=REFUSALS)


class Patient(BaseModel):
    """What the files of a scan say of the patient; everything may be empty."""

    name: str = Field(description="PatientName of DICOM")
    id: str = Field(description="PatientID of DICOM")
    birth_year: str = Field(description="of PatientBirthDate of DICOM; the day is left out")
    sex: str = Field(description="PatientSex of DICOM: M, F or O")
    study_date: str = Field(description="StudyDate of DICOM, as year-month-day")
    study: str = Field(description="StudyDescription of DICOM")
    description: str = Field(description="of a NIfTI file, what its header says")
    folder: str = Field(description="name of the folder that the files lie in, if they came in one")


@router.get("/scans/{id}/patient", responses=NO_SCAN)
def patient(request: Request, entry: OneEntry) -> Patient:
    """What the files of a scan say of the patient; told on the machine that serves, refused elsewhere (403).

    It is read from the scan that is held and stands in no other reply, in no file of results and in no log.
    """
    if not is_here(request.scope):
        raise Refused(403, Fault("server.patient_elsewhere", ""))
    return patient_of(entry)


def patient_of(entry: Entry) -> Patient:
    """What the files of an entry say of the patient."""
    storage = entry.scan.storage
    said = dict.fromkeys(Patient.model_fields, "")
    if storage.format == "dicom" and storage.header is not None:
        said |= _of_dicom(storage.header.first.about)
    if storage.format == "nifti" and storage.header is not None:
        said["description"] = _plain(bytes(storage.header["descrip"]).decode("latin-1"))
    if storage.files:
        folder = storage.files[0].parent
        said["folder"] = "" if folder == entry.folder else folder.name
        if folder.parent == entry.folder:  # what a zip holds lies in a folder that is named after it
            said["folder"] = folder.name.removeprefix("in ")
    return Patient(**said)


def _of_dicom(about: Any) -> dict[str, str]:
    from glioseg.io.dicom.anonymise import about_patient

    said = about_patient(about, anonymise=False)
    text = {keyword: _plain(said.get(keyword, "")) for keyword in KEYWORDS}
    date = re.fullmatch(r"(\d{4})(\d\d)(\d\d)", text["StudyDate"])
    born = re.match(r"\d{4}", text["PatientBirthDate"])
    # A name has up to five parts, in up to three ways of writing it: letters, characters, sounds.
    names = (" ".join(filter(None, part.split("^"))) for part in text["PatientName"].split("="))
    return {
        "name": " = ".join(filter(None, names)),
        "id": text["PatientID"],
        "birth_year": born.group() if born else "",
        "sex": text["PatientSex"] if text["PatientSex"] in ("M", "F", "O") else "",
        "study_date": "-".join(date.groups()) if date else "",
        "study": text["StudyDescription"],
    }


KEYWORDS = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyDescription")


def _plain(text: str) -> str:
    """The text without what cannot be printed, and not longer than a line."""
    return "".join(sign for sign in text if sign.isprintable()).strip()[:128]
