"""A folder of results never lies: names, records, files that vanish, full disks."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from support.results_kit import (
    MASKS_ONLY,
    BrightNetwork,
    lies,
    predict,
    rows_of,
    sources_of,
    write_scan,
)

from glioseg.batch import Outputs, predict_many
from glioseg.errors import Fault
from glioseg.files import PART
from glioseg.results.folder import ResultsFolder

# ---------------------------------------------------------------- names tell patients apart


def test_scans_of_one_name_from_two_folders_stand_side_by_side(tmp_path: Path, out: Path) -> None:
    one, two, three = (
        write_scan(tmp_path / f"site{n}" / "p1.nii.gz", number) for number, n in enumerate("ABC")
    )
    predict(out, one)
    first = (out / "masks" / "p1_mask.nii.gz").read_bytes()
    predict(out, two)
    predict(out, three)
    assert list(rows_of(out)) == ["siteC_p1", "p1", "siteB_p1"]
    assert (out / "masks" / "p1_mask.nii.gz").read_bytes() == first
    for path, id in ((one, "p1"), (two, "siteB_p1"), (three, "siteC_p1")):
        _, asked = predict(out, path)
        assert asked == [], f"{path} is found again by its place"
        assert rows_of(out)[id]["source"] == str(path)
    _, asked = predict(out, one, two, three)
    assert asked == []
    assert len(rows_of(out)) == 3


def test_names_that_differ_in_capitals_alone_are_one_name(tmp_path: Path, out: Path) -> None:
    predict(out, write_scan(tmp_path / "x" / "p1.nii.gz", 1))
    if not (out / "scans" / "P1.json").exists():  # a disk that tells them apart keeps both as they are
        predict(out, write_scan(tmp_path / "y" / "P1.nii.gz", 2))
        assert list(rows_of(out)) == ["P1", "p1"]


def test_a_third_scan_of_a_name_and_a_folder_gets_a_number(tmp_path: Path, out: Path) -> None:
    for number in range(3):
        predict(out, write_scan(tmp_path / str(number) / "site" / "p1.nii.gz", number))
    assert sorted(rows_of(out)) == ["p1", "site_p1", "site_p1_2"]


def test_a_data_set_that_was_moved_is_not_done_again(scans: Path, out: Path, tmp_path: Path) -> None:
    predict(out, scans)
    shutil.copytree(scans, tmp_path / "copy")
    outcome, asked = predict(out, tmp_path / "copy")
    assert (outcome.skipped, asked) == (3, [])
    _, asked = predict(out, tmp_path / "copy", threshold=0.7)
    assert asked == ["a", "b", "c"], "the same scans, with other settings, under the same names"
    assert sorted(rows_of(out)) == ["a", "b", "c"]


def test_a_sequence_that_is_added_leaves_the_name(scans: Path, out: Path) -> None:
    (flair,) = sources_of(scans / "a.nii.gz")
    for files, sequences in (
        ((flair.files[0],), ("flair",)),
        ((scans / "b.nii.gz", *flair.files), ("pre", "flair")),
    ):
        source = replace(flair, id="p", files=files, sequences=sequences)
        predict_many([source], out, BrightNetwork(), MASKS_ONLY)
        assert list(rows_of(out)) == ["p"]


# ---------------------------------------------------------------- summary and manifest


def test_the_summary_holds_the_scans_of_all_calls(scans: Path, out: Path) -> None:
    predict(out, scans / "a.nii.gz")
    predict(out, scans / "c.nii.gz", scans / "b.nii.gz")
    assert list(rows_of(out)) == ["c", "b", "a"], "those of this call first"
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["scans"] == ["c", "b", "a"]
    assert [group["scans"] for group in manifest["made_with"]] == [["c", "b", "a"]]
    assert "made_with" not in rows_of(out)["a"]


def test_rows_that_were_made_with_other_settings_say_so(scans: Path, out: Path) -> None:
    predict(out, scans)
    predict(out, scans / "b.nii.gz", threshold=0.7)
    rows = rows_of(out)
    assert rows["a"]["made_with"] == rows["c"]["made_with"] != rows["b"]["made_with"]
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    groups = {tuple(group["scans"]): group["threshold"] for group in manifest["made_with"]}
    assert groups == {("b",): 0.7, ("a", "c"): 0.5}


def test_a_scan_whose_mask_was_removed_is_no_row_and_is_told(scans: Path, out: Path) -> None:
    predict(out, scans)
    (out / "masks" / "b_mask.nii.gz").unlink()
    (out / "scans" / "c.json").write_text("{}", encoding="utf-8")
    network = BrightNetwork()
    outcome = predict_many(sources_of(scans / "a.nii.gz"), out, network, MASKS_ONLY)
    assert outcome.incomplete == ["b", "c"]
    assert list(rows_of(out)) == ["a"]
    outcome, asked = predict(out, scans)
    assert asked == ["b", "c"]
    assert outcome.incomplete == []


# ---------------------------------------------------------------- done before


@pytest.mark.parametrize("change", ["grow", "same size", "other mask"])
def test_files_that_are_not_those_of_the_record_are_made_again(scans: Path, out: Path, change: str) -> None:
    predict(out, scans)
    mask = out / "masks" / "b_mask.nii.gz"
    good, state = mask.read_bytes(), mask.stat()
    if change == "grow":
        mask.write_bytes(good + b"x")
    elif change == "same size":
        mask.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    else:
        shutil.copyfile(out / "masks" / "a_mask.nii.gz", mask)
    os.utime(mask, ns=(state.st_atime_ns, state.st_mtime_ns))
    _, asked = predict(out, scans)
    assert asked == ["b"]
    assert mask.read_bytes() == good


def test_the_old_record_goes_before_anything_moves(scans: Path, out: Path, monkeypatch) -> None:
    predict(out, scans)
    seen: list[tuple[bool, bool]] = []
    replaced = os.replace

    def moving(source: Path, target: Path) -> None:
        if "masks" in Path(target).parts and PART not in str(target):
            seen.append(
                ((out / "scans" / f"{Path(target).name[0]}.json").exists(), (out / "summary.csv").exists())
            )
        replaced(source, target)

    monkeypatch.setattr(os, "replace", moving)
    predict(out, scans, threshold=0.7)
    assert seen == [(False, False)] * 3


def test_pictures_of_a_call_before_do_not_stay_beside_other_masks(scans: Path, out: Path) -> None:
    predict(out, scans / "a.nii.gz", outputs=Outputs())
    assert (out / "outlines" / "a").is_dir()
    assert (out / "gifs" / "a.gif").is_file()
    predict(out, scans / "a.nii.gz", threshold=0.7)
    assert sorted(path.name for path in out.iterdir()) == ["manifest.json", "masks", "scans", "summary.csv"]


def test_a_record_cannot_name_files_outside_of_the_folder(scans: Path, out: Path) -> None:
    predict(out, scans / "a.nii.gz")
    precious = out.parent / "precious"
    precious.touch()
    path = out / "scans" / "a.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    record["outputs"] += ["masks/../../precious", "../precious", str(precious), "masks/.."]
    path.write_text(json.dumps(record), encoding="utf-8")
    predict(out, scans / "a.nii.gz", threshold=0.7)
    assert precious.exists()


def test_records_of_versions_without_digests_are_made_again(scans: Path, out: Path) -> None:
    predict(out, scans / "a.nii.gz")
    path = out / "scans" / "a.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    for name in ("files", "origin", "content", "made_with"):
        record.pop(name)
    path.write_text(json.dumps(record), encoding="utf-8")
    network = BrightNetwork()
    predict_many(sources_of(scans / "a.nii.gz"), out, network, MASKS_ONLY)
    assert network.asked == ["a"]
    assert sorted(rows_of(out)) == ["a"]
    assert lies(out) == []


# ---------------------------------------------------------------- what goes wrong


def test_results_that_vanish_on_the_way_are_made_again(scans: Path, out: Path) -> None:
    network = BrightNetwork()

    def vanish(result, before: bool) -> None:
        if result.id == "c" and not before and len(network.asked) == 3:
            shutil.rmtree(out)

    outcome = predict_many(sources_of(scans), out, network, MASKS_ONLY, progress=vanish)
    assert [result.id for result in outcome.results] == ["a", "b", "c"]
    assert network.asked == ["a", "b", "c"] * 2
    assert lies(out) == []
    assert len(list((out / "masks").iterdir())) == 3


def test_results_that_vanish_each_time_are_an_error(scans: Path, out: Path) -> None:
    class Vanishing(ResultsFolder):
        def is_there(self, result):
            (self.path / "masks" / "b_mask.nii.gz").unlink(missing_ok=True)
            return super().is_there(result)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glioseg.batch.ResultsFolder", Vanishing)
        outcome = predict_many(sources_of(scans), out, BrightNetwork(), MASKS_ONLY)
    assert [fault.code for fault in outcome.faults] == ["results.vanished"]
    assert [result.id for result in outcome.results] == ["a", "c"]
    assert list(rows_of(out)) == ["a", "c"]


@pytest.mark.parametrize("step", ["read", "predict", "write"])
def test_whatever_goes_wrong_with_a_scan_is_a_fault_with_a_log(
    scans: Path, out: Path, step: str, monkeypatch
) -> None:
    class Failing(BrightNetwork):
        def __call__(self, scan):
            if step == "predict" and scan.id == "b":
                raise ZeroDivisionError("a network that divides")
            return super().__call__(scan)

    from glioseg.batch import work
    from glioseg.io.source import Source

    read, write = Source.read, work.write_both

    def failing_read(self, *options):
        if step == "read" and self.id == "b":
            raise ZeroDivisionError("a reader that divides")
        return read(self, *options)

    def failing_write(mask, folder, id, **options):
        if step == "write" and id == "b":
            raise ZeroDivisionError("a writer that divides")
        return write(mask, folder, id, **options)

    monkeypatch.setattr(Source, "read", failing_read)
    monkeypatch.setattr(work, "write_both", failing_write)
    told: list[Fault] = []
    outcome = predict_many(sources_of(scans), out, Failing(), MASKS_ONLY, tell_fault=told.append)
    assert told == outcome.faults
    (fault,) = told
    assert (fault.code, Path(fault.where).name) == ("unexpected.error", "b.nii.gz")
    log = Path(fault.parameters["log"]).read_text(encoding="utf-8")
    assert "ZeroDivisionError: a " in log
    assert "Traceback" in log
    assert [result.id for result in outcome.results] == ["a", "c"]
    assert lies(out) == []


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("[ONNXRuntimeError] : bad_alloc")])
def test_a_scan_without_enough_memory_does_not_stop_the_others(
    scans: Path, out: Path, error: Exception
) -> None:
    class Hungry(BrightNetwork):
        def __call__(self, scan):
            if scan.id == "b":
                raise error
            return super().__call__(scan)

    outcome = predict_many(sources_of(scans), out, Hungry(), MASKS_ONLY)
    assert [fault.code for fault in outcome.faults] == ["memory.ran_out"]
    assert [result.id for result in outcome.results] == ["a", "c"]


def test_a_full_disk_stops_the_work_and_is_told_when_it_happens(scans: Path, out: Path, monkeypatch) -> None:
    from glioseg.batch import work

    write = work.write_both
    events: list[str] = []
    network = BrightNetwork()

    def full(mask, folder, id, **options):
        if id == "b":
            raise OSError(28, "No space left on device", str(folder))
        return write(mask, folder, id, **options)

    for seed in range(3, 12):
        write_scan(scans / f"x{seed}.nii.gz", seed)
    monkeypatch.setattr(work, "write_both", full)
    outcome = predict_many(
        sources_of(scans),
        out,
        network,
        MASKS_ONLY,
        progress=lambda result, _: events.append(result.id),
        tell_fault=lambda fault: events.append(fault.code),
    )
    assert events[:2] == ["a", "files.full"]
    assert events[2:] in ([], ["c"]), "what was on its way may still find room"
    assert len(network.asked) <= 4, "no scan is computed for a disk that is full"
    assert lies(out) == []
    assert list(rows_of(out)) == [result.id for result in outcome.results]


def test_the_system_s_own_words_do_not_hide_that_the_disk_is_full(scans: Path, full_disk: Path) -> None:
    out = full_disk / "out"
    shutil.rmtree(full_disk / "ballast", ignore_errors=True)
    (full_disk / "ballast").unlink(missing_ok=True)
    (full_disk / "ballast").write_bytes(bytes(1024 * 1024 - 24_576))
    outcome = predict_many(sources_of(scans), out, BrightNetwork(), Outputs(probability=True))
    assert {fault.code for fault in outcome.faults} == {"files.full"}
    assert len(outcome.faults) == 1
    assert lies(out) == []
    assert not list(out.rglob(f"{PART}*"))
