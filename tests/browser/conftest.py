"""A real server, a real browser. Skipped where Chromium or Playwright is missing.

``GLIOSEG_CHROMIUM`` names the browser if it is not on the path; ``GLIOSEG_AXE`` names ``axe.min.js`` of
axe-core from npm, for the accessibility checks; ``GLIOSEG_SCREENSHOTS`` a folder that keeps pictures.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="the extra 'serve' is not installed")

FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PATIENCE = int(os.environ.get("GLIOSEG_PATIENCE", 180_000))
"""Milliseconds to wait for what takes a moment; drawing without a graphics card is slow."""


@pytest.fixture(scope="package")
def chromium() -> str:
    """Path of the browser."""
    path = os.environ.get("GLIOSEG_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("no Chromium: apt-get install chromium, or set GLIOSEG_CHROMIUM")
    return path


@pytest.fixture(scope="package")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of weights with the quick model as the default, used by all browser tests."""
    from support.server_kit import quick_weights

    folder = quick_weights(tmp_path_factory.mktemp("weights"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glioseg.model.weights.WEIGHTS", folder)
        yield folder


@pytest.fixture(scope="package")
def run_folders(tmp_path_factory: pytest.TempPathFactory, weights: Path) -> Path:
    """Two evaluated runs of the bundled scans."""
    from glioseg.evaluation.evaluate import evaluate
    from glioseg.model.predictor import load_model
    from glioseg.recipe import load_recipe
    from glioseg.runs.folder import RunFolder
    from glioseg.samples import SAMPLES, sample_cases

    root = tmp_path_factory.mktemp("runs")
    evaluation = None
    for name in ("first", "second"):
        facts = {"data": str(SAMPLES), "patient_rule": None, "split": {"name": "samples"}}
        run = RunFolder.create(root / name, load_recipe("default"), facts)
        run.metrics_file.write_text("epoch,loss,val_loss,val_dsc\n1,0.7,0.8,0.2\n2,0.5,0.6,0.4\n", "utf-8")
        if evaluation is None:
            predictor = load_model("default", threads=1)
            evaluate(predictor, sample_cases(), run.path / "evaluation", pictures=False)
            evaluation = run.path / "evaluation"
            shutil.copyfile(weights / "bright.onnx", run.model)
        else:  # its model is not there any more
            shutil.copytree(evaluation, run.path / "evaluation")
    return root


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory, run_folders: Path) -> Iterator[Any]:
    """A server in a thread; it has ``address``, ``application`` and ``corrected``."""
    with serving(runs=run_folders, corrected=tmp_path_factory.mktemp("corrected")) as running:
        yield running


@contextmanager
def serving(port: int = 0, **settings: Any) -> Iterator[Any]:
    """A server in a thread, with these settings; port 0 is any that is free."""
    from glioseg.server.app import create_app
    from glioseg.server.settings import Settings

    listening = socket.create_server(("127.0.0.1", port))
    port = listening.getsockname()[1]
    application = create_app(Settings(port=port, threads=1, **settings))
    running = uvicorn.Server(uvicorn.Config(application, log_level="error", access_log=False))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.05)
    running.address, running.application = f"http://127.0.0.1:{port}", application
    running.corrected = application.settings.corrected
    try:
        yield running
    finally:
        running.should_exit = True
        thread.join(30)


@pytest.fixture(scope="package")
def browser(chromium: str) -> Iterator[Any]:
    """One headless Chromium with a new profile."""
    with playwright_api.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def make_page(browser: Any, server: Any) -> Iterator[Any]:
    """Open pages of the server; errors on a page or its console fail the test."""
    contexts, wrong = [], []

    def make(**options: Any) -> Any:
        usual = {"base_url": server.address, "viewport": {"width": 1280, "height": 860}, "locale": "en-GB"}
        context = browser.new_context(**{**usual, **options})
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        return page

    make.wrong = wrong  # type: ignore[attr-defined]
    yield make
    for context in contexts:
        context.close()
    assert wrong == []


@pytest.fixture(scope="package")
def axe() -> str:
    """The source of axe-core."""
    path = os.environ.get("GLIOSEG_AXE")
    if path is None:
        pytest.skip("no axe-core: npm pack axe-core, unpack it and set GLIOSEG_AXE to its axe.min.js")
    return Path(path).read_text(encoding="utf-8")


def ready(page: Any) -> None:
    """Wait for what the page was asked to show."""
    page.wait_for_selector("html[data-ready]", timeout=PATIENCE)


def welcome(page: Any, address: str = "") -> None:
    """Open the viewer and wait until it takes files."""
    page.goto(f"{address}/")
    page.wait_for_selector("html[data-started]", timeout=PATIENCE)


def until(true: Callable[[], bool]) -> None:
    """Wait here instead of in the page, whose policy lets nobody evaluate texts."""
    end = time.monotonic() + PATIENCE / 1000
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def refused(make_page: Any, status: int) -> None:
    """Take note of the browser's own line about the one request that the server was to refuse."""
    (line,) = [text for text in make_page.wrong if str(status) in text]
    make_page.wrong.remove(line)


def keep(page: Any, name: str) -> None:
    """Keep a picture of the page if a folder for that is named."""
    folder = os.environ.get("GLIOSEG_SCREENSHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png", timeout=PATIENCE)
