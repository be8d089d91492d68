"""What the routes of the work list take and give."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from glioseg.server.faults import FaultModel, Faults, SeriesModel

Status = Literal["waiting", "running", "failed", "segmented", "corrected", "checked", "removed"]


class Sentence(BaseModel):
    """A sentence, and the same in other languages."""

    code: str
    sentence: str
    translations: dict[Literal["zh"], dict[str, str]]


class LabelCount(BaseModel):
    """How large a label of a mask is."""

    value: int
    name: str
    voxels: int
    mm3: float | None
    dice: float | None = Field(description="against the same label of the mask that came with the scan")


class WorkRow(BaseModel):
    """A patient of the work list."""

    key: str = Field(description="names the row in addresses")
    number: int = Field(description="its place in the list, from 1")
    name: str
    format: str
    status: Status = Field(description="a mask that was corrected and then checked is checked")
    corrected: bool
    checked: bool
    revision: int | None = Field(description="of the mask; none while there is no mask")
    thumbnail: str | None = Field(description="address of a small picture of the mask; changes with it")
    expected_dice: float | None = Field(description="of the network's mask")
    model: str | None
    slices: int | None = None
    slices_with_lesion: int | None = None
    lesion_voxels: int | None = None
    lesion_mm3: float | None = None
    largest_diameter: float | None = None
    diameter_unit: str | None = None
    filled: list[str] = Field([], description="sequences that were missing and are FLAIR instead")
    flags: list[str] = Field([], description="what to know before trusting the mask")
    notes: list[Sentence] = Field([], description="sentences of those flags that have parameters")
    labels: list[LabelCount] = Field([], description="of a mask with several labels: how large each is")
    slices_done: int = Field(description="while it is segmented")
    series: list[SeriesModel] = Field([], description="of a DICOM study, with what each was taken for")
    files_changed: bool = Field(description="an earlier mask was of other files, and was set aside")
    faults: list[FaultModel] = Field(description="why it cannot be read or segmented")


class WorkRows(BaseModel):
    """The work list, or what has changed in it."""

    server: str = Field(description="another one after a restart: ask for the whole list again")
    version: int = Field(description="for `since` of the next request")
    finding: bool = Field(description="whether scans are still being looked for")
    kept: bool = Field(description="whether the list outlives the server")
    total: int = Field(description="patients of the whole list")
    rows: list[WorkRow]
    faults: list[FaultModel] = Field(description="what was found and is no scan")


class Added(BaseModel):
    """What a message added."""

    batch: str = Field(description="for the next message of the batch; empty when it is whole")
    scans: int = Field(description="scans in the batch, once it is whole")
    total: int = Field(description="patients of the whole list")


class CheckBody(BaseModel):
    """Whether a person found a mask right."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"checked": True}]})

    checked: bool
    revision: int | None = Field(None, ge=0, description="refuse unless the mask is still this one")


class RemoveBody(BaseModel):
    """Whether a patient is out of the list."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"removed": True}]})

    removed: bool


class SeriesBody(BaseModel):
    """Which series of a study is which."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"series": ["flair=KEY"]}]})

    series: list[str] = Field(min_length=1, max_length=3, description="flair=KEY, pre=KEY, post=KEY or none")


NO_ROW: dict[int | str, dict[str, Any]] = {
    404: {"model": Faults, "description": "There is no such patient in the list."}
}
NOT_NOW: dict[int | str, dict[str, Any]] = {
    409: {"model": Faults, "description": "It has no mask yet, or another one."}
}
TABLE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The table.", "content": {"text/csv": {"schema": {"type": "string"}}}}
}
