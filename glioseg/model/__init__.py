"""Segment scans with a trained network.

>>> import glioseg
>>> prediction = glioseg.segment("scan.nii.gz")   # doctest: +SKIP
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from typing_extensions import Unpack

    from glioseg.model.predictor import Predictor
    from glioseg.prediction import Prediction
    from glioseg.scan import Scan


class LoadOptions(TypedDict, total=False):
    """What :func:`glioseg.load_model` takes besides the model."""

    fast: bool
    best: bool
    flips: bool
    threads: int | None
    threshold: float | None
    device: str


def segment(
    source: str | Path | Scan | npt.NDArray[np.generic] | Any | None = None,
    *,
    flair: str | Path | None = None,
    pre: str | Path | None = None,
    post: str | Path | None = None,
    t2: str | Path | None = None,
    model: str | Path | Predictor = "default",
    **options: Unpack[LoadOptions],
) -> Prediction:
    """Find the lesion in one scan.

    Args:
        source: what :func:`glioseg.read_scan` reads (a folder of slices, an image, NIfTI, DICOM); a scan; a
            NumPy array as :meth:`glioseg.Scan.from_array` takes it; or an image of nibabel. Sequences that a
            scan lacks are filled with FLAIR.
        flair, pre, post, t2: instead of ``source``, one file a sequence; FLAIR alone is enough.
        model: name of a model that ships, a run folder, an ``.onnx`` file that glioseg wrote, or what
            :func:`glioseg.load_model` gave. A file is read again when it has changed.
        options: ``fast``, ``best``, ``flips``, ``threads``, ``threshold`` and ``device``, as
            :func:`glioseg.load_model` takes them; of a model that is loaded already they are known.

    Returns:
        The segmentation on the scan's own grid, the probability, the DSC to expect, and doubts.

    Raises:
        InputError: the scan or the model cannot be read, or there are options for a loaded model.

    >>> from glioseg.samples import SAMPLES
    >>> prediction = segment(SAMPLES / "TCGA_HT_7692_19960724")
    >>> prediction.segmentation
    Segmentation('TCGA_HT_7692_19960724', lesion: 3,453 voxels, 20 slices of 256 x 256, automatic)
    >>> prediction.probability.shape, round(prediction.expected_dice, 1)
    ((20, 256, 256), 0.8)
    """
    from glioseg.errors import Fault, InputError
    from glioseg.io import read_scan, with_all_channels
    from glioseg.scan import Scan

    if isinstance(model, str | Path):
        predictor = _predictor(model, options)
    elif options:
        raise InputError(Fault("segment.options", options=", ".join(options)))
    else:
        predictor = model
    if source is None or isinstance(source, str | Path):
        scan = read_scan(source, flair=flair, pre=pre, post=post, t2=t2, sequences=predictor.channels)
    elif flair or pre or post or t2:
        raise InputError(Fault("segment.twice"))
    else:
        scan = source if isinstance(source, Scan) else _scan_of(source)
        if not (scan.filled and scan.channels == predictor.channels):
            scan = with_all_channels(scan, predictor.channels)
    return predictor(scan)


def _scan_of(source: Any) -> Scan:
    """A scan of an array or of an image of nibabel."""
    from glioseg.errors import Fault, InputError
    from glioseg.scan import Scan

    if hasattr(source, "dataobj"):
        return Scan.from_nibabel(source)
    if hasattr(source, "__array__"):
        return Scan.from_array(source)
    raise InputError(Fault("segment.source", kind=type(source).__name__))


def _predictor(model: str | Path, options: LoadOptions) -> Predictor:
    """The model, kept for the next scan as long as its file is the same."""
    from glioseg.model.weights import find_model

    path = find_model(model).resolve()
    state = path.stat()
    chosen = tuple(sorted(options.items()))
    return _loaded(str(model), chosen, path, state.st_size, state.st_mtime_ns, state.st_ino)


@lru_cache(maxsize=2)
def _loaded(
    model: str, options: tuple[tuple[str, Any], ...], path: Path, size: int, modified: int, number: int
) -> Predictor:
    from glioseg.model.predictor import load_model

    return load_model(model, **dict(options))
