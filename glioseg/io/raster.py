"""Decode PNG, JPEG and BMP files without changing a value, as viewers show them."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.io.opaque import grey_of_palette, without_opaque
from glioseg.io.orientation import TAG, shown
from glioseg.io.picture_faults import damaged, wrong_kind
from glioseg.io.refuse import MAX_EXPANSION, check_size, without_warnings
from glioseg.words import Phrase

if TYPE_CHECKING:
    from PIL.Image import Image

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8\xff"
BMP = b"BM"

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""How many values a pixel has by the colour type of PNG."""

_MODES = ("1", "L", "RGB", "I", "I;16", "I;16B", "P", "LA", "RGBA")
_TRANSPARENT = {2: "pictures.transparent_grey", 4: "pictures.transparent_rgb"}


def decode_png(path: Path, data: bytes) -> npt.NDArray[Any]:
    """Decode a PNG, see :func:`decode_with_pillow`, and refuse one of which rows are missing.

    Args:
        path: where it comes from.
        data: the whole file.
    """
    deflated = _png_data(path, data)
    width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", data, 16)
    channels = _CHANNELS.get(colour)
    if channels is None:
        raise InputError(wrong_kind(path, Phrase("pictures.unknown_png")))
    check_size(path, (1, height, width, channels), stored_bytes=len(data) * MAX_EXPANSION * (16 // bits))
    # Pillow leaves the rows that are missing black.
    length = _png_length(width, height, bits * channels, bool(interlaced))
    try:
        rows = zlib.decompressobj().decompress(deflated, length + 1)
    except zlib.error as error:
        raise InputError(damaged(path, "PNG", error)) from error
    if len(rows) != length:
        raise InputError(
            damaged(path, "PNG", Phrase("pictures.bytes_of_pixels", there=len(rows), all=length))
        )
    return decode_with_pillow(path, data, "PNG")


def _png_data(path: Path, data: bytes) -> bytes:
    """Walk the chunks and compare their checksums, which Pillow does not for the image data."""
    place = len(PNG)
    parts: list[bytes] = []
    while place + 12 <= len(data):
        length = int.from_bytes(data[place : place + 4], "big")
        kind = data[place + 4 : place + 8]
        end = place + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(data[place + 4 : end]) != int.from_bytes(data[end : end + 4], "big"):
            why = Phrase("pictures.checksum", chunk=kind.decode("latin-1"))
            raise InputError(damaged(path, "PNG", why))
        if place == len(PNG) and (
            kind != b"IHDR" or length != 13 or data[place + 16] not in (1, 2, 4, 8, 16)
        ):
            break
        if kind == b"acTL":
            raise InputError(wrong_kind(path, Phrase("pictures.animation")))
        if kind == b"IDAT":
            parts.append(data[place + 8 : end])
        if kind == b"IEND":
            return b"".join(parts)
        place = end + 4
    raise InputError(damaged(path, "PNG", Phrase("pictures.no_end")))


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


def decode_with_pillow(path: Path, data: bytes, kind: str) -> npt.NDArray[Any]:
    """Decode a picture as it is shown.

    Args:
        path: where it comes from.
        data: the whole file.
        kind: ``"PNG"``, ``"JPEG"`` or ``"BMP"``.

    Returns:
        Array ``(1, height, width, channels)`` with 1 or 3 channels, in the values of the file.

    Raises:
        InputError: it is damaged, too large, or neither grey nor RGB.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data), formats=(kind,)) as image:
            if image.mode not in _MODES:
                raise InputError(wrong_kind(path, Phrase("pictures.colour", mode=image.mode)))
            if kind == "BMP":
                _check_bmp(path, data, image.mode)
            check_size(path, (1, image.height, image.width, len(image.getbands())))
            pages = _values(path, data, image)
            turn = _orientation(image)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(Fault("memory.ran_out", path)) from error
    except Exception as error:
        # Pillow raises OSError, SyntaxError, struct.error and others on damaged files
        raise InputError(damaged(path, kind, error)) from error
    if pages.shape[-1] in _TRANSPARENT:
        pages = without_opaque(path, pages, Phrase(_TRANSPARENT[pages.shape[-1]]))
    return shown(pages, turn)


def _check_bmp(path: Path, data: bytes, mode: str) -> None:
    """Refuse a grey BMP of which Pillow takes the pixels for narrower or wider ones than they are."""
    (bits,) = struct.unpack_from("<H", data, 28)
    if bits != {"1": 1, "L": 8}.get(mode, bits):
        raise InputError(wrong_kind(path, Phrase("pictures.bmp", bits=bits)))


def _values(path: Path, data: bytes, image: Image) -> npt.NDArray[Any]:
    """``(1, height, width, channels)`` with all bits; palettes are looked up."""
    bits, colour = data[24:26] if image.format == "PNG" else (8, -1)
    if bits == 16 and colour in (2, 6):
        pixels: npt.NDArray[Any] = _sixteen_bit(path, data, image.mode)
    elif bits == 16 and colour == 4:
        pixels = _sixteen_bit_grey_alpha(data)
    else:
        pixels = np.asarray(image)
    if image.mode == "P":
        pixels = grey_of_palette(path, pixels, _palette(image))
    if pixels.dtype == np.int32:  # 16-bit grey in older versions of Pillow
        pixels = pixels.astype(np.uint16)
    return pixels.reshape(1, *pixels.shape[:2], -1)


def _palette(image: Image) -> npt.NDArray[np.uint8]:
    """Red, green, blue and opacity of each colour."""
    colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    opacity = np.full((len(colours), 1), 255, np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, bytes):
        opacity[: len(transparent), 0] = np.frombuffer(transparent, np.uint8)[: len(colours)]
    elif isinstance(transparent, int) and transparent < len(colours):
        opacity[transparent] = 0
    return np.hstack([colours, opacity])


def _orientation(image: Image) -> int:
    if "exif" not in image.info and "Raw profile type exif" not in image.info:
        return 1
    try:
        with without_warnings():
            return int(image.getexif().get(TAG, 1))
    except Exception:  # whatever Pillow runs into in a damaged EXIF, which viewers ignore
        return 1


def _sixteen_bit(path: Path, data: bytes, mode: str) -> npt.NDArray[np.uint16]:
    """Both bytes of the values of a 16-bit RGB or RGBA PNG.

    Pillow has no such mode and keeps the high byte of each value. Its decoder is told where a value's
    high byte stands; told the opposite once more, it gives the low byte.
    """
    from PIL import Image

    halves = []
    for raw in (f"{mode};16B", f"{mode};16L"):
        with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
            if image.mode != mode or len(image.tile) != 1 or image.tile[0][3] != f"{mode};16B":
                raise InputError(Fault("pictures.sixteen_bit_rgb", path))
            image.tile = [(*image.tile[0][:3], raw)]  # type: ignore[list-item]
            halves.append(np.asarray(image).astype(np.uint16))
    return np.bitwise_or(halves[0] << 8, halves[1])


def _sixteen_bit_grey_alpha(data: bytes) -> npt.NDArray[np.uint16]:
    """Both values of the pixels of a 16-bit PNG of grey and opacity.

    Pillow keeps the high bytes. With four bytes a pixel it is encoded as an RGBA image of 8 bit would be.
    """
    from PIL import Image

    header = data[12:24] + bytes([8, 6]) + data[26:29]
    renamed = data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    with Image.open(io.BytesIO(renamed), formats=("PNG",)) as image:
        return np.ascontiguousarray(image).view(">u2").astype(np.uint16)
