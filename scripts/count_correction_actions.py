"""Count what a person does from "the lesion is missed on five slices" to a downloaded mask that is corrected.

Four ways, in a real Chromium, on the bundled scans with the model that ships: a stroke on each slice; a
stroke on the first and the last one, and one in the middle, both with *Fill between slices with each stroke*;
*Ask again here*. An action is a key, a click or a drag with the pointer. Each way ends with the download; the
DSC of the five slices is printed. The size of the brush and whether strokes fill are settings that the
browser keeps: they are made before.

Needs Playwright for Python and a Chromium (``GLIOSEG_CHROMIUM``, or ``chromium`` on the path).
"""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import uvicorn
from playwright.sync_api import sync_playwright
from scipy import ndimage

from glioseg.dataset.find import read_case
from glioseg.io import read_segmentation
from glioseg.measure import dice
from glioseg.samples import sample_cases
from glioseg.server.app import create_app
from glioseg.server.settings import Settings

MISSED = 5
MOST_CLICKS = 4
BRUSH = 21
ENOUGH = 0.8
"""DSC on the five slices at which a person stops clicking."""

Mask = np.ndarray[Any, Any]


class Person:
    """Uses the page of one scan, and counts."""

    def __init__(self, page: Any, truth: Mask, folder: Path) -> None:
        self.page, self.truth, self.folder, self.actions = page, truth, folder, 0

    def key(self, name: str) -> None:
        """Press a key."""
        self.actions += 1
        self.page.keyboard.press(name)

    def go(self, position: int) -> None:
        """Click on a slice in the strip."""
        self.actions += 1
        box = self.page.locator("#strip").bounding_box()
        share = (position + 0.5) / len(self.truth)
        self.page.mouse.click(box["x"] + box["width"] * share, box["y"] + box["height"] / 2)

    def click(self, row: int, column: int) -> None:
        """Click on a voxel of the slice that is shown, and wait for what it does."""
        self.actions += 1
        said = self.page.locator("#edit-said")
        self.page.evaluate("document.getElementById('edit-said').textContent = ''")
        self.page.mouse.click(*self._place(row, column))
        while not said.inner_text():
            time.sleep(0.05)
        print(f"    {said.inner_text()}")

    def paint(self, position: int) -> None:
        """One drag to and fro over the lesion of a slice."""
        self.actions += 1
        half = BRUSH // 2
        core = ndimage.binary_erosion(self.truth[position], iterations=half // 2)
        rows = np.flatnonzero(core.any(axis=1))
        path: list[tuple[int, int]] = []
        for number, row in enumerate(range(rows[0], rows[-1] + 1, half)):
            columns = np.flatnonzero(core[row])
            if columns.size:
                ends = [(row, int(columns[0])), (row, int(columns[-1]))]
                path += ends[:: -1 if number % 2 else 1]
        self.page.mouse.move(*self._place(*path[0]))
        self.page.mouse.down()
        for point in path:
            self.page.mouse.move(*self._place(*point), steps=2)
        self.page.mouse.up()

    def settle_in(self, fill: bool) -> None:
        """Make the settings that the browser keeps from scan to scan; they are not counted."""
        self.page.keyboard.press("b")
        self.page.locator("#pen-size").fill(str(BRUSH))
        self.page.set_checked("#fill-at-once", fill)
        self.page.keyboard.press("w")

    def download(self) -> Mask:
        """Download the mask."""
        self.actions += 1
        with self.page.expect_download() as waiting:
            self.page.click("[data-t=dl_nifti]")
        path = self.folder / "mask.nii.gz"
        waiting.value.save_as(path)
        mask: Mask = read_segmentation(path).voxels > 0
        return mask

    def _place(self, row: int, column: int) -> tuple[float, float]:
        _, height, width = self.truth.shape
        exact = [width - column - 0.5, height - row - 0.5, 0]
        x, y = self.page.evaluate("exact => gliosegView.screenOf(exact)", exact)
        box = self.page.locator("#gl").bounding_box()
        return box["x"] + x, box["y"] + y


def stroke_on_each(person: Person, slices: range) -> Mask:
    """Brush, and for each slice a step and a stroke."""
    person.key("b")
    for position in slices:
        person.go(position)
        person.paint(position)
    return person.download()


def fill_between(person: Person, slices: range) -> Mask:
    """Two strokes; what lies between is filled with the second."""
    person.key("b")
    for position in (slices[0], slices[-1]):
        person.go(position)
        person.paint(position)
    return person.download()


def fill_around_a_stroke(person: Person, slices: range) -> Mask:
    """A stroke in the middle; what lies between it and the slices on both sides is filled with it."""
    person.key("b")
    person.go(slices[len(slices) // 2])
    person.paint(slices[len(slices) // 2])
    return person.download()


def ask_again(person: Person, slices: range) -> Mask:
    """Clicks in the middle of what is missing, until the five slices are good enough."""
    person.key("a")
    shown = None
    for _ in range(MOST_CLICKS):
        missing = person.truth & ~_drawn(person)
        position = max(slices, key=lambda each: int(missing[each].sum()))
        if position != shown:
            person.go(position)
            shown = position
        deepest = ndimage.distance_transform_edt(missing[position]).argmax()
        row, column = np.unravel_index(int(deepest), missing.shape[1:])
        person.click(int(row), int(column))
        if (
            dice(_drawn(person)[slices.start : slices.stop], person.truth[slices.start : slices.stop])
            >= ENOUGH
        ):
            break
    return person.download()


def _drawn(person: Person) -> Mask:
    voxels = person.page.evaluate(
        "gliosegView.mask.voxels.reduce((all, label, at) => (label && all.push(at), all), [])"
    )
    mask = np.zeros(person.truth.size, bool)
    mask[voxels] = True
    return mask.reshape(person.truth.shape)[:, ::-1, ::-1]


WAYS = {
    "a stroke on each slice": stroke_on_each,
    "fill between two strokes": fill_between,
    "fill around a stroke": fill_around_a_stroke,
    "ask again": ask_again,
}


def missed(address: str, name: str, truth: Mask) -> tuple[str, range]:
    """A sample whose mask has no lesion on the five slices with most of it."""
    id = httpx.post(f"{address}/api/samples/{name}").json()["id"]
    where = f"{address}/api/scans/{id}"
    httpx.post(f"{where}/segment", timeout=300).raise_for_status()
    mask = np.frombuffer(httpx.get(f"{where}/view/network").content, np.uint8, offset=352)
    mask = mask.reshape(truth.shape)[:, ::-1, ::-1].copy()
    middle = int(truth.sum(axis=(1, 2)).argmax())
    first = min(max(0, middle - MISSED // 2), len(truth) - MISSED)
    mask[first : first + MISSED] = 0
    httpx.put(f"{where}/mask", content=mask.tobytes()).raise_for_status()
    return id, range(first, first + MISSED)


def main() -> None:
    """Serve, correct, count."""
    listening = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{listening.getsockname()[1]}"
    server = uvicorn.Server(uvicorn.Config(create_app(Settings()), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.1)
    flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    path = os.environ.get("GLIOSEG_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as started, tempfile.TemporaryDirectory() as folder:
        browser = started.chromium.launch(executable_path=path, headless=True, args=flags)
        for case in sample_cases():
            _, truth = read_case(case)
            assert truth is not None
            for way, correct in WAYS.items():
                id, slices = missed(address, case.id, truth.mask)
                page = browser.new_context(viewport={"width": 1280, "height": 860}, locale="en-GB").new_page()
                page.goto(f"{address}/?scan={id}")
                page.wait_for_selector("html[data-ready]", timeout=180_000)
                person = Person(page, truth.mask, Path(folder))
                person.settle_in(fill=way.startswith("fill"))
                found = correct(person, slices)
                score = dice(found[slices.start : slices.stop], truth.mask[slices.start : slices.stop])
                print(f"{case.id}, {way}: {person.actions} actions, DSC on the five slices {score:.3f}")
                page.context.close()
        browser.close()
    server.should_exit = True
    thread.join(30)


if __name__ == "__main__":
    main()
