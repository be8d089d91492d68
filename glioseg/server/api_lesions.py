"""The route that lists the lesions of a mask."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from glioseg.errors import Fault
from glioseg.server import schemas
from glioseg.server.api import DrawnEntry
from glioseg.server.faults import Refused
from glioseg.server.schemas import NO_MASK, REFUSALS

router = APIRouter(prefix="/api", responses=REFUSALS)


@router.get("/scans/{id}/lesions", responses=NO_MASK)
def lesions(entry: DrawnEntry) -> schemas.Lesions:
    """The lesions of the mask, the largest first, with volume and diameters; the 50 largest of many.

    `place` is slice, row and column of a voxel in the middle of the lesion, as the view layers show it.
    """
    from glioseg.measure.size import lesions as lesions_of

    with entry.changing:  # mask and revision of one moment
        mask, revision = entry.mask, entry.revision
    if mask is None:
        raise Refused(409, Fault("server.no_mask", ""))
    found, count = lesions_of(mask)
    return schemas.Lesions(
        revision=revision,
        count=count,
        unit="mm" if entry.scan.grid.spacing else "pixels",
        lesions=[schemas.LesionModel(**asdict(each)) for each in found],
    )
