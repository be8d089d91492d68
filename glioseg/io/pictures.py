"""Decode TIFF, PNG and JPEG files without changing a value: 16 bit stays 16 bit.

TIFF goes through tifffile, since Pillow silently turns 16-bit RGB into 8 bit. Which decoder
reads a file is decided by its first bytes, not by its name.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.io.plain_tiff import read_plain
from glioseg.io.refuse import MAX_EXPANSION, check_size, quiet, reading, without_warnings
from glioseg.io.tiff_pages import check_directories
from glioseg.words import Joined, Phrase

Pages = npt.NDArray[Any]

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_SMALL = 64 << 20  # files up to this size are read at once


def read_pages(path: Path) -> Pages:
    """Decode the pages of a picture file.

    Returns:
        Array ``(pages, height, width, channels)`` with 1 or 3 channels, in the file's own values and dtype
        (uint8, uint16 and for TIFF also other integers and floats, NaN among them). It may be read-only.

    Raises:
        InputError: the file cannot be read, is damaged or truncated, promises a size that no scan has,
            or is of a kind other than grey or RGB (palette, CMYK, transparency, 1 bit).
    """
    pages = _decode(path)
    if pages.dtype == np.bool_:
        raise InputError(_wrong_kind(path, Phrase("pictures.one_bit")))
    return pages


def read_mask_values(path: Path) -> npt.NDArray[Any]:
    """Decode the pages of a mask as they are stored: one channel ``(pages, height, width)``.

    Raises:
        InputError: as :func:`read_pages`.
    """
    pages = _decode(path)
    if pages.shape[3] != 1:
        raise InputError(Fault("pictures.mask_channels", path, channels=pages.shape[3]))
    return pages[..., 0]


def as_labels(
    path: Path, stored: npt.NDArray[Any], values: Sequence[int] | None = None
) -> npt.NDArray[np.uint8]:
    """Turn stored values into labels.

    Args:
        path: where they come from.
        stored: the values.
        values: those that there may be besides 0; any from 1 to 255 by default.

    Raises:
        InputError: there are other values.
    """
    there = np.unique(stored)
    known = np.arange(256) if values is None else np.array([0, *values])
    other = there[~np.isin(there, known)]
    if other.size:
        found = _first_values(other)
        if values is None:
            raise InputError(Fault("pictures.labels", path, found=found))
        raise InputError(Fault("pictures.other_labels", path, labels=Joined([0, *values]), found=found))
    return stored.astype(np.uint8)


def as_mask(path: Path, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Turn stored mask values into booleans.

    Raises:
        InputError: there are values other than {0, 1} or {0, 255}.
    """
    if values.dtype == np.bool_:
        return values
    highest = values.max()
    full = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 255
    lesion = (values == highest) & (values != 0)
    if highest not in (0, 1, 255, full) or np.count_nonzero(lesion) != np.count_nonzero(values):
        some = np.unique(values[values != 0])
        raise InputError(Fault("pictures.mask_values", path, count=some.size, values=_first_values(some)))
    return lesion


def _first_values(values: npt.NDArray[Any]) -> Joined:
    return Joined([*(f"{value:g}" for value in values[:4]), *(["..."] if values.size > 4 else [])])


def check_finite(path: Path, values: npt.NDArray[Any]) -> None:
    """Refuse NaN and infinite voxels.

    Raises:
        InputError: ``values`` holds some.
    """
    finite = np.isfinite(values)
    if not finite.all():
        wrong = int(values.size - np.count_nonzero(finite))
        what = "NaN" if np.isnan(values).any() else Phrase("pictures.infinity")
        if wrong == values.size:
            raise InputError(Fault("pictures.nothing_finite", path, what=what))
        counts = {"count": f"{wrong:,}", "total": f"{values.size:,}"}
        raise InputError(Fault("pictures.not_finite", path, what=what, **counts))


def _decode(path: Path) -> Pages:
    with reading(path), open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = file.read(size if size <= _SMALL else 64)
    if not data:
        raise InputError(Fault("pictures.empty", path))
    if data.startswith(_TIFF):
        plain = read_plain(data) if size <= _SMALL else None
        if plain is not None:
            check_size(path, (1, *plain.shape))
            return plain[None]
        return _decode_tiff(path)
    if size > _SMALL:
        raise InputError(Fault("pictures.large_file", path, size=size >> 20))
    if data.startswith(_PNG):
        return _decode_png(path, data)
    if data.startswith(_JPEG):
        return _pillow(path, data, "JPEG")
    raise InputError(Fault("pictures.no_picture", path, what=_what(data)))


def _what(data: bytes) -> Phrase:
    start = data[:64]
    if all(byte in b"\t\n\r" or byte >= 32 for byte in start):
        return Phrase("pictures.text", start=repr(start[:20].decode("utf-8", "replace")))
    return Phrase("pictures.bytes", start=start[:4].hex(" "))


def _wrong_kind(path: Path, found: Phrase) -> Fault:
    return Fault("pictures.kind", path, kind=found)


def _damaged(path: Path, kind: str, why: object) -> Fault:
    return Fault("pictures.damaged", path, kind=kind, reason=reason_of(why))


def reason_of(why: object) -> str:
    """What a library's error says, in one line; a phrase as it is."""
    if isinstance(why, Phrase):
        return why
    return str(why).splitlines()[0] if str(why) else type(why).__name__


# --- TIFF ---------------------------------------------------------------------------------


def _decode_tiff(path: Path) -> Pages:
    import tifffile

    try:
        check_directories(path)
        with quiet("tifffile"), tifffile.TiffFile(path, _multifile=False) as file:
            if not file.pages:
                raise InputError(_damaged(path, "TIFF", Phrase("pictures.no_page")))
            if len(file.series) != 1:
                sizes = sorted({str(series.shape) for series in file.series})
                raise InputError(Fault("pictures.page_sizes", path, sizes=Joined(sizes[:3])))
            series = file.series[0]
            page = series.keyframe
            kind = page.photometric.name if hasattr(page.photometric, "name") else str(page.photometric)
            if kind not in ("MINISBLACK", "MINISWHITE", "RGB") and (kind, page.compression) != ("YCBCR", 7):
                raise InputError(_wrong_kind(path, Phrase("pictures.tiff_kind", kind=kind.lower())))
            if page.extrasamples:
                found = Phrase("pictures.transparent_channel", channels=page.samplesperpixel)
                raise InputError(_wrong_kind(path, found))
            if series.dtype is None or series.dtype.kind not in "buif":
                raise InputError(_wrong_kind(path, Phrase("pictures.value_type", type=series.dtype)))
            order, shape = _order(path, series.axes, series.shape)
            check_size(path, shape, stored_bytes=_room(path, page))
            pages = _tiff_values(path, series, page).transpose(order).reshape(shape)
            if kind == "MINISWHITE":
                pages = ~pages if pages.dtype.kind in "bu" else -pages
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(Fault("memory.ran_out", path)) from error
    except OSError as error:
        with reading(path):
            raise error
    except Exception as error:
        # tifffile raises whatever its parsing runs into on damaged files: struct.error, KeyError, ...
        raise InputError(_damaged(path, "TIFF", error)) from error
    if pages.dtype.byteorder not in "=|":
        pages = pages.astype(pages.dtype.newbyteorder("="))
    return pages.astype(np.float32) if pages.dtype == np.float16 else pages


def _order(path: Path, axes: str, shape: tuple[int, ...]) -> tuple[list[int], tuple[int, int, int, int]]:
    """How to transpose and reshape an array of such axes to (pages, height, width, channels)."""
    named = [(axis, place) for place, axis in enumerate(axes)]
    colour = [place for axis, place in named if axis in "SC" and shape[place] > 1]
    rows, columns = axes.find("Y"), axes.find("X")
    rest = [place for axis, place in named if place not in (rows, columns, *colour)]
    pages = [place for place in rest if shape[place] > 1]
    channels = shape[colour[0]] if len(colour) == 1 else 1
    if min(rows, columns) < 0 or len(colour) > 1 or len(pages) > 1 or channels not in (1, 3):
        found = " x ".join(f"{shape[place]} {axis}" for axis, place in named)
        raise InputError(Fault("pictures.axes", path, axes=found))
    number = shape[pages[0]] if pages else 1
    return [*rest, rows, columns, *colour], (number, shape[rows], shape[columns], channels)


def _room(path: Path, page: Any) -> int | None:
    """Most values that the file can hold, where that follows from its size."""
    size = os.stat(path).st_size
    if page.compression == 1:
        return size * 8 // max(1, page.bitspersample)
    return size * MAX_EXPANSION if page.compression in (8, 32946) else None  # deflate


def _tiff_values(path: Path, series: Any, page: Any) -> npt.NDArray[Any]:
    try:
        return np.asarray(series.asarray())
    except (ValueError, KeyError) as error:
        if "imagecodecs" not in str(error):
            raise
    # Without the optional imagecodecs, tifffile lacks LZW and JPEG; Pillow has them, but keeps only
    # these kinds as they are.
    from PIL import Image

    kept = {
        ("uint8", 1): ("L",),
        ("uint8", 3): ("RGB",),
        ("uint16", 1): ("I;16", "I;16B"),
        ("bool", 1): ("1",),
    }
    modes = kept.get((str(series.dtype), page.samplesperpixel), ())
    pages = []
    with without_warnings(), Image.open(path, formats=("TIFF",)) as image:
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            if image.mode not in modes:
                raise InputError(_needs_codecs(path, series, page))
            pages.append(np.asarray(image))
    values = np.stack(pages).reshape(series.shape)
    # Pillow has already turned white-is-zero grey around; what follows does it again.
    return ~values if page.photometric.name == "MINISWHITE" and values.dtype.itemsize == 1 else values


def _needs_codecs(path: Path, series: Any, page: Any) -> Fault:
    found = {"compression": page.compression.name, "type": series.dtype}
    if page.predictor == 1:
        return Fault("pictures.compression", path, **found)
    return Fault("pictures.compression_with_predictor", path, predictor=page.predictor, **found)


# --- PNG and JPEG ---------------------------------------------------------------------------


def _decode_png(path: Path, data: bytes) -> Pages:
    deflated = _png_data(path, data)
    width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    channels = {0: 1, 2: 3}.get(colour)
    if channels is None:
        kinds = {3: "pictures.palette", 4: "pictures.transparent_grey", 6: "pictures.transparent_rgb"}
        raise InputError(_wrong_kind(path, Phrase(kinds.get(colour, "pictures.unknown_png"))))
    check_size(path, (1, height, width, channels), stored_bytes=len(data) * MAX_EXPANSION * (16 // bits))
    # Pillow leaves the rows that are missing black.
    length = _png_length(width, height, bits * channels, bool(interlaced))
    try:
        rows = zlib.decompressobj().decompress(deflated, length + 1)
    except zlib.error as error:
        raise InputError(_damaged(path, "PNG", error)) from error
    if len(rows) != length:
        raise InputError(
            _damaged(path, "PNG", Phrase("pictures.bytes_of_pixels", there=len(rows), all=length))
        )
    return _pillow(path, data, "PNG", sixteen_bit_rgb=(bits, colour) == (16, 2))


def _png_data(path: Path, data: bytes) -> bytes:
    """Walk the chunks and compare their checksums, which Pillow does not for the image data."""
    place = len(_PNG)
    parts: list[bytes] = []
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        kind = data[place + 4 : place + 8]
        end = place + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            why = Phrase("pictures.checksum", chunk=kind.decode("latin-1"))
            raise InputError(_damaged(path, "PNG", why))
        if place == len(_PNG) and (
            kind != b"IHDR" or length != 13 or data[place + 16] not in (1, 2, 4, 8, 16)
        ):
            break
        if kind == b"acTL":
            raise InputError(_wrong_kind(path, Phrase("pictures.animation")))
        if kind == b"IDAT":
            parts.append(data[place + 8 : end])
        if kind == b"IEND":
            return b"".join(parts)
        place = end + 4
    raise InputError(_damaged(path, "PNG", Phrase("pictures.no_end")))


def _png_length(width: int, height: int, bits: int, interlaced: bool) -> int:
    """Bytes of the rows with their filter bytes (PNG specification, sections 7.2 and 8.2)."""
    passes = [(0, 0, 1, 1)]
    if interlaced:  # where the seven passes begin, and how far their pixels stand apart
        lefts, tops = (0, 4, 0, 2, 0, 1, 0), (0, 0, 4, 0, 2, 0, 1)
        across, down = (8, 8, 4, 4, 2, 2, 1), (8, 8, 8, 4, 4, 2, 2)
        passes = list(zip(lefts, tops, across, down, strict=True))
    total = 0
    for left, top, column_step, below in passes:
        columns, rows = -((left - width) // column_step), -((top - height) // below)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total


def _pillow(path: Path, data: bytes, kind: str, *, sixteen_bit_rgb: bool = False) -> Pages:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as image:
            if image.mode not in ("1", "L", "RGB", "I", "I;16", "I;16B"):
                raise InputError(_wrong_kind(path, Phrase("pictures.colour", mode=image.mode)))
            check_size(path, (1, image.height, image.width, len(image.getbands())))
            pixels = _sixteen_bit_rgb(path, data) if sixteen_bit_rgb else np.asarray(image)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(Fault("memory.ran_out", path)) from error
    except Exception as error:
        # Pillow raises OSError, SyntaxError, struct.error and others on damaged files
        raise InputError(_damaged(path, kind, error)) from error
    if pixels.dtype == np.int32:  # 16-bit grey in older versions of Pillow
        pixels = pixels.astype(np.uint16)
    return pixels.reshape(1, *pixels.shape[:2], -1)


def _sixteen_bit_rgb(path: Path, data: bytes) -> npt.NDArray[np.uint16]:
    """Both bytes of a 16-bit RGB PNG.

    Pillow has no such mode and keeps the high byte of each value. Its decoder is told where a value's
    high byte stands; told the opposite once more, it gives the low byte.
    """
    from PIL import Image

    halves = []
    for raw in ("RGB;16B", "RGB;16L"):
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.mode != "RGB" or len(image.tile) != 1 or image.tile[0][3] != "RGB;16B":
                raise InputError(Fault("pictures.sixteen_bit_rgb", path))
            image.tile = [(*image.tile[0][:3], raw)]  # type: ignore[list-item]
            halves.append(np.asarray(image).astype(np.uint16))
    return np.bitwise_or(halves[0] << 8, halves[1])
