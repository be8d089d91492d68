"""Corrections of a mask: changed slices as a client sends them, and the mask that they make."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault
from glioseg.scan import LESION
from glioseg.server.faults import Refused, UnfitError
from glioseg.server.scans import Entry

Slices = dict[int, npt.NDArray[np.uint8]]


def decode_slices(body: bytes, shape: tuple[int, int, int], labels: Mapping[int, str]) -> Slices:
    """Slices out of their run-length code.

    Args:
        body: unsigned 32-bit little-endian integers. For each slice its position (counted from 0) and the
            number of its runs, then for each run its start, its length and its label; runs are in ascending
            order and do not overlap, and what lies outside them is background.
        shape: ``(slices, height, width)`` of the mask.
        labels: those that a run may have.

    Returns:
        For each position, labels ``(height, width)``.

    Raises:
        UnfitError: the code breaks off, names a slice twice or one that is not there, or a run does not fit.
    """
    if len(body) % 4:
        raise _broken("server.mask_code_length")
    words = np.frombuffer(body, "<u4").astype(np.int64)
    count, height, width = shape
    size = height * width
    found: Slices = {}
    at = 0
    while at < len(words):
        if at + 2 > len(words):
            raise _broken("server.mask_code_length")
        position, runs = int(words[at]), int(words[at + 1])
        at += 2
        if position >= count or position in found:
            raise _broken("server.mask_code_slice", slice=position)
        if runs > (len(words) - at) // 3:
            raise _broken("server.mask_code_length")
        start, length, label = words[at : at + 3 * runs].reshape(runs, 3).T
        at += 3 * runs
        ends = start + length
        fits = (length > 0).all() and (ends <= size).all() and (start[1:] >= ends[:-1]).all()
        if not fits or not np.isin(label, list(labels)).all():
            raise _broken("server.mask_code_run", slice=position)
        # Where each run begins and ends, summed up: the label of every voxel without a loop over runs.
        steps = np.zeros(size + 1, np.int16)
        np.add.at(steps, start, label.astype(np.int16))
        np.add.at(steps, ends, -label.astype(np.int16))
        found[position] = steps[:size].cumsum(dtype=np.int16).astype(np.uint8).reshape(height, width)
    return found


def replace_slices(entry: Entry, slices: Slices, revision: int | None = None) -> None:
    """Put corrected slices into the mask of an entry; the others stay.

    Args:
        entry: has a mask, or gets one that is empty elsewhere.
        slices: see :func:`decode_slices`.
        revision: refuse unless the mask is still this one.

    Raises:
        Refused: the mask has changed since that revision.
    """
    with entry.changing:
        check_revision(entry, revision)
        now = entry.mask
        # A new array each time: whoever is writing the mask to a file holds the old one.
        voxels = np.zeros(entry.scan.grid.shape, np.uint8) if now is None else now.voxels.copy()
        for position, labels in slices.items():
            voxels[position] = labels
        _keep(entry, voxels)


def replace_mask(entry: Entry, voxels: npt.NDArray[np.uint8]) -> None:
    """Make labels ``(slices, height, width)`` the mask of an entry.

    Args:
        entry: see there.
        voxels: labels of the entry; of lesion or not, whatever is not 0 is lesion.

    Raises:
        UnfitError: the entry has no such label.
    """
    with entry.changing:
        if dict(entry.labels) == LESION:
            voxels = (voxels != 0).astype(np.uint8)
        others = set(np.unique(voxels).tolist()) - {0, *entry.labels}
        if others:
            known = ", ".join(map(str, entry.labels))
            raise UnfitError(Fault("server.mask_label", label=min(others), known=known))
        _keep(entry, voxels)


def _keep(entry: Entry, voxels: npt.NDArray[np.uint8]) -> None:
    predicted = entry.predicted
    if predicted is None and entry.row is not None:  # a later segmentation would replace what a person drew
        raise Refused(409, Fault("server.no_mask", ""))
    if entry.mask is not None and np.array_equal(voxels, entry.mask.voxels):
        return  # a page that sends all of its mask again, to be sure: what was checked stays so
    if predicted is not None and np.array_equal(voxels, predicted.voxels):
        entry.corrected = None  # everything was taken back: it is the network's mask again
    else:
        entry.corrected = entry.scan.segmentation(voxels, entry.labels, "corrected")
    entry.revision += 1


def check_revision(entry: Entry, revision: int | None) -> None:
    """Refuse a request that is about another mask than the one that is held.

    Raises:
        Refused: the mask has changed since ``revision``.
    """
    if revision is not None and revision != entry.revision:
        raise Refused(409, Fault("server.mask_changed", "", wanted=revision, found=entry.revision))


def _broken(code: str, **parameters: int) -> UnfitError:
    return UnfitError(Fault(code, **parameters))
