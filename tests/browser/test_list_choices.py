"""Rows of the work list: removed and brought back, and the series of a study chosen, as a person does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support import dicom_kit
from support.patients_kit import small_patient

from .conftest import keep, ready, refused, until
from .looks import NARROW, WIDE, check, fits
from .test_work_list import at_patient, names_of, page_of


def study(folder: Path) -> None:
    """A study with two series that are FLAIR by name, whose bright spots lie apart."""
    for place, name in enumerate(("AX FLAIR", "AX FLAIR repeated")):
        voxels = np.zeros((32, 32, 4), np.uint16)
        voxels[3:29, 3:29] = 100
        voxels[8 + 10 * place : 12 + 10 * place, 10:14, 1:3] = 300
        dicom_kit.series(folder / f"s{place}", voxels, name=name, study=folder.name)


@pytest.mark.slow
@pytest.mark.parametrize("options", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_row_is_removed_and_brought_back_and_a_series_is_chosen(
    make_page: Any, axe: str, tmp_path: Path, options: dict[str, Any]
) -> None:
    width = options["viewport"]["width"]
    for seed, name in enumerate(("ann", "bob")):
        small_patient(tmp_path / "study", name, seed * 7)
    study(tmp_path / "study" / "cid")
    with page_of(make_page, options, listed=(tmp_path / "study",), work=tmp_path / "work") as page:
        page.goto("/list")
        ready(page)
        until(lambda: page.locator("tr[data-status=segmented]").count() == 2)
        page.focus("text=ann")
        page.keyboard.press("Delete")
        until(lambda: "ann" not in names_of(page))
        assert page.evaluate("document.activeElement.id") == "bring-back"
        fits(page)
        check(page, axe)
        keep(page, f"list-removed-{width}")
        page.keyboard.press("Enter")
        until(lambda: "ann" in names_of(page))

        # later on, too, and after a reload
        page.locator("tr:has-text('bob') [data-part=remove]").click()
        until(lambda: "bob" not in names_of(page))
        page.reload()
        ready(page)
        page.select_option("#show", "removed")
        assert names_of(page) == ["bob"]
        page.locator("tr:has-text('bob') [data-part=remove]").click()
        until(lambda: names_of(page) == [])
        page.select_option("#show", "all")
        assert sorted(names_of(page)) == ["ann", "bob", "cid"]

        # nothing says which series of the study is meant: the row does, by keys
        assert page.locator("tr:has-text('cid')").get_attribute("data-status") == "failed"
        page.focus("tr:has-text('cid') [data-part=series]")
        page.keyboard.press("Enter")
        page.wait_for_selector("#series-dialog[open]")
        fits(page)
        check(page, axe)
        keep(page, f"list-series-{width}")
        page.select_option("#series [name=flair]", index=2)
        page.focus("#series [type=submit]")
        page.keyboard.press("Enter")
        page.wait_for_selector("tr[data-status=segmented] >> text=cid")
        page.click("text=cid")
        at_patient(page, "cid")
        first = page.evaluate("gliosegView.mask.voxels.indexOf(1)")
        assert first > 0

        # and once more: what is shown is the other series, with its own mask
        page.click("#to-list")
        page.wait_for_url("**/list")
        ready(page)
        page.locator("tr:has-text('cid') [data-part=series]").click()
        page.select_option("#series [name=flair]", index=1)
        page.click("#series [type=submit]")
        page.wait_for_selector("tr[data-status=segmented] >> text=cid")
        page.click("text=cid")
        at_patient(page, "cid")
        until(lambda: page.evaluate("gliosegView.mask.voxels.indexOf(1)") not in (first, -1))
        refused(make_page, 404)  # the scan of the series before has gone
