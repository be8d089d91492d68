"""Results as BIDS derivatives: names, files beside the masks, tables, and what the validator of BIDS says."""

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
import numpy as np
import pytest
from support.results_kit import BrightNetwork, sources_of, write_scan

from glioseg import cli
from glioseg.batch import Outcome, Outputs, predict_many
from glioseg.errors import InputError
from glioseg.io import Source
from glioseg.prediction import Prediction
from glioseg.results.bids import named_as_bids
from glioseg.scan import Scan

FLAIR = {
    "sub-01/ses-1/anat/sub-01_ses-1_acq-3d_run-2_FLAIR.nii.gz": "sub-01_ses-1_acq-3d_run-2",
    "sub-01/ses-2/anat/sub-01_ses-2_FLAIR.nii.gz": "sub-01_ses-2",
    "sub-02/anat/sub-02_FLAIR.nii.gz": "sub-02",
}
WITHOUT_PICTURES = Outputs(outlines=False, gif=False, bids=True)
VALIDATOR = shutil.which("bids-validator-deno") or os.environ.get("BIDS_VALIDATOR")


class Classes(BrightNetwork):
    """A network that tells two classes."""

    def __call__(self, scan: Scan, probability: bool = True) -> Prediction:
        found = super().__call__(scan)
        labels = found.segmentation.voxels.copy()
        labels[:, ::2] *= 2
        both = replace(found.segmentation, voxels=labels, labels={1: "core", 2: "oedema"})
        return replace(found, segmentation=both)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    for seed, name in enumerate(FLAIR):
        path = write_scan(folder / name, seed)
        image = nibabel.load(path)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, path)
    described = {"Name": "raw", "BIDSVersion": "1.10.0", "DatasetType": "raw", "License": "CC0"}
    (folder / "dataset_description.json").write_text(json.dumps(described), encoding="utf-8")
    (folder / "README").write_text("Noise in the shape of brains, to try programs with. " * 5)
    return folder


@pytest.fixture
def out(raw: Path) -> Path:
    return raw / "derivatives" / "glioseg"


def bids_sources(raw: Path, *participants: str) -> list[Source]:
    found, faults = named_as_bids(sources_of(*sorted(raw.glob("sub-*"))), participants)
    assert not faults
    return found


def predict(raw: Path, out: Path, outputs: Outputs = WITHOUT_PICTURES, network=None) -> Outcome:
    outcome = predict_many(bids_sources(raw), out, network or BrightNetwork(), outputs)
    assert not outcome.faults, outcome.faults
    return outcome


def files(out: Path) -> set[str]:
    return {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}


def participants(out: Path) -> list[dict[str, str]]:
    with (out / "participants.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def read(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def test_derivatives_have_the_names_of_the_scans_and_say_how_they_were_made(raw, out) -> None:
    predict(raw, out, Outputs(bids=True))
    tops = {"dataset_description.json", "README.md", "participants.tsv", "participants.json"}
    ends = ("mask.nii.gz", "mask.json", "probseg.nii.gz", "probseg.json")
    derived = {
        f"{Path(name).parent.as_posix()}/{id}_desc-lesion_{end}" for name, id in FLAIR.items() for end in ends
    }
    there = files(out)
    assert {name for name in there if not name.startswith("code/")} == tops | derived
    assert {f"code/gifs/{id}.gif" for id in FLAIR.values()} < there
    assert {"code/summary.csv", "code/manifest.json"} < there
    for name, id in FLAIR.items():
        scan = nibabel.load(raw / name)
        stem = out / Path(name).parent / f"{id}_desc-lesion"
        probability = nibabel.load(f"{stem}_probseg.nii.gz")
        mask = nibabel.load(f"{stem}_mask.nii.gz")
        for made in (mask, probability):
            assert made.shape == scan.shape
            np.testing.assert_array_equal(made.affine, scan.affine)
        np.testing.assert_array_equal(np.asarray(mask.dataobj), probability.get_fdata() >= 0.5)
        said = read(Path(f"{stem}_mask.json"))
        assert (said["Sources"], said["Type"]) == ([f"bids:raw:{name}"], "Lesion")
        assert said["Model"] == {
            "Name": "bright",
            "Weights": "bright",
            "Threshold": 0.5,
            "MirroredSlices": False,
        }
        assert said["FilledSequences"] == ["pre", "post"]
        assert said["LesionVoxels"] == np.count_nonzero(mask.dataobj) > 0
        assert said["LesionVolume"] == pytest.approx(2 * said["LesionVoxels"])
        assert read(Path(f"{stem}_probseg.json"))["Sources"] == said["Sources"]
    described = read(out / "dataset_description.json")
    assert (described["DatasetType"], described["GeneratedBy"][0]["Name"]) == ("derivative", "glioseg")
    assert (out / described["DatasetLinks"]["raw"]).resolve() == raw.resolve()
    one, two = participants(out)
    assert (one["participant_id"], one["scans"], one["scans_with_lesion"]) == ("sub-01", "2", "2")
    assert (two["participant_id"], two["scans"], two["lowest_expected_dsc"]) == ("sub-02", "1", "n/a")
    assert set(read(out / "participants.json")) == set(one) - {"participant_id"}


def test_it_is_resumed_like_every_folder_of_results(raw, out, monkeypatch) -> None:
    network = BrightNetwork()
    replaced = os.replace
    moved: list[str] = []

    def full(source: os.PathLike[str], target: os.PathLike[str]) -> None:
        if "_desc-lesion_" in str(target) and ".part" not in Path(target).parent.as_posix():
            moved.append(str(target))
            if len(moved) >= 6:
                raise OSError(28, "No space left on device", str(target))
        replaced(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        outcome = predict_many(bids_sources(raw), out, network, WITHOUT_PICTURES)
    assert (len(outcome.results), [fault.code for fault in outcome.faults]) == (1, ["files.full"])
    assert [row["participant_id"] for row in participants(out)] == ["sub-01"]
    assert {name.split("/")[0] for name in files(out)} == {
        "code", "dataset_description.json", "README.md", "participants.tsv", "participants.json", "sub-01"
    }  # fmt: skip
    assert len(list(out.glob("sub-*/**/*.nii.gz"))) == 2, "nothing of the second scan is there"
    (out / "README.md").write_text("mine", encoding="utf-8")
    assert predict(raw, out).skipped == 1
    assert (out / "README.md").read_text(encoding="utf-8") == "mine"
    first = {name: (out / name).read_bytes() for name in files(out) if name.startswith("sub-")}
    assert predict(raw, out).skipped == 3
    for mask in out.glob("sub-02/anat/*_mask.nii.gz"):
        mask.write_bytes(b"changed")
    assert predict(raw, out).skipped == 2
    assert {name: (out / name).read_bytes() for name in first} == first
    assert not list(out.rglob("*.part*"))


def test_classes_are_a_discrete_segmentation_with_a_table_of_names(raw, out) -> None:
    predict(raw, out, network=Classes())
    stem = "sub-02_desc-lesion_dseg"
    assert set(np.unique(nibabel.load(out / f"sub-02/anat/{stem}.nii.gz").dataobj)) == {0, 1, 2}
    assert (out / f"sub-02/anat/{stem}.tsv").read_text() == "index\tname\n1\tcore\n2\toedema\n"
    assert "Type" not in read(out / f"sub-02/anat/{stem}.json")
    assert not list(out.rglob("*_mask.nii.gz"))


def test_participants_are_chosen_by_their_labels_and_names_are_those_of_bids(raw, tmp_path) -> None:
    assert [source.id for source in bids_sources(raw, "02")] == ["sub-02"]
    assert [source.id for source in bids_sources(raw, "sub-01")] == list(FLAIR.values())[:2]
    with pytest.raises(InputError) as refused:
        bids_sources(raw, "02", "03")
    assert [fault.code for fault in refused.value.faults] == ["bids.no_participant"]
    assert "'sub-03'; there are sub-01, sub-02" in str(refused.value)
    other = write_scan(tmp_path / "other" / "scan.nii.gz", 5)
    copy = write_scan(tmp_path / "copy" / "sub-02_FLAIR.nii.gz", 6)
    named, faults = named_as_bids(sources_of(*sorted(raw.glob("sub-*")), other, copy))
    assert len(named) == 3
    assert [fault.code for fault in faults] == ["bids.no_name", "bids.same_name"]
    with pytest.raises(InputError) as refused:
        named_as_bids(sources_of(other), ["02"])
    assert [fault.code for fault in refused.value.faults] == ["bids.no_name"]
    moved = named_as_bids(sources_of(copy))[0]
    with pytest.raises(InputError, match="several"):
        predict_many([*named[:2], *moved], tmp_path / "both", BrightNetwork(), WITHOUT_PICTURES)


def test_the_command_line_writes_derivatives(raw, out, monkeypatch, capsys) -> None:
    def run(*arguments: object) -> int:
        monkeypatch.setattr(sys, "argv", ["glioseg", "predict", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        return int(left.value.code or 0)

    asked = (raw / "sub-01", raw / "sub-02", "-o", out, "--bids", "--no-gif", "--no-outlines", "--json")
    assert run(*asked, "--participant-label", "02, 01", "--participant-label", "sub-02") == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["id"] for record in records] == list(FLAIR.values())
    assert all((out / name).is_file() for record in records for name in record["outputs"])
    assert read(out / "sub-02/anat/sub-02_desc-lesion_mask.json")["Doubts"]["filled_sequences"].count("pre")
    table = (out / "participants.tsv").read_bytes()
    (out / "participants.tsv").unlink()
    assert run(*asked, "--level", "group") == 0
    assert (out / "participants.tsv").read_bytes() == table
    assert capsys.readouterr().out == "", "no scan is segmented"
    assert run(raw, "--level", "group") == 2
    assert run(*asked, "--participant-label", "7") == 2
    assert "'sub-7'; there are sub-01, sub-02" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.skipif(VALIDATOR is None, reason="needs bids-validator-deno, or its path in BIDS_VALIDATOR")
@pytest.mark.parametrize("network", [BrightNetwork(), Classes()], ids=["mask", "classes"])
def test_the_validator_of_bids_finds_no_error(raw, out, network) -> None:
    predict(raw, out, Outputs(bids=True), network)

    def errors(*arguments: str | Path) -> tuple[list[tuple[str, str]], dict]:
        command = [str(VALIDATOR), *map(str, arguments), "--format", "json"]
        said = json.loads(subprocess.run(command, capture_output=True, text=True).stdout)
        inside = said.get("derivativesSummary", {}).values()
        issues = [issue for each in (said, *inside) for issue in each["issues"]["issues"]]
        wrong = [issue for issue in issues if issue.get("severity") == "error"]
        return [(issue["code"], issue.get("location", "")) for issue in wrong], said

    found, said = errors(out)
    assert found == []
    assert sorted(said["summary"]["subjects"]) == ["01", "02"]
    found, said = errors(raw, "--recursive")
    assert found == []
    assert len(said["derivativesSummary"]) == 1
    (out / "sub-02/anat/sub-02_desc-lesion_lesions.nii.gz").write_bytes(b"")
    assert "NOT_INCLUDED" in {code for code, _ in errors(out)[0]}, "it does look at the names"
