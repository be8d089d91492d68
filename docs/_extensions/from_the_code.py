"""Two directives that write reference pages from the code, so that neither can fall behind it.

``glioseg-commands``: every command of the command line with its arguments and options.
``glioseg-names``: every public name, that is ``glioseg.__all__``, with its docstring.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import typer
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import glioseg
from glioseg.cli import app

TITLES = {"function": "Functions", "class": "Classes", "exception": "Errors"}
OPTIONS: dict[str, list[str]] = {
    "function": [],
    "class": ["   :members:"],
    "exception": ["   :show-inheritance:"],
}
"""What autodoc is told of each kind."""


class Commands(SphinxDirective):
    """Write a section a command."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        text = "\n\n".join(_commands())
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class Names(SphinxDirective):
    """Write an entry a public name, functions first, errors last."""

    def run(self) -> list[nodes.Node]:
        """The entries."""
        public = {name: getattr(glioseg, name) for name in glioseg.__all__ if not name.startswith("__")}
        lines = ["```{eval-rst}"]
        for kind, names in _grouped(public).items():
            title = TITLES[kind]
            lines += [title, "-" * len(title), ""] if names else []
            for name in names:
                lines += [f".. auto{kind}:: glioseg.{name}", *OPTIONS[kind], ""]
        return self.parse_text_to_nodes("\n".join([*lines, "```"]), allow_section_headings=True)


def _grouped(public: dict[str, Any]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {kind: [] for kind in TITLES}
    for name, value in public.items():
        if not inspect.isclass(value):
            groups["function"].append(name)
        else:
            groups["exception" if issubclass(value, Exception) else "class"].append(name)
    return groups


def _commands() -> Iterator[str]:
    """Markdown of each command, in the order of ``glioseg --help``."""
    group = typer.main.get_command(app)
    context = group.make_context("glioseg", ["--help"], resilient_parsing=True)
    for name in group.list_commands(context):  # type: ignore[attr-defined]
        command = group.get_command(context, name)  # type: ignore[attr-defined]
        shown = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
        arguments = [parameter for parameter in shown if parameter.param_type_name == "argument"]
        options = [parameter for parameter in shown if parameter.param_type_name == "option"]
        usage = " ".join(["glioseg", name, *(_usage(argument) for argument in arguments), "[OPTIONS]"])
        yield f"## glioseg {name}\n\n{inspect.cleandoc(command.help or '')}\n\n```text\n{usage}\n```"
        yield _table(["argument", "meaning"], [[_usage(one), one.help or ""] for one in arguments])
        rows = [[_words(one), one.help or "", _default(one)] for one in options]
        yield _table(["option", "meaning", "default"], rows)


def _usage(argument: Any) -> str:
    name = argument.name.upper() + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def _words(option: Any) -> str:
    return ", ".join(f"`{word}`" for word in [*option.opts, *option.secondary_opts])


def _default(option: Any) -> str:
    if option.is_flag and not option.secondary_opts:
        return ""
    if option.is_flag:
        return f"`{(option.opts if option.default else option.secondary_opts)[0]}`"
    return "" if option.default in (None, (), []) else f"`{option.default}`"


def _table(header: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("glioseg-commands", Commands)
    app.add_directive("glioseg-names", Names)
    return {"version": glioseg.__version__, "parallel_read_safe": True, "parallel_write_safe": True}
