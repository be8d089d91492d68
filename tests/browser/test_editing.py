"""The tools that correct a mask, used as a person uses them; one undo takes each back, voxel by voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from .conftest import keep, ready, until
from .editing_kit import changes, choose, click, go_to, line, on_server, place, taken_back
from .looks import check, every_look, fits
from .test_corrections import drawn, settled
from .test_viewer import SAMPLE, open_sample


@pytest.mark.slow
def test_brush_ring_size_eraser_depth_and_threshold(make_page: Any, server: Any) -> None:
    page = make_page()
    open_sample(page)
    go_to(page, 1)
    before = drawn(page)
    assert not before[:4, [100, 150], 182:218].any()
    page.keyboard.press("b")

    # the ring has the size of the brush, and [ and ] change both
    def ring() -> tuple[float, float]:
        page.mouse.move(*place(page, 100, 200))
        box = page.locator("#ring").bounding_box()
        return box["width"], box["x"] + box["width"] / 2

    width, middle = ring()
    voxel = place(page, 100, 201)[0] - place(page, 100, 200)[0]
    assert abs(width / voxel - 7) < 0.5
    assert abs(middle - place(page, 100, 200)[0]) < 1.5
    page.keyboard.press("]")
    page.keyboard.press("]")
    page.keyboard.press("[")
    assert page.inner_text("#pen-size-text") == "9"
    assert abs(ring()[0] / voxel - 9) < 0.5
    keep(page, "ring")

    # a stroke is round at its ends and as wide as the ring
    line(page, (100, 190), (100, 210))
    after = changes(page, before)
    rows, columns = np.nonzero(after[1] & ~before[1])
    assert (rows.min(), rows.max()) == (96, 104)
    assert (columns.min(), columns.max()) == (186, 214)
    assert not after[1, 96, 187]  # a corner of a square brush
    taken_back(page, server, before, after)
    page.keyboard.press("Control+Shift+z")

    # Ctrl and the right button erase
    for button, modifier in (("left", "Control"), ("right", None)):
        whole = drawn(page)
        if modifier:
            page.keyboard.down(modifier)
        line(page, (100, 190), (100, 195), button=button)
        if modifier:
            page.keyboard.up(modifier)
        erased = changes(page, whole)
        assert erased.sum() < whole.sum()
        assert not (erased & ~whole).any()
        taken_back(page, server, whole, erased)

    # over neighbouring slices, and only what is brighter
    page.fill("#pen-depth", "1")
    whole = drawn(page)
    line(page, (150, 190), (150, 210))
    deep = changes(page, whole)
    assert [(deep ^ whole)[z].any() for z in range(4)] == [True, True, True, False]
    taken_back(page, server, whole, deep)
    page.fill("#pen-depth", "0")
    go_to(page, int(before.sum(axis=(1, 2)).argmax()))
    page.select_option("#pen-limit", "brighter")
    page.focus("#pen-cut")
    page.keyboard.press("Home")
    for _ in range(60):
        page.keyboard.press("ArrowRight")
    whole = drawn(page)
    line(page, (60, 120), (190, 200))
    bright = changes(page, whole)
    cut = float(page.inner_text("#pen-cut-text"))
    from glioseg.dataset.find import read_case

    flair = read_case(SAMPLE)[0].channel("flair")
    assert flair[bright & ~whole].min() >= cut - 1
    taken_back(page, server, whole, bright)


@pytest.mark.slow
def test_a_lesion_on_three_of_nine_slices_is_filled_between(make_page: Any, server: Any) -> None:
    page = make_page()
    open_sample(page)
    choose(page, "brush")
    page.locator("#pen-size").fill("21")
    slices = [0, 4, 8]
    for position, size in zip(slices, (10, 24, 14), strict=True):
        go_to(page, position)
        line(page, (60, 205 - size), (60, 205 + size))
    by_hand = drawn(page)
    assert not by_hand[1:4, 50:70, 180:].any()
    page.click("#fill-between")
    filled = changes(page, by_hand)
    added = filled & ~by_hand
    assert sorted(set(np.nonzero(added)[0])) == [1, 2, 3, 5, 6, 7]
    areas = filled[0:9, 40:80, 160:].sum(axis=(1, 2))
    assert (np.diff(areas[:5]) > 0).all()
    assert (np.diff(areas[4:]) < 0).all()
    keep(page, "filled")
    taken_back(page, server, by_hand, filled)
    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("f")
    assert page.inner_text("#edit-said") != ""  # there is nothing more to fill


@pytest.mark.slow
def test_a_click_removes_keeps_grows_and_asks_again(make_page: Any, server: Any) -> None:
    page = make_page()
    open_sample(page)
    network = drawn(page)
    labels, _ = ndimage.label(network)
    sizes = np.bincount(labels.ravel())[1:]
    largest = labels == sizes.argmax() + 1
    assert len(sizes) == 2
    position = int(largest.sum(axis=(1, 2)).argmax())
    inside = np.unravel_index(ndimage.distance_transform_edt(largest[position]).argmax(), largest.shape[1:])
    go_to(page, position)

    # another lesion, by hand: one click removes it, one keeps it alone
    choose(page, "brush")
    line(page, (60, 200), (60, 220))
    both = drawn(page)
    choose(page, "keep")
    click(page, *inside)
    kept = changes(page, both)
    np.testing.assert_array_equal(kept, largest)
    taken_back(page, server, both, kept)
    choose(page, "remove")
    click(page, 60, 210)
    removed = changes(page, both)
    np.testing.assert_array_equal(removed, network)
    taken_back(page, server, both, removed)
    click(page, 5, 5)
    until(lambda: page.inner_text("#edit-said") != "")

    # the lesion is missed on five slices; a click asks again there, and the next one removes what was marked
    page.keyboard.press("z")
    click(page, *inside)
    missed = changes(page, network)
    choose(page, "ask")
    click(page, *inside)
    found = changes(page, missed)
    assert page.inner_text("#edit-said").endswith("ms.")
    gained = found & ~missed
    assert gained[position, inside[0], inside[1]]
    assert not (missed & ~found).any()
    assert (gained & largest).sum() > 0.6 * gained.sum()
    keep(page, "asked")
    taken_back(page, server, missed, found)

    # growing takes what is as bright
    choose(page, "grow")
    page.locator("#grow-flat").check()
    click(page, *inside)
    grown = changes(page, missed)
    assert not (grown ^ missed)[np.arange(len(grown)) != position].any()
    assert grown[position, inside[0], inside[1]]
    taken_back(page, server, missed, grown)


@pytest.mark.slow
def test_a_little_more_a_little_less_and_smooth(make_page: Any, server: Any) -> None:
    page = make_page()
    open_sample(page)
    network = drawn(page)
    assert page.inner_text("#threshold-text") == "0.50"
    go_to(page, int(network.sum(axis=(1, 2)).argmax()))
    page.click("#threshold-more")
    more = changes(page, network)
    assert page.inner_text("#threshold-text") == "0.40"
    assert not (network & ~more).any()
    taken_back(page, server, network, more)
    assert page.inner_text("#threshold-text") == "0.50"

    # by keyboard on the slider; each step is one of the history
    page.focus("#threshold")
    page.keyboard.press("ArrowLeft")
    less = changes(page, network)
    assert not (less & ~network).any()
    page.keyboard.press("ArrowLeft")
    lesser = changes(page, less)
    taken_back(page, server, less, lesser)
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(drawn(page), network)

    # dragged there and back again in one go: nothing has changed, and there is nothing to undo
    box = page.locator("#threshold").bounding_box()
    across = [box["x"] + box["width"] * share for share in (0.5, 0.9, 0.5)]
    page.mouse.move(across[0], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(across[1], box["y"] + box["height"] / 2, steps=4)
    until(lambda: drawn(page).sum() > network.sum())
    page.mouse.move(across[2], box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    until(lambda: bool(np.array_equal(drawn(page), network)))
    settled(page)
    assert page.is_disabled("#undo")

    page.click("#smooth")
    smooth = changes(page, network)
    assert abs(int(smooth.sum()) - int(network.sum())) < 0.05 * network.sum()
    taken_back(page, server, network, smooth)
    np.testing.assert_array_equal(on_server(server, page), network)

    # after a reload the steps are there, and the threshold is that of the mask
    page.click("#threshold-less")
    less = changes(page, network)
    page.click("#smooth")
    smooth = changes(page, less)
    np.testing.assert_array_equal(on_server(server, page), smooth)
    page.reload()
    ready(page)
    np.testing.assert_array_equal(drawn(page), smooth)
    assert page.inner_text("#threshold-text") == "0.60"
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(drawn(page), less)
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(on_server(server, page), network)
    assert page.inner_text("#threshold-text") == "0.50"


@pytest.mark.slow
@every_look
def test_every_tool_and_the_help_are_accessible_and_fit(
    make_page: Any, axe: str, options: dict[str, Any]
) -> None:
    page = make_page(**options)
    open_sample(page)
    page.keyboard.press("h")
    for tool in ("brush", "grow", "ask", "remove", "keep", "ruler", "angle"):
        choose(page, tool)
        if tool == "brush":
            page.select_option("#pen-limit", "brighter")
        fits(page)
        check(page, axe)
        page.locator("#tools").scroll_into_view_if_needed()
        keep(page, f"tool-{tool}-{options['viewport']['width']}")
    page.keyboard.press("?")
    page.wait_for_selector("#keys[open]")
    fits(page)
    check(page, axe)
    keep(page, f"keys-{options['viewport']['width']}")
