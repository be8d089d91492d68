"""Standard input and output: records for programs, sentences for people, and paths that a program gives."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from glioseg.errors import Fault

AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print JSON records, one a line; everything else goes to standard error."),
]
FilesFrom = Annotated[
    Path | None,
    typer.Option("--files-from", metavar="LIST", help="File with more paths, one in each line."),
]
FROM_INPUT = Path("-")
"""Stands for the paths that standard input names."""


@dataclass(frozen=True)
class Output:
    """What a verb says.

    Attributes:
        as_json: standard output is read by a program: records alone go there.
    """

    as_json: bool

    def say(self, text: str) -> None:
        """Say something to a person."""
        typer.echo(text, err=self.as_json)

    def tell(self, fault: Fault) -> None:
        """Say what is wrong."""
        typer.echo(f"error: {fault}", err=True)
        self.record_fault(fault)

    def record(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Give a program a record; its ``kind`` says what it is of."""
        if self.as_json:
            typer.echo(json.dumps(_plain({"kind": kind, **facts}), allow_nan=False))

    def record_fault(self, fault: Fault) -> None:
        """Give a program what is wrong: the code, the place and the sentences in English."""
        parts = ("code", "where", "expected", "found", "cure")
        self.record("fault", {part: getattr(fault, part) for part in parts})


def paths_given(paths: Iterable[Path]) -> list[Path]:
    """The paths, those that standard input names in the place of ``-``, one a line (or between zero bytes).

    Raises:
        InputError: standard input names none.
    """
    given: list[Path] = []
    for path in paths:
        given += _paths_of_input() if path == FROM_INPUT else [path]
    return given


def path_given(path: Path) -> Path:
    """The path, or the only one that standard input names in the place of ``-``.

    Raises:
        InputError: standard input names none, or several.
    """
    from glioseg.errors import Fault, InputError

    first, *others = paths_given([path])
    if others:
        raise InputError(Fault("cli.several_paths", FROM_INPUT, count=len(others) + 1))
    return first


def paths_in(file: Path | None) -> list[Path]:
    """The paths that a file names, one a line (or between zero bytes); none without a file.

    Raises:
        InputError: it cannot be read, or names none.
    """
    from glioseg.errors import Fault, InputError

    if file is None:
        return []
    try:
        text = file.read_text(encoding="utf-8-sig", errors="surrogateescape")
    except OSError as error:
        raise InputError(Fault("cli.files_from", file, reason=error.strerror or error)) from error
    return _paths_of(text, file)


def _paths_of_input() -> list[Path]:
    return _paths_of(sys.stdin.read(), FROM_INPUT)


def _paths_of(text: str, where: Path) -> list[Path]:
    from glioseg.errors import Fault, InputError

    lines = text.split("\0") if "\0" in text else text.splitlines()
    if not any(lines):
        code = "cli.no_paths" if where == FROM_INPUT else "cli.empty_list"
        raise InputError(Fault(code, where))
    return [Path(line) for line in lines if line]


def _plain(value: Any) -> Any:
    """A value in the types that JSON has; what is no finite number is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "item"):  # a number of numpy
        value = value.item()
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
