"""The words of the pages, out of the catalogue, as a script that they load."""

from __future__ import annotations

import json

from glioseg.words import LANGUAGES, catalogue


def words_script() -> str:
    """A module that exports ``WORDS``: for each language the sections ``page`` and ``doubts``, by key.

    A doubt has the key ``flag_<doubt>`` there. What is said of the API stands beside them under its English
    paragraphs, which are its keys.
    """
    words = {
        language: {
            **catalogue(language)["page"],
            **catalogue(language).get("api", {}),
            **{f"flag_{key}": text for key, text in catalogue(language)["doubts"].items()},
        }
        for language in LANGUAGES
    }
    return f"export const WORDS = {json.dumps(words, ensure_ascii=False)};\n"
