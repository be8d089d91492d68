"""The HTTP API: what a client gets."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient
from support.server_kit import faults, slices_of_sample, upload, volume, zipped

from glioseg.io import read_scan, read_segmentation
from glioseg.samples import sample_cases


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
    assert "扫描自身网格" in numbers["protocol_translations"]["zh"]["sentence"]
    assert client.get(f"{address}/numbers").json() == numbers
    row = next(csv.DictReader(io.StringIO(client.get(f"{address}/numbers?format=csv").text)))
    assert float(row["dice"]) == numbers["metrics"]["dice"]["value"]

    from glioseg.model.predictor import load_model

    source = tmp_path / "again"
    source.mkdir()
    expected = load_model("default", threads=1)(read_scan(tmp_path)).segmentation
    for format, suffix in (("native", ".tif"), ("tif", ".tif"), ("png", ".png")):
        with zipfile.ZipFile(io.BytesIO(client.get(f"{address}/mask?format={format}").content)) as archive:
            archive.extractall(source / format)
        files = sorted((source / format).rglob(f"*{suffix}"))
        assert len(files) == 4
        assert (read_segmentation(files[0].parent).voxels == expected.voxels).all()
    (source / "m.nii.gz").write_bytes(client.get(f"{address}/mask?format=nifti").content)
    assert (read_segmentation(source / "m.nii.gz").voxels == expected.voxels).all()
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

    from glioseg.io import write_segmentation
    from glioseg.model.predictor import load_model

    reply = client.get(f"{address}/mask")
    assert reply.headers["content-disposition"].startswith('attachment; filename="head_mask.nii.gz"')
    prediction = load_model("default", threads=1)(read_scan(path))
    assert reply.content == write_segmentation(prediction.segmentation, tmp_path / "out")[0].read_bytes()

    (tmp_path / "p.nii.gz").write_bytes(client.get(f"{address}/probability").content)
    stored: Any = nibabel.load(tmp_path / "p.nii.gz")
    original: Any = nibabel.load(path)
    assert stored.shape == original.shape
    np.testing.assert_allclose(stored.affine, original.affine, atol=1e-5)
    presented = read_scan(tmp_path / "p.nii.gz").channel("flair")
    np.testing.assert_allclose(presented, prediction.probability, atol=1e-6)


def test_what_is_odd_about_a_scan_is_said_in_both_languages(client: TestClient, tmp_path: Path) -> None:
    import nibabel

    image: Any = nibabel.load(volume(tmp_path))
    image.header.set_xyzt_units("meter")
    nibabel.save(image, tmp_path / "metres.nii.gz")
    scan = upload(client, [tmp_path / "metres.nii.gz"])
    numbers = client.post(f"/api/scans/{scan['id']}/segment").json()
    assert numbers["lesion_mm3"] is None
    assert "unit_is_metre" in numbers["flags"]
    (note,) = numbers["notes"]
    assert note["code"] == "unit_is_metre"
    assert "It says metres" in note["sentence"]
    assert "单位写作米" in note["translations"]["zh"]["sentence"]


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
    mask = read_segmentation(tmp_path / "m.nii.gz", read_scan(path))
    np.testing.assert_array_equal(mask.voxels, painted != 0)
    faults(client.put(f"{address}/mask", content=painted.tobytes()[:-1]), 409)
    faults(client.put(f"{address}/mask", content=painted.tobytes() + b"0"), 409)


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
    faults(client.post(f"/api/scans/{other['id']}/save"), 409)  # nobody has corrected it
    client.put(f"/api/scans/{other['id']}/mask", content=bytes(int(np.prod(other["shape"]))))
    for one in (scan, other, scan):
        assert client.post(f"/api/scans/{one['id']}/save").status_code == 201
    cases = find_cases(tmp_path / "corrected")
    assert len(cases) == 2
    saved, truth = read_case(next(case for case in cases if case.id.startswith("TCGA")))
    assert truth is not None
    np.testing.assert_array_equal(truth.mask, painted != 0)
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
    from glioseg.io import write_segmentation

    paths += write_segmentation(scan.segmentation(scan.channel("flair") > 200, id="P1"), tmp_path)
    info = upload(client, paths)
    assert info["filled"] == []
    assert info["truth"]
