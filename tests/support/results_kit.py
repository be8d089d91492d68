"""Small scans, a network without weights, and whether what a folder of results says of itself is so."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np

from glioseg.batch import Outcome, Outputs, predict_many
from glioseg.files import PART
from glioseg.io import Source, find_scans, read_segmentation
from glioseg.prediction import Prediction
from glioseg.recipe import PostprocessChoice
from glioseg.scan import CHANNELS, Scan, Segmentation

SHAPE = (3, 16, 20)
MASKS_ONLY = Outputs(outlines=False, gif=False)


class BrightNetwork:
    """Whatever is brighter in FLAIR than a threshold is lesion; takes no time and starts no threads."""

    def __init__(self, threshold: float = 0.5) -> None:
        self.flips, self.fingerprint = False, "bright"
        self.asked: list[str] = []
        choice = PostprocessChoice(threshold=threshold)
        self.description = SimpleNamespace(
            name="bright",
            sequences=CHANNELS,
            postprocess=choice,
            prepare=SimpleNamespace(fingerprint="none"),
            model_dump=lambda **_: {"name": "bright", "threshold": threshold},
        )

    def __call__(self, scan: Scan) -> Prediction:
        self.asked.append(scan.id)
        flair = scan.channel("flair").astype(np.float32) / 255
        mask = flair >= self.description.postprocess.threshold
        return Prediction(Segmentation.from_mask(mask, scan.grid, scan.id), flair)


def write_scan(path: Path, seed: int) -> Path:
    """A volume of noise whose masks at two thresholds differ, and differ from those of other seeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(0, 255, SHAPE[::-1]).astype(np.uint8)
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-1.0, -1.0, 2.0, 1.0])), path)
    return path


def sources_of(*paths: Path) -> list[Source]:
    sources, faults = find_scans(paths)
    assert not faults
    return sources


def rows_of(out: Path) -> dict[str, dict[str, str]]:
    with (out / "summary.csv").open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def voxels_of(mask: Path) -> int:
    return int(np.count_nonzero(read_segmentation(mask).voxels))


def home_of(out: Path) -> Path:
    """Where records and tables stand: of BIDS derivatives in ``code``."""
    return out / "code" if (out / "code").is_dir() else out


def lies(out: Path) -> list[str]:
    """What a folder of results says that is not so; asked with code of its own, not with the program's."""
    found = []
    records: dict[str, dict[str, Any]] = {}
    home = home_of(out)
    for path in home.glob("scans/*.json"):
        records[path.stem] = record = json.loads(path.read_text(encoding="utf-8"))
        for name, (size, _, digest) in record["files"].items():
            file = out / name
            if not file.is_file() or file.stat().st_size != size:
                found.append(f"{path.stem}: no {name}")
            elif hashlib.sha256(file.read_bytes()).hexdigest() != digest:
                found.append(f"{path.stem}: another {name}")
        there = {
            file.relative_to(out).as_posix() for name in record["outputs"] for file in _files(out / name)
        }
        if there != set(record["files"]):
            found.append(f"{path.stem}: has {sorted(there)}, says {sorted(record['files'])}")
        mask = out / next(
            name for name in record["outputs"] if "masks/" in name or name.endswith("_mask.nii.gz")
        )
        if mask.exists() and voxels_of(mask) != record["lesion_voxels"]:
            found.append(f"{path.stem}: {voxels_of(mask)} voxels in the mask, {record['lesion_voxels']} told")
    if (out / "participants.tsv").exists():
        participants = (out / "participants.tsv").read_text(encoding="utf-8").splitlines()[1:]
        subjects = {id.split("_")[0] for id in records}
        found += [f"participants: {row}" for row in participants if row.split("\t")[0] not in subjects]
    if (home / "summary.csv").exists():
        for id, row in rows_of(home).items():
            if id not in records:
                found.append(f"summary: no record of {id}")
            elif str(records[id]["lesion_voxels"]) != row["lesion_voxels"]:
                found.append(f"summary: another number for {id}")
    if (home / "manifest.json").exists():
        scans = json.loads((home / "manifest.json").read_text(encoding="utf-8"))["scans"]
        found += [f"manifest: no record of {id}" for id in scans if id not in records]
    return found


def _files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]


def content(out: Path) -> dict[str, object]:
    """All files of a folder, without what differs from run to run: times."""
    found: dict[str, object] = {}
    for path in sorted(out.rglob("*")):
        name = path.relative_to(out).as_posix()
        if path.is_dir():
            continue
        if path.suffix == ".json":
            record = json.loads(path.read_text(encoding="utf-8"))
            record.pop("seconds", None)
            record["files"] = {key: value[2] for key, value in record.get("files", {}).items()}
            found[name] = {key: value for key, value in record.items() if key not in ("time", "command")}
        elif path.name == "summary.csv":
            rows = rows_of(path.parent)
            found[name] = [{**row, "seconds": ""} for row in rows.values()]
        else:
            found[name] = path.read_bytes()
    return found


def predict(
    out: Path, *paths: Path, threshold: float = 0.5, outputs: Outputs = MASKS_ONLY, **options: Any
) -> tuple[Outcome, list[str]]:
    """One call as the command makes it; nothing that it leaves behind may be untrue."""
    network = BrightNetwork(threshold)
    outcome = predict_many(sources_of(*paths), out, network, outputs, **options)
    assert lies(out) == []
    assert not list(out.rglob(f"{PART}*"))
    assert not (out / ".claims").exists()
    return outcome, network.asked
