"""Take out the shading that coils leave: near one, healthy tissue is as bright as a lesion elsewhere.

The logarithm of the shading is a polynomial of the place, fitted to how the logarithm of the intensities
rises from a block of tissue to the next. Within tissue that is shading and little else; at the outline of a
lesion or of a ventricle it is steep, and counts little. So a lesion stays as bright against its surroundings
as it was, however large it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.prepare.channel import Channel, Step
from glioseg.prepare.frame import Array
from glioseg.prepare.tissue import INNER, ellipse
from glioseg.scan import BoolArray

DEGREE = 3
"""Of the polynomial, over all three axes."""
POWERS = tuple(
    (along, down, across)
    for along in range(DEGREE + 1)
    for down in range(DEGREE + 1 - along)
    for across in range(DEGREE + 1 - along - down)
    if along + down + across
)
"""Of the slice, row and column of each term; a constant is no shading."""

BLOCKS = 32
"""Blocks a side whose means are compared."""
BRAIN = 0.46, 0.40
"""Half axes of the ellipse that holds the brain and little of the scalp."""
TISSUE = 0.2
"""Share of the upper quartile within the inner ellipse below which a block has air, bone or fluid in it."""
STEEPEST = 0.4
"""Rise of the logarithm from block to block that shading never has."""
USUAL = 0.06
"""Rise beyond the fitted one that counts a quarter."""
ROUNDS = 10
"""Of the fit, each with weights from the one before."""
MOST_RISES = 15_000
"""Rises that are fitted at most."""
FEWEST_RISES = 400
"""Rises below which there is nothing to tell shading from."""
FULL_SLICE = 0.3
"""Share of the most tissue in a slice below which one at an end is not fitted, but shaded as the next one."""
STRONGEST = 0.6
"""Logarithm of the shading that is taken out at most, where the polynomial runs away outside the brain."""


def learn_shading(channel: Channel) -> Step | None:
    """Learn to divide a channel by its shading; on average tissue stays as it is.

    Args:
        channel: values of at least 0, with 0 for air.

    Returns:
        ``None`` if there is too little tissue to tell.
    """
    logs, tissue = _blocks(channel)
    full = _full_slices(tissue)
    tissue[: full.start] = tissue[full.stop :] = False
    low, high, rise = _rises(logs, tissue)
    if len(rise) < FEWEST_RISES:
        return None
    places = _places(logs.shape, full)
    coefficients = _fit(_terms(places, high) - _terms(places, low), rise)
    table = np.zeros((DEGREE + 1,) * 3)
    table[tuple(np.transpose(POWERS))] = coefficients
    table[0, 0, 0] = -_polynomial(table, places)[tissue].mean()

    def correct(values: Array, part: slice) -> None:
        along, down, across = _places((channel.slices, *values.shape[1:]), full)
        shading = _polynomial(table, (along[part], down, across))
        np.clip(shading, -STRONGEST, STRONGEST, out=shading)
        values /= np.exp(shading, out=shading)

    return correct


def _blocks(channel: Channel) -> tuple[Array, BoolArray]:
    """Logarithm of the mean of each block ``(slices, blocks, blocks)``, and which blocks are tissue."""
    means, least = np.moveaxis(channel.gathered(_means_and_least), 1, 0)
    count = means.shape[1]
    typical = np.percentile(means[:, ellipse(count, INNER)], 75)
    tissue: BoolArray = (least > TISSUE * typical) & ellipse(count, BRAIN)
    return np.log(np.where(tissue, means, 1)), tissue


def _means_and_least(values: Array) -> Array:
    """Mean and least value of each block ``(slices, 2, blocks, blocks)``.

    Added up pixel by pixel of all blocks at once: NumPy's own sums over small blocks take ten times as long.
    """
    slices, size = values.shape[:2]
    side = max(1, size // BLOCKS)
    count = size // side
    parts = values[:, : count * side, : count * side].reshape(slices, count, side, count, side)
    sums, least = parts[..., 0].copy(), parts[..., 0].copy()
    for column in range(1, side):
        sums += parts[..., column]
        np.minimum(least, parts[..., column], out=least)
    return np.stack([sums.sum(axis=2) / np.float32(side**2), least.min(axis=2)], axis=1)


def _rises(logs: Array, tissue: BoolArray) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Array]:
    """Where tissue goes on in the next block: both places ``(rises, 3)``, and the rise of the logarithm.

    One in so many, if there are more than :data:`MOST_RISES`.
    """
    along = []
    for axis in range(3):
        before, after = (
            tuple(part if axis == other else slice(None) for other in range(3))
            for part in (slice(None, -1), slice(1, None))
        )
        rise = logs[after] - logs[before]
        along.append((rise, tissue[before] & tissue[after] & (np.abs(rise) < STEEPEST)))
    counts = [int(np.count_nonzero(gentle)) for _, gentle in along]
    step, passed = max(1, -(-sum(counts) // MOST_RISES)), 0
    lows, highs, rises = [], [], []
    for (rise, gentle), count, ahead in zip(along, counts, np.eye(3, dtype=np.intp), strict=True):
        chosen = np.flatnonzero(gentle)[-passed % step :: step]
        passed += count
        lows.append(np.stack(np.unravel_index(chosen, gentle.shape), axis=-1))
        highs.append(lows[-1] + ahead)
        rises.append(rise.ravel()[chosen])
    return np.concatenate(lows), np.concatenate(highs), np.concatenate(rises)


def _terms(
    places: tuple[npt.NDArray[np.float64], ...], where: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """The terms of the polynomial at some blocks, ``(terms, blocks)``."""
    # Powers of the few places along each axis, not of every block's.
    along, down, across = (
        [(axis.ravel() ** power)[index] for power in range(DEGREE + 1)]
        for axis, index in zip(places, where.T, strict=True)
    )
    return np.stack([along[i] * down[j] * across[k] for i, j, k in POWERS])


def _fit(slope: npt.NDArray[np.float64], rise: Array) -> npt.NDArray[Any]:
    """Coefficients with ``coefficients @ slope`` near ``rise``; what is far off counts little."""
    weights, wanted = np.ones(len(rise)), rise.astype(np.float64)
    keep_small = 1e-6 * len(rise) * np.eye(len(slope))  # terms that a single slice does not tell
    weighted = np.empty_like(slope)
    for _ in range(ROUNDS):
        np.multiply(slope, weights, out=weighted)
        coefficients = np.linalg.solve(weighted @ slope.T + keep_small, weighted @ wanted)
        weights = 1 / (1 + ((wanted - coefficients @ slope) / USUAL) ** 2) ** 2
    return coefficients


def _full_slices(tissue: BoolArray) -> slice:
    """The slices between the first and the last that show much of the brain."""
    counts = tissue.sum(axis=(1, 2))
    full = np.flatnonzero(counts >= FULL_SLICE * counts.max())
    return slice(int(full[0]), int(full[-1]) + 1)


def _polynomial(table: npt.NDArray[np.float64], places: tuple[npt.NDArray[np.float64], ...]) -> Array:
    """Values of a polynomial, its coefficients by the powers of slice, row and column."""
    along, down, across = (
        np.vander(axis.ravel(), DEGREE + 1, increasing=True).astype(np.float32) for axis in places
    )
    in_slice = np.einsum("si,ijk->sjk", along, table.astype(np.float32))
    values: Array = down @ in_slice @ across.T
    return values


def _places(shape: tuple[int, ...], full: slice) -> tuple[npt.NDArray[np.float64], ...]:
    """Slice, row and column of each place from -1 to 1, to be broadcast.

    The full slices go from -1 to 1, those beyond are where the nearest full one is; one alone is at 0.
    """
    slices, height, width = shape
    count = full.stop - full.start
    ends = np.clip(np.arange(slices) - full.start, 0, count - 1)
    along = ends / (count - 1) * 2 - 1 if count > 1 else np.zeros(slices)
    down, across = ((np.arange(side) + 0.5) / side * 2 - 1 for side in (height, width))
    return along[:, None, None], down[None, :, None], across[None, None, :]
