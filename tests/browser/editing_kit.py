"""What the tests of tools share: places of voxels on the screen, masks on page and server."""

from __future__ import annotations

from typing import Any

import numpy as np

from .conftest import until
from .test_corrections import SHAPE, drawn, settled

Mask = np.ndarray[Any, Any]


def place(page: Any, row: float, column: float) -> tuple[float, float]:
    """Where the middle of a voxel of the slice that is shown is in the window; rows and columns of a file."""
    _, height, width = page.evaluate("[gliosegView.count, gliosegView.height, gliosegView.width]")
    x, y = page.evaluate(
        "exact => gliosegView.screenOf(exact)", [width - column - 0.5, height - row - 0.5, 0]
    )
    stage = page.locator("#gl").bounding_box()
    return stage["x"] + x, stage["y"] + y


def go_to(page: Any, position: int) -> None:
    page.evaluate("z => gliosegView.setSlice(z)", position)


def choose(page: Any, tool: str) -> None:
    page.locator(f"label:has(#tool-{tool})").click()


def click(page: Any, row: float, column: float, **options: Any) -> None:
    page.mouse.click(*place(page, row, column), **options)


def line(page: Any, *points: tuple[float, float], button: str = "left") -> None:
    """Draw from voxel to voxel."""
    page.mouse.move(*place(page, *points[0]))
    page.mouse.down(button=button)
    for point in points[1:] or points:
        page.mouse.move(*place(page, *point), steps=3)
    page.mouse.up(button=button)


def on_server(server: Any, page: Any) -> Mask:
    """The mask that the server has of the scan that is shown."""
    settled(page)
    entry = server.application.service.store.get(page.evaluate("gliosegView.scan.id"))
    assert entry is not None
    mask: Mask = entry.mask.mask
    return mask


def changes(page: Any, before: Mask) -> Mask:
    """Wait until the mask on the page is another; gives it."""
    until(lambda: not np.array_equal(drawn(page, SHAPE), before))
    return drawn(page, SHAPE)


def taken_back(page: Any, server: Any, before: Mask, after: Mask) -> None:
    """One undo gives exactly the mask before, one redo the one after, on page and server."""
    np.testing.assert_array_equal(on_server(server, page), after)
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(drawn(page), before)
    np.testing.assert_array_equal(on_server(server, page), before)
    page.keyboard.press("Control+Shift+z")
    np.testing.assert_array_equal(drawn(page), after)
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(on_server(server, page), before)
