"""What a killed process leaves behind is removed by its owner's name; what others are writing stays."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from support.known_models import known_model

from glioseg.files import (
    PART,
    folder_written_whole,
    owned_name,
    owner_of_name,
    private_folder,
    sweep,
    sweep_all,
    write_text,
    written_whole,
)
from glioseg.owner import Owner, owner_of, this_process
from glioseg.samples import SAMPLES


def gone_process() -> Owner:
    """The owner of a process that has ended."""
    script = "from glioseg.owner import this_process; print(this_process().token)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    owner = owner_of(done.stdout.strip())
    assert owner is not None
    return owner


def named(owner: Owner, suffix: str = "") -> str:
    return f"{PART}{owner.token}-{os.urandom(6).hex()}{suffix}"


def test_the_owner_stands_in_the_name() -> None:
    for suffix in ("", ".ckpt", ".nii.gz"):
        assert owner_of_name(owned_name(PART, suffix)) == this_process()
    assert owner_of_name(".part-0123456789abcdef") is None
    assert owner_of_name("mask.nii.gz") is None
    assert owner_of("../../etc") is None


def test_what_ended_processes_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    gone, here = gone_process(), this_process()
    left = [
        named(gone, ".ckpt"),
        named(gone),
        named(replace(here, boot="000000")),
        named(replace(here, start=1)),
    ]
    kept = [named(here, ".ckpt"), named(replace(gone, host="00000000")), named(replace(gone, space=1))]
    for name in (*left, *kept, "last.ckpt", ".part-0123456789abcdef.ckpt"):
        (tmp_path / name).write_bytes(b"half")
    folder = tmp_path / named(gone)
    (folder / "masks").mkdir(parents=True)
    (folder / "masks" / "half.tif").touch()
    removed = sweep(tmp_path)
    assert {path.name for path in removed} == {*left, folder.name}
    there = {path.name for path in tmp_path.iterdir()}
    assert there == {*kept, "last.ckpt", ".part-0123456789abcdef.ckpt"}
    elsewhere = replace(gone, host="00000000").token
    assert {path.name for path in sweep(tmp_path, ended={elsewhere})} == {kept[1]}


def test_remains_of_versions_that_did_not_name_the_owner_go_after_a_day(tmp_path: Path) -> None:
    old, new = tmp_path / ".part-0123456789abcdef.ckpt", tmp_path / ".part-fedcba9876543210.ckpt"
    for path in (old, new):
        path.touch()
    os.utime(old, (time.time() - 90_000,) * 2)
    assert sweep(tmp_path) == [old]
    assert list(tmp_path.iterdir()) == [new]


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    (tmp_path / named(gone_process())).symlink_to(tmp_path / "precious", target_is_directory=True)
    assert len(sweep(tmp_path)) == 1
    assert (tmp_path / "precious" / "file").exists()


def test_a_folder_that_is_not_there_holds_nothing_to_remove(tmp_path: Path) -> None:
    assert sweep(tmp_path / "not there") == []


def left_behind(folder: Path) -> list[Path]:
    """Half-written files of a process that has ended, in a folder and in two below it."""
    gone = gone_process()
    left = [folder / name / named(gone, ".tif") for name in ("", "masks", "masks/a")]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    return left


def test_folders_below_are_swept_too_if_asked_for(tmp_path: Path) -> None:
    left = left_behind(tmp_path)
    assert sweep_all(tmp_path) == left
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []


def test_the_first_file_that_is_written_into_a_folder_removes_what_was_left_there(tmp_path: Path) -> None:
    left = left_behind(tmp_path)
    folder = tmp_path / named(gone_process())  # may hold a scan that has to be taken back first
    folder.mkdir()
    write_text(tmp_path / "masks" / "mask.txt", "whole")
    assert [path.exists() for path in left] == [True, False, True]
    write_text(tmp_path / "summary.csv", "whole")
    assert [path.exists() for path in left] == [False, False, True]
    assert folder.is_dir()
    with folder_written_whole(tmp_path / "b"):
        pass
    assert not folder.exists()


def test_an_evaluation_and_the_cache_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from glioseg.dataset.cache import prepare_cases
    from glioseg.evaluation import evaluate as evaluation
    from glioseg.recipe import PrepareChoice

    left = left_behind(tmp_path / "evaluation")
    record = write_text(tmp_path / "evaluation" / "metrics.json", "{}")
    model = known_model(tmp_path / "model.onnx")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    for instant in ("_truth", "_write_case"):
        with monkeypatch.context() as patch:
            patch.setattr(evaluation, instant, killed)
            with pytest.raises(KeyboardInterrupt):
                evaluation.evaluate(model, SAMPLES, tmp_path / "evaluation")
        assert not any(path.exists() for path in left)
        # What was known stays until there are other masks.
        assert record.exists() == (instant == "_truth")

    cache = tmp_path / "cache"
    for place in ("content", "prepared/another"):
        (cache / place / named(gone_process())).mkdir(parents=True)
        (cache / place / named(gone_process(), ".txt")).touch()
    prepare_cases([], PrepareChoice(name="head", size=32), cache)
    assert list(cache.rglob(f"{PART}*")) == []


def test_a_killed_process_is_gone_before_its_parent_has_asked_after_it(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from glioseg.files import written_whole\n"
        "with written_whole(Path(sys.argv[1])) as part: print(part, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "last.ckpt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        part = Path(process.stdout.readline().strip())
        assert sweep(tmp_path) == [], "its owner is at work"
        process.kill()
        deadline = time.monotonic() + 20
        while not sweep(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not part.exists()


def test_temporary_folders_of_a_program_are_swept_by_its_prefix(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    mine = private_folder("glioseg-serve-")
    assert os.name == "nt" or mine.stat().st_mode & 0o777 == 0o700
    left = tmp_path / f"glioseg-serve-{gone_process().token}-{os.urandom(6).hex()}"
    left.mkdir()
    (tmp_path / "glioseg-serve-by-hand").mkdir()
    assert sweep(tmp_path, "glioseg-serve-") == [left]
    assert {path.name for path in tmp_path.iterdir()} == {mine.name, "glioseg-serve-by-hand"}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
@pytest.mark.parametrize("mode", [0o600, 0o666])
def test_a_writer_with_permissions_of_its_own_does_not_decide(tmp_path: Path, mode: int) -> None:
    before = os.umask(0o022)
    try:
        with written_whole(tmp_path / "weights.safetensors") as part:
            part.unlink()
            os.close(os.open(part, os.O_CREAT | os.O_WRONLY, mode))
            part.chmod(mode)
        write_text(tmp_path / "recipe.toml", "")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"weights.safetensors": 0o644, "recipe.toml": 0o644}


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_content_and_name_are_on_the_disk_before_the_block_has_ended(
    tmp_path: Path, monkeypatch, kind
) -> None:
    from glioseg.files import folder_written_whole

    done: list[tuple[str, str]] = []
    fsync, replaced = os.fsync, os.replace

    def name_of(number: int) -> str:
        return os.readlink(f"/proc/self/fd/{number}").replace(str(tmp_path), "")

    def seen_replace(source: Path, target: Path) -> None:
        done.append(("replace", Path(target).name))
        replaced(source, target)

    def seen_fsync(number: int) -> None:
        name = name_of(number)
        done.append(("fsync", "part" if PART in name else name))
        fsync(number)

    if not Path("/proc/self/fd").exists():
        pytest.skip("only Linux tells the name of an open file")
    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(os, "replace", seen_replace)
    if kind == "file":
        write_text(tmp_path / "target", "x")
        assert done == [("fsync", "part"), ("replace", "target"), ("fsync", "")]
    else:
        with folder_written_whole(tmp_path / "target") as part:
            write_text(part / "inside", "x")
        assert done == [
            ("replace", "inside"), ("fsync", "part"), ("fsync", "part"), ("replace", "target"), ("fsync", ""),
        ]  # fmt: skip
