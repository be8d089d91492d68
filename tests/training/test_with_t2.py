"""A network that takes T2 besides the sequences of the LGG data set, from data to mask."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from support.layouts_kit import LAYOUTS, pieces

import glioseg
from glioseg.augment import Augmentation
from glioseg.batch import predict_many
from glioseg.io import find_scans
from glioseg.recipe import AugmentChoice, load_recipe
from glioseg.scan import CHANNELS, SEQUENCES

SETTINGS = [
    'input.sequences=["flair", "t1", "t1c", "t2"]',
    "input.neighbours=1",
    "prepare.size=32",
    "network.arguments.features=2",
    "train.epochs=1",
    "train.steps_per_epoch=2",
    "train.batch_size=2",
    "split.name=holdout",
    "split.fraction=0.3",
    "augment.missing=0.5",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("brats")
    LAYOUTS["brats_2023"].make(data, pieces())
    return data


def test_trained_evaluated_and_used(folder: Path, tmp_path: Path) -> None:
    run = glioseg.train(
        folder, load_recipe("reference", SETTINGS), tmp_path / "run", cache=tmp_path / "cache"
    )
    predictor = glioseg.load_model(run.path)
    assert predictor.description.sequences == ("flair", "pre", "post", "t2")
    assert predictor.channels == SEQUENCES
    assert len(glioseg.evaluate(predictor, folder).own["dice"].values) == 3

    sources, _ = find_scans([folder])
    scan = sources[0].with_sequences(predictor.description.sequences).read()
    probability = predictor(scan).probability
    darker = scan.voxels.copy()
    darker[..., SEQUENCES.index("t2")] //= 4
    darker[:, ::2, :, SEQUENCES.index("t2")] = 0
    changed = predictor(glioseg.Scan(darker, scan.grid, scan.id, scan.channels))
    assert not np.array_equal(probability, changed.probability), "T2 reaches the network"

    outcome = predict_many(sources[:1], tmp_path / "out", predictor)
    assert (outcome.faults, len(outcome.results)) == ([], 1)
    mask = glioseg.segment(folder / "p001", model=run.path).segmentation
    assert outcome.results[0].lesion_voxels == int(mask.mask.sum())

    without = glioseg.segment(sources[0].read(), model=predictor)
    assert "filled_sequences" in without.doubts


def test_a_scan_with_t2_serves_a_network_without(folder: Path) -> None:
    sources, _ = find_scans([folder])
    plain = sources[0].read()
    assert plain.channels == CHANNELS
    more = sources[0].with_sequences(SEQUENCES).read()
    one, other = (glioseg.segment(scan).probability for scan in (plain, more))
    np.testing.assert_array_equal(one, other)


def test_t2_is_augmented_by_numbers_of_its_own_and_dropped() -> None:
    images = torch.rand(4, 6, 16, 16, generator=torch.Generator().manual_seed(1))
    targets = torch.zeros(4, 1, 16, 16)
    choice = AugmentChoice(gamma=0.3, gain=0.2, offset=0.3)
    augmentation = Augmentation(choice, SEQUENCES)
    draws = augmentation.draw(1, 2, range(4))
    got, _ = augmentation(images, targets, draws)
    plain, _ = Augmentation(choice)(images[:, [0, 1, 2, 4, 5]], targets, draws)
    torch.testing.assert_close(got[:, [0, 1, 2, 4, 5]], plain)  # the others as without T2
    alone, _ = Augmentation(choice)(images[:, [0, 3, 2]], targets, draws)
    assert not torch.allclose(got[:, 3], alone[:, 1])

    dropping = Augmentation(AugmentChoice(missing=1.0), SEQUENCES)
    dropped, _ = dropping(images, targets, draws)
    torch.testing.assert_close(dropped[:, 3], images[:, 1])
    torch.testing.assert_close(dropped[:, 4:], images[:, 4:])
