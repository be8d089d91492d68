"""Fingers on the pictures, as a tablet or a phone sends them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from .conftest import keep, ready, until
from .test_followup import model, patient, shown
from .test_viewer import lesion_voxels, open_sample
from .test_work_list import page_of

__all__ = ["model", "patient"]  # fixtures

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
Point = tuple[float, float]

SMALL = """() => {
    const size = (element) => element.getBoundingClientRect();
    const targets = [...document.querySelectorAll("a, button, select, input, summary")];
    const box = (each) => each.matches("[type=checkbox], [type=radio]") && each.closest("label");
    return targets.map((each) => box(each) || each)
        .filter((each) => each.checkVisibility({ visibilityProperty: true }) && !each.closest(".hidden-text"))
        .filter((each) => size(each).width && (size(each).height < 43.5 || size(each).width < 43.5))
        .map((each) => `${each.outerHTML.slice(0, 80)} ${size(each).width} x ${size(each).height}`);
}"""


class Fingers:
    """The fingers of one hand on a page."""

    def __init__(self, page: Any) -> None:
        self.line = page.context.new_cdp_session(page)

    def __call__(self, *paths: list[Point]) -> None:
        """Each finger goes along its path, all at once; they come one after the other and leave together."""
        for count in range(1, len(paths) + 1):
            self._send("touchStart", [path[0] for path in paths[:count]])
        for points in zip(*(path[1:] for path in paths), strict=True):
            self._send("touchMove", list(points))
        self._send("touchEnd", [])

    def _send(self, kind: str, points: list[Point]) -> None:
        named = [{"x": x, "y": y, "id": finger} for finger, (x, y) in enumerate(points)]
        self.line.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": named})


def line(start: Point, end: Point, steps: int = 8) -> list[Point]:
    shares = [step / steps for step in range(steps + 1)]
    return [(start[0] + (end[0] - start[0]) * at, start[1] + (end[1] - start[1]) * at) for at in shares]


def middle(page: Any, selector: str = "#gl") -> Point:
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def voxel(page: Any, at: Point) -> list[float]:
    found: list[float] = page.evaluate("at => gliosegView.hit(...at).exact", list(at))
    return found


def slice_of(page: Any) -> int:
    return int(page.input_value("#slice"))


def zoom_of(page: Any) -> float:
    return float(page.evaluate("gliosegView.nv.scene.pan2Dxyzmm[3]"))


@pytest.mark.slow
def test_one_finger_scrolls_two_zoom_and_move_and_a_brush_draws(make_page: Any) -> None:
    page = make_page(**PHONE)
    open_sample(page)
    fingers = Fingers(page)
    x, y = middle(page)
    page.evaluate("gliosegView.setSlice(5)")
    fingers(line((x, y + 50), (x, y - 50)))
    assert 8 <= slice_of(page) <= 15
    fingers(line((x, y - 50), (x, y + 50)))
    assert slice_of(page) == 5
    assert zoom_of(page) == 1

    # what lies between two fingers stays there while they part and move on
    before, centre = voxel(page, (x + 30, y + 20)), (x + 30, y + 20)
    moved = (centre[0] - 40, centre[1] + 25)
    fingers(
        line((centre[0] - 20, centre[1]), (moved[0] - 50, moved[1])),
        line((centre[0] + 20, centre[1]), (moved[0] + 50, moved[1])),
    )
    assert zoom_of(page) == pytest.approx(2.5)
    assert voxel(page, moved) == pytest.approx(before, abs=0.5)
    assert slice_of(page) == 5
    fingers(line((x - 20, y), (x + 30, y)), line((x + 20, y), (x + 70, y)))
    assert zoom_of(page) == pytest.approx(2.5)
    assert voxel(page, (moved[0] + 50, moved[1])) == pytest.approx(before, abs=0.5)
    keep(page, "touch-pinched")

    page.evaluate("gliosegView.reset()")
    page.keyboard.press("b")
    x, y = middle(page)
    found = lesion_voxels(page)
    fingers(line((x - 20, y - 40), (x + 20, y - 40)))
    until(lambda: lesion_voxels(page) != found)
    assert (slice_of(page), zoom_of(page)) == (5, 1)
    drawn = lesion_voxels(page)
    # the first of two fingers has drawn nothing
    fingers(line((x - 20, y + 40), (x - 60, y + 40)), line((x + 20, y + 40), (x + 60, y + 40)))
    assert zoom_of(page) > 2
    page.click("#undo")
    until(lambda: lesion_voxels(page) == found)
    assert page.is_disabled("#undo")
    page.click("#redo")
    until(lambda: lesion_voxels(page) == drawn)


def test_one_finger_scrolls_two_time_points(make_page: Any, patient: Path, model: Path) -> None:
    with page_of(make_page, PHONE, listed=(patient,), model=str(model)) as page:
        page.goto("/followup")
        ready(page)
        page.wait_for_selector("#shown", state="visible", timeout=60_000)
        page.evaluate("window.scrollTo(0, 0)")
        page.fill("#slice", "1")
        assert shown(page) == ["Slice 2 of 8"] * 2
        x, y = middle(page, "#slice-after")
        Fingers(page)(line((x, y + 30), (x, y - 30)))
        assert shown(page)[0] > "Slice 3"
        assert page.evaluate(SMALL) == []


ADDRESSES = ["/", "/list", "/runs", "/runs?run=first", "/compare?run=first&run=second", "/docs", "/learning"]


@pytest.mark.slow
def test_what_is_touched_is_wide_enough_for_a_finger(make_page: Any) -> None:
    page = make_page(**PHONE)
    small = {}
    for address in ADDRESSES:
        if address == "/":
            open_sample(page)
            page.keyboard.press("b")
        else:
            page.goto(address)
            ready(page)
        small[address] = page.evaluate(SMALL)
    assert small == {address: [] for address in ADDRESSES}
