"""Costs of architectures, measured once for the report in all its languages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from glioseg.evaluation.cost import Cost, architecture, measure_costs
from glioseg.files import write_json
from glioseg.recipe import Recipe


def kept_costs(recipes: Sequence[Recipe], path: Path, known: bool) -> dict[str, Cost]:
    """The cost of each architecture, measured and kept in a file.

    All are measured together or none is, so that no two times of one table come from different days.

    Args:
        recipes: name the networks.
        path: the JSON file.
        known: take what the file says, where it knows every architecture.
    """
    needed = {architecture(recipe) for recipe in recipes}
    costs = _read(path) if known else {}
    if not needed <= costs.keys():
        # The processor time of one thread is what a busy machine changes least.
        costs = measure_costs(recipes, threads=1)
        write_json(path, {key: asdict(cost) for key, cost in costs.items()})
    return costs


def _read(path: Path) -> dict[str, Cost]:
    """What the file knows; nothing where it is not there or not one of these."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {key: Cost(**cost) for key, cost in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
