"""The command line: one file a verb, each thin; nothing heavy is imported before its verb runs."""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import typer

from glioseg.cli.streams import Output
from glioseg.errors import GliosegError, InputError
from glioseg.unexpected import exit_code, faults_of

EXIT_CODES = "Exit codes: 0 done, 1 something failed, 2 wrong usage or bad input."
VERBS = (
    "demo",
    "predict",
    "summary",
    "serve",
    "check",
    "pack",
    "export_dataset",
    "export_model",
    "train",
    "evaluate",
    "compare",
    "report",
    "crossval",
    "study",
    "features",
    "radiogenomics",
    "recipes",
    "models",
)
"""In the order of the help; each is a function in the file of its name, but for these."""
_FILES = {"models": "recipes"}


def program(verbs: Iterable[str] = VERBS) -> typer.Typer:
    """The command line with some of the verbs."""
    made = typer.Typer(
        name="glioseg",
        help="Find lesions in brain MRI: segment scans, train networks, measure them. The model that ships "
        "finds gliomas. Not for clinical use.",
        epilog=EXIT_CODES,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # rich's panels make help take three times as long
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for verb in verbs:
        file = import_module(f"glioseg.cli.{_FILES.get(verb, verb)}")
        made.command(epilog=EXIT_CODES)(getattr(file, verb))
    made.callback(invoke_without_command=True)(_options)
    return made


def _options(version: bool = typer.Option(False, "--version", help="Say which version this is.")) -> None:
    if version:
        from glioseg._version import __version__

        typer.echo(f"glioseg {__version__}")
        raise typer.Exit


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module 'glioseg.cli' has no attribute {name!r}")
    return program()


def main() -> None:
    """Run the command line: one line for each fault, never a traceback; exit code 2 for bad input, else 1."""
    # Otherwise Python looks through all objects three more times on its way out, a tenth of a short command.
    atexit.register(gc.freeze)
    for stream in (sys.stdout, sys.stderr):
        # A console that cannot show a patient's name shows a substitute instead of failing.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    output = Output("--json" in sys.argv)
    # To understand the options of all verbs takes as long as to import NumPy.
    verb = sys.argv[1].replace("-", "_") if len(sys.argv) > 1 else ""
    try:
        program([verb] if verb in VERBS else VERBS)()
    except GliosegError as error:
        typer.echo(f"error: {error}", err=True)
        code = error.exit_code
        if isinstance(error, InputError):
            code = exit_code(error.faults)
            for fault in error.faults:
                output.record_fault(fault)
        raise SystemExit(code) from None
    except Exception as error:  # the last net: whatever nobody foresaw is one line too
        faults = faults_of(error, command_name())
        for fault in faults:
            output.tell(fault)
        raise SystemExit(exit_code(faults)) from None


def command_name() -> str:
    """The program and the verb that were started."""
    verb = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    return f"glioseg {verb}".strip()
