"""Damaged input through the command line: exit code 2, a line a fault, no traceback, nothing left behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.damaged import DAMAGED, Damage

from glioseg.cli import main
from glioseg.samples import SAMPLES

SCAN = SAMPLES / "TCGA_HT_7692_19960724"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["glioseg", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    return int(left.value.code or 0)


@pytest.mark.parametrize("row", DAMAGED, ids=lambda row: row.name)
def test_damaged_input_ends_with_a_reason(
    row: Damage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    if not row.possible:
        pytest.skip(f"needs {row.needs}")
    (tmp_path / "in").mkdir()
    arguments = row.make(tmp_path / "in")
    out = tmp_path / "out"
    if arguments[0] == "predict":
        arguments = [*arguments, "--out", str(out)]
    assert run(monkeypatch, *arguments) == 2
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err
    reasons = [line for line in said.err.splitlines() if line.startswith("error: ")]
    assert len(reasons) == len(said.err.splitlines()) >= 1
    for word in row.words:
        assert word in said.err
    assert not out.exists()


def test_a_bad_scan_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.nii.gz"
    bad.write_bytes(b"not a volume")
    out = tmp_path / "out"
    assert (
        run(monkeypatch, "predict", str(bad), str(SCAN), "--out", str(out), "--no-gif", "--no-outlines") == 2
    )
    said = capfd.readouterr()
    assert said.err.count("error: ") == 1
    assert "bad.nii.gz" in said.err
    assert len(list((out / "masks" / SCAN.name).iterdir())) == 20
    assert not list(out.rglob(".part*"))


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs POSIX permissions")
@pytest.mark.parametrize("place", ["a file", "read-only"])
def test_an_output_that_cannot_be_written(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    if place == "a file":
        out.write_text("mine", encoding="utf-8")
    else:
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere")
        tmp_path.chmod(0o500)
    assert run(monkeypatch, "predict", str(SCAN), "--out", str(out)) == 2
    said = capfd.readouterr()
    assert "Traceback" not in said.err
    assert str(out) in said.err
    assert "Choose another output folder" in said.err or "Remove it" in said.err


@pytest.mark.skipif(not Path("/proc/mounts").exists(), reason="needs Linux")
def test_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a small disk here")
    try:
        assert run(monkeypatch, "predict", str(SCAN), "--out", str(disk / "out")) == 1
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        assert "full disk" in said.err
        assert not list(disk.rglob(".part*"))
        assert not list(disk.rglob("scans/*.json")), "an unfinished scan is not recorded as done"
    finally:
        subprocess.run(["umount", str(disk)], check=False)
