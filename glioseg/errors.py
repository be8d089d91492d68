"""What can be wrong, said so that a person can mend it.

Every fault names where it is, what was expected, what was found and the cure.
Verbs catch :class:`GliosegError`, print it without a traceback and leave with
its ``exit_code``: 1 failed, 2 wrong usage or bad input.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with one file, folder or setting."""

    where: str | Path
    expected: str
    found: str
    cure: str

    def __str__(self) -> str:
        return f"{self.where}: expected {self.expected}, found {self.found}. {self.cure}"


class GliosegError(Exception):
    """Base of every error that glioseg raises on purpose."""

    exit_code = 1


class InputError(GliosegError):
    """Bad input or wrong usage: one or more faults, all of them at once."""

    exit_code = 2

    def __init__(self, *faults: Fault) -> None:
        if not faults:
            raise ValueError("an InputError needs at least one fault")
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


class WrongKindError(GliosegError, TypeError):
    """An array of the wrong kind was passed: a float mask, a mask of 0/255, probabilities for logits."""


class TrainingError(GliosegError):
    """A training stopped with a diagnosis (NaN loss, predictions that stay empty or full)."""


def raise_all(faults: Iterable[Fault]) -> None:
    """Raise one :class:`InputError` that holds every fault, or return if there is none."""
    faults = tuple(faults)
    if faults:
        raise InputError(*faults)


def require_extra(extra: str, *modules: str) -> None:
    """Refuse, with the pip line that helps, when a module of an optional extra is missing.

    Args:
        extra: name of the extra, for instance ``"train"``.
        modules: top-level module names that the extra provides.

    Raises:
        InputError: a module cannot be found. Nothing is imported by this check.
    """
    from importlib.util import find_spec

    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise InputError(
            Fault(
                "this command",
                f"the optional extra '{extra}'",
                f"no module {', '.join(missing)}",
                f"Install it: pip install 'glioseg[{extra}]'",
            )
        )
