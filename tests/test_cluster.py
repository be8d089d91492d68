"""Many scans on a Dask cluster of real processes: workers die, and every scan is done once all the same."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from support.known_models import known_model
from support.results_kit import BrightNetwork, lies, rows_of, sources_of, write_scan

from glioseg.batch import Outputs, predict_many
from glioseg.errors import InputError
from glioseg.evaluation.evaluate import evaluate
from glioseg.measure.shape.table import find_masks, measure_all
from glioseg.measure.shape.table import sources_of as sources_of_masks
from glioseg.model.predictor import load_model
from glioseg.samples import SAMPLES

pytest.importorskip("distributed")

from support.cluster_kit import Deadly, local_cluster

from glioseg.cluster import Cluster

MASKS_ONLY = Outputs(outlines=False, gif=False)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory):
    with local_cluster(2, tmp_path_factory.mktemp("dask")) as local:
        yield local.scheduler_address


def test_a_deadly_scan_is_a_fault_and_the_rest_is_done_once(address: str, tmp_path: Path) -> None:
    for seed, name in enumerate("abcdefgh"):
        write_scan(tmp_path / "scans" / f"{name}.nii.gz", seed)
    (tmp_path / "scans" / "e.nii.gz").write_bytes(b"damaged")
    (tmp_path / "seen").mkdir()
    predictor = Deadly(tmp_path / "seen", always=("b",), once=("d",))
    sources, out = sources_of(tmp_path / "scans"), tmp_path / "out"
    told = []
    with Cluster(address) as cluster:
        outcome = predict_many(
            sources,
            out,
            predictor,  # type: ignore[arg-type]
            MASKS_ONLY,
            progress=lambda result, before: told.append((result.id, before)),
            cluster=cluster,
        )
    assert [result.id for result in outcome.results] == ["a", "c", "d", "f", "g", "h"]
    assert sorted(told) == [(name, False) for name in "acdfgh"]
    faults = {Path(fault.where).name: fault.code for fault in outcome.faults}
    assert faults["b.nii.gz"] == "results.deadly"
    assert faults.keys() == {"b.nii.gz", "e.nii.gz"}
    notes = sorted((tmp_path / "seen").iterdir(), key=lambda path: path.stat().st_mtime)
    seen = Counter(path.name.split()[0] for path in notes)
    claims = "\n".join(f"{path.name} {path.read_text(encoding='utf-8')}" for path in notes)
    assert seen == {"a": 1, "b": 3, "c": 1, "d": 2, "f": 1, "g": 1, "h": 1}, claims

    here = tmp_path / "here"
    alone = [source for source in sources if source.id not in "be"]
    again = predict_many(alone, here, BrightNetwork(), MASKS_ONLY)  # type: ignore[arg-type]
    assert len(again.results) == 6
    masks = [
        {path.name: path.read_bytes() for path in (folder / "masks").iterdir()} for folder in (out, here)
    ]
    assert masks[0] == masks[1]
    assert list(rows_of(out)) == list("acdfgh")
    assert lies(out) == []
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "masks", "scans", "summary.csv"]
    assert json.loads((out / "manifest.json").read_text(encoding="utf-8"))["scans"] == list("acdfgh")


def test_what_is_finished_is_not_given_out_again(address: str, tmp_path: Path) -> None:
    for seed, name in enumerate("abc"):
        write_scan(tmp_path / "scans" / f"{name}.nii.gz", seed)
    (tmp_path / "seen").mkdir()
    network, out = Deadly(tmp_path / "seen"), tmp_path / "out"
    sources = sources_of(tmp_path / "scans")
    predict_many(sources[:1], out, network, MASKS_ONLY)  # type: ignore[arg-type]
    written_by_scheduler = tmp_path / "scheduler.json"
    written_by_scheduler.write_text(json.dumps({"address": address}), encoding="utf-8")
    with Cluster(str(written_by_scheduler)) as cluster:
        assert cluster.workers in (1, 2), "one may be starting again"
        assert cluster.dashboard.startswith("http://")
        outcome = predict_many(sources, out, network, MASKS_ONLY, cluster=cluster)  # type: ignore[arg-type]
        assert outcome.skipped == 1
        assert len(list((tmp_path / "seen").iterdir())) == len(outcome.results) == 3
        outcome = predict_many(sources, out, network, MASKS_ONLY, cluster=cluster)  # type: ignore[arg-type]
        assert outcome.skipped == 3


def test_scores_and_features_are_those_of_one_process(address: str, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    for patient in ("TCGA_CS_4944_20010208", "TCGA_HT_7692_19960724"):
        (data / patient).mkdir(parents=True)
        for number in range(1, 4):
            for end in (".tif", "_mask.tif"):
                slice_file = SAMPLES / patient / f"{patient}_{number + 8}{end}"
                shutil.copy(slice_file, data / patient / f"{patient}_{number}{end}")
    model = load_model(known_model(tmp_path / "model.onnx"), threads=1)
    here = evaluate(model, data, tmp_path / "here", pictures=False)
    readers = sources_of_masks(find_masks(data))
    with Cluster(address) as cluster:
        there = evaluate(model, data, out, pictures=False, cluster=cluster)
        assert repr(there) == repr(here), "equal also where there is no number"
        assert measure_all(readers, cluster).rows == measure_all(readers).rows
        (data / "TCGA_HT_7692_19960724" / "TCGA_HT_7692_19960724_2.tif").write_bytes(b"damaged")
        with pytest.raises(InputError, match="TCGA_HT_7692_19960724_2"):
            evaluate(model, data, out, pictures=False, cluster=cluster)
    assert sorted(path.name for path in (out / "masks").rglob("*.tif")) == sorted(
        path.name for path in (tmp_path / "here" / "masks").rglob("*.tif")
    )


def test_an_address_where_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glioseg.cluster.CONNECT_SECONDS", 0.5)
    for given, code in (
        ("tcp://127.0.0.1:9", "cluster.unreachable"),
        (str(tmp_path / "scheduler.json"), "cluster.no_file"),
    ):
        with pytest.raises(InputError) as raised, Cluster(given):
            pass
        assert [fault.code for fault in raised.value.faults] == [code]
