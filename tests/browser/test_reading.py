"""What helps to read a case: measures, the list of lesions, windows, facts, cine, help on keys."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import dicom_kit
from support.server_kit import volume

from .conftest import keep, ready, until, welcome
from .editing_kit import choose, click, go_to, line, on_server, place
from .test_corrections import drawn
from .test_dicom import study
from .test_viewer import open_sample

PATIENT = " ".join(dicom_kit.PATIENT.split("^"))


def open_volume(page: Any, folder: Path) -> None:
    welcome(page)
    page.set_input_files("#files", volume(folder))
    ready(page)


def letters(page: Any) -> str:
    """What the next picture writes beside the slices."""
    written: str = page.evaluate("""() => {
        const { fillText } = CanvasRenderingContext2D.prototype;
        let written = "";
        CanvasRenderingContext2D.prototype.fillText = (letter) => (written += letter);
        gliosegView.draw();
        CanvasRenderingContext2D.prototype.fillText = fillText;
        return written;
    }""")
    return written


def ruler(page: Any) -> str:
    found: str = page.locator("#rulers text").last.text_content()
    return found


def test_ruler_and_angle_are_right_in_millimetres_and_stay_on_their_slice(
    make_page: Any, tmp_path: Path
) -> None:
    page = make_page()
    open_volume(page, tmp_path)
    slices, height, _ = page.evaluate("[gliosegView.count, gliosegView.height, gliosegView.width]")
    depth, row, column = page.evaluate("gliosegView.scan.spacing")
    assert len({depth, row, column}) == 3
    at = (height // 2, 1)
    page.keyboard.press("l")
    for down, right in ((0, 5), (10, 0), (6, 4)):
        line(page, at, (at[0] + down, at[1] + right))
        expected = math.hypot(down * row, right * column)
        assert abs(float(ruler(page).split()[0]) - expected) < 0.3
        assert ruler(page).endswith("mm")
    assert page.inner_text("#edit-said").startswith("Ruler: ")
    page.keyboard.press("d")
    for point in ((at[0], at[1] + 5), at, (at[0] + 10, at[1])):
        click(page, *point)
    assert abs(float(ruler(page).removesuffix("°")) - 90) < 2
    assert page.locator("#rulers text").count() == 4
    keep(page, "measured")

    page.evaluate("z => gliosegView.setSlice(z)", (page.evaluate("gliosegView.slice") + 1) % slices)
    assert page.locator("#rulers text").count() == 0
    page.keyboard.press("Delete")
    page.evaluate("z => gliosegView.setSlice(z)", (page.evaluate("gliosegView.slice") - 1) % slices)
    assert page.locator("#rulers text").count() == 3
    page.click("#rulers-clear")
    assert page.locator("#rulers text").count() == 0
    # zoomed, the same two voxels are as far apart
    page.keyboard.press("l")
    page.keyboard.press("+")
    line(page, at, (at[0] + 5, at[1]))
    assert abs(float(ruler(page).split()[0]) - 5 * row) < 0.3
    page.click("#language")
    assert "mm" in ruler(page)


@pytest.mark.slow
def test_the_list_of_lesions_leads_to_each(make_page: Any, server: Any) -> None:
    from glioseg.measure.size import lesions
    from glioseg.scan import Segmentation

    page = make_page()
    open_sample(page)
    go_to(page, 2)
    choose(page, "brush")
    line(page, (60, 200), (60, 220))
    mask = on_server(server, page)
    store = server.application.service.store
    expected, count = lesions(
        Segmentation.from_mask(mask, store.get(page.evaluate("gliosegView.scan.id")).scan.grid)
    )
    rows = page.locator("#lesions tbody tr")
    until(lambda: rows.count() == count)
    by_hand = next(number for number, each in enumerate(expected) if each.place[0] == 2)
    assert f"{expected[by_hand].voxels:,}" in rows.nth(by_hand).inner_text()
    longest, across = expected[by_hand].diameters
    assert f"{longest:.1f} × {across:.1f}" in rows.nth(by_hand).inner_text()
    for number, lesion in enumerate(expected):
        rows.nth(number).locator("button").click()
        assert page.evaluate("gliosegView.slice") == lesion.place[0]
        crosshair = page.evaluate("[...gliosegView.nv.scene.crosshairPos]")
        voxel = [int(share * size) for share, size in zip(crosshair[::-1], mask.shape, strict=True)]
        assert drawn(page)[:, ::-1, ::-1][tuple(voxel)]
    # by key, one after the other
    for lesion in [*expected, expected[0]]:
        page.keyboard.press("i")
        assert page.evaluate("gliosegView.slice") == lesion.place[0]


@pytest.mark.slow
def test_windows_facts_sides_cine_and_keys(make_page: Any, tmp_path: Path) -> None:
    page = make_page()
    open_volume(page, tmp_path)
    spacing = page.evaluate("gliosegView.scan.spacing")
    assert f"{spacing[2]:.2g} × {spacing[1]:.2g} × {spacing[0]:.2g} mm" in page.inner_text("#facts")
    assert page.inner_text("#facts").startswith("FLAIR")
    for planes, expected in (("axial", "APLR"), ("multi", "SILRSIPAAPRL")):
        page.select_option("#planes", planes)
        assert sorted(letters(page)) == sorted(expected)
    page.select_option("#planes", "axial")

    # presets and numbers
    bounds = page.evaluate("gliosegView.scan.windows.flair")
    page.select_option("#presets", "hard")
    half = (bounds["high"] - bounds["low"]) / 2
    assert abs(float(page.inner_text("#width-text")) - half) <= 1
    low, high = page.evaluate("[gliosegView.window.low, gliosegView.window.high]")
    assert abs(high - low - half) < 1e-3
    page.keyboard.press("0")
    assert abs(float(page.inner_text("#width-text")) - 2 * half) <= 1

    # the probability has its scale
    page.keyboard.press("h")
    assert page.is_visible(".scale")
    # cine
    before = page.evaluate("gliosegView.slice")
    page.keyboard.press("c")
    assert page.get_attribute("#cine", "aria-pressed") == "true"
    until(lambda: page.evaluate("gliosegView.slice") != before)
    page.click("#cine")
    stopped = page.evaluate("gliosegView.slice")
    page.wait_for_timeout(400)
    assert page.evaluate("gliosegView.slice") == stopped

    # help: every key of a tool chooses that tool
    page.keyboard.press("?")
    page.wait_for_selector("#keys[open]")
    assert page.locator("#keys tbody tr").count() > 20
    keep(page, "keys")
    page.keyboard.press("Escape")
    for key, tool in {"b": "brush", "e": "eraser", "g": "grow", "a": "ask", "l": "ruler", "m": "pan"}.items():
        page.keyboard.press(key)
        assert page.get_attribute("#gl", "data-tool") == tool


@pytest.mark.slow
def test_the_picture_stays_while_the_panel_scrolls(make_page: Any) -> None:
    for options in ({}, {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}):
        page = make_page(**options)
        open_sample(page)
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        until(lambda page=page: page.evaluate("window.scrollY") > 200)
        stage = page.locator("#stage").bounding_box()
        assert 0 <= stage["y"] < 120
        assert page.is_visible("#slice")
        if not options:
            continue
        # what fingers press is large enough
        small = page.evaluate("""() => {
            const pressed = document.querySelectorAll("#panel button, #panel select, #panel .check");
            const low = (each) => each.offsetParent && each.getBoundingClientRect().height < 44;
            return [...pressed].filter(low).map((each) => each.id);
        }""")
        assert small == []


@pytest.mark.slow
def test_three_planes_start_at_the_lesion(make_page: Any, tmp_path: Path) -> None:
    page = make_page()
    open_volume(page, tmp_path)
    page.select_option("#planes", "multi")
    shape = tuple(page.evaluate("[gliosegView.count, gliosegView.height, gliosegView.width]"))
    x, y, z = page.evaluate("[...gliosegView.nv.scene.crosshairPos]")
    voxels = drawn(page, shape)[:, ::-1, ::-1]
    assert voxels[int(z * shape[0]), int(y * shape[1]), int(x * shape[2])]
    keep(page, "three-planes")
    # from a voxel to the screen and back again, in the tile of each plane
    for plane in range(3):
        there = page.evaluate(
            """([exact, plane]) => {
                const box = gliosegView.canvas.getBoundingClientRect();
                const [x, y] = gliosegView.screenOf(exact, plane);
                const found = gliosegView.hit(x + box.left, y + box.top);
                return [found.plane, ...found.voxel];
            }""",
            [[(int(share * size) + 0.5) for share, size in zip((x, y, z), shape[::-1], strict=True)], plane],
        )
        assert there == [plane, *(int(s * n) for s, n in zip((x, y, z), shape[::-1], strict=True))]
    # the brush paints in each of them
    page.keyboard.press("b")
    before = drawn(page, shape)
    tiles = page.evaluate(
        "gliosegView.nv.screenSlices.map(each => [each.axCorSag, ...each.leftTopWidthHeight])"
    )
    box = page.locator("#gl").bounding_box()
    for plane, left, top, wide, high in tiles:
        if plane > 2:
            continue
        page.mouse.move(box["x"] + left + wide * 0.5, box["y"] + top + high * 0.6)
        page.mouse.down()
        page.mouse.move(box["x"] + left + wide * 0.6, box["y"] + top + high * 0.6, steps=3)
        page.mouse.up()
        after = drawn(page, shape)
        assert (after & ~before).any(), plane
        before = after
    assert place(page, 5, 5)
    assert np.count_nonzero(before)


def test_patient_and_series_are_shown_and_hidden_and_stay_so(make_page: Any, tmp_path: Path) -> None:
    page = make_page()
    welcome(page)
    page.set_input_files("#files", study(tmp_path / "study", flair="Ax T2 FLAIR", post="Ax T1 POST"))
    ready(page)
    name = page.inner_text("#scan-name")
    until(lambda: PATIENT in page.inner_text("#about"))
    for said in (
        "MRN-0815",
        "Ax T1 POST",
        "born 1970",
        "mm",
        "256",
    ):
        assert said in page.inner_text("#about"), said
    keep(page, "patient")
    assert "Ax T2 FLAIR" in page.inner_text("#facts")
    page.uncheck("#show-names")
    assert name not in page.inner_text("#scan-name")
    assert "Ax T2" not in page.inner_text("#facts")
    page.keyboard.press("4")  # another sequence does not bring them back
    until(lambda: page.evaluate("gliosegView.channel") == "rgb")
    assert "Ax" not in page.inner_text("#facts")
    for said in (PATIENT, "MRN-0815", "1970", "POST"):
        assert said not in page.inner_text("body"), said
    page.click("#language")
    assert PATIENT not in page.inner_text("body")
    # another page, and another scan, begin as the person has left it
    other = page.context.new_page()
    welcome(other)
    asked: list[str] = []
    other.on("request", lambda request: asked.append(request.url))
    other.set_input_files("#files", study(tmp_path / "other", flair="Ax T2 FLAIR"))
    ready(other)
    assert PATIENT not in other.inner_text("body")
    assert not [url for url in asked if url.endswith("/patient")]
    other.close()
    page.check("#show-names")
    assert page.inner_text("#scan-name") == name
    until(lambda: PATIENT in page.inner_text("#about"))
