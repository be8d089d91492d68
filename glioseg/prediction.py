"""The fourth noun: what a network says of one scan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from glioseg.errors import WrongKindError
from glioseg.scan import Segmentation, above


class Evidence(NamedTuple):
    """What a mask and its probabilities tell of how good it is, without the truth.

    Attributes:
        certainty: mean probability of the mask's voxels, in 0..1: its precision if every probability were
            right.
        border: length of the outlines against the area: pixels that touch the outside of the mask in their
            slice, over the square root of (voxels x slices with any). Neither the size of pixels nor the
            distance of slices changes it. 4 for a square, 3.2 for a disc, more for what is ragged.
    """

    certainty: float
    border: float


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network says of one scan.

    Attributes:
        segmentation: the lesion, or the classes that the network tells, on the scan's own grid.
        probability: float32 ``(slices, height, width)`` in 0..1 of any label, on the same grid; ``None``
            where the predictor was told to leave it out.
        seconds: wall time, without reading the scan.
        expected_dice: DSC to expect by the model's calibration; ``None`` for an empty mask.
        doubts: keys of :data:`glioseg.model.calibration.DOUBTS`, what to know before trusting the mask.
        evidence: what the mask can be judged by; ``None`` for an empty mask.

    >>> import glioseg
    >>> from glioseg.samples import SAMPLES
    >>> prediction = glioseg.segment(SAMPLES / "TCGA_HT_7692_19960724")
    >>> prediction.segmentation.slices_with_lesion, prediction.doubts
    (6, ('cut_off',))
    """

    segmentation: Segmentation
    probability: npt.NDArray[np.float32] | None
    seconds: float = 0.0
    expected_dice: float | None = None
    doubts: tuple[str, ...] = ()
    evidence: Evidence | None = None

    def __post_init__(self) -> None:
        if self.probability is None:
            return
        if self.probability.dtype != np.float32:
            raise WrongKindError(f"a probability is float32, not {self.probability.dtype}")
        if self.probability.shape != self.segmentation.grid.shape:
            raise ValueError(f"a probability of {self.probability.shape} on {self.segmentation.grid}")

    def __repr__(self) -> str:
        expected = "" if self.expected_dice is None else f", expected DSC {self.expected_dice:.2f}"
        doubts = f", doubts: {' '.join(self.doubts)}" if self.doubts else ""
        return f"Prediction({self.segmentation!r}{expected}{doubts}, {self.seconds:.2f} s)"

    def _repr_html_(self) -> str:
        return self.segmentation._repr_html_()

    def save(self, folder: str | Path, *, anonymise: bool = False) -> list[Path]:
        """Write the mask as the scan was read (of DICOM also as NIfTI), ``<id>_probability.nii.gz`` (float32,
        if there is one) and ``<id>.json`` with the numbers.

        Args:
            folder: where to write; made if it is not there.
            anonymise: masks name no patient; only DICOM could.

        Returns:
            The files that were written.

        Raises:
            InputError: the folder cannot be written, or the id is not a plain name.
        """
        written: list[Path] = above("glioseg.io.save", "save_prediction")(self, Path(folder), anonymise)
        return written
