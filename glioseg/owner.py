"""Which process made a temporary file or holds a claim, and whether it is still running.

A file that a killed process left behind may be removed; one that another process is writing may not. The
owner therefore stands in the name of every temporary file: machine, start of the machine, space of process
numbers (of a container), number of the process and its start.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import sys
from dataclasses import dataclass
from pathlib import Path

TOKEN = r"[0-9a-f]{8}-[0-9a-f]{6}-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+"
"""Regular expression of :attr:`Owner.token`."""


@dataclass(frozen=True)
class Owner:
    """A process of a machine.

    Attributes:
        host: digest of the name of the machine and of the number that its system was given.
        boot: digest of the start of the machine; the same everywhere where it is not known.
        space: number of the space in which process numbers are unique; containers have their own.
        pid: number of the process.
        start: when the process started, in ticks of the machine's clock; 0 where it is not known.
    """

    host: str
    boot: str
    space: int
    pid: int
    start: int

    @property
    def token(self) -> str:
        """The owner as a part of a file name."""
        return f"{self.host}-{self.boot}-{self.space:x}-{self.pid:x}-{self.start:x}"

    @property
    def is_elsewhere(self) -> bool:
        """Whether it cannot be asked after from here: another machine, or another container on this one."""
        here = this_process()
        if self.host != here.host:
            return True
        return self.boot == here.boot and self.space != here.space

    @property
    def is_gone(self) -> bool:
        """Whether the process has certainly ended; never true of one that is elsewhere."""
        if self.is_elsewhere:
            return False
        if self.boot != this_process().boot or not _is_running(self.pid):
            return True
        start = _start_of(self.pid)
        return 0 not in (start, self.start) and start != self.start


def owner_of(token: str) -> Owner | None:
    """The owner that a token names; ``None`` for any other text."""
    if not re.fullmatch(TOKEN, token):
        return None
    host, boot, space, pid, start = token.split("-")
    return Owner(host, boot, int(space, 16), int(pid, 16), int(start, 16))


def this_process() -> Owner:
    """The process that asks; a forked one is another."""
    pid = os.getpid()
    if pid not in _known:
        _known.clear()
        _known[pid] = Owner(*_machine(), pid, _start_of(pid))
    return _known[pid]


_known: dict[int, Owner] = {}


def _machine() -> tuple[str, str, int]:
    name = platform.node() + _text("/etc/machine-id")
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return _digest(name, 8), _digest(_text("/proc/sys/kernel/random/boot_id"), 6), space


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _start_of(pid: int) -> int:
    """Ticks from the start of the machine to that of a process, of Linux; 0 where it is not known."""
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 and fields[19].isdecimal() else 0


def _is_running(pid: int) -> bool:
    if sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(0x1000, False, pid)  # PROCESS_QUERY_LIMITED_INFORMATION
        if not handle:
            return bool(kernel.GetLastError() == 5)  # there, but access is denied
        code = ctypes.c_ulong()
        kernel.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel.CloseHandle(handle)
        return code.value == 259  # STILL_ACTIVE
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it belongs to somebody else
    # One that was killed, and that its parent has not asked after yet, does nothing any more.
    return _text(f"/proc/{pid}/stat").rpartition(")")[2].split()[:1] != ["Z"]
