"""The languages that a report can be written in."""

from __future__ import annotations

from glioseg.errors import Fault, InputError
from glioseg.words import LANGUAGES


def check_language(language: str) -> None:
    """Refuse a language that there is not.

    Raises:
        InputError: it is not one of :data:`glioseg.words.LANGUAGES`.
    """
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise InputError(Fault("report.language", "--lang", known=known, language=language))
