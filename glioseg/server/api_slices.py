"""The route that draws a slice before anything else of a scan is sent."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from glioseg.errors import Fault
from glioseg.server import display
from glioseg.server.api import OneEntry
from glioseg.server.faults import Refused
from glioseg.server.schemas import BINARY, NO_SCAN, REFUSALS

router = APIRouter(prefix="/api", responses=REFUSALS)


@router.get("/scans/{id}/slices/{position}.png", response_class=Response, responses={**BINARY, **NO_SCAN})
def slice_picture(entry: OneEntry, position: int) -> Response:
    """One slice of FLAIR as PNG, in its own pixels: a picture while the layers are still coming."""
    if not 0 <= position < len(entry.scan.voxels):
        raise Refused(404, Fault("server.no_slice", "", count=len(entry.scan.voxels)))
    return Response(display.slice_picture(entry.scan, position), media_type="image/png")
