"""One scan from several files: one a sequence, all on one grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from glioseg.errors import Fault, InputError, raise_all
from glioseg.io.names import scan_of_sequence
from glioseg.io.registry import reader_for
from glioseg.scan import CHANNELS, Scan
from glioseg.words import Joined, Phrase


def read_sequences(sequences: Mapping[str, Path], id: str | None = None) -> Scan:
    """Read one grey volume a sequence onto one grid, that of FLAIR.

    Args:
        sequences: path of ``flair`` and, as far as they are there, ``pre`` and ``post``. DICOM series, which
            know where they lie in the patient, are interpolated onto the FLAIR; others must lie on it.
        id: name of the scan; by default the name of the FLAIR file without the word for the sequence, or
            the name of its folder when nothing else is left.

    Returns:
        A scan whose channels are the sequences given, in the order of :data:`glioseg.scan.CHANNELS`.

    Raises:
        InputError: FLAIR is missing, a file cannot be read or holds several sequences itself, or the
            files lie on different grids; all faults at once.
    """
    if "flair" not in sequences:
        if not sequences:
            raise InputError(Fault("io.no_flair_option"))
        there = Joined(Phrase(f"sequence.{name}") for name in sequences)
        raise InputError(Fault("io.sequences_without_flair", next(iter(sequences.values())), sequences=there))
    names = [name for name in CHANNELS if name in sequences]
    name = id or scan_of_sequence(sequences["flair"])
    scans: dict[str, Scan] = {}
    faults: list[Fault] = []
    for channel in names:
        path = sequences[channel]
        try:
            scan = reader_for(path).read(path, name)
        except InputError as error:
            faults += error.faults
            continue
        if len(scan.channels) > 1:
            faults.append(Fault("io.several_sequences", path, sequence=Phrase(f"sequence.{channel}")))
        scans[channel] = scan
    if "flair" in scans:
        grid = scans["flair"].grid
        if scans["flair"].storage.format == "dicom":
            scans, refused = _on_dicom(scans)
            faults += refused
        faults += [
            Fault(
                "io.sequence_on_other_grid",
                sequences[channel],
                flair=sequences["flair"].name,
                grid=grid.describe(),
                own=scan.grid.describe(grid),
            )
            for channel, scan in scans.items()
            if not grid.lies_on(scan.grid)
        ]
    raise_all(faults)
    voxels = np.concatenate([scans[channel].voxels for channel in names], axis=-1)
    storage = scans["flair"].storage
    if storage.format == "nifti":
        files = [file for channel in ("flair", *names) for file in scans[channel].storage.files]
        storage = replace(storage, files=tuple(dict.fromkeys(files)))
    notes = tuple(dict.fromkeys(note for channel in names for note in scans[channel].notes))
    return Scan(voxels, grid, name, tuple(names), storage=storage, notes=notes)


def _on_dicom(scans: dict[str, Scan]) -> tuple[dict[str, Scan], list[Fault]]:
    """The scans with those that are DICOM, as FLAIR is, on its grid; and what is wrong."""
    from glioseg.io.dicom.resample import onto

    flair = scans["flair"]
    moved: dict[str, Scan] = {}
    faults: list[Fault] = []
    for name, scan in scans.items():
        moved[name] = scan
        if scan.storage.format != "dicom" or len(scan.channels) > 1:
            continue
        series = scan.storage.header, flair.storage.header
        try:
            voxels = onto(scan.voxels[..., 0], scan.grid, flair.grid, *series)
            moved[name] = replace(scan, voxels=voxels[..., None], grid=flair.grid, storage=flair.storage)
        except InputError as error:
            faults += error.faults
            moved.pop(name)
    return moved, faults


def with_all_channels(scan: Scan) -> Scan:
    """Fill the sequences that a scan lacks with FLAIR, and name them; also those that already equal it."""
    if scan.channels == CHANNELS:
        flair = scan.channel("flair")
        middle = len(flair) // 2
        same = tuple(
            name
            for name in CHANNELS
            if name != "flair"
            and np.array_equal(scan.channel(name)[middle], flair[middle])
            and np.array_equal(scan.channel(name), flair)
        )
        return replace(scan, filled=same) if same else scan
    missing = tuple(name for name in CHANNELS if name not in scan.channels)
    parts = [scan.channel(name if name in scan.channels else "flair") for name in CHANNELS]
    return Scan(np.stack(parts, axis=-1), scan.grid, scan.id, CHANNELS, missing, scan.storage, scan.notes)
