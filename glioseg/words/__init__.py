"""The one catalogue of what a person reads, in English and Simplified Chinese.

Sentences stand in ``en/*.toml`` and ``zh/*.toml``, the same keys in both; ``{name}`` in a sentence is filled
with a parameter. Files only divide the catalogue into readable parts: keys are unique over all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
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


class Phrase(str):
    """A part of a sentence that is said in the language of the sentence it stands in.

    It is a text, the English one; as a parameter of a sentence it is said in the language of that sentence.

    Args:
        key: in the section ``sentences``.
        parameters: what it is filled with; phrases among them.
    """

    key: str
    parameters: Mapping[str, str]

    def __new__(cls, key: str, **parameters: object) -> Phrase:
        """Fill it in English."""
        kept = as_parameters(parameters)
        new = super().__new__(cls, filled(catalogue("en")["sentences"][key], kept))
        new.key, new.parameters = key, kept
        return new

    def text(self, language: str = "en") -> str:
        """The phrase in a language."""
        return filled(catalogue(language)["sentences"][self.key], self.parameters, language)

    def changed(self, change: Callable[[str], str]) -> Phrase:
        """The phrase with every parameter changed."""
        return Phrase(self.key, **changed(self.parameters, change))

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is copied and sent to another process."""
        return _phrase, (self.key, dict(self.parameters))


class Joined(Phrase):
    """Several texts or phrases with commas between them."""

    items: tuple[str, ...]

    def __new__(cls, items: Iterable[object]) -> Joined:
        """Join them in English."""
        kept = tuple(as_parameters({str(number): item for number, item in enumerate(items)}).values())
        new = str.__new__(cls, catalogue("en")["sentences"]["list.comma"].join(kept))
        new.key, new.parameters, new.items = "list.comma", {}, kept
        return new

    def text(self, language: str = "en") -> str:
        """The list in a language."""
        comma: str = catalogue(language)["sentences"][self.key]
        return comma.join(_said(item, language) for item in self.items)

    def changed(self, change: Callable[[str], str]) -> Joined:
        """The list with every item changed."""
        return Joined(_changed(item, change) for item in self.items)

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is copied and sent to another process."""
        return Joined, (self.items,)


class Note(str):
    """The key of a sentence of the section ``doubts``, with what that is filled with.

    Args:
        key: in the section ``doubts``.
        parameters: what it is filled with; phrases among them.
    """

    parameters: Mapping[str, str]

    def __new__(cls, key: str, **parameters: object) -> Note:
        """Keep the parameters beside the key."""
        new = super().__new__(cls, key)
        new.parameters = as_parameters(parameters)
        return new

    def __reduce__(self) -> tuple[Any, ...]:
        """How it is copied and sent to another process."""
        return _note, (str(self), dict(self.parameters))


def said(doubt: str, language: str = "en", **parameters: object) -> str:
    """The sentence of a doubt, filled with what it knows.

    Args:
        doubt: a :class:`Note`, or a key of the section ``doubts``.
        language: one of :data:`LANGUAGES`.
        parameters: what it is filled with besides.
    """
    own = doubt.parameters if isinstance(doubt, Note) else {}
    return sentence("doubts", doubt, language, **{**parameters, **own})


def as_parameters(parameters: Mapping[str, object]) -> dict[str, str]:
    """Parameters as texts; phrases stay phrases."""
    return {name: value if isinstance(value, Phrase) else str(value) for name, value in parameters.items()}


def changed(parameters: Mapping[str, str], change: Callable[[str], str]) -> dict[str, str]:
    """Every parameter changed, also those inside of phrases."""
    return {name: _changed(value, change) for name, value in parameters.items()}


def filled(template: str, parameters: Mapping[str, object], language: str = "en") -> str:
    """A sentence with its parameters; one that is not given stays as ``{name}``."""
    return template.format_map(_Named({name: _said(value, language) for name, value in parameters.items()}))


def sentence(section: str, key: str, language: str = "en", **parameters: object) -> str:
    """A sentence of the catalogue.

    Raises:
        KeyError: no such section or key.
    """
    return filled(catalogue(language)[section][key], parameters, language)


def _said(value: object, language: str) -> str:
    return value.text(language) if isinstance(value, Phrase) else str(value)


def _changed(value: str, change: Callable[[str], str]) -> str:
    return value.changed(change) if isinstance(value, Phrase) else change(value)


def _phrase(key: str, parameters: Mapping[str, str]) -> Phrase:
    return Phrase(key, **parameters)


def _note(key: str, parameters: Mapping[str, str]) -> Note:
    return Note(key, **parameters)


class _Named(dict[str, str]):
    def __init__(self, parameters: Mapping[str, str]) -> None:
        super().__init__(parameters)

    def __missing__(self, key: str) -> str:
        return f"{{{key}}}"
