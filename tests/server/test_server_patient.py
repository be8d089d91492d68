"""What the files say of the patient is told on the machine that serves, and nowhere else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")
pytest.importorskip("pydicom", reason="the extra 'dicom' is not installed")

from fastapi.testclient import TestClient
from support import dicom_kit
from support.server_kit import BASE, faults, quick_weights, serve, slices_of_sample, upload, volume, zipped

HERE = ("127.0.0.1", 50000)
SAID = {
    "PatientName": "Doe^Jane=王^小东",
    "PatientID": "MRN-4711",
    "PatientBirthDate": "19610203",
    "PatientSex": "F",
    "StudyDate": "20010507",
    "StudyDescription": "Brain follow-up of Jane",
    "SpecificCharacterSet": "ISO_IR 192",
}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    monkeypatch.setattr("glioseg.model.weights.WEIGHTS", quick_weights(tmp_path))
    with TestClient(serve(tmp_path), BASE, client=HERE) as client:
        yield client


def study(folder: Path) -> list[Path]:
    z, y, x = np.ogrid[:5, :32, :32]
    ball = ((y - 12) ** 2 + (x - 20) ** 2 + 9 * (z - 2) ** 2 < 30) * 300
    head = ((y - 16) ** 2 + (x - 16) ** 2 < 200) * 200
    return dicom_kit.series(folder, (head + ball).astype(np.uint16).transpose(2, 1, 0), **SAID)


def test_dicom_headers_are_told_here_and_stand_nowhere_else(
    here: TestClient, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    scan = upload(here, study(tmp_path / "study"))
    address = f"/api/scans/{scan['id']}"
    assert here.get(f"{address}/patient").json() == {
        "name": "Doe Jane = 王 小东",
        "id": "MRN-4711",
        "birth_year": "1961",
        "sex": "F",
        "study_date": "2001-05-07",
        "study": "Brain follow-up of Jane",
        "description": "",
        "folder": "",
    }
    assert here.post(f"{address}/segment").status_code == 200
    others = [
        "",
        "/numbers",
        "/numbers?format=csv",
        "/lesions",
        "/view/flair",
        "/report",
        "/outlines?format=png",
    ]
    others += ["/mask?format=nifti", "/mask?format=dicom&anonymise=true", "/probability"]
    for other in others:
        reply = here.get(address + other)
        assert reply.status_code == 200, other
        for secret in ("Doe", "Jane", "王", "MRN-4711", "19610203"):
            assert secret.encode() not in reply.content, (other, secret)
    assert "Doe" not in caplog.text
    assert "MRN-4711" not in caplog.text


def test_nobody_is_told_elsewhere(here: TestClient, tmp_path: Path) -> None:
    scan = upload(here, study(tmp_path / "study"))
    elsewhere = TestClient(here.app, BASE, client=("192.0.2.7", 50000))
    reply = elsewhere.get(f"/api/scans/{scan['id']}/patient")
    assert "elsewhere" in faults(reply, 403)
    assert "Doe" not in reply.text
    assert here.get("/api/scans/nobody/patient").status_code == 404


def test_volumes_and_folders_say_what_they_are(here: TestClient, tmp_path: Path) -> None:
    import nibabel

    image = nibabel.load(volume(tmp_path))  # type: ignore[attr-defined]
    image.header["descrip"] = b"scanned at \x01noon"
    nibabel.save(image, tmp_path / "said.nii.gz")  # type: ignore[attr-defined]
    scan = upload(here, [tmp_path / "said.nii.gz"])
    said = here.get(f"/api/scans/{scan['id']}/patient").json()
    assert said.pop("description") == "scanned at noon"
    assert set(said.values()) == {""}
    packed = zipped({each.name: each.read_bytes() for each in slices_of_sample(tmp_path, masks=False)})
    reply = here.post("/api/scans", files=[("files", ("Doe.zip", packed))])
    said = here.get(f"/api/scans/{reply.json()['id']}/patient").json()
    assert said.pop("folder") == "Doe"
    assert set(said.values()) == {""}


def test_names_are_hidden_at_first_where_others_use_the_server(tmp_path: Path) -> None:
    for settings, alone in (({}, True), ({"token": "t" * 16}, False), ({"allowed_hosts": ("a.org",)}, False)):
        application = serve(tmp_path, **settings)
        assert application.settings.alone is alone
        with TestClient(application, BASE) as client:
            client.headers["Authorization"] = "Bearer " + "t" * 16
            assert ('data-alone="true"' in client.get("/").text) is alone
