"""The HTTP API: what the server refuses, and what it keeps to itself."""

from __future__ import annotations

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
from support.server_kit import BASE, as_form, faults, serve, upload, volume, zipped

from glioseg.samples import sample_cases

pytestmark = pytest.mark.usefixtures("quick_model")


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
    from support import dicom_kit

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
def strict(tmp_path_factory: pytest.TempPathFactory, quick_weights: Path) -> Iterator[TestClient]:
    settings = {"upload_bytes": 8 << 20, "unpacked_bytes": 8 << 20, "files": 50}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glioseg.model.weights.WEIGHTS", quick_weights)
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
