"""From folders to the report: finding masks, measuring, joining, drawing, writing; and both verbs."""

from __future__ import annotations

import csv
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from support.sound_scans import nifti
from typer.testing import CliRunner

from glioseg.cli.features import features
from glioseg.cli.radiogenomics import radiogenomics as radiogenomics_verb
from glioseg.dataset.find import find_cases, read_case
from glioseg.errors import InputError
from glioseg.grid import Grid
from glioseg.io import write_segmentation
from glioseg.measure.shape import FEATURES, NotDefined
from glioseg.measure.shape.table import find_masks, measure_all, sources_of
from glioseg.radiogenomics.clinical import read_clinical
from glioseg.radiogenomics.report import write_report
from glioseg.radiogenomics.study import radiogenomics
from glioseg.radiogenomics.wording import warnings
from glioseg.report.document import Heading, Notes, Paragraph, Picture, Table, to_html, to_markdown
from glioseg.samples import SAMPLES, sample_cases
from glioseg.scan import Segmentation, Storage

PATIENTS = 12
SHAPE = (6, 40, 40)
FAST = {"resamples": 200}


def lesion(number):
    """Round for even patients, with a long arm for odd ones."""
    z, y, x = np.indices(SHAPE)
    radius = 5 + number % 5
    voxels = ((z - 2.5) / 2.2) ** 2 + ((y - 20) / radius) ** 2 + ((x - 18) / radius) ** 2 <= 1
    if number % 2:
        voxels[2, 19:22, 18:38] = True
    return voxels


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Twelve made-up patients in the layout of the public data set; the odd ones are cluster 2."""
    folder = tmp_path_factory.mktemp("data") / "kaggle_3m"
    random = np.random.default_rng(0)
    rows = ["Patient,RNASeqCluster,COCCluster,age"]
    for number in range(PATIENTS):
        key = f"TCGA_XX_{number:04d}"
        patient = folder / f"{key}_19990101"
        patient.mkdir(parents=True)
        voxels = lesion(number)
        for position in range(SHAPE[0]):
            stem = f"{patient.name}_{position + 1}"
            picture = random.integers(60, 90, (*SHAPE[1:], 3), dtype=np.uint8)
            picture[voxels[position]] += 100
            Image.fromarray(picture).save(patient / f"{stem}.tif")
            Image.fromarray(voxels[position].astype(np.uint8) * 255).save(patient / f"{stem}_mask.tif")
        if number:  # the first patient has no row
            rows.append(f"{key},{2 if number % 2 else 1},{'' if number == 3 else number % 3},{number + 30}")
    (folder / "data.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def predicted(data, tmp_path_factory):
    """The true masks, a column wider, as a network might give them: one empty, one absent."""
    run = tmp_path_factory.mktemp("run") / "run-1"
    for number, case in enumerate(find_cases(data)):
        if number == 5:
            continue
        scan, truth = read_case(case)
        wider = truth.mask | np.roll(truth.mask, 1, axis=2)
        write_segmentation(scan.segmentation(wider & (number != 4), id=case.id), run / "masks")
    return run


def test_a_small_category_is_named_once_with_its_smallest_size(data, tmp_path):
    """A mask of one slice has an outline but no ellipsoid: its category is smaller for one feature."""
    for number, case in enumerate(find_cases(data)):
        scan, truth = read_case(case)
        flat = truth.mask.copy()
        if number == 6:
            flat[:2] = flat[3:] = False
        write_segmentation(scan.segmentation(flat, id=case.id), tmp_path)
    study = radiogenomics(data, tmp_path, columns=["COCCluster"], **FAST)
    (said,) = [remark for remark in warnings(study) if remark.startswith("Categories")]
    sizes = re.findall(r"COCCluster = (\d) \((\d)\)", said)
    assert [category for category, _ in sizes] == ["0", "1", "2"]
    by_feature = [{level.name: level.patients for level in test.levels} for test in study.tests.paper]
    assert len({str(each) for each in by_feature}) > 1
    assert {category: int(size) for category, size in sizes} == {
        category: min(each[category] for each in by_feature) for category, _ in sizes
    }


@pytest.fixture(scope="module")
def study(data):
    return radiogenomics(data, **FAST)


@pytest.fixture(scope="module")
def predicted_study(data, predicted):
    return radiogenomics(data, predicted, **FAST)


def run(verb, *arguments):
    app = typer.Typer()
    app.command()(verb)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def read_csv(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ---------------------------------------------------------------- masks and features


def test_masks_are_found_in_every_layout_that_is_written(tmp_path, data, predicted):
    patients = [case.id for case in find_cases(data)]
    assert list(find_masks(data)) == patients
    without_one = [id for number, id in enumerate(patients) if number != 5]
    assert list(find_masks(predicted)) == list(find_masks(predicted / "masks")) == without_one
    assert find_masks(data / patients[0]) == {patients[0]: data / patients[0]}
    grid = Grid(SHAPE, affine=np.eye(4), spacing=(1.0, 1.0, 1.0))
    (path,) = write_segmentation(Segmentation.from_mask(lesion(0), grid, "scan_10"), tmp_path / "volumes")
    write_segmentation(Segmentation.from_mask(lesion(1), grid, "scan_9"), tmp_path / "volumes")
    assert list(find_masks(tmp_path / "volumes")) == ["scan_9", "scan_10"]
    assert find_masks(path) == {"scan_10": path}


def test_masks_beside_volumes_are_measured_with_their_scans(tmp_path):
    voxels = np.random.default_rng(1).integers(1, 500, (20, 24, 6)).astype(np.int16)
    for id in ("p1", "p2"):
        for word, stored in (("flair", voxels), ("t1", voxels), ("seg", (voxels > 400).astype(np.uint8))):
            nifti(tmp_path / id / f"{id}_{word}.nii.gz", stored)
    masks = find_masks(tmp_path)
    assert {id: path.name for id, path in masks.items()} == {
        "p1": "p1_seg.nii.gz",
        "p2": "p2_seg.nii.gz",
    }
    table = measure_all(sources_of(masks, tmp_path))
    assert table.patients == ["p1", "p2"]
    assert sources_of(masks, tmp_path)["p1"]()[1] is not None


def test_a_mask_twice_or_none_is_refused(tmp_path):
    with pytest.raises(InputError, match="none"):
        find_masks(tmp_path)
    with pytest.raises(InputError):
        find_masks(tmp_path / "absent")
    mask = Segmentation.from_mask(lesion(0), Grid(SHAPE), "a")
    write_segmentation(mask, tmp_path)
    write_segmentation(replace(mask, storage=Storage("image")), tmp_path)
    with pytest.raises(InputError, match="one mask for a"):
        find_masks(tmp_path)


def test_the_same_lesion_gives_the_same_features_from_every_format(tmp_path):
    measured = []
    for kind in ("slices", "image", "nifti"):
        # Slices upwards, rows to the back and columns to the left, as the reader lays slices out.
        upwards = np.array([[0, 0, -1, 0], [0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
        affine = upwards if kind == "nifti" else None
        mask = Segmentation.from_mask(lesion(1), Grid(SHAPE, affine=affine), "a")
        write_segmentation(replace(mask, storage=Storage(kind)), tmp_path / kind)
        table = measure_all(sources_of(find_masks(tmp_path / kind)))
        measured.append([table.column(name)[0] for name in ("volume_voxels", "margin_fluctuation")])
    assert measured[0] == measured[1] == pytest.approx(measured[2])


def test_the_samples_have_the_features_that_were_measured_on_them():
    table = measure_all(sources_of(find_masks(SAMPLES)))
    assert table.patients == [case.id for case in sample_cases()]
    assert table.column("volume_voxels").tolist() == [28110, 8017, 3115]
    # Computed once with a plain Khachiyan iteration without Newton steps, and with another boundary walk.
    expected = {
        "bounding_ellipsoid_volume_ratio": (0.46232922, 0.46726439, 0.41410052),
        "angular_standard_deviation": (0.070714162, 0.06233245, 0.10726951),
        "margin_fluctuation": (0.035694343, 0.032483132, 0.051598437),
    }
    for name, values in expected.items():
        assert table.column(name) == pytest.approx(values, rel=1e-5)


def test_all_patients_have_the_shapes_that_are_known_of_them(data_folder):
    """Quartiles that a faithful implementation gives for all 110 patients; parts of them shift a little."""
    table = measure_all(sources_of(find_masks(data_folder)))
    quartiles = {
        "bounding_ellipsoid_volume_ratio": (0.322, 0.378, 0.435),
        "angular_standard_deviation": (0.070, 0.091, 0.109),
        "margin_fluctuation": (0.039, 0.048, 0.061),
    }
    near = 0.002 if len(table.rows) == 110 else 0.006
    for name, expected in quartiles.items():
        assert np.percentile(table.column(name), (25, 50, 75)) == pytest.approx(expected, abs=near)
    # The table codes the side as 1 left, 2 midline, 3 right; the slices are shown as radiologists do.
    sides = read_clinical(data_folder / "data.csv").labels(table.patients, "laterality")
    coded = {"1": "image right", "3": "image left"}
    agree = [
        row["side"] == coded[side]
        for row, side in zip(table.rows.values(), sides, strict=True)
        if side in coded
    ]
    assert np.mean(agree) > 0.98


def test_the_associations_that_are_known_of_all_110_patients(data_folder):
    """What a faithful implementation finds in the manual masks of everyone; not of a part of them."""
    if len(find_cases(data_folder)) != 110:
        pytest.skip("needs all 110 patients")
    study = radiogenomics(data_folder)
    p = {(test.feature, test.column): test.fisher.p for test in study.tests.paper}
    ratio = "bounding_ellipsoid_volume_ratio"
    expected = {
        (ratio, "RNASeqCluster"): 0.00015,
        ("margin_fluctuation", "RNASeqCluster"): 0.0028,
        ("angular_standard_deviation", "RNASeqCluster"): 0.0006,
        (ratio, "MethylationCluster"): 0.011,
        (ratio, "miRNACluster"): 0.003,
        (ratio, "CNCluster"): 0.0024,
        (ratio, "COCCluster"): 0.0002,
    }
    assert {pair: value / 2 < p[pair] < value * 2 for pair, value in expected.items()} == dict.fromkeys(
        expected, True
    )
    areas = {(one.feature, one.column, one.level): one.area for one in study.tests.discriminations}
    assert areas[ratio, "RNASeqCluster", "2"].value == pytest.approx(0.786, abs=0.01)


def test_features_csv_says_why_a_value_is_missing(tmp_path, predicted):
    result = run(features, predicted, "-o", tmp_path / "features.csv")
    assert result.exit_code == 0, result.output
    assert "not defined for 1 of 11, the mask is empty: bounding_ellipsoid_volume_ratio" in result.output
    rows = read_csv(tmp_path / "features.csv")
    assert len(rows) == PATIENTS - 1
    assert list(rows[0]) == ["patient", *FEATURES, "not_defined"]
    empty = next(row for row in rows if row["patient"] == "TCGA_XX_0004_19990101")
    assert empty["bounding_ellipsoid_volume_ratio"] == "NaN"
    assert "bounding_ellipsoid_volume_ratio" in empty["not_defined"]
    assert "the mask is empty" in empty["not_defined"]
    full = rows[0]
    assert float(full["bounding_ellipsoid_volume_ratio"]) > 0
    assert full["intensity_mean"] == full["volume_mm3"] == "NaN"
    assert "the voxel spacing is unknown" in full["not_defined"]
    assert "no scan was given" in full["not_defined"]


def test_scans_add_the_intensities(tmp_path, data, predicted):
    assert run(features, predicted, "-o", tmp_path / "with.csv", "--scans", data).exit_code == 0
    assert run(features, data, "-o", tmp_path / "own.csv").exit_code == 0
    for name in ("with.csv", "own.csv"):
        assert 120 < float(read_csv(tmp_path / name)[0]["intensity_mean"]) < 190


# ---------------------------------------------------------------- the study


def test_the_irregular_cluster_is_found(study):
    found = {(test.feature, test.column): test for test in study.tests.paper}
    shape = found["bounding_ellipsoid_volume_ratio", "RNASeqCluster"]
    assert (shape.patients, shape.without_label, shape.without_feature) == (11, 1, 0)
    assert shape.kruskal.p < 0.05
    area = next(
        one for one in study.tests.discriminations if (one.column, one.level) == ("RNASeqCluster", "2")
    )
    assert area.area.value > 0.9
    assert study.left_out == {"age": "not asked for"}


def test_patients_without_a_row_or_a_category_are_counted(study):
    assert study.to_dict()["without_category_row"] == ["TCGA_XX_0000_19990101"]
    assert [label is None for label in study.labels["COCCluster"]].count(True) == 2


def test_predicted_masks_are_compared_with_the_manual_ones_of_the_same_patients(predicted_study):
    table, truth = predicted_study.table, predicted_study.truth
    assert len(table.rows) == PATIENTS
    assert len(truth.rows) == PATIENTS - 1
    reasons = table.not_defined("bounding_ellipsoid_volume_ratio")
    assert reasons == {
        "TCGA_XX_0004_19990101": "the mask is empty",
        "TCGA_XX_0005_19990101": "there is no predicted mask",
    }
    shape = predicted_study.tests.paper[0]
    assert (shape.without_feature, shape.patients + shape.without_label) == (2, PATIENTS - 2)
    manual = predicted_study.truth_tests.paper[0]
    assert manual.patients + manual.without_label == PATIENTS - 1
    assert predicted_study.correlations["bounding_ellipsoid_volume_ratio"].n == PATIENTS - 2
    assert predicted_study.correlations["bounding_ellipsoid_volume_ratio"].pearson > 0.9
    assert isinstance(predicted_study.correlations.get("sphericity", NotDefined("")), NotDefined)
    assert predicted_study.dice["TCGA_XX_0004_19990101"] == 0
    assert 0.8 < predicted_study.dice["TCGA_XX_0000_19990101"] < 1


def test_any_table_with_any_categories_works(tmp_path, data):
    table = tmp_path / "mine.csv"
    rows = "".join(f"{'big' if n % 5 > 2 else 'small'};TCGA_XX_{n:04d}_19990101\n" for n in range(PATIENTS))
    table.write_text("size;who\n" + rows, encoding="utf-8")
    study = radiogenomics(data, clinical=table, key="who", **FAST)
    assert study.columns == ("size",)
    written = write_report(study, tmp_path / "out")
    assert "Beside the paper" not in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert all(path.is_file() for path in written)


def test_what_does_not_fit_together_is_refused(tmp_path, data, predicted):
    table = tmp_path / "others.csv"
    table.write_text("id,c\nx,1\ny,2\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"--clinical(.|\n)*none of them"):
        radiogenomics(data, SAMPLES, table, **FAST)
    with pytest.raises(InputError) as all_at_once:
        radiogenomics(tmp_path / "no data", tmp_path / "no masks", **FAST)
    assert len(all_at_once.value.faults) == 3
    first = next(iter(find_masks(predicted)))
    folder = tmp_path / "masks" / first
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros(SHAPE[1:], np.uint8)).save(folder / f"{first}_1_mask.tif")
    with pytest.raises(InputError) as caught:
        radiogenomics(data, tmp_path / "masks", **FAST)
    assert len(caught.value.faults) == SHAPE[0] - 1


# ---------------------------------------------------------------- the report


@pytest.fixture(scope="module")
def reports(study, predicted_study, tmp_path_factory):
    """The study, the folder and the files of both reports."""
    folder = tmp_path_factory.mktemp("reports")
    both = {"manual": study, "predicted": predicted_study}
    return {kind: (one, folder / kind, write_report(one, folder / kind)) for kind, one in both.items()}


@pytest.mark.parametrize("kind", ["manual", "predicted"])
def test_the_report_is_whole_and_names_no_path(reports, data, kind):
    study, out, written = reports[kind]
    assert sorted(written) == sorted(out.iterdir())
    page = (out / "index.html").read_text(encoding="utf-8")
    assert set(re.findall(r'src="(.{15})', page)) == {"data:image/png;"}
    assert not re.search(r"https?://|<script|<link|@import", page)
    assert page.count("<h2>") == page.count("</h2>") >= 8
    assert sum(path.stat().st_size for path in written) < 5_000_000
    private = [str(folder).encode() for folder in (out.parent, data.parent, Path.home())]
    for path in written:
        assert not [folder for folder in private if folder in path.read_bytes()]
    numbers = json.loads((out / "study.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert numbers["patients"] == PATIENTS
    assert len(numbers["associations"]) == 6
    rows = read_csv(out / "associations.csv")
    assert len(rows) == 6 + len(study.tests.explored)
    assert float(rows[0]["fisher_p"]) == pytest.approx(numbers["associations"][0]["fisher_p"])
    text = (out / "report.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\]\((\w+\.png)\)", text)) == {path.name for path in out.glob("*.png")}
    assert ("Predicted against manual masks" in text) == (kind == "predicted")
    assert "doi 10.1016/j.compbiomed.2019.05.002" in text
    for picture in out.glob("*.png"):
        with Image.open(picture) as image:
            assert np.asarray(image.convert("L")).std() > 5


@pytest.mark.parametrize("kind", ["manual", "predicted"])
def test_the_verb_writes_the_same_bytes_again(tmp_path, data, predicted, reports, kind):
    _, _, written = reports[kind]
    masks = ["--truth"] if kind == "manual" else ["--run", predicted]
    result = run(radiogenomics_verb, data, *masks, "-o", tmp_path, "--resamples", FAST["resamples"])
    assert result.exit_code == 0, result.output
    assert f"{'12' if kind == 'manual' else '10 of 12'} patients of kaggle_3m" in result.output
    for path in written:
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_the_report_in_chinese_has_the_same_numbers(predicted_study, reports, tmp_path):
    write_report(predicted_study, tmp_path, "zh")
    english, chinese = (
        (folder / "report.md").read_text(encoding="utf-8") for folder in (reports["predicted"][1], tmp_path)
    )
    assert re.findall(r"\d+\.\d+", english.split("## Methods")[0].split("## Features")[1]) == re.findall(
        r"\d+\.\d+", chinese.split("## 方法")[0].split("## 特征")[1]
    )
    assert english.count("\n## ") == chinese.count("\n## ")
    assert "# 肿瘤形状与基因组亚型：预测掩膜" in chinese
    assert not re.search("Median,|patients whose|Missing|first quartile", chinese)
    assert '<html lang="zh-CN">' in (tmp_path / "index.html").read_text(encoding="utf-8")
    with pytest.raises(InputError, match="one of en, zh"):
        write_report(predicted_study, tmp_path, "de")


def test_a_study_in_which_nothing_is_defined_still_reports(tmp_path, data):
    for case in find_cases(data):
        scan, _ = read_case(case)
        write_segmentation(scan.segmentation(np.zeros(scan.grid.shape, bool), id=case.id), tmp_path / "masks")
    empty = radiogenomics(data, tmp_path, **FAST)
    write_report(empty, tmp_path / "out")
    json.loads((tmp_path / "out" / "study.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    text = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert "0 of 12 patients" in text
    assert "the mask is empty" in text
    assert all(math.isnan(test.bonferroni) for test in empty.tests.paper)


def test_a_document_escapes_what_it_is_given(tmp_path):
    Image.new("L", (3, 3)).save(tmp_path / "p.png")
    blocks = [
        Heading("<b>", 1),
        Paragraph("a < b"),
        Notes(["<i>"]),
        Table(["x|y"], [["<td>"]], "<c>", frozenset({(0, 0)})),
        Picture("p.png", '"quoted"'),
    ]
    page = to_html(blocks, tmp_path)
    assert not re.search(r"<b>|<i>|<td><td>|<c>", page)
    assert 'alt="&quot;quoted&quot;"' in page
    assert '<td class="strong">&lt;td&gt;</td>' in page
    assert "| x\\|y |\n| --- |\n| **<td>** |" in to_markdown(blocks)


# ---------------------------------------------------------------- the verb


@pytest.mark.parametrize("arguments", [[], ["--truth", "--masks", "x"], ["--masks", "x", "--run", "y"]])
def test_the_verb_wants_one_source_of_masks(tmp_path, data, arguments):
    result = run(radiogenomics_verb, data, *arguments, "-o", tmp_path / "out")
    assert isinstance(result.exception, InputError)
    assert not (tmp_path / "out").exists()


def test_a_run_without_masks_is_refused(tmp_path, data):
    result = run(radiogenomics_verb, data, "--run", tmp_path, "-o", tmp_path / "out")
    assert isinstance(result.exception, InputError)
    assert "masks" in str(result.exception)
