"""Connections whose requests must begin in time: what never sends a whole header is closed."""

from __future__ import annotations

import asyncio
import time

from uvicorn.protocols.http.h11_impl import H11Protocol

from glioseg.server.settings import Settings

MOST_WAITING = 200
"""Most connections whose header is not whole yet; for another one the oldest of them is closed."""


class TimedProtocol(H11Protocol):
    """One connection of HTTP/1.1. A request whose header is not whole in time is never answered.

    Connections that wait for a header do not count among the requests that a server answers at a time, so
    that whoever opens many of them keeps nobody else from being served.
    """

    header_seconds = Settings.header_seconds
    _timer: asyncio.TimerHandle | None = None
    _since = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first header."""
        super().connection_made(transport)
        self._wait()
        waiting = [each for each in self.connections if getattr(each, "_timer", None) is not None]
        if len(waiting) > MOST_WAITING:
            oldest = min(waiting, key=lambda each: each._since)  # type: ignore[union-attr]
            oldest._give_up()  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        """Take what came; wait no longer once a header is whole."""
        if self._timer is None and not self._answering:
            self._wait()
        super().data_received(data)
        if self._answering:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        self._since = time.monotonic()
        self._timer = self.loop.call_later(self.header_seconds, self._give_up)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._stop_waiting()
        self.transport.abort()


def timed_protocol(settings: Settings) -> type[TimedProtocol]:
    """The protocol with the time limit of a server."""
    return type("TimedProtocol", (TimedProtocol,), {"header_seconds": settings.header_seconds})
