"""Clients that send slowly, or never, harm nobody else."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("httpx")

import httpx
from support.server_kit import as_form, listening, serve, volume

from glioseg.server.connections import MOST_WAITING

pytestmark = pytest.mark.usefixtures("quick_model")

PATIENCE = 60.0
SOCKETS = 300


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    limits = {"header_seconds": 3.0, "slow_seconds": 8.0, "slow_rate": 1 << 20, "requests": 400}
    with listening(serve(tmp_path, **limits)) as (served, _):
        yield served


def connected(address: str, text: str) -> socket.socket:
    place = urlsplit(address)
    opened = socket.create_connection((place.hostname or "", place.port or 80), timeout=PATIENCE)
    opened.sendall(text.encode())
    return opened


def is_closed(opened: socket.socket) -> bool:
    try:
        return opened.recv(1) == b""
    except ConnectionError:
        return True


def serves_others(address: str, folder: Path) -> None:
    path = volume(folder)
    reply = httpx.post(f"{address}/api/scans", files=as_form([path]), timeout=PATIENCE)
    assert reply.status_code == 201, reply.text
    where = f"{address}/api/scans/{reply.json()['id']}"
    assert httpx.post(f"{where}/segment", timeout=PATIENCE).status_code == 200
    assert httpx.delete(where, timeout=PATIENCE).status_code == 204


def test_half_a_header_keeps_nobody_from_being_served(address: str, tmp_path: Path) -> None:
    half = [connected(address, "GET /api/health HTTP/1.1\r\nHost: 127") for _ in range(SOCKETS)]
    try:
        serves_others(address, tmp_path)
        # The oldest gave way to the others, and those are closed after their time.
        assert all(is_closed(each) for each in half)
        assert SOCKETS > MOST_WAITING
    finally:
        for each in half:
            each.close()


def test_a_second_request_of_a_connection_has_the_same_time_for_its_header(address: str) -> None:
    opened = connected(address, "GET /api/health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    with opened:
        assert opened.recv(1 << 16).startswith(b"HTTP/1.1 200")
        opened.sendall(b"GET /api/hea")
        started = time.monotonic()
        while opened.recv(1 << 16):
            pass
        assert time.monotonic() - started < PATIENCE


@pytest.mark.slow
def test_a_body_that_drips_is_ended_and_meanwhile_harms_nobody(address: str, tmp_path: Path) -> None:
    host = "Host: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 9000\r\n\r\n"
    slow = [connected(address, f"POST /api/scans HTTP/1.1\r\n{host}--x") for _ in range(SOCKETS)]
    try:
        serves_others(address, tmp_path)
        first = slow[0]
        first.settimeout(0.2)
        reply = b""
        end = time.monotonic() + PATIENCE
        while b"\r\n\r\n" not in reply:
            assert time.monotonic() < end, "it was never ended"
            try:
                first.sendall(b"-")
                reply += first.recv(1 << 16)
            except TimeoutError:
                continue
            except ConnectionError:  # it dripped once more after the server had closed
                break
        assert not reply or reply.startswith(b"HTTP/1.1 408")
        for each in slow[1:]:
            try:
                assert each.recv(64).startswith(b"HTTP/1.1 408")
            except ConnectionResetError:  # closed before the server had read all: the reply may be lost
                continue
    finally:
        for each in slow:
            each.close()
