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
from support.results_kit import content, lies, rows_of, write_scan

from glioseg.errors import InputError
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
    jobs = {
        "alone": [[]],
        "array": [["--shard", "1/2"], ["--shard", "2/2"]],
        "overlap": [[], []],
    }
    found = {}
    for out, each in jobs.items():
        started = [run("predict", *options, "-o", tmp_path / out, *choice) for choice in each]
        said = "".join(process.communicate()[0] for process in started)
        assert [process.returncode for process in started] == [0] * len(each), said
        done = Counter(re.findall(r"^\[\d+/\d+\] (\w+): lesion on", said, re.MULTILINE))
        assert done == dict.fromkeys(NAMES, 1), "each was done once"
        joined = run("summary", tmp_path / out, "--json")
        record = json.loads(joined.communicate()[0].splitlines()[0])
        assert (joined.returncode, record["scans"], record["incomplete"]) == (0, 7, [])
        assert list(rows_of(tmp_path / out)) == NAMES
        assert lies(tmp_path / out) == []
        found[out] = {
            name: each for name, each in content(tmp_path / out).items() if name.startswith("masks/")
        }
    assert len(found["alone"]) == 7
    assert found["alone"] == found["array"] == found["overlap"]


def test_a_folder_without_records_has_no_summary(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        join_records(tmp_path, {})
    assert [fault.code for fault in raised.value.faults] == ["results.no_records"]
    assert list(tmp_path.iterdir()) == []
