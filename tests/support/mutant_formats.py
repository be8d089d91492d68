"""The kinds of files that mutants are made of: how sound ones are made, and what opens them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Open = Callable[[Path], Any]


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        make: writes sound ones into a folder and returns those that are mutated, one each time.
        open: what is called with the folder; it may refuse what is in it, and do nothing else.
        text: whether numbers in it are also exchanged for others.
    """

    make: Callable[[Path], list[Path]]
    open: Open
    text: bool = False


def _run_folder(folder: Path) -> list[Path]:
    from support.run_kit import store

    for name in ("run", "other"):
        store(folder / name, np.linspace(0.6, 0.9, 6).tolist(), f"train.batch_size={len(name)}")
    run = folder / "run"
    return [run / name for name in ("manifest.json", "metrics.csv", "recipe.toml", "evaluation/metrics.json")]


def _compare(folder: Path) -> None:
    from glioseg.runs.compare import overview
    from glioseg.server.runs import table

    json.dumps(table(folder))
    found = overview([folder / "run", folder / "other"], "own", True)
    json.dumps([*map(found.facts, found.rows), *(one.to_dict() for one in found.comparisons)])
    assert all(one.text("zh") for one in found.comparisons)


def _recipe(folder: Path) -> list[Path]:
    from glioseg.recipe import RECIPES

    names = ("default", "keras_unet", "unet_adamw_one_cycle")
    return [Path(shutil.copy(RECIPES / f"{name}.toml", folder)) for name in names]


def _load_recipes(folder: Path) -> None:
    from glioseg.errors import raise_all
    from glioseg.recipe import load_recipe
    from glioseg.runs.rows import differences

    for path in sorted(folder.glob("*.toml")):
        recipe = load_recipe(path)
        assert load_recipe(recipe.write(folder / "written" / "again.toml")).name == recipe.name
        differences(recipe, load_recipe("default"))
        raise_all([])


def _study(folder: Path) -> list[Path]:
    from glioseg.studies.study import STUDIES

    return [Path(shutil.copy(STUDIES / "lgg-cpu.toml", folder))]


def _load_study(folder: Path) -> None:
    from glioseg.studies.study import load_study

    for planned in load_study(folder / "lgg-cpu.toml").plan():
        planned.load()


def _model(folder: Path) -> list[Path]:
    from support.known_models import known_model

    return [known_model(folder / "model.onnx")]


def _try_model(folder: Path) -> None:
    from glioseg.model.trial import _try

    _try(folder / "model.onnx")


def _metadata(folder: Path) -> list[Path]:
    import onnx

    from glioseg.model.appearance import SIDE
    from support.known_models import known_model

    content = onnx.load(known_model(folder / "model.onnx"))
    description = json.loads(content.metadata_props[0].value)
    numbers = [0.05] * SIDE**2
    description["appearance"] = {
        "mean": numbers, "least_likeness": 0.1, "upright": numbers, "most_turned": 0.0, "contrast": [],
    }  # fmt: skip
    (folder / "description.json").write_text(json.dumps(description), encoding="utf-8")
    return [folder / "description.json"]


def _read_metadata(folder: Path) -> None:
    from glioseg.model.description import KEY, read_description
    from glioseg.model.trial import input_shape
    from glioseg.prediction import Evidence

    text = (folder / "description.json").read_bytes().decode("utf-8", "surrogateescape")
    found = read_description(folder / "model.onnx", {KEY: text})
    input_shape(found)
    assert 0 <= found.calibration(Evidence(0.9, 4.0)) <= 1
    if found.appearance is not None:
        found.appearance.doubts(np.ones((4, 32, 32), np.float32))


def _checkpoint(folder: Path) -> list[Path]:
    import torch

    from support.run_kit import store

    run = store(folder / "run", [0.5, 0.6])
    module = torch.nn.Linear(4, 4)
    content = {
        "state_dict": module.state_dict(), "optimizer_states": [], "lr_schedulers": [], "callbacks": {},
        "loops": {}, "epoch": 1, "global_step": 8,
    }  # fmt: skip
    for path in (run.last, run.best):
        torch.save(content, path)
    return [run.last]


def _check_checkpoint(folder: Path) -> None:
    import torch

    from glioseg.runs.folder import RunFolder
    from glioseg.training.checkpoint import check_checkpoint, step_of

    run = RunFolder.open(folder / "run")
    check_checkpoint(run, torch.nn.Linear(4, 4))
    step_of(run.last)


def _pack(folder: Path) -> list[Path]:
    from glioseg.dataset.pack import pack
    from support.sound_scans import labelled

    pack(labelled(folder / "source"), folder / "data.glioseg", 20_000)
    return sorted(path for path in (folder / "data.glioseg").rglob("*") if path.is_file())


def _open_pack(folder: Path) -> None:
    from glioseg.dataset.find import find_cases, read_case

    cache = folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    for case in find_cases(folder / "data.glioseg", cache=cache):
        read_case(case)


def _png(folder: Path) -> list[Path]:
    from support.sound_scans import save, slice_rgb

    return [save(folder / "scan" / f"a_{number}.png", slice_rgb(number)) for number in (1, 2, 3)]


def _jpeg(folder: Path) -> list[Path]:
    from support.sound_scans import save, slice_rgb

    return [save(folder / "scan" / f"a_{number}.jpg", slice_rgb(number)) for number in (1, 2, 3)]


def _tiff(folder: Path) -> list[Path]:
    import tifffile

    from support.sound_scans import slice_rgb

    (folder / "scan").mkdir()
    paths = []
    from PIL import Image

    for number, compression in enumerate((None, "zlib", "lzw"), 1):
        path = folder / "scan" / f"a_{number}.tif"
        if compression == "lzw":  # tifffile writes it only with a package that is not needed otherwise
            Image.fromarray(slice_rgb(number)).save(path, compression="tiff_lzw")
        else:
            tifffile.imwrite(path, slice_rgb(number), compression=compression, photometric="rgb")
        paths.append(path)
    return paths


def _nifti(folder: Path) -> list[Path]:
    from support.sound_scans import nifti, volume

    return [nifti(folder / "scan" / "flair.nii", volume())]


def _nifti_gz(folder: Path) -> list[Path]:
    from support.sound_scans import nifti, volume

    return [nifti(folder / "scan" / "flair.nii.gz", volume())]


def _nrrd(folder: Path) -> list[Path]:
    from support.sound_scans import volume
    from support.text_volumes import nrrd

    return [nrrd(folder / "scan" / "flair.nrrd", volume())]


def _metaimage(folder: Path) -> list[Path]:
    from support.sound_scans import volume
    from support.text_volumes import metaimage

    return [metaimage(folder / "scan" / "flair.mha", volume(), deflated=True)]


def _text_header(folder: Path) -> list[Path]:
    from support.sound_scans import volume
    from support.text_volumes import metaimage, nrrd

    paths = [nrrd(folder / "scan" / "1" / "flair.nhdr", volume(), deflated=False)]
    return [*paths, metaimage(folder / "scan" / "2" / "flair.mhd", volume())]


def _dicom(folder: Path) -> list[Path]:
    from support.dicom_kit import series
    from support.sound_scans import volume

    return series(folder / "scan", volume())


def _read_scans(folder: Path) -> None:
    from glioseg.errors import raise_all
    from glioseg.io import find_scans

    sources, faults = find_scans([folder / "scan"])
    raise_all(faults)
    for source in sources:
        source.read()


FORMATS: dict[str, Format] = {
    "run": Format(_run_folder, _compare, True),
    "recipe": Format(_recipe, _load_recipes, True),
    "study": Format(_study, _load_study, True),
    "model": Format(_model, _try_model),
    "metadata": Format(_metadata, _read_metadata, True),
    "checkpoint": Format(_checkpoint, _check_checkpoint),
    "pack": Format(_pack, _open_pack),
    "png": Format(_png, _read_scans),
    "jpeg": Format(_jpeg, _read_scans),
    "tiff": Format(_tiff, _read_scans),
    "nifti": Format(_nifti, _read_scans),
    "nifti_gz": Format(_nifti_gz, _read_scans),
    "nrrd": Format(_nrrd, _read_scans),
    "metaimage": Format(_metaimage, _read_scans),
    "text_header": Format(_text_header, _read_scans, True),
    "dicom": Format(_dicom, _read_scans),
}
