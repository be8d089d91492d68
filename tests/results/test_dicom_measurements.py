"""The SR beside a SEG: highdicom reads it, it refers to that SEG, and tells no more of the patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.sr import srread
from support.dicom_kit import SECRETS, enhanced, series
from support.known_models import known_model
from support.sound_scans import volume
from typer.testing import CliRunner

from glioseg.cli import app
from glioseg.errors import InputError
from glioseg.io import read_scan, write_segmentation
from glioseg.io.dicom.measurements import MeasuredSegment, write_measurements
from glioseg.results.dicom import report_measurements
from glioseg.scan import Scan, Segmentation


def two_lesions(scan: Scan) -> Segmentation:
    voxels = np.zeros(scan.grid.shape, bool)
    voxels[1, 2:6, 2:10] = True
    voxels[3, 10:12, 10:12] = True
    return scan.segmentation(voxels, id="p1")


@pytest.fixture(params=[series, enhanced], ids=["series", "enhanced"])
def scan(request: pytest.FixtureRequest, tmp_path: Path) -> Scan:
    request.param(tmp_path / "p1" / "a.dcm" if request.param is enhanced else tmp_path / "p1", volume())
    return read_scan(tmp_path / "p1")


def measured(path: Path) -> list[dict[str, float]]:
    """What the report says of each segment, by highdicom."""
    groups = srread(path).content.get_volumetric_roi_measurement_groups()
    return [{each.name.meaning: each.value for each in group.get_measurements()} for group in groups]


def test_volume_and_diameters_of_the_mask_stand_in_it(scan: Scan, tmp_path: Path) -> None:
    mask = two_lesions(scan)
    (seg,) = write_segmentation(mask, tmp_path / "out")
    path = report_measurements(mask, tmp_path / "out", "p1", 0.8123)
    (values,) = measured(path)
    assert values["Volume"] == pytest.approx(mask.volume_mm3, abs=0.1)
    row, column = scan.grid.spacing[1:]
    assert values["Long axis"] == pytest.approx(np.hypot(4 * row, 8 * column), abs=0.01)
    assert 0 < values["Short axis"] <= values["Long axis"]
    assert values["Expected Dice similarity coefficient"] == pytest.approx(0.8123)
    report, stored = pydicom.dcmread(path), pydicom.dcmread(seg)
    for keyword in ("StudyInstanceUID", "PatientName", "PatientID"):
        assert report[keyword].value == stored[keyword].value
    assert report.SeriesInstanceUID != stored.SeriesInstanceUID
    (found,) = srread(path).content.get_volumetric_roi_measurement_groups(
        referenced_sop_instance_uid=stored.SOPInstanceUID
    )
    assert found.tracking_identifier == "lesion"
    again = report_measurements(mask, tmp_path / "out", "p1", 0.8123)
    assert again.read_bytes() == path.read_bytes()


def test_each_label_is_measured_and_an_empty_mask_has_no_diameters(scan: Scan, tmp_path: Path) -> None:
    voxels = two_lesions(scan).voxels.copy()
    voxels[3] *= 4
    mask = scan.segmentation(voxels, {1: "oedema", 4: "core"}, id="p1")
    write_segmentation(mask, tmp_path / "out")
    oedema, core = measured(report_measurements(mask, tmp_path / "out", "p1", None))
    assert oedema["Volume"] == pytest.approx(8 * core["Volume"], rel=0.01)
    assert "Expected Dice similarity coefficient" not in oedema
    empty = scan.segmentation(np.zeros(scan.grid.shape, bool), id="p2")
    write_segmentation(empty, tmp_path / "out")
    assert measured(report_measurements(empty, tmp_path / "out", "p2", None)) == [{"Volume": 0.0}]


def test_nothing_of_the_patient_stands_in_the_report_of_an_anonymised_mask(tmp_path: Path) -> None:
    series(tmp_path / "p1", volume())
    model = known_model(tmp_path / "model.onnx", 3, -2)
    options = ["--model", str(model), "--anonymise", "--no-outlines", "--no-gif"]
    result = CliRunner().invoke(app, ["predict", str(tmp_path / "p1"), "-o", str(tmp_path / "out"), *options])
    assert result.exit_code == 0, result.output
    report = tmp_path / "out" / "masks" / "p1_measurements.dcm"
    content, source = report.read_bytes(), pydicom.dcmread(next((tmp_path / "p1").iterdir()))
    for secret in (*SECRETS, source.StudyInstanceUID, source.SOPInstanceUID, source.SeriesInstanceUID):
        assert secret.encode() not in content
    assert pydicom.dcmread(report).PatientIdentityRemoved == "YES"


def test_it_is_written_beside_a_seg_alone(scan: Scan, tmp_path: Path) -> None:
    image = next(path for path in (tmp_path / "p1").rglob("*.dcm"))
    with pytest.raises(InputError):
        write_measurements(image, [MeasuredSegment(1, 1.0)], tmp_path / "report.dcm")
    assert not (tmp_path / "report.dcm").exists()
