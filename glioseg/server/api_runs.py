"""The routes about runs, for the pages that list and compare them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from glioseg.errors import Fault
from glioseg.runs.patients import find_patient, read_patient, stored_mask, stored_trust
from glioseg.runs.record import ProtocolName
from glioseg.server import schemas
from glioseg.server.faults import Refused
from glioseg.server.runs import compare as compare_runs
from glioseg.server.runs import detail, figures, find_runs, table
from glioseg.server.scans import Entry
from glioseg.server.schemas import BINARY, FULL, NO_RUN, REFUSALS
from glioseg.server.service import Serving, info

router = APIRouter(prefix="/api", responses=REFUSALS)


@router.get("/runs")
def runs(service: Serving) -> dict[str, Any]:
    """The run folders that the server was given; what is wrong with one stands beside it."""
    return {"runs": table(service.settings.runs)}


def _run(name: str, service: Serving) -> tuple[str, Any]:
    run = find_runs(service.settings.runs).get(name)
    if run is None:
        raise Refused(404, Fault("server.no_run", ""))
    return name, run


OneRun = Annotated[tuple[str, Any], Depends(_run)]


@router.get("/runs/{name}", responses=NO_RUN)
def run(run: OneRun) -> dict[str, Any]:
    """One run: curves, scores by patient, protocols, figures."""
    return detail(*run)


@router.get("/runs/{name}/figures/{figure}", response_class=Response, responses={**BINARY, **NO_RUN})
def figure(run: OneRun, figure: str) -> Response:
    """A picture of a run."""
    for path in figures(run[1]):
        if path.name == figure:
            return Response(path.read_bytes(), media_type="image/png")
    raise Refused(404, Fault("server.no_figure", ""))


@router.post("/runs/{name}/patients/{patient}", status_code=201, responses={**NO_RUN, **FULL})
async def open_patient(run: OneRun, patient: str, service: Serving) -> schemas.ScanInfo:
    """Open a patient of a run with the true mask and, when the run was evaluated, the predicted one."""

    def read(id: str, folder: Path) -> Entry:
        case = find_patient(run[1], patient)
        scan, truth = read_patient(run[1], case)
        service.store.reserve(id, scan.voxels.nbytes)
        entry = Entry(id, folder, scan, truth, source=case.source)
        entry.predicted = stored_mask(run[1], scan)
        if entry.predicted is not None:
            entry.doubts, entry.model = ("not_stored",), run[0]
            trust = stored_trust(run[1], scan, entry.predicted)
            if trust is not None:
                entry.expected_dice, entry.doubts = trust.expected_dice, trust.doubts
                how = trust.postprocess
                entry.threshold, entry.postprocessing = how.threshold, how.describe()
        return entry

    return info(await service.new_entry(read), service)


@router.get("/compare", responses=NO_RUN)
def compare(
    service: Serving,
    run: Annotated[list[str], Query(min_length=2, max_length=12)],
    protocol: Annotated[str, Query(pattern="^(own|reference)$")] = "own",
) -> dict[str, Any]:
    """Chosen runs side by side under one protocol, with paired tests; different protocols are refused."""
    found = find_runs(service.settings.runs)
    missing = [name for name in run if name not in found]
    if missing:
        raise Refused(404, Fault("server.no_run", ""))
    kind: ProtocolName = "own" if protocol == "own" else "reference"
    return compare_runs({name: found[name] for name in dict.fromkeys(run)}, kind)
