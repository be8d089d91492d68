"""What nobody foresaw, said in one line like everything else, with the details in a file."""

from __future__ import annotations

import errno
import os
import tempfile
import time
import traceback
from functools import cache
from pathlib import Path

from glioseg.environment import command_line
from glioseg.errors import Fault, InputError
from glioseg.files import FULL, default_cache, write_fault

FAILED = frozenset({FULL, "files.handles", "unexpected.error", "unexpected.no_log", "memory.ran_out"})
"""Codes of faults that say nothing about the input: the program, the disk or the memory failed."""


def exit_code(faults: tuple[Fault, ...] | list[Fault]) -> int:
    """How a command leaves: 0 without a fault, 2 if anything is wrong with the input, otherwise 1."""
    if not faults:
        return 0
    return 1 if all(fault.code in FAILED for fault in faults) else 2


def faults_of(error: BaseException, where: object) -> tuple[Fault, ...]:
    """The faults that an error stands for; of one that nobody foresaw the details go to a file.

    Args:
        error: what was raised.
        where: the file, folder or command that it happened with.
    """
    if isinstance(error, InputError):
        return error.faults
    if isinstance(error, OSError) and error.errno in (
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EMFILE,
        errno.ENFILE,
    ):
        return (write_fault(Path(str(error.filename or where)), error),)
    if is_memory(error):
        return (Fault("memory.ran_out", where),)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return (Fault("unexpected.file", error.filename, reason=error.strerror),)
    kind = type(error).__name__
    log = _logged(error, where)
    if log is None:
        return (Fault("unexpected.no_log", where, kind=kind, reason=_first_line(error)),)
    return (Fault("unexpected.error", where, kind=kind, log=log),)


def is_memory(error: BaseException) -> bool:
    """Whether an error says that there is not enough memory, also those of libraries that say so in words."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    text = str(error).casefold()
    return isinstance(error, RuntimeError) and any(
        words in text
        for words in ("bad_alloc", "failed to allocate memory", "can't allocate memory", "out of memory")
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _logged(error: BaseException, where: object) -> Path | None:
    """Add the details to this process's file; ``None`` where no file can be written."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    text = f"{stamp}  {command_line()}\n{where}\n{''.join(lines)}\n"
    for folder in (default_cache() / "logs", Path(tempfile.gettempdir())):
        path = folder / _name()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="utf-8", errors="backslashreplace") as handle:
                handle.write(text)
        except OSError:
            continue
        return path
    return None


@cache
def _name() -> str:
    return f"glioseg-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
