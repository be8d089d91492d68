"""How a page is looked at: two widths, two themes, two languages; and what has to hold in each."""

from __future__ import annotations

from typing import Any

import pytest

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
SIZES = {"wide": {"width": 1280, "height": 860}, "narrow": {"width": 390, "height": 844}}
LANGUAGES = {"en": "en-GB", "zh": "zh-CN"}


def look(size: str, scheme: str, language: str) -> dict[str, Any]:
    """Options of a browser's context."""
    return {"viewport": SIZES[size], "color_scheme": scheme, "locale": LANGUAGES[language]}


WIDE, NARROW = look("wide", "light", "en"), look("narrow", "dark", "zh")
"""Each setting once: where a test is quick these two run always, the others with the slow tests."""

ALL = {
    f"{size}-{scheme}-{language}": look(size, scheme, language)
    for size in SIZES
    for scheme in ("light", "dark")
    for language in LANGUAGES
}
every_look = pytest.mark.parametrize(
    "options",
    [
        pytest.param(options, id=name, marks=() if options in (WIDE, NARROW) else pytest.mark.slow)
        for name, options in ALL.items()
    ],
)


def check(page: Any, axe: str) -> None:
    """Nothing is found by axe-core."""
    page.evaluate(axe)
    found = page.evaluate("rules => axe.run({runOnly: rules}).then(result => result.violations)", RULES)
    said = [f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes']]}" for one in found]
    assert said == []


def fits(page: Any) -> None:
    """Nothing has to be scrolled sideways."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
