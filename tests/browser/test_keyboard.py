"""Tools that a click sets to work, without a pointer: Shift with arrows and Enter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import keep, until
from .editing_kit import click, on_server
from .looks import check, every_look, fits
from .test_labels import changes, drawn, head, open_head


def crosshair(page: Any) -> tuple[int, int]:
    """Row and column of the crosshair in a file."""
    x, y = page.evaluate("[0, 1].map((axis) => gliosegView.nv.scene.crosshairPos[axis] * 48 - 0.5)")
    return 47 - round(y), 47 - round(x)


@pytest.mark.slow
def test_enter_does_at_the_crosshair_what_a_click_does(make_page: Any, server: Any, tmp_path: Path) -> None:
    page = make_page()
    before = open_head(page, head(tmp_path / "scan"))
    row, column = crosshair(page)
    for keys in ("Shift+ArrowLeft", "Shift+ArrowUp", "Shift+ArrowUp"):
        page.keyboard.press(keys)
    assert crosshair(page) == (row - 2, column - 1)
    assert page.inner_text("#edit-said") == f"Row {row - 1}, column {column}: lesion"
    assert page.is_visible("#cursor")
    for _ in range(9):
        page.keyboard.press("Shift+ArrowLeft")
    assert page.inner_text("#edit-said").endswith("not marked")
    keep(page, "cursor")
    for tool in ("g", "a", "b"):
        page.keyboard.press(tool)
        page.keyboard.press("Enter")
        by_key = changes(page, before)
        page.keyboard.press("Control+z")
        np.testing.assert_array_equal(drawn(page), before)
        click(page, *crosshair(page))
        np.testing.assert_array_equal(changes(page, before), by_key, tool)
        page.keyboard.press("Control+z")
        np.testing.assert_array_equal(drawn(page), before)

    # from the list of lesions to the lesion, which goes; a button that has the focus keeps its Enter
    page.keyboard.press("i")
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    assert not changes(page, before).any()
    assert not on_server(server, page).any()
    page.focus("#undo")
    page.keyboard.press("Enter")
    np.testing.assert_array_equal(drawn(page), before)
    page.mouse.move(*(page.locator("#gl").bounding_box()[side] + 40 for side in ("x", "y")))
    until(lambda: page.is_hidden("#cursor"))


@pytest.mark.slow
@every_look
def test_the_crosshair_is_seen(make_page: Any, axe: str, options: dict[str, Any], tmp_path: Path) -> None:
    page = make_page(**options)
    open_head(page, head(tmp_path / "scan"))
    page.keyboard.press("b")
    for _ in range(12):
        page.keyboard.press("Shift+ArrowLeft")
    assert page.is_visible("#ring")
    fits(page)
    check(page, axe)
    keep(page, f"cursor-{options['viewport']['width']}")
