"""The viewer in a real browser, from a scan to its corrected mask."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from glioseg.io import read_segmentation
from glioseg.samples import SAMPLES, sample_cases

from .conftest import keep, ready, refused, until, welcome

SAMPLE = sample_cases()[0]


def open_sample(page: Any) -> None:
    page.goto("/")
    page.click(f"text={SAMPLE.id}")
    ready(page)


def lesion_voxels(page: Any) -> int:
    return int(page.inner_text("tr[data-number=lesion_voxels] td").replace(",", ""))


def colours(page: Any) -> dict[str, int]:
    """Pixels of the outlines by colour."""
    found: dict[str, int] = page.evaluate("""() => {
        const canvas = document.getElementById("lines");
        const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        let red = 0, green = 0;
        for (let i = 0; i < data.length; i += 4) {
            if (data[i + 3] < 128) continue;
            if (data[i] > 200 && data[i + 1] < 120) red++;
            if (data[i + 1] > 200 && data[i] < 120) green++;
        }
        return { red, green };
    }""")
    return found


def downloaded_mask(page: Any, folder: Path) -> np.ndarray[Any, Any]:
    with page.expect_download() as waiting:
        page.click("text=Mask (as the scan)")
    path = folder / "mask.zip"
    waiting.value.save_as(path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder / "mask")
    (inside,) = (folder / "mask").iterdir()
    return read_segmentation(inside).voxels


def test_a_sample_is_looked_at_corrected_saved_and_downloaded(
    make_page: Any, server: Any, tmp_path: Path
) -> None:
    from glioseg.cli import app

    page = make_page()
    open_sample(page)
    slices = len(SAMPLE.images)
    keep(page, "viewer")

    # the mask is the command line's, voxel by voxel
    arguments = ["predict", str(SAMPLES / SAMPLE.id), "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    expected = read_segmentation(tmp_path / "out" / "masks" / SAMPLE.id).voxels
    np.testing.assert_array_equal(downloaded_mask(page, tmp_path), expected)
    assert lesion_voxels(page) == expected.sum()
    counts = expected.sum(axis=(1, 2))
    assert int(page.input_value("#slice")) == counts.argmax()

    # slices by slider, keys, wheel and strip
    page.focus("#slice")
    page.keyboard.press("Home")
    assert page.input_value("#slice") == "0"
    page.focus("#channel-flair")
    page.keyboard.press("End")
    assert page.inner_text("#slice-badge") == str(SAMPLE.slice_numbers[-1])
    page.hover("#stage")
    page.mouse.wheel(0, 100)
    until(lambda: page.input_value("#slice") == str(slices - 2))
    box = page.locator("#strip").bounding_box()
    page.mouse.click(box["x"] + box["width"] * (counts.argmax() + 0.5) / slices, box["y"] + 10)
    assert int(page.input_value("#slice")) == counts.argmax()

    # outlines, each by itself
    both = colours(page)
    assert min(both.values()) > 100
    page.keyboard.press("p")
    assert colours(page)["red"] == 0
    page.keyboard.press("t")
    assert colours(page) == {"red": 0, "green": 0}
    page.keyboard.press("p")
    page.keyboard.press("t")
    # Chromium draws a canvas that was read by another path, whose soft edges differ a little.
    assert colours(page) == {name: pytest.approx(count, rel=0.25) for name, count in both.items()}
    for key in "234h1h":
        page.keyboard.press(key)
    until(lambda: page.evaluate("gliosegView.channel") == "flair")
    until(lambda: page.evaluate("Boolean(gliosegView.heat)"))
    assert page.evaluate("gliosegView.heatOpacity") == 0
    assert page.is_enabled("#level")

    # brush, undo, eraser
    before = lesion_voxels(page)
    page.keyboard.press("b")
    stage = page.locator("#gl").bounding_box()
    across = [stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] * 0.9]
    page.mouse.move(across[0] - 30, across[1])
    page.mouse.down()
    page.mouse.move(across[0] + 30, across[1], steps=4)
    page.mouse.up()
    page.wait_for_selector("#flags >> text=Corrected by hand")
    painted = lesion_voxels(page)
    assert painted > before
    page.keyboard.press("z")
    until(lambda: lesion_voxels(page) == before)
    page.keyboard.press("e")
    centre = np.argwhere(expected[counts.argmax()]).mean(axis=0) / expected.shape[1:]
    side = min(stage["width"], stage["height"])
    left = stage["x"] + (stage["width"] - side) / 2
    top = stage["y"] + (stage["height"] - side) / 2
    page.mouse.move(left + side * centre[1] - 20, top + side * centre[0])
    page.mouse.down()
    page.mouse.move(left + side * centre[1] + 20, top + side * centre[0], steps=4)
    page.mouse.up()
    until(lambda: lesion_voxels(page) < before)
    keep(page, "corrected")

    # what is saved is what is seen, and training reads it
    from glioseg.dataset.find import find_cases, read_case

    page.click("#save")
    page.wait_for_selector("#saved:has-text('glioseg train')")
    (case,) = find_cases(server.corrected)
    _, mask = read_case(case)
    assert mask is not None
    assert mask.voxels.sum() == lesion_voxels(page)
    assert (mask.voxels != expected).any(axis=(1, 2)).sum() == 1
    assert not (mask.voxels & ~expected).any()


def test_a_chosen_volume_shows_three_planes_and_its_mask_matches(make_page: Any, tmp_path: Path) -> None:
    from support.server_kit import volume

    from glioseg.io import read_scan, write_segmentation
    from glioseg.model.predictor import load_model

    path = volume(tmp_path)
    page = make_page()
    welcome(page)
    page.set_input_files("#files", path)
    ready(page)
    assert page.inner_text("#scan-name") == "head"
    assert page.is_hidden("#show-true")
    assert "mm" in page.inner_text("tr[data-number=largest_diameter] td")
    with page.expect_download() as waiting:
        page.click("text=Mask (as the scan)")
    waiting.value.save_as(tmp_path / waiting.value.suggested_filename)
    prediction = load_model("default", threads=1)(read_scan(path))
    expected = write_segmentation(prediction.segmentation, tmp_path / "expected")[0]
    assert (tmp_path / expected.name).read_bytes() == expected.read_bytes()
    for planes in ("multi", "render", "axial"):
        page.select_option("#planes", planes)
        page.wait_for_timeout(300)
        keep(page, f"planes-{planes}")
        assert page.is_visible("#lines") == (planes != "render")  # outlines belong to slices
        assert colours(page)["red"] > 0 or planes == "render"


def test_a_wrong_file_says_what_is_wrong_in_the_page(make_page: Any, tmp_path: Path) -> None:
    page = make_page()
    welcome(page)
    wrong = tmp_path / "slice_1.tif"
    wrong.write_text("this is no picture", encoding="utf-8")
    page.set_input_files("#files", wrong)
    page.wait_for_selector("#problems >> text=slice_1.tif")
    assert page.is_visible("#welcome")
    keep(page, "problem")
    refused(make_page, 422)


def test_slices_are_dropped_with_their_masks(make_page: Any, tmp_path: Path) -> None:
    from support.server_kit import slices_of_sample

    page = make_page(locale="zh-CN")
    welcome(page)
    page.set_input_files("#files", slices_of_sample(tmp_path))
    ready(page)
    assert page.inner_text("#scan-name") == SAMPLE.id
    assert page.get_attribute("html", "lang") == "zh-Hans"
    assert page.is_visible("text=研究软件，不可用于临床。")
    page.click("#language")
    assert page.is_visible("text=Not for clinical use")
    assert page.is_visible("tr[data-number=dice]")
    page.focus("tr[data-number=dice] button")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Tab")
    assert page.is_visible("#tip-dice")


def test_a_truth_with_labels_offers_a_choice(make_page: Any, tmp_path: Path) -> None:
    import nibabel
    from support.server_kit import volume

    head = volume(tmp_path)
    image = nibabel.load(head)
    labels = np.zeros(image.shape, np.uint8)  # type: ignore[attr-defined]
    labels[10:14, 10:14, 2] = 1
    labels[14:18, 10:14, 2] = 4
    nibabel.save(nibabel.Nifti1Image(labels, image.affine), tmp_path / "head_seg.nii.gz")  # type: ignore[attr-defined]
    page = make_page()
    welcome(page)
    page.set_input_files("#files", [head, tmp_path / "head_seg.nii.gz"])
    ready(page)
    boxes = page.locator("#truth-labels input")
    assert [boxes.nth(i).is_checked() for i in range(2)] == [True, True]
    keep(page, "truth-labels")
    before = page.inner_text("tr[data-number=sensitivity] td")
    total = page.evaluate("gliosegView.masks.true.reduce((sum, value) => sum + (value > 0), 0)")
    boxes.nth(0).uncheck()
    until(
        lambda: (
            page.evaluate("gliosegView.masks.true.reduce((sum, value) => sum + (value > 0), 0)") == total / 2
        )
    )
    boxes = page.locator("#truth-labels input")
    until(lambda: page.locator("#truth-labels input:checked").count() == 1)
    boxes.nth(1).click()  # one stays chosen
    assert page.locator("#truth-labels input:checked").count() == 1
    assert before


def test_what_does_not_come_is_not_told_as_shown(make_page: Any) -> None:
    page = make_page()
    open_sample(page)
    page.route("**/view/*", lambda route: route.abort())
    page.click("#channel-rgb")
    page.wait_for_selector("#problems", state="visible")
    assert page.is_checked("#channel-flair")
    page.click("#show-heat")
    until(lambda: not page.is_checked("#show-heat"))
    assert page.is_hidden("#heat-row")
    make_page.wrong.clear()  # the browser's own lines about what did not come
    page.unroute("**/view/*")
    page.click("#channel-rgb")
    until(lambda: page.evaluate("gliosegView.channel") == "rgb")
    page.click("#show-heat")
    until(lambda: page.evaluate("gliosegView.heat !== null"))
    # The mask that came with the scan has no probability map; that of the network has one again.
    page.click("#model-given")
    page.wait_for_selector("#show-heat", state="hidden")
    assert page.is_hidden("#heat-row")
    page.click("#model-again")
    page.wait_for_selector("#show-heat")
    assert not page.is_checked("#show-heat")
