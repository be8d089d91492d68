"""Two writers of one folder: each scan is done by one of them, and other settings are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.results_kit import (
    MASKS_ONLY,
    BrightNetwork,
    content,
    lies,
    predict,
    rows_of,
    sources_of,
    write_scan,
)

from glioseg.batch import predict_many
from glioseg.errors import InputError
from glioseg.owner import this_process
from glioseg.results import claims
from glioseg.results.claims import Claims
from glioseg.results.folder import ResultsFolder
from glioseg.results.record import read_record

# ---------------------------------------------------------------- two writers

WRITER = """
import sys, time
from pathlib import Path
from support.results_kit import BrightNetwork, sources_of
from glioseg.batch import Outputs, predict_many
from glioseg.errors import InputError

class Slow(BrightNetwork):
    def __call__(self, scan):
        time.sleep(0.05)
        return super().__call__(scan)

network = Slow(float(sys.argv[3]))
print("ready", flush=True)
sys.stdin.readline()
try:
    outcome = predict_many(sources_of(Path(sys.argv[1])), Path(sys.argv[2]), network, Outputs(False, False))
except InputError as error:
    print(error)
    sys.exit(2)
print(" ".join(network.asked))
print(len(outcome.results), len(outcome.faults))
"""


def writers(scans: Path, out: Path, *thresholds: float) -> list[subprocess.Popen[str]]:
    """Processes that start at once."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(scans), str(out), str(threshold)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for threshold in thresholds
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    return started


def test_several_writers_with_the_same_settings_share_the_scans(tmp_path: Path, out: Path) -> None:
    for seed in range(24):
        write_scan(tmp_path / "many" / f"p{seed}.nii.gz", seed)
    said = [process.communicate("\n")[0] for process in writers_at_once(tmp_path / "many", out)]
    asked = [text.splitlines()[0].split() for text in said]
    assert sorted(id for ids in asked for id in ids) == sorted(f"p{seed}" for seed in range(24)), (
        "each scan by one process"
    )
    assert sum(1 for each in asked if each) > 1, "more than one process had something to do"
    assert [text.splitlines()[1] for text in said] == ["24 0"] * len(said), "each call ends with all results"
    assert lies(out) == []
    assert len(rows_of(out)) == 24
    assert not list(out.rglob(".*"))
    predict(tmp_path / "single", tmp_path / "many")
    shared, single = content(out), content(tmp_path / "single")
    assert shared == single


def writers_at_once(scans: Path, out: Path) -> list[subprocess.Popen[str]]:
    started = writers(scans, out, 0.5, 0.5, 0.5)
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    return started


def test_a_second_writer_with_other_settings_is_refused(scans: Path, out: Path) -> None:
    with ResultsFolder(out, {"settings": "others"}):
        with pytest.raises(
            InputError, match=rf"process {os.getpid()} on .*another model or other options"
        ) as caught:
            predict_many(sources_of(scans), out, BrightNetwork(), MASKS_ONLY)
        assert caught.value.faults[0].code == "results.other_settings"
        assert list(out.iterdir()) == [out / ".claims"]
    assert not out.exists()
    predict(out, scans)


def test_of_two_writers_that_differ_one_writes(scans: Path, out: Path) -> None:
    started = writers(scans, out, 0.5, 0.7)
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = [process.communicate()[0] for process in started]
    codes = sorted(process.returncode for process in started)
    # One that starts when the other has finished is not refused.
    assert codes in ([0, 2], [0, 0]), said
    assert lies(out) == []
    assert len({json.loads(path.read_text())["made_with"]["settings"] for path in out.glob("scans/*")}) == 1


def test_a_scan_of_another_writer_is_waited_for_and_done_when_that_one_gives_up(
    scans: Path, out: Path
) -> None:
    network = BrightNetwork()
    with ResultsFolder(out, {"settings": "x"}) as folder:
        settings = folder.claims

        def give_up() -> None:
            time.sleep(0.7)
            settings.close()

        (source,) = sources_of(scans / "b.nii.gz")
        predicted: list[object] = []
        # The same settings as the call below: the digest is that which the call makes.
        predict_many(sources_of(scans / "a.nii.gz"), out.parent / "other", network, MASKS_ONLY)
        made = read_record(out.parent / "other" / "scans" / "a.json")
        assert made is not None
        folder.claims.close()
    holder = ResultsFolder(out, {"settings": made.settings})
    with holder:
        assert holder.claim(holder.named(source)) is not None
        thread = threading.Thread(target=lambda: (time.sleep(0.7), holder.give_back(source)))
        thread.start()
        network.asked.clear()
        predicted = predict_many(sources_of(scans), out, network, MASKS_ONLY).results
        thread.join()
    assert [result.id for result in predicted] == ["a", "b", "c"]
    assert network.asked == ["a", "c", "b"]
    assert lies(out) == []


# ---------------------------------------------------------------- claims


def test_a_claim_has_one_holder(tmp_path: Path) -> None:
    one, two = Claims(tmp_path / "claims"), Claims(tmp_path / "claims")
    assert one.take("scan a", origin="x") is None
    holder = two.take("scan a")
    assert holder is not None
    assert (holder["owner"], holder["pid"], holder["origin"]) == (this_process().token, os.getpid(), "x")
    assert one.holds("scan a")
    assert not two.holds("scan a")
    one.give_back("scan a")
    assert not (tmp_path / "claims").exists()
    assert two.take("scan a") is None
    two.close()
    assert not (tmp_path / "claims").exists()


def as_if_from(owner_token: str, folder: Path, name: str) -> Path:
    """Change a claim of this process into one of another owner."""
    holder = Claims(folder)
    assert holder.take(name, settings="s") is None
    path = holder._path(name)
    path.write_text(json.dumps({**holder.mine[name], "owner": owner_token}), encoding="utf-8")
    return path


def test_the_claim_of_a_process_that_has_ended_is_taken_over(tmp_path: Path) -> None:
    as_if_from(replace(this_process(), start=1).token, tmp_path, "scan a")
    assert Claims(tmp_path).take("scan a") is None


def test_the_claim_of_another_machine_is_taken_over_when_it_was_silent(tmp_path: Path, monkeypatch) -> None:
    elsewhere = replace(this_process(), host="00000000")
    path = as_if_from(elsewhere.token, tmp_path, "scan a")
    mine = Claims(tmp_path)
    assert mine.take("scan a") is not None
    os.utime(path, (time.time() - claims.SILENT_SECONDS - 5,) * 2)
    assert mine.take("scan a") is None
    assert mine.ended == {elsewhere.token}


def test_a_holder_gives_signs_of_life(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(claims, "BEAT_SECONDS", 0.05)
    mine = Claims(tmp_path)
    mine.take("scan a")
    path = mine._path("scan a")
    os.utime(path, (0, 0))
    deadline = time.monotonic() + 10
    while path.stat().st_mtime == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert time.time() - path.stat().st_mtime < 60
    mine.close()


def test_claims_work_on_a_disk_without_links(tmp_path: Path, monkeypatch) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    one, two = Claims(tmp_path / "claims"), Claims(tmp_path / "claims")
    assert one.take("a") is None
    assert two.take("a") is not None
    one.close()
    assert two.take("a") is None
    two.close()


def test_what_was_taken_over_is_not_stored(scans: Path, out: Path) -> None:
    """A machine that slept too long finds its scan in other hands."""

    class Sleeper(BrightNetwork):
        def __call__(self, scan):
            for path in (out / ".claims").glob("*.json"):
                path.unlink()
            return super().__call__(scan)

    outcome = predict_many(sources_of(scans / "a.nii.gz"), out, Sleeper(), MASKS_ONLY)
    assert [fault.code for fault in outcome.faults] == ["results.claim_lost"]
    assert not list(out.glob("masks/*"))
