"""Cases that were corrected in the viewer are labelled data, as it saves them and as it gives out masks."""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from support.layouts_kit import dicom, images_masks, kaggle, pieces
from support.server_kit import BASE, quick_weights, serve, upload
from typer.testing import CliRunner

from glioseg.cli import app
from glioseg.dataset import find_cases, read_case
from glioseg.dataset.check import check
from glioseg.runs.folder import RunFolder

if TYPE_CHECKING:
    from fastapi.testclient import TestClient


@dataclass(frozen=True)
class Corrected:
    """A scan whose mask was corrected.

    Attributes:
        files: of the scan.
        mask: the correction, as it is shown.
        content: the mask in each kind that the viewer gives out, by the name of the file.
    """

    files: list[Path]
    mask: np.ndarray
    content: dict[str, tuple[str, bytes]]

    def lay_out(self, folder: Path, kind: str) -> None:
        """Copy the scan into a folder and put the mask, a zip unpacked, beside it."""
        folder.mkdir(parents=True)
        for file in self.files:
            shutil.copy(file, folder)
        name, content = self.content[kind]
        if name.endswith(".zip"):
            zipfile.ZipFile(io.BytesIO(content)).extractall(folder)
        else:
            (folder / name).write_bytes(content)


def _correct(client: TestClient, files: list[Path]) -> Corrected:
    scan = upload(client, files)
    address = f"/api/scans/{scan['id']}"
    client.post(f"{address}/segment")
    mask = np.zeros(scan["shape"], np.uint8)
    mask[1, 20:30, 25:45] = mask[2, 22:28, 30:40] = 1
    client.put(f"{address}/mask", content=mask.tobytes())
    assert client.post(f"{address}/save").status_code == 201
    content = {}
    for kind in ("native", "nifti", "tif", "png"):
        reply = client.get(f"{address}/mask", params={"format": kind})
        content[kind] = (reply.headers["content-disposition"].split('"')[1], reply.content)
    return Corrected(files, mask, content)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Corrected]]:
    """The folder of saved cases, and a corrected case of each kind of scan."""
    test_client = pytest.importorskip("fastapi.testclient").TestClient
    root = tmp_path_factory.mktemp("corrected")
    makers = {"slices": kaggle, "volumes": images_masks, "dicom": dicom}
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glioseg.model.weights.WEIGHTS", quick_weights(root))
        with test_client(serve(root), base_url=BASE) as client:
            for piece, (kind, make) in zip(pieces(slices=3), makers.items(), strict=True):
                make(root / kind, [piece])
                files = [file for file in (root / kind).rglob("*.*") if "_mask" not in file.name]
                found[kind] = _correct(client, sorted(files))
    return root / "corrected", found


def test_saved_cases_are_labelled_data(saved: tuple[Path, dict[str, Corrected]]) -> None:
    folder, scans = saved
    census = check(folder)
    assert census.faults == ()
    assert (census.patients, census.slices, census.lesion_slices) == (3, 9, 6)
    for case, kind in zip(find_cases(folder), ("dicom", "slices", "volumes"), strict=True):
        _, truth = read_case(case)
        assert truth is not None
        np.testing.assert_array_equal(truth.mask, scans[kind].mask > 0)


@pytest.mark.parametrize(
    ("kind", "mask", "home", "layout"),
    [
        ("slices", "native", "p001", "kaggle_3m"),
        ("slices", "tif", "p001", "kaggle_3m"),
        ("slices", "png", "p001", "kaggle_3m"),
        ("slices", "png", "visit", "scans"),
        ("volumes", "native", "p002", "scans"),
        ("volumes", "nifti", "p002", "scans"),
        ("dicom", "native", "p003", "dicom"),
        ("dicom", "nifti", "p003", "dicom"),
    ],
)
def test_a_mask_that_was_given_out_belongs_to_the_scan_beside_it(
    saved: tuple[Path, dict[str, Corrected]], kind: str, mask: str, home: str, layout: str, tmp_path: Path
) -> None:
    corrected = saved[1][kind]
    corrected.lay_out(tmp_path / home, mask)
    census = check(tmp_path)
    assert census.faults == ()
    assert (census.layout, census.patients) == (layout, 1)
    _, truth = read_case(census.cases[0])
    assert truth is not None
    np.testing.assert_array_equal(truth.mask, corrected.mask > 0)


@pytest.mark.slow
def test_a_training_learns_on_from_saved_cases(
    saved: tuple[Path, dict[str, Corrected]], tmp_path: Path
) -> None:
    pytest.importorskip("pytorch_lightning")

    def train(data: Path, out: Path, *options: object) -> RunFolder:
        tiny = ["prepare.size=32", "network.name=unet", "network.arguments={features=4}", "train.epochs=1"]
        tiny += ["train.steps_per_epoch=2", "train.vis_freq=0", "split.name=holdout", "split.fraction=0.34"]
        settings = [part for setting in tiny for part in ("--set", setting)]
        machine = ["--device", "cpu", "--cache", tmp_path / "cache"]
        words = map(str, ["train", data, "-o", out, *settings, *machine, *options])
        result = CliRunner().invoke(app, list(words))
        assert result.exit_code == 0, result.output + str(result.exception)
        return RunFolder.open(out)

    kaggle(tmp_path / "data", pieces())
    base = train(tmp_path / "data", tmp_path / "base")
    learned = train(saved[0], tmp_path / "learned", "--from", base.path)
    assert learned.manifest["status"] == "finished"
    assert learned.manifest["start"]["model"] == str(base.path)
    weights = [(run.path / "weights.safetensors").read_bytes() for run in (base, learned)]
    assert weights[0] != weights[1]
    assert (learned.path / "change.json").is_file(), "by how much the corrections changed it"
