"""One sequence of a scan as a network sees it, made a few slices at a time.

A long scan is never held prepared as a whole: each step of the preparation looks at all slices once, in
portions, and is then done to whichever slices are asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from glioseg.prepare.blas import one_blas_thread
from glioseg.prepare.frame import CHUNK, Array, chunks

KEPT = 64_000_000
"""Bytes up to which the prepared slices of a scan are kept for when they are asked for again: 208 slices of
three sequences at 160 pixels. Those of longer scans are made again, in a twentieth of the network's time."""
LATEST = 2
"""Portions that are kept besides: slices asked for in order, with those around them, are made once."""

Step = Callable[[Array, slice], None]
"""Changes some slices ``(slices, size, size)`` in place; the second argument says which of the scan's they
are."""


class Channel:
    """One sequence, resized, and changed by the steps that were learned from it.

    Args:
        resize: gives some slices as an array ``(slices, size, size)`` that may be changed.
        slices: how many there are.
        keep: whether they are kept once they are made.
    """

    def __init__(self, resize: Callable[[slice], Array], slices: int, keep: bool = True) -> None:
        self.slices = slices
        self._resize, self._keep = resize, keep
        self._steps: list[Step] = []
        self._kept: dict[int, Array] = {}
        self._latest: deque[tuple[int, Array]] = deque(maxlen=LATEST)

    def __len__(self) -> int:
        return self.slices

    def __getitem__(self, part: slice) -> Array:
        """Some slices, one after the other."""
        start, stop, _ = part.indices(self.slices)
        first = self._chunk(slice(start // CHUNK * CHUNK, min((start // CHUNK + 1) * CHUNK, self.slices)))
        made = np.empty((stop - start, *first.shape[1:]), np.float32)
        self.copy_to(made, start)
        return made

    def chunks(self) -> Iterator[tuple[slice, Array]]:
        """All slices in portions, as the steps so far make them; not to be changed."""
        for part in chunks(self.slices):
            yield part, self._chunk(part)

    def gathered(self, pick: Callable[[Array], Array]) -> Array:
        """What is picked of each slice ``(slices, ...)``, of all slices in one array."""
        found = None
        for part, values in self.chunks():
            picked = pick(values)
            if found is None:
                found = np.empty((self.slices, *picked.shape[1:]), np.float32)
            found[part] = picked
        assert found is not None
        return found

    def learn(self, how: Callable[[Channel], Step | None]) -> None:
        """Take one more step, learned from the slices as they are now; ``None`` changes nothing."""
        step = how(self)
        if step is None:
            return
        self._latest.clear()
        for start, values in self._kept.items():
            step(values, slice(start, start + len(values)))
        self._steps.append(step)

    def copy_to(self, target: Array, start: int) -> None:
        """Write the slices from ``start`` on into an array ``(slices, size, size)``, as many as it holds."""
        stop = start + len(target)
        for first in range(start // CHUNK * CHUNK, stop, CHUNK):
            last = min(first + CHUNK, self.slices)
            low, high = max(first, start), min(last, stop)
            target[low - start : high - start] = self._chunk(slice(first, last))[low - first : high - first]

    def _chunk(self, part: slice) -> Array:
        known = self._kept.get(part.start)
        if known is None:
            known = next((values for start, values in self._latest if start == part.start), None)
        if known is not None:
            return known
        with one_blas_thread():
            values = self._resize(part)
            for step in self._steps:
                step(values, part)
        if self._keep:
            self._kept[part.start] = values
        else:
            self._latest.append((part.start, values))
        return values
