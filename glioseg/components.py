"""Connected parts of masks, found from the runs of set voxels in their rows, with NumPy alone.

:mod:`scipy.ndimage` gives the same parts the same numbers. Importing it takes longer than to segment a slice.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from glioseg.scan import BoolArray

Places = npt.NDArray[np.intp]


class Components:
    """The parts of a mask whose voxels are joined through faces, in the order of their first voxels.

    Args:
        mask: ``(slices, height, width)``.
        each_slice: slices are not joined to each other.

    Attributes:
        count: how many parts there are.

    >>> found = Components(np.array([[[True, False, True], [True, False, True]]]))
    >>> found.count, found.sizes.tolist()
    (2, [2, 2])
    >>> found.labels.tolist()
    [[[1, 0, 2], [1, 0, 2]]]
    """

    def __init__(self, mask: BoolArray, each_slice: bool = False) -> None:
        self._mask = mask
        slices, height, width = mask.shape
        # With a column and a row of nothing after each slice no run goes on where a row ends, and what is
        # one row or one slice further on is always as many places away.
        row, slice_ = width + 1, (height + 1) * (width + 1)
        padded = np.zeros((slices, height + 1, width + 1), bool)
        padded[:, :-1, :-1] = mask
        edges = np.flatnonzero(np.diff(padded.ravel(), prepend=False))
        self._starts, self._stops = edges[::2], edges[1::2]
        steps = (row,) if each_slice else (row, slice_)
        pairs = [_overlaps(self._starts, self._stops, step) for step in steps]
        one, other = (np.concatenate(side) for side in zip(*pairs, strict=True))
        first = _first_of_each(len(self._starts), one, other)
        begins = first == np.arange(len(first))
        self.count = int(begins.sum())
        # The part of each run, counted from 0.
        self._part = (np.cumsum(begins) - 1)[first]

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """The number of each voxel's part, from 1; 0 outside the mask."""
        labels = np.zeros(self._mask.shape, np.int32)
        labels[self._mask] = np.repeat((self._part + 1).astype(np.int32), self._stops - self._starts)
        return labels

    @cached_property
    def sizes(self) -> Places:
        """Voxels of each part."""
        sizes: Places = np.zeros(self.count, np.intp)
        np.add.at(sizes, self._part, self._stops - self._starts)
        return sizes

    def where(self, keep: BoolArray) -> BoolArray:
        """The mask of those parts for which ``keep`` is true, one for each part."""
        kept: BoolArray = np.zeros(self._mask.shape, bool)
        kept[self._mask] = np.repeat(keep[self._part], self._stops - self._starts)
        return kept

    @property
    def boxes(self) -> list[tuple[slice, slice, slice]]:
        """The smallest box around each part."""
        _, height, width = self._mask.shape
        rows, begin = np.divmod(self._starts, width + 1)
        end = begin + self._stops - self._starts
        slices, rows = np.divmod(rows, height + 1)
        sides = []
        for low, high in ((slices, slices + 1), (rows, rows + 1), (begin, end)):
            lowest, highest = np.full(self.count, self._mask.size), np.zeros(self.count, np.intp)
            np.minimum.at(lowest, self._part, low)
            np.maximum.at(highest, self._part, high)
            sides.append([slice(*ends) for ends in zip(lowest.tolist(), highest.tolist(), strict=True)])
        return list(zip(*sides, strict=True))


def _overlaps(starts: Places, stops: Places, step: int) -> tuple[Places, Places]:
    """Pairs of runs of which the second, so many places further on, has a voxel beside one of the first."""
    begin = np.searchsorted(stops, starts + step, side="right")
    count = np.searchsorted(starts, stops + step, side="left") - begin
    one = np.repeat(np.arange(len(starts)), count)
    within = np.arange(len(one)) - np.repeat(np.cumsum(count) - count, count)
    return one, begin[one] + within


def _first_of_each(count: int, one: Places, other: Places) -> Places:
    """For each of so many things the first of all that pairs join it to, over however many steps."""
    first: Places = np.arange(count)
    while len(one):
        least = np.minimum(first[one], first[other])
        np.minimum.at(first, first[one], least)
        np.minimum.at(first, first[other], least)
        while not np.array_equal(nearer := first[first], first):
            first = nearer
        apart = first[one] != first[other]
        one, other = one[apart], other[apart]
    return first
