"""The other pages, and what a keyboard or a screen reader meets on all of them."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import PATIENCE, keep
from .test_viewer import SAMPLE, open_sample, ready

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
WIDE = {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light", "locale": "en-GB"}
NARROW = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "locale": "zh-CN"}
PAGES = {
    "runs": "/runs",
    "run": "/runs?run=first",
    "compare": "/compare?run=first&run=second",
    "docs": "/docs",
}


def check(page: Any, axe: str) -> None:
    page.evaluate(axe)
    found = page.evaluate("rules => axe.run({runOnly: rules}).then(result => result.violations)", RULES)
    said = [f"{one['id']}: {one['help']}: {[node['html'][:120] for node in one['nodes']]}" for one in found]
    assert said == []


def fits(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.parametrize("options", [WIDE, NARROW], ids=["wide-light-en", "narrow-dark-zh"])
@pytest.mark.parametrize("name", PAGES)
def test_pages_are_accessible_and_fit(make_page: Any, axe: str, name: str, options: dict[str, Any]) -> None:
    page = make_page(**options)
    page.goto(PAGES[name])
    ready(page)
    fits(page)
    check(page, axe)
    keep(page, f"{name}-{options['viewport']['width']}")


@pytest.mark.parametrize("options", [WIDE, NARROW], ids=["wide-light-en", "narrow-dark-zh"])
def test_the_viewer_is_accessible_and_fits(make_page: Any, axe: str, options: dict[str, Any]) -> None:
    page = make_page(**options)
    page.goto("/")
    page.wait_for_selector("html[data-started]")
    fits(page)
    check(page, axe)
    keep(page, f"welcome-{options['viewport']['width']}")
    open_sample(page)
    fits(page)
    check(page, axe)
    keep(page, f"viewer-{options['viewport']['width']}")


def test_from_a_run_to_a_patient_with_both_outlines(make_page: Any) -> None:
    page = make_page()
    page.goto("/runs")
    page.click("text=first")
    page.wait_for_selector("text=Patients")
    page.click(f"[aria-label='Look at {SAMPLE.id}']")
    page.wait_for_url("**/?scan=*", timeout=PATIENCE)
    ready(page)
    assert page.inner_text("#scan-name") == SAMPLE.id
    assert page.is_visible("tr[data-number=dice]")


def test_equal_runs_are_compared_and_do_not_differ(make_page: Any) -> None:
    page = make_page()
    page.goto("/compare")
    ready(page)
    page.check("input[value=first]")
    page.check("input[value=second]")
    page.click("#compare")
    page.wait_for_selector("text=No difference beyond noise between first and second")
