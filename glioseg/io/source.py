"""A scan that was found and has not been read yet: its files, what each is, and its truth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glioseg.errors import Fault, InputError, raise_all
from glioseg.io.names import listed, stem_of
from glioseg.io.registry import READERS, reader_for
from glioseg.io.sequences import read_sequences, with_all_channels
from glioseg.io.slices import read_slice_masks, read_slices
from glioseg.scan import CHANNELS, LESION, Scan, Segmentation, channels_for

if TYPE_CHECKING:
    from glioseg.io.dicom.match import FoundSeries
    from glioseg.io.dicom.series import Series


@dataclass(frozen=True)
class Source:
    """The files of one scan that has not been read yet.

    Attributes:
        id: name of the scan, different from that of every other source found with it.
        format: name of its reader in :data:`glioseg.io.READERS`.
        files: one file a slice for ``slices``, all of every sequence for ``dicom``, one a sequence when
            ``sequences`` are named otherwise, else one.
        sequences: which sequence each file holds, where the names of the files or DICOM headers say so.
        slice_numbers: number of each slice, for ``slices``.
        layout: the layout of the data set that it belongs to, where that says more than names of files.
        labels: what each value of its mask counts as, where the layout says so; ``""`` is background.
        lacks: files that its layout promises and that are not there.
        note: what was taken for what and what was left aside, where the names of the files do not say it.
        series: of ``dicom``, all series of the study, each with what it was taken for.
        truth: the mask that was found beside it: for ``slices`` one file a slice, ``None`` where there is
            none; otherwise one file, or several where nothing tells which is meant. Empty without a mask.
        strays: masks beside it that belong to none of its slices.
        channels: of a volume, what lies along its fourth axis, where that is known; see
            :func:`glioseg.io.nifti.read`.
        chosen: of ``dicom``, the series of each sequence with their headers, so that no header is read twice.
        further: the file, or of ``dicom`` the series, of sequences that are there and that few networks take.
        wanted: the channels that the scan is read with.
        places: of ``dicom``, the folders of the study, also of series that were not chosen.
    """

    id: str
    format: str
    files: tuple[Path, ...]
    sequences: tuple[str, ...] = ()
    slice_numbers: tuple[int, ...] = ()
    layout: str = ""
    labels: Mapping[int, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    note: str = ""
    series: tuple[FoundSeries, ...] = ()
    truth: tuple[Path | None, ...] = ()
    strays: tuple[Path, ...] = ()
    channels: tuple[str, ...] = ()
    chosen: Mapping[str, Series] = field(default_factory=dict, repr=False, compare=False)
    further: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    wanted: tuple[str, ...] = CHANNELS
    places: tuple[Path, ...] = field(default=(), repr=False, compare=False)

    @property
    def place(self) -> Path:
        """Its only file, or the folder of its files."""
        return self.files[0] if len(self.files) == 1 else self.files[0].parent

    def with_sequences(self, sequences: Iterable[str]) -> Source:
        """The scan to be read with the sequences that a network takes; by default T2 is left aside."""
        wanted = channels_for(sequences)
        taken = {name: each for name, each in self.further.items() if name in wanted}
        source = replace(self, wanted=wanted, further={})
        if not taken:
            return source
        names = (*self.sequences, *taken)
        if self.chosen:
            pairs = [(file, name) for name, series in taken.items() for file in series.files]
            files = (*self.files, *(file for file, _ in pairs))
            names = (*self.sequences, *(name for _, name in pairs))
            source = replace(source, chosen={**self.chosen, **taken})
        else:
            files = (*self.files, *taken.values())
        also = ", ".join(
            f"{getattr(each, 'title', None) or each.name} as {name}" for name, each in taken.items()
        )
        note = f"{self.note}; but the network takes {also}" if self.note else ""
        return replace(source, files=files, sequences=names, note=note)

    def read(self, threads: int | None = None) -> Scan:
        """Read the scan.

        Args:
            threads: files of ``slices`` that are read at a time; a few by default.

        Raises:
            InputError: see :func:`glioseg.io.read_scan`.
        """
        return with_all_channels(self.read_as_stored(threads), self.wanted)

    def read_as_stored(self, threads: int | None = None) -> Scan:
        """Read the scan as :meth:`read` does, with the sequences alone that it has of its own.

        Raises:
            InputError: see :func:`glioseg.io.read_scan`.
        """
        if self.chosen:
            from glioseg.io.dicom.reader import read_series

            return read_series(self.chosen, self.id)
        if self.sequences:
            return read_sequences(dict(zip(self.sequences, self.files, strict=True)), self.id)
        if self.format == "slices":
            options = {} if threads is None else {"threads": threads}
            return read_slices(self.files, self.slice_numbers, id=self.id, **options)
        if self.channels:
            from glioseg.io.nifti import read

            return read(self.files[0], self.id, self.channels, self.wanted)
        return READERS[self.format].read(self.files[0], self.id)

    def read_truth(self, scan: Scan, labels: Mapping[int, str] | None = LESION) -> Segmentation | None:
        """Read the mask beside the scan; ``None`` when there is none.

        Args:
            scan: the scan.
            labels: those that there may be besides 0: lesion or not (by default by the values that the layout
                names), named ones, or ``None`` for any.

        Raises:
            InputError: slices are without mask, it is not told which mask is meant, there are other labels,
                or see :func:`glioseg.io.read_segmentation`.
        """
        files = self._truth_files()
        if not files:
            return None
        if self.labels and labels is not None and dict(labels) == LESION:
            labels = self.labels
        if self.format == "slices":
            return read_slice_masks(files, scan, self.id, labels)
        found = reader_for(files[0]).read_segmentation(files[0], scan, labels)
        return replace(found, id=self.id)

    def _truth_files(self) -> list[Path]:
        files = [file for file in self.truth if file is not None]
        if not files:
            return []
        if self.format == "slices":
            pairs = zip(self.files, self.truth, strict=True)
            raise_all(without_mask(image) for image, mask in pairs if mask is None)
        elif len(files) > 1:
            names = listed(file.name for file in files)
            raise InputError(Fault("io.several_masks", self.place, files=names))
        return files

    def __str__(self) -> str:
        """What is read for what, for instance ``p1: a_t1.nii.gz as pre, a_flair.nii.gz as flair``."""
        return f"{self.id}: {self.note or self.described}"

    @property
    def described(self) -> str:
        """What is read for what, without the id."""
        if self.sequences:
            pairs = zip(self.files, self.sequences, strict=True)
            return ", ".join(f"{file.name} as {sequence}" for file, sequence in pairs)
        if len(self.files) > 1:
            return f"{len(self.files)} slices in {self.files[0].parent}"
        return str(self.files[0])


def with_channels(sources: Sequence[Source], channels: str) -> list[Source]:
    """The scans, with what a person says of the fourth axis of volumes.

    Args:
        sources: of any kind; only volumes that hold several sequences are concerned.
        channels: ``flair,t1,t1c,t2`` for instance; nothing for the order that volumes have otherwise.

    Raises:
        InputError: a word is no sequence, FLAIR is not among them, or no scan is a volume.
    """
    if not channels:
        return list(sources)
    from glioseg.io.fourth_axis import channels_in

    words = channels_in(channels)
    concerned = [source.format == "nifti" and not source.sequences for source in sources]
    if sources and not any(concerned):
        raise InputError(Fault("nifti.channels_of_no_volume", "--channels", count=len(sources)))
    return [
        replace(source, channels=words) if concerns else source
        for source, concerns in zip(sources, concerned, strict=True)
    ]


def without_mask(image: Path) -> Fault:
    """The fault of a slice that has no mask."""
    return Fault("io.slice_without_mask", image, name=f"{stem_of(image)}_mask{image.suffix}")


def without_image(mask: Path) -> Fault:
    """The fault of a mask that has no slice."""
    return Fault("io.mask_without_image", mask)
