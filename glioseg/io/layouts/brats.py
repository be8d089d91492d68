"""BraTS: one folder a patient with FLAIR, T1, contrast T1, T2 and a mask of several values, told by names.

The names of every year are read: ``_flair``, ``_t1``, ``_t1ce``, ``_t2``, ``_seg`` to 2021, then ``-t2f``,
``-t1n``, ``-t1c``, ``-t2w``, ``-seg``. Labels are 1 (necrotic core), 2 (oedema) and 4 or 3 (enhancing);
from 2024 on 4 is a resection cavity. The whole tumour is their union.

Source: https://doi.org/10.1109/TMI.2014.2377694; https://arxiv.org/abs/2107.02314
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from glioseg.io.names import stem_of
from glioseg.io.source import Source
from glioseg.scan import CHANNELS, lesion_of

LABELS = lesion_of((1, 2, 3, 4, 255))
"""255 too: people name their own scans so, with masks of 0 and 255."""


def with_labels(sources: Iterable[Source], *, said: bool = False) -> list[Source]:
    """The scans; those named as in BraTS, or all if that is said of them, with the values of its masks.

    Where one scan is of BraTS, so are those named alike that lack a sequence.
    """
    found = list(sources)
    alike = any(_has_seg(source) and set(source.sequences) == set(CHANNELS) for source in found)
    return [
        replace(source, layout="brats", labels=dict(LABELS))
        if said or _is_named_brats(source) or (alike and _has_seg(source))
        else source
        for source in found
    ]


def _is_named_brats(source: Source) -> bool:
    named = any("brats" in name.casefold() for name in source.files[0].absolute().parts[-3:])
    return named and _is_labelled_volume(source)


def _has_seg(source: Source) -> bool:
    masks = [stem_of(mask).casefold() for mask in source.truth if mask is not None]
    return _is_labelled_volume(source) and masks[0].endswith(("_seg", "-seg"))


def _is_labelled_volume(source: Source) -> bool:
    return source.format == "nifti" and not source.layout and len(source.truth) == 1
