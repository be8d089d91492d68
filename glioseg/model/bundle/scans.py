"""The scans of a bundle's run, and how they pass through MONAI's loader one by one."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from glioseg.errors import InputError
from glioseg.io import Source, find_scans, read_scan, with_all_channels
from glioseg.scan import Scan, channels_for

ScanPlace = Source | str | Path | Mapping[str, str]
"""A scan that the finder found; its path; or a path a sequence: ``flair``, ``pre``, ``post``, ``t2``."""


def scans_in(*paths: str | Path) -> list[Source]:
    """The scans behind paths, as ``glioseg predict`` finds them; what is wrong with the rest goes to stderr.

    Raises:
        InputError: there is no scan at all.
    """
    sources, faults = find_scans(paths)
    if not sources:
        raise InputError(*faults)
    for fault in faults:
        print(fault, file=sys.stderr)
    return sources


def read(place: ScanPlace, sequences: Sequence[str]) -> Scan:
    """Read a scan with the channels that a network needs which takes some sequences.

    Raises:
        InputError: see :func:`glioseg.io.read_scan`.
    """
    if isinstance(place, Source):
        return place.with_sequences(sequences).read()
    if isinstance(place, Mapping):
        flair, pre, post, t2 = (place.get(name) for name in ("flair", "pre", "post", "t2"))
        scan = read_scan(flair=flair, pre=pre, post=post, t2=t2, sequences=sequences)
        return with_all_channels(scan, channels_for(sequences))  # without a T2 that nothing asks for
    return read_scan(place, sequences=sequences)


def batch_of_one(items: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A batch of one scan: its tensors get an axis in front, all else stays as it is."""
    (item,) = items
    return {key: value[None] if hasattr(value, "unsqueeze") else value for key, value in item.items()}
