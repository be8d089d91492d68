"""Scans and results behind URLs: in memory, and from a server on this machine."""

from __future__ import annotations

import csv
import importlib.util
import io
import shutil
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.known_models import known_model
from support.results_kit import BrightNetwork, sources_of, write_scan

from glioseg import cli
from glioseg.batch import Outputs, predict_many
from glioseg.batch.staged import StagedSegmenting, predict_staged
from glioseg.errors import InputError
from glioseg.remote import RemoteFolder, place_of, units_in, url_of
from glioseg.samples import SAMPLES

fsspec = pytest.importorskip("fsspec")
MASKS_ONLY = Outputs(outlines=False, gif=False)
PATIENT = "TCGA_CS_4944_20010208"


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two volumes in folders of their own and of one name, slices, and a volume beside the folders."""
    folder = tmp_path / "scans"
    for seed, name in enumerate(("p1/flair", "p2/flair", "lone")):
        write_scan(folder / f"{name}.nii.gz", seed)
    (folder / "slices").mkdir()
    for number in (1, 2):
        shutil.copy(SAMPLES / PATIENT / f"{PATIENT}_{number + 9}.tif", folder / "slices" / f"s_{number}.tif")
    return folder


@pytest.fixture
def memory(scans: Path) -> Any:
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    system.put(str(scans), "/bucket/scans", recursive=True)
    yield system
    system.store.clear()


def run(
    urls: list[str], place: str, network: BrightNetwork, outputs: Outputs = MASKS_ONLY
) -> tuple[dict[str, bool], list[str]]:
    """Which scans were done, with whether before, and the codes and places of faults."""
    units, faults = units_in(urls)
    told: dict[str, bool] = {}
    segmenting = StagedSegmenting(place, network, outputs, {}, "")  # type: ignore[arg-type]
    outcome = predict_staged(
        units, segmenting, {}, lambda result, before: told.update({result.id: before}), lambda fault: None
    )
    return told, [f"{fault.code} {fault.where}" for fault in (*faults, *outcome.faults)]


def test_what_is_a_url() -> None:
    assert [url_of(Path(text)) for text in ("s3://b/c", "https://h/x.nii.gz", "file:///a/b")] == [
        "s3://b/c",
        "https://h/x.nii.gz",
        "file:///a/b",
    ]
    assert [url_of(Path(text)) for text in ("a/b", "/a/b", "C:/a", "a:b")] == [None] * 4
    assert place_of("a") == (Path.cwd() / "a").as_posix()


def test_results_behind_a_url_are_those_of_a_folder_and_are_not_made_again(
    scans: Path, memory: Any, tmp_path: Path
) -> None:
    network, out = BrightNetwork(), "memory://bucket/out"
    names = ["lone", "p1", "p2", "slices"]
    told, faults = run(["memory://bucket/scans"], out, network)
    assert (told, faults) == (dict.fromkeys(names, False), [])
    assert len(network.asked) == 4
    predict_many(sources_of(scans), tmp_path / "here", BrightNetwork(), MASKS_ONLY)  # type: ignore[arg-type]
    here = sorted(path.read_bytes() for path in (tmp_path / "here" / "masks").rglob("*.*"))
    there = [memory.cat(name) for name in memory.find("/bucket/out/masks")]
    assert sorted(there) == here

    rows = list(csv.DictReader(io.StringIO(memory.cat("/bucket/out/summary.csv").decode())))
    assert [row["id"] for row in rows] == names
    assert [row["source"] for row in rows][:2] == ["memory://bucket/scans", "memory://bucket/scans/p1"]
    assert memory.exists("/bucket/out/manifest.json")

    assert run(["memory://bucket/scans"], out, network)[0] == dict.fromkeys(names, True)
    assert len(network.asked) == 4
    memory.put(str(write_scan(tmp_path / "other.nii.gz", 9)), "/bucket/scans/p2/flair.nii.gz")
    memory.rm("/bucket/out/masks/lone_mask.nii.gz")
    told = run(["memory://bucket/scans"], out, network)[0]
    assert told == {"lone": False, "p1": True, "p2": False, "slices": True}
    assert run(["memory://bucket/scans"], out, BrightNetwork(0.7))[0] == dict.fromkeys(names, False)


def test_what_is_wrong_behind_a_url_is_told_of_the_url(memory: Any, tmp_path: Path) -> None:
    memory.pipe("/bucket/scans/p1/flair.nii.gz", b"damaged")
    for _ in range(2):  # it is told every time
        told, faults = run(
            ["memory://bucket/scans", "memory://bucket/none"], str(tmp_path / "out"), BrightNetwork()
        )
        assert sorted(told) == ["lone", "p2", "slices"]
        assert len(faults) == 2
        assert faults[0] == "remote.nothing memory://bucket/none"
        assert faults[1].endswith(" memory://bucket/scans/p1/flair.nii.gz")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "manifest.json",
        "masks",
        "scans",
        "summary.csv",
    ]
    with pytest.raises(InputError) as raised:
        RemoteFolder("nothing-known://a")
    assert [fault.code for fault in raised.value.faults] == ["remote.no_system"]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_scans_from_a_server(scans: Path, tmp_path: Path) -> None:
    pytest.importorskip("aiohttp")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(scans.parent)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/scans"
    try:
        out = str(tmp_path / "out")
        told, faults = run([address, f"{address}/missing.nii.gz"], out, BrightNetwork())
        assert sorted(told) == ["lone", "p1", "p2", "slices"]
        assert [fault.partition(" ")[2] for fault in faults] == [f"{address}/missing.nii.gz"]
        told, faults = run([f"{address}/p1/flair.nii.gz"], f"{address}/out", BrightNetwork())
        assert (told, len(faults)) == ({}, 1)
    finally:
        server.shutdown()


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["glioseg", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


def test_the_command_takes_urls_and_refuses_what_does_not_go_with_them(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = known_model(tmp_path / "model.onnx")
    given = ("predict", scans.as_uri(), "-o", (tmp_path / "out").as_uri(), "--model", model)
    assert command(monkeypatch, *given, "--no-gif", "--shard", "2/2") == 0
    said = capsys.readouterr().out
    assert "[1] p1: lesion on" in said
    assert f"2 scans in file://{tmp_path}/out" in said
    assert sorted(path.name for path in (tmp_path / "out" / "outlines").iterdir()) == ["p1", "slices"]
    assert command(monkeypatch, *given, "--bids", "--workers", 2) == 2
    said = capsys.readouterr().err
    assert "--bids: expected no --bids with a URL" in said
    assert "--workers: expected no --workers with a URL" in said


def test_without_the_extra_the_line_that_installs_it_is_told(
    scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    there = importlib.util.find_spec
    absent = {"distributed", "fsspec"}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in absent else there(name))
    for given in ([scans, "--dask", "tcp://127.0.0.1:9"], ["s3://bucket/scans"]):
        assert command(monkeypatch, "predict", *given, "-o", tmp_path / "out") == 2
        assert '[cluster]"' in capsys.readouterr().err
