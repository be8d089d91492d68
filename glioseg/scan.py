"""The nouns that are passed everywhere: :class:`Grid`, :class:`Scan`, :class:`Segmentation`
(and :class:`~glioseg.prediction.Prediction`, which holds one).

>>> import numpy as np
>>> scan = Scan.from_array(np.zeros((2, 4, 4), np.uint8), spacing=(5, 1, 1), id="patient 1")
>>> scan
Scan('patient 1', flair, uint8, 2 slices of 4 x 4, 5 x 1 x 1 mm)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from glioseg.errors import WrongKindError
from glioseg.grid import Grid

CHANNELS = ("pre", "flair", "post")
"""The sequences of the LGG data set in the order in which it stores them as RGB."""

SEQUENCES = (*CHANNELS, "t2")
"""All sequences that a scan can have: those, and T2 where a network asks for it."""

FLAIR = CHANNELS.index("flair")
"""Which channel is FLAIR, with T2 or without."""


def channels_for(sequences: Iterable[str]) -> tuple[str, ...]:
    """The channels that a scan needs for a network that takes some sequences.

    >>> channels_for(("flair",)), channels_for(("flair", "t2"))
    (('pre', 'flair', 'post'), ('pre', 'flair', 'post', 't2'))
    """
    return CHANNELS if set(sequences) <= set(CHANNELS) else SEQUENCES


LESION: Mapping[int, str] = {1: "lesion"}
"""The labels of a segmentation that says lesion or not."""


def lesion_of(values: Iterable[int]) -> dict[int, str]:
    """What each stored value of a mask means of which several values are all lesion, background included.

    >>> lesion_of((1, 2, 4))
    {0: '', 1: 'lesion', 2: 'lesion', 4: 'lesion'}
    """
    return {0: "", **dict.fromkeys(values, LESION[1])}


Origin = Literal["automatic", "corrected", "given"]
"""Where a segmentation comes from: a network; a network and a person who corrected it; the scan's owner."""

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Storage:
    """How a scan is stored, so that its segmentations can be stored likewise.

    Attributes:
        format: name of the format (the key of its reader in :mod:`glioseg.io`); ``array`` for none.
        files: the files that hold it: one a slice for folders, otherwise one a volume or sequence.
        header: what the files say besides: of NIfTI the header as nibabel has it, of DICOM the series.
    """

    format: str = "array"
    files: tuple[Path, ...] = ()
    header: Any = None


IN_MEMORY = Storage()
"""What is stored nowhere."""


@dataclass(frozen=True, eq=False)
class Scan:
    """A brain scan: voxels with named channels on a grid.

    Attributes:
        voxels: array ``(slices, height, width, channels)`` of any real dtype, in the source's own values.
        grid: where the voxels sit.
        id: name of the patient or scan, used for output names.
        channels: name of each channel; networks expect :data:`CHANNELS`, or :data:`SEQUENCES`.
        filled: channels that the source lacks and that were filled with FLAIR, as the LGG data set does.
        storage: how the source stores it.
        notes: what a person should know of its voxels: keys of :data:`glioseg.model.calibration.DOUBTS`.
    """

    voxels: npt.NDArray[Any]
    grid: Grid
    id: str
    channels: tuple[str, ...] = CHANNELS
    filled: tuple[str, ...] = ()
    storage: Storage = IN_MEMORY
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.voxels.ndim != 4:
            raise ValueError(f"a scan has (slices, height, width, channels), not {self.voxels.shape}")
        if self.voxels.shape[:3] != self.grid.shape:
            raise ValueError(f"voxels of {self.voxels.shape[:3]} on a grid of {self.grid.shape}")
        if self.voxels.shape[3] != len(self.channels):
            raise ValueError(f"{self.voxels.shape[3]} channels but names {self.channels}")

    def __repr__(self) -> str:
        filled = f", filled: {' '.join(self.filled)}" if self.filled else ""
        channels = " ".join(self.channels)
        return f"Scan({self.id!r}, {channels}{filled}, {self.voxels.dtype}, {self.grid.said})"

    @classmethod
    def from_array(
        cls,
        voxels: npt.ArrayLike,
        *,
        spacing: Sequence[float] | None = None,
        affine: npt.ArrayLike | None = None,
        channels: Sequence[str] | None = None,
        id: str = "scan",
    ) -> Scan:
        """Make a scan of a NumPy array.

        Args:
            voxels: real numbers, FLAIR alone ``(slices, height, width)`` or ``(slices, height, width,
                channels)``; slices run from inferior to superior, rows from anterior to posterior and columns
                from the patient's right to left.
            spacing: voxel size in mm along (slice, row, column); by default that of ``affine``, if given.
            affine: 4x4 matrix from voxel indices (slice, row, column, 1) to millimetres (RAS+).
            channels: name of each channel, of :data:`SEQUENCES`; by default ``flair`` for one and
                :data:`CHANNELS` for three.
            id: name of the scan.

        Raises:
            WrongKindError: ``voxels`` are not real numbers, or hold NaN or infinity.
            ValueError: shapes, spacing, affine and channels do not fit together.

        >>> import numpy as np
        >>> Scan.from_array(np.zeros((2, 4, 4, 2), np.float32), channels=("flair", "post")).channels
        ('flair', 'post')
        """
        array = np.asarray(voxels)
        if array.dtype.kind not in "buif":
            raise WrongKindError(f"voxels are real numbers, not {array.dtype}")
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise WrongKindError("voxels are finite: replace NaN and infinity, for instance by 0")
        if array.ndim == 3:
            array = array[..., None]
        if array.ndim != 4:
            raise ValueError(f"a scan has (slices, height, width) or one axis more, not {array.shape}")
        if channels is None:
            channels = {1: ("flair",), 3: CHANNELS}.get(array.shape[3], ())
        names = tuple(channels)
        if "flair" not in names or not set(names) <= set(SEQUENCES) or len(set(names)) < len(names):
            raise ValueError(f"channels are flair and others of {', '.join(SEQUENCES)}, not {names}")
        matrix = None if affine is None else np.array(affine, np.float64)
        if matrix is not None and (matrix.shape != (4, 4) or not abs(np.linalg.det(matrix[:3, :3])) > 0):
            raise ValueError("an affine is a 4x4 matrix that can be inverted")
        if matrix is not None:
            lengths = np.linalg.norm(matrix[:3, :3], axis=0)
            if spacing is not None and not np.allclose(lengths, spacing, rtol=1e-3):
                raise ValueError(
                    f"a spacing of {tuple(spacing)} mm beside an affine of {lengths.round(3)} mm"
                )
            spacing = lengths.tolist()
        sizes = None if spacing is None else tuple(float(size) for size in spacing)
        if sizes is not None and (len(sizes) != 3 or not min(sizes) > 0):
            raise ValueError(f"a spacing has three sizes above 0, not {sizes}")
        return cls(array, Grid(array.shape[:3], sizes, matrix), id, names)

    @classmethod
    def from_nibabel(cls, image: Any, id: str = "scan") -> Scan:
        """Make a scan of an image that nibabel has loaded or made: 3-D (FLAIR alone), or 4-D or RGB with
        pre-contrast, FLAIR and post-contrast. Its segmentations are written on the image's own grid.

        Args:
            image: a ``Nifti1Image`` or ``Nifti2Image``.
            id: name of the scan.

        Raises:
            InputError: as for a NIfTI file; see :func:`glioseg.read_scan`.
        """
        scan: Scan = above("glioseg.io.nifti", "from_image")(image, id)
        return scan

    @property
    def source(self) -> Path | None:
        """The file, or the folder that holds the files, of this scan."""
        files = self.storage.files
        if not files:
            return None
        return files[0] if len(files) == 1 else files[0].parent

    def segmentation(
        self,
        voxels: npt.NDArray[np.uint8] | BoolArray,
        labels: Mapping[int, str] = LESION,
        origin: Origin = "automatic",
        id: str | None = None,
    ) -> Segmentation:
        """A segmentation of this scan, on its grid and to be stored as it is.

        Args:
            voxels: uint8 labels or, of lesion or not, a boolean mask; ``(slices, height, width)``.
            labels: name of each label.
            origin: where it comes from.
            id: instead of that of the scan.

        Raises:
            WrongKindError: the array is of another kind, or holds values that are no labels.
            ValueError: it does not have the shape of the scan.
        """
        stored: Any = voxels.astype(np.uint8) if voxels.dtype == np.bool_ else voxels
        return Segmentation(stored, self.grid, id or self.id, dict(labels), origin, self.storage)

    def channel(self, name: str) -> npt.NDArray[Any]:
        """Voxels ``(slices, height, width)`` of one channel."""
        return self.voxels[..., self.channels.index(name)]


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Which label each voxel has, on the same grid as the scan.

    Attributes:
        voxels: uint8 array ``(slices, height, width)`` of labels; 0 is background. Never 0/255 for lesion or
            not, never floats.
        grid: the grid of the scan.
        id: id of the scan.
        labels: name of each label; lesion or not is :data:`LESION`.
        origin: where it comes from.
        storage: how the scan is stored, or the segmentation itself if it was read without one.

    Raises:
        WrongKindError: the array is not uint8, or holds values that are no labels.
        ValueError: the array does not have the shape of the grid.

    >>> import numpy as np
    >>> voxels = np.array([[[0, 1], [2, 2]]], np.uint8)
    >>> segmentation = Segmentation(voxels, Grid((1, 2, 2)), labels={1: "oedema", 2: "core"})
    >>> segmentation.mask.tolist()
    [[[False, True], [True, True]]]
    >>> int(segmentation.label(2).sum())
    2
    """

    voxels: npt.NDArray[np.uint8]
    grid: Grid
    id: str = "segmentation"
    labels: Mapping[int, str] = field(default_factory=lambda: dict(LESION))
    origin: Origin = "automatic"
    storage: Storage = IN_MEMORY

    def __post_init__(self) -> None:
        if self.voxels.dtype != np.uint8:
            raise WrongKindError(
                f"labels must be uint8, not {self.voxels.dtype}: from_mask takes boolean masks."
            )
        if self.voxels.shape != self.grid.shape:
            raise ValueError(f"a segmentation of {self.voxels.shape} on a grid of {self.grid.shape}")
        if any(not 1 <= value <= 255 for value in self.labels):
            raise ValueError(f"labels are numbers from 1 to 255, not {sorted(self.labels)}")
        count = len(self.labels)
        if set(self.labels) == set(range(1, count + 1)) and self.voxels.max(initial=0) <= count:
            return  # the largest tells at once that all are known
        known = np.zeros(256, dtype=bool)
        known[[0, *self.labels]] = True
        if not known[self.voxels].all():
            others = np.unique(self.voxels[~known[self.voxels]])[:4].tolist()
            raise WrongKindError(
                f"voxels hold {', '.join(map(str, others))}, which no label is called "
                f"({', '.join(map(str, sorted(self.labels)))})"
            )

    @classmethod
    def from_mask(
        cls, mask: npt.NDArray[np.bool_], grid: Grid, id: str = "segmentation", origin: Origin = "automatic"
    ) -> Segmentation:
        """Lesion or not, from a boolean array ``(slices, height, width)``.

        Raises:
            WrongKindError: the array is not boolean.
            ValueError: it does not have the shape of the grid.
        """
        check_boolean(mask, "a mask")
        return cls(mask.astype(np.uint8), grid, id, origin=origin)

    def __repr__(self) -> str:
        counts = self.counts
        said = ", ".join(f"{self.labels[value]}: {count:,}" for value, count in counts.items()) or "empty"
        return f"Segmentation({self.id!r}, {said} voxels, {self.grid.said}, {self.origin})"

    def _repr_html_(self) -> str:
        html: str = above("glioseg.draw.notebook", "html_of_segmentation")(self)
        return html

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.voxels, dtype=dtype, copy=bool(copy) or None)

    @property
    def lesion_or_not(self) -> bool:
        """Whether there is the one label of :data:`LESION`, and no classes."""
        return dict(self.labels) == LESION

    @property
    def mask(self) -> BoolArray:
        """Boolean ``(slices, height, width)``: where there is any label."""
        return self.voxels > 0

    def label(self, value: int) -> BoolArray:
        """Boolean ``(slices, height, width)``: where there is one label.

        Raises:
            KeyError: there is no such label.
        """
        if value not in self.labels:
            raise KeyError(value)
        return self.voxels == value

    @property
    def counts(self) -> dict[int, int]:
        """Voxels of each label that occurs."""
        values, counts = np.unique(self.voxels[self.voxels > 0], return_counts=True)
        return dict(zip(values.tolist(), counts.tolist(), strict=True))

    @property
    def slices_with_lesion(self) -> int:
        """Number of slices that hold at least one labelled voxel."""
        return int(self.voxels.any(axis=(1, 2)).sum())

    @property
    def volume_mm3(self) -> float | None:
        """Volume of all labels in mm3, or ``None`` when the spacing is unknown."""
        unit = self.grid.voxel_volume
        return None if unit is None else float(np.count_nonzero(self.voxels)) * unit

    def save(self, path: str | Path, *, anonymise: bool = False) -> list[Path]:
        """Write the segmentation.

        Args:
            path: a file that ends in ``.nii.gz``, ``.nii``, ``.tif``, ``.tiff``, ``.png`` (one slice) or
                ``.dcm`` (DICOM SEG, of scans from DICOM), which is then written; or a folder, into which the
                kind of the scan it belongs to is written.
            anonymise: name no patient in the file; only DICOM could.

        Returns:
            The files that were written.

        Raises:
            InputError: it cannot be written there, or not in this kind.
        """
        written: list[Path] = above("glioseg.io.save", "save_segmentation")(self, Path(path), anonymise)
        return written


def above(module: str, name: str) -> Any:
    """A function of a room above, looked up on its first use as readers are (:mod:`glioseg.io.registry`).

    What writes and draws the nouns stands above them.
    """
    return getattr(import_module(module), name)


def bounding_box(mask: BoolArray) -> tuple[slice, ...]:
    """The smallest box that holds all that is set in a mask that is not empty."""
    box = []
    for axis in range(mask.ndim):
        others = tuple(other for other in range(mask.ndim) if other != axis)
        present = np.flatnonzero(mask.any(axis=others))
        box.append(slice(int(present[0]), int(present[-1]) + 1))
    return tuple(box)


def check_boolean(array: npt.NDArray[Any], what: str) -> None:
    """Refuse anything but a boolean array, and say what to do about it.

    Raises:
        WrongKindError: ``array`` is not boolean.
    """
    if array.dtype != np.bool_:
        raise WrongKindError(
            f"{what} must be boolean, not {array.dtype}: compare with a threshold first "
            "(probability >= 0.5, or stored values > 0)."
        )
