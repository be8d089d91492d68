"""Little room, memory, permission or file handles: one line, the exit code, nothing half-written."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from support.known_models import known_model
from support.results_kit import lies, rows_of

from glioseg.dataset.find import find_cases, read_case
from glioseg.samples import SAMPLES

GIGABYTE = 1_000_000_000


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return known_model(tmp_path_factory.mktemp("model") / "model.onnx")


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Two small volumes with a lesion."""
    folder = tmp_path / "scans"
    folder.mkdir()
    scan, _ = read_case(find_cases(SAMPLES)[0])
    for name, first in (("a", 6), ("b", 8)):
        flair = scan.channel("flair")[first : first + 4].transpose(2, 1, 0)
        nibabel.save(nibabel.Nifti1Image(flair, np.diag([-1.0, -1.0, 5.0, 1.0])), folder / f"{name}.nii.gz")
    return folder


def predict(
    *arguments: object, limit: tuple[str, int] | None = None, **options
) -> subprocess.CompletedProcess[str]:
    """The command, in a process with a limit of the module ``resource``."""
    command = [sys.executable, "-m", "glioseg", "predict", *map(str, arguments), "--threads", "1"]
    if limit is not None:
        name, most = limit
        set_limit = f"import resource, os, sys; resource.setrlimit(resource.{name}, ({most}, {most})); "
        command = [sys.executable, "-c", set_limit + "os.execv(sys.argv[1], sys.argv[1:])", *command]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert "Traceback" not in done.stderr + done.stdout
    return done


def errors_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines of faults; nothing else is said on that channel."""
    lines = done.stderr.splitlines()
    assert all(line.startswith("error: ") for line in lines), done.stderr
    return lines


def test_a_full_disk(scans: Path, model: Path, full_disk: Path) -> None:
    out = full_disk / "out"
    done = predict(scans, "-o", out, "--model", model)
    (line,) = errors_of(done)
    assert "a full disk" in line
    assert done.returncode == 1
    assert not list(out.rglob(".*"))
    if out.exists():
        assert lies(out) == []
    (full_disk / "ballast").unlink()
    done = predict(scans, "-o", out, "--model", model, "--no-outlines", "--no-gif")
    assert (done.returncode, done.stderr) == (0, "")
    assert lies(out) == []
    assert list(rows_of(out)) == ["a", "b"]


def test_a_folder_without_permission(scans: Path, tmp_path: Path, read_only, monkeypatch, capsys) -> None:
    from glioseg.cli import main

    model = known_model(tmp_path / "model.onnx")

    def run(out: Path) -> int:
        arguments = [
            "glioseg",
            "predict",
            str(scans),
            "-o",
            str(out),
            "--model",
            str(model),
            "--threads",
            "1",
        ]
        monkeypatch.setattr(sys, "argv", arguments)
        with pytest.raises(SystemExit) as left:
            main()
        return int(left.value.code or 0)

    assert run(tmp_path / "possible") == 0  # all that is needed is loaded
    capsys.readouterr()
    locked = tmp_path / "locked"
    locked.mkdir()
    for out in (locked, locked / "out"):
        with read_only(locked):
            assert run(out) == 2
        lines = capsys.readouterr().err.splitlines()
        assert len(lines) == 1
        assert f"error: {out}: " in lines[0]
        assert "no permission to write" in lines[0]
        assert list(locked.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs the limits of Linux")
def test_sixty_four_file_handles_are_enough(model: Path, tmp_path: Path) -> None:
    patients = sorted(path for path in SAMPLES.iterdir() if path.is_dir())
    done = predict(*patients, "-o", tmp_path / "out", "--model", model, limit=("RLIMIT_NOFILE", 64))
    assert (done.returncode, done.stderr) == (0, "")
    assert len(rows_of(tmp_path / "out")) == len(patients)
    assert lies(tmp_path / "out") == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs the limits of Linux")
@pytest.mark.parametrize(
    "handles", [pytest.param(8, marks=pytest.mark.slow), 12, pytest.param(16, marks=pytest.mark.slow)]
)
def test_too_few_file_handles_are_said(scans: Path, model: Path, tmp_path: Path, handles: int) -> None:
    done = predict(scans, "-o", tmp_path / "out", "--model", model, limit=("RLIMIT_NOFILE", handles))
    if done.returncode:
        assert done.returncode in (1, 2)
        assert errors_of(done)
    if (tmp_path / "out").exists():
        assert lies(tmp_path / "out") == []


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs the limits of Linux")
def test_two_gigabytes_of_memory(scans: Path, model: Path, tmp_path: Path) -> None:
    """The scan that does not fit is told with what it needs; those that fit are done."""
    header = nibabel.Nifti1Header()
    header.set_data_shape((512, 512, 400))
    header.set_data_dtype(np.int16)
    header.set_sform(np.diag([-0.5, -0.5, 1, 1]), code=1)
    header["magic"], header["vox_offset"] = b"n+1", 352
    with gzip.open(scans / "aa_large.nii.gz", "wb", compresslevel=1) as file:
        file.write(header.binaryblock + bytes(4))
        for _ in range(40):
            file.write(bytes(512 * 512 * 10 * 2))
    out = tmp_path / "out"
    done = predict(scans, "-o", out, "--model", model, limit=("RLIMIT_AS", 2 * GIGABYTE))
    (line,) = errors_of(done)
    assert "aa_large.nii.gz: expected" in line
    assert "needs about 2.3 GB, " in line
    assert done.returncode == 2
    assert "2 of 3 scans" in done.stdout
    assert list(rows_of(out)) == ["a", "b"]
    assert lies(out) == []
