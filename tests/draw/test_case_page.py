"""The page about one case: which slices it shows, what it says, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from glioseg.cli import app
from glioseg.draw import chinese_font
from glioseg.draw.case_page import CaseFacts, case_page, key_slices
from glioseg.grid import Grid
from glioseg.samples import SAMPLES
from glioseg.scan import Scan, Segmentation


def pages(path: Path) -> int:
    return len(re.findall(rb"/Type /Page\b", path.read_bytes()))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=40), st.integers(1, 6))
def test_key_slices_show_the_lesion_and_its_largest_slice(areas: list[int], count: int) -> None:
    voxels = np.zeros((len(areas), 3, 3), np.uint8)
    for position, area in enumerate(areas):
        voxels[position].flat[:area] = 1
    chosen = key_slices(Segmentation(voxels, Grid(voxels.shape)), count)
    assert chosen == sorted(set(chosen))
    assert 1 <= len(chosen) <= count
    if any(areas):
        assert all(areas[position] for position in chosen)
        assert len(chosen) == min(count, sum(area > 0 for area in areas))
        assert max(areas) in [areas[position] for position in chosen]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """All that is written on the pages that are drawn."""
    from matplotlib.text import Text

    found: list[str] = []
    draw = Text.draw

    def noted(self: Text, *arguments: object, **options: object) -> None:
        found.append(self.get_text())
        draw(self, *arguments, **options)

    monkeypatch.setattr(Text, "draw", noted)
    return found


def case(
    spacing: tuple[float, float, float] | None, filled: tuple[str, ...] = ()
) -> tuple[Scan, Segmentation]:
    voxels = np.random.default_rng(1).integers(0, 200, (8, 40, 40, 3), dtype=np.uint8)
    scan = Scan(voxels, Grid((8, 40, 40), spacing), "somebody", filled=filled)
    mask = np.zeros((8, 40, 40), bool)
    mask[2:6, 10:20, 10:30] = True
    mask[4, 30:33, 30:33] = True
    return scan, scan.segmentation(mask)


def test_it_says_what_is_known_in_the_units_that_are_known(tmp_path: Path, told: list[str]) -> None:
    scan, mask = case((5.0, 1.0, 1.0), filled=("pre",))
    facts = CaseFacts("lite", 0.4, 0.75, ("unsure", "filled_sequences"))
    path = case_page(scan, mask, facts, tmp_path / "page.pdf")
    assert pages(path) == 1
    text = "\n".join(told)
    for part in (
        "somebody",
        "4.0 ml",
        "4 of 8",
        "0.75",
        "lite, threshold 0.4",
        "flair, post; pre missing",
        "5 x 1 x 1 mm",
    ):
        assert part in text
    assert "Not for clinical use" in text
    assert "0.04 ml" in text, "the second lesion, of 45 mm3"
    assert "22.4 x 17.9 mm" in text, "both diameters of the first"
    assert not re.search(r"\{\w+\}", text), "every sentence is filled"


def test_without_a_spacing_there_are_no_millimetres(tmp_path: Path, told: list[str]) -> None:
    scan, mask = case(None)
    case_page(scan, mask, CaseFacts("lite", 0.5), tmp_path / "page.pdf")
    text = "\n".join(told)
    assert "809 voxels" in text
    assert "pixels" in text
    assert " mm" not in text
    assert " ml" not in text
    assert "not known of this mask" in text


def test_an_empty_mask_in_chinese(tmp_path: Path, told: list[str]) -> None:
    scan, _ = case((5.0, 1.0, 1.0))
    empty = scan.segmentation(np.zeros((8, 40, 40), bool))
    path = case_page(
        scan, empty, CaseFacts("lite", 0.5, None, ("no_lesion",)), tmp_path / "页.pdf", "zh", chinese_font()
    )
    assert pages(path) == 1
    text = "\n".join(told)
    assert "未发现病灶" in text
    assert not re.search("Lesion|slice|missing|pixels", text)


def test_several_labels_are_named_with_their_sizes(tmp_path: Path, told: list[str]) -> None:
    scan, mask = case((5.0, 1.0, 1.0))
    voxels = np.where(mask.mask, np.uint8(2), np.uint8(0))
    voxels[3, 10:20, 10:30] = 7
    several = Segmentation(voxels, scan.grid, scan.id, labels={2: "oedema", 7: "enhancing tumour core"})
    case_page(scan, several, CaseFacts("lite", 0.5), tmp_path / "page.pdf")
    text = "\n".join(told)
    assert "oedema 3.0 ml" in text
    assert "enhancing tum… 1.0 ml" in text
    assert "red:" not in text


def test_predict_writes_one_for_each_scan(tmp_path: Path) -> None:
    scan = next(SAMPLES.iterdir())
    options = ["--report", "--no-outlines", "--no-gif", "--fast"]
    result = CliRunner().invoke(app, ["predict", str(scan), "-o", str(tmp_path), *options])
    assert result.exit_code == 0, result.output
    (page,) = (tmp_path / "reports").iterdir()
    assert page.name == f"{scan.name}.pdf"
    assert page.read_bytes().startswith(b"%PDF")
