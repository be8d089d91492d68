"""Products with matrices that resize: each row is 0 but for a few values close together."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]

BLOCK = 16
"""Rows that are multiplied together, with the columns that any of them has. Fewer cost more calls, more cost
more zeros; a multiple of what BLAS takes at a time gives the same bits as the whole matrix, in a fifth of the
time at 160 rows of 256."""


class Banded:
    """A matrix ``(new, old)`` to be multiplied with the rows or the columns of slices."""

    def __init__(self, matrix: Array) -> None:
        self.new = len(matrix)
        self._blocks = []
        for start in range(0, self.new, BLOCK):
            block = matrix[start : start + BLOCK]
            used = np.flatnonzero(block.any(axis=0))
            band = slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 1)
            self._blocks.append(
                (slice(start, start + len(block)), band, np.ascontiguousarray(block[:, band]))
            )

    def rows(self, values: Array) -> Array:
        """``matrix @ values``: ``(..., new, width)`` of ``(..., old, width)``."""
        made = np.empty((*values.shape[:-2], self.new, values.shape[-1]), np.float32)
        for target, band, block in self._blocks:
            np.matmul(block, values[..., band, :], out=made[..., target, :])
        return made

    def columns(self, values: Array) -> Array:
        """``values @ matrix.T``: ``(..., height, new)`` of ``(..., height, old)``."""
        made = np.empty((*values.shape[:-1], self.new), np.float32)
        for target, band, block in self._blocks:
            np.matmul(values[..., band], block.T, out=made[..., target])
        return made
