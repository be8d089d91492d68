"""Opening the file of a volume: its content decides what it is, and what is compressed is read to its end.

A header is checked before any voxel is decoded. gzip's checksum stands at the very end of a file, behind the
voxels: only who reads so far learns that a file is damaged.

Sources: NIfTI-1 data format, https://nifti.nimh.nih.gov/nifti-1; RFC 1952 (gzip);
https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from glioseg.errors import Fault, InputError
from glioseg.io.names import other_of_pair, suffix_of
from glioseg.io.pictures import reason_of
from glioseg.io.pointers import check_fetched
from glioseg.io.refuse import MAX_EXPANSION, quiet, reading
from glioseg.io.text_header.inflated import Inflated
from glioseg.io.text_header.opening import PARSERS, data_file_of, opened_by_text

DAMAGED = (OSError, EOFError, ValueError, TypeError, OverflowError, zlib.error)
"""What nibabel and gzip raise on damaged files."""

MOST_BEHIND = 64 << 20
"""Most bytes behind the voxels of a compressed file; more than that has not been written by mistake."""

_GZIP = b"\x1f\x8b"
_MGH_HEADER = 284  # bytes before the voxels
_MGH_PLACED = 28  # bytes before the flag that says whether the volume is placed
_OTHER = {".hdr": ".img", ".img": ".hdr"}


@dataclass(frozen=True)
class Opened:
    """A volume whose voxels have not been read yet.

    Attributes:
        image: as nibabel has it, a single NIfTI file whatever the file is. Where the file gives no voxel size
            its header has 0, and not 1 as nibabel would put there.
        room: most bytes of voxels that the file can hold.
    """

    image: Any
    room: int


@contextmanager
def opened(path: Path, *, to_end: bool = True) -> Iterator[Opened]:
    """Open a volume; when all is well in the block, the rest of a compressed file is read too.

    Args:
        path: ``.nii``, ``.nii.gz``, one of ``.hdr`` and ``.img``, ``.mgz`` or ``.mgh``, ``.nrrd``,
            ``.nhdr``, ``.mha`` or ``.mhd``.
        to_end: read the rest; not where only the header is looked at.

    Raises:
        InputError: there is no such volume, it is damaged, or its content was not fetched.
    """
    if suffix_of(path) in PARSERS:
        with _opened_by_text(path, to_end) as found:
            yield found
        return
    header_path, voxel_path = files_of(path)
    with ExitStack() as stack:
        header_stream = stack.enter_context(_stream(header_path))
        start = _first_bytes(path, header_stream)
        stream = header_stream if voxel_path == header_path else stack.enter_context(_stream(voxel_path))
        kind = _mgh if suffix_of(path) in (".mgz", ".mgh") else _nifti
        try:
            with quiet("nibabel.global"):
                image = kind(path, start, stream, single=voxel_path == header_path)
        except InputError:
            raise
        except Exception as error:  # nibabel raises HeaderDataError and whatever else parsing runs into
            raise InputError(damaged(path, error)) from error
        compressed = isinstance(stream, gzip.GzipFile)
        size = os.stat(voxel_path).st_size * (MAX_EXPANSION if compressed else 1)
        yield Opened(image, max(0, size - image.dataobj.offset))
        if compressed and to_end:
            _read_to_end(path, stream)


@contextmanager
def _opened_by_text(path: Path, to_end: bool) -> Iterator[Opened]:
    with ExitStack() as stack:
        try:
            with quiet("nibabel.global"):
                image, stream, room = stack.enter_context(opened_by_text(path))
        except InputError:
            raise
        except Exception as error:  # as in :func:`opened`
            raise InputError(damaged(path, error)) from error
        yield Opened(image, room)
        if isinstance(stream, Inflated) and to_end:
            _read_to_end(path, stream)


def files_of(path: Path) -> tuple[Path, Path]:
    """The file of the header and that of the voxels; one and the same but for pairs.

    Raises:
        InputError: one file of a pair is not there.
    """
    suffix = suffix_of(path)
    if suffix not in (".hdr", ".img"):
        return path, path
    other = other_of_pair(path)
    if other is None:
        raise InputError(Fault("nifti.half_of_pair", path, other=path.with_suffix(_OTHER[suffix]).name))
    return (path, other) if suffix == ".hdr" else (other, path)


def with_other_parts(files: Iterable[Path | None]) -> list[Path]:
    """Files, each followed by the other one that its volume consists of, if that stands beside it: the header
    of a pair, the voxels of a header.
    """
    whole = []
    for path in files:
        if path is not None:
            other = other_of_pair(path) or data_file_of(path)
            whole += [path, other] if other is not None and other.is_file() else [path]
    return whole


def damaged(path: Path, why: object) -> Fault:
    """The fault of a file that is damaged or cut short."""
    return Fault("nifti.damaged", path, reason=reason_of(why))


@contextmanager
def _stream(path: Path) -> Iterator[IO[bytes] | gzip.GzipFile]:
    """The bytes of a file, decompressed if its first bytes are those of gzip, whatever it is called."""
    with ExitStack() as stack:
        with reading(path):
            file = stack.enter_context(open(path, "rb"))
            start = file.read(200)
        if not start:
            raise InputError(Fault("nifti.empty", path))
        check_fetched(path, start)
        file.seek(0)
        if start.startswith(_GZIP):
            yield stack.enter_context(gzip.GzipFile(fileobj=file, mode="rb"))
        else:
            yield file


def _first_bytes(path: Path, stream: IO[bytes] | gzip.GzipFile) -> bytes:
    """As many as the longest header has."""
    try:
        return stream.read(544)
    except DAMAGED as error:
        raise InputError(damaged(path, error)) from error


def _nifti(path: Path, start: bytes, stream: IO[bytes] | gzip.GzipFile, *, single: bool) -> Any:
    import nibabel
    from nibabel.arrayproxy import ArrayProxy

    for image_class in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        header_class = image_class.header_class
        size = header_class.sizeof_hdr
        if len(start) >= size and header_class.may_contain_header(start[:size]):
            break
    else:
        raise InputError(Fault("nifti.other_kind", path))
    as_stored = header_class(start[:size], check=False)
    header = header_class(start[:size])
    offset = int(header["vox_offset"])
    if single and offset == 0:
        # Some programs leave it 0: the voxels then follow the header, unless extensions stand between.
        if start[size : size + 1] not in (b"", b"\0"):
            raise InputError(Fault("nifti.no_start", path))
        offset = header_class.single_vox_offset
    slope, inter = header.get_slope_inter()
    scaling = (1.0 if slope is None else slope, 0.0 if inter is None else inter)
    shape, dtype = header.get_data_shape(), header.get_data_dtype()
    header["magic"], header["vox_offset"] = header_class.single_magic, 0
    image = image_class(ArrayProxy(stream, (shape, dtype, offset, *scaling)), None, header)
    return _without_sizes(image, as_stored["pixdim"][1:4] == 0)


def _mgh(path: Path, start: bytes, stream: IO[bytes] | gzip.GzipFile, *, single: bool) -> Any:
    import nibabel
    from nibabel.arrayproxy import ArrayProxy
    from nibabel.freesurfer.mghformat import MGHHeader

    # What follows the voxels (repetition time and the like) is not needed.
    if len(start) < _MGH_HEADER or start[:4] != b"\0\0\0\1":
        raise InputError(Fault("nifti.other_kind", path))
    stored = MGHHeader(start[:_MGH_HEADER])
    shape, dtype = stored.get_data_shape(), stored.get_data_dtype()
    header = nibabel.Nifti1Header()
    header.set_data_dtype(dtype.newbyteorder("="))
    header.set_data_shape(shape)
    header.set_xyzt_units("mm")
    # Without a place of its own the header has made-up directions and sizes.
    placed = start[_MGH_PLACED : _MGH_PLACED + 2] != b"\0\0"
    header.set_sform(stored.get_affine(), code="scanner" if placed else "unknown")
    header.set_qform(stored.get_affine(), code="scanner" if placed else "unknown")
    proxy = ArrayProxy(stream, (shape, dtype, _MGH_HEADER, 1.0, 0.0))
    return _without_sizes(nibabel.Nifti1Image(proxy, None, header), not placed)


def _without_sizes(image: Any, unknown: Any) -> Any:
    image.header["pixdim"][1:4][unknown] = 0
    return image


def _read_to_end(path: Path, stream: IO[bytes] | gzip.GzipFile | Inflated) -> None:
    """Read what follows the voxels, for gzip compares its checksum there.

    Raises:
        InputError: the checksum is wrong, the file ends before it, or much more follows than the header says.
    """
    behind = 0
    try:
        while block := stream.read(1 << 20):
            behind += len(block)
            if behind > MOST_BEHIND:
                raise InputError(Fault("nifti.more_than_said", path, size=MOST_BEHIND >> 20))
    except DAMAGED as error:
        raise InputError(damaged(path, error)) from error
