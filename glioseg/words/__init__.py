"""The one catalogue of what a person reads, in English and Simplified Chinese.

Sentences stand in ``en/*.toml`` and ``zh/*.toml``, the same keys in both; ``{name}`` in a sentence is filled
with a parameter. Files only divide the catalogue into readable parts: keys are unique over all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LANGUAGES = ("en", "zh")
FOLDER = Path(__file__).parent


@cache
def catalogue(language: str) -> Mapping[str, Mapping[str, Any]]:
    """All sentences of a language: by section (``faults``, ``page``, ...), then by key.

    Args:
        language: one of :data:`LANGUAGES`.

    Raises:
        KeyError: another language.
    """
    if language not in LANGUAGES:
        raise KeyError(language)
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((FOLDER / language).glob("*.toml")):
        for section, table in tomllib.loads(path.read_text(encoding="utf-8")).items():
            found.setdefault(section, {}).update(table)
    return found


def filled(template: str, parameters: Mapping[str, object]) -> str:
    """A sentence with its parameters; one that is not given stays as ``{name}``."""
    return template.format_map(_Named(parameters))


def sentence(section: str, key: str, language: str = "en", **parameters: object) -> str:
    """A sentence of the catalogue.

    Raises:
        KeyError: no such section or key.
    """
    return filled(catalogue(language)[section][key], parameters)


class _Named(dict[str, object]):
    def __init__(self, parameters: Mapping[str, object]) -> None:
        super().__init__(parameters)

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"
