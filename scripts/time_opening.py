"""Time how long a large scan takes in the page, from the drop to slices that one can step through.

A real Chromium, without a graphics card, uses a server of its own process, with the model that ships. Seconds
of the processor are those of the browser (page and drawing apart) and of the server; by the clock other
programs of the machine count too.

    python scripts/time_opening.py SCAN... [--large] [--profile FILE]

``SCAN...`` are files of one scan. ``--large`` resamples them to 512 x 512 x 300 beforehand. ``--profile``
keeps the page's processor profile, which Chromium's developer tools open. Needs Playwright for Python and a
Chromium (``GLIOSEG_CHROMIUM``, or ``chromium`` on the path).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from playwright.sync_api import sync_playwright

LARGE = (512, 512, 300)
TICKS = os.sysconf("SC_CLK_TCK")
FLAGS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
PATIENCE = 600_000
STEPS = 20
KINDS = {"renderer": "page", "gpu-process": "drawing"}
"""What processes of Chromium are called here."""


def enlarged(path: Path, folder: Path) -> Path:
    """A copy of a NIfTI volume with 512 x 512 x 300 voxels of 16 bits."""
    import nibabel
    from scipy.ndimage import zoom

    image: Any = nibabel.load(path)  # type: ignore[attr-defined]
    factors = np.array(LARGE) / image.shape
    values = zoom(np.asarray(image.dataobj, np.float32), factors, order=1)
    values = ((values - values.min()) / (values.max() - values.min()) * 2000).astype(np.int16)
    affine = image.affine.copy()
    affine[:3, :3] /= factors
    nibabel.save(nibabel.Nifti1Image(values, affine), folder / path.name)  # type: ignore[attr-defined]
    return folder / path.name


@contextmanager
def serving() -> Iterator[tuple[str, int]]:
    """The address of a server and the id of its process."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["--no-open", "--port", str(port), "--max-memory", "4096"]
    server = subprocess.Popen([sys.executable, "-m", "glioseg", "serve", *options], stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            time.sleep(0.1)
            try:
                httpx.get(f"{address}/api/health")
                break
            except httpx.TransportError:
                continue
        yield address, server.pid
    finally:
        server.terminate()
        server.wait(30)


def seconds_of(process: int) -> float:
    """Seconds of the processor that a process has taken; 0 if it is gone."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def browser_seconds(profile: Path) -> dict[str, float]:
    """Seconds of the processor that a browser, known by its profile, has taken, by the kind of process."""
    taken = {"page": 0.0, "drawing": 0.0, "rest": 0.0}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            command = (folder / "cmdline").read_text("utf-8", "replace")
        except OSError:
            continue
        if str(profile) in command:
            kinds = [kind for name, kind in KINDS.items() if f"--type={name}" in command]
            taken[kinds[0] if kinds else "rest"] += seconds_of(int(folder.name))
    return taken


class Clock:
    """Prints what has passed since the drop."""

    def __init__(self, profile: Path, server: int) -> None:
        self.profile, self.server = profile, server
        self.begun, self.before = time.monotonic(), self._taken()

    def _taken(self) -> dict[str, float]:
        return {**browser_seconds(self.profile), "server": seconds_of(self.server)}

    def tell(self, what: str) -> None:
        """Print the seconds by the clock and of the processor until now."""
        passed = time.monotonic() - self.begun
        now = self._taken()
        taken = ", ".join(f"{name} {now[name] - self.before[name]:.1f}" for name in now)
        print(f"{what:42} {passed:6.1f} s by the clock; of the processor: {taken}", flush=True)


def step(page: Any, profile: Path) -> None:
    """Step through slices by key; print how long each takes until it is drawn."""
    before = sum(browser_seconds(profile).values())
    times = page.evaluate(
        """async (steps) => {
            const times = [];
            const { gl } = gliosegView.nv;
            for (let number = 0; number < steps; number++) {
                const begun = performance.now();
                gliosegView.setSlice(gliosegView.slice + 1);
                // waits for the drawing
                gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
                times.push(performance.now() - begun);
                await new Promise((resolve) => requestAnimationFrame(resolve));
            }
            return times;
        }""",
        STEPS,
    )
    each = 1000 * (sum(browser_seconds(profile).values()) - before) / STEPS
    print(f"a step: {np.median(times):.0f} ms by the clock, of the processor {each:.0f} ms", flush=True)


def measure(files: list[Path], keep: Path | None) -> None:
    """Open the scan once and print what it took."""
    profile = Path(tempfile.mkdtemp(prefix="glioseg-browser-"))
    browser = os.environ.get("GLIOSEG_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with serving() as (address, server), sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile, executable_path=browser, args=FLAGS, viewport={"width": 1280, "height": 860}
        )
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(address)
        page.wait_for_selector("html[data-started]")
        for _ in range(PATIENCE // 50_000):  # an idle page compiles its shaders
            if page.evaluate("Boolean(gliosegView.nv)"):
                break
            page.wait_for_timeout(1000)
        line = context.new_cdp_session(page)
        if keep:
            line.send("Profiler.enable")
            line.send("Profiler.setSamplingInterval", {"interval": 1000})
            line.send("Profiler.start")
        clock = Clock(profile, server)
        page.set_input_files("#files", files)
        page.wait_for_selector("html[data-shown]")
        clock.tell("the first picture")
        page.wait_for_selector("#first", state="hidden")
        clock.tell("slices can be stepped through")
        step(page, profile)
        if keep:
            keep.write_text(json.dumps(line.send("Profiler.stop")["profile"]), "utf-8")
        page.wait_for_selector("html[data-ready]")
        clock.tell("the mask is there")
        step(page, profile)
        context.close()
    shutil.rmtree(profile, ignore_errors=True)


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scan", nargs="+", type=Path)
    parser.add_argument("--large", action="store_true", help="resample to 512 x 512 x 300 beforehand")
    parser.add_argument("--profile", type=Path, help="file for the page's processor profile")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files = [enlarged(path, Path(folder)) for path in given.scan] if given.large else given.scan
        measure(files, given.profile)


if __name__ == "__main__":
    main()
