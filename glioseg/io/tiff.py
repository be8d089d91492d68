"""Decode TIFF with tifffile, since Pillow silently turns 16-bit RGB into 8 bit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.io.opaque import grey_of_palette, without_opaque
from glioseg.io.orientation import INVERSE, TAG, shown
from glioseg.io.picture_faults import damaged, wrong_kind
from glioseg.io.refuse import MAX_EXPANSION, check_size, quiet, reading, without_warnings
from glioseg.io.tiff_pages import check_directories, is_thumbnail
from glioseg.words import Joined, Phrase

_DEFLATE = (8, 32946)
_PILLOW = {2: "CCITT", 3: "CCITT", 4: "CCITT", 5: "LZW", 6: "JPEG", 7: "JPEG", 32773: "PackBits"}
"""Compressions that every Pillow decodes."""
_ZSTD = 50000  # most Pillows decode it


def decode_tiff(path: Path) -> npt.NDArray[Any]:
    """Decode the pages of a TIFF as they are shown, thumbnails left aside.

    Returns:
        Array ``(pages, height, width, channels)`` with 1 or 3 channels, in the values of the file.

    Raises:
        InputError: it is damaged, too large, of a kind other than grey or RGB, compressed in a way that needs
            another package, or its pages differ in size.
    """
    import tifffile

    try:
        check_directories(path)
        with quiet("tifffile"), tifffile.TiffFile(path, _multifile=False) as file:
            if not file.pages:
                raise InputError(damaged(path, "TIFF", Phrase("pictures.no_page")))
            pages = _whole(path, _without_thumbnails(path, file.series))
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(Fault("memory.ran_out", path)) from error
    except OSError as error:
        with reading(path):
            raise error
    except Exception as error:
        # tifffile raises whatever its parsing runs into on damaged files: struct.error, KeyError, ...
        raise InputError(damaged(path, "TIFF", error)) from error
    if pages.dtype.byteorder not in "=|":
        pages = pages.astype(pages.dtype.newbyteorder("="))
    return pages.astype(np.float32) if pages.dtype == np.float16 else pages


def _without_thumbnails(path: Path, all_series: Sequence[Any]) -> list[Any]:
    """The series of pages; several only if they are alike, as some programs write the pages of a stack."""
    whole = [series for series in all_series if not is_thumbnail(series.keyframe)] or list(all_series)
    sizes = sorted({str(series.shape) for series in whole})
    if len({(series.shape, series.axes, str(series.dtype)) for series in whole}) > 1:
        raise InputError(Fault("pictures.page_sizes", path, sizes=Joined(sizes[:3])))
    return whole


def _whole(path: Path, all_series: Sequence[Any]) -> npt.NDArray[Any]:
    """The pages of all series, one after another."""
    first = all_series[0]
    alpha = {_check_kind(path, series) for series in all_series} == {True}
    order, (number, *size) = _order(path, first.axes, first.shape, alpha=alpha)
    check_size(path, (number * len(all_series), *size), stored_bytes=_room(path, first.keyframe))
    turn = _orientation(first.keyframe)  # some programs write the tag of a stack once
    parts = []
    for series in all_series:
        stored = _tiff_values(path, series, series.keyframe).transpose(order).reshape(number, *size)
        parts.append(_shown(path, _plain_values(path, stored, series.keyframe, alpha=alpha), series, turn))
    return parts[0] if len(parts) == 1 else _joined(path, parts)


def _check_kind(path: Path, series: Any) -> bool:
    """Refuse what is neither grey nor RGB, and say whether the last channel is for transparency."""
    page = series.keyframe
    kind = page.photometric.name if hasattr(page.photometric, "name") else str(page.photometric)
    plain = kind in ("MINISBLACK", "MINISWHITE", "RGB") or (kind == "PALETTE" and page.colormap is not None)
    if not plain and (kind, page.compression) != ("YCBCR", 7):
        raise InputError(wrong_kind(path, Phrase("pictures.tiff_kind", kind=kind.lower())))
    alpha = len(page.extrasamples) == 1 and page.samplesperpixel in (2, 4)
    if page.extrasamples and not alpha:
        found = Phrase("pictures.transparent_channel", channels=page.samplesperpixel)
        raise InputError(wrong_kind(path, found))
    if series.dtype is None or series.dtype.kind not in "buif":
        raise InputError(wrong_kind(path, Phrase("pictures.value_type", type=series.dtype)))
    return alpha


def _plain_values(path: Path, pages: npt.NDArray[Any], page: Any, *, alpha: bool) -> npt.NDArray[Any]:
    """Grey or RGB values in which more is brighter."""
    if alpha:
        found = Phrase("pictures.transparent_channel", channels=page.samplesperpixel)
        pages = without_opaque(path, pages, found)
    if page.photometric.name == "PALETTE":
        pages = grey_of_palette(path, pages, page.colormap.T >> 8)
    if page.photometric.name == "MINISWHITE":
        return ~pages if pages.dtype.kind in "bu" else -pages
    return pages


def _shown(path: Path, pages: npt.NDArray[Any], series: Any, first: int) -> npt.NDArray[Any]:
    """The pages as viewers show them, each turned by its own tag, or by the first page's if it has none."""
    turns = [_orientation(page, first) for page in series.pages if page is not None]
    if len(set(turns)) == 1 or len(turns) != len(pages):
        return shown(pages, turns[0])
    return _joined(path, [shown(page[None], turn) for page, turn in zip(pages, turns, strict=True)])


def _joined(path: Path, parts: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    sizes = sorted({str(part.shape[1:3]) for part in parts})
    if len(sizes) > 1:
        raise InputError(Fault("pictures.page_sizes", path, sizes=Joined(sizes[:3])))
    return np.concatenate(parts)


def _orientation(page: Any, default: int = 1) -> int:
    value = page.aspage().tags.valueof(TAG, default=default)
    return int(value) if isinstance(value, int) else 1


def _order(
    path: Path, axes: str, shape: tuple[int, ...], *, alpha: bool
) -> tuple[list[int], tuple[int, int, int, int]]:
    """How to transpose and reshape an array of such axes to (pages, height, width, channels)."""
    named = [(axis, place) for place, axis in enumerate(axes)]
    colour = [place for axis, place in named if axis in "SC" and shape[place] > 1]
    rows, columns = axes.find("Y"), axes.find("X")
    rest = [place for axis, place in named if place not in (rows, columns, *colour)]
    pages = [place for place in rest if shape[place] > 1]
    channels = shape[colour[0]] if len(colour) == 1 else 1
    known = (2, 4) if alpha else (1, 3)
    if min(rows, columns) < 0 or len(colour) > 1 or len(pages) > 1 or channels not in known:
        found = " x ".join(f"{shape[place]} {axis}" for axis, place in named)
        raise InputError(Fault("pictures.axes", path, axes=found))
    number = shape[pages[0]] if pages else 1
    return [*rest, rows, columns, *colour], (number, shape[rows], shape[columns], channels)


def _room(path: Path, page: Any) -> int | None:
    """Most values that the file can hold, where that follows from its size."""
    size = os.stat(path).st_size
    if page.compression == 1:
        return size * 8 // max(1, page.bitspersample)
    return size * MAX_EXPANSION if page.compression in _DEFLATE else None


def _tiff_values(path: Path, series: Any, page: Any) -> npt.NDArray[Any]:
    """The values as they are stored, of the series' shape."""
    try:
        return np.asarray(series.asarray())
    except ImportError:
        pass  # zstd, of which the message does not name the package
    except (ValueError, KeyError, NotImplementedError) as error:
        if "imagecodecs" not in str(error):
            raise
    return _by_pillow(path, series, page)


def _by_pillow(path: Path, series: Any, page: Any) -> npt.NDArray[Any]:
    """The same without the optional imagecodecs; Pillow keeps only some kinds of values as they are."""
    from PIL import Image

    kept = {
        ("uint8", 1): ("L", "P"),
        ("uint8", 3): ("RGB",),
        ("uint16", 1): ("I;16", "I;16B"),
        ("bool", 1): ("1",),
    }
    modes = kept.get((str(series.dtype), page.samplesperpixel), ())
    known = page.compression in (1, _ZSTD, *_PILLOW) and page.bitspersample in (1, 8, 12, 16)
    if not modes or not known:
        raise InputError(_needs_codecs(path, series, page))
    pages = []
    try:
        with without_warnings(), Image.open(path, formats=("TIFF",)) as image:
            for each in series.pages:
                image.seek(each.index)
                if image.mode not in modes:
                    raise InputError(_needs_codecs(path, series, page))
                # Pillow turns the page as it is shown, which is done afterwards for all ways of decoding.
                turn = _orientation(each)
                pages.append(shown(np.asarray(image)[None], INVERSE.get(turn, turn))[0])
    except (OSError, SyntaxError) as error:
        if page.compression in _PILLOW:
            raise
        raise InputError(_needs_codecs(path, series, page)) from error
    values = np.stack(pages).reshape(series.shape)
    # Pillow has already turned white-is-zero grey around; what follows does it again.
    return ~values if page.photometric.name == "MINISWHITE" and values.dtype.itemsize == 1 else values


def _needs_codecs(path: Path, series: Any, page: Any) -> Fault:
    bits = page.bitspersample
    kind = str(series.dtype) if bits == 8 * series.dtype.itemsize else f"{series.dtype} ({bits} bit)"
    found = {"compression": page.compression.name, "type": kind}
    if page.predictor == 1:
        return Fault("pictures.compression", path, **found)
    return Fault("pictures.compression_with_predictor", path, predictor=page.predictor, **found)
