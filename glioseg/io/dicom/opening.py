"""Open DICOM files: each once, inflated within limits, in silence about what they hold."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from glioseg.errors import Fault, InputError
from glioseg.io.refuse import quiet, reading, without_warnings

MAX_INFLATED = 1 << 30
"""Most bytes that a deflated file may become."""

_DEFLATED = "1.2.840.10008.1.2.1.99"

_LOGGERS = ("pydicom", "pydicom.pixels.decoders.base", "pydicom.pixels.utils")
_WRITERS = ("highdicom.base", "highdicom.image", "highdicom.seg.sop", "highdicom.frame", "highdicom.uid")


@contextmanager
def calm() -> Iterator[None]:
    """Keep what the libraries log and warn about to ourselves: it may hold a patient's name."""
    with ExitStack() as stack:
        stack.enter_context(without_warnings())
        for name in (*_LOGGERS, *_WRITERS):
            stack.enter_context(quiet(name))
        yield


def open_header(path: Path, keywords: list[str] | None = None) -> Any:
    """A file's header as pydicom's dataset, without pixels.

    Args:
        path: the file.
        keywords: the attributes to read; all by default.

    Raises:
        InputError: it is no DICOM, damaged, or becomes too large when it is inflated.
    """
    return _open(path, stop_before_pixels=True, specific_tags=keywords)


def open_whole(path: Path) -> Any:
    """A file with its pixels, not decoded yet, as pydicom's dataset.

    Raises:
        InputError: as :func:`open_header`.
    """
    return _open(path)


def _open(path: Path, **options: Any) -> Any:
    import pydicom
    from pydicom.errors import InvalidDicomError

    with reading(path), open(path, "rb") as file:
        start = file.read(132)
        if not start:
            raise InputError(Fault("dicom.empty", path))
        bare = start[128:] != b"DICM"
        if bare and start[:2] not in (b"\x08\x00", b"\x00\x08", b"\x02\x00"):
            raise InputError(Fault("dicom.other_kind", path))
        try:
            with calm():
                if not bare:
                    _check_inflated(path, file)
                file.seek(0)
                return _with_syntax(pydicom.dcmread(file, force=bare, **options))
        except (InputError, MemoryError, OSError):
            raise
        except InvalidDicomError as error:
            raise InputError(damaged(path)) from error
        except Exception as error:  # pydicom raises whatever damaged bytes lead to
            raise InputError(damaged(path)) from error


def _with_syntax(dataset: Any) -> Any:
    """A dataset whose file does not say how it is encoded, with what pydicom found out by reading it."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    if "TransferSyntaxUID" not in dataset.file_meta:
        implicit, little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return dataset


def _check_inflated(path: Path, file: BinaryIO) -> None:
    """Inflate a deflated file piece by piece, to know its size before pydicom does it at once."""
    from pydicom.filereader import read_dataset

    meta = read_dataset(file, False, True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2)
    if meta.get("TransferSyntaxUID") != _DEFLATED:
        return
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    while piece := file.read(1 << 16):
        while piece:
            size += len(inflate.decompress(piece, 1 << 20))
            piece = inflate.unconsumed_tail
            if size > MAX_INFLATED:
                raise InputError(Fault("dicom.inflated", path, most=f"{MAX_INFLATED:,}"))


def damaged(path: Path) -> Fault:
    """A fault without the library's own words: they may quote the header, and with it a name."""
    return Fault("dicom.damaged", path)
