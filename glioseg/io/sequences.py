"""One scan from several files, one a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from glioseg.errors import Fault, InputError, raise_all
from glioseg.io.names import scan_of_sequence
from glioseg.io.refuse import check_exists
from glioseg.io.registry import reader_for
from glioseg.io.resample import joined, unread
from glioseg.scan import CHANNELS, SEQUENCES, Scan
from glioseg.words import Joined, Phrase


def read_sequences(sequences: Mapping[str, Path], id: str | None = None) -> Scan:
    """Read one grey volume a sequence onto one grid, that of FLAIR.

    Args:
        sequences: path of ``flair`` and, as far as they are there, ``pre``, ``post`` and ``t2``. Those on
            another grid are interpolated onto the FLAIR by where their headers place them.
        id: name of the scan; by default the name of the FLAIR file without the word for the sequence, or
            the name of its folder when nothing else is left.

    Returns:
        A scan whose channels are FLAIR and the other sequences that can be used, in the order of
        :data:`glioseg.scan.SEQUENCES`. Its notes say what was interpolated or left out, and why.

    Raises:
        InputError: FLAIR is missing, cannot be read or holds several sequences itself, or nothing stands at
            one of the paths; all faults at once.
    """
    if "flair" not in sequences:
        if not sequences:
            raise InputError(Fault("io.no_flair_option"))
        there = Joined(Phrase(f"sequence.{name}") for name in sequences)
        raise InputError(Fault("io.sequences_without_flair", next(iter(sequences.values())), sequences=there))
    name = id or scan_of_sequence(sequences["flair"])
    scans: dict[str, Scan] = {}
    wrong: dict[str, list[Fault]] = {}
    missing = False
    for channel in (name for name in SEQUENCES if name in sequences):
        path = sequences[channel]
        try:
            check_exists(path)
        except InputError as error:
            wrong[channel], missing = list(error.faults), True
            continue
        try:
            scans[channel] = _one_sequence(path, channel, name)
        except InputError as error:
            wrong[channel] = list(error.faults)
    if missing or "flair" in wrong:
        raise_all(fault for faults in wrong.values() for fault in faults)
    left_out = [unread(channel, sequences[channel].name, faults[0]) for channel, faults in wrong.items()]
    return joined(scans, tuple(left_out))


def _one_sequence(path: Path, channel: str, id: str) -> Scan:
    scan = reader_for(path).read(path, id)
    if len(scan.channels) > 1:
        raise InputError(Fault("io.several_sequences", path, sequence=Phrase(f"sequence.{channel}")))
    return scan


def with_all_channels(scan: Scan, channels: tuple[str, ...] = CHANNELS) -> Scan:
    """Fill the sequences that a scan lacks with FLAIR, and name them; also those that already equal it.

    Args:
        scan: with FLAIR among its channels.
        channels: those that it is to have, in their order; others are left out.
    """
    if scan.channels == channels:
        flair = scan.channel("flair")
        middle = len(flair) // 2
        same = tuple(
            name
            for name in channels
            if name != "flair"
            and np.array_equal(scan.channel(name)[middle], flair[middle])
            and np.array_equal(scan.channel(name), flair)
        )
        return replace(scan, filled=same) if same else scan
    missing = tuple(name for name in channels if name not in scan.channels or name in scan.filled)
    if scan.channels == ("flair",):
        # FLAIR again and again, in the memory of one.
        voxels = np.broadcast_to(scan.voxels, (*scan.voxels.shape[:3], len(channels)))
    else:
        voxels = np.stack([scan.channel(name if name in scan.channels else "flair") for name in channels], -1)
    return Scan(voxels, scan.grid, scan.id, channels, missing, scan.storage, scan.notes)
