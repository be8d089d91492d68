"""A server that is killed while somebody corrects a mask: nothing is lost, and nothing stays behind."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from threading import Timer
from typing import Any

import numpy as np
import pytest

from .conftest import PATIENCE
from .test_corrections import SHAPE, download, drawn, settled, stroke
from .test_viewer import open_sample


class Killable:
    """A server in a process of its own, with a folder of its own for temporary files."""

    def __init__(self, folder: Path, model: Path) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.port = 0
        self.options = ["--model", str(model), "--corrected", str(folder / "corrected"), "--threads", "1"]

    def start(self) -> None:
        if not self.port:
            with socket.create_server(("127.0.0.1", 0)) as free:
                self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "glioseg", "serve", "--no-open", "--port", str(self.port)]
        environment = {**os.environ, "TMPDIR": str(self.temporary)}
        self.process = subprocess.Popen(
            [*command, *self.options], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout is not None
        assert "glioseg is at" in self.process.stdout.readline()

    def end(self) -> None:
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def killable(tmp_path: Path, weights: Path) -> Iterator[Killable]:
    server = Killable(tmp_path, weights / "bright.onnx")
    server.start()
    yield server
    server.process.kill()
    server.end()


@pytest.mark.slow
def test_a_server_killed_at_any_instant_of_a_correction_loses_nothing(
    make_page: Any, killable: Killable, tmp_path: Path
) -> None:
    """``GLIOSEG_KILLS`` says how often it is killed; 3 times by default."""
    page = make_page(base_url=f"http://127.0.0.1:{killable.port}")
    open_sample(page)
    page.keyboard.press("b")
    random = Random(4)
    masks = [drawn(page)]
    for number in range(int(os.environ.get("GLIOSEG_KILLS", "3"))):
        page.evaluate("z => gliosegView.setSlice(z)", number % SHAPE[0])
        # From before the stroke to after its numbers have come.
        timer = Timer(random.uniform(0, 1.5), killable.process.kill)
        timer.start()
        stroke(page, random.uniform(0.2, 0.9))
        if not np.array_equal(drawn(page), masks[-1]):  # one that changes nothing is no step
            masks.append(drawn(page))
        killable.end()
        assert timer.finished.is_set()
        killable.start()
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+y")
        np.testing.assert_array_equal(drawn(page), masks[-1])
        settled(page)  # the page has found the server again and given it scan and corrections
        np.testing.assert_array_equal(download(page, tmp_path), masks[-1])
    for expected in masks[-2::-1]:
        page.keyboard.press("Control+z")
        np.testing.assert_array_equal(drawn(page), expected)
    settled(page)
    np.testing.assert_array_equal(download(page, tmp_path), masks[0])
    assert len(list(killable.temporary.glob("glioseg-serve-*"))) == 1, "that of the server which runs"
    killable.process.terminate()
    assert killable.process.wait(PATIENCE / 1000) is not None
    assert list(killable.temporary.iterdir()) == []
    make_page.wrong.clear()  # the browser's own lines about a server that was gone
