"""Rooms import only rooms below or beside them, and nothing imports what the project does without."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import glioseg

ROOT = Path(glioseg.__file__).parent
LEVELS = (
    {"scan", "files", "errors", "record"},
    {"io"},
    {
        "draw",
        "metrics",
        "losses",
        "networks",
        "augment",
        "prepare",
        "dataset",
        "recipe",
        "postprocess",
        "samples",
    },
    {"report", "evaluation", "training", "inference", "radiomics"},
    {"cli", "server"},
)
LEVEL = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
BANNED = {"torchvision", "timm", "medpy", "cv2", "segmentation_models_pytorch"}
FILES = sorted(ROOT.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Every module a file imports, anywhere in it; `from glioseg.x import y` counts as `glioseg.x`."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
    return names


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path: Path) -> None:
    names = imported(path)
    assert not {name.split(".")[0] for name in names} & BANNED
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    for name in names:
        parts = name.split(".")
        if parts[0] == "glioseg" and len(parts) > 1 and parts[1] in LEVEL:
            assert LEVEL[parts[1]] <= LEVEL[room], f"{room} imports {name}, which is above it"


def test_every_room_has_its_level() -> None:
    assert {room_of(path) for path in FILES} - {"__init__", "__main__"} <= set(LEVEL)
