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
from glioseg.evaluation.reliability import assess
from glioseg.grid import Grid
from glioseg.io import read_scan
from glioseg.measure.statistics import Auc
from glioseg.model.appearance import Appearance, coarse, learn_appearance
from glioseg.model.calibration import (
    DOUBTS,
    HARMLESS,
    Calibration,
    Evidence,
    doubts,
    evidence,
    look_again,
)
from glioseg.model.predictor import Predictor, load_model
from glioseg.prepare import Preparation
from glioseg.samples import sample_cases
from glioseg.scan import Scan
from glioseg.words import LANGUAGES, catalogue, sentence

PREPARE = Preparation(name="head", size=64)


# Expected DSC


def test_an_empty_mask_has_no_evidence() -> None:
    assert evidence(np.zeros((2, 8, 8), np.float32), np.zeros((2, 8, 8), bool)) is None


@given(arrays.arrays(np.float32, (3, 5, 5), elements=st.floats(0, 1, width=32)))
def test_certainty_is_that_of_the_voxels_within(probability: np.ndarray) -> None:
    mask = probability >= 0.5
    found = evidence(probability, mask)
    assert (found is None) == (not mask.any())
    assert found is None or (0.5 <= found.certainty <= 1 and found.border > 0)


def test_certainty_is_the_mean_precision_over_truths_drawn_from_the_probabilities() -> None:
    generator = np.random.default_rng(0)
    probability = generator.beta(0.3, 0.9, (4, 30, 30))
    mask = probability >= 0.5
    drawn = [(generator.random(mask.shape) < probability)[mask].mean() for _ in range(300)]
    found = evidence(probability, mask)
    assert found is not None
    assert found.certainty == pytest.approx(np.mean(drawn), abs=0.003)


def test_the_border_is_known_for_squares_and_discs_and_does_not_depend_on_the_voxels() -> None:
    def border(mask: np.ndarray) -> float:
        found = evidence(mask.astype(np.float32), mask)
        assert found is not None
        return found.border

    rows, columns = np.mgrid[-100:101, -100:101]
    disc = (rows**2 + columns**2 <= 80**2)[None]
    square = ((abs(rows) <= 80) & (abs(columns) <= 80))[None]
    assert border(disc) == pytest.approx(5.66 / np.pi**0.5, rel=0.03)
    assert border(square) == pytest.approx(4, rel=0.02)
    assert border(np.repeat(square, 5, axis=0)) == pytest.approx(border(square))
    assert border(disc[:, ::2, ::2]) == pytest.approx(border(disc), rel=0.05)
    empty = np.zeros_like(disc)
    assert border(np.concatenate([empty, disc, empty])) == border(disc)
    assert border(disc & ((rows // 10 + columns // 10) % 2 == 0)[None]) > 3 * border(disc)
    edge = square[:, 20:-20, 20:-20]  # fills the picture: beyond it there is no lesion
    assert border(edge) == pytest.approx(4, rel=0.02)


CERTAINTIES = st.floats(0, 1)


@given(st.floats(-3, 3), st.floats(0, 5), st.floats(-2, 0), CERTAINTIES, CERTAINTIES, st.floats(0, 20))
def test_more_certain_is_never_worse_nor_more_ragged_better(
    intercept: float, slope: float, border_slope: float, a: float, b: float, border: float
) -> None:
    calibration = Calibration(intercept=intercept, slope=slope, border_slope=border_slope)
    low, high = (Evidence(certainty, border) for certainty in sorted((a, b)))
    assert 0 <= calibration(low) <= calibration(high) <= 1
    assert calibration(Evidence(a, border + 1)) <= calibration(Evidence(a, border))


def test_without_calibration_the_certainty_stands() -> None:
    assert Calibration()(Evidence(0.83, 5.0)) == pytest.approx(0.83)


def drawn_evidence(generator: np.random.Generator, count: int) -> dict[str, Evidence | None]:
    return {
        f"p{n}": Evidence(float(generator.uniform(0.5, 0.99)), float(generator.uniform(3, 8)))
        for n in range(count)
    }


def test_calibration_finds_what_was_put_in_and_counts_what_is_flagged() -> None:
    generator = np.random.default_rng(1)
    made = Calibration(intercept=1.0, slope=1.4, border_slope=-0.3)
    found = drawn_evidence(generator, 300)
    noisy = {
        p: float(np.clip(made(clues) + generator.normal(0, 0.02), 0, 1))
        for p, clues in found.items()
        if clues is not None
    }
    found["nothing found"], noisy["nothing found"] = None, 0.0
    noisy["no truth"] = float("nan")
    reliability = assess(found, noisy)
    assert reliability is not None
    assert reliability.calibration.intercept == pytest.approx(1.0, abs=0.1)
    assert reliability.calibration.slope == pytest.approx(1.4, abs=0.1)
    assert reliability.calibration.border_slope == pytest.approx(-0.3, abs=0.02)
    assert reliability.calibration.patients == 300
    assert reliability.expected["nothing found"] == 0
    assert "no truth" not in reliability.true
    assert isinstance(reliability.area, Auc)
    assert reliability.area.value > 0.95
    hits, bad, alarms, good = reliability.flagged()
    assert bad + good == len(reliability.true)
    assert hits > 0.85 * bad
    assert alarms < 0.15 * good


def test_a_patient_is_judged_without_its_own_score() -> None:
    generator = np.random.default_rng(3)
    found = drawn_evidence(generator, 30)
    true = {patient: float(generator.uniform(0.6, 1)) for patient in found}
    before = assess(found, true)
    after = assess(found, {**true, "p7": 0.0})
    assert before is not None
    assert after is not None
    assert after.expected["p7"] == before.expected["p7"]
    assert after.calibration != before.calibration


def test_evidence_that_says_nothing_is_told_so() -> None:
    generator = np.random.default_rng(2)
    found = drawn_evidence(generator, 60)
    reliability = assess(found, {patient: float(generator.uniform(0.6, 1)) for patient in found})
    assert reliability is not None
    assert isinstance(reliability.area, Auc)
    # Below a half: a fit without the bad ones expects more of them.
    assert reliability.area.value < 0.6


def test_few_patients_calibrate_nothing() -> None:
    few = drawn_evidence(np.random.default_rng(4), 9)
    assert assess(few, dict.fromkeys(few, 0.8)) is None


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
    others = {"corrected", "not_stored"}  # what the server knows of a mask
    assert all(set(catalogue(language)["doubts"]) == {*DOUBTS, *others} for language in LANGUAGES)
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
    for spacing, told in (((3.0, 1.0, 5.0), True), ((1.0, 5.0, 1.0), False), ((5.0, 1.0, 3.0), False)):
        thick = replace(scan, grid=replace(scan.grid, spacing=spacing))
        assert ("thick_slices" in doubts(thick, mask, 0.9, None, flair)) is told
    assert not look_again(("thick_slices",))
    hounsfield = replace(scan, voxels=scan.voxels.astype(np.int16) * 10 - 1024)
    assert "computed_tomography" in doubts(hounsfield, mask, 0.9, None, flair)


def test_predictions_carry_it(real: list[Scan], appearance: Appearance, shipped_model: Path) -> None:
    loaded = load_model()
    assert loaded.description.appearance is not None
    assert loaded.description.calibration.patients > 10
    description = loaded.description.model_copy(
        update={"appearance": appearance, "calibration": Calibration(intercept=-30, patients=12)}
    )
    prediction = Predictor(loaded.runtime, description)(real[0])
    assert prediction.evidence is not None
    assert prediction.evidence.certainty > 0.8
    assert prediction.expected_dice == pytest.approx(0, abs=1e-6)
    assert "unsure" in prediction.doubts


def test_the_command_names_what_the_network_cannot_do_well(tmp_path: Path, real: list[Scan]) -> None:
    import nibabel

    flair = real[0].voxels[..., 1].astype(np.float32)
    thick = np.moveaxis(flair.reshape(len(flair), 256, 64, 4).mean(-1), 0, -1).swapaxes(0, 1)
    nibabel.save(nibabel.Nifti1Image(thick, np.diag([-4.0, -1, 5, 1])), tmp_path / "sagittal.nii.gz")
    command = ["predict", str(tmp_path / "sagittal.nii.gz"), "-o", str(tmp_path / "out"), "--no-outlines"]
    done = CliRunner().invoke(app, [*command, "--no-gif"])
    assert done.exit_code == 0, done.output
    assert f"note: {sentence('doubts', 'thick_slices')}" in done.output
    assert "thick_slices" in (tmp_path / "out" / "summary.csv").read_text()


def test_the_command_asks_to_look(tmp_path: Path, real: list[Scan]) -> None:
    import nibabel

    volume = np.moveaxis(real[0].voxels[..., 1], 0, -1).astype(np.int16) * 10 - 1024
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([1, 1, 5, 1])), tmp_path / "ct.nii.gz")
    done = CliRunner().invoke(app, ["predict", str(tmp_path / "ct.nii.gz"), "-o", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    assert sentence("doubts", "computed_tomography") in done.output
    assert "please look at this one" in done.output
    assert "computed_tomography" in (tmp_path / "out" / "summary.csv").read_text()
