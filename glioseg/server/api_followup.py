"""The routes about two time points of one patient."""

from __future__ import annotations

import asyncio
import io
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from glioseg.draw.views import frames
from glioseg.errors import Fault
from glioseg.measure import followup
from glioseg.scan import Segmentation
from glioseg.server import schemas_worklist as shapes
from glioseg.server.api_worklist import OneRow, opened
from glioseg.server.faults import Refused
from glioseg.server.jobs import Choice
from glioseg.server.scans import Entry
from glioseg.server.schemas import BAD, BINARY, FULL, REFUSALS
from glioseg.server.segmented import segmented
from glioseg.server.service import Service, Serving
from glioseg.server.worklist.rows import PatientRow

router = APIRouter(prefix="/api/followup", responses=REFUSALS)

SLICE_PIXELS = 512


class BoundedVolume(BaseModel):
    """A volume or difference, and between which the true one may lie by the DSC that the model expects."""

    value: float
    low: float | None
    high: float | None


class Fate(BaseModel):
    """What became of a lesion."""

    fate: followup.Fate
    before: float
    after: float
    slice_before: int | None = Field(description="where it is largest, counted from 0")
    slice_after: int | None


class FollowUpReply(BaseModel):
    """Two time points of one patient."""

    unit: Literal["mm3", "voxels"]
    before: BoundedVolume
    after: BoundedVolume
    difference: BoundedVolume
    share: float | None = Field(description="of the volume before")
    certain: bool | None = Field(description="whether the bounds of the difference leave out 0")
    placed: bool = Field(description="whether headers say how the scans lie; otherwise they have one grid")
    lesions: list[Fate]
    slices: list[int] = Field(description="of each slice after, the one before that lies nearest")
    slices_before: int


@router.get("/{key}/{later}", responses={**shapes.NO_ROW, **FULL, **BAD})
async def compare(request: Request, service: Serving, key: str, later: str) -> FollowUpReply:
    """Compare the lesions of two patients of the work list, which are one patient at two times.

    Whoever was not segmented yet is segmented now. A mask that a person checked or corrected counts as true.
    """
    rows = [_row(service, each) for each in (key, later)]
    entries = [await _with_mask(request, row, service) for row in rows]

    def made() -> FollowUpReply:
        before, after = (_mask(entry) for entry in entries)
        expected = [_expected(row, entry) for row, entry in zip(rows, entries, strict=True)]
        found = followup.follow_up(before, after, expected[0], expected[1])
        return FollowUpReply(
            **{name: _bounded(getattr(found, name)) for name in ("before", "after", "difference")},
            unit=found.unit,
            share=found.share,
            certain=found.certain,
            placed=found.placed,
            lesions=[Fate(**each.__dict__) for each in found.lesions],
            slices=list(found.slices),
            slices_before=len(before.voxels),
        )

    return await asyncio.to_thread(made)


@router.get("/{key}/slices/{position}.png", response_class=Response, responses={**BINARY, **shapes.NO_ROW})
async def picture(
    row: OneRow,
    service: Serving,
    position: int,
    outline: Annotated[bool, Query(description="whether the mask is outlined")] = True,
) -> Response:
    """One slice of FLAIR as PNG, with the outline of the mask."""
    entry = await opened(row, service)
    if not 0 <= position < len(entry.scan.voxels):
        raise Refused(404, Fault("server.no_slice", "", count=len(entry.scan.voxels)))
    content = await asyncio.to_thread(_drawn, entry, position, outline)
    return Response(content, media_type="image/png")


def _drawn(entry: Entry, position: int, outline: bool) -> bytes:
    from PIL import Image

    mask = entry.mask if outline else None
    (drawn,) = frames(entry.scan, mask, None, size=SLICE_PIXELS, positions=[position], numbered=False)
    content = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(drawn)).save(content, "PNG", compress_level=1)
    return content.getvalue()


def _row(service: Service, key: str) -> PatientRow:
    row = service.worklist.rows.get(key)
    if row is None:
        raise Refused(404, Fault("server.no_row", ""))
    return row


async def _with_mask(request: Request, row: PatientRow, service: Service) -> Entry:
    entry = await opened(row, service)
    if entry.mask is None:
        await segmented(request, entry, service, Choice())
        await asyncio.to_thread(service.worklist.keep, entry, service.worker.name_of("default"))
    return entry


def _mask(entry: Entry) -> Segmentation:
    assert entry.mask is not None
    return entry.mask


def _expected(row: PatientRow, entry: Entry) -> float | None:
    looked_at = row.record is not None and row.record.checked
    return 1.0 if looked_at or entry.corrected is not None else entry.expected_dice


def _bounded(found: followup.Bounded) -> BoundedVolume:
    return BoundedVolume(value=found.value, low=found.low, high=found.high)
