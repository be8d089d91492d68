"""What the volumes along the fourth axis of a file are: sequences, in an order that is said, or times."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.io.vocabulary import is_t2, sequence_in
from glioseg.scan import CHANNELS, SEQUENCES
from glioseg.words import Joined

ONE_CONTRAST = 0.96
"""Correlation within the head from which on volumes show one contrast. Of 98 patients with pre-contrast,
FLAIR and post-contrast no two different sequences reach 0.92; of one sequence at several times, 0.99."""

_TIMES = ("sec", "msec", "usec")
_UNIT_OF_NO_TIME = (0.0, 1.0)
"""Steps along the fourth axis that programs write for want of one, together with seconds as the unit."""


def channels_in(text: str) -> tuple[str, ...]:
    """``"flair,t1,t1c"`` as ``("flair", "t1", "t1c")``.

    Raises:
        InputError: a word is no sequence, or FLAIR is not among them exactly once.
    """
    words = tuple(word.strip() for word in text.split(","))
    _sequences("--channels", words)
    return words


def places_of(
    path: Path, image: Any, count: int, channels: Sequence[str], wanted: Sequence[str] = CHANNELS
) -> dict[str, int]:
    """The place along the fourth axis of each sequence that is used.

    Args:
        path: the file.
        image: as nibabel has it.
        count: of volumes.
        channels: what each is; by default one is FLAIR, and three are those of :data:`glioseg.scan.CHANNELS`.
        wanted: sequences to use, if they are there.

    Raises:
        InputError: the order is not given and not known, or another number of volumes is there.
    """
    if not channels:
        if count == 1:
            return {"flair": 0}
        if count != len(CHANNELS):
            sizes = " x ".join(map(str, image.shape))
            raise InputError(Fault("nifti.axes", path, count=len(image.shape), sizes=sizes))
        return {name: place for place, name in enumerate(CHANNELS)}
    if len(channels) != count:
        named = Joined(channels)
        raise InputError(Fault("nifti.channels", path, count=count, named=len(channels), channels=named))
    found = _sequences(path, channels)
    return {name: found.index(name) for name in wanted if found.count(name) == 1}


def _sequences(where: object, words: Sequence[str]) -> list[str]:
    found = [_sequence(word) for word in words]
    unknown = [word for word, sequence in zip(words, found, strict=True) if sequence is None]
    if unknown:
        raise InputError(Fault("nifti.channel_unknown", where, words=Joined(map(repr, unknown))))
    twice = [name for name in CHANNELS if found.count(name) > 1]
    if twice or "flair" not in found:
        raise InputError(Fault("nifti.channels_of_scan", where, channels=Joined(words)))
    return [str(sequence) for sequence in found]


def _sequence(word: str) -> str | None:
    if word.lower() in SEQUENCES:
        return word.lower()
    return "t2" if is_t2(word) else sequence_in(word)


def check_no_time(path: Path, header: Any, count: int) -> None:
    """Refuse volumes that stand some seconds apart.

    Raises:
        InputError: the header gives a step in time along the fourth axis.
    """
    try:
        unit = header.get_xyzt_units()[1]
    except KeyError:  # an unknown code
        return
    step = abs(float(header["pixdim"][4]))
    if unit in _TIMES and np.isfinite(step) and step not in _UNIT_OF_NO_TIME:
        raise InputError(Fault("nifti.times", path, count=count, step=f"{step:g}", unit=unit))


def check_other_contrasts(path: Path, stored: npt.NDArray[Any]) -> None:
    """Refuse volumes that all show one contrast. Those that are equal stand for a sequence that was missing.

    Args:
        path: the file.
        stored: ``(x, y, z, volumes)``.

    Raises:
        InputError: they do.
    """
    quarter, step = stored.shape[2] // 4, max(1, min(stored.shape[:2]) // 128)
    some = stored[::step, ::step, quarter : stored.shape[2] - quarter]
    with np.errstate(all="ignore"):
        mean = some.mean(axis=-1, dtype=np.float64)
        head = np.isfinite(mean) & (mean > 0.05 * np.nanmax(mean, initial=0))
    volumes = [some[..., number][head].astype(np.float64) for number in range(some.shape[-1])]
    alike = [
        float(np.corrcoef(one, other)[0, 1])
        for one, other in combinations(volumes, 2)
        if len(one) > 1 and one.std() > 0 and other.std() > 0 and not np.array_equal(one, other)
    ]
    if len(alike) == len(volumes) * (len(volumes) - 1) // 2 and alike and min(alike) > ONE_CONTRAST:
        raise InputError(Fault("nifti.one_contrast", path, count=len(volumes), alike=f"{min(alike):.2f}"))
