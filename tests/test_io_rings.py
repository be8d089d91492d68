"""No file of glioseg.io imports, at any depth and also late within functions, what imports it."""

from __future__ import annotations

import ast
from pathlib import Path

import glioseg

ROOT = Path(glioseg.__file__).parent.parent


def imports_of(file: Path, modules: set[str]) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found & modules


def ring(graph: dict[str, set[str]]) -> list[str]:
    """The modules of a ring, in order; empty when there is none."""
    done: set[str] = set()

    def walk(name: str, above: list[str]) -> list[str]:
        if name in above:
            return above[above.index(name) :]
        if name in done:
            return []
        for other in sorted(graph.get(name, ())):
            if found := walk(other, [*above, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := walk(name, []))), [])


def test_a_ring_is_seen() -> None:
    assert ring({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]
    assert ring({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_no_ring_of_files_in_io() -> None:
    files = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for file in (ROOT / "glioseg" / "io").rglob("*.py")
    }
    assert len(files) > 20
    assert ring({name: imports_of(file, set(files)) for name, file in files.items()}) == []
