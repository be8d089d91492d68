"""Segment scans with a trained network.

>>> import glioseg
>>> mask = glioseg.segment("scan.nii.gz")   # doctest: +SKIP
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from glioseg.model.predictor import Predictor
    from glioseg.scan import Mask, Scan


def segment(
    source: str | Path | Scan | None = None,
    *,
    flair: str | Path | None = None,
    pre: str | Path | None = None,
    post: str | Path | None = None,
    model: str | Path = "default",
) -> Mask:
    """Find the lesion in one scan.

    Args:
        source: a scan, or what :func:`glioseg.io.read_scan` reads: a folder of slices, an image, NIfTI,
            DICOM.
        flair, pre, post: instead of ``source``, one file a sequence; FLAIR alone is enough.
        model: name of a model that ships, a run folder, or an ``.onnx`` file that glioseg wrote.

    Returns:
        Boolean mask on the scan's own grid.

    Raises:
        InputError: the scan or the model cannot be read.
    """
    from glioseg.io import read_scan
    from glioseg.scan import Scan

    scan = source if isinstance(source, Scan) else read_scan(source, flair=flair, pre=pre, post=post)
    return _predictor(str(model))(scan).mask


@lru_cache(maxsize=2)
def _predictor(model: str) -> Predictor:
    from glioseg.model.predictor import load_predictor

    return load_predictor(model)
