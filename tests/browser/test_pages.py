"""The other pages, and what a keyboard or a screen reader meets on all of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from glioseg.samples import sample_cases

from .conftest import PATIENCE, keep, ready, welcome
from .looks import NARROW, check, every_look, fits
from .test_corrections import brush, settled, stroke
from .test_viewer import SAMPLE, open_sample

PAGES = {
    "runs": "/runs",
    "run": "/runs?run=first",
    "compare": "/compare?run=first&run=second",
    "docs": "/docs",
    "learning": "/learning",
}


@every_look
@pytest.mark.parametrize("name", PAGES)
def test_pages_are_accessible_and_fit(make_page: Any, axe: str, name: str, options: dict[str, Any]) -> None:
    page = make_page(**options)
    page.goto(PAGES[name])
    ready(page)
    fits(page)
    check(page, axe)
    keep(page, f"{name}-{options['viewport']['width']}")


@every_look
def test_the_viewer_is_accessible_and_fits(make_page: Any, axe: str, options: dict[str, Any]) -> None:
    page = make_page(**options)
    welcome(page)
    fits(page)
    check(page, axe)
    keep(page, f"welcome-{options['viewport']['width']}")
    open_sample(page)
    fits(page)
    check(page, axe)
    keep(page, f"viewer-{options['viewport']['width']}")


@pytest.mark.slow
@every_look
def test_what_belongs_to_a_correction_is_accessible_and_fits(
    make_page: Any, axe: str, options: dict[str, Any]
) -> None:
    """A corrected scan, a stroke that did not arrive, the question whether to leave, scans that are kept."""
    page = make_page(**options)
    width = options["viewport"]["width"]

    def look(name: str) -> None:
        fits(page)
        check(page, axe)
        keep(page, f"{name}-{width}")

    open_sample(page)
    brush(page)
    look("corrected-by-hand")
    page.route("**/mask*", lambda route: route.abort())
    stroke(page, 0.8)
    page.wait_for_selector("#unsent")
    look("not-arrived")
    page.unroute("**/mask*")
    page.click("#retry")
    settled(page)
    page.click("#close-scan")
    page.wait_for_selector("#leave")
    look("leave-or-stay")
    page.click("#leave [data-t=leave_keep]")
    page.wait_for_selector("#kept >> text=TCGA")
    look("kept-scans")
    make_page.wrong.clear()  # the browser's own lines about what did not arrive


def test_a_run_shows_each_chart_once_in_the_colours_of_the_theme(make_page: Any) -> None:
    titles = {}
    for scheme in ("light", "dark"):
        page = make_page(color_scheme=scheme)
        page.goto("/runs?run=first")
        ready(page)
        titles[scheme] = page.locator("figcaption").all_inner_texts()
        assert page.locator("figure svg").count() == len(titles[scheme])
        assert page.locator("figure img").count() == 0, "pictures of an evaluation show what is drawn already"
        paper, lines = page.evaluate(
            """() => ["figure", ".line"].map(name => getComputedStyle(document.querySelector(name)))
                .map(style => [style.backgroundColor, style.stroke])
                .map(([paper, stroke], place) => (place ? stroke : paper).match(/[0-9]+/g).map(Number))"""
        )
        assert (sum(paper) < sum(lines)) == (scheme == "dark")
    own, reference = "each scan's own grid", "reference protocol"
    assert titles["dark"] == titles["light"] == ["Loss", "Validation loss", "Validation DSC", own, reference]


def test_the_tables_of_runs_are_whole_on_a_phone(make_page: Any) -> None:
    page = make_page(**NARROW)
    for address in ("/runs", "/runs?run=first", "/compare?run=first&run=second"):
        page.goto(address)
        ready(page)
        fits(page)
        assert (
            page.evaluate(
                """() => {
                const right = cell => cell.getBoundingClientRect().right;
                return [...document.querySelectorAll("tbody :is(th, td)")]
                    .filter(cell => right(cell) > innerWidth || cell.scrollWidth > cell.clientWidth)
                    .map(cell => cell.textContent);
            }"""
            )
            == []
        )
        labels = page.locator("tbody tr").first.locator(".label").all_inner_texts()
        assert labels == page.locator("table").first.locator("thead th").all_text_contents()[1:]


LATIN = re.compile("[A-Za-z]{3}")
CHINESE = re.compile("[\u4e00-\u9fff]")
NAMES = {
    "glioseg",
    "API",
    "HTTP API",
    "English",
    "FLAIR",
    "NIfTI",
    "PNG",
    "TIFF",
    "JPEG",
    "DICOM",
    "Dice (DSC)",
    "IoU",
    "NSD",
}


def english_left(page: Any, names: set[str]) -> list[str]:
    """Lines of a page that hold words but nothing Chinese, besides names, numbers and commands."""
    page.evaluate("document.querySelectorAll('code, pre').forEach(one => one.replaceChildren())")
    lines = {line.split("\t")[0].strip() for line in page.inner_text("body").splitlines()}
    return sorted(line for line in lines - names if LATIN.search(line) and not CHINESE.search(line))


def test_no_english_is_left_in_chinese(make_page: Any, run_folders: Path, tmp_path: Path) -> None:
    from .test_followup import time_point
    from .test_work_list import page_of

    time_point(tmp_path / "two", "ann_2020", 10, second=False, slices=4)
    time_point(tmp_path / "two", "ann_2023", 14, second=True, slices=4)
    names = NAMES | {
        "ann_2020",
        "ann_2023",
        "first",
        "second",
        "bright",
        *(case.id for case in sample_cases()),
    }
    with page_of(make_page, {"locale": "zh-CN"}, listed=(tmp_path / "two",), runs=run_folders) as page:
        left = {}
        for address in ("/list", "/followup", *PAGES.values(), "/"):
            page.goto(address)
            page.wait_for_selector("html[data-started]" if address == "/" else "html[data-ready]")
            if address == "/followup":
                page.wait_for_selector("#shown", state="visible")
            page.evaluate("document.querySelectorAll('details').forEach(one => (one.open = true))")
            left[address] = english_left(page, names)
        page.click(f"text={SAMPLE.id}")
        ready(page)
        left["viewer"] = english_left(page, names)
        assert left == {address: [] for address in left}
        page.close()


def look_at_patient(page: Any, run: str) -> None:
    page.goto(f"/runs?run={run}")
    page.click(f"[aria-label='Look at {SAMPLE.id}']")
    page.wait_for_url("**/?scan=*", timeout=PATIENCE)
    ready(page)


def test_from_a_run_to_a_patient_with_both_outlines(make_page: Any, run_folders: Path) -> None:
    from glioseg.io import read_scan
    from glioseg.model.predictor import load_model
    from glioseg.samples import SAMPLES

    page = make_page()
    page.goto("/runs")
    page.click("text=first")
    page.wait_for_selector("text=Patients")
    look_at_patient(page, "first")
    assert page.inner_text("#scan-name") == SAMPLE.id
    assert page.is_visible("tr[data-number=dice]")
    # The stored mask comes with what a new prediction would say of itself.
    prediction = load_model(run_folders / "first", threads=1)(read_scan(SAMPLES / SAMPLE.id))
    assert prediction.expected_dice is not None
    assert page.inner_text("tr[data-number=expected_dice] td") == f"{prediction.expected_dice:.2f}"
    assert page.locator("#flags li").count() == len(prediction.doubts)


def test_a_mask_whose_expected_dsc_is_not_stored_says_so(make_page: Any) -> None:
    page = make_page()
    look_at_patient(page, "second")
    assert page.inner_text("tr[data-number=expected_dice] td") == "–"
    assert page.is_visible("#flags >> text=does not say what DSC to expect")


@pytest.mark.slow
def test_a_patient_of_a_run_that_was_kept_is_there_after_a_reload(make_page: Any) -> None:
    page = make_page()
    look_at_patient(page, "second")
    brush(page)
    page.click("#close-scan")
    page.click("#leave [data-t=leave_keep]")
    page.click("#kept button.primary")
    ready(page)
    page.reload()
    ready(page)
    assert page.inner_text("#scan-name") == SAMPLE.id
    assert page.is_enabled("#undo")
    make_page.wrong.clear()  # the browser's own lines about the scan that was closed


def test_equal_runs_are_compared_and_do_not_differ(make_page: Any) -> None:
    page = make_page()
    page.goto("/compare")
    ready(page)
    page.check("input[value=first]")
    page.check("input[value=second]")
    page.click("#compare")
    page.wait_for_selector("text=No difference beyond noise between second and first")


def test_comparisons_and_warnings_are_said_in_chinese(make_page: Any) -> None:
    page = make_page(locale="zh-CN")
    page.goto("/compare?run=first&run=second")
    ready(page)
    page.wait_for_selector("text=second 与 first 之间没有超出噪声的差异")
    page.click("#language")
    page.wait_for_selector("text=No difference beyond noise between second and first")
    page.click("#language")
    look = f"[aria-label='查看 {SAMPLE.id}']"
    page.goto("/runs?run=second")
    page.click(look)
    page.wait_for_url("**/?scan=*", timeout=PATIENCE)
    ready(page)
    warnings = page.locator("#flags li").all_inner_texts()
    assert "该训练记录没有存下此掩膜的预期 DSC。" in warnings
    assert not any("run" in warning for warning in warnings)
