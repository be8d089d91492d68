"""How the grid of a scan stands in the series of images that it was read from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glioseg.io.dicom.series import Series
from glioseg.io.turn import Affine, Turn, orient
from glioseg.scan import Grid


@dataclass(frozen=True, eq=False)
class Native(Turn):
    """How a grid stands in its series, whose axes are columns, rows and slices along their normal.

    Attributes:
        series: the images of FLAIR.
        affine: from (column, row, slice) to RAS+ millimetres.
    """

    series: Series
    affine: Affine


def series_grid(series: Series) -> tuple[Grid, Turn]:
    """The grid of a series as presented, and how it stands in the series."""
    shape = (series.first.columns, series.first.rows, len(series.frames))
    turn = Turn(shape, orient(series.affine, shape))
    affine = turn.presented_affine(series.affine)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    sizes = (float(spacing[0]), float(spacing[1]), float(spacing[2]))
    return Grid(turn.sizes, sizes, affine, format="dicom", files=series.files), turn
