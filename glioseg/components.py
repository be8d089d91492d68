"""Connected parts of masks, found from the runs of set voxels in their rows, with NumPy alone.

:mod:`scipy.ndimage` gives the same parts the same numbers. Importing it takes longer than to segment a slice.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from glioseg.scan import BoolArray

Places = npt.NDArray[np.intp]

MOST_AT_A_TIME = 1 << 21
"""Voxels that are looked at together, unless one slice has more."""


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
        height, width = mask.shape[1:]
        # With a column and a row of nothing after each slice no run goes on where a row ends, and what is
        # one row or one slice further on is always as many places away.
        self._row, self._slice = width + 1, (height + 1) * (width + 1)
        edges = np.concatenate([np.zeros(0, np.intp), *(self._edges(some) for some in self.portions)])
        self._starts, self._stops = edges[::2], edges[1::2]
        steps = (self._row,) if each_slice else (self._row, self._slice)
        pairs = [_overlaps(self._starts, self._stops, step) for step in steps]
        one, other = (np.concatenate(side) for side in zip(*pairs, strict=True))
        first = _first_of_each(len(self._starts), one, other)
        begins = first == np.arange(len(first))
        self.count = int(begins.sum())
        # The part of each run, counted from 0.
        self._part = (np.cumsum(begins) - 1)[first]

    def _edges(self, some: slice) -> Places:
        """Where runs of some slices begin and end, in turn."""
        mask = self._mask[some]
        padded = np.pad(mask, ((0, 0), (0, 1), (0, 1)))
        return some.start * self._slice + np.flatnonzero(np.diff(padded.ravel(), prepend=False))

    @property
    def portions(self) -> list[slice]:
        """Slices a few at a time, so that what is made of them takes little memory."""
        slices, height, width = self._mask.shape
        step = max(1, MOST_AT_A_TIME // max(1, height * width))
        return [slice(start, min(start + step, slices)) for start in range(0, slices, step)]

    def labels_of(self, some: slice) -> npt.NDArray[np.int32]:
        """The number of each voxel's part, from 1, in some slices; 0 outside the mask."""
        begin, end = np.searchsorted(self._starts, (some.start * self._slice, some.stop * self._slice))
        labels = np.zeros(self._mask[some].shape, np.int32)
        numbers = (self._part[begin:end] + 1).astype(np.int32)
        labels[self._mask[some]] = np.repeat(numbers, (self._stops - self._starts)[begin:end])
        return labels

    @property
    def labels(self) -> npt.NDArray[np.int32]:
        """:meth:`labels_of` all slices."""
        return self.labels_of(slice(0, len(self._mask)))

    @cached_property
    def sizes(self) -> Places:
        """Voxels of each part."""
        sizes: Places = np.zeros(self.count, np.intp)
        np.add.at(sizes, self._part, self._stops - self._starts)
        return sizes

    @property
    def boxes(self) -> list[tuple[slice, slice, slice]]:
        """The smallest box around each part."""
        slices, rest = np.divmod(self._starts, self._slice)
        rows, begin = np.divmod(rest, self._row)
        end = begin + self._stops - self._starts
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
