"""From a scan to the square, normalised slices that a network sees, and exactly back.

A :class:`Preparation` looks at a :class:`~glioseg.scan.Scan` once and returns
:class:`Prepared`: the slices, and the :class:`Frame` that says which part of
which slice they show. The frame carries masks to the prepared grid and
probability maps back to the scan's own grid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from glioseg.grid import Grid
from glioseg.prepare.blas import one_blas_thread
from glioseg.prepare.frame import Array, Frame, turned
from glioseg.prepare.head import head_frame, prepare_even_tissue, prepare_head, prepare_tissue
from glioseg.prepare.neighbours import choose_sequences, neighbour_channels, stack_neighbours
from glioseg.prepare.reference import prepare_reference, reference_frame
from glioseg.recipe import PrepareChoice
from glioseg.scan import BoolArray, Scan, check_boolean

__all__ = [
    "IN_TISSUE",
    "Frame",
    "Preparation",
    "Prepared",
    "choose_sequences",
    "neighbour_channels",
    "stack_neighbours",
]

PREPARATION_VERSION = 4
"""Raised whenever the arrays that a preparation makes change, so that caches are made anew."""

PREPARATIONS = {
    "head": prepare_head,
    "tissue": prepare_tissue,
    "even_tissue": prepare_even_tissue,
    "reference": prepare_reference,
}

IN_TISSUE = ("tissue", "even_tissue")
"""Preparations whose values are in units of brain tissue."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """What a network sees of one scan.

    Attributes:
        images: float32 ``(slices, size, size, channels)``, about zero mean and unit variance.
        frame: where those slices sit in the scan.
    """

    images: Array
    frame: Frame


class Preparation(PrepareChoice):
    """Makes scans ready as a recipe's ``[prepare]`` table says. It is stored in every model."""

    @classmethod
    def of(cls, choice: PrepareChoice) -> Preparation:
        """The preparation that a table asks for."""
        return choice if isinstance(choice, cls) else cls(**choice.model_dump())

    @property
    def fingerprint(self) -> str:
        """Text that changes whenever the prepared arrays would."""
        ends = "-inner" if self.drop_ends else ""
        pixel = f"-{self.pixel_mm:g}mm" if self.pixel_mm is not None else ""
        along = f"-{self.slices}" if self.slices != "axial" else ""
        return f"{self.name}-{self.size}{pixel}{along}{ends}-v{PREPARATION_VERSION}"

    def axis(self, grid: Grid) -> int:
        """The axis of a scan along which its slices are taken."""
        return grid.thickest_axis if self.slices == "thickest" else 0

    @one_blas_thread()
    def __call__(self, scan: Scan) -> Prepared:
        """Prepare a scan.

        Raises:
            InputError: nothing in the scan stands out from its background (all black or constant).
        """
        frame, shown, kept = self._framed(scan)
        images = PREPARATIONS[self.name](shown, shown.voxels[kept], frame)
        return Prepared(images, self._in_scan(frame, shown, kept))

    def frame(self, scan: Scan) -> Frame:
        """The frame alone, without preparing any image; same errors."""
        return self._in_scan(*self._framed(scan))

    def _framed(self, scan: Scan) -> tuple[Frame, Scan, slice]:
        """The frame found in the slices that are kept, the scan with its slices along the chosen axis, and
        which are kept.
        """
        axis = self.axis(scan.grid)
        if axis:
            voxels = np.ascontiguousarray(turned(scan.voxels, axis))
            scan = replace(scan, voxels=voxels, grid=scan.grid.turned(axis))
        count = len(scan.voxels)
        kept = slice(1, count - 1) if self.drop_ends and count > 2 else slice(0, count)
        inner = scan.voxels[kept]
        if self.name == "reference":
            frame = reference_frame(scan, inner, self.size)
        else:
            frame = head_frame(scan, inner, self.size, self.pixel_mm)
        return replace(frame, axis=axis), scan, kept

    def target(self, mask: BoolArray, frame: Frame) -> Array:
        """What the network is to learn: ``(slices, size, size)`` float32, 0..1.

        ``reference`` has the mask by nearest neighbour, as published; the others the share of lesion.
        """
        if self.name == "reference":
            return frame.to_prepared(mask).astype(np.float32)
        check_boolean(mask, "a mask")
        return frame.coverage(mask)

    @staticmethod
    def _in_scan(frame: Frame, scan: Scan, kept: slice) -> Frame:
        """A frame found in the kept slices, in terms of the whole scan."""
        first = kept.start
        return replace(frame, shape=scan.grid.shape, first=frame.first + first, last=frame.last + first)
