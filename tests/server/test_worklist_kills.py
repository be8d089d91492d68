"""A server of a work list that is killed at any instant: what it answered for is there, whole."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from random import Random
from threading import Timer
from typing import Any

import httpx
import numpy as np
import pytest
from support.patients_kit import small_patient, until
from support.server_kit import bright_flair_model

KILLS = int(os.environ.get("GLIOSEG_KILLS", "5"))


class Server:
    """``glioseg serve`` with a work list, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.study, model = folder / "study", bright_flair_model(folder / "bright.onnx")
        self.options = ["--work", str(folder / "work"), "--model", str(model), "--threads", "1", "--no-open"]

    def start(self) -> str:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "glioseg", "serve", str(self.study), "--port", str(port)]
        self.process = subprocess.Popen([*command, *self.options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert "glioseg is at" in self.process.stdout.readline()
        return f"http://127.0.0.1:{port}"

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def row_of(address: str) -> Any:
    listed = httpx.get(f"{address}/api/worklist", timeout=60).json()
    rows = [row for row in listed["rows"] if row["name"] == "ann" and row["revision"] is not None]
    return rows[0] if rows else None


def mask_of(address: str, key: str) -> tuple[str, np.ndarray[Any, Any]]:
    """The scan of a row in the server, and its mask in the order of the API."""
    scan = httpx.post(f"{address}/api/worklist/{key}/open", timeout=60).json()
    content = httpx.get(f"{address}/api/scans/{scan['id']}/view/predicted", timeout=60).content[352:]
    return scan["id"], np.frombuffer(content, np.uint8).reshape(scan["shape"])[:, ::-1, ::-1]


@pytest.mark.slow
def test_a_server_killed_at_any_instant_keeps_what_it_answered_for(tmp_path: Path) -> None:
    """``GLIOSEG_KILLS`` says how often it is killed; 5 times by default."""
    for seed, name in enumerate(("ann", "bob")):
        small_patient(tmp_path / "study", name, seed)
    server, random = Server(tmp_path), Random(7)
    address = server.start()
    row = until(lambda: row_of(address))
    _, answered = mask_of(address, row["key"])
    checked, sent = False, answered
    for kill in range(KILLS + 1):
        id, found = mask_of(address, row["key"])
        now = row_of(address)
        # Either the last that was answered for, or the one whose answer did not come.
        assert np.array_equal(found, answered) or np.array_equal(found, sent)
        assert now["lesion_voxels"] == found.sum(), "record and mask are of one moment"
        assert not (now["checked"] and not checked)
        if kill == KILLS:
            break
        Timer(random.uniform(0.02, 0.6), server.process.kill).start()
        answered, sent = found, found
        try:
            while True:
                sent = np.random.default_rng(random.randrange(1 << 30)).integers(0, 2, found.shape, np.uint8)
                address_of_mask = f"{address}/api/scans/{id}/mask"
                httpx.put(address_of_mask, content=sent.tobytes(), timeout=60).raise_for_status()
                answered, checked = sent, True
                httpx.put(f"{address}/api/worklist/{row['key']}", json={"checked": True}).raise_for_status()
        except httpx.TransportError:
            server.end()
        address = server.start()
        row = until(lambda address=address: row_of(address))
    server.end()
