"""The page and the command line give one verdict of the same runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("fastapi")
pytest.importorskip("torch")

from fastapi.testclient import TestClient
from support.run_kit import store

from glioseg.cli import app
from glioseg.server.app import create_app
from glioseg.server.settings import Settings

GOOD = np.linspace(0.7, 0.9, 10)
LOWER = GOOD - np.linspace(0.05, 0.1, 10)


def by_page(root: Path, names: Sequence[str], protocol: str) -> list[tuple[Any, ...]]:
    application = create_app(Settings(runs=root))
    with TestClient(application, base_url="http://127.0.0.1:8765") as client:
        reply = client.get("/api/compare", params={"run": list(names), "protocol": protocol})
    assert reply.status_code == 200, reply.text
    return [_verdict(one) for one in reply.json()["comparisons"]]


def by_command(root: Path, names: Sequence[str], protocol: str) -> list[tuple[Any, ...]]:
    runs = [str(root / name) for name in names]
    out = root / "compared"
    done = CliRunner().invoke(app, ["compare", *runs, "--protocol", protocol, "--all-pairs", "-o", str(out)])
    assert done.exit_code == 0, done.output
    stored = json.loads((out / "comparison.json").read_text(encoding="utf-8"))["comparisons"]
    for one in stored:
        assert one["sentence"] in done.output.replace("\n", " ") or one["sentence"] in done.output
    return [_verdict(one) for one in stored]


def _verdict(one: dict[str, Any]) -> tuple[Any, ...]:
    """What is said of a pair; the names are those of rows on the command line and of runs on the page."""
    return tuple(
        one[key] for key in ("verdict", "larger_than_noise", "difference", "adjusted_p", "seed_spread")
    )


@pytest.mark.parametrize("protocol", ["own", "reference"])
def test_two_seeds_of_one_recipe_never_differ_beyond_noise(tmp_path: Path, protocol: str) -> None:
    store(tmp_path / "first", GOOD.tolist(), "train.seed=1")
    store(tmp_path / "second", LOWER.tolist(), "train.seed=2")
    found = by_page(tmp_path, ["first", "second"], protocol)
    assert found == by_command(tmp_path, ["first", "second"], protocol)
    ((verdict, larger, difference, p, _),) = found
    assert (verdict, larger) == ("equal", False)
    assert difference == pytest.approx(-0.075)
    assert p < 0.05, "of the patients alone it would be better"


def test_two_recipes_that_differ_in_every_patient_do(tmp_path: Path) -> None:
    store(tmp_path / "first", GOOD.tolist())
    store(tmp_path / "second", LOWER.tolist(), "loss.name=bce")
    found = by_page(tmp_path, ["first", "second"], "own")
    assert found == by_command(tmp_path, ["first", "second"], "own")
    assert found[0][:2] == ("worse", True)


def test_seeds_stand_together_and_their_spread_counts(tmp_path: Path) -> None:
    store(tmp_path / "first", (GOOD + 0.05).tolist(), "train.seed=1")
    store(tmp_path / "again", (GOOD - 0.05).tolist(), "train.seed=2")
    store(tmp_path / "other", LOWER.tolist(), "loss.name=bce")
    names = ["first", "again", "other"]
    found = by_page(tmp_path, names, "reference")
    assert found == by_command(tmp_path, names, "reference")
    ((verdict, larger, _, _, spread),) = found
    assert (verdict, larger) == ("equal", False)
    assert spread == pytest.approx(0.1)
