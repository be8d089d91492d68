"""What a network sees besides the slice itself: FLAIR of the slices around."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.prepare.frame import Array


def neighbour_channels(channels: tuple[str, ...], neighbours: int) -> tuple[str, ...]:
    """Names of the network's input channels: the scan's own, then FLAIR of the slices around."""
    offsets = [o for o in range(-neighbours, neighbours + 1) if o]
    return channels + tuple(f"flair{offset:+d}" for offset in offsets)


def stack_neighbours(images: npt.NDArray[Any], positions: npt.NDArray[np.intp], neighbours: int) -> Array:
    """Network input for some slices of one prepared scan: all channels, plus FLAIR of the slices around.

    Beyond the first and last slice the nearest slice is repeated.

    Args:
        images: ``(slices, size, size, channels)`` with FLAIR in the middle channel.
        positions: which slices.
        neighbours: how many slices on each side give their FLAIR.

    Returns:
        float32 ``(len(positions), channels + 2 * neighbours, size, size)``.
    """
    slices, height, width, channels = images.shape
    flair = channels // 2
    stacked = np.empty((len(positions), channels + 2 * neighbours, height, width), np.float32)
    stacked[:, :channels] = np.moveaxis(images[positions], -1, 1)
    offsets = [o for o in range(-neighbours, neighbours + 1) if o]
    for place, offset in enumerate(offsets, start=channels):
        stacked[:, place] = images[np.clip(positions + offset, 0, slices - 1), :, :, flair]
    return stacked
