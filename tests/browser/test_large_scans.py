"""A scan of 512 x 512 x 300: it opens soon, and corrections hold up neither the page nor a slow line."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import ready, until, welcome
from .test_corrections import own, settled, stroke
from .test_viewer import colours

__all__ = ["own"]  # a fixture

LARGE = (300, 512, 512)


def large_scan(folder: Path) -> Path:
    """A scan of 78.6 million voxels."""
    import nibabel

    values = np.zeros(LARGE[::-1], np.uint8)
    values[100:400, 100:400, 20:280] = 80
    values[200:260, 200:260, 100:200] = 200
    nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), folder / "large.nii.gz")  # type: ignore[attr-defined]
    return folder / "large.nii.gz"


def open_large(page: Any, folder: Path) -> None:
    welcome(page)
    page.set_input_files("#files", large_scan(folder))
    ready(page)
    page.keyboard.press("b")
    stroke(page, 0.3, steps=2)  # the first one compiles what the engine had not compiled
    page.keyboard.press("Control+z")
    settled(page)
    page.wait_for_timeout(500)


@contextmanager
def tasks_of(page: Any) -> Iterator[list[tuple[float, float]]]:
    """Tasks of the page's main thread within the block: milliseconds of the processor, and of the clock."""
    tasks: list[tuple[float, float]] = []
    events: list[dict[str, Any]] = []
    ended: list[bool] = []
    line = page.context.new_cdp_session(page)
    line.on("Tracing.dataCollected", lambda part: events.extend(part["value"]))
    line.on("Tracing.tracingComplete", lambda _: ended.append(True))
    wanted = {"includedCategories": ["devtools.timeline", "disabled-by-default-devtools.timeline"]}
    line.send("Tracing.start", {"transferMode": "ReportEvents", "traceConfig": wanted})
    yield tasks
    line.send("Tracing.end")
    while not ended:
        page.wait_for_timeout(50)
    threads = {
        (one["pid"], one["tid"]) for one in events if one.get("args", {}).get("name") == "CrRendererMain"
    }
    tasks += [
        (one["tdur"] / 1000, one["dur"] / 1000)
        for one in events
        if one["name"] == "RunTask" and (one["pid"], one["tid"]) in threads and "tdur" in one
    ]


STEPS = """async (steps) => {
    const { gl } = gliosegView.nv;
    const begun = performance.now();
    for (let number = 0; number < steps; number++) {
        gliosegView.setSlice(gliosegView.slice + 1);
        gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4)); // waits for the drawing
    }
    return (performance.now() - begun) / steps;
}"""


@pytest.mark.slow
def test_slices_are_stepped_through_before_the_mask_is_there(
    make_page: Any, own: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """512 x 512 x 300: the picture comes before the network begins, and nothing of it is drawn as a volume.

    ``scripts/time_opening.py`` says how long each part takes; here times are only printed.
    """
    may = threading.Event()
    worker = own.application.service.worker
    segment = worker._segment
    monkeypatch.setattr(worker, "_segment", lambda *rest: may.wait(120) and segment(*rest))
    page = make_page(base_url=own.address)
    welcome(page)
    before, begun = time.process_time(), time.monotonic()
    with tasks_of(page) as tasks:
        page.set_input_files("#files", large_scan(tmp_path))
        page.wait_for_selector("#first", state="visible")
        page.wait_for_selector("#first", state="hidden")
    seconds = time.process_time() - before, sum(task[0] for task in tasks) / 1000, time.monotonic() - begun
    print("server {:.1f} s, page {:.1f} s of the processor; {:.1f} s by the clock".format(*seconds))
    assert not page.evaluate("document.documentElement.dataset.ready")
    assert page.evaluate("gliosegView.nv.volumes.map(({ img }) => img.length)") == [8]
    print(f"a step: {page.evaluate(STEPS, 10):.0f} ms by the clock")
    position = int(page.input_value("#slice"))
    page.hover("#stage")
    page.mouse.wheel(0, -100)
    until(lambda: int(page.input_value("#slice")) == position + 1)
    may.set()
    ready(page)
    assert colours(page)["red"] > 0
    # in 3-D there are fewer voxels, and as many as before afterwards
    page.select_option("#planes", "render")
    until(lambda: page.evaluate("gliosegView.nv.volumes[0].img.length") > 8)
    assert page.evaluate("gliosegView.nv.volumes[0].img.length") <= 1 << 22
    page.select_option("#planes", "axial")
    until(lambda: page.evaluate("gliosegView.nv.volumes[0].img.length") == 8)


@pytest.mark.slow
def test_a_stroke_never_holds_up_the_page(make_page: Any, own: Any, tmp_path: Path) -> None:
    """512 x 512 x 300: no task of a stroke, an undo or a redo takes longer than 50 ms.

    That is time of the processor: the clock also counts what other programs of the machine do meanwhile.
    """
    page = make_page(base_url=own.address)
    open_large(page, tmp_path)
    with tasks_of(page) as tasks:
        for at in (0.15, 0.25, 0.35, 0.7):
            stroke(page, at, steps=8)
        settled(page)
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+y")
        settled(page)
        page.wait_for_timeout(500)
    assert len(tasks) > 100
    longest, by_the_clock = (max(times) for times in zip(*tasks, strict=True))
    print(f"longest task: {longest:.0f} ms of the processor, {by_the_clock:.0f} ms by the clock")
    assert 1 < longest < 50
    assert colours(page)["red"] > 0


RATE, LATENCY, DELAY = 1_500_000 / 8, 0.04, 0.12
"""Bytes in a second of the slow line, its seconds to and fro, and how long the page waits for more."""


@pytest.mark.slow
def test_a_stroke_reaches_the_numbers_in_a_second_on_a_slow_line(
    make_page: Any, own: Any, tmp_path: Path
) -> None:
    """512 x 512 x 300 at 1.5 Mbit/s: from a stroke to the numbers that the server made of it.

    What the line, the page and the server take is added up: by the clock other programs count too.
    """
    page = make_page(base_url=own.address)
    open_large(page, tmp_path)
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    limits = {"latency": 1000 * LATENCY, "uploadThroughput": RATE, "downloadThroughput": RATE}
    line.send("Network.emulateNetworkConditions", {"offline": False, **limits})
    volume_ml = "tr[data-number=lesion_volume] td"
    volumes, seconds = [page.inner_text(volume_ml)], []
    for number in range(3):
        before, by_the_clock = time.process_time(), time.monotonic()
        with tasks_of(page) as tasks, page.expect_response(lambda reply: "/mask" in reply.url) as waiting:
            stroke(page, 0.2 + 0.05 * number)
            settled(page)
            by_the_clock = time.monotonic() - by_the_clock
            server = time.process_time() - before
        sizes = waiting.value.request.sizes()
        sent = sum(sizes.values()) / RATE + LATENCY
        seconds.append(DELAY + sent + server + sum(task[0] for task in tasks) / 1000)
        volumes.append(page.inner_text(volume_ml))
        print(f"{sum(sizes.values())} bytes, {seconds[-1]:.2f} s; {by_the_clock:.1f} s by the clock")
    assert len(set(volumes)) == 4, "each stroke is in the numbers"
    assert max(seconds) < 1
