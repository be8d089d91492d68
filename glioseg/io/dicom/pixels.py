"""Voxels of a series: decoded with pydicom's plug-ins, checked before, scaled as the header says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.install import install_command
from glioseg.io.dicom.headers import DicomImage
from glioseg.io.dicom.opening import damaged, open_whole, silenced
from glioseg.io.dicom.series import Series
from glioseg.io.refuse import check_size

Voxels = npt.NDArray[Any]


def read_voxels(series: Series) -> Voxels:
    """Decode a series.

    Returns:
        ``(slices, rows, columns)``; whole numbers as stored when no image is scaled, else float32 (float64
        for 32-bit values).

    Raises:
        InputError: a file is damaged, cut short, compressed in a way that nothing here decodes, or the whole
            is larger than any scan.
    """
    first = series.first
    check_size(first.file, (len(series.frames), first.rows, first.columns, 1))
    slices: list[Voxels] = []
    place = {}
    # A file with many frames is opened once, however its frames are sorted.
    in_files = sorted(enumerate(series.frames), key=lambda pair: (str(pair[1].file), pair[1].index))
    for file, members in groupby(in_files, key=lambda pair: pair[1].file):
        wanted = list(members)
        for (number, _), pixels in zip(wanted, _decode(file, [frame for _, frame in wanted]), strict=True):
            place[number] = len(slices)
            slices.append(pixels)
    ordered = [slices[place[number]] for number in range(len(series.frames))]
    scaled = any((frame.slope, frame.intercept) != (1.0, 0.0) for frame in series.frames)
    if scaled:
        exact = np.dtype(np.float64 if max(each.dtype.itemsize for each in ordered) > 2 else np.float32)
        pairs = zip(ordered, series.frames, strict=True)
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused as not finite
            ordered = [each.astype(exact) * frame.slope + frame.intercept for each, frame in pairs]
    voxels = np.stack(ordered)
    if voxels.dtype.kind == "f" and not np.isfinite(voxels).all():
        raise InputError(Fault("dicom.infinite_values", **series.where))
    return voxels


def _decode(path: Path, frames: Sequence[DicomImage]) -> list[Voxels]:
    """The stored values of some frames of a file, ``(rows, columns)`` each."""
    dataset = open_whole(path)
    try:
        with silenced():
            stored = 16
            floats = "FloatPixelData" in dataset or "DoubleFloatPixelData" in dataset
            if "PixelData" in dataset:
                _complete(dataset)
                _check_codestreams(path, dataset, frames[0])
                _check_plugin(path, dataset)
                stored = int(dataset.BitsStored)
                pixels = _stored_bits(dataset)
            elif floats:
                pixels = np.asarray(dataset.pixel_array)
            else:
                raise InputError(Fault("dicom.no_pixels", path))
            inverted = frames[0].inverted and not floats
            signed = int(dataset.get("PixelRepresentation", 0)) == 1
            padding = _padding(dataset)
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(Fault("memory.ran_out", path)) from error
    except Exception as error:  # decoders raise whatever damaged bytes lead to
        raise InputError(damaged(path)) from error
    size = (frames[0].rows, frames[0].columns)
    if pixels.shape not in (size, (frames[0].frames, *size)) or pixels.dtype.kind not in "iuf":
        raise InputError(damaged(path))
    pixels = pixels.reshape(frames[0].frames, *size)
    padded = None if padding is None else _padded(pixels, *padding)
    if inverted:
        # The lowest value is white: turn the range of stored values round.
        pixels = (-1 - pixels) if signed else (pixels.dtype.type(2**stored - 1) - pixels)
    if padded is not None and padded.any() and not padded.all():
        pixels = np.where(padded, min(pixels.dtype.type(0), pixels[~padded].min()), pixels)
    return [np.ascontiguousarray(pixels[frame.index]) for frame in frames]


def _complete(dataset: Any) -> None:
    """Give a header without them the attributes of grey images, so that its pixels can be read."""
    dataset.setdefault("SamplesPerPixel", 1)
    dataset.setdefault("PhotometricInterpretation", "MONOCHROME2")
    dataset.setdefault("BitsStored", dataset.BitsAllocated)
    dataset.setdefault("HighBit", dataset.BitsStored - 1)
    dataset.setdefault("PixelRepresentation", 0)


def _stored_bits(dataset: Any) -> Voxels:
    """The decoded values without what else lies in their words, such as overlays in the bits above.

    Source: DICOM PS3.5, section 8.1.1 (Bits Allocated, Bits Stored, High Bit).
    """
    words = ("BitsAllocated", "BitsStored", "HighBit")
    allocated, stored, high = (int(dataset[word].value) for word in words)
    encapsulated = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    if high != stored - 1 and not encapsulated:
        # pydicom masks the lowest bits, wherever the header says that the values lie: let it keep all.
        dataset.BitsStored, dataset.HighBit = allocated, allocated - 1
    pixels: Voxels = np.asarray(dataset.pixel_array)
    if not 0 < stored < allocated or pixels.dtype.itemsize * 8 != allocated:
        return pixels
    # Decoders of compressed images give values from bit 0 on, wherever the header says they lay.
    shift = 0 if encapsulated else max(0, high + 1 - stored)
    unsigned = np.dtype(f"u{pixels.dtype.itemsize}")
    values = (pixels.view(unsigned) >> unsigned.type(shift)) & unsigned.type(2**stored - 1)
    if pixels.dtype.kind == "u":
        return values
    # The sign is the highest of the stored bits.
    left = unsigned.type(allocated - stored)
    extended: Voxels = (values << left).view(pixels.dtype) >> pixels.dtype.type(allocated - stored)
    return extended


def _padding(dataset: Any) -> tuple[float, float] | None:
    """The range of values that stand for no image, if the header names one; garbage there is none."""
    try:
        value = dataset.get("PixelPaddingValue")
        if value is None or value == "":
            return None
        limit = dataset.get("PixelPaddingRangeLimit")
        ends = float(value), float(value if limit in (None, "") else limit)
        return min(ends), max(ends)
    except (TypeError, ValueError):
        return None


def _padded(pixels: Voxels, low: float, high: float) -> npt.NDArray[np.bool_]:
    """Where stored values stand for no image: from ``low`` to ``high``."""
    if pixels.dtype == np.int16 and low > np.iinfo(np.int16).max:
        low, high = low - 2**16, high - 2**16  # written as if it were unsigned
    found: npt.NDArray[np.bool_] = (pixels >= low) & (pixels <= high)
    return found


def _check_plugin(path: Path, dataset: Any) -> None:
    from pydicom.pixels import get_decoder

    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None or not syntax.is_compressed or syntax.is_deflated:
        return
    try:
        known = get_decoder(syntax).is_available
    except NotImplementedError:
        known = False
    if not known:
        command = install_command("dicom")
        raise InputError(Fault("dicom.compression", path, compression=syntax.name, command=command))


def _check_codestreams(path: Path, dataset: Any, frame: DicomImage) -> None:
    """Compare what compressed images say of their own size with the header, before they are decoded.

    Decoders make room for what the compressed image itself says, which a small file can set to anything.
    """
    from pydicom.encaps import generate_frames

    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None or not syntax.is_encapsulated:
        return
    for data in generate_frames(dataset.PixelData, number_of_frames=frame.frames):
        size = codestream_size(data)
        if size is not None and size != (frame.rows, frame.columns):
            said = {"size": f"{frame.columns} x {frame.rows}", "own": f"{size[1]} x {size[0]}"}
            raise InputError(Fault("dicom.compressed_size", path, **said))


def codestream_size(data: bytes) -> tuple[int, int] | None:
    """``(rows, columns)`` as a JPEG, JPEG-LS or JPEG 2000 codestream says itself; ``None`` for others."""
    start = data.find(b"\xff\x4f\xff\x51", 0, 4096)
    if start >= 0 and len(data) >= start + 24:

        def word(place: int) -> int:
            return int.from_bytes(data[start + place : start + place + 4], "big")

        return word(12) - word(20), word(8) - word(16)
    if data[:2] != b"\xff\xd8":
        return None
    place = 2
    while place + 9 < len(data):
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker == 0xFF:
            place += 1
            continue
        if marker == 0xF7 or (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)):
            rows = int.from_bytes(data[place + 5 : place + 7], "big")
            return rows, int.from_bytes(data[place + 7 : place + 9], "big")
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return None
