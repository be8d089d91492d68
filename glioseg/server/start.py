"""Start the server and open its page."""

from __future__ import annotations

import errno
import logging
import socket
import threading
import webbrowser
from collections.abc import Callable

import uvicorn

from glioseg.errors import Fault, InputError
from glioseg.io.refuse import check_exists
from glioseg.server.app import create_app
from glioseg.server.connections import timed_protocol
from glioseg.server.settings import Settings


def start_server(settings: Settings, open_browser: bool, echo: Callable[[str], None]) -> None:
    """Serve until interrupted; the scans that clients sent are gone after that.

    Raises:
        InputError: the runs or the model are not there, or the address cannot be listened on.
    """
    if settings.runs is not None and not settings.runs.is_dir():
        raise InputError(Fault("server.no_runs_folder", settings.runs))
    for path in settings.listed:
        check_exists(path)
    application = create_app(settings)
    listening = _listen(settings)

    page = settings.first_page

    def announce() -> None:
        echo(f"glioseg is at {page}")
        echo(
            "Not for clinical use. The server forgets scans when it ends; "
            + ("the work list is kept. " if settings.work else "a browser keeps those with corrections. ")
            + "Stop it with Ctrl+C."
        )
        if open_browser:
            threading.Thread(target=webbrowser.open, args=(page,), daemon=True).start()

    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # No access log: addresses hold ids and names of scans.
    # No limit on connections: half-open ones would use it up; the guard counts requests.
    config = uvicorn.Config(
        application, log_config=None, access_log=False, server_header=False, http=timed_protocol(settings)
    )
    try:
        _Announced(config, announce).run(sockets=[listening])
    except KeyboardInterrupt:
        pass
    finally:
        application.service.close()


class _Announced(uvicorn.Server):
    """A server that says where it is once it answers."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._announce()


def _listen(settings: Settings) -> socket.socket:
    """A listening socket, before anything is promised."""
    try:
        family = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((settings.host, settings.port), family=family)
    except OSError as error:
        codes = {
            errno.EADDRINUSE: "server.address_taken",
            errno.EACCES: "server.address_forbidden",
            errno.EPERM: "server.address_forbidden",
        }
        code = codes.get(error.errno or 0, "server.address_unknown")
        where = f"{settings.host}:{settings.port}"
        raise InputError(Fault(code, where, reason=error.strerror or error)) from error
