"""Rooms import only rooms below or beside them, and nothing imports what the project does without."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import glioseg

ROOT = Path(glioseg.__file__).parent
LEVELS = (
    {"scan", "files", "errors", "record", "settings", "_version"},
    {"recipe"},
    {"io"},
    {
        "draw",
        "measure",
        "losses",
        "networks",
        "augment",
        "prepare",
        "dataset",
        "postprocess",
        "samples",
    },
    {"model"},
    {"report", "evaluation", "training", "batch", "radiomics"},
    {"cli", "server"},
)
LEVEL = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
BANNED = {"torchvision", "timm", "medpy", "cv2", "skimage", "segmentation_models_pytorch"}
FILES = sorted(ROOT.rglob("*.py"))


def imported(source: str) -> set[str]:
    """Every module that source text imports, anywhere; `from glioseg import x` counts as `glioseg.x`."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "rooms are named in full"
            names.add(str(node.module))
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def above(room: str, names: set[str]) -> set[str]:
    """Those of the modules that stand above a room."""
    rooms = {name: name.split(".")[1] for name in names if name.startswith("glioseg.")}
    return {name for name, other in rooms.items() if LEVEL.get(other, 0) > LEVEL[room]}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_point_downwards(path: Path) -> None:
    names = imported(path.read_text(encoding="utf-8"))
    assert not {name.split(".")[0] for name in names} & BANNED
    room = room_of(path)
    if room not in ("__init__", "__main__"):
        assert not above(room, names), f"{room} imports what stands above it"


def test_an_import_upwards_is_seen() -> None:
    source = "def late():\n    from glioseg import cli\n    import glioseg.runs.folder, numpy\n"
    names = imported(source + "from glioseg.io import read_scan\n")
    assert above("io", names) == {"glioseg.cli", "glioseg.runs.folder"}
    assert above("batch", names) == {"glioseg.cli"}
    assert above("server", names) == set()


def test_every_room_has_its_level() -> None:
    assert {room_of(path) for path in FILES} - {"__init__", "__main__"} <= set(LEVEL)
