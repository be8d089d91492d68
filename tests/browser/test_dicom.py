"""DICOM in a real browser: a study in, its series chosen, a SEG beside it as the truth, a SEG out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from support import dicom_kit
from typer.testing import CliRunner

from glioseg.io import read_scan, read_segmentation, write_segmentation
from glioseg.samples import SAMPLES, sample_cases

from .conftest import keep, ready, refused, until, welcome
from .looks import check, fits
from .test_viewer import colours

SAMPLE = sample_cases()[0]


def study(folder: Path, **words: str) -> list[Path]:
    """A bundled scan as a study; its sequences under these descriptions."""
    scan = read_scan(SAMPLES / SAMPLE.id)
    for name, description in words.items():
        voxels = scan.channel(name).transpose(2, 1, 0).astype(np.uint16)
        dicom_kit.series(folder, voxels, name=description)
    return sorted(folder.glob("*.dcm"))


def downloaded(page: Any, word: str, path: Path) -> Path:
    with page.expect_download() as waiting:
        page.click(f"[data-t={word}]")
    waiting.value.save_as(path)
    return path


def test_a_dicom_study_gives_the_masks_of_the_command_line(make_page: Any, tmp_path: Path) -> None:
    from glioseg.cli import app

    files = study(tmp_path / "study", flair="Ax T2 FLAIR", post="Ax T1 POST")
    page = make_page()
    welcome(page)
    page.set_input_files("#files", files)
    ready(page)
    keep(page, "dicom")
    assert page.inner_text("#scan-name") == "dicom"
    seg = downloaded(page, "dl_seg", tmp_path / "seg.dcm")
    nifti = downloaded(page, "dl_nifti", tmp_path / "mask.nii.gz")
    page.locator("#downloads").scroll_into_view_if_needed()
    keep(page, "dicom-downloads")

    done = CliRunner().invoke(app, ["predict", str(tmp_path / "study"), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    masks = tmp_path / "out" / "masks"
    scan = read_scan(tmp_path / "study")
    expected = read_segmentation(masks / "study_mask.dcm", scan).voxels
    assert expected.any()
    for path in (seg, nifti, masks / "study_mask.nii.gz"):
        np.testing.assert_array_equal(read_segmentation(path, scan).voxels, expected)
    assert pydicom.dcmread(seg).SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"


@pytest.mark.slow
def test_the_series_are_chosen_by_keyboard_when_the_server_cannot_tell(
    make_page: Any, axe: str, tmp_path: Path
) -> None:
    files = study(tmp_path, flair="Sequence A", pre="Sequence B", post="Sequence C with a long description")
    page = make_page()
    welcome(page)
    page.set_input_files("#files", files)
    page.wait_for_selector("#series li")
    refused(make_page, 422)
    titles = [item.split(":")[0] for item in page.locator("#series li").all_inner_texts()]
    assert [title.split("'")[1].split()[1] for title in titles] == ["A", "B", "C"]
    assert f"{len(SAMPLE.images)} images, axial" in page.locator("#series li").first.inner_text()
    check(page, axe)
    keep(page, "series")
    page.set_viewport_size({"width": 390, "height": 844})
    fits(page)
    page.set_viewport_size({"width": 1280, "height": 860})

    # Without FLAIR nothing is sent; the form is in the language of the page, also after a change.
    page.click("#series [type=submit]")
    assert page.is_visible("#welcome")
    page.click("#language")
    assert "张图像，轴位" in page.locator("#series li").first.inner_text()
    page.click("#language")
    page.focus("#series [name=flair]")
    for keys in (("ArrowDown",), ("ArrowDown", "ArrowDown"), ()):  # A is FLAIR, B is pre-contrast, post: none
        for key in keys:
            page.keyboard.press(key)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    ready(page)
    assert page.is_hidden("#series")
    assert page.is_enabled("#channel-pre")
    assert page.is_disabled("#channel-post")
    assert page.is_visible("#flags >> text=post-contrast")

    # Whoever disagrees chooses anew: B is FLAIR now, and nothing else is there.
    before = page.evaluate("gliosegView.images.flair.img[100000]")
    page.click("#choose-series")
    keep(page, "series-again")
    page.select_option("#series [name=flair]", label="series 10 'Sequence B'")
    page.select_option("#series [name=pre]", "none")
    page.click("#series [type=submit]")
    until(lambda: page.is_hidden("#series"))
    ready(page)
    assert page.is_disabled("#channel-pre")
    assert page.evaluate("gliosegView.images.flair.img[100000]") != before


def test_a_seg_beside_its_series_is_the_true_outline(make_page: Any, tmp_path: Path) -> None:
    from glioseg.dataset.find import read_case

    study(tmp_path, flair="Ax T2 FLAIR")
    scan, (_, truth) = read_scan(tmp_path), read_case(SAMPLE)
    assert truth is not None
    write_segmentation(scan.segmentation(truth.mask, id="expert"), tmp_path)
    page = make_page()
    welcome(page)
    page.set_input_files("#files", sorted(tmp_path.glob("*.dcm")))
    ready(page)
    keep(page, "seg-as-truth")
    assert page.is_visible("tr[data-number=dice]")
    assert min(colours(page).values()) > 100
    assert page.evaluate("gliosegView.masks.true.reduce((sum, value) => sum + value, 0)") == truth.mask.sum()
