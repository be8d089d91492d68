"""A model that is improved from corrected cases, as a person does it, and the choice of a model."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support.patients_kit import sample_patients

from glioseg.io import read_scan

from .conftest import PATIENCE, keep, ready, serving, until
from .looks import NARROW, WIDE, check, fits
from .test_corrections import drawn, settled, stroke
from .test_work_list import SHAPE, at_patient, cells, names_of, page_of


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a network of 32 pixels that can be learned on from."""
    pytest.importorskip("pytorch_lightning")
    from support.learning_kit import tiny_run

    return tiny_run(tmp_path_factory.mktemp("tiny") / "tiny")


def look(page: Any, axe: str, name: str) -> None:
    for options, language in ((WIDE, "en"), (NARROW, "zh")):
        page.set_viewport_size(options["viewport"])
        page.emulate_media(color_scheme=options["color_scheme"])
        if page.get_attribute("html", "lang")[:2] != language:
            page.click("#language")
        fits(page)
        check(page, axe)
        keep(page, f"{name}-{options['viewport']['width']}")
    page.set_viewport_size(WIDE["viewport"])
    page.click("#language")


def to_learning(page: Any) -> None:
    """From the list to the page that improves the model."""
    page.click("#learn")
    page.wait_for_url("**/learning", timeout=PATIENCE)
    ready(page)
    page.wait_for_selector("#begin")


def change(page: Any) -> None:
    """Draw here and erase there: whatever the network made, that is another mask."""
    for key, at in (("b", 0.5), ("e", 0.7)):
        page.keyboard.press(key)
        stroke(page, at)
        settled(page)


def correct(page: Any, names: list[str]) -> None:
    """Draw a stroke on each patient, going from one to the next by keys."""
    page.keyboard.press("n")
    for name in names:
        at_patient(page, name)
        change(page)
        page.keyboard.press("n")


@pytest.mark.slow
def test_corrections_improve_the_model_and_one_switches_to_it(
    make_page: Any, tmp_path: Path, tiny: Path, axe: str
) -> None:
    """Two of six are too few to hold any out; with all six there is a before and after."""
    sample_patients(tmp_path / "study", 6)
    settings = {"listed": (tmp_path / "study",), "work": tmp_path / "work", "model": str(tiny)}
    with serving(**settings) as own:
        own.application.service.learning.changes = ("train.epochs=2", "train.batch_size=4")
        page = make_page(base_url=own.address)
        page.goto("/list")
        ready(page)
        until(lambda: cells(page, "state").count("Segmented") == 6)
        names = names_of(page)
        to_learning(page)
        assert page.is_disabled("#start")
        look(page, axe, "learning-nothing")
        page.goto("/list")
        ready(page)
        correct(page, names[:2])
        at_patient(page, names[2])
        page.goto("/learning")
        ready(page)
        assert "2 patients with corrections" in page.inner_text("#from")
        assert "none is held out" in page.inner_text("#out")

        page.goto("/list")
        ready(page)
        page.keyboard.press("n")
        for name in names:
            at_patient(page, name)
            if name in names[2:]:
                change(page)
            page.keyboard.press("n")
        page.wait_for_url("**/list", timeout=PATIENCE)
        to_learning(page)
        assert page.inner_text("#out").startswith("2 of the corrected patients are held out")
        page.click("#start")
        page.wait_for_selector("#work-text:not(:empty)")
        look(page, axe, "learning-going-on")
        page.wait_for_selector("#change", state="visible", timeout=PATIENCE)
        name = page.inner_text("#ended").split()[0]
        assert re.fullmatch(r"learned-\d{8}-\d{6}", name)
        assert page.locator("#change tbody tr").count() == 2
        assert "So few patients allow no interval" in page.inner_text("#verdict")
        assert page.inner_text("[data-model=default], [data-model=as-started]").startswith("tiny")
        look(page, axe, "learning-done")
        page.click(f"[data-model='{name}'] button")
        page.wait_for_selector(f"[data-model='{name}'] strong")

        page.goto("/list")
        ready(page)
        page.keyboard.press("n")
        at_patient(page, names[0])
        assert page.inner_text("#model-made").startswith("This mask: tiny")
        assert page.locator("#model option:checked").inner_text() == f"In use: {name}"
        page.click("#model-again")
        until(lambda: page.inner_text("#model-made").startswith(f"This mask: {name}"))
        settled(page)
        page.select_option("#model", "as-started")
        page.click("#model-again")
        until(lambda: page.inner_text("#model-made").startswith("This mask: tiny"))
        page.close()


@pytest.mark.slow
def test_a_scan_is_segmented_again_with_another_threshold_and_corrections_stay(
    make_page: Any, tmp_path: Path, weights: Path, axe: str
) -> None:
    from glioseg.model.predictor import load_model

    sample_patients(tmp_path / "study", 2)
    with page_of(make_page, listed=(tmp_path / "study",)) as page:
        page.goto("/list")
        ready(page)
        until(lambda: cells(page, "state").count("Segmented") == 2)
        names = names_of(page)
        page.keyboard.press("n")
        at_patient(page, names[0])
        assert page.inner_text("#model-made") == "This mask: default, threshold 0.50"
        scan = read_scan(tmp_path / "study" / names[0])
        before = load_model("default", threads=1)(scan).segmentation.mask
        assert (drawn(page, SHAPE) == before).all()
        page.fill("#model-threshold", "0.97")
        page.click("#model-again")
        until(lambda: page.inner_text("#model-made") == "This mask: default, threshold 0.97")
        settled(page)
        fewer = drawn(page, SHAPE)
        assert (fewer == load_model("default", threads=1, threshold=0.97)(scan).segmentation.mask).all()
        assert (fewer != before).any()
        look(page, axe, "model-choice")
        # Kept as long as the tab is open, and a correction lies upon whatever the network makes.
        page.keyboard.press("b")
        stroke(page, 0.8)
        settled(page)
        added = drawn(page, SHAPE) & ~fewer
        assert added.any()
        page.reload()
        at_patient(page, names[0])
        assert page.input_value("#model-threshold") == "0.97"
        page.fill("#model-threshold", "0.5")
        page.click("#model-again")
        until(lambda: "threshold 0.50" in page.inner_text("#model-made"))
        settled(page)
        now = drawn(page, SHAPE)
        assert (now == (before | added)).all()
        # The same model under its own name is not offered twice.
        assert page.locator("#model option").all_inner_texts() == ["In use: default"]


def test_what_is_missing_and_what_failed_is_told(make_page: Any, tmp_path: Path, axe: str) -> None:
    fault = {"where": "x", "expected": "y", "found": "z", "cure": "c", "code": "extra.missing"}
    fault |= {"parameters": {"command": 'pip install "glioseg[train]"'}, "translations": {}}
    job = {"name": "learned-1", "started": "2026-01-02T03:04:05+00:00", "base": "default", "state": "failed"}
    job |= {"epoch": 1, "epochs": 8, "seconds_left": None, "collected": None, "change": None}
    told = {"corrected": 3, "checked": 0, "held_out": 0, "reason": "few"}
    state = {**told, "missing": [fault], "unfit": None, "kept": False, "in_use": "default"}
    state["job"] = {**job, **told, "faults": [fault]}
    page = make_page()
    page.route("**/api/learning", lambda route: route.fulfill(json=state))
    page.goto("/learning")
    ready(page)
    assert page.inner_text("#missing-line") == 'pip install "glioseg[train]"'
    assert page.is_disabled("#start")
    assert page.inner_text("#ended") == "The training failed."
    assert "x" in page.inner_text("#faults li")
    assert page.is_visible("#not-kept")
    look(page, axe, "learning-missing")


def test_a_model_that_cannot_learn_here_is_told_before_anybody_tries(make_page: Any, axe: str) -> None:
    fault = {"where": "two-classes", "expected": "y", "found": "z", "cure": "Train on with: glioseg train"}
    fault |= {"code": "learning.classes", "parameters": {}, "translations": {}}
    state = {"corrected": 3, "checked": 0, "held_out": 0, "reason": "few", "missing": [], "unfit": fault}
    page = make_page()
    page.route(
        "**/api/learning",
        lambda route: route.fulfill(json={**state, "kept": True, "in_use": "x", "job": None}),
    )
    page.goto("/learning")
    ready(page)
    assert "two-classes" in page.inner_text("#unfit")
    assert "glioseg train" in page.inner_text("#unfit")
    assert page.is_disabled("#start")
    look(page, axe, "learning-unfit")


def test_a_model_is_said_to_be_in_use_only_if_it_is(make_page: Any) -> None:
    page = make_page()
    page.goto("/learning")
    ready(page)
    page.route("**/api/models/default", lambda route: route.abort())
    page.click("[aria-label='Use it: first']")
    page.wait_for_selector("#problems", state="visible")
    until(lambda: page.is_enabled("#stop"))
    assert page.text_content("#status") == ""
    make_page.wrong.clear()  # the browser's own line about what did not arrive
