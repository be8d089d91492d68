"""Commands as a user gives them, without the seconds that a new process needs to import PyTorch."""

from __future__ import annotations

import contextlib
import io
import sys
from unittest import mock

from glioseg.cli import main


def call(*arguments: object) -> tuple[int, str]:
    """Exit code of a command and what it printed, faults included."""
    said = io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["glioseg", *map(str, arguments)]),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(said),
    ):
        try:
            main()
        except SystemExit as left:
            return int(left.code or 0), said.getvalue()
    return 0, said.getvalue()
