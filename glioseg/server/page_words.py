"""The words of the pages, out of the catalogue, as a script that they load."""

from __future__ import annotations

import json

from glioseg.words import LANGUAGES, catalogue


def words_script() -> str:
    """A module that exports ``WORDS``: for each language the sections ``page`` and ``doubts``, by key.

    A doubt has the key ``flag_<doubt>`` there. ``API_WORDS`` has what is said of the API in other languages
    than English, whose paragraphs are the keys.
    """
    words = {
        language: {
            **catalogue(language)["page"],
            **{f"flag_{key}": text for key, text in catalogue(language)["doubts"].items()},
        }
        for language in LANGUAGES
    }
    api = {language: catalogue(language).get("api", {}) for language in LANGUAGES}
    parts = {"WORDS": words, "API_WORDS": api}
    return "".join(
        f"export const {name} = {json.dumps(each, ensure_ascii=False)};\n" for name, each in parts.items()
    )
