"""Two time points of one patient as a person looks at them: side by side, scrolled together, in numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from support.server_kit import bright_flair_model

from .conftest import keep, ready, until
from .looks import check, every_look, fits
from .test_work_list import page_of


def time_point(folder: Path, name: str, radius: float, second: bool, slices: int = 8) -> None:
    """A head with a bright ball that grows, and perhaps another one, in slices of 4 mm."""
    z, y, x = np.ogrid[:slices, :96, :80]
    head = ((y - 48) / 40) ** 2 + ((x - 40) / 33) ** 2 < 1
    ball = ((z - 3) * 4) ** 2 + (y - 30) ** 2 + (x - 30) ** 2 < radius**2
    other = ((z - 6) * 4) ** 2 + (y - 62) ** 2 + (x - 48) ** 2 < 121 if second else np.zeros_like(ball)
    noise = np.random.default_rng(7).integers(0, 12, (slices, 96, 80))
    values = noise + head * 90 + (ball | other) * 150
    image = nibabel.Nifti1Image(values.astype(np.int16).transpose(2, 1, 0), np.diag([-1.0, -1.0, 4.0, 1.0]))
    folder.mkdir(exist_ok=True)
    nibabel.save(image, folder / f"{name}.nii.gz")


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("times")
    time_point(folder, "ann_2020", 10, second=False)
    time_point(folder, "ann_2023", 14, second=True)
    time_point(folder, "bob_2021", 9, second=False)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bright_flair_model(tmp_path_factory.mktemp("model") / "bright.onnx")


def shown(page: Any) -> list[str]:
    """Which slices are shown, and that their pictures have come."""
    drawn = "i => i.complete && i.naturalWidth > 100"
    until(lambda: page.evaluate(f"() => [...document.querySelectorAll('.sides img')].every({drawn})"))
    texts: list[str] = page.locator(".sides .small").all_inner_texts()
    return texts


def test_growth_a_new_lesion_and_slices_that_go_together(make_page: Any, patient: Path, model: Path) -> None:
    with page_of(make_page, listed=(patient,), model=str(model)) as page:
        page.goto("/list")
        ready(page)
        page.click("#followup")
        page.wait_for_selector("#shown", state="visible", timeout=60_000)
        # the two of one name are taken for one patient
        assert (page.inner_text("#name-before"), page.inner_text("#name-after")) == ("ann_2020", "ann_2023")
        fates = page.locator("#lesions tbody th").all_inner_texts()
        assert fates == ["larger", "new"]
        assert page.inner_text("#sentence").startswith("Larger by")
        rows = page.locator("#volumes tbody tr")
        before, after, difference = (rows.nth(place).locator("td").first.inner_text() for place in range(3))
        volumes = [float(text.split()[0].replace("+", "")) for text in (before, after, difference)]
        assert volumes[1] - volumes[0] == pytest.approx(volumes[2], abs=0.11)

        at = shown(page)
        assert at[0] == at[1]
        page.locator("#lesions button").nth(1).click()  # the new one
        assert shown(page) == ["Slice 7 of 8"] * 2
        page.locator("h1").click()
        page.keyboard.press("ArrowUp")
        assert shown(page) == ["Slice 8 of 8"] * 2
        page.locator("#slice-after").hover()
        page.mouse.wheel(0, -100)
        assert shown(page) == ["Slice 7 of 8"] * 2
        drawn = page.evaluate("document.getElementById('slice-after').src")
        page.uncheck("#outline")
        shown(page)
        assert page.evaluate("document.getElementById('slice-after').src") != drawn

        page.click("#swap")
        page.wait_for_selector("text=Smaller by")
        assert page.locator("#lesions tbody th").all_inner_texts() == ["smaller", "gone"]
        page.select_option("#after", label="bob_2021")
        page.wait_for_selector("#name-after >> text=bob_2021")


@every_look
def test_the_page_is_accessible_and_fits(
    make_page: Any, axe: str, patient: Path, model: Path, options: dict[str, Any]
) -> None:
    with page_of(make_page, options, listed=(patient,), model=str(model)) as page:
        page.goto("/followup")
        ready(page)
        page.wait_for_selector("#shown", state="visible", timeout=60_000)
        shown(page)
        fits(page)
        check(page, axe)
        keep(page, f"followup-{options['viewport']['width']}")


def test_scans_that_do_not_lie_in_one_head_are_refused_in_words(
    make_page: Any, tmp_path: Path, model: Path
) -> None:
    time_point(tmp_path / "two", "one", 12, second=False)
    time_point(tmp_path / "two", "two", 12, second=False)
    file = tmp_path / "two" / "two.nii.gz"
    image = nibabel.load(file)
    affine = image.affine.copy()
    affine[0, 3] += 500
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj), affine), file)
    with page_of(make_page, listed=(tmp_path / "two",), model=str(model)) as page:
        page.goto("/followup")
        page.wait_for_selector("#problems >> text=Register one of them onto the other", timeout=60_000)
        make_page.wrong.clear()  # the browser's own line about the refusal
