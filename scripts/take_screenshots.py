"""Take the README's screenshots with the model that ships: editing, the work list, a phone in Chinese.

``python scripts/take_screenshots.py kaggle_3m/TCGA_DU_*`` names the patients of the work list; by default
they are the bundled ones. Needs Playwright for Python and a Chromium (``GLIOSEG_CHROMIUM``, or ``chromium``
on the path). Look at all pictures in ``docs/screenshots`` before they are committed.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvicorn
from PIL import Image
from playwright.sync_api import sync_playwright

from glioseg.samples import SAMPLES
from glioseg.server.app import create_app
from glioseg.server.settings import Settings

FOLDER = Path(__file__).parent.parent / "docs" / "screenshots"
WIDE = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", "color_scheme": "light"}
PHONE = {
    "viewport": {"width": 390, "height": 844},
    "locale": "zh-CN",
    "color_scheme": "dark",
    "device_scale_factor": 2,
}


def editing(page: Any, address: str) -> None:
    """The brush over a lesion, with its settings."""
    page.goto(address)
    page.wait_for_selector("html[data-ready]", timeout=180_000)
    page.keyboard.press("b")
    page.locator("#channels").evaluate("box => box.closest('section').nextElementSibling.scrollIntoView()")
    box = page.locator("canvas").first.bounding_box()
    page.mouse.move(box["x"] + 0.38 * box["width"], box["y"] + 0.7 * box["height"])


def work_list(page: Any, address: str) -> None:
    """All patients segmented, two of them checked."""
    page.goto(f"{address}list")
    page.wait_for_selector("#rows tbody tr", timeout=180_000)
    page.wait_for_selector(".state-waiting, .state-running", state="detached", timeout=600_000)
    for place in (1, 2):
        page.locator(".check-button").nth(place).click()
    page.mouse.move(2, 2)


def phone(page: Any, address: str) -> None:
    """The bundled scan with its outlines."""
    page.goto(address)
    page.wait_for_selector("html[data-ready]", timeout=180_000)


SHOTS: dict[str, tuple[dict[str, Any], Callable[[Any, str], None]]] = {
    "editing.png": (WIDE, editing),
    "work-list.png": (WIDE, work_list),
    "viewer-narrow-zh.png": (PHONE, phone),
}


def main() -> None:
    """Serve, look, save."""
    patients = tuple(map(Path, sys.argv[1:])) or (SAMPLES,)
    FOLDER.mkdir(parents=True, exist_ok=True)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(create_app(Settings(demo=True, listed=patients)), log_level="warning")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.1)
    flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    path = os.environ.get("GLIOSEG_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, headless=True, args=flags)
        for name, (options, show) in SHOTS.items():
            page = browser.new_context(**options).new_page()
            show(page, f"http://127.0.0.1:{listening.getsockname()[1]}/")
            page.wait_for_timeout(1500)
            page.screenshot(path=FOLDER / name, timeout=180_000)
            with Image.open(FOLDER / name) as taken:
                small = taken.convert("RGB").quantize(160, dither=Image.Dither.NONE)
            small.save(FOLDER / name, optimize=True)
            page.context.close()
        browser.close()
    server.should_exit = True
    thread.join(30)


if __name__ == "__main__":
    main()
