"""From the file of a text header to an image of nibabel whose voxels have not been read yet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from glioseg.errors import Fault, InputError
from glioseg.io.names import suffix_of
from glioseg.io.pointers import check_fetched
from glioseg.io.refuse import MAX_EXPANSION, check_exists, check_size, reading
from glioseg.io.text_header import metaimage, nrrd
from glioseg.io.text_header.header import TextHeader
from glioseg.io.text_header.inflated import Inflated

MOST_HEADER = 1 << 20
"""Most bytes of a header; with the names of many segments, or directions of diffusion, they are long."""

PARSERS = {
    ".nrrd": nrrd.header_of,
    ".nhdr": nrrd.header_of,
    ".mha": metaimage.header_of,
    ".mhd": metaimage.header_of,
}


@contextmanager
def opened_by_text(path: Path) -> Iterator[tuple[Any, IO[bytes] | Inflated, int]]:
    """Open a volume.

    Yields:
        The image as nibabel has it; the stream of its voxels; and most bytes of voxels that there can be.

    Raises:
        InputError: there is no such file, it is empty, its voxels are not stored in a way that is read, or
            its sizes are those of no scan.
        ValueError: the header is damaged.
    """
    with ExitStack() as stack:
        with reading(path):
            file: IO[bytes] = stack.enter_context(open(path, "rb"))
            start = file.read(MOST_HEADER)
        header, end = _header(path, start)
        offset = header.skip if header.data is not None else end + max(0, header.skip)
        if header.data is not None:
            beside = path.with_name(header.data)
            if not os.path.lexists(beside):
                raise InputError(Fault("volume.no_voxels", path, name=header.data))
            check_exists(beside)
            with reading(beside):
                file = stack.enter_context(open(beside, "rb"))
        size = os.fstat(file.fileno()).st_size
        if header.skip == -1:
            offset = size - header.bytes
        if not 0 <= offset <= size:
            raise ValueError("voxels outside of the file")
        file.seek(offset)
        if header.deflated:
            stream: IO[bytes] | Inflated = Inflated(file)
            yield _image(header, stream, 0), stream, (size - offset) * MAX_EXPANSION
        else:
            yield _image(header, file, offset), file, size - offset


def data_file_of(path: Path) -> Path | None:
    """The file beside a header that holds its voxels; ``None`` if they follow it, or nothing tells."""
    if suffix_of(path) in PARSERS:
        with suppress(OSError, ValueError, InputError, KeyError), open(path, "rb") as file:
            header, _ = PARSERS[suffix_of(path)](path, file.read(MOST_HEADER))
            return None if header.data is None else path.with_name(header.data)
    return None


def _header(path: Path, start: bytes) -> tuple[TextHeader, int]:
    if not start:
        raise InputError(Fault("nifti.empty", path))
    check_fetched(path, start[:200])
    try:
        header, end = PARSERS[suffix_of(path)](path, start)
    except KeyError as error:
        raise ValueError(f"unknown kind of values {error}") from error
    # Before nibabel sees them: its headers hold no sizes above 32767.
    columns, rows, *more = header.sizes
    slices, channels = (*more, 1, 1)[:2]
    check_size(path, (slices, rows, columns, channels))
    return header, end


def _image(header: TextHeader, stream: IO[bytes] | Inflated, offset: int) -> Any:
    import nibabel
    from nibabel.arrayproxy import ArrayProxy

    made = nibabel.Nifti1Header()
    made.set_data_dtype(header.dtype.newbyteorder("="))
    made.set_data_shape(header.sizes)
    made.set_xyzt_units("mm")
    made.set_qform(header.affine, code="scanner")
    if header.spaced:
        made.set_sform(header.affine, code="scanner")
    proxy = ArrayProxy(stream, (header.sizes, header.dtype, offset, 1.0, 0.0), mmap=False)
    image = nibabel.Nifti1Image(proxy, None, made)
    if not header.spaced:
        image.header["pixdim"][1:4] = 0  # nibabel would make it 1
    return image
