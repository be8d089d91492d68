"""Memory that was freed goes back to the system, so that an idle server is small."""

from __future__ import annotations

import ctypes
import sys
import threading
from functools import cache
from typing import Any

_turn = threading.Lock()


@cache
def _libc() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim if sys.platform.startswith("linux") else None
    except (OSError, AttributeError):  # another C library than glibc
        return None


def give_back() -> bool:
    """Give what the allocator keeps for later back to the system; whether it could be asked to.

    Every thread of a server takes its memory from an arena of its own, and glibc keeps what lies below the
    highest part in use of each. What a large scan has left there stays for ever otherwise.
    """
    trim = _libc()
    if trim is None or not _turn.acquire(blocking=False):
        return False
    try:
        return bool(trim(0))
    finally:
        _turn.release()
