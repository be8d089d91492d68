"""Mutated files of every kind are read or refused with a reason: no traceback, no hang, no death."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

for needed in ("torch", "onnx", "pydicom", "fastapi"):
    pytest.importorskip(needed)

from support.mutants import FORMATS, TESTS, mutant, watch  # noqa: E402

QUICK, ALL = 100, 5000


def check(name: str, count: int) -> None:
    outcome = watch(name, 0, count)
    assert outcome.failures == []
    assert outcome.counts["refused"] > count / 10, "the damage is felt"
    assert outcome.counts["refused"] + outcome.counts["sound"] == count


@pytest.mark.parametrize("name", FORMATS)
def test_a_hundred_mutants(name: str) -> None:
    check(name, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_five_thousand_mutants(name: str) -> None:
    check(name, ALL)


def test_mutants_are_those_of_the_seed() -> None:
    import numpy as np

    content = bytes(range(256))
    first, again = (mutant(content, np.random.default_rng(1)) for _ in range(2))
    assert first == again != content


def test_a_hang_and_a_death_are_noticed(tmp_path: Path) -> None:
    """The watch itself, with a format whose second mutant hangs and whose fourth kills the process."""
    program = tmp_path / "watch.py"
    program.write_text(
        f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
        "import support.mutants as m\n"
        "m.TESTS = __import__('pathlib').Path(__file__).parent\n"
        "found = m.watch('odd', 0, 6, seconds=4)\n"
        "print(found.counts['hang'], found.counts['death'], found.counts['sound'])\n",
        encoding="utf-8",
    )
    support = tmp_path / "support"
    support.mkdir()
    (support / "__init__.py").write_text("", encoding="utf-8")
    (support / "mutants.py").write_text(
        "import os, time\n"
        "def open_mutants(name, first, count):\n"
        "    for number in range(first, first + count):\n"
        "        if number == 1: time.sleep(60)\n"
        "        if number == 3: os.abort()\n"
        "        print(number, 'sound', flush=True)\n",
        encoding="utf-8",
    )
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True)
    assert done.stdout.split() == ["1", "1", "4"], done.stderr
