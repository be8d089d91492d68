"""A scan is looked at as soon as it is read, while the network still works. Times are only printed."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest

from glioseg.samples import SAMPLES

from .conftest import keep, ready, serving, until, welcome
from .test_viewer import SAMPLE

FILES = [path for path in sorted((SAMPLES / SAMPLE.id).iterdir()) if "mask" not in path.name][:20]
MEGABIT = 1_000_000 / 8


def drop(page: Any) -> float:
    """Give the page the files; gives when."""
    begun = time.monotonic()
    page.set_input_files("#files", FILES)
    return begun


def shown(page: Any, begun: float, where: str) -> None:
    page.wait_for_selector("html[data-shown]")
    print(f"{where}: {time.monotonic() - begun:.2f} s from the drop to the first picture")


def test_the_scan_is_there_before_its_mask(
    make_page: Any, weights: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as own:
        may = threading.Event()
        worker = own.application.service.worker
        segment = worker._segment
        monkeypatch.setattr(worker, "_segment", lambda *rest: may.wait(120) and segment(*rest))
        page = make_page(base_url=own.address)
        welcome(page)
        shown(page, drop(page), "this machine")
        # the layers follow, and slices can be gone through without a mask
        until(lambda: page.is_hidden("#first") and page.is_visible("#work"))
        assert not page.evaluate("document.documentElement.dataset.ready")
        keep(page, "first-picture")
        before = int(page.input_value("#slice"))
        page.locator("#gl").hover()
        page.mouse.wheel(0, -100)
        assert int(page.input_value("#slice")) == before + 1
        page.keyboard.press("ArrowDown")
        assert int(page.input_value("#slice")) == before
        may.set()
        ready(page)
        page.close()


def test_the_first_picture_is_the_slice_of_the_scan(make_page: Any, server: Any) -> None:
    import io

    from PIL import Image

    page = make_page()
    scan = page.request.post("/api/samples/" + SAMPLE.id).json()
    picture = page.request.get(f"/api/scans/{scan['id']}/slices/7.png")
    values = np.asarray(Image.open(io.BytesIO(picture.body())))
    flair = server.application.service.store.get(scan["id"]).scan.channel("flair")[7]
    low, high = (scan["windows"]["flair"][end] for end in ("low", "high"))
    np.testing.assert_allclose(values, np.clip((flair - low) / (high - low), 0, 1) * 255, atol=0.51)
    name, kind = FILES[7].name, "image/tiff"
    file = {"name": name, "mimeType": kind, "buffer": FILES[7].read_bytes()}
    scans = len(server.application.service.store)
    ahead = page.request.post("/api/preview", multipart={"files": file})
    assert Image.open(io.BytesIO(ahead.body())).size == (256, 256)
    assert page.request.post("/api/preview", multipart={"files": {**file, "buffer": b"no"}}).status == 422
    assert len(server.application.service.store) == scans, "nothing of it is kept"
    assert page.request.get(f"/api/scans/{scan['id']}/slices/{len(SAMPLE.images)}.png").status == 404


@pytest.mark.slow
def test_the_first_picture_on_a_slow_line(make_page: Any) -> None:
    """3 Mbit/s: most of the time is that of the files on the line."""
    page = make_page()
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    rates = {"uploadThroughput": 3 * MEGABIT, "downloadThroughput": 3 * MEGABIT}
    line.send("Network.emulateNetworkConditions", {"offline": False, "latency": 40, **rates})
    welcome(page)
    size = sum(path.stat().st_size for path in FILES)
    print(f"{size / 1e6:.2f} MB, {size / 3 / MEGABIT:.2f} s on the line")
    shown(page, drop(page), "3 Mbit/s")
    ready(page)
