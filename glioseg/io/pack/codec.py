"""How one file stands in a pack: as it is, deflated, or with its pixels as lossless WebP.

WebP holds the 8-bit pixels of an uncompressed TIFF in far fewer bytes than deflate. What surrounds the pixels
in the file (header, tags) is kept beside them, so that the file comes back byte for byte.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt

from glioseg.io.refuse import MAX_EXPANSION, MAX_SIDE, quiet

STORED, DEFLATED, WEBP = "stored", "deflated", "webp"

_HEADER = struct.Struct("<IIIII")  # where the pixels begin, height, width, channels, bytes of WebP
_LEAST_PIXELS = 1 << 10  # below this a WebP container is not worth its bytes


class DamagedError(ValueError):
    """Bytes that are no whole file."""


def encode(data: bytes) -> tuple[str, bytes]:
    """The smallest of the three forms of a file.

    Returns:
        Its name and its bytes. :func:`decode` gives ``data`` back.
    """
    forms = [(STORED, data), (DEFLATED, zlib.compress(data, 6))]
    pictured = _as_webp(data)
    if pictured is not None:
        forms.append((WEBP, pictured))
    return min(forms, key=lambda form: len(form[1]))


def decode(form: str, stored: bytes, size: int) -> bytes:
    """The bytes of a file.

    Args:
        form: how it was encoded.
        stored: what :func:`encode` gave; not trusted.
        size: bytes of the file.

    Raises:
        DamagedError: ``stored`` is not the form of a file of that size.
    """
    try:
        if form == WEBP:
            data = _from_webp(stored, size)
        elif form == DEFLATED:
            data = _inflated(stored, size)
        elif form == STORED:
            data = stored
        else:
            raise DamagedError(f"form '{form}'")
    except (zlib.error, struct.error, OSError, SyntaxError, ValueError) as error:
        raise DamagedError(str(error)) from error
    if len(data) != size:
        raise DamagedError(f"{len(data)} bytes in place of {size}")
    return data


def _inflated(stored: bytes, size: int) -> bytes:
    if size > MAX_EXPANSION * max(1, len(stored)):
        raise DamagedError("more bytes than deflate can hold")
    return zlib.decompressobj().decompress(stored, size + 1)


def _as_webp(data: bytes) -> bytes | None:
    """The pixels of a plain 8-bit TIFF as WebP and the rest deflated; ``None`` for other files."""
    place = _pixels_of(data)
    if place is None:
        return None
    from PIL import Image

    start, shape = place
    pixels = np.frombuffer(data, np.uint8, shape[0] * shape[1] * shape[2], start).reshape(shape)
    written = io.BytesIO()
    try:
        Image.fromarray(_coloured(pixels)).save(
            written, "WEBP", lossless=True, quality=50, method=4, exact=True
        )
    except (OSError, ValueError, KeyError):  # a Pillow without WebP
        return None
    webp = written.getvalue()
    rest = data[:start] + data[start + pixels.size :]
    stored = _HEADER.pack(start, *shape, len(webp)) + webp + zlib.compress(rest, 9)
    # What this very library cannot read back is kept in another form.
    try:
        return stored if _from_webp(stored, len(data)) == data else None
    except (DamagedError, OSError, ValueError):
        return None


def _from_webp(stored: bytes, size: int) -> bytes:
    from PIL import Image

    start, height, width, channels, length = _HEADER.unpack_from(stored)
    pixels = height * width * channels
    if channels not in (1, 3) or not 0 < max(height, width) <= MAX_SIDE or pixels + start > size:
        raise DamagedError("pixels of an impossible size")
    begin = _HEADER.size
    rest = _inflated(stored[begin + length :], size - pixels)
    with Image.open(io.BytesIO(stored[begin : begin + length]), formats=("WEBP",)) as image:
        if image.size != (width, height) or image.mode != "RGB":
            raise DamagedError("a picture of another size")
        voxels = np.asarray(image)[..., :channels]
    return rest[:start] + voxels.tobytes() + rest[start:]


def _coloured(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """RGB of a grey picture too: three equal channels cost WebP nothing."""
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


def _pixels_of(data: bytes) -> tuple[int, tuple[int, int, int]] | None:
    """Where the pixels of an uncompressed 8-bit TIFF begin, in one piece, and their shape."""
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return None
    import tifffile

    try:
        with quiet("tifffile"), tifffile.TiffFile(io.BytesIO(data)) as file:
            page = file.pages[0]
            shape = (page.imagelength, page.imagewidth, page.samplesperpixel)  # type: ignore[union-attr]
            plain = page.compression == 1 and page.bitspersample == 8 and not page.is_tiled  # type: ignore[union-attr]
            if len(file.pages) != 1 or not plain or shape[2] not in (1, 3) or page.planarconfig != 1:  # type: ignore[union-attr]
                return None
            offsets, counts = page.dataoffsets, page.databytecounts
    except Exception:  # whatever tifffile runs into in a damaged file: it is packed as it is
        return None
    together = all(
        offset + count == following
        for offset, count, following in zip(offsets, counts, offsets[1:], strict=False)
    )
    size = shape[0] * shape[1] * shape[2]
    if not together or sum(counts) != size or size < _LEAST_PIXELS or offsets[0] + size > len(data):
        return None
    return (offsets[0], shape) if max(shape) <= MAX_SIDE else None
