"""The work list as a person goes through it: many patients, by keys, without losing a stroke."""

from __future__ import annotations

import csv
import io
import re
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.patients_kit import sample_patients, small_patient

from glioseg.io import read_segmentation

from .conftest import PATIENCE, keep, ready, serving, until
from .looks import check, every_look, fits
from .test_corrections import drawn, settled, stroke
from .test_drop import DROP, drag

SHAPE = (3, 128, 128)


@contextmanager
def page_of(make_page: Any, options: dict[str, Any] | None = None, **settings: Any) -> Iterator[Any]:
    """A page of a server of its own, which asks nothing more when that server has gone."""
    with serving(**settings) as own:
        page = make_page(base_url=own.address, **(options or {}))
        try:
            yield page
        finally:
            page.close()


def open_list(page: Any, count: int) -> None:
    """Open the list and wait until so many patients are segmented."""
    page.goto("/list")
    ready(page)
    until(lambda: cells(page, "state").count("Segmented") >= count)


def cells(page: Any, name: str) -> list[str]:
    texts: list[str] = page.locator(f"#rows tbody .{name}").all_inner_texts()
    return texts


def names_of(page: Any) -> list[str]:
    names: list[str] = page.locator("#rows tbody th a").all_inner_texts()
    return names


def at_patient(page: Any, name: str) -> None:
    """Wait until a patient is open, with its place in the list."""
    until(lambda: page.inner_text("#scan-name") == name)
    ready(page)
    page.wait_for_selector("#patient-bar")


def download(page: Any, selector: str) -> bytes:
    with page.expect_download() as waiting:
        page.click(selector)
    return Path(waiting.value.path()).read_bytes()


def zip_masks(content: bytes, folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    return {path.name: read_segmentation(path).voxels > 0 for path in folder.iterdir() if path.is_dir()}


@pytest.mark.parametrize("count", [2, pytest.param(12, marks=pytest.mark.slow)])
def test_patients_are_read_to_the_end_by_keys_alone(make_page: Any, tmp_path: Path, count: int) -> None:
    """Every second one gets a stroke, the others are checked; table, archive and a restart say the same."""
    sample_patients(tmp_path / "study", count)
    settings = {"listed": (tmp_path / "study",), "work": tmp_path / "work"}
    with page_of(make_page, **settings) as page:
        open_list(page, count)
        names = names_of(page)
        certainty = [float(text) for text in cells(page, "c-expected_dice") if text != "–"]
        assert len(names) == count
        assert certainty == sorted(certainty)
        keep(page, f"list-{count}")
        page.keyboard.press("n")
        masks = {}
        for place, name in enumerate(names):
            at_patient(page, name)
            until(lambda place=place: page.inner_text("#patient-place") == f"{place + 1} of {count}")
            if place % 2:
                page.keyboard.press("v")
                page.wait_for_selector("#patient-checked[aria-pressed=true]")
            else:
                page.keyboard.press("b")
                stroke(page, 0.3)  # the next key comes before the stroke has reached the server
            masks[name] = drawn(page, SHAPE)
            page.keyboard.press("n")
        page.wait_for_url("**/list", timeout=PATIENCE)
        ready(page)
        assert names_of(page) == names
        statuses = ["Corrected" if place % 2 == 0 else "Checked" for place in range(count)]
        assert cells(page, "state") == statuses
        table = download(page, "#csv").decode()
        found = {row["id"]: row["status"] for row in csv.DictReader(io.StringIO(table))}
        assert found == {name: status.lower() for name, status in zip(names, statuses, strict=True)}
        packed = zip_masks(download(page, "#zip"), tmp_path / "masks")
        assert packed.keys() == masks.keys()
        for name, mask in masks.items():
            np.testing.assert_array_equal(packed[name], mask, name)
        shown = page.locator("#rows").inner_text()
    with page_of(make_page, **settings) as page:
        page.goto("/list")
        ready(page)
        until(lambda: page.locator("#rows").inner_text() == shown)
        assert download(page, "#csv").decode() == table
        page.click(f"text={names[0]}")
        at_patient(page, names[0])
        np.testing.assert_array_equal(drawn(page, SHAPE), masks[names[0]])
        page.keyboard.press("Control+z")  # also after a restart the network's mask is a step away
        settled(page)
        assert page.inner_text(".check.red span") == "Predicted outline"
        page.keyboard.press("n")
        at_patient(page, names[1])
        page.keyboard.press("Shift+N")
        at_patient(page, names[0])
        assert page.inner_text(".check.red span") == "Predicted outline"


@pytest.mark.slow
def test_nobody_leaves_a_patient_whose_strokes_did_not_arrive(make_page: Any, tmp_path: Path) -> None:
    sample_patients(tmp_path / "study", 2)
    with page_of(make_page, listed=(tmp_path / "study",)) as page:
        open_list(page, 2)
        first, second = names_of(page)
        page.keyboard.press("n")
        at_patient(page, first)
        page.route("**/mask*", lambda route: route.abort())
        page.keyboard.press("b")
        stroke(page, 0.3)
        mask = drawn(page, SHAPE)
        page.keyboard.press("n")
        page.wait_for_selector("#unsent")
        assert page.inner_text("#scan-name") == first
        np.testing.assert_array_equal(drawn(page, SHAPE), mask)
        page.unroute("**/mask*")
        page.click("#retry")
        settled(page)
        page.keyboard.press("n")
        at_patient(page, second)
        make_page.wrong.clear()  # the browser's own lines about what did not arrive
        page.keyboard.press("Shift+N")
        at_patient(page, first)
        np.testing.assert_array_equal(drawn(page, SHAPE), mask)


@pytest.mark.slow
def test_a_reload_keeps_every_step_and_a_correction_asks_for_another_check(
    make_page: Any, tmp_path: Path
) -> None:
    sample_patients(tmp_path / "study", 2)
    with page_of(make_page, listed=(tmp_path / "study",)) as page:
        open_list(page, 2)
        first, _ = names_of(page)
        page.keyboard.press("n")
        at_patient(page, first)
        page.keyboard.press("b")
        stroke(page, 0.3)
        mask = drawn(page, SHAPE)
        stroke(page, 0.5)
        settled(page)
        page.reload()
        at_patient(page, first)
        page.keyboard.press("Control+z")
        np.testing.assert_array_equal(drawn(page, SHAPE), mask)
        # a correction after the check asks for another look
        page.keyboard.press("v")
        page.wait_for_selector("#patient-checked[aria-pressed=true]")
        page.keyboard.press("b")
        stroke(page, 0.6)
        page.wait_for_selector("#patient-checked[aria-pressed=false]")


@pytest.mark.slow
def test_a_reload_takes_what_another_reader_drew_since(make_page: Any, tmp_path: Path) -> None:
    sample_patients(tmp_path / "study", 1)
    with page_of(make_page, listed=(tmp_path / "study",)) as page:
        open_list(page, 1)
        (name,) = names_of(page)
        page.keyboard.press("n")
        at_patient(page, name)
        page.keyboard.press("b")
        stroke(page, 0.3)
        settled(page)
        other = make_page()
        other.goto(page.url)
        at_patient(other, name)
        other.keyboard.press("b")
        stroke(other, 0.6)
        settled(other)
        theirs = drawn(other, SHAPE)
        assert (theirs != drawn(page, SHAPE)).any()
        page.reload()
        at_patient(page, name)
        np.testing.assert_array_equal(drawn(page, SHAPE), theirs)
        other.reload()
        at_patient(other, name)
        np.testing.assert_array_equal(drawn(other, SHAPE), theirs)
        # what is drawn upon it is sent upon it
        page.keyboard.press("b")
        stroke(page, 0.45)
        settled(page)
        assert not page.evaluate("document.querySelector('#unsent').checkVisibility()")
        other.close()


@pytest.mark.slow
def test_dropped_patients_go_to_the_list_from_both_pages(make_page: Any, tmp_path: Path) -> None:
    for seed, name in enumerate(("ann", "bob", "cid", "dan")):
        small_patient(tmp_path / ("first" if seed < 2 else "second"), name, seed * 7)
    with page_of(make_page) as page:
        page.goto("/")
        page.wait_for_selector("html[data-started]")
        drag(page, [tmp_path / "first"], *DROP)
        page.wait_for_url("**/list", timeout=PATIENCE)
        until(lambda: sorted(names_of(page)) == ["ann", "bob"])
        assert page.is_visible("#not-kept")
        drag(page, [tmp_path / "second"], *DROP)
        until(lambda: cells(page, "state").count("Segmented") == 4)
        # sorted by the head of a column, and found by a part of the name
        page.click("#rows thead >> text=Patient")
        assert names_of(page) == ["ann", "bob", "cid", "dan"]
        page.click("#rows thead >> text=Patient")
        assert names_of(page) == ["dan", "cid", "bob", "ann"]
        page.fill("#find", "B")
        assert names_of(page) == ["bob"]
        page.fill("#find", "")
        # rows by the keys of a list
        page.focus("text=dan")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("v")
        page.wait_for_selector("tr[data-status=checked] >> text=cid")
        page.keyboard.press("Enter")
        at_patient(page, "cid")
        page.keyboard.press("n")
        at_patient(page, "bob")  # in the order that was seen


@every_look
def test_the_list_is_accessible_and_fits(
    make_page: Any, axe: str, tmp_path: Path, options: dict[str, Any]
) -> None:
    width = options["viewport"]["width"]
    sample_patients(tmp_path / "study", 3)
    (tmp_path / "study" / "bad").mkdir()
    (tmp_path / "study" / "bad" / "bad.tif").write_bytes(b"II*\0 no picture")
    with page_of(make_page, options, listed=(tmp_path / "study", tmp_path / "nothing")) as page:
        page.goto("/list")
        ready(page)
        until(lambda: page.locator("tr[data-status=segmented]").count() == 3)
        page.locator("[data-part=check]").first.click()
        page.wait_for_selector("tr[data-status=checked]")
        assert page.locator("tr[data-status=failed] li").count() == 1
        fits(page)
        check(page, axe)
        keep(page, f"list-{width}")
        assert page.locator("img.thumbnail").first.evaluate(
            "image => image.complete && image.naturalWidth > 32"
        )
        page.click("#start")
        page.wait_for_selector("#patient-bar")
        ready(page)
        fits(page)
        check(page, axe)
        keep(page, f"patient-{width}")
        if width < 900:
            boxes = [
                page.locator(name).bounding_box()
                for name in ("#patient-next", "#patient-checked", "#to-list")
            ]
            assert min(box["height"] for box in boxes) >= 44


@pytest.mark.slow
def test_the_page_stays_quick_with_500_patients(make_page: Any, tmp_path: Path) -> None:
    for seed in range(500):
        small_patient(tmp_path / "study", f"p{seed:03d}", seed)
    with page_of(make_page, listed=(tmp_path / "study",), work=tmp_path / "work") as page:
        page.goto("/list")
        ready(page)
        until(lambda: re.match("500 patients · 500 segmented", page.inner_text("#counts")) is not None)
        started = time.monotonic()
        page.reload()
        page.wait_for_selector("#rows tbody tr >> nth=49")
        print(f"500 patients are shown in {time.monotonic() - started:.2f} s")
        assert page.locator("#rows tbody tr").count() == 50
        seconds = page.evaluate("""() => {
            const started = performance.now();
            for (let count = 0; count < 10; count++) document.getElementById("page-on").click();
            return (performance.now() - started) / 10000;
        }""")
        print(f"another page takes {seconds:.3f} s")
        assert page.inner_text("#page-place") == "451 to 500 of 500"
        page.fill("#find", "p49")
        assert len(names_of(page)) == 10
        page.fill("#find", "")
        page.keyboard.press("Escape")
        page.focus("#start")
        names = [page.locator("#rows tbody th a").first.inner_text()]
        page.keyboard.press("n")
        at_patient(page, names[0])
        for _ in range(3):
            before = page.inner_text("#scan-name")
            started = time.monotonic()
            page.keyboard.press("n")
            until(lambda before=before: page.inner_text("#scan-name") != before)
            ready(page)
            print(f"the next patient takes {time.monotonic() - started:.2f} s")
