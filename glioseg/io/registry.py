"""The registry of readers: which kinds of scan can be read, and where the code for each is.

A reader's module is imported on its first use. It provides

* ``read(path, id) -> Scan`` with the one channel ``flair`` or all of :data:`glioseg.scan.CHANNELS`,
* ``read_segmentation(path, like, labels) -> Segmentation`` where ``like`` is the scan that it belongs to, or
  ``None``, and ``labels`` are the names of the values that there may be besides 0: those of
  :data:`glioseg.scan.LESION` for lesion or not, or ``None`` for any,
* ``write_segmentation(segmentation, folder, name) -> list[Path]`` for one whose ``storage.format`` is the
  reader's name; with the keyword ``anonymise`` too if the files of this kind name a patient,

and raises :class:`glioseg.errors.InputError` on whatever is wrong with the file.
``tests/test_io.py`` holds the contract that every reader passes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from pathlib import Path
from types import ModuleType

from glioseg.errors import Fault, InputError
from glioseg.io.dicom.detect import takes as takes_dicom
from glioseg.io.names import is_picture, is_volume, suffix_of
from glioseg.io.refuse import check_exists
from glioseg.scan import LESION, Scan, Segmentation
from glioseg.words import Phrase, catalogue


@dataclass(frozen=True)
class Reader:
    """One kind of scan.

    Attributes:
        name: the ``format`` of the :class:`~glioseg.scan.Storage` of its scans.
        title: what people call it.
        takes: whether a path, which exists, is of this kind; decided by its name or its first bytes.
        home: the module with ``read``, ``read_segmentation`` and ``write_segmentation``.
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

    def read_segmentation(
        self, path: Path, like: Scan | Segmentation | None, labels: Mapping[int, str] | None = LESION
    ) -> Segmentation:
        """Read the mask at ``path``, on the grid of ``like`` if given."""
        segmentation: Segmentation = self.module.read_segmentation(path, like, labels)
        return segmentation

    def write_segmentation(
        self, segmentation: Segmentation, folder: Path, name: str, *, anonymise: bool = False
    ) -> list[Path]:
        """Write a segmentation in the kind that its scan was read from.

        Args:
            segmentation: labels on the grid of a scan.
            folder, name: where, and under which name.
            anonymise: name no patient; only kinds that could need it.
        """
        said = {"anonymise": anonymise} if self.names_patient else {}
        paths: list[Path] = self.module.write_segmentation(segmentation, folder, name, **said)
        return paths


READERS: dict[str, Reader] = {}


def register(reader: Reader) -> None:
    """Add a reader. Of several that take a path, the first that was registered reads it."""
    READERS[reader.name] = reader


# Before folders of slices, which take every folder: DICOM takes those that hold DICOM and no other image.
register(Reader("dicom", "DICOM", takes_dicom, "glioseg.io.dicom.reader", "nifti", names_patient=True))
register(Reader("slices", "a folder of slices", Path.is_dir, "glioseg.io.slices"))
register(Reader("image", "a TIFF, PNG or JPEG image", is_picture, "glioseg.io.image"))
register(
    Reader(
        "nifti",
        "a volume (.nii, .nii.gz, .img with .hdr, .mgz, .nrrd, .mha)",
        lambda path: is_volume(path) or suffix_of(path) in (".hdr", ".img"),
        "glioseg.io.nifti",
    )
)


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
