"""The routes that draw a slice before anything else of a scan is sent."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import Response

from glioseg.errors import Fault
from glioseg.server import display
from glioseg.server.api import OneEntry
from glioseg.server.faults import Refused
from glioseg.server.scans import Entry
from glioseg.server.schemas import BAD, BINARY, FULL, NO_SCAN, REFUSALS
from glioseg.server.service import Serving
from glioseg.server.uploads import keep_files, read_upload

router = APIRouter(prefix="/api", responses=REFUSALS)

ONE_FILE = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["files"],
                    "properties": {"files": {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


@router.get("/scans/{id}/slices/{position}.png", response_class=Response, responses={**BINARY, **NO_SCAN})
def slice_picture(entry: OneEntry, position: int) -> Response:
    """One slice of FLAIR as PNG, in its own pixels: a picture while the layers are still coming."""
    if not 0 <= position < len(entry.scan.voxels):
        raise Refused(404, Fault("server.no_slice", "", count=len(entry.scan.voxels)))
    return Response(display.slice_picture(entry.scan, position), media_type="image/png")


@router.post("/preview", response_class=Response, responses={**BINARY, **FULL, **BAD}, openapi_extra=ONE_FILE)
async def preview(request: Request, service: Serving) -> Response:
    """A picture of one slice that is sent in the field `files`, as PNG; nothing of it is kept."""

    def read(id: str, folder: Path) -> Entry:
        keep_files(uploads, folder)
        reserve = partial(service.store.reserve, id)
        return Entry(id, folder, *read_upload(folder, service.settings, (), reserve))

    async with request.form(max_files=1, max_fields=16) as form:
        uploads = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        entry = await service.new_entry(read)
    try:
        middle = len(entry.scan.voxels) // 2
        content = await asyncio.to_thread(display.slice_picture, entry.scan, middle)
    finally:
        service.store.drop(entry.id)
    return Response(content, media_type="image/png")
