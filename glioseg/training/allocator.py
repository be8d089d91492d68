"""Keep the memory of one step for the next one."""

from __future__ import annotations

import ctypes
import sys

# Parameters of mallopt(3) in glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> bool:
    """Tell glibc not to give freed memory back to the system between training steps.

    A training step frees and takes the same gigabytes again; page faults then take up to a third of the
    time on a CPU. Returns whether it could be done (Linux with glibc).
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 2**28))
    return all(mallopt(parameter, value) == 1 for parameter, value in settings)
