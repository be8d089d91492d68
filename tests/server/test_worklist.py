"""The work list over the HTTP API: many patients, kept in a folder, segmented while people read."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from fastapi.testclient import TestClient
from support import dicom_kit, layouts_kit
from support.patients_kit import small_patient, until
from support.server_kit import BASE, as_form, faults, quick_weights, serve, volume, zipped
from support.worklist_kit import corrected, masks_of, rows, running

from glioseg.errors import InputError
from glioseg.io import read_scan
from glioseg.server.jobs import Job
from glioseg.server.scans import PROTECTED
from glioseg.server.settings import Settings
from glioseg.server.start import start_server
from glioseg.server.worklist.rows import WorkList


@pytest.fixture(autouse=True)
def quick(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glioseg.model.weights.WEIGHTS", quick_weights(tmp_path_factory.mktemp("weights")))


@pytest.fixture
def patients(tmp_path: Path) -> Path:
    """A folder of three patients."""
    for seed, name in enumerate(("ann", "bob", "cid")):
        small_patient(tmp_path / "study", name, seed * 5)
    return tmp_path / "study"


def test_what_was_named_is_segmented_corrected_checked_and_there_after_a_restart(
    tmp_path: Path, patients: Path
) -> None:
    from glioseg.model.predictor import load_model

    with running(tmp_path, patients) as (client, _):
        found = rows(client)
        assert list(found) == ["ann", "bob", "cid"]
        assert {row["status"] for row in found.values()} == {"segmented"}
        prediction = load_model("default", threads=1)(read_scan(patients / "bob"))
        assert found["bob"]["lesion_voxels"] == prediction.segmentation.mask.sum() > 0
        numbers, mask = corrected(client, found["ann"])
        assert numbers["lesion_voxels"] == 15
        body = {"checked": True, "revision": numbers["revision"]}
        for name in ("ann", "bob"):
            address = f"/api/worklist/{found[name]['key']}"
            if name == "bob":
                faults(client.put(address, json={"checked": True, "revision": 9}), 409)
                body["revision"] = found["bob"]["revision"]
            assert client.put(address, json=body).json()["status"] == "checked"
        before = rows(client)
        table = client.get("/api/worklist/csv").text
        masks = masks_of(client, tmp_path / "before")

    with running(tmp_path, patients) as (client, app):
        after = rows(client)
        assert after == before
        assert client.get("/api/worklist/csv").text == table
        again = masks_of(client, tmp_path / "after")
        for name in masks:
            np.testing.assert_array_equal(again[name], masks[name])
        # the scan that is opened has the same masks, and the map of probabilities in steps of 1/255
        scan = client.post(f"/api/worklist/{after['ann']['key']}/open").json()
        assert (scan["state"], scan["corrected"], scan["revision"]) == ("done", True, numbers["revision"])
        entry = app.service.store.get(scan["id"])
        np.testing.assert_array_equal(entry.corrected.voxels, mask)
        expected = load_model("default", threads=1)(read_scan(patients / "ann"))
        np.testing.assert_array_equal(entry.predicted.voxels, expected.segmentation.voxels)
        np.testing.assert_allclose(entry.probability, expected.probability, atol=1 / 500)
        # the same mask once more changes nothing; another one takes the check back
        corrected(client, after["ann"])
        assert rows(client)["ann"] == after["ann"]
        corrected(client, after["ann"], top=9)
        assert (rows(client)["ann"]["status"], rows(client)["ann"]["corrected"]) == ("corrected", True)
    table_rows = list(csv.DictReader(io.StringIO(table)))
    assert [(row["id"], row["status"], row["corrected"]) for row in table_rows] == [
        ("ann", "checked", "True"),
        ("bob", "checked", "False"),
        ("cid", "segmented", "False"),
    ]


def test_patients_of_one_name_have_files_of_their_own(tmp_path: Path) -> None:
    places = [tmp_path / study for study in ("first", "second", "third")]
    for seed, place in enumerate(places):
        small_patient(place, "ann", seed)
    places[2] = Path(shutil.make_archive(str(places[2]), "zip", places[2]))
    with running(tmp_path, *places) as (client, _):
        until(lambda: client.get("/api/worklist/csv").text.count("segmented") == 3)
        table = list(csv.DictReader(io.StringIO(client.get("/api/worklist/csv").text)))
        assert [row["id"] for row in table] == ["ann", "ann-2", "ann-3"]
        masks = masks_of(client, tmp_path / "masks", "nifti")
        assert sorted(masks) == ["ann-2_mask.nii.gz", "ann-3_mask.nii.gz", "ann_mask.nii.gz"]


def test_only_what_changed_is_told_again(tmp_path: Path, patients: Path) -> None:
    with running(tmp_path, patients) as (client, _):
        found = rows(client)

        def quiet() -> Any:
            version = client.get("/api/worklist").json()["version"]
            time.sleep(0.2)
            told = client.get(f"/api/worklist?since={version}").json()
            return version if told["rows"] == [] and told["version"] == version else None

        version = until(quiet)
        corrected(client, found["cid"])
        (row,) = client.get(f"/api/worklist?since={version}").json()["rows"]
        assert (row["name"], row["status"]) == ("cid", "corrected")
        picture = client.get(row["thumbnail"])
        assert picture.content[:4] == b"\x89PNG"


def test_folders_zips_and_batches_are_added_and_kept(tmp_path: Path, patients: Path) -> None:
    files = {path.relative_to(patients).as_posix(): path.read_bytes() for path in patients.rglob("*.tif")}
    parts = [("files", (name, content)) for name, content in files.items()]
    with running(tmp_path) as (client, app):
        first = client.post("/api/worklist?more=true", files=parts[:1]).json()
        assert first["scans"] == 0
        whole = client.post(f"/api/worklist?batch={first['batch']}", files=parts[1:]).json()
        assert (whole["scans"], whole["total"], whole["batch"]) == (3, 3, "")
        archive = zipped({"e/e.tif": files["ann/ann.tif"], "f/f.tif": files["bob/bob.tif"]})
        # what one thought to be one scan goes to the list if the client says so
        reply = client.post("/api/scans?several=list", files=[("files", ("two.zip", archive))])
        assert (reply.status_code, reply.json()["scans"]) == (202, 2)
        assert "two.zip" not in faults(
            client.post("/api/scans", files=[("files", ("two.zip", archive))]), 422
        )
        found = rows(client)
        assert sorted(found) == ["ann", "bob", "cid", "e", "f"]
        # what holds no scan leaves nothing
        faults(client.post("/api/worklist", files=[("files", ("a.txt", b"text"))]), 422)
        faults(client.post("/api/worklist", files=[("files", ("../a.tif", b"text"))]), 422)
        faults(client.post("/api/worklist?batch=unheard-of", files=parts), 422)
        assert len(list((tmp_path / "work" / "uploads").iterdir())) == 2
    (tmp_path / "work").rename(tmp_path / "moved")  # uploads are known by their place in the folder
    app = serve(tmp_path, work=tmp_path / "moved")
    with TestClient(app, base_url=BASE) as client:
        assert rows(client) == found


def test_too_much_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    with running(tmp_path, work_bytes=1000) as (client, _):
        text = faults(client.post("/api/worklist", files=as_form([volume(tmp_path)])), 422)
        assert "server.work_full" in text
        assert list((tmp_path / "work" / "uploads").iterdir()) == []


def test_a_bad_scan_stops_no_other_and_is_told_without_its_place(tmp_path: Path, patients: Path) -> None:
    bad = patients / "bob" / "bob.tif"
    bad.write_bytes(b"II*\0 no picture")
    with running(tmp_path, patients) as (client, _):
        found = rows(client)
        assert [row["status"] for row in found.values()] == ["segmented", "failed", "segmented"]
        assert "bob.tif" in found["bob"]["faults"][0]["where"]
        faults(client.post(f"/api/worklist/{found['bob']['key']}/open"), 422)
        assert str(tmp_path) not in client.get("/api/worklist").text + client.get("/api/worklist/csv").text
        # a scan that goes away later is missing in the archive, which says so
        (patients / "cid" / "cid.tif").unlink()
        with zipfile.ZipFile(io.BytesIO(client.get("/api/worklist/masks").content)) as archive:
            assert {name.split("/")[0] for name in archive.namelist()} == {
                "ann_mask.tif",
                "work-list.csv",
                "faults.txt",
            }
            text = archive.read("faults.txt").decode()
        assert text.startswith("cid: ")
        assert str(tmp_path) not in text


def test_other_files_in_the_place_of_a_scan_do_not_get_its_mask(tmp_path: Path, patients: Path) -> None:
    with running(tmp_path, patients) as (client, _):
        _, mask = corrected(client, rows(client)["ann"])
    os.utime(patients / "ann" / "ann.tif", (1, 1))  # touched, but the same
    with running(tmp_path, patients) as (client, _):
        assert rows(client)["ann"]["status"] == "corrected"
    (patients / "ann" / "ann.tif").write_bytes((patients / "bob" / "bob.tif").read_bytes())
    with running(tmp_path, patients) as (client, _):
        row = rows(client)["ann"]
        assert (row["status"], row["files_changed"]) == ("segmented", True)
        (aside,) = (tmp_path / "work" / "rows").glob(f"{row['key']}-before-*")
        with np.load(next(aside.glob("corrected-*.npz"))) as kept:
            assert kept["labels"].sum() == mask.sum()


def test_a_damaged_record_is_told_and_stays(tmp_path: Path, patients: Path) -> None:
    with running(tmp_path, patients) as (client, _):
        row = rows(client)["ann"]
    record = tmp_path / "work" / "rows" / row["key"] / "record.json"
    text = record.read_text()
    for damage in ("{", json.dumps({**json.loads(text), "network": "../../x.npz"})):
        record.write_text(damage)
        with running(tmp_path, patients) as (client, _):
            found = rows(client)["ann"]
            assert found["status"] == "failed"
            assert found["faults"][0]["code"] == "server.work_damaged"
            assert str(tmp_path) not in json.dumps(found)
        assert record.read_text() == damage
    record.write_text(text)
    with running(tmp_path, patients) as (client, _):
        assert rows(client)["ann"] == row


def test_a_write_that_fails_leaves_the_mask_before_it(
    tmp_path: Path, patients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record is written last: until then the one before holds, with its masks."""
    with running(tmp_path, patients) as (client, _):
        numbers, mask = corrected(client, rows(client)["ann"])
        before = rows(client)["ann"]

        def full(path: Path, content: Any) -> Path:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("glioseg.server.worklist.folder.write_json", full)
            scan = client.post(f"/api/worklist/{before['key']}/open").json()
            address = f"/api/scans/{scan['id']}/mask"
            faults(client.put(address, content=bytes(mask.size)), 507)  # so that the page keeps what it drew
    with running(tmp_path, patients) as (client, app):
        assert rows(client)["ann"] == before
        scan = client.post(f"/api/worklist/{before['key']}/open").json()
        entry = app.service.store.get(scan["id"])
        np.testing.assert_array_equal(entry.corrected.voxels, mask)
        assert entry.revision == numbers["revision"]


def test_people_go_first_and_get_the_patient_that_is_being_segmented(
    tmp_path: Path, patients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A segmentation in the background makes room, and is done again if nobody else did it."""
    with running(tmp_path, patients) as (client, app):
        worker = app.service.worker
        rows(client)
        small_patient(tmp_path / "late", "dan", 99)
        held = worker.submit_later  # the next one is never begun: as if it were slow

        def slow(entry: Any, choice: Any) -> Any:
            job = held(entry, choice)
            worker._later.clear()
            worker._running = job
            return job

        monkeypatch.setattr(worker, "submit_later", slow)
        app.service.worklist.add([tmp_path / "late"], tmp_path)
        (row,) = until(lambda: [row for row in app.service.worklist.rows.values() if row.status == "running"])
        job = row.job
        monkeypatch.undo()
        scan = client.post(f"/api/worklist/{row.key}/open").json()
        assert scan["state"] == "new"
        numbers = client.post(f"/api/scans/{scan['id']}/segment").json()
        assert job.cancelled
        job.end("cancelled")
        assert rows(client)["dan"]["lesion_voxels"] == numbers["lesion_voxels"]
        assert rows(client)["dan"]["revision"] == numbers["revision"] == 1


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    with running(tmp_path) as (_, app):
        with pytest.raises(InputError) as refused:
            WorkList(app.settings, app.service.store)
        assert refused.value.faults[0].code == "server.work_in_use"


def test_a_corrected_patient_makes_room_and_comes_back_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list keeps corrections, so that the few scans in memory are no limit."""
    monkeypatch.setitem(PROTECTED, "segmented", 0.1)
    for seed in range(4):
        small_patient(tmp_path / "study", f"p{seed}", seed)
    with running(tmp_path, tmp_path / "study", scans=2, room_seconds=30) as (client, app):
        found = rows(client)
        voxels = {}
        for name, row in found.items():
            _, mask = corrected(client, row)
            mask[:] = 0
            voxels[name] = mask
        assert len(app.service.store) <= 2
        assert {row["status"] for row in rows(client).values()} == {"corrected"}
        assert all(voxel.sum() == 15 for voxel in masks_of(client, tmp_path / "all").values())


def test_a_browser_names_no_path_of_the_server(tmp_path: Path, patients: Path) -> None:
    with running(tmp_path) as (client, _):
        for key in ("..%2f..%2fetc", "ann", str(patients).replace("/", "%2F")):
            assert client.post(f"/api/worklist/{key}/open").status_code in (404, 405)
            assert client.get(f"/api/worklist/{key}/thumbnail").status_code == 404
        assert client.get("/api/worklist").json()["total"] == 0


def test_a_study_of_several_patients_and_a_bids_tree_are_rows(tmp_path: Path) -> None:
    """Each with its truth beside it, and DICOM with its SEG out, though rows hold no headers."""
    voxels = np.asarray(nibabel.load(volume(tmp_path)).dataobj)
    for number in (1, 2):
        place, who = tmp_path / "study" / f"p{number}", {"PatientID": f"P{number}", "study": str(number)}
        dicom_kit.series(place / "flair", voxels, name="AX FLAIR", **who)
        dicom_kit.series(place / "t1", voxels, name="AX T1", **who)
    layouts_kit.bids(tmp_path / "bids", layouts_kit.pieces(2, slices=2, size=48))
    with running(tmp_path, tmp_path / "study", tmp_path / "bids") as (client, _):
        found = rows(client)
        assert {row["status"] for row in found.values()} == {"segmented"}
        assert sorted(row["format"] for row in found.values()) == ["dicom", "dicom", "nifti", "nifti"]
        study = next(row for row in found.values() if row["format"] == "dicom")
        scan = client.post(f"/api/worklist/{study['key']}/open").json()
        assert scan["filled"] == ["post"]
        assert client.get(f"/api/scans/{scan['id']}/mask").headers["content-type"] == "application/dicom"
        tree = next(row for row in found.values() if row["format"] == "nifti")
        assert client.post(f"/api/worklist/{tree['key']}/open").json()["truth"]
        with zipfile.ZipFile(io.BytesIO(client.get("/api/worklist/masks?anonymise=true").content)) as archive:
            names = archive.namelist()
        assert sorted(Path(name).suffix for name in names) == [".csv", ".dcm", ".dcm", ".gz", ".gz"]


def test_a_scan_that_is_not_there_is_told_before_the_server_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        start_server(Settings(listed=(tmp_path / "nowhere",), work=tmp_path / "work"), False, print)
    assert refused.value.faults[0].where == str(tmp_path / "nowhere")
    assert not (tmp_path / "work").exists()


def test_the_list_is_opened_also_when_its_scans_are_not_named_again(tmp_path: Path) -> None:
    for settings in (Settings(listed=(tmp_path,)), Settings(work=tmp_path)):
        assert settings.first_page.endswith("/list")
    for settings in (Settings(), Settings(demo=True), Settings(demo=True, work=tmp_path)):
        assert settings.first_page == settings.page()


def test_who_opens_a_patient_gets_the_memory_of_the_background(
    tmp_path: Path, patients: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(tmp_path, scans=1) as (client, app):
        monkeypatch.setattr(
            app.service.worker, "submit_later", lambda entry, choice: Job(choice, yields=True)
        )
        app.service.worklist.add([patients], tmp_path)
        row = until(
            lambda: next((row for row in app.service.worklist.rows.values() if row.job is not None), None)
        )
        threading.Thread(
            target=lambda job: until(lambda: job.cancelled) and job.end("cancelled"), args=[row.job]
        ).start()
        other = next(each for each in app.service.worklist.rows.values() if each is not row)
        assert client.post(f"/api/worklist/{other.key}/open").status_code == 201
        monkeypatch.undo()
