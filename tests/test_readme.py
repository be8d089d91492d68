"""Both READMEs show commands that exist, and the same ones."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
import typer

from glioseg.cli import app
from glioseg.recipe import load_recipe
from glioseg.studies.study import load_study

ROOT = Path(__file__).parents[1]
READMES = ("README.md", "README.zh-CN.md")


def _commands(text: str) -> list[str]:
    """What stands in code blocks (comments left out) and in `glioseg ...` within the text, in order."""
    blocks = re.findall(r"```\w*\n(.*?)```|`(glioseg [^`]+)`", text, re.DOTALL)
    lines = [line for block, inline in blocks for line in (inline or block).splitlines()]
    return [stripped for line in lines if (stripped := re.sub(r"\s+#.*", "", line).strip())]


COMMANDS = {name: _commands((ROOT / name).read_text(encoding="utf-8")) for name in READMES}
SHOWN = sorted({c for c in COMMANDS["README.md"] if c.startswith("glioseg ")})


def test_both_languages_show_the_same_commands() -> None:
    assert COMMANDS["README.md"] == COMMANDS["README.zh-CN.md"]


@pytest.mark.parametrize("name", READMES)
def test_what_is_linked_is_there(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text) + re.findall(r'src="([^"]+)"', text)
    gone = [target for target in targets if "://" not in target and not (ROOT / target).exists()]
    assert targets
    assert not gone


def test_both_languages_have_the_same_numbers() -> None:
    english, chinese = (
        re.findall(r"\d+\.\d+", (ROOT / name).read_text(encoding="utf-8")) for name in READMES
    )
    assert english == chinese


@pytest.mark.parametrize("command", SHOWN)
def test_command_is_understood(command: str) -> None:
    verb, *rest = shlex.split(command)[1:]
    group = typer.main.get_command(app)
    context = group.make_context("glioseg", ["--help"], resilient_parsing=True)
    known = group.get_command(context, verb)  # type: ignore[attr-defined]
    assert known is not None
    options = {option for parameter in known.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("-")} <= options
    for option, value in pairwise(rest):
        if option == "--recipe" and not value.endswith(".toml"):
            load_recipe(value)


def test_studies_are_shipped() -> None:
    named = {shlex.split(command)[2] for command in SHOWN if command.startswith("glioseg study ")}
    assert named
    for name in named:
        load_study(name)
