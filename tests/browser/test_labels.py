"""Masks with several labels in a real browser: shown, drawn, undone and downloaded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from support.known_models import two_class_model

from glioseg.io import read_segmentation

from .conftest import keep, ready, serving, until, welcome
from .editing_kit import choose, click, go_to, line
from .looks import check, every_look, fits
from .test_corrections import settled

SHAPE = (9, 48, 48)
OEDEMA, CORE = 1, 3
Labels = np.ndarray[Any, Any]


def head(folder: Path, truth: bool = False) -> list[Path]:
    """A head with an oedema and a core in it, and its true mask with other labels if that is wanted."""
    z, y, x = np.ogrid[:9, :48, :48]
    brain = ((y - 24) / 21) ** 2 + ((x - 24) / 19) ** 2 < 1
    away = (z - 4) ** 2 / 12 + (y - 22) ** 2 / 81 + (x - 28) ** 2 / 81
    values = np.where(brain, 100 + (x + 2 * y + z) % 5, 0) + 160 * (away < 1) + 160 * (away < 0.45)
    affine = np.diag([1.5, 1.5, 4.0, 1.0])
    folder.mkdir(exist_ok=True)
    masks = {"flair": values.astype(np.int16)}
    if truth:
        masks["seg"] = np.select([away < 0.4, away < 0.9], [4, 2]).astype(np.uint8)
    paths = []
    for name, array in masks.items():
        paths.append(folder / f"head_{name}.nii.gz")
        # Right to left and front to back, as slices are presented.
        nibabel.save(nibabel.Nifti1Image(array[:, ::-1, ::-1].transpose(2, 1, 0), affine), paths[-1])
    return paths


@pytest.fixture
def own(tmp_path: Path, weights: Path) -> Iterator[Any]:
    with serving(
        model=two_class_model(tmp_path / "classes.onnx"), corrected=tmp_path / "corrected"
    ) as running:
        yield running


def drawn(page: Any) -> Labels:
    """The labels on the page, in the order of a file."""
    voxels = page.evaluate("[...gliosegView.nv.drawBitmap]")
    return np.array(voxels, np.uint8).reshape(SHAPE)[:, ::-1, ::-1]


def changes(page: Any, before: Labels) -> Labels:
    until(lambda: not np.array_equal(drawn(page), before))
    return drawn(page)


def on_server(own: Any, page: Any) -> Labels:
    settled(page)
    entry = own.application.service.store.get(page.evaluate("gliosegView.scan.id"))
    labels: Labels = entry.mask.voxels
    return labels


def open_head(page: Any, paths: list[Path]) -> Labels:
    welcome(page)
    page.set_input_files("#files", paths)
    ready(page)
    go_to(page, 4)
    return drawn(page)


@pytest.mark.slow
def test_every_tool_draws_with_the_label_that_is_chosen(own: Any, make_page: Any, tmp_path: Path) -> None:
    page = make_page(base_url=own.address)
    before = open_head(page, head(tmp_path / "scan"))
    assert set(np.unique(before)) == {0, OEDEMA, CORE}
    assert page.locator("#labels .check").all_inner_texts() == ["oedema", "core"]
    assert page.is_hidden("#threshold-row")
    counted = page.inner_text(f"tr[data-label='{CORE}'] td")
    assert counted == f"{(before == CORE).sum() * 1.5 * 1.5 * 4 / 1000:.2f} ml"
    keep(page, "labels")

    # by keys: core is drawn over healthy tissue and over oedema; Ctrl erases core alone
    page.keyboard.press("b")
    page.keyboard.press("q")
    assert page.is_checked(f"#label-{CORE}")
    line(page, (30, 12), (22, 20))
    painted = changes(page, before)
    assert set(np.unique(painted[painted != before])) == {CORE}
    assert {0, OEDEMA} == set(np.unique(before[painted != before]))
    page.keyboard.down("Control")
    line(page, (22, 20), (22, 36))
    page.keyboard.up("Control")
    erased = changes(page, painted)
    np.testing.assert_array_equal(painted[erased != painted], CORE)
    np.testing.assert_array_equal(erased == OEDEMA, painted == OEDEMA)
    np.testing.assert_array_equal(on_server(own, page), erased)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(on_server(own, page), before)

    # the core goes with a click, the oedema around it stays; grown and asked again it comes back as core
    page.keyboard.press("r")
    click(page, 22, 28)
    gone = changes(page, before)
    np.testing.assert_array_equal(gone, np.where(before == CORE, 0, before))
    click(page, 22, 28)
    until(lambda: page.inner_text("#edit-said") == "There is no core marked at that place.")
    for tool in ("grow", "ask"):
        choose(page, tool)
        click(page, 22, 28)
        found = changes(page, gone)
        assert set(np.unique(found[found != gone])) == {CORE}, tool
        assert found[4, 22, 28] == CORE
        page.keyboard.press("Control+z")
        np.testing.assert_array_equal(drawn(page), gone)
    page.keyboard.press("Control+z")
    page.keyboard.press("Shift+Q")
    page.keyboard.press("s")
    np.testing.assert_array_equal(drawn(page) == CORE, before == CORE)

    # a stroke that fills up to the next slice with its label is one step; a reload keeps it, and the brush
    page.keyboard.press("b")
    page.locator("#fill-at-once").check()
    page.keyboard.press("]")
    page.keyboard.press("q")
    go_to(page, 0)
    line(page, (40, 24), (40, 26))
    first = changes(page, before)
    go_to(page, 2)
    line(page, (40, 24), (40, 26))
    last = changes(page, first)
    assert [bool((last[z] != first[z]).any()) for z in range(4)] == [False, True, True, False]
    assert set(np.unique(last[last != before])) == {CORE}
    np.testing.assert_array_equal(on_server(own, page), last)
    page.reload()
    ready(page)
    np.testing.assert_array_equal(drawn(page), last)
    assert page.is_checked("#fill-at-once")
    assert page.input_value("#pen-size") == "9"
    for word, name in (("dl_nifti", "mask.nii.gz"), ("dl_png", "mask.zip")):
        with page.expect_download() as waiting:
            page.click(f"[data-t={word}]")
        waiting.value.save_as(tmp_path / name)
    labels = read_segmentation(tmp_path / "mask.nii.gz", labels=None)
    np.testing.assert_array_equal(labels.voxels, last)
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(drawn(page), first)


@pytest.mark.slow
def test_a_given_mask_is_shown_in_its_colours_and_corrected_with_its_labels(
    make_page: Any, server: Any, tmp_path: Path
) -> None:
    """The model says lesion or not; the true mask has the labels 2 and 4."""
    page = make_page()
    network = open_head(page, head(tmp_path / "scan", truth=True))
    assert set(np.unique(network)) == {0, 1}
    assert page.is_hidden("#labels")
    swatches = page.locator("#truth-labels .swatch").evaluate_all(
        "all => all.map((one) => one.style.background)"
    )
    assert len(set(swatches)) == 2
    keep(page, "labels-truth")
    page.click("#model-given")
    given = changes(page, network)
    assert set(np.unique(given)) == {0, 2, 4}
    until(lambda: page.locator("#labels .check").all_inner_texts() == ["Label 2", "Label 4"])
    until(lambda: "came with the scan" in page.inner_text("#model-made"))
    page.keyboard.press("b")
    page.keyboard.press("q")
    line(page, (30, 12), (22, 20))
    painted = changes(page, given)
    assert set(np.unique(painted[painted != given])) == {4}
    np.testing.assert_array_equal(on_server(server, page), painted)
    # the page of a server that has forgotten the scan begins with the given mask again
    id = page.evaluate("gliosegView.scan.id")
    server.application.service.store.drop(id)
    line(page, (40, 20), (40, 22))
    again = drawn(page)
    until(
        lambda: (
            page.evaluate("gliosegView.scan.id") != id or page.get_attribute("#panel", "data-sync") == "idle"
        )
    )
    settled(page)
    page.reload()
    ready(page)
    np.testing.assert_array_equal(drawn(page), again)
    np.testing.assert_array_equal(on_server(server, page), again)
    make_page.wrong[:] = [text for text in make_page.wrong if "404" not in text]


@pytest.mark.slow
@every_look
def test_labels_are_accessible_and_fit(
    own: Any, make_page: Any, axe: str, options: dict[str, Any], tmp_path: Path
) -> None:
    page = make_page(base_url=own.address, **options)
    open_head(page, head(tmp_path / "scan", truth=True))
    choose(page, "brush")
    page.locator("#fill").fill("0.4")
    fits(page)
    check(page, axe)
    page.locator("#labels").scroll_into_view_if_needed()
    keep(page, f"labels-{options['viewport']['width']}")
    page.locator("#numbers").scroll_into_view_if_needed()
    keep(page, f"labels-numbers-{options['viewport']['width']}")
