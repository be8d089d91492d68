"""What one server is allowed to do."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from glioseg.errors import Fault, InputError


@dataclass(frozen=True)
class Settings:
    """Where a server listens, what it works with, and its limits.

    Attributes:
        host, port: where it listens.
        token: what a client must know; made up when ``host`` is not this machine alone.
        allowed_hosts: names besides ``localhost`` and ``host`` that a request may be addressed to.
        model: name of a model, run folder or ``.onnx`` file that is used by default.
        threads: threads of the network; all usable cores by default.
        runs: folder of run folders, for the pages about runs.
        corrected: folder that collects corrected cases.
        demo: open a bundled scan at once.
        listed: scans and folders of scans that the work list shows.
        work: folder that keeps the work list; without one it ends with the server.
        work_bytes: most bytes of all that clients may add to the work list.
        upload_bytes: most bytes of one upload.
        unpacked_bytes: most bytes that an upload may unpack to.
        files: most files of an upload, packed ones included.
        memory_bytes: most bytes of all scans that are held and of those that are being read, together; what
            an upload takes is worked out from its headers before anything is decoded.
        scans: most scans at a time; for another one, the one that was used least recently goes.
        room_seconds: how long an upload waits for others to be idle before it is told to come back.
        requests: most requests that are answered at a time.
        queue: most segmentations that wait.
        header_seconds: longest time until the header of a request is whole.
        idle_seconds: longest silence while a request comes in.
        slow_seconds: how long a request may come in slower than ``slow_rate``.
        slow_rate: bytes a second that a request must reach on average after that.
        read_seconds: longest time to read a scan.
        segment_seconds: longest time to segment one.
        keep_seconds: how long a scan is kept after its last use.
    """

    host: str = "127.0.0.1"
    port: int = 8765
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    model: str = "default"
    threads: int | None = None
    runs: Path | None = None
    corrected: Path = field(default_factory=lambda: Path("glioseg-corrected"))
    demo: bool = False
    listed: tuple[Path, ...] = ()
    work: Path | None = None
    work_bytes: int = 64 << 30
    upload_bytes: int = 1 << 30
    unpacked_bytes: int = 2 << 30
    files: int = 10_000
    memory_bytes: int = 768 << 20
    scans: int = 64
    room_seconds: float = 10
    requests: int = 512
    queue: int = 8
    header_seconds: float = 10
    idle_seconds: float = 60
    slow_seconds: float = 30
    slow_rate: int = 16 << 10
    read_seconds: float = 300
    segment_seconds: float = 900
    keep_seconds: float = 3600

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and self.token is None:
            object.__setattr__(self, "token", secrets.token_urlsafe(24))
        if self.token is not None and len(self.token) < 16:
            raise InputError(Fault("server.short_token", length=len(self.token)))

    @property
    def address(self) -> str:
        """Where the viewer is, with the token if there is one."""
        return self.page()

    def page(self, name: str = "") -> str:
        """Where a page is, with the token if there is one."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        host = f"[{host}]" if ":" in host else host
        return f"http://{host}:{self.port}/{name}" + (f"?token={self.token}" if self.token else "")

    @property
    def first_page(self) -> str:
        """Where the page is that is opened at the start: the work list where there is one."""
        return self.page("list" if self.listed or (self.work and not self.demo) else "")

    @property
    def alone(self) -> bool:
        """Whether nobody but those at this machine is meant to reach the server."""
        return is_loopback(self.host) and self.token is None and not self.allowed_hosts

    def serves(self, host: str) -> bool:
        """Whether a request with this Host header is meant for this server.

        A page elsewhere that lets its own name lead here (DNS rebinding) always comes with a
        name; an address is therefore safe.
        """
        name = host.rsplit(":", 1)[0] if host.count(":") == 1 or "]:" in host else host
        name = name.strip("[]").casefold().rstrip(".")
        return name in {"localhost", self.host.casefold(), *map(str.casefold, self.allowed_hosts)} or (
            _is_address(name)
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
