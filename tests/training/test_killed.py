"""A training killed with SIGKILL at random instants comes to the same result, and nothing is left over."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pytorch_lightning")

from support.killing import go_on, killed_at_random, result, timed

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that are forked")

KILLS, EACH = 100, 4


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A run that nobody killed, and how long it takes with all data prepared."""
    folder = tmp_path_factory.mktemp("unbroken")
    timed(go_on, folder / "first")
    # The quicker of two: an instant after the end of the work would kill nothing.
    return folder / "run", min(timed(go_on, folder / name) for name in ("second", "run"))


@pytest.mark.slow
def test_a_hundred_kills(unbroken: tuple[Path, float], tmp_path: Path) -> None:
    out, seconds = unbroken
    expected = result(out)
    generator = np.random.default_rng(0)
    kills = number = 0
    while kills < KILLS:
        run = tmp_path / f"run{number}"
        kills += killed_at_random(go_on, run, seconds, min(EACH, KILLS - kills), generator)
        assert result(run) == expected, f"run {number}"
        number += 1
