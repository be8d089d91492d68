"""What a model says of its own masks: expected DSC, and doubts about scans of another kind."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage
from typer.testing import CliRunner

from glioseg.cli import app
from glioseg.dataset.find import read_case
from glioseg.evaluation.calibration import assess
from glioseg.inference.appearance import Appearance, coarse, learn_appearance
from glioseg.inference.confidence import (
    DOUBTS,
    HARMLESS,
    Calibration,
    doubts,
    look_again,
    promised_dice,
)
from glioseg.inference.predictor import Predictor, load_predictor
from glioseg.io import read_scan
from glioseg.metrics import dice
from glioseg.prepare import Preparation
from glioseg.radiomics.statistics import Auc
from glioseg.samples import sample_cases
from glioseg.scan import Grid, Scan

PREPARE = Preparation(name="default", size=64)


# What the probabilities promise


def test_certain_masks_promise_everything_and_empty_ones_nothing() -> None:
    mask = np.zeros((2, 8, 8), bool)
    assert promised_dice(mask.astype(np.float32), mask) is None
    mask[0, 2:5, 2:5] = True
    assert promised_dice(mask.astype(np.float32), mask) == 1


@given(arrays.arrays(np.float32, (3, 5, 5), elements=st.floats(0, 1, width=32)))
def test_promise_lies_between_nothing_and_everything(probability: np.ndarray) -> None:
    mask = probability >= 0.5
    promised = promised_dice(probability, mask)
    assert (promised is None) == (not mask.any())
    assert promised is None or 0 < promised <= 1


def test_promise_is_the_mean_dice_over_truths_drawn_from_the_probabilities() -> None:
    generator = np.random.default_rng(0)
    probability = generator.beta(0.3, 0.9, (4, 30, 30))
    mask = probability >= 0.5
    drawn = [dice(mask, generator.random(mask.shape) < probability) for _ in range(300)]
    assert promised_dice(probability, mask) == pytest.approx(np.mean(drawn), abs=0.003)


@given(st.floats(-3, 3), st.floats(0, 5), st.floats(0, 1), st.floats(0, 1))
def test_more_promised_is_never_less_expected(intercept: float, slope: float, a: float, b: float) -> None:
    calibration = Calibration(intercept=intercept, slope=slope)
    low, high = sorted((a, b))
    assert 0 <= calibration(low) <= calibration(high) <= 1


def test_without_calibration_the_promise_stands() -> None:
    assert Calibration()(0.83) == pytest.approx(0.83)


def test_calibration_finds_what_was_put_in_and_counts_what_is_flagged() -> None:
    generator = np.random.default_rng(1)
    made = Calibration(intercept=-0.8, slope=1.4)
    promised: dict[str, float | None] = {f"p{n}": float(generator.uniform(0.5, 0.99)) for n in range(300)}
    noisy = {p: float(np.clip(made(x or 0) + generator.normal(0, 0.02), 0, 1)) for p, x in promised.items()}
    promised["nothing found"], noisy["nothing found"] = None, 0.0
    noisy["no truth"] = float("nan")
    found = assess(promised, noisy)
    assert found is not None
    assert found.calibration.intercept == pytest.approx(-0.8, abs=0.1)
    assert found.calibration.slope == pytest.approx(1.4, abs=0.1)
    assert found.calibration.patients == 300
    assert found.expected["nothing found"] == 0
    assert "no truth" not in found.true
    assert isinstance(found.area, Auc)
    assert found.area.value > 0.95
    hits, bad, alarms, good = found.flagged()
    assert bad + good == len(found.true)
    assert hits > 0.85 * bad
    assert alarms < 0.15 * good


def test_a_promise_that_says_nothing_is_told_so() -> None:
    generator = np.random.default_rng(2)
    found = assess(
        {f"p{n}": 0.9 for n in range(40)}, {f"p{n}": float(generator.uniform(0.6, 1)) for n in range(40)}
    )
    assert found is not None
    assert "0.500" in found.sentence()


def test_few_patients_calibrate_nothing() -> None:
    assert assess({f"p{n}": 0.9 for n in range(9)}, {f"p{n}": 0.8 for n in range(9)}) is None


# What training scans look like


def moved(voxels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A real scan a little turned, sized, shifted and lit otherwise: as near to another patient as can be."""
    angle, scale = np.radians(generator.uniform(-12, 12)), generator.uniform(0.9, 1.1)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.array(voxels.shape[1:3]) / 2
    offset = middle - turn @ middle + generator.uniform(-6, 6, 2)
    turned = np.empty(voxels.shape, np.float32)
    for place in np.ndindex(voxels.shape[0], voxels.shape[3]):
        turned[place[0], :, :, place[1]] = ndimage.affine_transform(
            voxels[place[0], :, :, place[1]].astype(np.float32), turn, offset, order=1
        )
    return 255 * (np.clip(turned, 0, 255) / 255) ** generator.uniform(0.8, 1.25)


@pytest.fixture(scope="module")
def real() -> list[Scan]:
    return [read_case(case)[0] for case in sample_cases()]


@pytest.fixture(scope="module")
def appearance(real: list[Scan]) -> Appearance:
    generator = np.random.default_rng(0)
    scans = [replace(scan, voxels=moved(scan.voxels, generator)) for scan in real[:2] for _ in range(14)]
    learned = learn_appearance([PREPARE(scan).images for scan in scans])
    assert learned is not None
    return learned


def judged(appearance: Appearance, scan: Scan) -> tuple[str, ...]:
    return appearance.doubts(PREPARE(scan).images[..., 1])


def test_a_scan_like_those_of_training_raises_no_doubt(appearance: Appearance, real: list[Scan]) -> None:
    assert [judged(appearance, scan) for scan in real[:2]] == [(), ()]
    # Two patients teach too little of contrast, but what a head looks like they teach.
    assert not {"unlike_training", "turned"} & set(judged(appearance, real[2]))
    assert judged(appearance, replace(real[0], voxels=real[0].voxels[:, :, ::-1])) == ()


@pytest.mark.parametrize("quarter", [1, 2, 3])
def test_turned_scans_are_told(appearance: Appearance, real: list[Scan], quarter: int) -> None:
    for scan in real:
        lying = replace(scan, voxels=np.rot90(scan.voxels, quarter, (1, 2)).copy())
        assert set(judged(appearance, lying)) & {"turned", "unlike_training"}


def test_other_images_are_told(appearance: Appearance, real: list[Scan]) -> None:
    scan = real[0]
    noise = np.random.default_rng(0).integers(0, 255, scan.voxels.shape, np.uint8)
    photo = read_scan(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").voxels[
        :, ::2, ::2
    ]
    for voxels in (255 - scan.voxels, noise, np.repeat(photo, 4, axis=0)):
        other = Scan(voxels=voxels, channels=scan.channels, grid=Grid(voxels.shape[:3]), id="other")
        assert judged(appearance, other) == ("unlike_training",)


def test_one_slice_is_not_judged(appearance: Appearance) -> None:
    assert appearance.doubts(np.random.default_rng(0).normal(size=(1, 64, 64))) == ()


def test_few_scans_teach_nothing(real: list[Scan]) -> None:
    assert learn_appearance([PREPARE(scan).images for scan in real]) is None


def test_training_scans_that_had_flair_alone_teach_no_contrast(real: list[Scan]) -> None:
    images = PREPARE(real[0]).images
    learned = learn_appearance([np.repeat(images[..., 1:2], 3, axis=-1)] * 20)
    assert learned is not None
    assert learned.contrast == ()
    assert learned.doubts(images[..., 1]) == ()


@given(st.integers(3, 9), st.integers(20, 90), st.integers(20, 90))
def test_coarse_image_keeps_the_mean_of_even_blocks(slices: int, height: int, width: int) -> None:
    assert coarse(np.full((slices, height, width), 2.5)) == pytest.approx(2.5)


# Both together, in the product


def test_every_doubt_has_words_in_both_languages() -> None:
    words = (Path(__file__).parents[1] / "glioseg/server/static/js/words.js").read_text(encoding="utf-8")
    assert all(words.count(f"flag_{key}:") == 2 for key in DOUBTS)
    assert set(DOUBTS) > HARMLESS


def test_what_is_told_of_a_mask(real: list[Scan]) -> None:
    scan = real[0]
    mask = np.zeros(scan.grid.shape, bool)
    flair = PREPARE(scan).images[..., 1]
    assert doubts(scan, mask, None, None, flair) == ("no_lesion",)
    mask[0, 100:120, 100:120] = True
    assert doubts(scan, mask, 0.9, None, flair) == ("cut_off",)
    assert not look_again(("cut_off",))
    assert doubts(replace(scan, filled=("pre",)), mask[::-1], 0.5, None, flair) == (
        "filled_sequences",
        "cut_off",
        "unsure",
    )
    assert look_again(("cut_off", "unsure"))
    hounsfield = replace(scan, voxels=scan.voxels.astype(np.int16) * 10 - 1024)
    assert "computed_tomography" in doubts(hounsfield, mask, 0.9, None, flair)


def test_predictions_carry_it(real: list[Scan], appearance: Appearance, shipped_model: Path) -> None:
    loaded = load_predictor()
    assert loaded.description.appearance is not None
    assert loaded.description.calibration.patients > 10
    description = loaded.description.model_copy(
        update={"appearance": appearance, "calibration": Calibration(intercept=-30, patients=12)}
    )
    prediction = Predictor(loaded.runtime, description)(real[0])
    assert prediction.promised_dice is not None
    assert prediction.promised_dice > 0.8
    assert prediction.expected_dice == pytest.approx(0, abs=1e-6)
    assert "unsure" in prediction.doubts


def test_the_command_asks_to_look(tmp_path: Path, real: list[Scan]) -> None:
    import nibabel

    volume = np.moveaxis(real[0].voxels[..., 1], 0, -1).astype(np.int16) * 10 - 1024
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([1, 1, 5, 1])), tmp_path / "ct.nii.gz")
    done = CliRunner().invoke(app, ["predict", str(tmp_path / "ct.nii.gz"), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert DOUBTS["computed_tomography"] in done.output
    assert "please look at this one" in done.output
    assert "computed_tomography" in (tmp_path / "out" / "summary.csv").read_text()
