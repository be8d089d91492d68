"""How the API says what is wrong: always faults, never a stack trace or a path of this machine."""

from __future__ import annotations

import logging
import secrets
import traceback
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from glioseg.errors import Fault
from glioseg.io.dicom.match import SeriesFault

log = logging.getLogger("glioseg.server")


class FaultModel(BaseModel):
    """One thing that is wrong."""

    where: str = Field(description="file, field or part of the request")
    expected: str
    found: str
    cure: str


class SeriesModel(BaseModel):
    """A series of a DICOM study."""

    key: str = Field(description="what the field series=flair=... takes for it")
    title: str
    images: int
    plane: Literal["axial", "coronal", "sagittal", ""]
    sequence: Literal["flair", "pre", "post"] | None = Field(description="what it is taken for")


class Faults(BaseModel):
    """Everything that is wrong with a request."""

    faults: list[FaultModel]
    series: list[SeriesModel] | None = Field(
        None, description="of a DICOM study: send it again with series=flair=KEY and so on"
    )


def fault_reply(status: int, *faults: Fault, retry_after: int | None = None) -> JSONResponse:
    """A JSON reply with the faults; ``retry_after`` in seconds."""
    content: dict[str, Any] = {
        "faults": [
            {"where": str(each.where), "expected": each.expected, "found": each.found, "cure": each.cure}
            for each in faults
        ]
    }
    choices = next((fault.series for fault in faults if isinstance(fault, SeriesFault)), ())
    if choices:
        content["series"] = [asdict(each) for each in choices]
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse(content, status, headers)


def without_folder(faults: Iterable[Fault], folder: Path) -> list[Fault]:
    """The faults with the server's own folder taken out of them: names as the client gave them."""

    def clean(shown: str) -> str:
        for prefix in {str(folder), str(folder.resolve())}:
            shown = shown.replace(prefix + "/", "").replace(prefix + "\\", "").replace(prefix, "the upload")
        return shown

    return [one.changed(clean) for one in faults]


def unexpected(error: BaseException) -> JSONResponse:
    """Reply for an error that nobody foresaw; where it happened is logged, not what it says.

    Messages of libraries quote file names, and those may be names of patients.
    """
    reference = secrets.token_hex(4)
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    log.error("%s: %s at %s", reference, type(error).__name__, where)
    fault = Fault(
        "the server",
        "no error of its own",
        f"one (reference {reference})",
        "Try again; report it with the reference and the lines in the server's log if it stays.",
    )
    return fault_reply(500, fault)
