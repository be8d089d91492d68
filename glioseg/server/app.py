"""The application: routes, pages and error replies behind the guard."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from html import escape
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from glioseg._version import __version__
from glioseg.errors import Fault, InputError
from glioseg.server import (
    api,
    api_followup,
    api_learning,
    api_lesions,
    api_patient,
    api_runs,
    api_slices,
    api_worklist,
    monai_label,
)
from glioseg.server.faults import Refused, UnfitError, fault_reply, unexpected
from glioseg.server.framework import methods_of, of_framework, of_parameter
from glioseg.server.guard import Guard
from glioseg.server.jobs import QueueFull
from glioseg.server.packing import Packing
from glioseg.server.page_words import words_script
from glioseg.server.scans import StoreFull
from glioseg.server.service import Service
from glioseg.server.settings import Settings

STATIC = Path(__file__).parent / "static"
PAGES = {
    "/": "index.html",
    "/list": "list.html",
    "/followup": "followup.html",
    "/learning": "learning.html",
    "/runs": "runs.html",
    "/compare": "compare.html",
    "/docs": "docs.html",
}

DESCRIPTION = """Segment brain MRI scans on this machine. Research software, **not for clinical use**.

Upload a scan, segment it, fetch mask, numbers and pictures, delete it. With a full queue the reply is 429
and `Retry-After` says when to come back. A client that hangs up cancels its segmentation. Scans are dropped
an hour after their last use and when the server ends.

The work list holds many patients: they are segmented one after the other, each can be opened as such a scan,
and masks, corrections and what was checked are kept.

Whatever is wrong comes back as
`{"faults": [{"code", "parameters", "where", "expected", "found", "cure", "translations"}]}`:
a code that is the same in every language, what the sentences are filled with, the sentences in English, and
the same sentences in other languages; `translations.zh` is Simplified Chinese."""


class Application:
    """An ASGI application with its settings and its service, whose private folder it removes at its end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.service = Service(settings)
        self.api = _fastapi(self.service)
        self._guarded = Guard(Packing(self.api), settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection; an error after the reply has begun ends here."""
        started = False

        async def sending(message: dict[str, object]) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._guarded(scope, receive, sending)  # type: ignore[arg-type]
        except Exception as error:
            if scope["type"] != "http":
                raise
            # FastAPI has replied and raises once more for the server's log, where names do not belong.
            if not started:
                await unexpected(error)(scope, receive, send)


def create_app(settings: Settings | None = None) -> Application:
    """The application for :mod:`uvicorn` or a test client.

    Raises:
        InputError: the settings name a model that is not there.
    """
    return Application(settings or Settings())


def _fastapi(service: Service) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await asyncio.to_thread(service.start)
        cleaning = asyncio.create_task(_clean(service))
        try:
            yield
        finally:
            cleaning.cancel()
            with suppress(asyncio.CancelledError):
                await cleaning
            service.close()

    app = FastAPI(
        title="glioseg",
        version=__version__,
        description=DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.service = service
    app.include_router(api.router)
    app.include_router(api_followup.router)
    app.include_router(api_learning.router)
    app.include_router(api_lesions.router)
    app.include_router(api_patient.router)
    app.include_router(api_runs.router)
    app.include_router(api_slices.router)
    app.include_router(api_worklist.router)
    app.include_router(monai_label.router)
    for path, file in PAGES.items():
        marks = {"demo": service.demo or "", "alone": "true" if service.settings.alone else ""}
        page = _page(STATIC / file, marks if path == "/" else {})
        app.add_api_route(path, page, include_in_schema=False, methods=["GET"])
    app.add_api_route("/static/js/words.js", _words, include_in_schema=False, methods=["GET", "HEAD"])
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    app.add_exception_handler(InputError, _bad_input)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(QueueFull, _come_back)
    app.add_exception_handler(StoreFull, _come_back)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(OSError, _system_error)
    app.add_exception_handler(Exception, _unexpected)
    return app


async def _clean(service: Service) -> None:
    while True:
        await asyncio.sleep(min(60.0, max(1.0, service.settings.keep_seconds / 10)))
        await asyncio.to_thread(service.store.drop_old)


def _page(path: Path, marks: dict[str, str]) -> Callable[[], Awaitable[Response]]:
    """A page with what it need not ask for: the bundled scan that it opens, whether others use the server."""
    said = (f'data-{name}="{escape(value)}"' for name, value in marks.items() if value)
    opening = " ".join(["<html", *said])

    async def page() -> Response:
        return HTMLResponse(path.read_text(encoding="utf-8").replace("<html", opening, 1))

    return page


async def _words() -> Response:
    return Response(words_script(), media_type="text/javascript")


async def _bad_input(request: Request, error: Exception) -> Response:
    assert isinstance(error, InputError)
    if any(fault.code == "files.full" for fault in error.faults):
        return fault_reply(507, Fault("server.disk_full"))
    return fault_reply(409 if isinstance(error, UnfitError) else 422, *error.faults)


async def _gone(request: Request, error: Exception) -> Response:
    """A client that hung up is no error of the server's; nobody reads the reply."""
    return fault_reply(408, Fault("server.slow_request", request.url.path))


async def _system_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return fault_reply(507, Fault("server.disk_full"))
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return fault_reply(503, Fault("server.busy"), retry_after=5)
    return unexpected(error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    fault = error.fault if isinstance(error, Refused) else of_framework(error)
    reply = fault_reply(error.status_code, fault if fault.where else fault.at(request.url.path))
    for name, value in (error.headers or {}).items():
        reply.headers[name] = value
    if error.status_code == 405:
        reply.headers["Allow"] = ", ".join(methods_of(request.app, request.url.path)) or "GET"
    return reply


async def _bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return fault_reply(422, *map(of_parameter, error.errors()))


async def _come_back(request: Request, error: Exception) -> Response:
    assert isinstance(error, (QueueFull, StoreFull))
    code = "server.queue_full" if isinstance(error, QueueFull) else "server.store_full"
    return fault_reply(429, Fault(code, seconds=error.seconds), retry_after=error.seconds)


async def _unexpected(request: Request, error: Exception) -> Response:
    return unexpected(error)
