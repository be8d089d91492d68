"""A model that takes T2 gets it from an upload, as it does on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

pytest.importorskip("fastapi", reason="the extra 'serve' is not installed")

from fastapi.testclient import TestClient
from support.server_kit import BASE, bright_flair_model, serve, upload, volume

from glioseg.io import find_scans
from glioseg.model.predictor import load_model
from glioseg.recipe import load_recipe
from glioseg.runs.folder import RunFolder


def test_t2_is_read_for_the_model_that_takes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bright_flair_model(tmp_path / "plain.onnx")
    taking = bright_flair_model(tmp_path / "t2.onnx", "t2", ("pre", "flair", "post", "t2"))
    index = {name: {"file": f"{name}.onnx", "summary": "for tests"} for name in ("plain", "t2")}
    (tmp_path / "index.json").write_text(json.dumps(index), "utf-8")
    monkeypatch.setattr("glioseg.model.weights.WEIGHTS", tmp_path)
    # the ball lies elsewhere in each sequence, so that masks tell of which they were made
    folder = tmp_path / "scan"
    folder.mkdir()
    names = ("flair", "t1", "t1ce", "t2")
    files = [volume(folder, f"P1_{name}.nii.gz", seed=9 * seed) for seed, name in enumerate(names)]
    expected = {}
    for model in (tmp_path / "plain.onnx", taking):
        predictor = load_model(model)
        (source,), _ = find_scans([folder])
        scan = source.with_sequences(predictor.description.sequences).read()
        expected[model.stem] = predictor(scan).segmentation.mask
    assert (expected["plain"] != expected["t2"]).any()
    with TestClient(serve(tmp_path), BASE) as client:
        scan_id = upload(client, files)["id"]
        for model in ("t2", "plain", "t2"):
            reply = client.post(f"/api/scans/{scan_id}/segment", json={"model": model})
            assert reply.status_code == 200, reply.text
            assert reply.json()["lesion_voxels"] == expected[model].sum()
            shown = np.frombuffer(client.get(f"/api/scans/{scan_id}/view/network").content[352:], np.uint8)
            mask = shown.reshape(expected[model].shape)[:, ::-1, ::-1]
            np.testing.assert_array_equal(mask != 0, expected[model])
        # without T2 FLAIR stands in, as it does there
        alone = upload(client, files[:3])["id"]
        assert client.post(f"/api/scans/{alone}/segment", json={"model": "t2"}).status_code == 200


def test_t2_is_read_for_a_patient_of_a_run(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "P1"
    folder.mkdir(parents=True)
    for seed, name in enumerate(("flair", "t1", "t1ce", "t2", "seg")):
        path = volume(folder, f"P1_{name}.nii.gz", seed=9 * seed)
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image((image.get_fdata() > 180).astype(np.uint8), image.affine), path)
    facts = {"data": str(tmp_path / "data"), "patient_rule": None}
    run = RunFolder.create(tmp_path / "runs" / "t2", load_recipe("default"), facts)
    bright_flair_model(run.model, "t2", ("pre", "flair", "post", "t2"))
    (source,), _ = find_scans([folder])
    predictor = load_model(run.model)
    scan = source.with_sequences(predictor.description.sequences).read()
    expected = predictor(scan).segmentation.mask
    with TestClient(serve(tmp_path, runs=tmp_path / "runs"), BASE) as client:
        id = client.post("/api/runs/t2/patients/P1").json()["id"]
        assert client.post(f"/api/scans/{id}/segment", json={"model": "run:t2"}).status_code == 200
        shown = np.frombuffer(client.get(f"/api/scans/{id}/view/network").content[352:], np.uint8)
        np.testing.assert_array_equal(shown.reshape(expected.shape)[:, ::-1, ::-1] != 0, expected)


def test_a_corrected_case_is_saved_with_t2_for_a_model_that_takes_it(tmp_path: Path) -> None:
    names = ("flair", "t1", "t1ce", "t2")
    files = [volume(tmp_path, f"P1_{name}.nii.gz", seed=9 * seed) for seed, name in enumerate(names)]
    with TestClient(serve(tmp_path), BASE) as client:
        scan = upload(client, files)
        assert client.post(f"/api/scans/{scan['id']}/segment").status_code == 200
        mask = np.zeros(scan["shape"], np.uint8)
        mask[0, :5, :5] = 1
        assert client.put(f"/api/scans/{scan['id']}/mask", content=mask.tobytes()).status_code == 200
        assert client.post(f"/api/scans/{scan['id']}/save").status_code == 201
    wanted = ("pre", "flair", "post", "t2")
    read = []
    for paths in ([tmp_path / "corrected"], files):
        (source,), _ = find_scans(paths)
        read.append(source.with_sequences(wanted).read())
    saved, given = read
    assert saved.filled == given.filled == ()
    np.testing.assert_array_equal(saved.voxels, given.voxels)


def test_files_called_after_their_sequences_give_the_name_of_flair(tmp_path: Path) -> None:
    files = [volume(tmp_path, f"{name}.nii.gz", seed) for seed, name in enumerate(("T1", "T1POST", "FLAIR"))]
    with TestClient(serve(tmp_path), BASE) as client:
        assert upload(client, files)["name"] == "FLAIR"  # on whose grid the mask lies
