"""The HTTP API: what a client gets, and what the server refuses."""

from __future__ import annotations

import csv
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient
from server_kit import quick_weights, slices_of_sample, volume

from glioseg.io import read_mask, read_scan
from glioseg.samples import sample_cases
from glioseg.server.app import Application, create_app
from glioseg.server.settings import Settings

BASE = "http://127.0.0.1:8765"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights with the quick model as the default."""
    return quick_weights(tmp_path_factory.mktemp("weights"))


@pytest.fixture(autouse=True)
def use_quick_model(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glioseg.inference.model_file.WEIGHTS", weights)


def serve(tmp_path: Path, **settings: Any) -> Application:
    return create_app(Settings(corrected=tmp_path / "corrected", threads=1, **settings))


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    with TestClient(serve(tmp_path), base_url=BASE) as opened:
        yield opened


def as_form(paths: list[Path]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (path.name, path.read_bytes())) for path in paths]


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def upload(client: TestClient, paths: list[Path]) -> dict[str, Any]:
    reply = client.post("/api/scans", files=as_form(paths))
    assert reply.status_code == 201, reply.text
    info: dict[str, Any] = reply.json()
    return info


def faults(reply: Any, status: int) -> str:
    """The text of a refusal, which never shows a path, a library's error or a stack trace."""
    assert reply.status_code == status, reply.text
    listed = reply.json()["faults"]
    assert listed
    assert all(set(one) == {"where", "expected", "found", "cure"} for one in listed)
    text = str(reply.text)
    for secret in ("Traceback", "site-packages", "glioseg-serve-", "/tmp", 'File \\"'):
        assert secret not in text
    return text


# --- what a client gets ---------------------------------------------------------------------


def test_slices_with_truth_from_upload_to_every_download(client: TestClient, tmp_path: Path) -> None:
    paths = slices_of_sample(tmp_path)
    scan = upload(client, paths)
    assert scan["shape"] == [4, 256, 256]
    assert scan["truth"]
    assert (scan["state"], scan["name"]) == ("new", "TCGA_CS_4944_20010208")
    address = f"/api/scans/{scan['id']}"
    assert client.get(f"{address}/numbers").status_code == 409

    numbers = client.post(f"{address}/segment").json()
    assert numbers["lesion_voxels"] == sum(numbers["per_slice"]["predicted"]) > 0
    assert 0 < numbers["metrics"]["dice"]["value"] <= 1
    assert "own grid" in numbers["protocol"]
    assert client.get(f"{address}/numbers").json() == numbers
    row = next(csv.DictReader(io.StringIO(client.get(f"{address}/numbers?format=csv").text)))
    assert float(row["dice"]) == numbers["metrics"]["dice"]["value"]

    from glioseg.inference.predictor import load_predictor

    source = tmp_path / "again"
    source.mkdir()
    expected = load_predictor("default", threads=1)(read_scan(tmp_path)).mask
    for format, suffix in (("native", ".tif"), ("tif", ".tif"), ("png", ".png")):
        with zipfile.ZipFile(io.BytesIO(client.get(f"{address}/mask?format={format}").content)) as archive:
            archive.extractall(source / format)
        files = sorted((source / format).rglob(f"*{suffix}"))
        assert len(files) == 4
        assert (read_mask(files[0].parent).voxels == expected.voxels).all()
    (source / "m.nii.gz").write_bytes(client.get(f"{address}/mask?format=nifti").content)
    assert (read_mask(source / "m.nii.gz").voxels == expected.voxels).all()
    assert client.get(f"{address}/outlines").content[:4] == b"GIF8"
    with zipfile.ZipFile(io.BytesIO(client.get(f"{address}/outlines?format=png").content)) as archive:
        assert len(archive.namelist()) == 4
    assert client.get(f"{address}/mask?which=true").status_code == 200

    assert client.delete(address).status_code == 204
    faults(client.get(address), 404)


def test_nifti_comes_back_on_its_own_grid(client: TestClient, tmp_path: Path) -> None:
    import nibabel

    path = volume(tmp_path)
    scan = upload(client, [path])
    address = f"/api/scans/{scan['id']}"
    numbers = client.post(f"{address}/segment").json()
    assert numbers["diameter_unit"] == "mm"
    assert numbers["metrics"] is None

    from glioseg.inference.predictor import load_predictor
    from glioseg.io import write_mask

    reply = client.get(f"{address}/mask")
    assert reply.headers["content-disposition"].startswith('attachment; filename="head_mask.nii.gz"')
    prediction = load_predictor("default", threads=1)(read_scan(path))
    assert reply.content == write_mask(prediction.mask, tmp_path / "out")[0].read_bytes()

    (tmp_path / "p.nii.gz").write_bytes(client.get(f"{address}/probability").content)
    stored: Any = nibabel.load(tmp_path / "p.nii.gz")
    original: Any = nibabel.load(path)
    assert stored.shape == original.shape
    np.testing.assert_allclose(stored.affine, original.affine, atol=1e-5)
    presented = read_scan(tmp_path / "p.nii.gz").channel("flair")
    np.testing.assert_allclose(presented, prediction.probability, atol=1e-6)


def test_view_layers_are_nifti_that_needs_no_turning(client: TestClient, tmp_path: Path) -> None:
    import nibabel

    path = volume(tmp_path)
    scan = upload(client, [path])
    address = f"/api/scans/{scan['id']}"
    client.post(f"{address}/segment")
    flair = read_scan(path).channel("flair")
    for layer in ("pre", "flair", "post", "rgb", "predicted", "probability"):
        content = client.get(f"{address}/view/{layer}").content
        image: Any = nibabel.Nifti1Image.from_bytes(content)
        slices, height, width = scan["shape"]
        assert image.shape[:3] == (width, height, slices)
        assert nibabel.aff2axcodes(image.affine) == ("R", "A", "S")
        if layer == "flair":
            shown = np.asarray(image.dataobj).transpose(2, 1, 0)[:, ::-1, ::-1]
            np.testing.assert_array_equal(shown, flair)
        if layer == "predicted":
            body = np.frombuffer(content, np.uint8, offset=352).reshape(slices, height, width)
            stored = np.asarray(image.dataobj).transpose(2, 1, 0)
            np.testing.assert_array_equal(body, stored)
    faults(client.get(f"{address}/view/true"), 409)
    faults(client.get(f"{address}/view/other"), 422)


def test_a_corrected_mask_replaces_the_predicted_one(client: TestClient, tmp_path: Path) -> None:
    path = volume(tmp_path)
    scan = upload(client, [path])
    address = f"/api/scans/{scan['id']}"
    client.post(f"{address}/segment")
    painted = np.zeros(scan["shape"], np.uint8)
    painted[2, 5:9, 1:6] = 1
    numbers = client.put(f"{address}/mask", content=painted.tobytes()).json()
    assert numbers["corrected"]
    assert numbers["lesion_voxels"] == 20
    assert numbers["per_slice"]["predicted"][2] == 20
    (tmp_path / "m.nii.gz").write_bytes(client.get(f"{address}/mask").content)
    mask = read_mask(tmp_path / "m.nii.gz", read_scan(path).grid)
    np.testing.assert_array_equal(mask.voxels, painted != 0)
    faults(client.put(f"{address}/mask", content=painted.tobytes()[:-1]), 422)
    faults(client.put(f"{address}/mask", content=painted.tobytes() + b"0"), 422)


def test_corrected_cases_are_collected_as_training_reads_them(client: TestClient, tmp_path: Path) -> None:
    from glioseg.dataset.find import find_cases, read_case

    source = tmp_path / "slices"
    source.mkdir()
    scan = upload(client, slices_of_sample(source, masks=False))
    address = f"/api/scans/{scan['id']}"
    faults(client.post(f"{address}/save"), 409)
    client.post(f"{address}/segment")
    painted = np.zeros(scan["shape"], np.uint8)
    painted[1, 20:30, 40:60] = 1
    client.put(f"{address}/mask", content=painted.tobytes())
    other = upload(client, [volume(tmp_path)])
    client.post(f"/api/scans/{other['id']}/segment")
    for one in (scan, other, scan):
        assert client.post(f"/api/scans/{one['id']}/save").status_code == 201
    cases = find_cases(tmp_path / "corrected")
    assert len(cases) == 2
    saved, truth = read_case(next(case for case in cases if case.id.startswith("TCGA")))
    assert truth is not None
    np.testing.assert_array_equal(truth.voxels, painted != 0)
    np.testing.assert_array_equal(saved.voxels, read_scan(source).voxels)


def test_samples_open_with_their_truth(client: TestClient) -> None:
    samples = client.get("/api/samples").json()["samples"]
    assert [sample["name"] for sample in samples] == [case.id for case in sample_cases()]
    scan = client.post(f"/api/samples/{samples[0]['name']}").json()
    assert scan["truth"]
    first = client.post(f"/api/scans/{scan['id']}/segment").json()
    again = client.post(f"/api/samples/{samples[0]['name']}").json()
    assert again["id"] != scan["id"]
    assert client.post(f"/api/scans/{again['id']}/segment").json() == first
    stricter = client.post(f"/api/scans/{again['id']}/segment", json={"threshold": 0.9}).json()
    assert stricter["lesion_voxels"] < first["lesion_voxels"]
    faults(client.post("/api/samples/..%2F..%2Fsecret"), 404)


@pytest.mark.parametrize("wrapped", ["", "patient/", "deep/er/patient/"])
def test_a_zip_of_a_patient_folder(client: TestClient, tmp_path: Path, wrapped: str) -> None:
    paths = slices_of_sample(tmp_path)
    content = zipped({wrapped + path.name: path.read_bytes() for path in paths} | {"__MACOSX/._x": b"x"})
    reply = client.post("/api/scans", files=[("files", ("case.zip", content))])
    assert reply.status_code == 201, reply.text
    assert reply.json()["truth"]


def test_sequences_and_mask_as_separate_volumes(client: TestClient, tmp_path: Path) -> None:
    paths = [volume(tmp_path, f"P1_{name}.nii.gz", seed) for seed, name in enumerate(("flair", "t1", "t1ce"))]
    scan = read_scan(flair=paths[0])
    from glioseg.io import write_mask
    from glioseg.scan import Mask

    paths += write_mask(Mask(scan.channel("flair") > 200, scan.grid, "P1"), tmp_path)
    info = upload(client, paths)
    assert info["filled"] == []
    assert info["truth"]


def dicom_study(folder: Path) -> dict[str, bytes]:
    """The files of a study: a head with a bright ball as FLAIR, and a T1."""
    import dicom_kit
    import nibabel

    voxels = np.asarray(nibabel.load(volume(folder)).dataobj)  # type: ignore[attr-defined]
    dicom_kit.series(folder / "study" / "1", voxels, name="AX T2 FLAIR")
    dicom_kit.series(folder / "study" / "2", voxels, name="AX T1", suffix="")
    files = sorted(path for path in (folder / "study").rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("how", ["zip", "zip of a folder", "files"])
def test_dicom_from_upload_to_seg(client: TestClient, tmp_path: Path, how: str) -> None:
    import pydicom

    files = dicom_study(tmp_path)
    plain = {name.replace("/", "_"): content for name, content in files.items()}
    form = {
        "zip": [("files", ("case 7.zip", zipped(plain)))],
        "zip of a folder": [("files", ("any.zip", zipped(files)))],
        "files": [("files", item) for item in plain.items()],
    }[how]
    reply = client.post("/api/scans", files=form)
    assert reply.status_code == 201, reply.text
    scan = reply.json()
    assert scan["format"] == "dicom"
    assert scan["filled"] == ["post"]
    assert scan["name"] == {"zip": "case 7", "zip of a folder": "any", "files": "dicom"}[how]
    address = f"/api/scans/{scan['id']}"
    assert client.post(f"{address}/segment").json()["lesion_voxels"] > 0

    seg = client.get(f"{address}/mask?format=dicom")
    assert seg.headers["content-type"] == "application/dicom"
    assert seg.content == client.get(f"{address}/mask").content
    (tmp_path / "m.dcm").write_bytes(seg.content)
    (tmp_path / "m.nii.gz").write_bytes(client.get(f"{address}/mask?format=nifti").content)
    mask = read_mask(tmp_path / "m.dcm")
    assert mask.voxels.any()
    assert (read_mask(tmp_path / "m.nii.gz", mask.grid).voxels == mask.voxels).all()
    assert pydicom.dcmread(tmp_path / "m.dcm").PatientID == "MRN-0815"
    assert b"MRN-0815" not in client.get(f"{address}/mask?format=dicom&anonymise=true").content
    assert client.get(f"{address}/probability").status_code == 200
    for path in ("", "/numbers", "/numbers?format=csv"):
        assert "Mustermann" not in client.get(address + path).text


def test_a_series_of_a_study_can_be_chosen(client: TestClient, tmp_path: Path) -> None:
    content = zipped(dicom_study(tmp_path))
    form = [("files", ("p.zip", content))]
    reply = client.post("/api/scans", files=form, data={"series": ["flair=AX T1", "pre=none"]})
    assert reply.status_code == 201, reply.text
    assert reply.json()["filled"] == ["pre", "post"]
    faults(client.post("/api/scans", files=form, data={"series": ["t2=AX T1"]}), 422)


def test_a_seg_is_for_dicom(client: TestClient, tmp_path: Path) -> None:
    scan = upload(client, [volume(tmp_path)])
    address = f"/api/scans/{scan['id']}"
    client.post(f"{address}/segment")
    assert "format=nifti" in faults(client.get(f"{address}/mask?format=dicom"), 422)


# --- what the server refuses ----------------------------------------------------------------


def png_that_promises(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1 << 20))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def nifti_that_promises(shape: tuple[int, ...]) -> bytes:
    import nibabel

    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.uint8)
    header["magic"], header["vox_offset"] = b"n+1", 352
    return bytes(header.binaryblock) + bytes(500)


def dicom_that_promises(rows: int, columns: int) -> bytes:
    import dicom_kit

    dataset = dicom_kit.header(np.zeros((2, 2, 1), np.int16), "1", "FLAIR", Rows=rows, Columns=columns)
    dataset.SOPInstanceUID, dataset.PixelData = "1.2.3", bytes(8)
    packed = io.BytesIO()
    dataset.save_as(packed, enforce_file_format=True)
    return packed.getvalue()


def zip_with_link() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo("a_1.tif")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    return packed.getvalue()


def zip_twice() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("a_1.png", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a_1.png", b"2")
    return packed.getvalue()


def zip_bomb() -> bytes:
    return zipped({f"a_{number}.png": bytes(3 << 20) for number in range(4)})


HOSTILE: dict[str, dict[str, bytes]] = {
    "no file that is known": {"notes.txt": b"hello"},
    "empty file": {"a_1.tif": b""},
    "text named tif": {"a_1.tif": b"hello"},
    "text named nii.gz": {"a.nii.gz": b"hello"},
    "text named zip": {"a.zip": b"hello"},
    "name that climbs": {"../../a_1.png": b"x"},
    "absolute name": {"/etc/a_1.png": b"x"},
    "windows name": {"C:\\a_1.png": b"x"},
    "png of 60,000 x 60,000": {"a_1.png": png_that_promises(60_000, 60_000)},
    "many slices that are too much together": {
        f"a_{number}.png": png_that_promises(4000, 4000) for number in range(30)
    },
    "nifti of 2 TB": {"a.nii": nifti_that_promises((30_000, 30_000, 2000))},
    "nifti of size 0": {"a.nii": nifti_that_promises((0, 5, 5))},
    "nifti of 7 axes": {"a.nii": nifti_that_promises((2, 2, 2, 2, 2, 2, 2))},
    "text named dcm": {"a.dcm": b"hello" * 100},
    "dicom of 60,000 x 60,000": {"a.dcm": dicom_that_promises(60_000, 60_000)},
    "dicom cut short": {"a": dicom_that_promises(64, 64)[:300]},
    "zip that climbs": {"a.zip": zipped({"../a_1.png": b"x"})},
    "zip with absolute names": {"a.zip": zipped({"/srv/a_1.png": b"x"})},
    "zip with a link": {"a.zip": zip_with_link()},
    "zip bomb": {"a.zip": zip_bomb()},
    "zip in a zip": {"a.zip": zipped({"b.zip": zipped({"a_1.png": b"x"})})},
    "zip of nothing": {"a.zip": zipped({})},
    "zip of too many files": {"a.zip": zipped({f"{number}": b"" for number in range(60)})},
    "cut zip": {"a.zip": zipped({"a_1.png": bytes(3000)})[:60]},
    "zip and more": {"a.zip": zipped({"a_1.png": b"x"}), "a_1.png": b"x"},
    "two scans": {"a_1.png": b"x", "a_2.png": b"x", "b_1.png": b"x", "b_2.png": b"x"},
    "only masks": {"a_1_mask.png": b"x"},
    "name of 4,000 letters": {"a" * 4000 + "_1.png": b"x"},
    "name with a NUL": {"a\x00_1.png": b"x"},
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Iterator[TestClient]:
    settings = {"upload_bytes": 8 << 20, "unpacked_bytes": 8 << 20, "files": 50}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glioseg.inference.model_file.WEIGHTS", weights)
        app = serve(tmp_path_factory.mktemp("strict"), **settings)
    with TestClient(app, base_url=BASE) as opened:
        yield opened


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_uploads_are_refused_and_leave_nothing(strict: TestClient, what: str) -> None:
    form = [("files", (name, content)) for name, content in HOSTILE[what].items()]
    faults(strict.post("/api/scans", files=form), 422)
    app: Any = strict.app
    assert list(app.service.store.folder.iterdir()) == []
    assert strict.get("/api/health").json()["scans"] == 0


def test_a_name_twice_in_a_zip_is_refused(strict: TestClient) -> None:
    faults(strict.post("/api/scans", files=[("files", ("a.zip", zip_twice()))]), 422)


def test_bodies_over_the_limit_are_refused(strict: TestClient) -> None:
    faults(strict.post("/api/scans", files=[("files", ("a_1.png", bytes(9 << 20)))]), 413)

    def without_length() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a_1.png"\r\n\r\n'
        for _ in range(12):
            yield bytes(1 << 20)

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    faults(strict.post("/api/scans", content=without_length(), headers=headers), 413)
    faults(strict.post("/api/samples/x", content=bytes(1 << 20)), 413)


def test_broken_forms_are_refused(strict: TestClient) -> None:
    faults(strict.post("/api/scans"), 422)
    faults(strict.post("/api/scans", json={"files": []}), 422)
    faults(strict.post("/api/scans", content=b"x", headers={"Content-Type": "multipart/form-data"}), 400)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", ""])
def test_other_host_names_are_refused(client: TestClient, host: str) -> None:
    faults(client.get("/api/health", headers={"Host": host}), 421)


@pytest.mark.parametrize("host", ["localhost", "localhost:8765", "127.0.0.1", "[::1]:8765", "192.168.1.5:80"])
def test_own_names_are_served(client: TestClient, host: str) -> None:
    assert client.get("/api/health", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_pages_cannot_act(client: TestClient, headers: dict[str, str]) -> None:
    name = sample_cases()[0].id
    faults(client.post(f"/api/samples/{name}", headers=headers), 403)
    assert client.get("/api/health").json()["scans"] == 0


def test_headers_of_every_reply(client: TestClient) -> None:
    for path in ("/", "/runs", "/compare", "/docs", "/api/health", "/api/nothing", "/openapi.json"):
        reply = client.get(path, headers={"Origin": "http://evil.example"})
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in reply.headers
    assert client.get("/api/health").headers["cache-control"] == "no-store"


def test_pages_hold_no_inline_script_or_style_and_load_nothing_from_elsewhere(client: TestClient) -> None:
    import re

    for path in ("/", "/runs", "/compare", "/docs"):
        html = client.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)|\bon\w+=|<style|\bstyle=|https?://", html), path
        for file in re.findall(r'(?:src|href)="(/static/[^"]+)"', html):
            assert client.get(file).status_code == 200, file


def test_a_server_for_other_machines_asks_for_a_token(tmp_path: Path) -> None:
    app = serve(tmp_path, host="0.0.0.0")
    token = app.settings.token
    assert token is not None
    assert len(token) >= 24
    with TestClient(app, base_url=BASE) as client:
        for path in ("/", "/api/health", "/static/app.css", "/openapi.json"):
            faults(client.get(path), 401)
        faults(client.get("/api/health", headers={"Authorization": "Bearer wrong"}), 401)
        faults(client.get("/api/health?token=wrong"), 401)
        assert client.get("/api/health", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        reply = client.get(f"/?token={token}&scan=x", follow_redirects=False)
        assert reply.status_code == 303
        assert reply.headers["location"] == "/?scan=x"
        assert "HttpOnly" in reply.headers["set-cookie"]
        assert "SameSite=strict" in reply.headers["set-cookie"]
        assert client.get("/api/health").status_code == 200  # by the cookie


def test_unexpected_errors_show_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("/home/me/Jane_Doe.nii could not be read")

    monkeypatch.setattr("glioseg.server.api.read_upload", broken)
    with TestClient(serve(tmp_path), base_url=BASE, raise_server_exceptions=False) as client:
        text = faults(client.post("/api/scans", files=[("files", ("Jane_Doe.nii", b"x"))]), 500)
    assert "Jane" not in text
    assert "Jane" not in caplog.text
    assert "RuntimeError" in caplog.text


def test_ids_are_unguessable_and_files_private(client: TestClient, tmp_path: Path) -> None:
    app: Any = client.app
    folder = app.service.store.folder
    ids = {upload(client, [volume(tmp_path)])["id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(len(id) == 24 for id in ids)
    assert not any(id in str(path) for id in ids for path in folder.rglob("*"))
    assert folder.stat().st_mode & 0o077 == 0 or folder.drive


def test_files_are_gone_at_the_end_and_after_their_time(tmp_path: Path) -> None:
    app = serve(tmp_path, keep_seconds=0.0)
    with TestClient(app, base_url=BASE) as client:
        folder = app.service.store.folder
        id = upload(client, [volume(tmp_path)])["id"]
        app.service.store.drop_old()
        faults(client.get(f"/api/scans/{id}"), 404)
        assert list(folder.iterdir()) == []
    assert not folder.exists()


def test_no_more_scans_than_allowed(tmp_path: Path) -> None:
    with TestClient(serve(tmp_path, scans=2), base_url=BASE) as client:
        for _ in range(2):
            kept = upload(client, [volume(tmp_path)])
        reply = client.post("/api/scans", files=as_form([volume(tmp_path)]))
        faults(reply, 429)
        assert int(reply.headers["retry-after"]) >= 1
        client.delete(f"/api/scans/{kept['id']}")
        upload(client, [volume(tmp_path)])
