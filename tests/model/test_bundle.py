"""A MONAI bundle: its run gives the masks of ``glioseg predict``, its metadata hold, errors name the cure."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_lightning")
pytest.importorskip("ignite")
pytest.importorskip("fire")

import nibabel as nib  # noqa: E402
from typer.testing import CliRunner  # noqa: E402

import glioseg  # noqa: E402
from glioseg.cli import app  # noqa: E402
from glioseg.errors import GliosegError, InputError  # noqa: E402
from glioseg.model.bundle.scans import read, scans_in  # noqa: E402
from glioseg.model.bundle.torchscript import save_torchscript  # noqa: E402
from glioseg.model.bundle.write import export_bundle  # noqa: E402
from glioseg.model.description import KEY, describe, read_description  # noqa: E402
from glioseg.model.predictor import Predictor  # noqa: E402
from glioseg.recipe import Recipe, load_recipe  # noqa: E402
from glioseg.samples import SAMPLES  # noqa: E402
from glioseg.scan import CHANNELS  # noqa: E402
from glioseg.training.train import Hardware, train  # noqa: E402

SETTINGS = [
    "prepare.size=32",
    "network.arguments.features=4",
    "train.epochs=1",
    "train.batch_size=4",
    "train.steps_per_epoch=4",
    "postprocess.threshold=0.45",
    "split.name=all",
    "train.checkpoint=last",
]
MANDATORY = {
    "version", "monai_version", "pytorch_version", "numpy_version", "required_packages_version", "task",
    "description", "authors", "copyright", "network_data_format",
}  # fmt: skip
"""Keys that the specification asks of ``metadata.json``."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    recipe = load_recipe("reference", SETTINGS)
    train(SAMPLES, recipe, out, hardware=Hardware("cpu", threads=1), echo=lambda line: None)
    return out


@pytest.fixture(scope="module")
def bundle(run: Path) -> Path:
    out = run.parent / "bundle"
    done = CliRunner().invoke(app, ["export-model", str(run), "-o", str(out)])
    assert done.exit_code == 0
    assert f"--bundle_root {out}" in done.output
    return out


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample patient as volumes, FLAIR and T1 after contrast, stored from left to right and upside down."""
    folder = tmp_path_factory.mktemp("scans")
    voxels = glioseg.read_scan(SAMPLES / "TCGA_HT_7692_19960724").voxels
    affine = np.array([[1, 0, 0, -120], [0, -1, 0, 120], [0, 0, -5, 60], [0, 0, 0, 1.0]])
    for name, channel in (("flair", 1), ("t1c", 2)):
        stored = voxels[..., channel].transpose(2, 1, 0)[::-1, :, ::-1]
        nib.save(nib.Nifti1Image(np.ascontiguousarray(stored), affine), folder / f"p1_{name}.nii.gz")
    return folder


def run_bundle(bundle: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "monai.bundle", "run", "--bundle_root", str(bundle)]
    command += ["--config_file", str(bundle / "configs" / "inference.json"), "--device", "cpu", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_run_of_the_bundle_gives_the_mask_of_predict(
    run: Path, bundle: Path, scans: Path, tmp_path: Path
) -> None:
    done = run_bundle(bundle, "--dataset_dir", str(scans), "--output_dir", str(tmp_path / "masks"))
    assert done.returncode == 0, done.stderr
    expected = glioseg.segment(flair=scans / "p1_flair.nii.gz", post=scans / "p1_t1c.nii.gz", model=run)
    assert 0.001 < expected.segmentation.mask.mean() < 0.9, "neither empty nor full"
    (written,) = (tmp_path / "masks").iterdir()
    assert written.name == "p1_mask.nii.gz"
    (own,) = expected.segmentation.save(tmp_path / "own")
    found, wanted = nib.load(written), nib.load(own)
    np.testing.assert_array_equal(np.asarray(found.dataobj), np.asarray(wanted.dataobj))
    np.testing.assert_array_equal(found.affine, nib.load(scans / "p1_flair.nii.gz").affine)


def test_metadata_and_network_are_what_monai_asks_for(bundle: Path) -> None:
    from monai.bundle import ConfigWorkflow, verify_net_in_out

    configs = bundle / "configs"
    files = {"config_file": str(configs / "inference.json"), "meta_file": str(configs / "metadata.json")}
    metadata = json.loads((configs / "metadata.json").read_text(encoding="utf-8"))
    assert metadata.keys() >= MANDATORY
    image = metadata["network_data_format"]["inputs"]["image"]
    assert image["channel_def"] == {"0": "T1 before contrast", "1": "FLAIR", "2": "T1 after contrast"}
    verify_net_in_out(net_id="network_def", bundle_root=str(bundle), device="cpu", **files)
    workflow = ConfigWorkflow(
        workflow_type="infer", bundle_root=str(bundle), dataset_dir=str(SAMPLES), **files
    )
    workflow.initialize()
    assert not workflow.check_properties()


def test_the_state_dict_is_that_of_the_run_and_nothing_tells_of_patients_or_the_machine(
    run: Path, bundle: Path
) -> None:
    from glioseg.networks.weights import read_weights

    state = torch.load(bundle / "models" / "model.pt", weights_only=True)
    for name, value in read_weights(run / "weights.safetensors").items():
        assert torch.equal(state[name], value), name
    patients = [folder.name.encode() for folder in SAMPLES.iterdir() if folder.is_dir()]
    words = [*patients, b"site-packages", str(Path(glioseg.__file__).parent).encode(), str(run).encode()]
    for path in (path for path in bundle.rglob("*") if path.is_file()):
        contents = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(entry) for entry in archive.infolist()]
        assert not [word for word in words for content in contents if word in content], path


def test_scans_are_named_in_three_ways_and_what_is_wrong_is_said(
    scans: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"flair": str(scans / "p1_flair.nii.gz"), "post": str(scans / "p1_t1c.nii.gz")}
    (source,) = scans_in(scans, tmp_path / "missing")
    assert "missing" in capsys.readouterr().err
    np.testing.assert_array_equal(read(source, CHANNELS).voxels, read(files, CHANNELS).voxels)
    assert read(files["flair"], CHANNELS).filled == ("pre", "post")
    with_t2 = {**files, "t2": files["post"]}
    assert read(with_t2, ("flair",)).channels == CHANNELS
    assert read(with_t2, ("flair", "t2")).filled == ("pre",)
    with pytest.raises(InputError, match="FLAIR"):
        read({"post": files["post"]}, CHANNELS)
    with pytest.raises(InputError, match="missing"):
        scans_in(tmp_path / "missing")


def test_what_cannot_be_exported_is_refused_with_the_cure(
    run: Path, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other_kind = CliRunner().invoke(app, ["export-model", str(run), "-o", str(tmp_path), "--to", "keras"])
    assert isinstance(other_kind.exception, InputError)
    assert "--to monai" in str(other_kind.exception)
    with pytest.raises(InputError, match="Choose another name"):
        export_bundle(run, bundle)
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.onnx").write_bytes((run / "model.onnx").read_bytes())
    (other / "weights.safetensors").write_bytes(b"no weights")
    with pytest.raises(InputError, match="as its training left it"):
        export_bundle(other, tmp_path / "none")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "monai" else object())
    with pytest.raises(InputError, match=r"\[bundle\]"):
        export_bundle(run, tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("classes", [(), (2, 7)], ids=["lesion or not", "classes"])
def test_transforms_around_a_network_are_the_steps_of_the_predictor(
    classes: tuple[int, ...], tmp_path: Path
) -> None:
    from glioseg.model.bundle.transforms import PrepareScand, RestoreMaskd

    tables = {"labels": {"values": classes}, "input": {"neighbours": 1, "sequences": ["flair", "post"]}}
    recipe = Recipe.model_validate({"name": "known", "prepare": {"name": "head", "size": 48}, **tables})
    text = describe(recipe, {})[KEY]
    (tmp_path / "glioseg.json").write_text(text, encoding="utf-8")
    description = read_description(tmp_path, {KEY: text})
    torch.manual_seed(0)
    network = torch.nn.Conv2d(4, recipe.labels.channels, 3, padding=1)

    def runtime(images: np.ndarray) -> np.ndarray:
        return network(torch.from_numpy(np.ascontiguousarray(images))).detach().numpy()

    scan = SAMPLES / "TCGA_HT_7692_19960724"
    expected = Predictor(runtime, description)(glioseg.read_scan(scan))
    assert len(expected.segmentation.counts) == max(1, len(classes))
    item = PrepareScand("image", str(tmp_path / "glioseg.json"))({"image": str(scan)})
    channels, slices, *size = item["image"].shape
    assert (channels, slices, size) == (4, 20, [48, 48])
    item["pred"] = torch.from_numpy(runtime(item["image"].swapaxes(0, 1).numpy())).swapaxes(0, 1)[None]
    found = RestoreMaskd("pred", str(tmp_path / "glioseg.json"))(item)["pred"]
    np.testing.assert_array_equal(found.segmentation.voxels, expected.segmentation.voxels)
    np.testing.assert_array_equal(found.probability, expected.probability)
    assert (found.expected_dice, found.doubts) == (expected.expected_dice, expected.doubts)
    with pytest.raises(InputError, match="gone"):
        PrepareScand("image", str(tmp_path / "gone.json"))


class _Counts(torch.nn.Module):
    """Traced with two images it goes on for two."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, :1] * float(len(images))


def test_a_network_that_cannot_be_traced_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(GliosegError, match="other logits"):
        save_torchscript(_Counts(), tmp_path / "model.ts", 3, 16)
    assert list(tmp_path.iterdir()) == []
