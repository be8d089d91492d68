"""The house: rooms import only rooms below them, nothing imports in a ring, and little loads at first."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest

import glioseg

ROOT = Path(glioseg.__file__).parent
LEVELS = (
    {"words", "install"},
    {"_version", "errors", "owner", "grid"},
    {"files", "settings", "scan", "environment"},
    {"recipe", "prediction", "unexpected", "cluster", "remote", "components"},
    {"io"},
    {"prepare", "augment", "postprocess", "losses", "networks"},
    {"dataset"},
    {"samples", "measure"},
    {"draw"},
    {"model"},
    {"runs", "results"},
    {"training", "evaluation", "batch"},
    {"studies", "report"},
    {"radiogenomics"},
    {"server"},
    {"cli"},
)
"""Rooms from the lowest to the highest. Those of one level do not import each other."""
LEVEL = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
FACES = {"__init__", "__main__"}
"""What stands above all rooms: the package's face and the program."""
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


def outside(room: str, names: Iterable[str]) -> set[str]:
    """Those of the modules that stand in other rooms which are not below this one."""
    rooms = {name: name.split(".")[1] for name in names if name.startswith("glioseg.")}
    return {name for name, other in rooms.items() if other != room and LEVEL.get(other, 99) >= LEVEL[room]}


def room_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def imports_of_files() -> dict[str, set[str]]:
    """Which files import which, by module; a name of a package that is a file counts as the file."""
    modules = {module_of(path) for path in FILES}
    graph = {}
    for path in FILES:
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                members = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= members & modules
                if members - modules:
                    found.add(str(node.module))
        graph[module_of(path)] = found & modules - {module_of(path)}
    return graph


def rings(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Sets of nodes each of which leads to every other (Tarjan's strongly connected components)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[set[str]] = []

    def visit(node: str) -> None:
        order[node] = lowest[node] = len(order)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in order:
                visit(other)
                lowest[node] = min(lowest[node], lowest[other])
            elif other in stack:
                lowest[node] = min(lowest[node], order[other])
        if lowest[node] == order[node]:
            start = stack.index(node)
            ring = set(stack[start:])
            del stack[start:]
            if len(ring) > 1:
                found.append(ring)

    for node in sorted(graph):
        if node not in order:
            visit(node)
    return found


def test_imports_point_downwards() -> None:
    wrong = {}
    for path in FILES:
        names = imported(path.read_text(encoding="utf-8"))
        found = {name for name in names if name.split(".")[0] in BANNED}
        if room_of(path) not in FACES:
            # A room takes names from rooms, not from the package's face.
            found |= outside(room_of(path), names) | (names & {"glioseg"})
        if found:
            wrong[path.relative_to(ROOT).as_posix()] = found
    assert wrong == {}


def test_an_import_upwards_or_sideways_is_seen() -> None:
    source = "def late():\n    from glioseg import cli\n    import glioseg.training.train, numpy\n"
    names = imported(source + "from glioseg.io import read_scan\n") - {"glioseg"}
    assert outside("io", names) == {"glioseg.cli", "glioseg.training.train"}
    assert outside("batch", names) == {"glioseg.cli", "glioseg.training.train"}
    assert outside("server", names) == {"glioseg.cli"}
    assert outside("cli", names) == set()
    assert outside("io", {"glioseg.unheard_of"}) == {"glioseg.unheard_of"}


def test_every_room_has_its_level() -> None:
    assert {room_of(path) for path in FILES} - FACES == set(LEVEL)


def test_no_ring_between_files() -> None:
    assert rings(imports_of_files()) == []


def test_no_ring_between_packages() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        package = module_of(path if path.name == "__init__.py" else path.parent / "__init__.py")
        if path.parent == ROOT:
            package = module_of(path)
        own = graph.setdefault(_package(package), set())
        own |= {_package(name) for name in imports_of_files()[module_of(path)]} - {_package(package)}
    graph.pop("glioseg", None)
    assert rings(graph) == []


def _package(module: str) -> str:
    """The room that a module stands in."""
    return ".".join(module.split(".")[:2])


def test_rings_are_seen() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": set(), "f": {"a"}}
    assert rings(graph) == [{"a", "b", "c"}]
    assert rings({"a": {"b"}, "b": set()}) == []


def test_nothing_below_starts_the_command_line() -> None:
    starts = []
    for path in FILES:
        if room_of(path) in {"cli", *FACES}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.List | ast.Tuple):
                words = {part.value for part in node.elts if isinstance(part, ast.Constant)}
                if {"-m", "glioseg"} <= words:
                    starts.append(f"{path.relative_to(ROOT).as_posix()}:{node.lineno}")
    assert starts == []


def loaded_by(statement: str) -> set[str]:
    """Modules that a fresh interpreter has loaded after a statement."""
    program = f"import sys, json; known = set(sys.modules); {statement}; "
    program += "print(json.dumps(sorted(set(sys.modules) - known)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout))


def test_the_face_alone_loads_nothing_of_the_house() -> None:
    loaded = loaded_by("import glioseg")
    assert {name for name in loaded if name.split(".")[0] == "glioseg"} == {"glioseg", "glioseg._version"}
    assert not {"numpy", "pydantic", "scipy"} & loaded


HEAVY = {"torch", "pytorch_lightning", "monai", "matplotlib", "scipy", "onnxruntime", "highdicom", "pydicom"}


@pytest.mark.parametrize("module", ["glioseg", "glioseg.cli"])
def test_nothing_heavy_loads_before_a_verb_needs_it(module: str) -> None:
    assert not HEAVY & {name.split(".")[0] for name in loaded_by(f"import {module}")}


def test_postprocessing_loads_what_it_needs() -> None:
    loaded = loaded_by("import glioseg.postprocess")
    assert {name for name in loaded if name.split(".")[0] == "glioseg"} == {
        "glioseg",
        "glioseg._version",
        "glioseg.components",
        "glioseg.errors",
        "glioseg.files",
        "glioseg.grid",
        "glioseg.owner",
        "glioseg.postprocess",
        "glioseg.recipe",
        "glioseg.recipe.tables",
        "glioseg.scan",
        "glioseg.settings",
        "glioseg.words",
    }
    assert not {"torch", "matplotlib", "nibabel", "onnxruntime", "tifffile"} & loaded


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for file in FILES:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(file.name)
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
