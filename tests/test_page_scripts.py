"""The page's scripts that compute something, tested by node's own runner (``tests/page/*.test.js``)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import glioseg
from glioseg.server.page_words import words_script
from glioseg.words import catalogue

SCRIPTS = Path(glioseg.__file__).parent / "server" / "static" / "js"
TESTS = sorted((Path(__file__).parent / "page").glob("*.test.js"))


@pytest.fixture(scope="module")
def node() -> str:
    """Node, new enough to have a test runner."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("no node: install Node.js 18 or newer")
    version = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    if int((re.findall(r"\d+", version) or ["0"])[0]) < 18:
        pytest.skip(f"node {version.strip()} has no test runner: install Node.js 18 or newer")
    return program


@pytest.mark.parametrize("script", TESTS, ids=lambda path: path.name)
def test_script(node: str, script: Path, tmp_path: Path) -> None:
    # The scripts are modules; node learns that from a package.json, which the page does not need.
    (tmp_path / "package.json").write_text('{"type": "module"}')
    shutil.copytree(SCRIPTS, tmp_path / "js")
    (tmp_path / "js" / "words.js").write_text(words_script(), encoding="utf-8")  # the server makes it
    shutil.copy(script, tmp_path)
    done = subprocess.run(
        [node, "--test", script.name], cwd=tmp_path, capture_output=True, text=True, env=_environment()
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^. pass [1-9]", done.stdout, re.MULTILINE), done.stdout


def test_every_word_of_the_pages_is_in_the_catalogue() -> None:
    """A word that is missing stands on the page as its key."""
    known = catalogue("en")["page"].keys()
    for file in sorted(SCRIPTS.parent.rglob("*.*")):
        if file.suffix not in (".js", ".html") or "vendor" in file.parts:
            continue
        text = file.read_text(encoding="utf-8")
        named = re.findall(r"""\bt\("(\w+)"[,)]|data-t(?:-label)?="(\w+)"|"((?:key|tool|hint)_\w+)\"""", text)
        assert {word for words in named for word in words if word} <= known, file.name


def _environment() -> dict[str, str]:
    """Without what a node above may have left for its children."""
    return {key: value for key, value in os.environ.items() if not key.startswith("NODE_")}
