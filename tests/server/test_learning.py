"""Improving the model over the HTTP API: who is held out, progress, stop, failures, before and after."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from support.learning_kit import tiny_run
from support.patients_kit import sample_patients, small_patient, until
from support.server_kit import BASE, faults, quick_weights, serve

from glioseg.server.app import Application
from glioseg.server.learning import AS_STARTED
from glioseg.server.learning_cases import held_out, patient_of

SLOW_PROGRAM = """
import sys, time, pathlib
folder = pathlib.Path(sys.argv[1])
run = folder / folder.name
run.mkdir()
(run / "metrics.csv").write_text("epoch,seconds\\n1,3.0\\n2,5.0\\n")
time.sleep(600)
"""
KILLED_PROGRAM = "import os; os._exit(9)"


@pytest.fixture(autouse=True)
def quick(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glioseg.model.weights.WEIGHTS", quick_weights(tmp_path_factory.mktemp("weights")))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a network of 32 pixels that can be learned on from."""
    pytest.importorskip("pytorch_lightning")
    return tiny_run(tmp_path_factory.mktemp("tiny") / "tiny")


@contextmanager
def running(tmp_path: Path, **settings: Any) -> Iterator[tuple[TestClient, Application]]:
    app = serve(tmp_path, work=tmp_path / "work", **settings)
    app.service.learning.changes = ("train.epochs=2", "train.batch_size=4")
    with TestClient(app, base_url=BASE) as client:
        yield client, app


def corrected(client: TestClient, count: int, checked: int = 0) -> list[str]:
    """Correct the first patients of the list and mark the next as checked, once all are segmented."""

    def done() -> Any:
        found = client.get("/api/worklist").json()
        busy = found["finding"] or any(row["status"] in ("waiting", "running") for row in found["rows"])
        return None if busy else found["rows"]

    rows = until(done)
    for place, row in enumerate(rows[:count]):
        scan = client.post(f"/api/worklist/{row['key']}/open").json()
        mask = np.zeros(scan["shape"], np.uint8)
        mask[0, 12 + place : 30, 12:34] = 1
        assert client.put(f"/api/scans/{scan['id']}/mask", content=mask.tobytes()).status_code == 200
    for row in rows[count : count + checked]:
        assert client.put(f"/api/worklist/{row['key']}", json={"checked": True}).status_code == 200
    return [row["name"] for row in rows[:count]]


def ended(client: TestClient) -> dict[str, Any]:
    def over() -> Any:
        job = client.get("/api/learning").json()["job"]
        return job if job["state"] in ("done", "failed", "stopped", "interrupted") else None

    return until(over)  # type: ignore[no-any-return]


def patients(folder: Path, count: int) -> Path:
    for number in range(count):
        small_patient(folder, f"p{number + 1}", number * 5)
    return folder


def test_patients_are_held_out_whole_and_the_same_ones_each_time() -> None:
    assert patient_of("bob_2020") == patient_of("bob_2023-05-01") == patient_of("bob-0a1b2c3d") == "bob"
    assert patient_of("patient_01") != patient_of("patient_02")
    names = [f"patient_{number:02d}" for number in range(30)]
    assert held_out(names[:4], ()) == ()
    for count in range(5, 31):
        chosen = held_out(names[:count], ())
        assert len(chosen) == max(2, round(count / 5))
        assert chosen == held_out(names[:count][::-1], ())
        # nobody whom the model has seen, and nobody at all rather than one
        assert not set(held_out(names[:count], chosen)) & set(chosen)
        assert held_out(names[:count], names[: count - 1]) == ()
    assert sum(name in held_out(names[:12], ()) for name in held_out(names[:10], ())) >= 1


@pytest.mark.slow
def test_before_and_after_are_those_of_evaluate_and_one_switches_when_asked(
    tmp_path: Path, tiny: Path
) -> None:
    """The whole way: corrected and checked cases, a training, its comparison, a switch, a restart."""
    from glioseg.dataset.find import find_cases
    from glioseg.evaluation.evaluate import evaluate

    study = tmp_path / "study"
    sample_patients(study, 7, slices=2)
    with running(tmp_path, model=str(tiny), listed=(study,)) as (client, app):
        names = corrected(client, 6, checked=1)
        before = client.get("/api/learning").json()
        assert (before["corrected"], before["checked"], before["held_out"]) == (6, 1, 2)
        assert (before["job"], before["missing"], before["kept"]) == (None, [], True)
        assert client.post("/api/learning").status_code == 202
        faults(client.post("/api/learning"), 409)
        job = ended(client)
        assert job["state"] == "done", job["faults"]
        assert (job["epoch"], job["epochs"], job["base"], job["held_out"]) == (2, 2, "tiny", 2)

        folder = tmp_path / "work" / "learning" / job["name"]
        split = json.loads((folder / "split.json").read_text(encoding="utf-8"))
        out = {patient_of(name) for name in split["validation"]}
        assert out == set(held_out(names, ()))
        assert len(split["train"]) == 5  # the checked one is learned from
        cases = [case for case in find_cases(folder / "data") if case.id in split["validation"]]
        for which, model in (("before", tiny), ("after", folder / job["name"])):
            scores = evaluate(model, cases, pictures=False).own["dice"].values
            assert {one["name"]: one[which] for one in job["change"]["cases"]} == pytest.approx(scores)
            assert job["change"][which] == pytest.approx(np.mean(list(scores.values())))
        assert job["change"]["interval"] is None, "two patients allow none"
        manifest = json.loads((folder / job["name"] / "manifest.json").read_text(encoding="utf-8"))
        assert manifest["status"] == "finished"
        assert not (folder / "cache").exists()
        process = app.service.learning._process
        assert process is not None
        assert process.returncode == 0, (folder / "log.txt").read_text(encoding="utf-8")

        listed = client.get("/api/models").json()
        assert listed["gliomas"], "the tiny one learned from the samples alone"
        models = {one["name"]: one for one in listed["models"]}
        assert models["default"]["called"] == "tiny", "nothing switches by itself"
        assert models[job["name"]]["learned"]["base"] == "tiny"
        faults(client.put("/api/models/default", json={"model": "no such"}), 404)
        assert client.put("/api/models/default", json={"model": job["name"]}).json()["in_use"] == job["name"]
        assert not client.get("/api/models").json()["gliomas"], "nobody says what the patients here had"
        # Patients who were held out stay so: the new model has seen the others.
        assert set(app.service.learning.plan().held_out) == out

    with running(tmp_path, model=str(tiny), listed=(study,)) as (client, app):
        assert client.get("/api/learning").json()["in_use"] == job["name"]
        scan = client.post("/api/samples/TCGA_HT_7692_19960724").json()
        assert client.post(f"/api/scans/{scan['id']}/segment").status_code == 200
        assert client.get(f"/api/scans/{scan['id']}").json()["model"] == job["name"]
        body = {"model": AS_STARTED, "threshold": 0.3}
        assert client.post(f"/api/scans/{scan['id']}/segment", json=body).status_code == 200
        info = client.get(f"/api/scans/{scan['id']}").json()
        assert (info["model"], info["threshold"]) == ("tiny", 0.3)
        assert client.put("/api/models/default", json={"model": AS_STARTED}).json()["in_use"] == "tiny"
    # A server that is started with another model uses that.
    with running(tmp_path, model="bright", listed=(study,)) as (client, _):
        assert client.get("/api/learning").json()["in_use"] == "bright"


def test_progress_stop_restart_and_an_end_from_outside_are_told(tmp_path: Path) -> None:
    study = patients(tmp_path / "study", 3)

    def begin(client: TestClient, app: Application, program: str) -> None:
        app.service.learning.program = (sys.executable, "-c", program)
        reply = client.post("/api/learning")
        assert reply.status_code == 202, reply.text

    def two_epochs(client: TestClient) -> Any:
        job = client.get("/api/learning").json()["job"]
        return job if job["epoch"] == 2 else None

    with running(tmp_path, listed=(study,)) as (client, app):
        text = faults(client.post("/api/learning"), 409)
        assert "learning.nothing" in text
        corrected(client, 1)
        assert client.get("/api/learning").json()["reason"] == "few"
        app.service.learning.changes = ("train.epochs=5",)
        begin(client, app, SLOW_PROGRAM)
        job = until(lambda: two_epochs(client))
        assert (job["state"], job["epochs"]) == ("training", 5)
        assert job["seconds_left"] == pytest.approx(3 * 4.0)
        started = time.monotonic()
        assert client.get("/api/health").status_code == 200
        assert client.delete("/api/learning").json()["job"]["state"] == "stopped"
        assert time.monotonic() - started < 10
        process = app.service.learning._process
        assert process is not None
        assert process.returncode is not None, "the process has ended"

        begin(client, app, KILLED_PROGRAM)
        job = ended(client)
        assert job["state"] == "failed"
        assert job["faults"][0]["code"] == "learning.ended"
        assert "9" in job["faults"][0]["translations"]["zh"]["found"]

        begin(client, app, SLOW_PROGRAM)
        until(lambda: two_epochs(client))
    with running(tmp_path, listed=(study,)) as (client, app):
        job = client.get("/api/learning").json()["job"]
        assert (job["state"], job["epoch"], job["epochs"]) == ("interrupted", 2, 5)
        assert app.service.learning.worker.models.keys() == {"default", "bright"}
    # What a kill of the server leaves: a training without an end.
    os.unlink(tmp_path / "work" / "learning" / job["name"] / "result.json")
    with running(tmp_path, listed=(study,)) as (client, app):
        job = client.get("/api/learning").json()["job"]
        assert (job["state"], job["epoch"]) == ("interrupted", 2)


def test_what_is_wrong_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that cannot be learned on from, a wrong recipe, and training that is not installed."""
    from glioseg.server.learning_run import learn

    def of(result: Path) -> str:
        found = json.loads((result / "result.json").read_text(encoding="utf-8"))
        assert found["state"] == "failed"
        text = json.dumps(found, ensure_ascii=False)
        assert "Traceback" not in text
        assert str(result) not in text
        return text

    study = patients(tmp_path / "study", 2)
    with running(tmp_path, listed=(study,)) as (client, app):
        corrected(client, 1)
        # The bright model is no network that glioseg can build, which the training finds out.
        learning = app.service.learning
        learning.program = (sys.executable, "-c", "pass")
        client.post("/api/learning")
        name = ended(client)["name"]
        folder = tmp_path / "work" / "learning" / name
        learn(folder, learning.jobs[name])
        of(folder)
        learn(folder, {**learning.jobs[name], "settings": ["train.epochs=nonsense"]})
        of(folder)

        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        state = client.get("/api/learning").json()
        assert state["missing"][0]["code"] == "extra.missing"
        assert state["missing"][0]["parameters"]["command"].startswith("pip install")
        faults_of = client.post("/api/learning")
        assert (faults_of.status_code, faults_of.json()["faults"][0]["code"]) == (422, "extra.missing")
