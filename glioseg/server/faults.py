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
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from glioseg.errors import PARTS, Fault, InputError
from glioseg.words import LANGUAGES, sentence

log = logging.getLogger("glioseg.server")

OF_ONE_KIND = 5
"""Most different faults of one code that a reply tells one by one."""


class Sentences(BaseModel):
    """What is wrong, for a person to read."""

    where: str = Field(description="file, field or part of the request")
    expected: str
    found: str
    cure: str


class FaultModel(Sentences):
    """One thing that is wrong; the sentences beside the code are English."""

    code: str = Field(description="names the fault, the same in every language", examples=["server.no_scan"])
    parameters: dict[str, str] = Field(description="what the sentences are filled with")
    translations: dict[Literal["zh"], Sentences] = Field(description="the sentences in other languages")


class SeriesModel(BaseModel):
    """A series of a DICOM study."""

    key: str = Field(description="what the field series=flair=... takes for it")
    title: str
    images: int
    plane: Literal["axial", "coronal", "sagittal", ""]
    sequence: Literal["flair", "pre", "post"] | None = Field(description="what it is taken for")
    number: int | None = Field(description="SeriesNumber")
    name: str = Field(description="what the series is called, without the patient")
    part: str = Field(description="what tells it from others of its number and name")


class Faults(BaseModel):
    """Everything that is wrong with a request."""

    faults: list[FaultModel]
    series: list[SeriesModel] | None = Field(
        None, description="of a DICOM study: send it again with series=flair=KEY and so on"
    )


class UnfitError(InputError):
    """A well-formed request that does not fit what it is about: this scan, this mask, these runs (409)."""


class Refused(HTTPException):
    """A request that is refused with a status of its own.

    Args:
        status: of the reply.
        fault: what is wrong; where it is empty, that is the address of the request.
    """

    def __init__(self, status: int, fault: Fault) -> None:
        super().__init__(status, str(fault))
        self.fault = fault


def as_dict(fault: Fault) -> dict[str, Any]:
    """A fault as the API says it, see :class:`FaultModel`."""
    others = {
        language: {name: fault.part(name, language) for name in PARTS}
        for language in LANGUAGES
        if language != "en"
    }
    return {
        "code": fault.code,
        "parameters": fault.parameters,
        **{name: fault.part(name) for name in PARTS},
        "translations": others,
    }


def fault_reply(status: int, *faults: Fault, retry_after: int | None = None) -> JSONResponse:
    """A JSON reply with the faults; ``retry_after`` in seconds."""
    content: dict[str, Any] = {"faults": [as_dict(each) for each in gathered(faults)]}
    choices = next(filter(None, (getattr(fault, "series", ()) for fault in faults)), ())
    if choices:
        content["series"] = [asdict(each) for each in choices]
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse(content, status, headers)


def gathered(faults: Iterable[Fault]) -> list[Fault]:
    """The faults with those told once that several files share, and few of one kind: the rest is counted."""
    alike: dict[tuple[Any, ...], list[Fault]] = {}
    kinds: dict[str, list[tuple[Any, ...]]] = {}
    for fault in faults:
        key = (fault.code, *sorted(fault.parameters.items()))
        if key not in alike:
            known = kinds.setdefault(fault.code, [])
            if len(known) < OF_ONE_KIND:
                known.append(key)
            else:
                key = known[-1]
        alike.setdefault(key, []).append(fault)
    return [each[0] if len(each) == 1 else _Shared(each[0], len(each) - 1) for each in alike.values()]


class _Shared(Fault):
    """A fault that other files have, too."""

    def __init__(self, fault: Fault, others: int) -> None:
        self.__dict__.update(fault.__dict__)
        self.fault, self.others = fault, others

    def part(self, name: str, language: str = "en") -> str:
        """A sentence; where it is are the first file and the number of others."""
        text = self.fault.part(name, language)
        if name != "where":
            return text
        return sentence("sentences", "server.and_others", language, where=text, count=f"{self.others:,}")


def without_folder(faults: Iterable[Fault], folder: Path) -> list[Fault]:
    """The faults with the server's own folder taken out of them: names as the client gave them."""

    return [_OfUpload(one, folder) for one in faults]


class _OfUpload(Fault):
    """A fault that never shows the folder it was found in."""

    def __init__(self, fault: Fault, folder: Path) -> None:
        self.__dict__.update(fault.__dict__)  # with the series to choose from, if it has them
        self.folders = {str(folder), str(folder.resolve())}
        self.fault = fault
        self.where = self._clean(fault.where)
        self.parameters = {name: self._clean(str(value)) for name, value in fault.parameters.items()}

    def part(self, name: str, language: str = "en") -> str:
        """A sentence, in which the folder is the upload."""
        return self._clean(self.fault.part(name, language), language)

    def _clean(self, text: str, language: str = "en") -> str:
        upload = sentence("sentences", "server.the_upload", language)
        for folder in self.folders:
            text = text.replace(folder + "/", "").replace(folder + "\\", "").replace(folder, upload)
        return text


def unexpected(error: BaseException) -> JSONResponse:
    """Reply for an error that nobody foresaw."""
    return fault_reply(500, unforeseen(error))


def unforeseen(error: BaseException) -> Fault:
    """The fault of an error that nobody foresaw; where it happened is logged, not what it says.

    Messages of libraries quote file names, and those may be names of patients.
    """
    reference = secrets.token_hex(4)
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    log.error("%s: %s at %s", reference, type(error).__name__, where)
    return Fault("server.unexpected", reference=reference)
