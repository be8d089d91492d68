"""What a layout gives: scans, their masks, and why it was taken for this layout."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from glioseg.errors import Fault, InputError
from glioseg.files import natural_key
from glioseg.io.names import is_hidden, is_volume, listed
from glioseg.io.refuse import reading
from glioseg.io.source import Source
from glioseg.words import Phrase

_MOST_BYTES = 16_000_000
"""Of a JSON file that describes a data set; lists of a hundred thousand names are smaller."""


@dataclass(frozen=True)
class Recognised:
    """A data set of a known layout.

    Attributes:
        why: what it was taken for, and by what.
        sources: its scans, those with a mask with their mask.
        faults: what is wrong with the rest.
    """

    why: Phrase
    sources: Sequence[Source]
    faults: Sequence[Fault] = ()


def entries(folder: Path) -> list[Path]:
    """What is in a folder, but hidden entries, in the order that people count in; nothing if unreadable."""
    try:
        with reading(folder):
            inside = [entry for entry in folder.iterdir() if not is_hidden(entry)]
    except InputError:
        return []
    return sorted(inside, key=lambda entry: natural_key(entry.name))


def folders(folder: Path) -> list[Path]:
    """The folders in a folder."""
    return [entry for entry in entries(folder) if entry.is_dir()]


def volumes(folder: Path) -> list[Path]:
    """The files with volumes in a folder."""
    return [entry for entry in entries(folder) if is_volume(entry) and not entry.is_dir()]


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        InputError: the file cannot be read, is too large or holds no JSON object.
    """
    with reading(path), open(path, "rb") as file:
        content = file.read(_MOST_BYTES + 1)
    try:
        if len(content) > _MOST_BYTES:
            raise ValueError(f"{_MOST_BYTES:,} bytes and more")
        found = json.loads(content)
        if not isinstance(found, dict):
            raise ValueError(type(found).__name__)
    except (ValueError, RecursionError) as error:
        raise InputError(Fault("layout.json", path, reason=error)) from error
    return found


def noted(source: Source, aside: Sequence[str]) -> Source:
    """A scan that says which file is what and, by name, what was left aside: names alone do not tell it."""
    left = f"; left aside: {listed(aside, 4)}" if aside else ""
    return replace(source, note=source.described + left)
