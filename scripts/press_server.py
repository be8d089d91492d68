"""Press a server and print what it takes: memory after many scans, hostile uploads, slow clients.

It starts ``glioseg serve`` of the same installation, on Linux alone, where the system tells the memory of a
process: ``python scripts/press_server.py --scans 500 --hostile 40 --sockets 300``.
"""

from __future__ import annotations

import argparse
import gzip
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import nibabel
import numpy as np

PATIENCE = 300.0


def memory(process: subprocess.Popen[str], which: str) -> int:
    """``VmRSS`` or ``VmHWM`` (the peak) of a process, in MB."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) // 1024 for line in status.splitlines() if line.startswith(which))


def head(shape: tuple[int, int, int], seed: int = 0) -> bytes:
    """A NIfTI volume of a grey head with a bright ball."""
    generator = np.random.default_rng(seed)
    x, y, z = np.ogrid[: shape[0], : shape[1], : shape[2]]
    centre = [size / 2 for size in shape]
    inside = ((x - centre[0]) / (0.45 * shape[0])) ** 2 + ((y - centre[1]) / (0.45 * shape[1])) ** 2 < 1
    ball = ((x - centre[0]) / 9) ** 2 + ((y - centre[1] / 1.5) / 9) ** 2 + ((z - centre[2]) / 4) ** 2 < 1
    values = inside * 100 + ball * 120 + generator.integers(0, 9, shape)
    return bytes(nibabel.Nifti1Image(values.astype(np.int16), np.diag([1, 1, 4, 1])).to_bytes())


def empty(shape: tuple[int, ...], dtype: type, slope: float) -> bytes:
    """A compressed NIfTI volume of zeros, small to send and large to hold."""
    header = nibabel.Nifti1Header()
    header.set_data_shape(shape)
    header.set_data_dtype(dtype)
    header.set_sform(np.eye(4), 1)
    header.set_slope_inter(slope, 0)
    header["magic"], header["vox_offset"] = b"n+1", 352
    left = int(np.prod(shape)) * np.dtype(dtype).itemsize
    with tempfile.TemporaryFile() as packed:
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6) as out:
            out.write(header.binaryblock + bytes(4))
            while left > 0:
                out.write(bytes(min(left, 1 << 24)))
                left -= 1 << 24
        packed.seek(0)
        return packed.read()


def send(address: str, name: str, content: bytes) -> httpx.Response:
    """Upload one file."""
    return httpx.post(f"{address}/api/scans", files=[("files", (name, content))], timeout=PATIENCE)


def many_scans(address: str, count: int) -> None:
    """Send, segment, fetch and forget scans of several sizes, four at a time."""
    scans = [head(shape, n) for n, shape in enumerate([(96, 96, 12), (160, 144, 24), (240, 240, 40)])]

    def one(number: int) -> None:
        while (reply := send(address, "head.nii", scans[number % len(scans)])).status_code == 429:
            time.sleep(float(reply.headers["retry-after"]))
        where = f"{address}/api/scans/{reply.json()['id']}"
        while httpx.post(f"{where}/segment", timeout=PATIENCE).status_code == 429:
            time.sleep(0.3)
        for path in ("mask", "view/flair", "view/probability", "numbers"):
            httpx.get(f"{where}/{path}", timeout=PATIENCE).raise_for_status()
        httpx.delete(where, timeout=PATIENCE).raise_for_status()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(one, range(count)))


def half_open(address: str, count: int) -> list[float]:
    """Seconds that another client waits for an answer while sockets send half a header."""
    place = urlsplit(address)
    sockets = [socket.create_connection((place.hostname or "", place.port or 80)) for _ in range(count)]
    for each in sockets:
        each.sendall(b"GET /api/health HTTP/1.1\r\nHost: 127")
    times = []
    for _ in range(10):
        started = time.perf_counter()
        httpx.get(f"{address}/api/health", timeout=PATIENCE).raise_for_status()
        times.append(time.perf_counter() - started)
    for each in sockets:
        each.close()
    return times


def main() -> None:
    """Start a server, press it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=30)
    parser.add_argument("--hostile", type=int, default=4)
    parser.add_argument("--sockets", type=int, default=300)
    parser.add_argument("--port", type=int, default=8799)
    options = parser.parse_args()
    command = [sys.executable, "-m", "glioseg", "serve", "--no-open", "--port", str(options.port)]
    address = f"http://127.0.0.1:{options.port}"
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            print(f"at the start: {memory(process, 'VmRSS')} MB")
            waited = max(half_open(address, options.sockets))
            print(f"{options.sockets} half-open sockets: others wait at most {waited:.3f} s")
            kinds = [
                empty((1000, 1000, 299), np.int32, 0.5),
                empty((8192, 8192, 4), np.uint8, 1.0),
                empty((512, 512, 300), np.int16, 1.0),
                empty((2000, 2000, 30), np.float32, 1.0),
            ]
            with ThreadPoolExecutor(4) as pool:
                sent = pool.map(lambda n: send(address, f"h{n}.nii.gz", kinds[n % 4]), range(options.hostile))
                replies = list(sent)
            codes = [reply.status_code for reply in replies]
            counts = ", ".join(f"{codes.count(code)} x {code}" for code in sorted(set(codes)))
            print(f"{options.hostile} hostile uploads ({counts}): peak {memory(process, 'VmHWM')} MB")
            for reply in replies:
                if reply.status_code == 201:
                    httpx.delete(f"{address}/api/scans/{reply.json()['id']}", timeout=PATIENCE)
            started = time.monotonic()
            many_scans(address, options.scans)
            took = time.monotonic() - started
            held = httpx.get(f"{address}/api/health").json()["scans"]
            time.sleep(2)  # the server tidies up once nobody waits
            print(
                f"{options.scans} scans in {took:.0f} s, {held} held: "
                f"{memory(process, 'VmRSS')} MB, peak {memory(process, 'VmHWM')} MB"
            )
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
