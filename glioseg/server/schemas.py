"""What the API takes, gives and may answer, for its own documentation."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from glioseg.server.downloads import KINDS
from glioseg.server.faults import Faults, SeriesModel

Layer = Literal["pre", "flair", "post", "rgb", "predicted", "network", "true", "probability"]
Channel = Literal["pre", "flair", "post"]
MaskFormat = Literal["native", "dicom", "nifti", "tif", "png"]
Which = Literal["current", "true"]


class SegmentBody(BaseModel):
    """How to segment; everything may be left out."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"model": "default"}]}
    )

    model: str = Field(
        "default",
        description="one of /api/models, or `given` for the mask that came with the scan",
    )
    flips: bool = Field(False, description="average with the mirrored slices; takes twice the time")
    threshold: float | None = Field(
        None, gt=0, lt=1, description="probabilities from here on are lesion; default: the model's"
    )


class Health(BaseModel):
    """Whether the server works and what it is doing."""

    status: Literal["ok"]
    version: str
    demo: bool
    scans: int = Field(description="scans that it holds")
    token: bool = Field(description="whether clients need a token")
    runs: bool = Field(description="whether it was given run folders")
    clinical_use: Literal[False]


class Sample(BaseModel):
    """A bundled scan."""

    name: str
    slices: int


class Samples(BaseModel):
    """The bundled scans."""

    samples: list[Sample]


class Window(BaseModel):
    """Values that become black and white."""

    low: float
    high: float


class LabelModel(BaseModel):
    """A label that the mask may have."""

    value: int
    name: str


class TruthLabel(BaseModel):
    """A label of the mask that came with a scan."""

    value: int
    name: str
    voxels: int
    chosen: bool = Field(description="whether it counts as lesion")


class TruthBody(BaseModel):
    """Which labels of the mask that came with a scan are the lesion."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"labels": [1, 2]}]})

    labels: list[int] = Field(min_length=1, max_length=255)


class ScanInfo(BaseModel):
    """What is known of a scan."""

    id: str = Field(description="unguessable; every other address starts with it")
    name: str
    shape: list[int] = Field(description="slices, height, width as the view layers show them")
    slice_numbers: list[int]
    spacing: list[float] | None = Field(description="mm along slice, row, column of the source, if known")
    axial: bool = Field(description="whether left and right of the patient are known")
    channels: list[str]
    filled: list[str] = Field(description="sequences that were missing and are FLAIR instead")
    windows: dict[str, Window]
    format: str
    series: list[SeriesModel] = Field(description="of a DICOM study, with what each was taken for")
    truth: bool = Field(description="whether a mask came with it")
    state: Literal["new", "queued", "running", "done", "failed", "cancelled"]
    ahead: int = Field(description="segmentations that come first")
    progress: float = Field(ge=0, le=1)
    probability: bool = Field(description="whether there is a probability map")
    model: str = Field(description="that made the network's mask; empty where that is not known")
    threshold: float = Field(description="from where on the probability is lesion in the network's mask")
    labels: list[LabelModel] = Field(description="that the mask may have; lesion or not is the label 1")
    truth_labels: list[TruthLabel] = Field(description="of a mask with several labels; PUT truth chooses")
    corrected: bool
    revision: int = Field(description="counts the masks that the scan has had")
    expires_in: int = Field(description="seconds until it is dropped if it is not used")


class LesionModel(BaseModel):
    """One lesion of a mask."""

    voxels: int
    volume: float | None = Field(description="mm3; null where the spacing is unknown")
    diameters: tuple[float, float] = Field(
        description="the longest on any slice, and the extent at right angles"
    )
    place: tuple[int, int, int] = Field(description="slice, row, column of a voxel in the middle of it")


class Lesions(BaseModel):
    """The lesions of a mask."""

    revision: int = Field(description="of the mask, see the numbers")
    count: int = Field(description="how many there are; the largest are listed")
    unit: Literal["mm", "pixels"] = Field(description="of the diameters")
    lesions: list[LesionModel]


class Saved(BaseModel):
    """Where a corrected case went."""

    name: str
    folder: str
    next: str


REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Faults, "description": "The token is missing or wrong."},
    403: {"model": Faults, "description": "The request comes from another page."},
    413: {"model": Faults, "description": "The request is too large."},
    421: {"model": Faults, "description": "The request is addressed to another host."},
    422: {"model": Faults, "description": "Something is wrong with what was sent; every fault is listed."},
    500: {"model": Faults, "description": "An error of the server's own."},
    503: {"model": Faults, "description": "The server answers as many requests as it can."},
}
NO_SCAN: dict[int | str, dict[str, Any]] = {404: {"model": Faults, "description": "There is no such scan."}}
NO_MASK: dict[int | str, dict[str, Any]] = {
    **NO_SCAN,
    409: {
        "model": Faults,
        "description": "It has no mask yet, another mask, is being segmented, or what was sent does not fit.",
    },
}
FULL: dict[int | str, dict[str, Any]] = {
    429: {"model": Faults, "description": "No room; Retry-After says when to come back."},
    507: {"model": Faults, "description": "The disk of the server is full."},
}
BAD: dict[int | str, dict[str, Any]] = {
    400: {"model": Faults, "description": "The body is not what its headers say."},
    408: {"model": Faults, "description": "The rest of the request did not come in time."},
}
BINARY: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file; Content-Type says its kind.",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("application/octet-stream", *sorted(set(KINDS.values())))
        },
    }
}
NUMBERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The numbers; a table with format=csv.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "text/csv": {"schema": {"type": "string"}},
        },
    }
}
NO_RUN: dict[int | str, dict[str, Any]] = {404: {"model": Faults, "description": "There is no such run."}}
