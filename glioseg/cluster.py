"""A function over many items on a Dask cluster, which does the distributing: the extra ``cluster``.

Dask hands out the items as they are done. An item whose worker dies goes to another worker; how often that
may happen before the item itself is taken to be the cause is for the caller to say, and limited here.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from glioseg.errors import Fault, InputError, require_extra

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 30.0
"""How long an address has to answer."""
COUNT_SECONDS = 2.0
"""How often it is asked how many workers there are: they come and go."""
AT_LEAST = 16
"""Items that are waiting at the scheduler besides two for each thread: a cluster that grows when there is
work sees that there is."""
LOSSES = 3
"""How often the scheduler may give an item up, each time after several dead workers, until that is final."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class Cluster:
    """A Dask cluster that is there already, as a context.

    Args:
        address: of the scheduler, such as ``tcp://head:8786``, or the file that it wrote about itself.

    Raises:
        InputError: the extra is missing; on entering, nobody answers at the address.
    """

    def __init__(self, address: str) -> None:
        require_extra("cluster", "dask", "distributed")
        self.address = address
        self.job = os.urandom(6).hex()
        self._client: Client
        self._counted = (float("-inf"), 0)

    def __enter__(self) -> Cluster:
        from distributed import Client

        is_file = Path(self.address).suffix == ".json" or Path(self.address).is_file()
        if is_file and not Path(self.address).is_file():
            raise InputError(Fault("cluster.no_file", self.address))
        where = {"scheduler_file": self.address} if is_file else {"address": self.address}
        # What goes wrong is told once, in our words.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        try:
            self._client = Client(**where, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TimeoutError, asyncio.TimeoutError) as error:
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise InputError(Fault("cluster.unreachable", self.address, reason=reason)) from error
        return self

    def __exit__(self, *raised: object) -> None:
        self._client.close(timeout=5)

    @property
    def dashboard(self) -> str:
        """Address of the page on which Dask shows what its workers do."""
        return str(self._client.dashboard_link)

    @property
    def workers(self) -> int:
        """How many workers there are now."""
        return len(self._client.nthreads())

    @property
    def threads(self) -> int:
        """How many items the workers do at a time, which is looked up every now and then."""
        looked, threads = self._counted
        if time.monotonic() - looked > COUNT_SECONDS:
            threads = sum(self._client.nthreads().values())
            self._counted = (time.monotonic(), threads)
        return threads

    def on_every_worker(self, function: Callable[..., Any], *arguments: object) -> dict[str, Any]:
        """What a function gives on each worker that is there now, or what it raised; by address."""
        return dict(self._client.run(function, *arguments, on_error="return"))

    def each(
        self, function: Callable[[Item], Result], items: Sequence[Item], place: Callable[[Item], object]
    ) -> Iterator[tuple[int, Result | Exception]]:
        """Call a function with every item, on whichever worker is free.

        A few items more than the workers can do are under way at a time: memory here and at the scheduler
        does not grow with their number.

        Args:
            function: can be pickled.
            items: can be pickled.
            place: where a fault of an item is.

        Yields:
            The number of an item with what the function gave or raised, as they are done, in any order.

        Raises:
            InputError: the scheduler is gone.
        """
        from distributed import KilledWorker, as_completed

        waiting = iter(range(len(items)))
        under_way: dict[Future, tuple[int, int]] = {}
        done = as_completed(loop=self._client.loop)

        def start(number: int, losses: int = 0) -> None:
            # One group for all: then what waits stays at the scheduler instead of at a worker that may die.
            key = (f"glioseg-{self.job}", number, losses)
            future = self._client.submit(function, items[number], key=key, pure=False)
            under_way[future] = number, losses
            done.add(future)

        try:
            while True:
                while len(under_way) < 2 * self.threads + AT_LEAST:
                    if (number := next(waiting, None)) is None:
                        break
                    start(number)
                if not under_way:
                    return
                future = next(done)
                number, losses = under_way.pop(future)
                result: Result | Exception
                try:
                    result = future.result()
                except CancelledError as error:
                    raise InputError(Fault("cluster.gone", self.address)) from error
                except Exception as error:  # whatever the function raised, or Dask itself
                    result = error
                    if isinstance(error, KilledWorker):
                        if losses + 1 < LOSSES:
                            start(number, losses + 1)
                            continue
                        result = InputError(Fault("cluster.killed", place(items[number])))
                yield number, result
        finally:
            with suppress(Exception):  # a scheduler that is gone has nothing left to cancel
                self._client.cancel(list(under_way), force=True)


def over(
    cluster: Cluster | None,
    function: Callable[[Item], Result],
    items: Sequence[Item],
    place: Callable[[Item], object] = str,
) -> Iterator[tuple[int, Result | Exception]]:
    """Call a function with every item, as :meth:`Cluster.each`; without a cluster here, one after the other.

    Yields:
        The number of an item with what the function gave, or with its faults.

    Raises:
        Exception: what the function raised here besides faults.
    """
    if cluster is not None:
        yield from cluster.each(function, items, place)
        return
    for number, item in enumerate(items):
        result: Result | Exception
        try:
            result = function(item)
        except InputError as error:
            result = error
        yield number, result
