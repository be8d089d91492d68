"""Masks with several labels: shown, corrected, counted and given out with their labels."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nibabel
import numpy as np
import pydicom
import pytest
from support import dicom_kit
from support.known_models import two_class_model
from support.patients_kit import until
from support.server_kit import BASE, faults, quick_weights, serve, upload, volume

from glioseg.dataset import find_cases, read_case
from glioseg.evaluation.evaluate import evaluate
from glioseg.io import read_scan, read_segmentation
from glioseg.model.predictor import load_model
from glioseg.recipe import load_recipe
from glioseg.runs.folder import RunFolder
from glioseg.scan import LESION, Scan
from glioseg.server.saved_cases import copy_saved, saved_names

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

testing = pytest.importorskip("fastapi.testclient", reason="the extra 'serve' is not installed")
NAMES = {1: "oedema", 3: "core"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    """A server whose model tells oedema from core, and which has a model of lesion or not beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glioseg.model.weights.WEIGHTS", quick_weights(tmp_path))
        model = two_class_model(tmp_path / "classes.onnx")
        with testing.TestClient(
            serve(tmp_path, model=model, work=tmp_path / "work"), base_url=BASE
        ) as client:
            yield client


def segment(client: TestClient, paths: list[Path], **body: Any) -> tuple[str, dict[str, Any]]:
    scan = upload(client, paths)
    address = f"/api/scans/{scan['id']}"
    reply = client.post(f"{address}/segment", json=body)
    assert reply.status_code == 200, reply.text
    return address, reply.json()


def layer(client: TestClient, address: str, name: str) -> np.ndarray[Any, Any]:
    content = client.get(f"{address}/view/{name}").content[352:]
    shape = client.get(address).json()["shape"]
    return np.frombuffer(content, np.uint8).reshape(shape)[:, ::-1, ::-1]


def check_saved(folder: Path, scan: Scan, mask: np.ndarray[Any, Any], copy: Path) -> None:
    """A case is saved with its voxel size and classes; a training on lesion or not gets it as that."""
    (name,) = saved_names(folder)
    copy_saved(folder, name, copy)
    for place, expected in ((folder, mask), (copy, (mask > 0).astype(np.uint8))):
        (case,) = find_cases(place)
        assert case.id == name
        found, truth = read_case(case, NAMES if place == folder else LESION)
        assert truth is not None
        assert found.grid.spacing == pytest.approx(scan.grid.spacing)
        np.testing.assert_array_equal(truth.voxels, expected)
        np.testing.assert_array_equal(found.channel("flair"), scan.channel("flair"))
        assert found.filled == ("pre", "post")


def test_labels_are_counted_corrected_and_leave_in_every_kind(client: TestClient, tmp_path: Path) -> None:
    voxels = np.zeros((36, 40, 7), np.uint16)
    voxels[4:32, 4:36] = 100
    voxels[10:24, 10:26, 2:5] = 260
    voxels[13:22, 13:23, 3:5] = 420
    dicom_kit.series(tmp_path / "study", voxels, name="Ax FLAIR")
    address, numbers = segment(client, sorted((tmp_path / "study").glob("*.dcm")))
    assert client.get(address).json()["labels"] == [
        {"value": 1, "name": "oedema"},
        {"value": 3, "name": "core"},
    ]
    network = layer(client, address, "network")
    assert set(np.unique(network)) == {0, 1, 3}
    counts = {value: int((network == value).sum()) for value in NAMES}
    assert {each["name"]: each["voxels"] for each in numbers["labels"]} == {
        name: counts[value] for value, name in NAMES.items()
    }
    assert numbers["lesion_voxels"] == sum(counts.values())

    # one slice becomes core on the left and nothing on the right; other labels are refused
    mask = network.copy()
    mask[3, :, :18], mask[3, :, 18:] = 3, 0
    wrong = mask.copy()
    wrong[0, 0, 0] = 2
    assert "label 2" in faults(client.put(f"{address}/mask", content=wrong.tobytes()), 409)
    numbers = client.put(f"{address}/mask", content=mask.tobytes()).json()
    assert numbers["corrected"]
    np.testing.assert_array_equal(layer(client, address, "predicted"), mask)
    runs = np.array([5, 2, 10, 4, 1, 14, 3, 3], "<u4")
    numbers = client.patch(f"{address}/mask", content=runs.tobytes()).json()
    mask[5] = 0
    mask[5].reshape(-1)[10:14], mask[5].reshape(-1)[14:17] = 1, 3
    np.testing.assert_array_equal(layer(client, address, "predicted"), mask)

    for kind, suffix in (("dicom", "dcm"), ("nifti", "nii.gz"), ("png", "zip"), ("tif", "zip")):
        content = client.get(f"{address}/mask", params={"format": kind}).content
        path = tmp_path / f"{kind}.{suffix}"
        path.write_bytes(content)
        if suffix == "zip":
            import zipfile

            zipfile.ZipFile(path).extractall(tmp_path / kind)
            path = next((tmp_path / kind).iterdir())
        np.testing.assert_array_equal(read_segmentation(path, labels=None).voxels, mask, kind)
    segments = pydicom.dcmread(tmp_path / "dicom.dcm").SegmentSequence
    assert [each.SegmentLabel for each in segments] == ["label 1: oedema", "label 3: core"]
    assert client.post(f"{address}/save").status_code == 201
    check_saved(tmp_path / "corrected", read_scan(tmp_path / "study"), mask, tmp_path / "copy")
    (row,) = csv.DictReader(io.StringIO(client.get(f"{address}/numbers?format=csv").text))
    assert row["label_voxels"] == f"1:{(mask == 1).sum()} 3:{(mask == 3).sum()}"
    assert row["label_names"] == "1:oedema; 3:core"


def test_a_given_mask_is_corrected_with_its_own_labels(client: TestClient, tmp_path: Path) -> None:
    head = volume(tmp_path)
    image: Any = nibabel.load(head)
    labels = np.zeros(image.shape, np.uint8)
    labels[10:14, 10:14, 2], labels[14:18, 10:14, 2], labels[20:24, 10:14, 2] = 1, 2, 4
    path = tmp_path / "head_seg.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels, image.affine), path)
    address, _ = segment(client, [head, path])
    assert [each["value"] for each in client.get(address).json()["labels"]] == [1, 3]
    true = layer(client, address, "true")
    assert set(np.unique(true)) == {0, 1, 2, 4}
    numbers = client.post(f"{address}/segment", json={"model": "given"}).json()
    info = client.get(address).json()
    assert ([each["value"] for each in info["labels"]], info["probability"]) == ([1, 2, 4], False)
    assert [(each["voxels"], each["dice"]) for each in numbers["labels"]] == [(16, 1.0)] * 3
    np.testing.assert_array_equal(layer(client, address, "network"), true)
    mask = true.copy()
    mask[true == 2] = 4
    assert client.put(f"{address}/mask", content=mask.tobytes()).json()["labels"][2]["voxels"] == 32
    # back to a network that says lesion or not
    client.post(f"{address}/segment", json={"model": "bright"})
    assert client.get(address).json()["labels"] == [{"value": 1, "name": "lesion"}]

    alone, _ = segment(client, [volume(tmp_path, "alone.nii.gz", seed=3)])
    assert "server.no_truth" in faults(client.post(f"{alone}/segment", json={"model": "given"}), 409)


def test_the_list_keeps_labels_over_a_restart(tmp_path: Path) -> None:
    (tmp_path / "study").mkdir()
    volume(tmp_path / "study")
    settings = {"listed": (tmp_path / "study",), "work": tmp_path / "work"}
    settings["model"] = two_class_model(tmp_path / "classes.onnx")

    def the_row(client: TestClient) -> Any:
        rows = client.get("/api/worklist").json()["rows"]
        return rows[0] if rows and rows[0]["status"] not in ("waiting", "running") else None

    with testing.TestClient(serve(tmp_path, **settings), base_url=BASE) as client:
        row = until(lambda: the_row(client))
        scan = client.post(f"/api/worklist/{row['key']}/open").json()
        mask = layer(client, f"/api/scans/{scan['id']}", "network").copy()
        mask[:, :5, :5] = 3
        numbers = client.put(f"/api/scans/{scan['id']}/mask", content=mask.tobytes()).json()
    settings["model"] = "default"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glioseg.model.weights.WEIGHTS", quick_weights(tmp_path))
        with testing.TestClient(serve(tmp_path, **settings), base_url=BASE) as client:
            row = until(lambda: the_row(client))
            scan = client.post(f"/api/worklist/{row['key']}/open").json()
            np.testing.assert_array_equal(layer(client, f"/api/scans/{scan['id']}", "predicted"), mask)
            assert [each["name"] for each in scan["labels"]] == ["oedema", "core"]
            again = client.get(f"/api/scans/{scan['id']}/numbers").json()
            assert again["labels"] == numbers["labels"]
            table = client.get("/api/worklist/csv").text
            (cells,) = csv.DictReader(io.StringIO(table))
            assert cells["label_voxels"] == f"1:{(mask == 1).sum()} 3:{(mask == 3).sum()}"
            assert cells["label_names"] == "1:oedema; 3:core"


def test_plug_ins_are_told_the_labels_of_each_model(client: TestClient) -> None:
    told = client.get("/info/").json()
    models = told["models"]
    assert models["default"]["labels"] == {name: value for value, name in NAMES.items()}
    others = [model for name, model in models.items() if name != "default"]
    assert others
    assert all(model["labels"] == {"lesion": 1} for model in others)
    assert set(told["labels"]) == {"lesion", *NAMES.values()}


def test_a_model_that_is_gone_does_not_keep_plug_ins_from_the_others(tmp_path: Path) -> None:
    model = two_class_model(tmp_path / "classes.onnx")
    with testing.TestClient(serve(tmp_path, model=model), base_url=BASE) as client:
        client.app.service.worker.models["run:gone"] = tmp_path / "gone" / "model.onnx"  # type: ignore[attr-defined]
        models = client.get("/info/").json()["models"]
    assert models["default"]["labels"] == {name: value for value, name in NAMES.items()}
    assert models["run:gone"]["labels"] == {"lesion": 1}


def test_a_model_of_classes_does_not_learn_here_and_that_is_told_beforehand(client: TestClient) -> None:
    pytest.importorskip("pytorch_lightning", reason="the extra 'train' is not installed")
    told = client.get("/api/learning").json()
    assert told["unfit"]["code"] == "learning.classes"
    assert "tells classes apart" in faults(client.post("/api/learning"), 409)
    other = next(model["name"] for model in client.get("/api/models").json()["models"] if not model["in_use"])
    assert client.put("/api/models/default", json={"model": other}).json()["unfit"] is None


def test_a_run_with_classes_shows_the_score_of_each(tmp_path: Path) -> None:
    data, model = tmp_path / "data", two_class_model(tmp_path / "classes.onnx")
    for seed, name in enumerate(("ann", "bob")):
        (data / name).mkdir(parents=True)
        path = volume(data / name, f"{name}_flair.nii.gz", seed=seed)
        image = nibabel.load(path)
        truth = np.where(np.asanyarray(image.dataobj) > 180, 1, 0).astype(np.uint8)
        truth[:, :20] *= 3
        nibabel.save(nibabel.Nifti1Image(truth, image.affine), data / name / f"{name}_seg.nii.gz")
    predictor, facts = load_model(model), {"data": str(data), "patient_rule": None}
    names = ["labels.values=[1, 3]", 'labels.names=["oedema", "core"]']
    run = RunFolder.create(tmp_path / "runs" / "classes", load_recipe("default", names), facts)
    found = evaluate(predictor, find_cases(data, layout="scans"), run.evaluation, pictures=False)
    with testing.TestClient(serve(tmp_path, runs=tmp_path / "runs"), base_url=BASE) as client:
        said = client.get("/api/runs/classes").json()
        for title in ("oedema", "core"):
            assert said["protocols"][f"class/{title}"]["sentence"]
            shown = {each["patient"]: each["scores"][f"class/{title}"] for each in said["patients"]}
            assert shown == pytest.approx(found.classes[title].values)
        scan = client.post("/api/runs/classes/patients/ann").json()
        assert [each["name"] for each in scan["labels"]] == ["oedema", "core"]
        assert {each["name"] for each in scan["truth_labels"]} <= {"oedema", "core"}
