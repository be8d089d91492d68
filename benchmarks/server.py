"""Processor seconds of the server for one scan of slices: upload, network, mask."""

from __future__ import annotations

import tempfile
import time
from functools import partial
from pathlib import Path

from benchmarks.measure import Measured, fresh, guarded, interleaved, middle, number, parser, start, table
from glioseg.errors import require_extra
from glioseg.samples import sample_cases

STEPS = ("upload", "segment", "mask", "all")


def main() -> None:
    arguments = parser(__doc__ or "").parse_args()
    require_extra("serve", "fastapi", "httpx")
    start(arguments.threads)
    results = interleaved({"server": partial(fresh, upload_to_mask, arguments.threads)}, arguments.rounds)[
        "server"
    ]
    header = [f"CPU seconds, {middle(results, 'slices'):.0f} slices", "seconds"]
    table(header, [[step, number(middle(results, step))] for step in STEPS])


def upload_to_mask(threads: int) -> Measured:
    """What a second scan costs: the first one pays for what is loaded on first use."""
    from fastapi.testclient import TestClient

    from glioseg.server.app import create_app
    from glioseg.server.settings import Settings

    images = sample_cases()[0].images
    files = [("files", (path.name, path.read_bytes())) for path in images]
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(corrected=Path(folder), threads=threads)
        with TestClient(create_app(settings), base_url="http://127.0.0.1:8765") as client:
            for _ in range(2):
                began, marks = time.perf_counter(), [time.process_time()]
                scan = client.post("/api/scans", files=files).raise_for_status().json()
                marks.append(time.process_time())
                client.post(f"/api/scans/{scan['id']}/segment").raise_for_status()
                marks.append(time.process_time())
                client.get(f"/api/scans/{scan['id']}/mask").raise_for_status()
                marks.append(time.process_time())
    uploaded, segmented, given = (mark - marks[0] for mark in marks[1:])
    measured = {"upload": uploaded, "segment": segmented - uploaded, "mask": given - segmented, "all": given}
    return {**measured, "seconds": time.perf_counter() - began, "slices": float(len(images))}


if __name__ == "__main__":
    guarded(main)
