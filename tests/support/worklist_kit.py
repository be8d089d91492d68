"""A server with a work list, its rows, and what is done to them over HTTP."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glioseg.io import read_segmentation

from .patients_kit import until
from .server_kit import BASE, serve

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from glioseg.server.app import Application


@contextmanager
def running(tmp_path: Path, *listed: Path, **settings: Any) -> Iterator[tuple[TestClient, Application]]:
    """A client of a server with these scans, and the server."""
    from fastapi.testclient import TestClient

    app = serve(tmp_path, listed=listed, work=tmp_path / "work", **settings)
    with TestClient(app, base_url=BASE) as client:
        yield client, app


def rows(client: TestClient) -> dict[str, dict[str, Any]]:
    """The rows by name, once nothing is waiting."""

    def all_done() -> Any:
        found = client.get("/api/worklist").json()
        busy = found["finding"] or any(row["status"] in ("waiting", "running") for row in found["rows"])
        return None if busy else {row["name"]: row for row in found["rows"]}

    return until(all_done)  # type: ignore[no-any-return]


def corrected(
    client: TestClient, row: dict[str, Any], top: int = 3
) -> tuple[dict[str, Any], np.ndarray[Any, Any]]:
    """Put another mask in the place of the network's; the numbers and the mask."""
    scan = client.post(f"/api/worklist/{row['key']}/open").json()
    mask = np.zeros(scan["shape"], np.uint8)
    mask[0, top : top + 3, 4:9] = 1
    reply = client.put(f"/api/scans/{scan['id']}/mask", content=mask.tobytes())
    assert reply.status_code == 200, reply.text
    return reply.json(), mask


def masks_of(client: TestClient, folder: Path, format: str = "native") -> dict[str, Any]:
    """The masks in the archive of all, by the name of their folder."""
    with zipfile.ZipFile(io.BytesIO(client.get(f"/api/worklist/masks?format={format}").content)) as archive:
        archive.extractall(folder)
    files = [path for path in sorted(folder.iterdir()) if path.name not in ("work-list.csv", "faults.txt")]
    return {path.name: read_segmentation(path).voxels for path in files}
