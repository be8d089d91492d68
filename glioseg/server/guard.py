"""What stands before every request: to whom, from whom, how much, and which headers go out."""

from __future__ import annotations

import asyncio
import secrets
import time
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glioseg.errors import Fault
from glioseg.server.faults import Refused, fault_reply
from glioseg.server.settings import Settings

COOKIE = "glioseg_token"
SMALL_BODY = 64 << 10

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

UPLOADS = ("/api/preview", "/api/scans", "/api/worklist")
"""Where files are sent to, which may be as large as scans."""


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self.settings = app, settings
        self.answering = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on with its body watched and its reply's headers set."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                private = scope["path"].startswith("/api/")
                headers.setdefault("Cache-Control", "no-store" if private else "no-cache")
            await send(message)

        headers = Headers(scope=scope)
        limit = self._body_limit(scope)
        reply = self._addressed(scope, headers) or self._known(scope, headers)
        if reply is None and int(_digits(headers.get("content-length", "0"))) > limit:
            reply = fault_reply(413, too_large(limit))
        if reply is not None:
            await reply(scope, receive, sending)
            return
        if self.answering >= self.settings.requests:
            busy = fault_reply(503, Fault("server.busy"), retry_after=5)
            await busy(scope, receive, sending)
            return
        self.answering += 1
        try:
            await self.app(scope, self._watched(receive, limit), sending)
        finally:
            self.answering -= 1

    def _body_limit(self, scope: Scope) -> int:
        method, path = scope["method"], scope["path"]
        if method == "POST" and (path in UPLOADS or path.startswith("/infer/")):
            return self.settings.upload_bytes
        if method == "PUT" and path in ("/datastore/", "/datastore/image", "/session/"):
            return self.settings.upload_bytes
        if method in ("PUT", "PATCH") and path.endswith(("/mask", "/datastore/label")):
            return self.settings.memory_bytes
        return SMALL_BODY

    def _watched(self, receive: Receive, limit: int) -> Receive:
        """The body, within limits on its size, on silence, and on the time that so many bytes may take."""
        got, more, settings = 0, True, self.settings
        started = time.monotonic()

        async def watched() -> Message:
            nonlocal got, more
            if not more:
                return await receive()
            allowed = settings.slow_seconds + got / settings.slow_rate
            left = max(0.0, started + allowed - time.monotonic())
            try:
                message = await asyncio.wait_for(receive(), min(settings.idle_seconds, left))
            except asyncio.TimeoutError:
                raise Refused(408, Fault("server.slow_request", "")) from None
            more = bool(message.get("more_body", False))
            got += len(message.get("body", b""))
            if got > limit:
                raise Refused(413, too_large(limit))
            return message

        return watched

    def _addressed(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.settings.serves(hosts[0]):
            return fault_reply(421, Fault("server.other_host"))
        if scope["method"] in ("GET", "HEAD", "OPTIONS"):
            return None
        # No other page may make a browser act here: forms and fetches go across origins without asking.
        site = headers.get("sec-fetch-site", "same-origin")
        origin = headers.get("origin")
        if site not in ("same-origin", "none") or (
            origin is not None and urlsplit(origin).netloc.casefold() != hosts[0].casefold()
        ):
            return fault_reply(403, Fault("server.other_page"))
        return None

    def _known(self, scope: Scope, headers: Headers) -> ASGIApp | None:
        token = self.settings.token
        if token is None:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.casefold() == "bearer" and _same(given.strip(), token):
            return None
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except Exception:  # a malformed cookie is no cookie
            cookie = None
        if cookie is not None and _same(cookie.value, token):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if scope["method"] == "GET" and any(name == "token" and _same(value, token) for name, value in query):
            # The token leaves the address bar, the history and the Referer at once.
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            path = "/" + scope["path"].lstrip("/")
            reply = RedirectResponse(path + (f"?{rest}" if rest else ""), 303)
            reply.set_cookie(COOKIE, token, httponly=True, samesite="strict")
            return reply
        refusal = fault_reply(401, Fault("server.no_token"))
        refusal.headers["WWW-Authenticate"] = "Bearer"
        return refusal


def too_large(limit: int) -> Fault:
    """The fault of a body over its limit."""
    return Fault("server.too_large", most=f"{limit:,}")


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), token.encode())


def _digits(text: str) -> str:
    return text if text.isascii() and text.isdigit() and len(text) < 20 else "0"
