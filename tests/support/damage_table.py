"""The table of damaged input that :mod:`damaged` fills."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Arguments = list[str]


@dataclass(frozen=True)
class Damage:
    """A row of the table.

    Attributes:
        name: what is wrong.
        make: makes the files in an empty folder and returns the arguments, a verb first.
        words: what the refusal must say, small letters or not.
        needs: what the system must have: ``links``, ``pipes`` or ``permissions``.
    """

    name: str
    make: Callable[[Path], Arguments]
    words: tuple[str, ...]
    needs: str = ""

    @property
    def possible(self) -> bool:
        """Whether this system can make it."""
        if self.needs == "permissions":
            return hasattr(os, "geteuid") and os.geteuid() != 0
        return not self.needs or sys.platform != "win32"


DAMAGED: list[Damage] = []
SOUND: list[Damage] = []


def _row(table: list[Damage], name: str, *words: str, needs: str = "") -> Callable[..., Any]:
    def add(make: Callable[[Path], Arguments]) -> Callable[[Path], Arguments]:
        table.append(Damage(name, make, words, needs))
        return make

    return add


def damaged(name: str, *words: str, needs: str = "") -> Callable[..., Any]:
    return _row(DAMAGED, name, *words, needs=needs)


def sound(name: str) -> Callable[..., Any]:
    return _row(SOUND, name)


def predict(*paths: object) -> Arguments:
    return ["predict", *map(str, paths)]
