"""The protocol of MONAI Label, spoken by its own client, as plug-ins of 3D Slicer and MITK do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import nibabel
import numpy as np
import pytest
from support.patients_kit import until
from support.server_kit import listening, quick_weights, serve, slices_of_sample, volume

import glioseg
from glioseg.io import read_scan
from glioseg.server.app import Application

NEEDED = "needs pip install --no-deps monailabel==0.8.5, and Python before 3.13"
pytest.importorskip("monailabel.client", reason=NEEDED, exc_type=ImportError)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Application]]:
    """A server with two volumes and a scan of slices in its list, all of them segmented."""
    monkeypatch.setattr("glioseg.model.weights.WEIGHTS", quick_weights(tmp_path))
    study = tmp_path / "study"
    for seed, name in enumerate(("ann", "bob")):
        (study / name).mkdir(parents=True)
        volume(study / name, f"{name}.nii.gz", 9 * seed)
    (study / "slices").mkdir()
    slices_of_sample(study / "slices", masks=False)
    app = serve(tmp_path, listed=(study,), work=tmp_path / "work")
    with listening(app) as found:
        rows = app.service.worklist.rows
        until(lambda: len(rows) == 3 and all(row.status == "segmented" for row in rows.values()))
        yield found


def client_of(address: str, folder: Path) -> Any:
    from monailabel.client import MONAILabelClient

    return MONAILabelClient(address, str(folder))


def download(address: str, image: str, to: Path) -> Path:
    """An image as the plug-in of 3D Slicer fetches it."""
    reply = httpx.get(f"{address}/datastore/image", params={"image": image})
    assert reply.status_code == 200
    to.write_bytes(reply.content)
    return to


def test_lists_segments_and_saves(server: tuple[str, Application], tmp_path: Path) -> None:
    address, app = server
    client = client_of(address, tmp_path)
    assert client.auth_enabled() is False
    info = client.info()
    assert info["models"]["default"]["labels"] == {"lesion": 1}
    assert info["datastore"] == {"total": 3, "completed": 0, "label_tags": {"original": 3}}
    objects = client.datastore()["objects"]
    assert {"ann", "bob"} < set(objects)

    # what the plug-in sees is the scan, and the mask lies on it
    seen = nibabel.load(download(address, "bob", tmp_path / "seen.nii.gz"))
    stored = nibabel.load(tmp_path / "study" / "bob" / "bob.nii.gz")
    np.testing.assert_array_equal(np.asarray(seen.dataobj), np.asarray(stored.dataobj))
    np.testing.assert_array_equal(seen.affine, stored.affine)
    file, facts = client.infer("default", "bob", {})
    mask = nibabel.load(file)
    np.testing.assert_array_equal(mask.affine, stored.affine)
    model = app.service.worker.models["default"]
    expected = glioseg.segment(tmp_path / "study" / "bob", model=model)
    assert int(np.asarray(mask.dataobj).sum()) == int(expected.segmentation.mask.sum()) > 50
    assert facts["label_names"] == {"lesion": 1}

    # a person leaves a part of it, and submits that
    left = np.asarray(mask.dataobj).copy()
    left[np.argwhere(left)[0][0]] = 0
    nibabel.save(nibabel.Nifti1Image(left, mask.affine), tmp_path / "edited.nii.gz")
    assert client.save_label("bob", str(tmp_path / "edited.nii.gz")) == {"image": "bob", "label": "bob"}
    back = nibabel.load(client.download_label("bob", "final"))
    np.testing.assert_array_equal(np.asarray(back.dataobj), left)
    (row,) = (row for row in app.service.worklist.rows.values() if row.source.id == "bob")
    assert row.status == "checked"
    assert row.record is not None
    assert row.record.corrected
    assert client.info()["datastore"]["completed"] == 1
    # asking the network again does not touch what a person left
    client.infer("default", "bob", {"threshold": 0.9})
    again = nibabel.load(client.download_label("bob", "final"))
    np.testing.assert_array_equal(np.asarray(again.dataobj), left)
    original = nibabel.load(client.download_label("bob", "original"))
    assert np.asarray(original.dataobj).sum() > left.sum()


def test_the_least_certain_comes_first_until_none_is_left(
    server: tuple[str, Application], tmp_path: Path
) -> None:
    address, app = server
    client = client_of(address, tmp_path)
    expected = {
        row.source.id: 1.0 if row.record is None else (row.record.expected_dice or 1.0)
        for row in app.service.worklist.rows.values()
    }
    seen = []
    while sample := client.next_sample("expected_dsc", {}):
        seen.append(sample["id"])
        file, _ = client.infer("default", sample["id"], {})
        client.save_label(sample["id"], file)
    assert sorted(seen) == sorted(expected)
    assert [expected[name] for name in seen] == sorted(expected.values())
    assert client.next_sample("first", {}) == {}


def test_slices_without_an_affine_come_and_go_on_one_grid(
    server: tuple[str, Application], tmp_path: Path
) -> None:
    address, app = server
    client = client_of(address, tmp_path)
    (name,) = set(client.datastore()["objects"]) - {"ann", "bob"}
    scan = read_scan(tmp_path / "study" / "slices")
    image = nibabel.load(download(address, name, tmp_path / "image.nii.gz"))
    np.testing.assert_array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), scan.channel("flair"))
    file, _ = client.infer("default", name, {})
    drawn = np.asarray(nibabel.load(file).dataobj).copy()
    drawn[10:20, 30:35, 1] = 1
    # programs write an affine where a file has none
    nibabel.save(nibabel.Nifti1Image(drawn, image.affine), tmp_path / "drawn.nii.gz")
    client.save_label(name, str(tmp_path / "drawn.nii.gz"), tag="original")
    (row,) = (row for row in app.service.worklist.rows.values() if row.source.id not in ("ann", "bob"))
    assert row.status == "corrected"
    entry = app.service.store.get(row.entry or "")
    assert entry is not None
    assert entry.mask is not None
    np.testing.assert_array_equal(entry.mask.voxels.transpose(2, 1, 0), drawn)


def test_images_and_sessions_come_from_outside(server: tuple[str, Application], tmp_path: Path) -> None:
    address, app = server
    client = client_of(address, tmp_path)
    new = volume(tmp_path, "new.nii.gz", 20)
    assert client.upload_image(str(new), "new") == {"image": "new"}
    assert "new" in client.datastore()["objects"]

    opened = client.create_session(str(new))["session_id"]
    assert client.get_session(opened) == {"image": "new"}
    by_session, _ = client.infer("default", "", {}, session_id=opened)
    assert int(np.asarray(nibabel.load(by_session).dataobj).sum()) > 50
    client.remove_session(opened)
    held = len(app.service.store)
    by_file, _ = client.infer("default", "", {}, file=str(new))
    assert len(app.service.store) == held
    masks = (np.asarray(nibabel.load(file).dataobj) for file in (by_session, by_file))
    np.testing.assert_array_equal(*masks)


def test_what_is_not_there_or_does_not_fit_is_refused(
    server: tuple[str, Application], tmp_path: Path
) -> None:
    address, _ = server
    client = client_of(address, tmp_path)
    from monailabel.client.client import MONAILabelClientException

    elsewhere = volume(tmp_path, "other.nii.gz", 3)
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 3, 3), np.uint8), np.eye(4)), tmp_path / "small.nii.gz")
    for ask in (
        lambda: client.infer("default", "nobody", {}),
        lambda: client.infer("no such model", "bob", {}),
        lambda: client.infer("default", "bob", {"threshold": 2}),
        lambda: client.next_sample("random", {}),
        lambda: client.save_label("bob", str(tmp_path / "small.nii.gz")),
        lambda: client.save_label("bob", str(elsewhere)),
        lambda: client.download_label("bob", "final"),
        lambda: client.get_session("nothing"),
    ):
        with pytest.raises(MONAILabelClientException):
            ask()
    assert client.train_status(check_if_running=True) is False
    assert client.info()["datastore"]["completed"] == 0
