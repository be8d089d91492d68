"""Files with flipped, missing and inserted bytes, opened one after the other in a process that may die.

``python -m support.mutants FORMAT FIRST COUNT`` (with ``tests`` on the path) prints a line for each mutant:
its number, and ``sound`` or ``refused``, or the end of a traceback where it was neither.
"""

from __future__ import annotations

import io
import queue
import re
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from support.mutant_formats import FORMATS, Format

TESTS = Path(__file__).resolve().parent.parent
SECONDS = 60.0
"""Most time for one mutant, also on a machine that does other things."""
MEMORY = 8 * 2**30
"""Most address space of the process that opens them."""


@dataclass
class Outcome:
    """What became of the mutants of a format."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


WORDS = (
    b"0",
    b"-1",
    b"1e309",
    b"nan",
    b"NaN",
    b"99999999999999999999",
    b"null",
    b"[]",
    b"{}",
    b"true",
    b'""',
    b"x",
)


def mutant(content: bytes, generator: np.random.Generator, text: bool = False) -> bytes:
    """Content with one to four damages."""
    changed = bytearray(content)
    for _ in range(int(generator.integers(1, 5))):
        size = len(changed)
        place = int(generator.integers(size + 1))
        # Headers decide more than pixels do.
        if generator.random() < 0.5:
            place = min(place, int(generator.integers(min(size, 400) + 1)))
        length = int(min(size - place, 2 ** generator.integers(0, 12)))
        kind = generator.integers(8 if text else 6)
        if kind == 0 and place < size:
            changed[place] ^= 1 << int(generator.integers(8))
        elif kind == 1 and place < size:
            changed[place] = int(generator.choice([0, 1, 127, 128, 255]))
        elif kind == 2:
            del changed[place : place + length]
        elif kind == 3:
            changed[place:place] = generator.bytes(int(2 ** generator.integers(0, 10)))
        elif kind == 4:
            changed[place:place] = changed[place : place + length]
        elif kind == 5 and generator.random() < 0.3:
            del changed[place:]
        elif kind >= 6:
            values = list(re.finditer(rb'"[^"\n]*"|[-+.\w]+', bytes(changed)))
            if values:
                found = values[int(generator.integers(len(values)))]
                changed[found.start() : found.end()] = WORDS[int(generator.integers(len(WORDS)))]
    return bytes(changed)


# --- in the process that may die --------------------------------------------------------------


def open_mutants(name: str, first: int, count: int) -> None:
    """Open mutants and print what became of each."""
    from glioseg.errors import InputError

    warnings.simplefilter("ignore")
    _bound_memory()
    form = FORMATS[name]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = form.make(folder)
        form.open(folder)
        said, sys.stderr = sys.stderr, io.StringIO()  # libraries complain of damaged files
        for number in range(first, first + count):
            path, damaged = mutate(form, name, paths, number)
            sound = path.read_bytes()
            path.write_bytes(damaged)
            try:
                form.open(folder)
                outcome = "sound"
            except InputError:
                outcome = "refused"
            except BaseException as error:
                frame = traceback.extract_tb(error.__traceback__)[-1]
                outcome = f"{type(error).__name__}: {str(error)[:200]!r} at {frame.filename}:{frame.lineno}"
            path.write_bytes(sound)
            print(number, outcome, flush=True)
        sys.stderr = said


def mutate(form: Format, name: str, paths: list[Path], number: int) -> tuple[Path, bytes]:
    """The mutant of a number: which file, and its content."""
    generator = np.random.default_rng([number, *name.encode()])
    path = paths[int(generator.integers(len(paths)))]
    return path, mutant(path.read_bytes(), generator, form.text)


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


# --- in the process that watches --------------------------------------------------------------


def watch(name: str, first: int, count: int, seconds: float = SECONDS) -> Outcome:
    """Let a process open mutants; one that dies or hangs at a mutant is followed by another."""
    outcome = Outcome()
    end = first + count
    while first < end:
        program = (
            f"import sys; sys.path.insert(0, {str(TESTS)!r}); from support.mutants import open_mutants; "
        )
        program += f"open_mutants({name!r}, {first}, {end - first})"
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_forward, args=(process.stdout, lines), daemon=True).start()
        begun = first
        hung = False
        while True:
            try:
                line = lines.get(timeout=seconds)
            except queue.Empty:
                hung = True
                break
            if line is None:
                break
            number, _, said = line.strip().partition(" ")
            if not number.isdecimal():  # libraries print too
                continue
            first = int(number) + 1
            kind = said if said in ("sound", "refused") else "traceback"
            outcome.counts[kind] += 1
            if kind == "traceback":
                outcome.failures.append(f"{name} {number}: {said}")
        process.kill()
        complaint = process.communicate()[1]
        if first < end:
            died = "hang" if hung else f"death {process.returncode}"
            outcome.counts["hang" if hung else "death"] += 1
            outcome.failures.append(f"{name} {first}: {died} {complaint[-300:]}")
            if first == begun and not hung and process.returncode == 1:
                raise AssertionError(f"{name}: sound files cannot be opened: {complaint[-2000:]}")
            first += 1
    return outcome


def _forward(stream: Any, lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


if __name__ == "__main__":
    for chosen in sys.argv[1].split(","):
        found = watch(chosen, int(sys.argv[2]), int(sys.argv[3]))
        print(chosen, dict(found.counts), flush=True)
        print("\n".join(found.failures[:40]), flush=True)
