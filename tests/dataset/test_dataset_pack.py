"""A packed data set is the data set: the same cases, fingerprint, prepared arrays, split and training."""

from __future__ import annotations

import csv
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from support.layouts_kit import LAYOUTS, pieces
from typer.testing import CliRunner, Result

from glioseg.cli import app
from glioseg.dataset.cache import fingerprint, prepare_cases
from glioseg.dataset.find import Case, find_cases, read_case
from glioseg.dataset.pack import pack, parse_size
from glioseg.dataset.split import split_patients
from glioseg.errors import InputError
from glioseg.io import find_scans
from glioseg.io.pack import opened
from glioseg.prepare import Preparation
from glioseg.recipe import SplitChoice
from glioseg.samples import SAMPLES


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("packs") / "data.glioseg"
    result = pack(SAMPLES, out, 1_000_000)
    assert (result.patients, result.files) == (3, 120)
    assert result.packed_bytes <= result.source_bytes
    return out


def placeless(found: list[Case], root: Path) -> list[Case]:
    """The cases without the place of their files."""
    return [
        replace(
            case,
            source=replace(
                case.source,
                files=tuple(file.relative_to(root) for file in case.source.files),
                truth=tuple(file and file.relative_to(root) for file in case.source.truth),
            ),
        )
        for case in found
    ]


def test_the_cases_are_the_same(packed: Path) -> None:
    found = find_cases(packed)
    root = found[0].images[0].parents[1]
    assert placeless(found, root) == placeless(find_cases(SAMPLES), SAMPLES)
    choice = SplitChoice(name="holdout", fraction=0.3)
    ids = [[case.id for case in each] for each in (found, find_cases(SAMPLES))]
    assert split_patients(choice, ids[0]) == split_patients(choice, ids[1])


def test_fingerprint_and_prepared_arrays_are_the_same(packed: Path, tmp_path: Path) -> None:
    cases = {"folder": find_cases(SAMPLES)[:1], "pack": find_cases(packed)[:1]}
    prints = {name: fingerprint(each, tmp_path / name) for name, each in cases.items()}
    assert prints["folder"] == prints["pack"]
    made = {
        name: prepare_cases(each, Preparation(size=48), tmp_path / name)[0] for name, each in cases.items()
    }
    np.testing.assert_array_equal(made["folder"].images, made["pack"].images)
    np.testing.assert_array_equal(made["folder"].targets, made["pack"].targets)


def test_what_predicts_finds_the_scans_too(packed: Path) -> None:
    (sources, faults), (original, _) = find_scans([packed]), find_scans([SAMPLES])
    assert faults == []
    assert [source.id for source in sources] == [source.id for source in original]


def test_a_damaged_pack_is_a_fault_beside_the_others(packed: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.glioseg"
    shutil.copytree(packed, broken)
    (broken / "part-001").unlink()
    sources, faults = find_scans([broken, packed])
    assert len(sources) == 3
    assert [fault.code for fault in faults] == ["pack.part_missing"]


def test_volumes_and_other_layouts_keep_their_names(tmp_path: Path) -> None:
    import nibabel

    data = tmp_path / "scans"
    data.mkdir()
    values = np.random.default_rng(0).normal(size=(12, 10, 4)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), data / "p1_flair.nii.gz")
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), data / "p1_t1.nii.gz")
    nibabel.save(nibabel.Nifti1Image((values > 1).astype(np.uint8), np.eye(4)), data / "p1_seg.nii.gz")
    (data / "notes.txt").write_text("stays at home", encoding="utf-8")
    pack(data, tmp_path / "p.glioseg", 2000)
    (case,) = find_cases(tmp_path / "p.glioseg")
    (original,) = find_cases(data)
    assert (case.id, case.layout, case.source.sequences) == (
        original.id,
        original.layout,
        original.source.sequences,
    )
    scan, truth = read_case(case)
    np.testing.assert_array_equal(scan.voxels, read_case(original)[0].voxels)
    assert truth is not None
    assert not list(case.images[0].parent.glob("*.txt"))


def test_the_table_of_categories_goes_along(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES, tmp_path / "data")
    (tmp_path / "data" / "data.csv").write_text("Patient,RNASeqCluster\nTCGA_CS_4944,2\n", encoding="utf-8")
    pack(tmp_path / "data", tmp_path / "p.glioseg", 10_000_000)
    arguments = ["radiogenomics", str(tmp_path / "p.glioseg"), "--truth", "-o", str(tmp_path / "out")]
    done = CliRunner().invoke(app, [*arguments, "--columns", "nonsense"])
    assert "RNASeqCluster" in str(done.exception), "the table was read"


def test_dicom_is_packed_with_its_truth(tmp_path: Path) -> None:
    pytest.importorskip("highdicom")
    from support.dicom_kit import series

    from glioseg.io import read_scan, write_segmentation

    voxels = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7)
    series(tmp_path / "data" / "p1", voxels, study="p1")
    scan = read_scan(tmp_path / "data" / "p1")
    truth = scan.segmentation(scan.channel("flair") > 100, id="p1")
    write_segmentation(truth, tmp_path / "data" / "p1")
    pack(tmp_path / "data", tmp_path / "p.glioseg", 10_000)
    (case,), (original,) = find_cases(tmp_path / "p.glioseg"), find_cases(tmp_path / "data")
    assert (case.id, case.source.format) == (original.id, "dicom")
    for one, other in zip(read_case(case), read_case(original), strict=True):
        assert one is not None
        assert other is not None
        np.testing.assert_array_equal(one.voxels, other.voxels)


def test_a_patient_rule_works_on_the_pack(tmp_path: Path) -> None:
    for folder, suffix in (("images", ""), ("masks", "_mask")):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for number in (1, 2):
            values = np.full((32, 32), 255 * (folder == "masks"), np.uint8)
            tifffile.imwrite(tmp_path / "data" / folder / f"a-{number}-x{suffix}.tif", values)
    rule = r"(?P<patient>[^-]+)-(?P<slice>\d+)"
    pack(tmp_path / "data", tmp_path / "p.glioseg", 10_000, rule)
    (case,) = find_cases(tmp_path / "p.glioseg", rule)
    assert (case.id, case.slice_numbers) == ("a", (1, 2))


def test_a_pack_can_be_cut_anew(packed: Path, tmp_path: Path) -> None:
    result = pack(packed, tmp_path / "again.glioseg", 100_000_000)
    assert result.parts == 1
    assert fingerprint(find_cases(tmp_path / "again.glioseg")) == fingerprint(find_cases(SAMPLES))


def test_a_pack_beside_the_scans_is_no_patient(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES, tmp_path / "data")
    pack(tmp_path / "data", tmp_path / "data" / "data.glioseg", 10_000_000)
    assert [case.id for case in find_cases(tmp_path / "data")] == [case.id for case in find_cases(SAMPLES)]
    assert len(find_scans([tmp_path / "data"])[0]) == 3


def test_a_data_set_with_faults_is_not_packed(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES, tmp_path / "data")
    next((tmp_path / "data").rglob("*_3_mask.tif")).unlink()
    with pytest.raises(InputError, match="a mask beside it"):
        pack(tmp_path / "data", tmp_path / "p.glioseg", 10_000)
    assert not (tmp_path / "p.glioseg").exists()


@pytest.mark.parametrize(
    ("text", "size"),
    [("50MB", 50_000_000), ("1.5 GB", 1_500_000_000), ("800kB", 800_000), ("2m", 2_000_000), ("4096", 4096)],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "many", "-5MB", "0", "10", "5TB", "1e9"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="--part-size"):
        parse_size(text)


def test_the_verb(tmp_path: Path) -> None:
    out = tmp_path / "data.glioseg"
    done = CliRunner().invoke(app, ["pack", str(SAMPLES), "-o", str(out), "--part-size", "1MB"])
    assert done.exit_code == 0, done.output
    assert "3 patients, 120 files" in done.output
    done = CliRunner().invoke(app, ["check", str(out)])
    assert done.exit_code == 0, done.output
    assert "no fault" in done.output
    done = CliRunner().invoke(app, ["features", str(out), "-o", str(tmp_path / "features.csv")])
    assert done.exit_code == 0, done.output
    assert "3 patients" in done.output


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_pack_of_any_layout_is_the_data_set(layout: str, tmp_path: Path) -> None:
    data, packed = tmp_path / "data", tmp_path / "p.glioseg"
    LAYOUTS[layout].make(data, pieces())
    pack(data, packed, 10_000_000)
    found, original = find_cases(packed), find_cases(data)
    without_notes = [
        [replace(case, source=replace(case.source, note="")) for case in cases]  # of folders left aside
        for cases in (placeless(found, opened(packed)), placeless(original, data))
    ]
    assert without_notes[0] == without_notes[1]
    assert [case.source.further.keys() for case in found] == [case.source.further.keys() for case in original]
    (scan, truth), (first, its_truth) = read_case(found[-1]), read_case(original[-1])
    np.testing.assert_array_equal(scan.voxels, first.voxels)
    np.testing.assert_array_equal(truth.mask, its_truth.mask)


def test_masks_beside_the_folder_are_packed(tmp_path: Path) -> None:
    LAYOUTS["nnunet"].make(tmp_path / "data", pieces())
    pack(tmp_path / "data" / "imagesTr", tmp_path / "p.glioseg", 10_000_000)
    found, original = find_cases(tmp_path / "p.glioseg"), find_cases(tmp_path / "data")
    assert placeless(found, opened(tmp_path / "p.glioseg")) == placeless(original, tmp_path / "data")


def test_the_layout_can_be_named(tmp_path: Path) -> None:
    def packed_as(layout: str) -> Result:
        arguments = ["pack", str(tmp_path / "data"), "-o", str(tmp_path / "p.glioseg"), "--layout", layout]
        return CliRunner().invoke(app, arguments)

    LAYOUTS["nnunet"].make(tmp_path / "data", pieces())
    assert isinstance(packed_as("kaggle_3m").exception, InputError)
    told = packed_as("nnunet").output.splitlines()[-1].partition("glioseg check ")[2]
    assert told.endswith("--layout nnunet")
    assert "no fault" in CliRunner().invoke(app, ["check", *shlex.split(told)]).output


def test_a_training_from_a_pack_is_that_from_the_folder(packed: Path, tmp_path: Path) -> None:
    pytest.importorskip("pytorch_lightning")
    from glioseg.recipe import load_recipe
    from glioseg.training.train import Hardware, train

    settings = ["prepare.size=32", "network.arguments.features=2", "train.epochs=1", "train.batch_size=2"]
    settings += ["train.steps_per_epoch=3", "split.name=holdout", "split.fraction=0.3"]
    recipe = load_recipe("reference", settings)
    runs = [
        train(data, recipe, tmp_path / name, hardware=Hardware("cpu", threads=1), echo=lambda line: None)
        for name, data in (("folder", SAMPLES), ("pack", packed))
    ]
    tables = []
    for run in runs:
        with run.metrics_file.open(encoding="utf-8") as file:
            tables.append([{**row, "seconds": ""} for row in csv.DictReader(file)])
    assert tables[0] == tables[1]
    assert (runs[0].weights).read_bytes() == (runs[1].weights).read_bytes()
    prints = [run.manifest["data_fingerprint"] for run in runs]
    assert prints[0] == prints[1]
