"""The HTTP API: what it holds is bounded in bytes, idle scans make room, and every limit says its reason."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

pytest.importorskip("fastapi")

import tifffile
from fastapi.testclient import TestClient
from PIL import Image
from support.server_kit import BASE, faults, serve, upload, volume, zipped

from glioseg.errors import Fault, InputError
from glioseg.io import find_scans
from glioseg.server import promises, scans
from glioseg.server.faults import OF_ONE_KIND, gathered
from glioseg.server.scans import Entry, Store, StoreFull, held_bytes
from glioseg.server.settings import Settings
from glioseg.server.uploads import with_channels

pytestmark = pytest.mark.usefixtures("quick_model")


def nifti(path: Path, dtype: Any, slope: float = 1.0, shape: tuple[int, ...] = (20, 22, 5)) -> Path:
    values = np.random.default_rng(0).integers(0, 99, shape)
    header = nibabel.Nifti1Header()
    header.set_slope_inter(slope, 0)
    image = nibabel.Nifti1Image(values.astype(dtype), np.eye(4), header, dtype=dtype)
    image.header.set_slope_inter(slope, 0)
    nibabel.save(image, path)
    return path


def kinds_of_files(folder: Path) -> dict[str, Path]:
    grey = np.random.default_rng(0).integers(0, 255, (24, 20, 3)).astype(np.uint8)
    made = {
        f"{np.dtype(dtype)} with slope {slope}": nifti(folder / f"{np.dtype(dtype)}{slope}.nii", dtype, slope)
        for dtype in (np.uint8, np.int16, np.int32, np.float32, np.float64)
        for slope in (1.0, 0.5)
    }
    for name, picture in {
        "rgb.png": Image.fromarray(grey),
        "grey.png": Image.fromarray(grey[..., 0]),
        "sixteen.png": Image.fromarray(grey[..., 0].astype(np.uint16) * 200),
        "photo.jpg": Image.fromarray(grey),
    }.items():
        picture.save(folder / name)
        made[name] = folder / name
    for dtype in (np.uint8, np.uint16, np.float32, np.float16):
        made[f"{np.dtype(dtype)}.tif"] = folder / f"{np.dtype(dtype)}.tif"
        tifffile.imwrite(made[f"{np.dtype(dtype)}.tif"], grey[..., 0].astype(dtype))
    return made


def test_headers_promise_the_bytes_that_are_kept(tmp_path: Path) -> None:
    for name, path in kinds_of_files(tmp_path).items():
        (source,), found = find_scans([path])
        assert not found
        scan = with_channels(source.read_as_stored())
        promise = promises.of_files([path])
        assert held_bytes(scan.voxels) <= promise.kept <= 3 * held_bytes(scan.voxels), name
        assert promise.reading >= 2 * promise.kept, name


def test_a_sequence_that_fills_the_others_is_held_once(tmp_path: Path) -> None:
    (source,), _ = find_scans([nifti(tmp_path / "a.nii", np.int16)])
    scan = with_channels(source.read_as_stored())
    whole = source.read()
    np.testing.assert_array_equal(scan.voxels, whole.voxels)
    assert (scan.channels, scan.filled, scan.voxels.dtype) == (whole.channels, whole.filled, np.int16)
    assert held_bytes(scan.voxels) == 20 * 22 * 5 * 2


@pytest.mark.parametrize(
    ("dtype", "slope", "shape"),
    [
        (np.int32, 0.5, (1000, 1000, 299)),
        (np.uint8, 1.0, (8192, 8192, 6)),
        (np.float64, 1.0, (512, 512, 300)),
    ],
)
def test_what_a_small_upload_would_become_is_refused_before_it_is_decoded(
    tmp_path: Path, dtype: Any, slope: float, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glioseg.io.nifti._values", lambda *_: pytest.fail("it was decoded"))
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    header.set_sform(np.eye(4), 1)
    header.set_slope_inter(slope, 0)
    header["magic"], header["vox_offset"] = b"n+1", 352
    with TestClient(serve(tmp_path), base_url=BASE) as client:
        form = [("files", ("a.nii", bytes(header.binaryblock) + bytes(500)))]
        text = faults(client.post("/api/scans", files=form), 422)
        assert "server.too_much_memory" in text
        assert "--max-memory" in text


def entry(store: Store, name: str, size: int) -> Entry:
    from glioseg.scan import Scan

    _, folder = store.new_folder()
    voxels = np.zeros((1, 1, size // 3, 3), np.uint8)
    return Entry(name, folder, Scan.from_array(voxels))


def test_two_readers_at_once_count_both() -> None:
    store = Store(Settings(memory_bytes=1000, room_seconds=0))
    store.reserve("a", 600)
    with pytest.raises(StoreFull):
        store.reserve("b", 600)
    store.reserve("b", 400)
    store.release("a")
    store.reserve("c", 600)
    with pytest.raises(InputError, match="max-memory"):
        store.reserve("d", 1001)
    store.close()


def test_the_scan_used_least_recently_makes_room_and_those_in_use_do_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Store(Settings(memory_bytes=1000, room_seconds=0))
    for name in "abc":
        store.reserve(name, 300)
        store.add(entry(store, name, 300))
    with pytest.raises(StoreFull) as full:
        store.reserve("d", 300)
    assert 1 <= full.value.seconds <= scans.PROTECTED["new"]
    monkeypatch.setattr(scans, "PROTECTED", {"new": 0.0, "segmented": 0.0, "corrected": 0.0})
    folders = {name: store.get(name).folder for name in "cba"}  # type: ignore[union-attr]
    store.reserve("d", 300)
    assert store.get("c") is None
    assert not folders["c"].exists()
    assert store.get("a") is not None
    assert folders["a"].exists()
    store.close()


def test_the_lines_of_the_readme_never_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "PROTECTED", {"new": 60.0, "segmented": 0.0, "corrected": 600.0})
    with TestClient(serve(tmp_path, scans=3), base_url=BASE) as client:
        for _ in range(8):
            id = upload(client, [volume(tmp_path)])["id"]
            assert client.post(f"/api/scans/{id}/segment").status_code == 200
            assert client.get(f"/api/scans/{id}/mask").status_code == 200
        assert client.get("/api/health").json()["scans"] == 3


def test_what_is_held_never_passes_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scans, "PROTECTED", {"new": 0.0, "segmented": 0.0, "corrected": 0.0})
    size = 7 * 40 * 36 * 2
    app = serve(tmp_path, memory_bytes=6 * size)
    with TestClient(app, base_url=BASE) as client:
        for _ in range(6):
            id = upload(client, [volume(tmp_path)])["id"]
            client.post(f"/api/scans/{id}/segment")
            entries = app.service.store._entries.values()
            assert 0 < sum(each.bytes for each in entries) <= 6 * size


# --- a full disk ----------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["form", "copy", "unpack", "download", "save"])
def test_a_full_disk_is_507_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    app = serve(tmp_path)
    form = [("files", ("a.zip", zipped({"a_1.png": b"x"})))]
    with TestClient(app, base_url=BASE) as client:
        address = f"/api/scans/{upload(client, [volume(tmp_path)])['id']}"
        client.post(f"{address}/segment")
        target = {
            "form": "starlette.datastructures.UploadFile.write",
            "copy": "glioseg.server.uploads.shutil.copyfileobj",
            "unpack": "glioseg.io.archive.zipfile.ZipFile.open",
            "download": "glioseg.server.downloads.tempfile.TemporaryDirectory",
            "save": "glioseg.files.os.replace",
        }[place]
        if place == "save":  # a mask that nobody corrected is not saved
            shape = client.get(address).json()["shape"]
            corrected = np.ones(shape, np.uint8).tobytes()
            assert client.put(f"{address}/mask", content=corrected).status_code == 200
        monkeypatch.setattr(target, full)
        if place in ("form", "copy", "unpack"):
            reply = client.post("/api/scans", files=form)
            assert len(list(app.service.store.folder.iterdir())) == 1  # that of the first scan
        else:
            reply = client.get(f"{address}/mask") if place == "download" else client.post(f"{address}/save")
        text = faults(reply, 507)
        assert "server.disk_full" in text
        assert "磁盘已满" in text


# --- many faults ----------------------------------------------------------------------------


def test_a_fault_that_10_000_files_share_is_told_once(tmp_path: Path) -> None:
    shared = [Fault("files.full", f"a_{number}.tif") for number in range(10_000)]
    (told,) = gathered(shared)
    assert told.part("where") == "a_0.tif and 9,999 more"
    assert told.part("where", "zh") == "a_0.tif 及另外 9,999 个"
    assert told.part("found") == shared[0].found
    different = [Fault("archive.too_large", f"{n}.zip", most=n) for n in range(1000)]
    assert len(gathered(different)) == OF_ONE_KIND
    with TestClient(serve(tmp_path), base_url=BASE) as client:
        form = [("files", (f"a_{number}.png", b"no picture")) for number in range(300)]
        reply = client.post("/api/scans", files=form)
        faults(reply, 422)
        (one,) = reply.json()["faults"]
        assert one["where"].endswith("and 299 more")


# --- what the framework finds wrong ---------------------------------------------------------


@pytest.mark.parametrize(
    ("send", "code"),
    [
        ({"json": {"threshold": 2}}, "server.parameter_range"),
        ({"json": {"threshold": "x"}}, "server.parameter_type"),
        ({"json": {"flips": 0}}, "server.parameter_type"),
        ({"json": {"model": 3}}, "server.parameter_type"),
        ({"json": {"other": 1}}, "server.parameter_unknown"),
        ({"content": b"{", "headers": {"Content-Type": "application/json"}}, "server.not_json"),
    ],
)
def test_wrong_parameters_are_told_in_every_language(tmp_path: Path, send: dict[str, Any], code: str) -> None:
    with TestClient(serve(tmp_path), base_url=BASE) as client:
        address = f"/api/scans/{upload(client, [volume(tmp_path)])['id']}"
        reply = client.post(f"{address}/segment", **send)
        faults(reply, 422)
        (one,) = reply.json()["faults"]
        assert one["code"] == code
        reason = one["parameters"]["reason"]
        chinese = one["translations"]["zh"]
        assert reason not in (one["expected"], one["found"], *chinese.values())
        assert chinese["expected"] != one["expected"] or one["expected"] == "JSON"
        for query, expected in (("format=xml", "json, csv"), ("format=", "json, csv")):
            (other,) = client.get(f"{address}/numbers?{query}").json()["faults"]
            assert other["code"] == "server.parameter_choice"
            assert expected in other["expected"]


def test_every_method_of_an_address_is_named(tmp_path: Path) -> None:
    with TestClient(serve(tmp_path), base_url=BASE) as client:
        reply = client.patch("/api/scans/x")
        faults(reply, 405)
        assert reply.headers["allow"] == "DELETE, GET"


def test_more_requests_than_can_be_answered_are_told_to_come_back(tmp_path: Path) -> None:
    with TestClient(serve(tmp_path, requests=0), base_url=BASE) as client:
        reply = client.get("/api/health")
        faults(reply, 503)
        assert time.strptime(reply.headers["retry-after"], "%S")


# --- memory ---------------------------------------------------------------------------------


def test_the_memory_of_a_batch_is_given_back_when_nothing_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glioseg.model.runtime import OnnxRuntime

    app = serve(tmp_path)
    with TestClient(app, base_url=BASE) as client:
        first = upload(client, [volume(tmp_path)])["id"]
        before = client.post(f"/api/scans/{first}/segment").json()
        (loaded,) = app.service.worker._predictors.values()
        assert isinstance(loaded.runtime, OnnxRuntime)
        for _ in range(200):  # the thread tidies up after the client has its answer
            if loaded.runtime._size is None:
                break
            time.sleep(0.05)
        assert loaded.runtime._size is None
        again = client.post(f"/api/scans/{first}/segment").json()
        assert {**again, "revision": 0} == {**before, "revision": 0}


def test_the_window_of_huge_slices_is_found_in_a_part_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    import tracemalloc

    from glioseg.scan import Scan
    from glioseg.server.display import window

    rows = np.linspace(0, 200, 1000).astype(np.uint8)
    scan = Scan.from_array(
        np.broadcast_to(rows[:, None], (4, 1000, 1000))[..., None].copy(), channels=("flair",)
    )
    whole = window(scan, "flair")
    monkeypatch.setattr("glioseg.server.display.MOST_VALUES", 40_000)
    tracemalloc.start()
    part = window(scan, "flair")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert part == pytest.approx(whole, abs=3)
    assert peak < scan.voxels.nbytes


def pressed(*options: str) -> dict[str, int]:
    """What ``scripts/press_server.py`` found, in MB."""
    script = Path(__file__).parents[2] / "scripts" / "press_server.py"
    run = [sys.executable, str(script), "--port", "8798", *options]
    printed = subprocess.run(run, capture_output=True, text=True, check=True).stdout
    hostile = re.search(r"hostile uploads \(.*\): peak (\d+) MB", printed)
    after = re.search(r"scans in .* s, 0 held: (\d+) MB", printed)
    assert hostile, printed
    assert after, printed
    return {"hostile": int(hostile[1]), "after": int(after[1])}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the system tells no memory of a process")
def test_hostile_uploads_and_many_scans_leave_a_small_server() -> None:
    found = pressed("--hostile", "40", "--scans", os.environ.get("GLIOSEG_PRESS_SCANS", "30"))
    assert found["hostile"] < 1000
    assert found["after"] < 400


def test_what_a_killed_server_left_behind_goes_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from glioseg.server.scans import FOLDER_PREFIX

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code = (
        "from glioseg.files import private_folder; import os; "
        f"(private_folder('{FOLDER_PREFIX}') / 'scan').write_text('voxels'); os._exit(9)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "TMPDIR": str(tmp_path)}, check=False
    )
    assert killed.returncode == 9
    left = list(tmp_path.glob(f"{FOLDER_PREFIX}*"))
    assert len(left) == 1
    app = serve(tmp_path / "other")
    assert not left[0].exists()
    assert app.service.store.folder.parent == tmp_path
