"""The routes about scans."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import UploadFile
from starlette.responses import JSONResponse, Response

from glioseg._version import __version__
from glioseg.errors import Fault, InputError
from glioseg.scan import Segmentation
from glioseg.server import display, downloads, schemas
from glioseg.server.corrections import check_revision, decode_slices, replace_mask, replace_slices
from glioseg.server.faults import Refused, UnfitError
from glioseg.server.jobs import Choice
from glioseg.server.numbers import as_csv, numbers_of
from glioseg.server.saved_cases import save_corrected
from glioseg.server.scans import Entry
from glioseg.server.schemas import BAD, BINARY, FULL, NO_MASK, NO_SCAN, NUMBERS, REFUSALS
from glioseg.server.schemas_worklist import Added
from glioseg.server.segmented import segmented
from glioseg.server.service import Serving, info, read_sample
from glioseg.server.uploads import SERIES_CHOICE, keep_files, read_upload
from glioseg.server.worklist.adding import Listed

router = APIRouter(prefix="/api", responses=REFUSALS)


def _entry(id: str, service: Serving) -> Entry:
    entry = service.store.get(id)
    if entry is None:
        raise Refused(404, Fault("server.no_scan", ""))
    return entry


OneEntry = Annotated[Entry, Depends(_entry)]


def _drawn(
    entry: OneEntry,
    revision: Annotated[
        int | None, Query(ge=0, description="refuse unless the mask is still the one of this revision")
    ] = None,
) -> Entry:
    """The entry, if its mask is the one that the client has seen."""
    check_revision(entry, revision)
    return entry


DrawnEntry = Annotated[Entry, Depends(_drawn)]


def _masked(entry: Entry) -> Segmentation:
    if entry.mask is None:
        raise Refused(409, Fault("server.no_mask", ""))
    return entry.mask


@router.get("/health")
def health(service: Serving) -> schemas.Health:
    """Whether the server works."""
    settings = service.settings
    return schemas.Health(
        status="ok",
        version=__version__,
        demo=settings.demo,
        scans=len(service.store),
        token=settings.token is not None,
        runs=settings.runs is not None,
        clinical_use=False,
    )


@router.get("/samples")
def list_samples() -> schemas.Samples:
    """The bundled scans, each with its true mask."""
    from glioseg.samples import sample_cases

    cases = sample_cases()
    return schemas.Samples(samples=[schemas.Sample(name=case.id, slices=len(case.images)) for case in cases])


@router.post("/samples/{name}", status_code=201, responses={**NO_SCAN, **FULL})
async def open_sample(name: str, service: Serving) -> schemas.ScanInfo:
    """Open a bundled scan as if it had been uploaded; segmented already if the server did that before."""
    if name not in {sample.name for sample in list_samples().samples}:
        raise Refused(404, Fault("server.no_sample", ""))

    def read(id: str, folder: Path) -> Entry:
        scan, truth = read_sample(name)
        service.store.reserve(id, scan.voxels.nbytes)
        return Entry(id, folder, scan, truth, sample=name)

    entry = await service.new_entry(read)
    service.worker.recall(entry)
    return info(entry, service)


@router.post(
    "/scans",
    status_code=201,
    response_model=schemas.ScanInfo,
    responses={202: {"model": Added, "description": "Several scans, now in the list."}, **FULL, **BAD},
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
                                "description": "slices (TIFF, PNG, JPEG), NIfTI, DICOM, or a zip; masks too",
                            },
                            "series": {
                                "type": "array",
                                "items": {"type": "string", "pattern": SERIES_CHOICE},
                                "maxItems": 3,
                                "description": "of DICOM: flair=SERIES, pre=SERIES, post=SERIES",
                            },
                        },
                    }
                }
            },
        }
    },
)
async def upload(
    request: Request,
    service: Serving,
    several: Annotated[
        Literal["refuse", "list"], Query(description="what happens to the scans of several patients")
    ] = "refuse",
) -> schemas.ScanInfo | JSONResponse:
    """Upload one scan.

    Files in the field `files`: slices of one scan (TIFF, PNG or JPEG; `<slice>_mask` beside them is the
    truth), a multi-page TIFF, a NIfTI volume or one a sequence (`flair`, `t1`, `t1ce` in the names), the
    DICOM files of one study (a SEG beside them is the truth), or a zip of those. Fields `series` say which
    series of a study is which: `flair=SERIES`, `pre=SERIES`, `post=SERIES`, a SeriesDescription or
    SeriesInstanceUID or `none`. A refusal that such a choice would cure lists the `series` there are.
    With `several=list` the scans of several patients go to the work list (202) instead of being refused.
    """
    settings = service.settings

    def read(id: str, folder: Path) -> Entry:
        keep_files(uploads, folder)
        reserve = partial(service.store.reserve, id)
        try:
            return Entry(id, folder, *read_upload(folder, settings, named, reserve))
        except InputError as error:
            if several == "list" and error.faults[0].code == "server.several_scans":
                raise Listed(service.adding.take(folder)) from None
            raise

    async with request.form(max_files=settings.files, max_fields=16) as form:
        uploads = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        named = [part for name, part in form.multi_items() if name == "series" and isinstance(part, str)]
        try:
            return info(await service.new_entry(read), service)
        except Listed as listed:
            added = Added(batch="", scans=listed.scans, total=len(service.worklist.present()))
            return JSONResponse(added.model_dump(), 202)


@router.get("/scans/{id}", responses=NO_SCAN)
def scan_info(entry: OneEntry, service: Serving) -> schemas.ScanInfo:
    """What is known of a scan, and how far its segmentation is."""
    return info(entry, service)


@router.delete("/scans/{id}", status_code=204, responses=NO_SCAN)
def delete(id: str, service: Serving) -> None:
    """Forget a scan, its mask and its files; a segmentation that runs is cancelled."""
    if not service.store.drop(id):
        raise Refused(404, Fault("server.no_scan", ""))


@router.post("/scans/{id}/segment", responses={**NO_MASK, **FULL, **BAD})
async def segment(
    request: Request, entry: OneEntry, service: Serving, body: schemas.SegmentBody | None = None
) -> dict[str, Any]:
    """Segment a scan and give its numbers. Waits for its turn; hanging up cancels it."""
    body = body or schemas.SegmentBody.model_validate({})
    if entry.job is not None and entry.job.state in ("queued", "running") and not entry.job.cancelled:
        raise Refused(409, Fault("server.being_segmented", ""))
    await segmented(request, entry, service, Choice(body.model, body.flips, body.threshold))
    return await asyncio.to_thread(service.worklist.keep, entry, entry.model)


@router.get("/scans/{id}/numbers", response_model=None, responses={**NUMBERS, **NO_MASK})
def numbers(entry: DrawnEntry, format: Annotated[str, Query(pattern="^(json|csv)$")] = "json") -> Response:
    """The numbers of the mask, and against the truth if there is one; `format=csv` for a table."""
    _masked(entry)
    content = numbers_of(entry)
    if format == "csv":
        name = downloads.plain_name(entry.scan.id)
        return _file(downloads.Download(f"{name}.csv", "text/csv", as_csv(content).encode()))
    return JSONResponse(content)


@router.get("/scans/{id}/view/{layer}", response_class=Response, responses={**BINARY, **NO_MASK})
def view(entry: OneEntry, layer: schemas.Layer) -> Response:
    """A layer for a viewer: NIfTI-1, uncompressed, turned upright, 352 bytes of header."""
    grid = entry.scan.grid
    if layer == "predicted":
        content = display.mask_volume(_masked(entry).voxels, grid)
    elif layer == "network":
        if entry.predicted is None:
            raise Refused(409, Fault("server.no_mask", ""))
        content = display.mask_volume(entry.predicted.voxels, grid)
    elif layer == "true":
        if entry.given is None:
            raise Refused(409, Fault("server.no_truth", ""))
        content = display.mask_volume(entry.given.voxels, grid)
    elif layer == "probability":
        content = display.probability_volume(_probability(entry), grid)
    else:
        content = display.channel_volume(entry.scan, layer)
    return Response(content, media_type="application/octet-stream")


@router.get("/scans/{id}/mask", response_class=Response, responses={**BINARY, **NO_MASK, **BAD})
def mask(
    entry: DrawnEntry,
    format: schemas.MaskFormat = "native",
    which: schemas.Which = "current",
    anonymise: bool = False,
) -> Response:
    """The mask as a file: in the kind of the scan (`native`), as NIfTI, or as a zip of TIFF or PNG slices.

    Of a DICOM scan `native` and `dicom` are a DICOM SEG that refers to the images; `anonymise=true` leaves
    patient, dates and original UIDs out of it.
    """
    if which == "true":
        if entry.truth is None:
            raise Refused(409, Fault("server.no_truth", ""))
        return _file(downloads.mask_file(entry, entry.truth, format, "truth", anonymise))
    return _file(downloads.mask_file(entry, _masked(entry), format, anonymise=anonymise))


BYTES_AS_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.put("/scans/{id}/mask", responses={**NO_MASK, **BAD}, openapi_extra=BYTES_AS_BODY)
async def correct(request: Request, entry: OneEntry, service: Serving) -> dict[str, Any]:
    """Replace the mask by a corrected one and give its numbers.

    The body is one byte a voxel, `slices * height * width` of them in the order of the view layers: first
    row at the front of the head, first column on the left of the picture. Of lesion or not each is 0 or not,
    of several labels it is the label.
    """
    expected = entry.scan.voxels[..., 0].size
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > expected:
            break
    if len(body) != expected:
        code = "server.mask_too_short" if len(body) < expected else "server.mask_too_long"
        raise UnfitError(Fault(code, wanted=f"{expected:,}", size=f"{len(body):,}"))

    def keep() -> dict[str, Any]:
        voxels = np.frombuffer(body, np.uint8).reshape(entry.scan.grid.shape)
        replace_mask(entry, voxels)
        return service.worklist.keep(entry)

    return await asyncio.to_thread(keep)


@router.patch("/scans/{id}/mask", responses={**NO_MASK, **BAD}, openapi_extra=BYTES_AS_BODY)
async def correct_slices(
    request: Request,
    entry: OneEntry,
    service: Serving,
    revision: Annotated[int | None, Query(ge=0)] = None,
) -> dict[str, Any]:
    """Replace some slices of the mask by corrected ones and give the numbers of the mask.

    The body is run-length code in unsigned 32-bit little-endian integers: for each slice its position (from
    0) and its number of runs, then start, length and label (1: lesion) of each run, in ascending order, in
    voxels of the slice as the view layers show it; what lies outside the runs is background. The numbers
    carry the `revision` of the mask; a `revision` in the query that is not the present one is refused.
    """
    body = await request.body()

    def keep() -> dict[str, Any]:
        replace_slices(entry, decode_slices(body, entry.scan.grid.shape, entry.labels), revision)
        return service.worklist.keep(entry)

    return await asyncio.to_thread(keep)


@router.put("/scans/{id}/truth", responses=NO_MASK)
def choose_truth(entry: OneEntry, service: Serving, body: schemas.TruthBody) -> schemas.ScanInfo:
    """Say which labels of the mask that came with the scan are the lesion."""
    if entry.labelled is None:
        raise Refused(409, Fault("server.no_truth_labels", ""))
    known = entry.labelled.labels
    if not set(body.labels) <= set(known):
        raise InputError(Fault("server.unknown_label", known=", ".join(map(str, known))))
    entry.choose_labels(tuple(sorted(set(body.labels))))
    return info(entry, service)


@router.post("/scans/{id}/save", status_code=201, responses=NO_MASK)
def save(entry: DrawnEntry, service: Serving) -> schemas.Saved:
    """Add scan and mask to the folder of corrected cases, in the layout that `glioseg train` reads."""
    _masked(entry)
    if entry.corrected is None:
        raise Refused(409, Fault("server.not_corrected", ""))
    folder = service.settings.corrected
    with service.saving:
        name = save_corrected(entry, folder)
    return schemas.Saved(name=name, folder=str(folder), next=f"glioseg train {folder}")


@router.get("/scans/{id}/probability", response_class=Response, responses={**BINARY, **NO_MASK})
def probability(entry: OneEntry) -> Response:
    """The probability map as `.nii.gz`, float32, on the scan's own grid."""
    _probability(entry)
    return _file(downloads.probability_file(entry))


@router.get("/scans/{id}/outlines", response_class=Response, responses={**BINARY, **NO_MASK})
def outlines(
    entry: DrawnEntry,
    format: Annotated[str, Query(pattern="^(gif|png)$")] = "gif",
    channel: schemas.Channel = "flair",
) -> Response:
    """The outlines over the slices, red predicted and green true: an animation, or a zip of PNG slices."""
    _masked(entry)
    return _file(downloads.outlines_file(entry, format, channel))


@router.get("/scans/{id}/report", response_class=Response, responses={**BINARY, **NO_MASK})
def report(entry: DrawnEntry, language: Annotated[str, Query(pattern="^(en|zh)$")] = "en") -> Response:
    """One page about the case, as PDF: key slices, numbers, lesions, warnings."""
    _masked(entry)
    return _file(downloads.report_file(entry, entry.model, language))


def _probability(entry: Entry) -> Any:
    if entry.probability is None:
        raise Refused(409, Fault("server.no_probability", ""))
    return entry.probability


def _file(download: downloads.Download) -> Response:
    ascii_name = download.name.encode("ascii", "replace").decode().replace("?", "_")
    disposition = f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(download.name)}"
    return Response(download.content, media_type=download.kind, headers={"Content-Disposition": disposition})
