"""The routes about models: which there are, which is in use, and how it is improved from corrected cases."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from glioseg.errors import Fault, InputError
from glioseg.server.faults import FaultModel, Faults, Refused, as_dict
from glioseg.server.learning import AS_STARTED, Learning, learned_from, model_file
from glioseg.server.schemas import FULL, REFUSALS
from glioseg.server.service import Serving
from glioseg.training.extra import require_train

router = APIRouter(prefix="/api", responses=REFUSALS)

ENOUGH = 6
"""Patients from which on an interval and a test can show a difference."""

Reason = Literal["few", "seen"]


class LearnedCase(BaseModel):
    """A case that was held out, and the Dice (DSC) of both models on its own grid."""

    name: str
    before: float
    after: float


class LearnedChange(BaseModel):
    """What became of the model on the corrected cases that were held out."""

    cases: list[LearnedCase]
    before: float = Field(description="mean DSC of the model that it started from")
    after: float = Field(description="mean DSC of the new model, on the same cases")
    difference: float
    interval: tuple[float, float] | None = Field(
        description="95 % of the mean difference, bootstrap over the pairs; none with fewer than 6"
    )
    larger_than_noise: bool


class LearningJob(BaseModel):
    """A training that learns on."""

    name: str = Field(description="what its model is called")
    started: str
    base: str = Field(description="the model that it started from")
    corrected: int = Field(description="patients with corrections, those that are held out among them")
    checked: int = Field(description="patients whose mask was found right")
    held_out: int = Field(description="patients that were not learned from")
    reason: Reason | None = Field(description="why nobody was held out")
    state: Literal[
        "collecting", "preparing", "training", "comparing", "done", "failed", "stopped", "interrupted"
    ]
    epoch: int = Field(description="epochs that are done")
    epochs: int
    seconds_left: float | None = Field(description="once an epoch has told how long one takes")
    collected: tuple[int, int] | None = Field(description="cases that were read, and of how many")
    change: LearnedChange | None
    faults: list[FaultModel]


class LearningState(BaseModel):
    """What there is to learn from, the last training, and the model in use."""

    missing: list[FaultModel] = Field(description="what training needs and is not installed")
    unfit: FaultModel | None = Field(description="why the model in use cannot learn here, if it cannot")
    corrected: int = Field(description="patients with corrections")
    checked: int = Field(description="patients whose mask was found right")
    held_out: int = Field(description="patients that the next training would not learn from")
    reason: Reason | None = Field(description="why nobody would be held out")
    in_use: str = Field(description="what the model in use is called")
    kept: bool = Field(description="whether models outlive the server")
    job: LearningJob | None = Field(description="the training that was begun last")


class ModelInfo(BaseModel):
    """A model that can be asked for."""

    name: str
    title: str
    called: str = Field(description="its own name, where `name` says which role it has")
    in_use: bool = Field(description="whether it is the one that `default` means")
    learned: LearningJob | None = Field(description="of a model that was learned here: where it comes from")


class Models(BaseModel):
    """The models of this server."""

    models: list[ModelInfo]
    gliomas: bool = Field(description="whether the one in use learned from gliomas alone")


class UseBody(BaseModel):
    """The model to use from now on."""

    model_config = ConfigDict(
        extra="forbid", strict=True, json_schema_extra={"examples": [{"model": "default"}]}
    )

    model: str = Field(description="one of /api/models")


VARIANTS = {
    "fast": "8-bit network: faster, nearly the same masks",
    "second": "two networks: half as fast, misses fewer lesions",
}
NO_MODEL: dict[int | str, dict[str, Any]] = {
    404: {"model": Faults, "description": "There is no such model."},
}
NOT_TWICE: dict[int | str, dict[str, Any]] = {
    409: {"model": Faults, "description": "A training is going on, or there is nothing to learn from."},
}


@router.get("/models")
def list_models(service: Serving) -> Models:
    """The models that can be asked for."""
    from glioseg.model.weights import model_summaries, named, shipped_names

    titles = {
        "default": "the server's own choice",
        AS_STARTED: "what the server was started with",
        **model_summaries(),
    }
    titles |= {name: VARIANTS.get(named(name)[1], titles.get(name, name)) for name in shipped_names()}
    learning, worker = service.learning, service.worker
    models = []
    files = {name: model_file(model) for name, model in list(worker.models.items())}
    shipped = {files[name] for name in shipped_names()}
    for name, file in files.items():
        if name == AS_STARTED and file in shipped:
            continue  # it has a name of its own
        learned = _job(learning, name) if name in learning.jobs else None
        origin = f"learned from corrected cases, on from {learned.base}" if learned else name
        models.append(
            ModelInfo(
                name=name,
                title=titles.get(name, origin),
                called=worker.name_of(name),
                in_use=file is not None and file == files["default"],
                learned=learned,
            )
        )
    used = files["default"]
    return Models(models=models, gliomas=used is not None and learned_from(used).gliomas)


@router.put("/models/default", responses=NO_MODEL)
def use(body: UseBody, service: Serving) -> LearningState:
    """Make a model the one that is used where no other is asked for, by the work list too.

    Masks that are there already stay as they are.
    """
    if body.model not in service.worker.models:
        raise Refused(404, Fault("server.unknown_model", known=", ".join(service.worker.models)))
    service.learning.use(body.model)
    return state(service)


@router.get("/learning")
def state(service: Serving) -> LearningState:
    """What there is to learn from, and how far the last training is or what became of it."""
    learning, missing = service.learning, []
    try:
        require_train()
    except InputError as error:
        missing = [FaultModel.model_validate(as_dict(fault)) for fault in error.faults]
    plan, latest, unfit = learning.plan(), learning.latest, learning.unfit
    return LearningState(
        missing=missing,
        unfit=None if unfit is None else FaultModel.model_validate(as_dict(unfit)),
        corrected=len(plan.cases.corrected),
        checked=len(plan.cases.checked),
        held_out=len(plan.held_out),
        reason=plan.reason,  # type: ignore[arg-type]
        in_use=service.worker.name_of("default"),
        kept=service.settings.work is not None,
        job=None if latest is None else _job(learning, latest),
    )


@router.post("/learning", status_code=202, responses={**FULL, **NOT_TWICE})
def improve(service: Serving) -> LearningState:
    """Begin to learn on from the model in use, in a process of its own; `GET` says how far it is.

    It learns from the corrected and checked cases of the work list and from the folder of saved corrected
    cases. The model in use stays the one it is.
    """
    service.learning.start()
    return state(service)


@router.delete("/learning")
def stop(service: Serving) -> LearningState:
    """Stop the training that is going on; nothing of it stays."""
    service.learning.stop()
    return state(service)


def _job(learning: Learning, name: str) -> LearningJob:
    job, progress = learning.jobs[name], learning.progress(name)
    return LearningJob(
        **{key: job[key] for key in ("name", "started", "corrected", "checked", "reason")},
        base=job["base_name"],
        held_out=len(job["held_out"]),
        state=progress["state"],
        epoch=progress["epoch"],
        epochs=progress["epochs"],
        seconds_left=progress.get("seconds_left"),
        collected=progress.get("collected"),
        change=_change(progress.get("change")),
        faults=[FaultModel.model_validate(fault) for fault in progress.get("faults", [])],
    )


def _change(change: dict[str, Any] | None) -> LearnedChange | None:
    """What ``change.json`` of a run says of the patients that were held out."""
    if change is None:
        return None
    cases = [
        LearnedCase(name=name, before=before, after=after)
        for name, (before, after) in change["single"].items()
    ]
    low, high = change["interval_95"]
    return LearnedChange(
        cases=cases,
        before=change["before"],
        after=change["after"],
        difference=change["difference"],
        interval=(low, high) if len(cases) >= ENOUGH else None,
        larger_than_noise=change["larger_than_noise"],
    )
