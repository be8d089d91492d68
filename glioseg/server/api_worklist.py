"""The routes of the work list: many patients, of which one at a time is open."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response, StreamingResponse

from glioseg.errors import Fault, InputError
from glioseg.server import schemas
from glioseg.server import schemas_worklist as shapes
from glioseg.server.faults import (
    FaultModel,
    Refused,
    SeriesModel,
    UnfitError,
    as_dict,
    gathered,
    without_folder,
)
from glioseg.server.scans import Entry, StoreFull
from glioseg.server.schemas import BAD, BINARY, FULL, REFUSALS
from glioseg.server.service import Service, Serving, info
from glioseg.server.worklist import export
from glioseg.server.worklist.rows import PatientRow

router = APIRouter(prefix="/api/worklist", responses=REFUSALS)


def _row(key: str, service: Serving) -> PatientRow:
    row = service.worklist.rows.get(key)
    if row is None:
        raise Refused(404, Fault("server.no_row", ""))
    return row


OneRow = Annotated[PatientRow, Depends(_row)]


@router.get("")
def rows(
    service: Serving,
    since: Annotated[int, Query(ge=-1, le=1 << 53, description="only what changed after this version")] = -1,
) -> shapes.WorkRows:
    """The patients of the list, in the order in which their scans were found."""
    listed = service.worklist
    version, changed = listed.since(since)
    return shapes.WorkRows(
        server=listed.id,
        version=version,
        finding=listed.finding,
        kept=service.settings.work is not None,
        total=len(listed.present()),
        rows=[told(row, service) for row in changed],
        faults=_told_faults(listed.faults),
    )


def told(row: PatientRow, service: Service) -> shapes.WorkRow:
    """What a client learns of a row."""
    record, job = row.record, row.job
    numbers = dict(record.numbers) if record is not None else {}
    count = len(row.source.files) if row.source.format == "slices" else None
    drawn = None if record is None else service.worklist.folder.drawn(row.key)
    return shapes.WorkRow(
        key=row.key,
        number=row.number,
        name=row.source.id,
        format=row.source.format,
        status=row.status,  # type: ignore[arg-type]
        corrected=record is not None and bool(record.corrected),
        checked=record is not None and record.checked,
        revision=None if record is None else record.revision,
        thumbnail=None if drawn is None else f"/api/worklist/{row.key}/thumbnail?drawn={drawn}",
        expected_dice=None if record is None else record.expected_dice,
        model=None if record is None else record.model,
        slices_done=job.slices_done if job is not None and record is None else 0,
        series=[SeriesModel.model_validate(asdict(each)) for each in row.source.series],
        files_changed=row.others,
        faults=_told_faults(row.told_faults),
        **{"slices": count, **numbers},
    )


def _told_faults(faults: list[Fault]) -> list[FaultModel]:
    return [FaultModel.model_validate(as_dict(fault)) for fault in gathered(faults)]


@router.post(
    "",
    status_code=201,
    responses={**FULL, **BAD},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "required": ["files"],
                        "properties": {
                            "files": {
                                "type": "array",
                                "minItems": 1,
                                "items": {"type": "string", "format": "binary"},
                                "description": "scans of any number of patients, in folders or zips",
                            },
                        },
                    }
                }
            },
        }
    },
)
async def add(
    request: Request,
    service: Serving,
    batch: Annotated[str | None, Query(max_length=64, description="of the message before")] = None,
    more: Annotated[bool, Query(description="whether other messages of this batch follow")] = False,
) -> shapes.Added:
    """Add scans of any number of patients to the list.

    Files in the field `files`, with their folders in their names, as for `POST /api/scans`. What is too large
    for one message comes in several: each with `more=true` but the last, and each but the first with the
    `batch` that the reply to the one before named. Scans are looked for when the batch is whole.
    """
    async with request.form(max_files=service.settings.files, max_fields=16) as form:
        uploads = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        name, count = await asyncio.to_thread(service.adding.receive, uploads, batch, more)
    return shapes.Added(batch=name, scans=count, total=len(service.worklist.present()))


@router.get("/csv", response_class=Response, responses=shapes.TABLE)
def table(service: Serving) -> Response:
    """The list as a table: one row a patient, with the numbers of the mask that holds."""
    return _attached(Response(export.table(service.worklist), media_type="text/csv"), export.TABLE)


@router.get("/masks", response_class=Response, responses=BINARY)
def masks(service: Serving, format: schemas.MaskFormat = "native", anonymise: bool = False) -> Response:
    """All masks and the table in one zip, made while it is sent; see `GET /api/scans/{id}/mask`.

    What cannot be read is told in `faults.txt` inside.
    """
    parts = export.masks(service.worklist, format, anonymise)
    return _attached(StreamingResponse(parts, media_type="application/zip"), "masks.zip")


@router.get("/{key}", responses=shapes.NO_ROW)
def row(row: OneRow, service: Serving) -> shapes.WorkRow:
    """One patient of the list."""
    return told(row, service)


@router.get("/{key}/thumbnail", response_class=Response, responses={**BINARY, **shapes.NO_ROW})
def thumbnail(row: OneRow, service: Serving, drawn: str = "") -> Response:
    """A small picture of the slice with most lesion, as PNG; at the address in its row the same for ever."""
    path = service.worklist.folder.thumbnail(row.key)
    if not path.is_file():
        raise Refused(404, Fault("server.no_thumbnail", ""))
    kept = {"Cache-Control": "private, max-age=86400"}
    return Response(path.read_bytes(), media_type="image/png", headers=kept if drawn else None)


@router.post("/{key}/open", status_code=201, responses={**shapes.NO_ROW, **FULL})
async def open_row(row: OneRow, service: Serving) -> schemas.ScanInfo:
    """Open a patient with the masks that are kept; the addresses of `/api/scans` then work with it.

    Corrections of it are kept by the list at once. It is closed by itself when others need the room.
    """
    return info(await opened(row, service), service)


async def opened(row: PatientRow, service: Service) -> Entry:
    """The scan of a row with the masks that are kept of it, read if it is not open.

    Raises:
        InputError: it cannot be read.
        StoreFull: others need all the room.
    """
    async with row.opening:  # whoever opens it at the same time gets the same scan
        entry = service.worklist.opened(row)
        if entry is None:
            try:
                entry = await _read(row, service)
            except StoreFull:
                if not await asyncio.to_thread(service.segmenter.stand_aside):
                    raise
                entry = await _read(row, service)
            row.entry = entry.id
    return entry


async def _read(row: PatientRow, service: Service) -> Entry:
    """The scan of a row, newly in the store."""

    def read(id: str, folder: Path) -> Entry:
        return service.worklist.read(row, id, folder, partial(service.store.reserve, id))

    try:
        return await service.new_entry(read)
    except InputError as error:
        kind = UnfitError if isinstance(error, UnfitError) else InputError
        raise kind(*without_folder(error.faults, row.root)) from None


@router.put("/{key}", responses={**shapes.NO_ROW, **shapes.NOT_NOW})
def check(row: OneRow, body: shapes.CheckBody, service: Serving) -> shapes.WorkRow:
    """Say that the mask was looked at and is right; another correction takes that back."""
    if row.record is None:
        raise Refused(409, Fault("server.no_mask", ""))
    if body.revision is not None and body.revision != row.record.revision:
        found = row.record.revision
        raise Refused(409, Fault("server.mask_changed", "", wanted=body.revision, found=found))
    service.worklist.check(row, body.checked)
    return told(row, service)


@router.put("/{key}/removed", responses=shapes.NO_ROW)
def remove(row: OneRow, body: shapes.RemoveBody, service: Serving) -> shapes.WorkRow:
    """Take a patient out of the list, or back into it; its files and masks stay where they are."""
    service.worklist.remove(row, body.removed)
    return told(row, service)


@router.put("/{key}/series", responses=shapes.NO_ROW)
def choose_series(row: OneRow, body: shapes.SeriesBody, service: Serving) -> shapes.WorkRow:
    """Say which series of a DICOM study is which. It is segmented anew; its masks are set aside."""
    try:
        service.worklist.choose_series(row, body.series)
    except InputError as error:
        raise InputError(*without_folder(error.faults, row.root)) from None
    return told(row, service)


def _attached(reply: Response, name: str) -> Response:
    reply.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return reply
