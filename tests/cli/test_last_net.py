"""Whatever nobody foresaw is one line with a file that holds the details, for every verb."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest

from glioseg import cli
from glioseg.errors import Fault, InputError, TrainingError


def leave(monkeypatch, capsys, error: BaseException, *words: str) -> tuple[int, list[str]]:
    """Exit code and lines of a command that meets an error."""

    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "program", lambda verbs: fail)
    monkeypatch.setattr(sys, "argv", ["/somewhere/glioseg", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    printed = capsys.readouterr()
    assert printed.out == ""
    return int(left.value.code or 0), printed.err.splitlines()


def test_an_error_that_nobody_foresaw(monkeypatch, capsys) -> None:
    code, (line,) = leave(monkeypatch, capsys, KeyError("secret\ntext"), "evaluate", "--run", "x")
    assert code == 1
    assert line.startswith(
        "error: glioseg evaluate: expected no error that was not foreseen, found KeyError, "
    )
    log = Path(line.partition("details in ")[2].partition(". ")[0])
    text = log.read_text(encoding="utf-8")
    assert "Traceback" in text
    assert "KeyError: 'secret" in text


def test_where_no_log_can_be_written_the_error_is_said(monkeypatch, capsys, tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    monkeypatch.setenv("GLIOSEG_CACHE", str(tmp_path / "taken" / "cache"))
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path / "taken"))
    code, (line,) = leave(monkeypatch, capsys, ValueError("first line\nsecond"), "train")
    assert (code, "found ValueError: first line. Please report it" in line) == (1, True)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/x/out"), 1, "/x/out: expected room to write"),
        (OSError(errno.EMFILE, "Too many open files", "/x/in"), 1, "/x/in: expected a free file handle"),
        (MemoryError(), 1, "glioseg study: expected enough memory, found none left"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 1, "found none left"),
        (PermissionError(errno.EACCES, "Permission denied", "/x/m.onnx"), 2, "/x/m.onnx: expected a file"),
        (InputError(Fault("files.full", "/x")), 1, "/x: expected room to write"),
        (InputError(Fault("files.no_permission", "/x")), 2, "/x: expected a place that can be written"),
        (TrainingError("the loss is NaN"), 1, "error: the loss is NaN"),
    ],
)  # fmt: skip
def test_errors_that_have_a_reason_say_it(monkeypatch, capsys, error, code: int, said: str) -> None:
    found, (line,) = leave(monkeypatch, capsys, error, "study", "--jobs", "2")
    assert found == code
    assert said in line
