"""What is wrong is said in Chinese on a Chinese page: the faults that people meet, made by a real server."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from support import dicom_kit
from support.server_kit import slices_of_sample, volume, zipped

from glioseg.errors import require_extra

from .conftest import PATIENCE, keep, refused, serving, welcome

NAMES = {"TIFF", "PNG", "JPEG", "NIfTI", "FreeSurfer", "DICOM", "FLAIR", "MR"}
NAMES |= {"zip", "nii", "gz", "img", "hdr", "mgz", "nrrd", "mha", "pdf", "flair"}
"""Words of Latin letters that Chinese texts have too, besides the names of files."""


def is_chinese(items: list[str], allowed: Collection[str] = ()) -> None:
    assert items
    for item in items:
        assert "应为" in item
        assert "实为" in item
        assert set(re.findall(r"[A-Za-z_]{2,}", item)) <= NAMES.union(allowed), item


def locked_zip() -> bytes:
    """An archive whose only entry claims to be encrypted."""
    packed = bytearray(zipped({"a_1.png": b"x"}))
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        packed[packed.index(signature) + at] |= 1
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        assert opened.infolist()[0].flag_bits & 1
    return bytes(packed)


def wrong_files(folder: Path) -> dict[str, dict[str, bytes]]:
    """Uploads that are refused, by what is wrong with them."""
    (folder / "t2").mkdir()
    (folder / "cut").mkdir()
    head = volume(folder).read_bytes()
    image = slices_of_sample(folder, count=1, masks=False)[0].read_bytes()
    voxels = np.zeros((20, 24, 4), np.int16)
    t2 = {path.name: path.read_bytes() for path in dicom_kit.series(folder / "t2", voxels, name="T2")}
    first, *rest = dicom_kit.series(folder / "cut", voxels, name="FLAIR")
    cut = {first.name: first.read_bytes()[:900], **{path.name: path.read_bytes() for path in rest}}
    return {
        "unknown kind": {"a.pdf": b"%PDF-1.4"},
        "no suffix": {"noname": b"hello"},
        "nothing that is known": {"a.txt": b"x", "b.txt": b"y"},
        "empty file": {"a_1.tif": b""},
        "text": {"a_1.tif": b"hello"},
        "damaged TIFF": {"a_1.tif": image[:5000]},
        "damaged NIfTI": {"a.nii.gz": head[: len(head) // 2]},
        "damaged DICOM": cut,
        "no FLAIR among series": t2,
        "no FLAIR among files": {"a_t1.nii.gz": head},
        "damaged zip": {"a.zip": zipped({"a_1.png": bytes(3000)})[:60]},
        "zip with a password": {"a.zip": locked_zip()},
        "two zips": {"a.zip": zipped({"a_1.png": b"x"}), "b.zip": zipped({"a_1.png": b"x"})},
        "too large when unpacked": {"a.zip": zipped({"a_1.png": bytes(9 << 20)})},
    }


@pytest.fixture(scope="module")
def strict(weights: Path) -> Iterator[Any]:
    """A server with little room and no time."""
    with serving(upload_bytes=4 << 20, unpacked_bytes=8 << 20, scans=1, segment_seconds=0) as running:
        yield running


@pytest.fixture
def page(make_page: Any, strict: Any) -> Any:
    opened = make_page(locale="zh-CN", base_url=strict.address)
    welcome(opened)
    return opened


def send(page: Any, folder: Path, files: dict[str, bytes]) -> list[str]:
    """Choose files and read what the page says is wrong, without their names."""
    choose(page, folder, files)
    return said(page, *files)


def choose(page: Any, folder: Path, files: dict[str, bytes]) -> None:
    (folder / "sent").mkdir(parents=True)
    paths = [folder / "sent" / name for name in files]
    for path, content in zip(paths, files.values(), strict=True):
        path.write_bytes(content)
    page.set_input_files("#files", paths)


def said(page: Any, *names: str) -> list[str]:
    page.wait_for_selector("#problems li", timeout=PATIENCE)
    items = page.locator("#problems li").all_inner_texts()
    for name in sorted(names, key=len, reverse=True):
        items = [item.replace(name, "") for item in items]
    return list(items)


QUOTED = {"text": {"hello"}, "no FLAIR among series": {"series", "flair"}}
"""What stays as it is in Chinese: the words of the file itself, an option of the command line."""


def test_wrong_files_are_named_in_chinese(page: Any, make_page: Any, tmp_path: Path) -> None:
    for what, files in wrong_files(tmp_path).items():
        with page.expect_response(lambda reply: reply.request.method == "POST"):
            choose(page, tmp_path / what, files)
        is_chinese(said(page, *files), QUOTED.get(what, ()))
        refused(make_page, 422)
        page.click("#language")  # what is wrong changes its language with the page
        assert all("Expected" in item for item in said(page)), what
        page.click("#language")


def test_a_scan_that_is_too_large_is_refused_in_chinese(page: Any, make_page: Any, tmp_path: Path) -> None:
    items = send(page, tmp_path, {"a_1.tif": bytes(50 << 20)})
    is_chinese(items, {"max", "upload"})
    refused(make_page, 413)


def test_dicom_without_the_extra_says_so_in_chinese(
    page: Any, make_page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        require_extra("dicom", "a_module_that_is_not_there")

    monkeypatch.setattr("glioseg.io.find.require_dicom", missing)
    (path, *_) = dicom_kit.series(tmp_path, np.zeros((20, 24, 4), np.int16))
    items = send(page, tmp_path, {"a.dcm": path.read_bytes()})
    is_chinese(items, {"a_module_that_is_not_there", "pip", "install", "glioseg", "dicom"})
    refused(make_page, 422)


def test_a_busy_server_says_so_in_chinese(page: Any, make_page: Any, strict: Any, tmp_path: Path) -> None:
    head = volume(tmp_path).read_bytes()
    held = httpx.post(f"{strict.address}/api/scans", files={"files": ("held.nii.gz", head)}, timeout=60)
    assert held.status_code == 201
    try:
        is_chinese(send(page, tmp_path, {"a.nii.gz": head}))
    finally:
        httpx.delete(f"{strict.address}/api/scans/{held.json()['id']}", timeout=60)
    refused(make_page, 429)


def test_a_segmentation_beyond_its_time_says_so_in_chinese(page: Any, make_page: Any, tmp_path: Path) -> None:
    is_chinese(send(page, tmp_path, {"a.nii.gz": volume(tmp_path).read_bytes()}))
    refused(make_page, 409)


def test_a_server_that_is_gone_is_missed_in_chinese(page: Any, make_page: Any, tmp_path: Path) -> None:
    page.context.set_offline(True)
    is_chinese(send(page, tmp_path, {"a.nii.gz": volume(tmp_path).read_bytes()}), {"glioseg", "serve"})
    keep(page, "problem-zh")
    make_page.wrong.clear()  # the browser's own words about the lost connection
