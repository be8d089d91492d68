"""What a network sees: sequences of the slice itself, and FLAIR of the slices around."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from glioseg.prepare.frame import Array
from glioseg.scan import FLAIR, channels_for

Input = TypeVar("Input")


def neighbour_channels(channels: tuple[str, ...], neighbours: int) -> tuple[str, ...]:
    """Names of the network's input channels: those of the slice, then FLAIR of the slices around."""
    offsets = [o for o in range(-neighbours, neighbours + 1) if o]
    return channels + tuple(f"flair{offset:+d}" for offset in offsets)


def stack_neighbours(images: npt.NDArray[Any], positions: npt.NDArray[np.intp], neighbours: int) -> Array:
    """Network input for some slices of one prepared scan: all channels, plus FLAIR of the slices around.

    Beyond the first and last slice the nearest slice is repeated.

    Args:
        images: ``(slices, size, size, channels)``, FLAIR at :data:`glioseg.scan.FLAIR`.
        positions: which slices.
        neighbours: how many slices on each side give their FLAIR.

    Returns:
        float32 ``(len(positions), channels + 2 * neighbours, size, size)``.
    """
    slices, height, width, channels = images.shape
    flair = min(FLAIR, channels - 1)
    stacked = np.empty((len(positions), channels + 2 * neighbours, height, width), np.float32)
    stacked[:, :channels] = np.moveaxis(images[positions], -1, 1)
    offsets = [o for o in range(-neighbours, neighbours + 1) if o]
    for place, offset in enumerate(offsets, start=channels):
        stacked[:, place] = images[np.clip(positions + offset, 0, slices - 1), :, :, flair]
    return stacked


def choose_sequences(stacked: Input, sequences: Sequence[str]) -> Input:
    """The channels of some sequences of what :func:`stack_neighbours` made, FLAIR of the slices around kept.

    Args:
        stacked: array or tensor ``(batch, channels, height, width)``; its first channels are those of
            :func:`glioseg.scan.channels_for` these sequences.
        sequences: which of these, in the order in which the network takes them.

    Returns:
        The same object if these are all of them in their order, otherwise a view or a copy of
        the chosen ones.
    """
    stored = channels_for(sequences)
    if tuple(sequences) == stored:
        return stacked
    images: Any = stacked
    places = [stored.index(name) for name in sequences]
    places += range(len(stored), images.shape[1])
    first, last = places[0], places[-1]
    # A slice where it can be: a list of places would be copied to a tensor's device each time.
    together = places == list(range(first, last + 1))
    chosen: Input = images[:, first : last + 1] if together else images[:, places]
    return chosen
