"""Jobs that share a folder of results: each scan is done once, and the records make one summary."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from support.known_models import known_model
from support.results_kit import MASKS_ONLY, lies, rows_of, sources_of, write_scan

from glioseg.batch import predict_many
from glioseg.errors import InputError
from glioseg.model.predictor import load_model
from glioseg.results.claims import Claims
from glioseg.results.summary import join_records

NAMES = [f"p{number}" for number in range(7)]


def run(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "glioseg", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_jobs_of_an_array_and_overlapping_jobs_do_each_scan_once(tmp_path: Path) -> None:
    for seed, name in enumerate(NAMES):
        write_scan(tmp_path / "scans" / f"{name}.nii.gz", seed)
    listed = tmp_path / "list.txt"
    listed.write_text("".join(f"{tmp_path / 'scans' / name}.nii.gz\n" for name in NAMES), encoding="utf-8")
    model = known_model(tmp_path / "model.onnx")
    options = ("--files-from", listed, "--model", model, "--threads", 1, "--no-outlines", "--no-gif")
    jobs = {"array": [["--shard", "1/2"], ["--shard", "2/2"]], "overlap": [[], []]}
    predict_many(sources_of(tmp_path / "scans"), tmp_path / "alone", load_model(model, threads=1), MASKS_ONLY)
    wanted = masks_of(tmp_path / "alone")
    assert len(wanted) == 7
    for name, each in jobs.items():
        out = tmp_path / name
        started = [run("predict", *options, "-o", out, *choice) for choice in each]
        said = "".join(process.communicate()[0] for process in started)
        assert [process.returncode for process in started] == [0] * len(each), said
        done = Counter(re.findall(r"^\[\d+/\d+\] (\w+): lesion on", said, re.MULTILINE))
        assert done == dict.fromkeys(NAMES, 1), "each was done once"
        (out / "summary.csv").unlink()
        assert join_records(out, {}) == (out / "summary.csv", [])
        assert list(rows_of(out)) == NAMES
        assert lies(out) == []
        assert masks_of(out) == wanted
    joined = run("summary", out, "--json")
    record = json.loads(joined.communicate()[0].splitlines()[0])
    assert (joined.returncode, record["scans"], record["incomplete"]) == (0, 7, [])


def masks_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (out / "masks").iterdir()}


def test_a_claim_of_a_worker_that_was_given_up_is_taken_over_and_no_other(tmp_path: Path) -> None:
    """The first worker lives still, as behind a network that was cut: what it makes is not taken."""
    first, second, third = (Claims(tmp_path / "claims", "job") for _ in range(3))
    others = Claims(tmp_path / "claims", "other job"), Claims(tmp_path / "claims")
    assert first.take("scan a", origin="a.nii") is None
    for other in others:
        assert (other.take("scan a", origin="a.nii") or {})["taker"] == first.id
    assert (second.take("scan a", origin="elsewhere/a.nii") or {})["taker"] == first.id
    assert second.take("scan a", origin="a.nii") is None
    assert (first.holds("scan a"), second.holds("scan a")) == (False, True)
    assert third.take("scan a", origin="a.nii") is None
    assert [each.deaths("scan a") for each in (second, third)] == [1, 2]
    for each in (first, second, third):
        each.close()
    assert not (tmp_path / "claims").exists()


def test_a_folder_without_records_has_no_summary(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        join_records(tmp_path, {})
    assert [fault.code for fault in raised.value.faults] == ["results.no_records"]
    assert list(tmp_path.iterdir()) == []
