"""One thread for the products of small matrices.

Several threads gain little there, and on a busy machine they spin while they wait for each other: beside two
trainings on two cores, preparing a scan took ten times as long with two threads as with one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from threading import Lock
from typing import Any

_lock = Lock()
_limit = ExitStack()
_inside = 0


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Let BLAS compute in one thread while any thread of this process is inside; also as a decorator."""
    global _inside
    with _lock:
        if _inside == 0:
            _limit.enter_context(_libraries().limit(limits=1, user_api="blas"))
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _limit.close()


@cache
def _libraries() -> Any:
    """The libraries that are loaded: looked for once, for that takes longer than a product."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
