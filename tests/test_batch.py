"""Many scans into a folder: numbers, resuming, kills, bad scans among good ones, disks that fill up."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel
import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage
from support.known_models import known_model

from glioseg.batch import Outputs, ScanResult, predict_many
from glioseg.errors import InputError
from glioseg.grid import Grid
from glioseg.io import Source, find_scans, read_segmentation
from glioseg.measure.size import largest_diameter
from glioseg.model.predictor import Predictor, load_model
from glioseg.samples import SAMPLES
from glioseg.scan import Segmentation

MASKS_ONLY = Outputs(outlines=False, gif=False)
PATIENTS = ("TCGA_CS_4944_20010208", "TCGA_CS_6667_20011105", "TCGA_HT_7692_19960724")
COLUMNS = [
    "id", "source", "slices", "slices_with_lesion", "lesion_voxels", "lesion_mm3", "largest_diameter",
    "diameter_unit", "filled", "seconds", "expected_dice", "doubts",
]  # fmt: skip


class Counting(Predictor):
    """A predictor that keeps the names of the scans it was asked about."""

    def __init__(self, path: Path, **choices: object) -> None:
        loaded = load_model(path, threads=1, **choices)  # type: ignore[arg-type]
        super().__init__(loaded.runtime, loaded.description, loaded.flips, fingerprint=loaded.fingerprint)
        self.asked: list[str] = []

    def __call__(self, scan, probability=True):
        self.asked.append(scan.id)
        return super().__call__(scan, probability)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return known_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture
def predictor(model: Path) -> Counting:
    return Counting(model)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Three small scans: NIfTI with and without lesion, and a folder of four slices."""
    from glioseg.dataset.find import find_cases, read_case

    folder = tmp_path / "scans"
    (folder / "slices").mkdir(parents=True)
    for number in range(1, 5):
        name = f"{PATIENTS[0]}_{number + 8}.tif"
        shutil.copyfile(SAMPLES / PATIENTS[0] / name, folder / "slices" / f"s_{number}.tif")
    scan, _ = read_case(find_cases(SAMPLES)[0])
    affine = np.diag([-1.0, -1.0, 5.0, 1.0])
    for name, places in (("a", slice(8, 12)), ("b", slice(0, 2))):
        flair = scan.channel("flair")[places].transpose(2, 1, 0)
        nibabel.save(nibabel.Nifti1Image(flair, affine), folder / f"{name}.nii.gz")
    return folder


def sources_of(*paths: Path) -> list[Source]:
    sources, faults = find_scans(paths)
    assert not faults
    return sources


def tree(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Time and content of every file but those that every run writes anew."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("summary.csv", "manifest.json")
    }


def rows(out: Path) -> dict[str, dict[str, str]]:
    with (out / "summary.csv").open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        assert table.fieldnames == COLUMNS
        return {row["id"]: row for row in table}


# ---------------------------------------------------------------- what is written


def test_everything_that_is_asked_for(scans, predictor, tmp_path) -> None:
    out = tmp_path / "out"
    sources = sources_of(scans)
    assert [source.id for source in sources] == ["a", "b", "slices"]
    told: list[tuple[str, bool]] = []
    outcome = predict_many(
        sources,
        out,
        predictor,
        Outputs(probability=True),
        {"model_name": "known"},
        lambda result, before: told.append((result.id, before)),
    )
    assert outcome.faults == []
    assert outcome.skipped == 0
    assert told == [("a", False), ("b", False), ("slices", False)]
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {
        "summary.csv",
        "manifest.json",
        *(f"scans/{id}.json" for id in ("a", "b", "slices")),
        *(f"gifs/{id}.gif" for id in ("a", "b", "slices")),
        *(f"probability/{name}" for name in ("a.nii.gz", "b.nii.gz", "slices.npy")),
        "masks/a_mask.nii.gz",
        "masks/b_mask.nii.gz",
        *(f"masks/slices/s_{number}_mask.tif" for number in range(1, 5)),
        *(f"outlines/slices/slice_{number:03d}.png" for number in range(1, 5)),
        *(f"outlines/a/slice_{number:03d}.png" for number in range(1, 5)),
        *(f"outlines/b/slice_{number:03d}.png" for number in range(1, 3)),
    }
    for source in sources:
        scan = source.read()
        expected = predictor(scan)
        path = out / "masks" / ("slices" if source.id == "slices" else f"{source.id}_mask.nii.gz")
        np.testing.assert_array_equal(read_segmentation(path, scan).voxels, expected.segmentation.mask)
        if source.id == "slices":
            kept = np.load(out / "probability" / "slices.npy")
            np.testing.assert_array_equal(kept, expected.probability.astype(np.float16))
        else:
            file = nib.load(out / "probability" / f"{source.id}.nii.gz")
            np.testing.assert_array_equal(file.affine, nib.load(source.files[0]).affine)
            assert file.get_data_dtype() == np.float32
            index = np.rint(np.linalg.inv(file.affine) @ scan.grid.affine).astype(int)
            shown = np.moveaxis(np.indices(scan.grid.shape), 0, -1)
            places = shown @ index[:3, :3].T + index[:3, 3]
            kept = file.get_fdata()[tuple(np.moveaxis(places, -1, 0))]
            np.testing.assert_allclose(kept, expected.probability, atol=1e-7)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["model_name"] == "known"
    assert manifest["model"]["name"] == "known"
    assert manifest["weights"] == predictor.fingerprint
    assert manifest["scans"] == ["a", "b", "slices"]
    assert manifest["faults"] == []


def test_the_summary_counts_what_the_masks_hold(scans, predictor, tmp_path) -> None:
    outcome = predict_many(sources_of(scans), tmp_path / "out", predictor, MASKS_ONLY)
    table = rows(tmp_path / "out")
    for result, source in zip(outcome.results, sources_of(scans), strict=True):
        mask = predictor(source.read()).segmentation
        row = table[result.id]
        assert int(row["slices"]) == len(mask.voxels)
        assert int(row["slices_with_lesion"]) == int(mask.voxels.any(axis=(1, 2)).sum())
        assert int(row["lesion_voxels"]) == int(mask.voxels.sum())
        longest = 0.0
        regions = [
            labels == number
            for labels, count in map(ndimage.label, mask.mask)
            for number in range(1, count + 1)
        ]
        for region in regions:
            places = np.argwhere(region)
            if len(places) > 1:
                hull = places[np.unique(np.concatenate([places.argmin(0), places.argmax(0)]))]
                longest = max(longest, float(np.linalg.norm(hull[:, None] - hull[None], axis=-1).max()))
        assert float(row["largest_diameter"]) >= longest - 0.01
        if result.id == "slices":
            assert (row["lesion_mm3"], row["diameter_unit"], row["filled"]) == ("", "pixels", "")
        else:
            assert float(row["lesion_mm3"]) == pytest.approx(mask.voxels.sum() * 5, abs=0.1)
            assert (row["diameter_unit"], row["filled"]) == ("mm", "pre post")
        assert float(row["seconds"]) > 0
        assert Path(row["source"]).exists()
    assert int(table["a"]["lesion_voxels"]) > 0


def test_the_largest_diameter_is_that_of_a_slice() -> None:
    voxels = np.zeros((3, 20, 30), bool)
    assert largest_diameter(Segmentation.from_mask(voxels, Grid((3, 20, 30)))) == (0.0, "pixels")
    voxels[0, 2:14, 3] = voxels[0, 13, 3:19] = True  # an L of 12 high and 16 wide: 20 across
    voxels[2, 0, 0] = voxels[0, 0, 29] = True  # other lesions
    assert largest_diameter(Segmentation.from_mask(voxels, Grid((3, 20, 30)))) == (20.0, "pixels")
    spaced = Segmentation.from_mask(voxels, Grid((3, 20, 30), spacing=(50.0, 0.5, 0.5)))
    assert largest_diameter(spaced) == (10.0, "mm")


# ---------------------------------------------------------------- resuming


def test_what_is_finished_is_not_done_again(scans, predictor, tmp_path) -> None:
    out = tmp_path / "out"
    first = predict_many(sources_of(scans), out, predictor)
    before, summary = tree(out), (out / "summary.csv").read_bytes()
    assert predictor.asked == ["a", "b", "slices"]
    told: list[bool] = []
    again = predict_many(sources_of(scans), out, predictor, progress=lambda _, done: told.append(done))
    assert predictor.asked == ["a", "b", "slices"], "nothing was segmented again"
    assert told == [True] * 3
    assert (again.skipped, again.results) == (3, first.results)
    assert tree(out) == before
    assert (out / "summary.csv").read_bytes() == summary


def test_what_changed_is_done_again_and_only_that(scans, predictor, model, tmp_path) -> None:
    out = tmp_path / "out"

    def asked(by: Counting = predictor, outputs: Outputs = MASKS_ONLY) -> list[str]:
        by.asked.clear()
        outcome = predict_many(sources_of(scans), out, by, outputs)
        assert len(outcome.results) == 3
        assert list(rows(out)) == ["a", "b", "slices"]
        return by.asked

    everything = ["a", "b", "slices"]
    assert asked() == everything
    os.utime(scans / "a.nii.gz", ns=(1, 1))
    assert asked() == ["a"]
    shutil.copyfile(scans / "slices" / "s_1.tif", scans / "slices" / "s_5.tif")
    assert asked() == ["slices"]
    assert len(list((out / "masks" / "slices").iterdir())) == 5
    (scans / "slices" / "s_5.tif").unlink()
    assert asked() == ["slices"]
    assert len(list((out / "masks" / "slices").iterdir())) == 4, "no mask of a slice that is gone"
    (out / "masks" / "b_mask.nii.gz").unlink()
    assert asked() == ["b"]
    (out / "scans" / "b.json").write_text("{", encoding="utf-8")
    assert asked() == ["b"]
    assert asked() == []

    assert asked(Counting(model, threshold=0.6)) == everything
    assert asked(Counting(model, flips=True)) == everything
    other = known_model(tmp_path / "other.onnx", gain=4.5)
    assert asked(Counting(other)) == everything, "other weights that say the same of themselves"
    assert asked(Counting(other), Outputs(outlines=False)) == everything


def test_sequences_that_are_taken_for_others_are_done_again(scans, predictor, tmp_path) -> None:
    files = (scans / "a.nii.gz", scans / "a.nii.gz")
    as_pre = Source("a", "nifti", files, ("flair", "pre"))
    for source in (as_pre, replace(as_pre, sequences=("flair", "post"))):
        outcome = predict_many([source], tmp_path / "out", predictor, MASKS_ONLY)
        assert outcome.skipped == 0


PREDICT = [sys.executable, "-m", "glioseg", "predict", "--threads", "1", "--no-gif", "--no-outlines"]


def test_a_run_that_was_killed_goes_on(model, tmp_path) -> None:
    """Killed for real while the second scan is on its way, then started again."""
    out = tmp_path / "out"
    scans = [str(SAMPLES / patient) for patient in PATIENTS]
    command = [*PREDICT, *scans, "--model", str(model)]
    with subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"[1/3] {PATIENTS[0]}: lesion on")
        process.kill()
    finished = {path.stem for path in (out / "scans").glob("*.json")}
    assert PATIENTS[0] in finished
    for id in finished:
        assert len(list((out / "masks" / id).iterdir())) == 20, "what has a record is complete"

    resumed = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, check=True)
    assert resumed.stdout.count("done before") == len(finished)
    assert "3 of 3 scans" in resumed.stdout
    whole = tmp_path / "whole"
    predict_many(sources_of(*map(Path, scans)), whole, load_model(model, threads=1), MASKS_ONLY)
    masks = [
        {path.relative_to(folder): path.read_bytes() for path in (folder / "masks").rglob("*.tif")}
        for folder in (out, whole)
    ]
    assert masks[0] == masks[1]
    assert len(masks[0]) == 60
    assert list(rows(out)) == list(PATIENTS)


# ---------------------------------------------------------------- what goes wrong


def test_bad_scans_among_good_ones(scans, predictor, tmp_path) -> None:
    (scans / "b.nii.gz").write_bytes(b"damaged")
    affine = np.diag([-1.0, -1.0, 5.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(np.zeros((9, 9, 2), np.uint8), affine), scans / "c.nii")
    out = tmp_path / "out"
    outcome = predict_many(sources_of(scans), out, predictor, MASKS_ONLY)
    assert [result.id for result in outcome.results] == ["a", "slices"]
    assert sorted(Path(fault.where).name for fault in outcome.faults) == ["b.nii.gz", "c.nii"]
    assert list(rows(out)) == ["a", "slices"]
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["scans"] == ["a", "slices"]
    assert len(manifest["faults"]) == 2
    assert not list(out.rglob("*b*"))


def test_nothing_but_bad_scans_leave_no_folder(scans, predictor, tmp_path) -> None:
    (scans / "b.nii.gz").write_bytes(b"damaged")
    outcome = predict_many(sources_of(scans / "b.nii.gz"), tmp_path / "out", predictor)
    assert (outcome.results, len(outcome.faults)) == ([], 1)
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_told_before_the_work(
    scans, predictor, tmp_path, read_only
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    sources = sources_of(scans)
    with read_only(out), pytest.raises(InputError, match="no permission to write"):
        predict_many(sources, out, predictor)
    assert predictor.asked == []
    assert list(out.iterdir()) == []
    (tmp_path / "taken").touch()
    with pytest.raises(InputError, match="a file of that name"):
        predict_many(sources, tmp_path / "taken", predictor)
    assert predictor.asked == []


def test_a_disk_that_fills_up_leaves_only_what_is_whole(scans, predictor, full_disk) -> None:
    out = full_disk / "out"
    (full_disk / "ballast").write_bytes(bytes(1024 * 1024 - 40_000))
    try:
        faults = tuple(predict_many(sources_of(scans), out, predictor, Outputs(probability=True)).faults)
    except InputError as error:
        faults = error.faults  # not even the summary could be written
    assert any("a full disk" in str(fault) for fault in faults)
    assert list(out.rglob(".part-*")) == []
    for record in out.glob("scans/*.json"):
        content = json.loads(record.read_text(encoding="utf-8"))
        assert all((out / name).exists() for name in content["outputs"])
    assert len(list(out.glob("scans/*.json"))) < 3


def test_a_result_keeps_all_that_its_record_holds(scans, predictor, tmp_path) -> None:
    out = tmp_path / "out"
    (result,) = predict_many(sources_of(scans / "a.nii.gz"), out, predictor, MASKS_ONLY).results
    content = json.loads((out / "scans" / "a.json").read_text(encoding="utf-8"))
    assert set(content) == set(ScanResult.__dataclass_fields__)
    assert result.outputs == ("masks/a_mask.nii.gz",)


def test_several_processes_give_what_one_gives(model: Path, tmp_path: Path) -> None:
    """A fault is told once, what a helper did was not done before, and nothing is left of the helpers."""
    data = tmp_path / "data"
    shutil.copytree(SAMPLES, data)
    (data / "broken.nii.gz").write_bytes(b"no volume")
    sources, _ = find_scans([data])
    told: list[tuple[str, bool]] = []
    faults = []
    outcomes = [
        predict_many(
            sources,
            tmp_path / str(workers),
            load_model(model, threads=1),
            MASKS_ONLY,
            progress=(lambda result, before: told.append((result.id, before))) if workers > 1 else None,
            tell_fault=faults.append if workers > 1 else None,
            workers=workers,
        )
        for workers in (1, 2)
    ]
    assert sorted(told) == [(patient, False) for patient in PATIENTS]
    assert [fault.code for fault in faults] == [fault.code for fault in outcomes[0].faults]
    assert [result.lesion_voxels for result in outcomes[1].results] == [
        result.lesion_voxels for result in outcomes[0].results
    ]
    assert outcomes[1].skipped == 0
    files = [
        {path.relative_to(out): path.read_bytes() for path in (out / "masks").rglob("*.tif")}
        for out in (tmp_path / "1", tmp_path / "2")
    ]
    assert len(files[0]) == 60
    assert {path.name: content for path, content in files[0].items()} == {
        path.name: content for path, content in files[1].items()
    }
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == sorted(
        path.name for path in (tmp_path / "2").iterdir()
    )
