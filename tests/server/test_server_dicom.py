"""The HTTP API with DICOM: studies in, series chosen, masks as SEG out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest
from support import dicom_kit

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient
from support.server_kit import as_form, faults, upload, volume, zipped
from support.sound_scans import volume as sound_volume
from typer.testing import CliRunner

from glioseg.io import read_scan, read_segmentation, write_segmentation
from glioseg.scan import Scan, Segmentation


def dicom_study(folder: Path) -> dict[str, bytes]:
    """The files of a study: a head with a bright ball as FLAIR, and a T1."""
    voxels = np.asarray(nibabel.load(volume(folder)).dataobj)
    dicom_kit.series(folder / "study" / "1", voxels, name="AX T2 FLAIR")
    dicom_kit.series(folder / "study" / "2", voxels, name="AX T1", suffix="")
    files = sorted(path for path in (folder / "study").rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("how", ["zip", "zip of a folder", "files"])
def test_dicom_from_upload_to_seg(client: TestClient, tmp_path: Path, how: str) -> None:
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
    mask = read_segmentation(tmp_path / "m.dcm")
    assert mask.voxels.any()
    assert (read_segmentation(tmp_path / "m.nii.gz", mask).voxels == mask.voxels).all()
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
    assert "format=nifti" in faults(client.get(f"{address}/mask?format=dicom"), 409)


# --- which series is which ------------------------------------------------------------------


def refused_series(reply: Any) -> dict[str, dict[str, Any]]:
    """The series that a refusal offers, by the words in their titles."""
    faults(reply, 422)
    return {each["title"].split("'")[1]: each for each in reply.json()["series"]}


def test_a_study_that_is_not_clear_offers_its_series_and_goes_on_with_a_choice(
    client: TestClient, tmp_path: Path
) -> None:
    volumes = {name: sound_volume(seed=seed) for seed, name in enumerate(("FLAIR A", "FLAIR B", "AX T1"))}
    for name, voxels in volumes.items():
        dicom_kit.series(tmp_path, voxels, name=name)
    form = as_form(sorted(tmp_path.glob("*.dcm")))
    offered = refused_series(client.post("/api/scans", files=form))
    assert set(offered) == set(volumes)
    assert {each["images"] for each in offered.values()} == {volumes["AX T1"].shape[2]}
    assert {each["plane"] for each in offered.values()} == {"axial"}
    assert offered["AX T1"]["sequence"] == "pre"

    chosen = {"series": [f"flair={offered['FLAIR B']['key']}", f"post={offered['AX T1']['key']}", "pre=none"]}
    reply = client.post("/api/scans", files=form, data=chosen)
    assert reply.status_code == 201, reply.text
    scan = reply.json()
    taken = {each["key"]: each["sequence"] for each in scan["series"]}
    assert taken == {
        offered["FLAIR A"]["key"]: None,
        offered["FLAIR B"]["key"]: "flair",
        offered["AX T1"]["key"]: "post",
    }
    assert scan["filled"] == ["pre"]
    image: Any = nibabel.Nifti1Image.from_bytes(client.get(f"/api/scans/{scan['id']}/view/post").content)
    shown = np.asarray(image.dataobj).transpose(2, 1, 0)[:, ::-1, ::-1]
    np.testing.assert_array_equal(shown, volumes["AX T1"].transpose(2, 1, 0))


@pytest.mark.parametrize("wrong", ["no FLAIR", "a name that is not there"])
def test_refusals_that_a_choice_cures_offer_the_series(
    client: TestClient, tmp_path: Path, wrong: str
) -> None:
    first = "AX T2" if wrong == "no FLAIR" else "AX FLAIR"
    dicom_kit.series(tmp_path, sound_volume(), name=first)
    dicom_kit.series(tmp_path, sound_volume(seed=1), name="AX T1")
    form = as_form(sorted(tmp_path.glob("*.dcm")))
    asked = {"series": ["flair=other"]} if wrong.startswith("a name") else {}
    offered = refused_series(client.post("/api/scans", files=form, data=asked))
    assert set(offered) == {first, "AX T1"}
    cure = {"series": [f"flair={offered[first]['key']}", "pre=none"]}
    assert client.post("/api/scans", files=form, data=cure).status_code == 201


def test_other_refusals_offer_no_series(client: TestClient, tmp_path: Path) -> None:
    reply = client.post("/api/scans", files=[("files", ("a.dcm", b"hello" * 100))])
    faults(reply, 422)
    assert "series" not in reply.json()


# --- SEG beside the series ------------------------------------------------------------------


@pytest.fixture
def study(labelled: dict[str, tuple[Scan, Segmentation]], tmp_path: Path) -> tuple[list[Path], Segmentation]:
    """An oblique study of a real scan with its true outline as SEG: the files, and that mask."""
    scan, truth = next(iter(labelled.values()))
    affine = dicom_kit.rotated(dicom_kit.AXIAL, (12, -8, 10))
    folder = tmp_path / "study"
    for name, words in (("flair", "Ax T2 FLAIR"), ("post", "Ax T1 POST")):
        dicom_kit.series(folder, scan.channel(name).transpose(2, 1, 0).astype(np.uint16), affine, name=words)
    read = read_scan(folder)
    assert read.grid.shape == truth.grid.shape
    mask = read.segmentation(truth.mask, id="truth")
    write_segmentation(mask, folder)
    return sorted(folder.iterdir()), mask


@pytest.mark.parametrize("packed", [False, True], ids=["files", "zip"])
def test_a_seg_beside_its_series_is_the_truth(
    client: TestClient, tmp_path: Path, study: tuple[list[Path], Segmentation], packed: bool
) -> None:
    files, truth = study
    form = as_form(files)
    if packed:
        form = [("files", ("p.zip", zipped({f"p/{path.name}": path.read_bytes() for path in files})))]
    reply = client.post("/api/scans", files=form)
    assert reply.status_code == 201, reply.text
    address = f"/api/scans/{reply.json()['id']}"
    assert reply.json()["truth"]
    body = np.frombuffer(client.get(f"{address}/view/true").content, np.uint8, offset=352)
    np.testing.assert_array_equal(body.reshape(truth.grid.shape)[:, ::-1, ::-1], truth.mask)
    assert 0 < client.post(f"{address}/segment").json()["metrics"]["dice"]["value"] <= 1
    (tmp_path / "again.dcm").write_bytes(client.get(f"{address}/mask?which=true").content)
    np.testing.assert_array_equal(read_segmentation(tmp_path / "again.dcm", truth).voxels, truth.mask)
    assert segment_type(tmp_path / "again.dcm") == "MANUAL"


def test_a_seg_that_does_not_fit_is_refused(
    client: TestClient, tmp_path: Path, study: tuple[list[Path], Segmentation]
) -> None:
    files, _ = study
    seg = next(path for path in files if path.name.endswith("_mask.dcm"))
    series = [path for path in files if path != seg]
    dicom_kit.series(tmp_path / "other", sound_volume(), study="2")
    other = read_scan(tmp_path / "other")
    (elsewhere,) = write_segmentation(
        other.segmentation(np.ones(other.grid.shape, bool), id="elsewhere"), tmp_path
    )
    assert "the grid of its scan" in faults(
        client.post("/api/scans", files=as_form([*series, elsewhere])), 422
    )
    assert "one mask for the scan" in faults(
        client.post("/api/scans", files=as_form([*files, elsewhere])), 422
    )
    assert "MR images" in faults(client.post("/api/scans", files=as_form([seg])), 422)


# --- SEG out --------------------------------------------------------------------------------


def segment_type(path: Path) -> str:
    (segment,) = pydicom.dcmread(path).SegmentSequence
    return str(segment.SegmentAlgorithmType)


def test_a_seg_says_whether_a_person_corrected_it(
    client: TestClient, tmp_path: Path, study: tuple[list[Path], Segmentation]
) -> None:
    files, _ = study
    scan = upload(client, [path for path in files if "_mask" not in path.name])
    address = f"/api/scans/{scan['id']}"
    client.post(f"{address}/segment")
    path = tmp_path / "seg.dcm"
    for anonymise in ("false", "true"):
        path.write_bytes(client.get(f"{address}/mask?anonymise={anonymise}").content)
        assert segment_type(path) == "AUTOMATIC"
    as_found = pydicom.dcmread(path)
    painted = np.zeros(scan["shape"], np.uint8)
    painted[2, 5:9, 1:6] = 1
    client.put(f"{address}/mask", content=painted.tobytes())
    for anonymise in ("false", "true"):
        path.write_bytes(client.get(f"{address}/mask?anonymise={anonymise}").content)
        assert segment_type(path) == "SEMIAUTOMATIC"
        assert read_segmentation(path).voxels.sum() == 20
    corrected = pydicom.dcmread(path)
    assert corrected.SegmentSequence[0].SegmentAlgorithmName == "glioseg"
    assert corrected.ContentDescription != as_found.ContentDescription
    client.post(f"{address}/segment")  # anew: nobody has corrected this one
    path.write_bytes(client.get(f"{address}/mask").content)
    assert segment_type(path) == "AUTOMATIC"


def test_the_masks_are_those_of_the_command_line(
    client: TestClient, tmp_path: Path, study: tuple[list[Path], Segmentation]
) -> None:
    from glioseg.cli import app

    files, truth = study
    images = [path for path in files if "_mask" not in path.name]
    scan = upload(client, images)
    address = f"/api/scans/{scan['id']}"
    client.post(f"{address}/segment")
    options = ["--no-outlines", "--no-gif", "--threads", "1"]
    done = CliRunner().invoke(
        app, ["predict", str(tmp_path / "study"), "-o", str(tmp_path / "out"), *options]
    )
    assert done.exit_code == 0, done.output
    by_format = {"dicom": "study_mask.dcm", "nifti": "study_mask.nii.gz"}
    expected = {name: tmp_path / "out" / "masks" / file for name, file in by_format.items()}
    lesion = read_segmentation(expected["dicom"], truth).voxels
    assert lesion.any()
    for format, path in expected.items():
        downloaded = tmp_path / path.name
        downloaded.write_bytes(client.get(f"{address}/mask?format={format}").content)
        np.testing.assert_array_equal(read_segmentation(downloaded, truth).voxels, lesion)
        assert downloaded.read_bytes() == path.read_bytes()
