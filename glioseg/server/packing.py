"""Replies compressed with gzip for clients that take it, beside the event loop and not in it."""

from __future__ import annotations

import asyncio
import gzip
from collections import OrderedDict

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SMALLEST = 1024
"""Bytes below which a reply goes out as it is."""

LARGE = 16 << 20
"""Bytes from which a reply to this very machine is compressed only if it shrinks to a quarter: voxels of a
large scan take longer to compress than to copy."""

PIECE = 1 << 20
"""Bytes that the connection, which copies them, is given at a time; the next when the client has read."""

KEPT = 64
"""Files of the page that are kept compressed."""

TEXTS = ("text/", "application/json", "application/javascript", "image/svg+xml", "application/octet-stream")


class Packing:
    """ASGI middleware that compresses replies which are not compressed by their kind."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._files: OrderedDict[tuple[str, str], bytes] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on and compress its reply."""
        if scope["type"] != "http" or scope["method"] != "GET" or not _takes_gzip(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        start: Message | None = None
        parts: list[bytes] = []

        async def sending(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if not _packable(message):
                    start = None
                    await send(message)
                    return
                start = message
            elif message["type"] == "http.response.body" and start is not None:
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    body = parts[0] if len(parts) == 1 else b"".join(parts)
                    await self._reply(scope, start, body, send)
                    start = None
            else:
                await send(message)

        await self.app(scope, receive, sending)

    async def _reply(self, scope: Scope, start: Message, body: bytes, send: Send) -> None:
        headers = MutableHeaders(scope=start)
        headers.add_vary_header("Accept-Encoding")
        if len(body) >= SMALLEST and (packed := await self._packed(scope, headers, body)) is not None:
            body = packed
            headers["Content-Encoding"] = "gzip"
            headers["Content-Length"] = str(len(body))
            etag = headers.get("etag", "")
            if etag and not etag.startswith("W/"):
                headers["ETag"] = f"W/{etag}"
        await send(start)
        for place in range(0, max(1, len(body)), PIECE):
            piece = body[place : place + PIECE]
            await send({"type": "http.response.body", "body": piece, "more_body": place + PIECE < len(body)})

    async def _packed(self, scope: Scope, headers: Headers, body: bytes) -> bytes | None:
        etag = headers.get("etag")
        key = (scope["path"], etag or "")
        if etag and key in self._files:
            return self._files[key]
        if len(body) >= LARGE and is_here(scope):
            middle = memoryview(body)[len(body) // 2 :][: 1 << 18]
            if len(gzip.compress(middle, 1)) > len(middle) / 4:
                return None
        packed = await asyncio.to_thread(gzip.compress, body, 6 if etag else 1, mtime=0)
        if etag:
            self._files[key] = packed
            while len(self._files) > KEPT:
                self._files.popitem(last=False)
        return packed


def _takes_gzip(headers: Headers) -> bool:
    if "range" in headers:
        return False
    wanted = (each.partition(";") for each in headers.get("accept-encoding", "").split(","))
    qualities = {name.strip().lower(): rest.replace(" ", "") for name, _, rest in wanted}
    return qualities.get("gzip", "q=0") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")


def _packable(start: Message) -> bool:
    headers = Headers(raw=start["headers"])
    plain = start["status"] == 200 and "content-encoding" not in headers
    return plain and headers.get("content-type", "").startswith(TEXTS)


def is_here(scope: Scope) -> bool:
    """Whether a request comes from this very machine."""
    client = scope.get("client")
    return client is not None and client[0] in ("127.0.0.1", "::1")
