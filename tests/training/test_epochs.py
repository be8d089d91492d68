"""What an epoch has: which slices, in which batches, for how many processes."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from glioseg.dataset.cache import PreparedCase  # noqa: E402
from glioseg.recipe import Recipe, SamplingChoice, TrainChoice  # noqa: E402
from glioseg.training.data import EpochBatches, draw_epoch, validation_loader  # noqa: E402


def cases(*lesions: list[float]) -> list[PreparedCase]:
    made = []
    for number, lesion in enumerate(lesions):
        count = len(lesion)
        images = np.full((count, 8, 8, 3), number, np.float16)
        made.append(
            PreparedCase(f"p{number}", images, np.zeros((count, 8, 8), np.uint8), np.asarray(lesion, float))
        )
    return made


class TestEpoch:
    data = cases([0, 0, 50, 30, 0], [0] * 10 + [10], [5, 5])

    @pytest.mark.parametrize("name", ["lesion_weighted", "all_lesion", "every_slice"])
    def test_is_a_function_of_seed_and_epoch(self, name: str) -> None:
        choice = SamplingChoice(name=name)  # type: ignore[arg-type]
        again = draw_epoch(choice, self.data, 1, 3)
        np.testing.assert_array_equal(draw_epoch(choice, self.data, 1, 3), again)
        assert not np.array_equal(draw_epoch(choice, self.data, 1, 4), again)
        assert not np.array_equal(draw_epoch(choice, self.data, 2, 3), again)

    def test_all_lesion_has_each_lesion_slice_once(self) -> None:
        drawn = draw_epoch(SamplingChoice(name="all_lesion", empty_per_lesion=0.6), self.data, 0, 0)
        with_lesion = [(c, s) for c, s in drawn.tolist() if self.data[c].lesion[s] > 0]
        assert sorted(with_lesion) == [(0, 2), (0, 3), (1, 10), (2, 0), (2, 1)]
        assert len(drawn) == 5 + 3
        assert len({tuple(pair) for pair in drawn.tolist()}) == len(drawn)

    def test_balanced_patients_give_as_many_lesion_slices_each(self) -> None:
        data = cases([1.0] * 12 + [0.0] * 4, [1.0] * 3 + [0.0] * 4)
        for balance, expected in ((1.0, [7.5, 7.5]), (0.5, [10, 5]), (0.0, [12, 3])):
            choice = SamplingChoice(name="all_lesion", patient_balance=balance)
            counts = np.zeros(2)
            for epoch in range(400):
                drawn = [(c, s) for c, s in draw_epoch(choice, data, 0, epoch).tolist() if data[c].lesion[s]]
                counts += np.bincount([c for c, _ in drawn], minlength=2)
                # No slice comes again before all others of its patient have come.
                for patient in (0, 1):
                    times = np.bincount([s for c, s in drawn if c == patient], minlength=3)
                    times = times[: int(data[patient].lesion.sum())]
                    assert np.ptp(times) <= 1
            np.testing.assert_allclose(counts / 400, expected, atol=0.15)

    @pytest.mark.parametrize("balance", [0.0, 0.3, 0.5, 1.0])
    def test_every_epoch_is_as_long_so_that_the_schedule_ends_with_the_training(self, balance: float) -> None:
        data = cases(*([1.0] * count + [0.0] * 9 for count in (1, 2, 3, 5, 8, 13, 21)))
        choice = SamplingChoice(name="all_lesion", patient_balance=balance)
        assert {len(draw_epoch(choice, data, 3, epoch)) for epoch in range(100)} == {85}

    def test_every_slice_is_a_permutation(self) -> None:
        drawn = draw_epoch(SamplingChoice(name="every_slice"), self.data, 0, 0)
        assert sorted(map(tuple, drawn.tolist())) == [
            (c, s) for c, n in ((0, 5), (1, 11), (2, 2)) for s in range(n)
        ]

    def test_lesion_weighted_has_the_published_frequencies(self) -> None:
        drawn = np.concatenate([draw_epoch(SamplingChoice(), self.data, 0, epoch) for epoch in range(2000)])
        patients = np.bincount(drawn[:, 0], minlength=3) / len(drawn)
        np.testing.assert_allclose(patients, 1 / 3, atol=0.01)
        first = drawn[drawn[:, 0] == 0, 1]
        lesion = self.data[0].lesion
        expected = (lesion + 0.1 * lesion.sum() / 5) / (1.1 * lesion.sum())
        np.testing.assert_allclose(np.bincount(first, minlength=5) / len(first), expected, atol=0.015)

    def test_shares_of_two_processes_make_the_batches_of_one(self) -> None:
        recipe = Recipe(sampling=SamplingChoice(name="every_slice"), train=TrainChoice(batch_size=4))
        whole = list(EpochBatches(recipe, self.data, 0, 0, 1))
        shares = [list(EpochBatches(recipe, self.data, 0, rank, 2)) for rank in (0, 1)]
        assert len(whole) == 4
        for batch, first, second in zip(whole, *shares, strict=True):
            assert sorted(first + second) == sorted(batch)
            assert not set(first) & set(second)

    def test_more_steps_than_slices_go_round_again(self) -> None:
        recipe = Recipe(
            sampling=SamplingChoice(name="every_slice"), train=TrainChoice(batch_size=4, steps_per_epoch=9)
        )
        items = [item for batch in EpochBatches(recipe, self.data, 0, 0, 1) for item in batch]
        assert len(items) == 36
        # The same slice comes again at another position, so it is augmented differently.
        assert len({position for position, _, _ in items}) == 36

    def test_validation_deals_whole_patients_once(self) -> None:
        seen = []
        for rank in (0, 1):
            for batch in validation_loader(Recipe(), self.data, rank, 2):
                assert len(set(batch["case"].tolist())) == 1
                seen += [(int(batch["case"][0]), place) for place in batch["position"].tolist()]
        assert sorted(seen) == [(c, s) for c, n in ((0, 5), (1, 11), (2, 2)) for s in range(n)]
