"""Many clients at once: nothing lost, nothing mixed up, nobody waits for a client that has gone."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("uvicorn")
pytest.importorskip("httpx")

import httpx
from support.server_kit import listening, quick_weights, serve, volume

from glioseg.io import read_scan, write_segmentation
from glioseg.model.predictor import Predictor, load_model
from glioseg.server.app import Application

PATIENCE = 120
"""Seconds a client waits on a machine that has other things to do."""

SECONDS = float(os.environ.get("GLIOSEG_PRESS_SECONDS", "60"))
"""How long 32 clients press the server in the slow test; 600 for what the documentation promises."""


class Gate:
    """Holds every segmentation until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.open = threading.Event()
        self.entered = threading.Semaphore(0)
        own = Predictor._maps

        def held(predictor: Predictor, prepared: Any) -> Any:
            self.entered.release()
            assert self.open.wait(PATIENCE)
            return own(predictor, prepared)

        monkeypatch.setattr(Predictor, "_maps", held)


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, Application]]:
    """A server that really listens, so that clients can hang up."""
    monkeypatch.setattr("glioseg.model.weights.WEIGHTS", quick_weights(tmp_path))
    with listening(serve(tmp_path, queue=2)) as served:
        yield served
    assert not served[1].service.store.folder.exists()


def upload(address: str, path: Path) -> str:
    reply = httpx.post(
        f"{address}/api/scans", files=[("files", (path.name, path.read_bytes()))], timeout=PATIENCE
    )
    assert reply.status_code == 201, reply.text
    id: str = reply.json()["id"]
    return id


def segment(address: str, id: str) -> Any:
    return httpx.post(f"{address}/api/scans/{id}/segment", timeout=PATIENCE)


def until(true: Any) -> None:
    for _ in range(20 * PATIENCE):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def test_a_full_queue_says_when_to_come_back(
    running: tuple[str, Application], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, application = running
    gate = Gate(monkeypatch)
    ids = [upload(address, volume(tmp_path, f"s{number}.nii.gz")) for number in range(4)]
    with ThreadPoolExecutor(3) as clients:
        first = clients.submit(segment, address, ids[0])
        assert gate.entered.acquire(timeout=PATIENCE)
        waiting = []
        for id in ids[1:3]:  # one after the other, so that their places in the queue are known
            waiting.append(clients.submit(segment, address, id))
            until(lambda: len(application.service.worker._waiting) == len(waiting))
        refused = segment(address, ids[3])
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) >= 1
        assert segment(address, ids[0]).status_code == 409  # it is being segmented already
        state = httpx.get(f"{address}/api/scans/{ids[2]}", timeout=PATIENCE).json()
        assert (state["state"], state["ahead"]) == ("queued", 2)
        gate.open.set()
        assert [each.result().status_code for each in (first, *waiting)] == [200, 200, 200]
    assert segment(address, ids[3]).status_code == 200


def test_a_client_that_leaves_cancels_its_job(
    running: tuple[str, Application], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, application = running
    gate = Gate(monkeypatch)
    ids = [upload(address, volume(tmp_path, f"s{number}.nii.gz")) for number in range(2)]
    for id in ids:  # the first is running when its client leaves, the second still waits
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{address}/api/scans/{id}/segment", timeout=httpx.Timeout(30, read=0.5))
    entries = [application.service.store.get(id) for id in ids]
    assert all(entry is not None for entry in entries)
    until(lambda: all(entry.job.cancelled for entry in entries))  # type: ignore[union-attr]
    gate.open.set()
    until(lambda: all(entry.job.state == "cancelled" for entry in entries))  # type: ignore[union-attr]
    assert all(entry.predicted is None for entry in entries)  # type: ignore[union-attr]
    assert segment(address, ids[0]).status_code == 200


def clients_in_parallel(address: str, folder: Path, count: int, seconds: float) -> int:
    """Clients that upload, segment, fetch and delete until the time is over; each checks its own mask."""
    predictor = load_model("default", threads=1)
    expected: dict[str, bytes] = {}
    paths = [volume(folder, f"scan{number}.nii.gz", seed=number) for number in range(count)]
    for path in paths:
        (written,) = write_segmentation(predictor(read_scan(path)).segmentation, folder / "expected")
        expected[path.name] = written.read_bytes()
    assert len(set(expected.values())) == count  # a mix-up would show
    end = time.monotonic() + seconds

    def client(path: Path) -> int:
        rounds = 0
        while rounds == 0 or time.monotonic() < end:
            id = upload(address, path)
            while (reply := segment(address, id)).status_code == 429:
                time.sleep(0.2)
            assert reply.status_code == 200, reply.text
            mask = httpx.get(f"{address}/api/scans/{id}/mask", timeout=PATIENCE)
            assert mask.content == expected[path.name]
            assert httpx.delete(f"{address}/api/scans/{id}", timeout=PATIENCE).status_code == 204
            rounds += 1
        return rounds

    with ThreadPoolExecutor(count) as pool:
        return sum(pool.map(client, paths))


def test_clients_in_parallel_get_their_own_masks(running: tuple[str, Application], tmp_path: Path) -> None:
    assert clients_in_parallel(running[0], tmp_path, 6, 0) == 6


@pytest.mark.slow
def test_32_clients_lose_nothing(running: tuple[str, Application], tmp_path: Path) -> None:
    rounds = clients_in_parallel(running[0], tmp_path, 32, SECONDS)
    print(f"{rounds} scans were sent, segmented, fetched and deleted")
    assert rounds >= 32
    assert len(running[1].service.store) == 0


def test_the_api_keeps_its_own_description(running: tuple[str, Application]) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    from hypothesis import HealthCheck, Phase, given, settings
    from schemathesis import checks

    schema = schemathesis.openapi.from_dict(running[1].api.openapi())
    schema.config.update(base_url=running[0], request_timeout=PATIENCE)
    quick = settings(
        max_examples=5,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    names = []
    for found in schema.get_all_operations():
        operation = found.ok()
        names.append(operation.label)

        @quick
        @given(case=operation.as_strategy())
        def conforms(case: Any) -> None:
            # No schema says which bytes are a scan; see schemathesis.toml.
            files = case.operation.label in ("POST /api/preview", "POST /api/scans", "POST /api/worklist")
            loose = [checks.positive_data_acceptance] if files else []
            case.call_and_validate(excluded_checks=loose)

        conforms()
    assert len(names) > 15
