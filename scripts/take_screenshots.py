"""Take the README's two screenshots of ``glioseg serve --demo`` with the model that ships.

Needs Playwright for Python and a Chromium (``GLIOSEG_CHROMIUM``, or ``chromium`` on the path). Look at both
pictures in ``docs/screenshots`` before they are committed.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import sync_playwright

from glioseg.server.app import create_app
from glioseg.server.settings import Settings

FOLDER = Path(__file__).parent.parent / "docs" / "screenshots"
SHOTS: dict[str, dict[str, Any]] = {
    "viewer.png": {"viewport": {"width": 1280, "height": 860}, "locale": "en-GB", "color_scheme": "light"},
    "viewer-narrow-zh.png": {
        "viewport": {"width": 390, "height": 844},
        "locale": "zh-CN",
        "color_scheme": "dark",
        "device_scale_factor": 2,
    },
}


def main() -> None:
    """Serve, look, save."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(Settings(demo=True)), log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.1)
    flags = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
    path = os.environ.get("GLIOSEG_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, headless=True, args=flags)
        for name, options in SHOTS.items():
            page = browser.new_context(**options).new_page()
            begun = time.perf_counter()
            page.goto(f"http://127.0.0.1:{listening.getsockname()[1]}/")
            page.wait_for_selector("html[data-ready]", timeout=180_000)
            seconds = time.perf_counter() - begun
            page.wait_for_timeout(500)
            page.screenshot(path=FOLDER / name, timeout=180_000)
            print(f"{name}: the segmented scan stood after {seconds:.1f} s")
            page.context.close()
        browser.close()
    server.should_exit = True
    thread.join(30)


if __name__ == "__main__":
    main()
