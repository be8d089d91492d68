"""The protocol of MONAI Label, which plug-ins of 3D Slicer and MITK speak, for the patients of the work list.

An image is a patient; its FLAIR leaves as NIfTI, on the grid on which masks come and go. Of labels there are
``original``, the network's, and ``final``, a person's; who submits a final label has looked at it.

Source: https://github.com/Project-MONAI/MONAILabel, monailabel/endpoints, version 0.8.5
"""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import JSONResponse, Response

from glioseg._version import __version__
from glioseg.errors import Fault, InputError
from glioseg.io import read_segmentation
from glioseg.io.nifti import write_channel
from glioseg.scan import LESION
from glioseg.server.api_worklist import opened
from glioseg.server.corrections import replace_mask
from glioseg.server.downloads import mask_file, plain_name
from glioseg.server.faults import Refused
from glioseg.server.jobs import Choice
from glioseg.server.scans import Entry
from glioseg.server.segmented import segmented
from glioseg.server.service import Service, Serving
from glioseg.server.uploads import keep_files, read_upload
from glioseg.server.worklist.rows import PatientRow
from glioseg.words import sentence

router = APIRouter(include_in_schema=False)

Tag = Literal["original", "final"]
ORIGINAL: Tag = "original"
FINAL: Tag = "final"
STRATEGIES = ("expected_dsc", "first")
"""What patient is next: the one whose mask the model trusts least, or the first in the list."""


@router.get("/info/")
def app_info(service: Serving) -> dict[str, Any]:
    """What this server can do."""
    described = partial(sentence, "sentences")
    labels = {name: _labels_of(model) for name, model in service.worker.models.items()}
    model = {"type": "segmentation", "dimension": 3, "config": {}}
    return {
        "name": "glioseg",
        "description": described("monai_label.app"),
        "version": __version__,
        "labels": list(dict.fromkeys(name for each in labels.values() for name in each.values())),
        "models": {
            name: {**model, "labels": _numbers(each), "description": name} for name, each in labels.items()
        },
        "trainers": {},
        "strategies": {name: {"description": described(f"monai_label.{name}")} for name in STRATEGIES},
        "scoring": {},
        "train_stats": {},
        "datastore": _status(service),
    }


@router.get("/auth/")
def auth() -> dict[str, Any]:
    """Nobody logs in here: a server with a token takes it as ``Authorization: Bearer``."""
    return {"enabled": False}


# --- images and labels -----------------------------------------------------------------------


def images(service: Service) -> dict[str, PatientRow]:
    """The patients by the names that clients show; where two have one name, the second has its key behind."""
    named: dict[str, PatientRow] = {}
    for row in service.worklist.present():
        name = plain_name(row.source.id)
        named[name if name not in named else f"{name}-{row.key}"] = row
    return named


def _image(service: Serving, image: str = "", label: str = "") -> PatientRow:
    row = images(service).get(image or label)
    if row is None:
        raise Refused(404, Fault("server.no_row", ""))
    return row


OneImage = Annotated[PatientRow, Depends(_image)]


@router.get("/datastore/")
def datastore(service: Serving, output: str = "stats") -> Any:
    """All images with their labels (``output=all``), or how many there are."""
    if output != "all":
        return [] if output == "train" else _status(service)
    objects = {
        name: {"image": _described(row), "labels": _labels(row)} for name, row in images(service).items()
    }
    return {"name": "glioseg", "description": sentence("sentences", "monai_label.app"), "objects": objects}


@router.api_route("/datastore/image", methods=["GET", "HEAD"])
async def image_file(row: OneImage, service: Serving) -> Response:
    """FLAIR of a patient as compressed NIfTI."""
    entry = await opened(row, service)
    name = f"{plain_name(entry.scan.id)}.nii.gz"
    return _attached(await asyncio.to_thread(_written, entry, name), name)


@router.get("/datastore/image/info")
def image_info(row: OneImage) -> dict[str, Any]:
    """What is known of a patient."""
    return dict(_described(row)["info"])


@router.put("/datastore/")
@router.put("/datastore/image")
async def add_image(request: Request, service: Serving) -> dict[str, Any]:
    """Add scans to the work list; the first of them is named."""
    before = set(images(service))
    async with request.form(max_files=service.settings.files, max_fields=16) as form:
        uploads = _files(form)
        await asyncio.to_thread(service.adding.receive, uploads, None, False)
    added = [name for name in images(service) if name not in before]
    return {"image": added[0] if added else ""}


@router.api_route("/datastore/label", methods=["GET", "HEAD"])
async def label_file(row: OneImage, service: Serving, tag: Tag = FINAL) -> Response:
    """A mask of a patient as compressed NIfTI."""
    entry = await opened(row, service)
    mask = entry.predicted if tag == ORIGINAL else entry.mask
    if mask is None or (tag == FINAL and FINAL not in _labels(row)):
        raise Refused(404, Fault("server.no_mask", ""))
    file = await asyncio.to_thread(mask_file, entry, mask, "nifti")
    return _attached(file.content, file.name)


@router.get("/datastore/label/info")
def label_info(row: OneImage, tag: Tag = FINAL) -> dict[str, Any]:
    """How a mask was made."""
    labels = _labels(row)
    if tag not in labels:
        raise Refused(404, Fault("server.no_mask", ""))
    return dict(labels[tag]["info"])


@router.put("/datastore/label")
async def save_label(
    request: Request, service: Serving, image: str, tag: Annotated[Tag, Query()] = FINAL
) -> dict[str, Any]:
    """Keep a mask that a person has corrected; a final one counts as checked."""
    row = _image(service, image)
    entry = await opened(row, service)
    if entry.predicted is None:
        await segmented(request, entry, service, Choice())
        await asyncio.to_thread(service.worklist.keep, entry, service.worker.name_of("default"))

    def keep(part: UploadFile) -> None:
        assert entry.predicted is not None
        with tempfile.TemporaryDirectory(dir=entry.folder) as temporary:
            folder = Path(temporary)
            keep_files([part], folder)
            (path,) = (each for each in folder.rglob("*") if each.is_file())
            mask = read_segmentation(path, entry.scan, entry.predicted.labels)
        replace_mask(entry, mask.voxels)
        service.worklist.keep(entry)
        service.worklist.check(row, tag == FINAL)

    async with request.form(max_files=1, max_fields=16) as form:
        parts = _files(form)
        if not parts:
            raise InputError(Fault("server.no_files"))
        await asyncio.to_thread(keep, parts[0])
    return {"image": image, "label": image}


# --- segmenting ------------------------------------------------------------------------------


@router.post("/infer/{model}")
async def infer(
    request: Request, service: Serving, model: str, image: str = "", session_id: str = "", output: str = "all"
) -> Response:
    """The network's mask of a patient, of a scan that comes with the request, or of a session.

    What is kept of a patient stays as it is; only of one that nobody has segmented is the mask kept.
    """
    async with request.form(max_files=service.settings.files, max_fields=16) as form:
        files = _files(form, "file")
        choice = Choice(model, threshold=_threshold(str(form.get("params") or "{}")))
        if files:
            entry = await _uploaded(service, files)
        elif session_id:
            entry = _session(service, session_id)
        else:
            entry = await opened(_image(service, image), service)
    try:
        made = await _predicted(request, service, entry, choice)
        assert made.predicted is not None
        facts = {
            "label_names": _numbers(made.predicted.labels),
            "expected_dsc": None if made.expected_dice is None else round(made.expected_dice, 4),
            "doubts": list(map(str, made.doubts)),
        }
        if output == "json":
            return JSONResponse(facts)
        file = await asyncio.to_thread(mask_file, made, made.predicted, "nifti")
    finally:
        if files:
            service.store.drop(entry.id)
    if output == "image":
        return _attached(file.content, file.name)
    return _multipart(facts, file.name, file.content)


def _threshold(parameters: str) -> float | None:
    """The threshold among the parameters that a client sends, most of which are those of other servers."""
    try:
        threshold = json.loads(parameters).get("threshold")
    except (ValueError, AttributeError):
        raise InputError(Fault("server.not_json", "params")) from None
    if threshold is not None and not (isinstance(threshold, float) and 0 < threshold < 1):
        raise InputError(Fault("model.threshold", threshold=threshold))
    return threshold


async def _predicted(request: Request, service: Service, entry: Entry, choice: Choice) -> Entry:
    """An entry with the network's mask, which is the one that is kept if the same network made that."""
    row = service.worklist.rows.get(entry.row or "")
    if entry.predicted is None:
        await segmented(request, entry, service, choice)
        if row is not None:
            await asyncio.to_thread(service.worklist.keep, entry, service.worker.name_of(choice.model))
        return entry
    kept = None if row is None or row.record is None else row.record.model
    known = choice.model in service.worker.models and kept == service.worker.name_of(choice.model)
    if known and choice.threshold is None:
        return entry
    other = replace(entry, predicted=None, corrected=None, probability=None, row=None, job=None)
    await segmented(request, other, service, choice)
    return other


@router.post("/activelearning/{strategy}")
def next_sample(service: Serving, strategy: str) -> dict[str, Any]:
    """The patient to look at next, of those that nobody has looked at; nothing if there is none."""
    if strategy not in STRATEGIES:
        raise Refused(404, Fault("server.unknown_strategy", known=", ".join(STRATEGIES)))
    left = {
        name: row for name, row in images(service).items() if FINAL not in _labels(row) and not row.faults
    }
    if not left:
        return {}
    doubts = {name: _doubt(row) for name, row in left.items()}
    name = max(doubts, key=doubts.__getitem__) if strategy == "expected_dsc" else next(iter(left))
    return {"id": name, "weight": round(doubts[name], 4), "path": "", **_described(left[name])["info"]}


def _doubt(row: PatientRow) -> float:
    """From 0 (sure) to 1; -1 of a patient whom the network has not seen."""
    if row.record is None:
        return -1.0
    return 0.0 if row.record.expected_dice is None else 1 - row.record.expected_dice


# --- sessions --------------------------------------------------------------------------------


@router.put("/session/")
async def new_session(request: Request, service: Serving) -> dict[str, Any]:
    """Upload a scan that is to be segmented but not listed."""
    async with request.form(max_files=service.settings.files, max_fields=16) as form:
        entry = await _uploaded(service, _files(form))
    return {"session_id": entry.id, "session_info": {"image": entry.scan.id}}


@router.get("/session/{session_id}")
def session(service: Serving, session_id: str) -> dict[str, Any]:
    """Whether a scan that was uploaded is still there."""
    return {"image": _session(service, session_id).scan.id}


@router.delete("/session/{session_id}")
def end_session(service: Serving, session_id: str) -> dict[str, Any]:
    """Forget a scan that was uploaded."""
    entry = _session(service, session_id)
    service.store.drop(entry.id)
    return {"image": entry.scan.id}


def _session(service: Service, id: str) -> Entry:
    entry = service.store.get(id)
    if entry is None or entry.row is not None:
        raise Refused(404, Fault("server.no_scan", ""))
    return entry


def _files(form: FormData, field: str | None = None) -> list[UploadFile]:
    """The files in a form. Clients send whole paths of their machine, of which the last name counts."""
    files = [
        part for name, part in form.multi_items() if isinstance(part, UploadFile) and field in (None, name)
    ]
    for part in files:
        part.filename = (part.filename or "").replace("\\", "/").rpartition("/")[2]
    return files


async def _uploaded(service: Service, uploads: list[UploadFile]) -> Entry:
    def read(id: str, folder: Path) -> Entry:
        keep_files(uploads, folder)
        reserve = partial(service.store.reserve, id)
        return Entry(id, folder, *read_upload(folder, service.settings, [], reserve))

    return await service.new_entry(read)


# --- what is told ----------------------------------------------------------------------------


def _status(service: Service) -> dict[str, Any]:
    rows = service.worklist.present()
    tags = [tag for row in rows for tag in _labels(row)]
    counts = {tag: tags.count(tag) for tag in dict.fromkeys(tags)}
    return {"total": len(rows), "completed": counts.get(FINAL, 0), "label_tags": counts}


def _described(row: PatientRow) -> dict[str, Any]:
    name = plain_name(row.source.id)
    expected = None if row.record is None else row.record.expected_dice
    info = {"name": f"{name}.nii.gz", "status": row.status, "expected_dsc": expected}
    return {"ext": ".nii.gz", "info": info}


def _labels(row: PatientRow) -> dict[str, Any]:
    """The labels that there are of a patient: the network's, and the one that a person left or approved."""
    if row.record is None:
        return {}
    tags = [ORIGINAL, *([FINAL] if row.record.corrected or row.record.checked else [])]
    info = {"model": row.record.model, "status": row.status, "volume_mm3": row.record.numbers["lesion_mm3"]}
    return {tag: {"ext": ".nii.gz", "info": info} for tag in tags}


def _labels_of(model: str | Path) -> Mapping[int, str]:
    """The labels that a model tells; those that ship, and what cannot be read, tell lesion or not."""
    from glioseg.model.weights import find_model, shipped_names

    if str(model) in ("default", *shipped_names()):
        return LESION
    try:
        path = find_model(model)
        return _labels_in(path, path.stat().st_mtime_ns)
    except InputError:  # told to whoever asks for this model; the others can be used
        return LESION


@lru_cache(maxsize=64)
def _labels_in(path: Path, changed: int) -> Mapping[int, str]:
    """The same of a file; read again when it has changed."""
    from glioseg.model.predictor import load_model

    return load_model(path, threads=1).description.labels.named


def _numbers(labels: Any) -> dict[str, int]:
    return {name: value for value, name in labels.items()}


def _written(entry: Entry, name: str) -> bytes:
    with tempfile.TemporaryDirectory(dir=entry.folder) as temporary:
        return write_channel(entry.scan, "flair", Path(temporary) / name).read_bytes()


def _attached(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/gzip", headers=headers)


def _multipart(facts: dict[str, Any], name: str, content: bytes) -> Response:
    """The facts as the field ``params`` and the mask as the file ``image``."""
    border = secrets.token_hex(16)
    head = (
        f'--{border}\r\nContent-Disposition: form-data; name="params"\r\n'
        f"Content-Type: application/json\r\n\r\n{json.dumps(facts)}\r\n"
        f'--{border}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n'
        "Content-Type: application/gzip\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{border}--\r\n".encode()
    return Response(body, media_type=f"multipart/form-data; boundary={border}")
