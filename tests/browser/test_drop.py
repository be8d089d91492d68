"""Files and folders that are dropped onto the page, as a person drops them from a file manager."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.server_kit import slices_of_sample, volume

from .conftest import keep, ready, until, welcome


def drag(page: Any, paths: list[Path], *kinds: str) -> None:
    """Drag files over the middle of the page: real events, with files from the disk in their DataTransfer."""
    size = page.viewport_size
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in kinds:
        event = {"type": kind, "x": size["width"] // 2, "y": size["height"] // 2, "data": data}
        session.send("Input.dispatchDragEvent", event)
    session.detach()


def is_dragging(page: Any) -> bool:
    return "dragging" in (page.get_attribute("body", "class") or "")


DROP = ("dragEnter", "dragOver", "drop")


@pytest.mark.parametrize("what", ["slices", "volume", "folder"])
def test_what_is_dropped_is_opened(make_page: Any, tmp_path: Path, what: str) -> None:
    folder = tmp_path / "patient 7"
    folder.mkdir()
    slices = slices_of_sample(folder)
    paths = {"slices": slices, "volume": [volume(tmp_path)], "folder": [folder]}[what]
    page = make_page()
    welcome(page)
    drag(page, paths, "dragEnter", "dragOver")
    until(lambda: is_dragging(page))
    keep(page, "dragging")
    drag(page, paths, *DROP)
    ready(page)
    assert not is_dragging(page)
    names = {"slices": slices[0].stem.rpartition("_")[0], "volume": "head", "folder": "patient 7"}
    assert page.inner_text("#scan-name") == names[what]
    assert page.is_visible("tr[data-number=dice]") == (what != "volume")

    # another one takes its place
    drag(page, [volume(tmp_path, "other.nii.gz", seed=3)], *DROP)
    until(lambda: page.inner_text("#scan-name") == "other")
    ready(page)
    assert not is_dragging(page)
