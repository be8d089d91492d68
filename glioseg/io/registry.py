"""The registry of readers: which kinds of scan can be read, and where the code for each is.

A reader's module is imported on its first use. It provides

* ``read(path, id) -> Scan`` with the one channel ``flair`` or all of :data:`glioseg.scan.CHANNELS`,
* ``read_mask(path, like) -> Mask`` where ``like`` is the grid that the mask must have, or ``None``,
* ``write_mask(mask, folder, name) -> list[Path]`` for a mask whose ``grid.format`` is the reader's name; with
  the keywords ``anonymise`` and ``made`` too if the files of this kind name a patient,
* ``read_labels(path, like, values) -> LabelMap`` and ``write_labels(labels, folder, name)``, the same for
  masks of several classes; ``values`` are those that there may be besides 0, or ``None``,

and raises :class:`glioseg.errors.InputError` on whatever is wrong with the file.
``tests/test_io.py`` holds the contract that every reader passes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from glioseg.errors import Fault, InputError
from glioseg.io.dicom.detect import takes as takes_dicom
from glioseg.io.names import is_picture, is_volume, suffix_of
from glioseg.io.refuse import check_exists
from glioseg.scan import Grid, LabelMap, Made, Mask, Scan
from glioseg.words import Phrase, catalogue


@dataclass(frozen=True)
class Reader:
    """One kind of scan.

    Attributes:
        name: the ``format`` of the grids that it makes.
        title: what people call it.
        takes: whether a path, which exists, is of this kind; decided by its name or its first bytes.
        home: the module with ``read``, ``read_mask`` and ``write_mask``.
        beside: the reader in whose kind predictions are written too, for programs that cannot open this one.
        names_patient: whether masks of this kind say whose they are and how they came about.
    """

    name: str
    title: str
    takes: Callable[[Path], bool]
    home: str
    beside: str | None = None
    names_patient: bool = False

    @property
    def module(self) -> ModuleType:
        """The reader's code, imported on first use."""
        return import_module(self.home)

    def read(self, path: Path, id: str) -> Scan:
        """Read the scan at ``path``."""
        scan: Scan = self.module.read(path, id)
        return scan

    def read_mask(self, path: Path, like: Grid | None) -> Mask:
        """Read the mask at ``path``, on the grid ``like`` if given."""
        mask: Mask = self.module.read_mask(path, like)
        return mask

    def read_labels(self, path: Path, like: Grid | None, values: Sequence[int] | None) -> LabelMap:
        """Read the label map at ``path``, on the grid ``like`` if given."""
        labels: LabelMap = self.module.read_labels(path, like, values)
        return labels

    def write_labels(
        self,
        labels: LabelMap,
        folder: Path,
        name: str,
        *,
        anonymise: bool = False,
        made: Made = "automatic",
    ) -> list[Path]:
        """Write a label map in the kind that its scan was read from; see :meth:`write_mask`."""
        paths: list[Path] = self.module.write_labels(labels, folder, name, **self._said(anonymise, made))
        return paths

    def write_mask(
        self, mask: Mask, folder: Path, name: str, *, anonymise: bool = False, made: Made = "automatic"
    ) -> list[Path]:
        """Write a mask in the kind that its scan was read from.

        Args:
            mask: the mask.
            folder, name: where, and under which name.
            anonymise: name no patient; only kinds that could need it.
            made: how the mask came about, which only the same kinds can say.
        """
        paths: list[Path] = self.module.write_mask(mask, folder, name, **self._said(anonymise, made))
        return paths

    def _said(self, anonymise: bool, made: Made) -> dict[str, Any]:
        return {"anonymise": anonymise, "made": made} if self.names_patient else {}


READERS: dict[str, Reader] = {}


def register(reader: Reader) -> None:
    """Add a reader. Of several that take a path, the first that was registered reads it."""
    READERS[reader.name] = reader


# Before folders of slices, which take every folder: DICOM takes those that hold DICOM and no other image.
register(Reader("dicom", "DICOM", takes_dicom, "glioseg.io.dicom.reader", "nifti", names_patient=True))
register(Reader("slices", "a folder of slices", Path.is_dir, "glioseg.io.slices"))
register(Reader("image", "a TIFF, PNG or JPEG image", is_picture, "glioseg.io.image"))
register(Reader("nifti", "a NIfTI volume (.nii, .nii.gz)", is_volume, "glioseg.io.nifti"))


def reader_for(path: Path) -> Reader:
    """The reader that takes ``path``.

    Raises:
        InputError: there is nothing at ``path``, or no reader takes it.
    """
    check_exists(path)
    for reader in READERS.values():
        if reader.takes(path):
            return reader
    if not path.suffix:
        raise InputError(Fault("io.no_suffix", path, kinds=_kinds()))
    raise InputError(Fault("io.unknown_suffix", path, kinds=_kinds(), suffix=suffix_of(path)))


def _kinds() -> str:
    """What is read, in words; a reader without a phrase of its own has its title."""
    known = catalogue("en")["sentences"]
    titles: list[str] = [
        Phrase(key) if (key := f"reader.{reader.name}") in known else reader.title
        for reader in READERS.values()
    ]
    return reduce(lambda before, title: Phrase("list.or", before=before, last=title), titles)
