"""From folders to the report: finding masks, measuring, joining, drawing, writing; and both verbs."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.cohort_kit import PATIENTS, SHAPE, read_csv, run

from glioseg.cli.radiogenomics import radiogenomics as radiogenomics_verb
from glioseg.dataset.find import find_cases, read_case
from glioseg.errors import InputError
from glioseg.io import write_segmentation
from glioseg.measure.shape import FEATURES, NotDefined
from glioseg.measure.shape.table import find_masks
from glioseg.radiogenomics.report import write_report
from glioseg.radiogenomics.study import radiogenomics
from glioseg.radiogenomics.wording import warnings
from glioseg.report.document import Heading, Notes, Paragraph, Picture, Table, to_html, to_markdown
from glioseg.samples import SAMPLES

FAST = {"resamples": 200}


@pytest.fixture(scope="module")
def study(data):
    return radiogenomics(data, **FAST)


@pytest.fixture(scope="module")
def predicted_study(data, predicted):
    return radiogenomics(data, predicted, **FAST)


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
    assert not [name for name, feature in FEATURES.items() if re.search(rf"\b{feature.title}\b", chinese)]
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
