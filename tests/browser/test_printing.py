"""What comes out of a printer: A4 with picture, numbers and warnings, and nothing that waits for a click."""

from __future__ import annotations

import re
from typing import Any

from .conftest import keep, ready
from .test_viewer import open_sample

A4 = (595, 842)
DARK = {"color_scheme": "dark"}


def printed(page: Any, name: str) -> list[bytes]:
    """The pages of the file that the browser prints; the page then looks as on paper."""
    content = page.pdf(prefer_css_page_size=True)
    page.emulate_media(media="print")
    keep(page, name)
    sizes = re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content)
    assert {(round(float(wide)), round(float(high))) for wide, high in sizes} == {A4}
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.is_visible("header .warning")
    assert page.locator("button:not(.term):visible, nav:visible, input:visible, select:visible").count() == 0
    pages: list[bytes] = re.findall(rb"/Type /Page\b", content)
    return pages


def test_a_case_is_printed(make_page: Any) -> None:
    page = make_page(**DARK)
    open_sample(page)
    pages = printed(page, "printed-case")
    assert 1 <= len(pages) <= 2  # of many lesions
    for selector in ("#scan-name", "#paper", "#numbers", "#lesions", "#flags li"):
        assert page.locator(selector).first.is_visible(), selector
    # the picture and the red outline are on it
    bright, red = page.evaluate("""() => {
        const { width, height } = document.getElementById("paper");
        const data = document.getElementById("paper").getContext("2d").getImageData(0, 0, width, height).data;
        let bright = 0, red = 0;
        for (let i = 0; i < data.length; i += 4) {
            if (data[i] > 60 && data[i + 1] > 60) bright++;
            if (data[i] > 200 && data[i + 1] < 120) red++;
        }
        return [bright, red];
    }""")
    assert bright > 1000
    assert red > 50


def test_a_case_with_one_lesion_takes_one_sheet(make_page: Any) -> None:
    page = make_page()
    open_sample(page)
    page.wait_for_selector("#lesions tbody tr")
    page.evaluate("""() => {
        for (const each of document.querySelectorAll("#lesions tbody tr, #flags li"))
            if (each.previousElementSibling) each.remove();
    }""")
    assert len(printed(page, "printed-one-lesion")) == 1


def test_a_run_is_printed(make_page: Any) -> None:
    page = make_page(**DARK)
    page.goto("/runs?run=first")
    ready(page)
    printed(page, "printed-run")
    assert page.locator("figure svg:visible").count() == 5
    assert page.locator("tbody th:visible").count() > 0
    assert page.locator("thead th:visible").count() > 0
