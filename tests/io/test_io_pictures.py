"""Images are decoded without changing a value, whatever their bits, and damaged ones are refused."""

from __future__ import annotations

import io
import itertools
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.sound_scans import png_chunks, png_header, save, slice_rgb

from glioseg.errors import InputError
from glioseg.io import refuse
from glioseg.io.labels import read_label_pages
from glioseg.io.pictures import as_mask, read_pages
from glioseg.io.plain_tiff import read_plain
from glioseg.io.refuse import quiet
from glioseg.io.tiff_pages import check_directories

# --- PNG --------------------------------------------------------------------------------------


def png(pixels: np.ndarray, filters: list[int], interlaced: bool = False) -> bytes:
    """Encode ``(height, width, channels)`` of uint8 or uint16, each row with its filter."""
    height, width, channels = pixels.shape
    bits = 8 * pixels.dtype.itemsize
    passes = [pixels]
    if interlaced:
        starts = [
            (0, 0, 8, 8),
            (0, 4, 8, 8),
            (4, 0, 8, 4),
            (0, 2, 4, 4),
            (2, 0, 4, 2),
            (0, 1, 2, 2),
            (1, 0, 2, 1),
        ]
        passes = [pixels[top::down, left::across] for top, left, down, across in starts]
    rows = b""
    choice = itertools.cycle(filters)
    for part in passes:
        if not part.size:
            continue
        step = channels * bits // 8
        raw = part.astype(part.dtype.newbyteorder(">")).reshape(len(part), -1).view(np.uint8).astype(int)
        above = np.zeros_like(raw[0])
        for row in raw:
            kind = next(choice)
            left = np.concatenate([np.zeros(step, int), row[:-step]])
            corner = np.concatenate([np.zeros(step, int), above[:-step]])
            guess = left + above - corner
            far = [np.abs(guess - near) for near in (left, above, corner)]
            paeth = np.where(
                (far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], above, corner)
            )
            predicted = (0 * row, left, above, (left + above) // 2, paeth)[kind]
            rows += bytes([kind]) + ((row - predicted) % 256).astype(np.uint8).tobytes()
            above = row
    kind, content = png_header(width, height, bits, 2 if channels == 3 else 0)
    header = (kind, content[:-1] + bytes([interlaced]))
    return png_chunks(header, (b"IDAT", zlib.compress(rows)), (b"IEND", b""))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([np.uint8, np.uint16]),
    st.sampled_from([1, 3]),
    st.integers(1, 19),
    st.integers(1, 19),
    st.lists(st.integers(0, 4), min_size=1, max_size=7),
    st.booleans(),
    st.integers(0, 1000),
)
@example(np.uint16, 3, 7, 9, [4], False, 0)
@example(np.uint16, 3, 7, 9, [3], True, 0)
def test_png_keeps_all_bits(
    tmp_path_factory: pytest.TempPathFactory,
    dtype: type,
    channels: int,
    height: int,
    width: int,
    filters: list[int],
    interlaced: bool,
    seed: int,
) -> None:
    shape = (height, width, channels)
    pixels = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    path = tmp_path_factory.mktemp("png") / "a.png"
    path.write_bytes(png(pixels, filters, interlaced))
    pages = read_pages(path)
    assert pages.dtype == dtype
    np.testing.assert_array_equal(pages[0], pixels)


def test_png_of_few_grey_levels(tmp_path: Path) -> None:
    """2 and 4 bits are spread over 0 to 255, as every viewer does."""
    rows = zlib.compress(b"\0\x1b")
    (tmp_path / "a.png").write_bytes(png_chunks(png_header(4, 1, 2), (b"IDAT", rows), (b"IEND", b"")))
    np.testing.assert_array_equal(read_pages(tmp_path / "a.png").ravel(), [0, 85, 170, 255])


# --- TIFF -------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", [None, "zlib", "lzma"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64", "uint32"])
@pytest.mark.parametrize("colour", [False, True])
def test_tiff_keeps_all_values(compression: str | None, dtype: str, colour: bool, tmp_path: Path) -> None:
    shape = (21, 34, 3) if colour else (21, 34)
    pixels = np.random.default_rng(0).integers(0, 250, shape).astype(dtype)
    for byteorder, bigtiff, tile, rows in itertools.product("<>", (False, True), (None, (16, 16)), (None, 5)):
        path = tmp_path / "a.tif"
        photometric = "rgb" if colour else "minisblack"
        options = {"byteorder": byteorder, "bigtiff": bigtiff, "tile": tile, "compression": compression}
        if tile is None:
            options["rowsperstrip"] = rows
        if compression == "zlib" and pixels.dtype.kind in "iu":  # floats would need imagecodecs
            options["predictor"] = True
        tifffile.imwrite(path, pixels, photometric=photometric, **options)
        pages = read_pages(path)
        assert pages.dtype == pixels.dtype
        assert pages.dtype.isnative
        np.testing.assert_array_equal(pages[0], pixels.reshape(21, 34, -1))


def test_half_precision_becomes_single(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.eye(5, dtype=np.float16))
    assert read_pages(tmp_path / "a.tif").dtype == np.float32


def test_white_is_zero(tmp_path: Path) -> None:
    pixels = slice_rgb()[..., 0]
    for compression in (None, "zlib"):
        tifffile.imwrite(tmp_path / "a.tif", 255 - pixels, photometric="miniswhite", compression=compression)
        np.testing.assert_array_equal(read_pages(tmp_path / "a.tif")[0, ..., 0], pixels)


def test_stacks_of_other_programs(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 60000, (5, 12, 14)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "imagej.tif", stack, imagej=True, metadata={"axes": "ZYX", "spacing": 3})
    tifffile.imwrite(tmp_path / "ome.tif", stack, ome=True, metadata={"axes": "ZYX"})
    tifffile.imwrite(tmp_path / "time.tif", stack, imagej=True, metadata={"axes": "TYX"})
    for name in ("imagej", "ome", "time"):
        np.testing.assert_array_equal(read_pages(tmp_path / f"{name}.tif")[..., 0], stack)
    composite = np.random.default_rng(0).integers(0, 255, (5, 3, 12, 14)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "channels.tif", composite, imagej=True, metadata={"axes": "ZCYX"})
    np.testing.assert_array_equal(read_pages(tmp_path / "channels.tif"), np.moveaxis(composite, 1, 3))
    hyper = np.zeros((2, 5, 12, 14), np.uint8)
    tifffile.imwrite(tmp_path / "hyper.tif", hyper, imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(InputError, match="2 T x 5 Z x 12 Y x 14 X"):
        read_pages(tmp_path / "hyper.tif")


def test_the_files_of_the_data_set_take_the_short_way(tmp_path: Path) -> None:
    for pixels in (slice_rgb(), slice_rgb()[..., 0], slice_rgb()[..., 0].astype(np.uint16) * 250):
        data = save(tmp_path / "a.tif", pixels).read_bytes()
        plain = read_plain(data)
        assert plain is not None
        np.testing.assert_array_equal(plain, pixels.reshape(32, 32, -1))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 180), st.integers(0, 255)), max_size=3), st.integers(0, 4))
def test_the_short_way_agrees_with_tifffile_or_declines(changes: list[tuple[int, int]], kind: int) -> None:
    """Also on headers with a few bytes changed: it never guesses."""
    grey = slice_rgb(size=8)[..., 0]
    options = [
        {},
        {"photometric": "miniswhite"},
        {"compression": "zlib"},
        {"byteorder": ">"},
        {"tile": (16, 16)},
    ]
    file = io.BytesIO()
    tifffile.imwrite(file, grey, metadata=None, software=False, **options[kind])
    data = bytearray(file.getvalue())
    for place, value in changes:
        data[min(place, len(data) - 1)] = value
    plain = read_plain(bytes(data))
    if plain is not None:
        with quiet("tifffile"):
            try:
                expected = tifffile.imread(io.BytesIO(data))
            except Exception:
                return  # it stumbles over tags that do not matter here, such as the rows of a strip
        np.testing.assert_array_equal(plain, expected.reshape(plain.shape))


WITHOUT_IMAGECODECS = """
import sys
sys.modules["imagecodecs"] = None
import numpy as np
from pathlib import Path
from glioseg.errors import InputError
from glioseg.io.pictures import read_pages
folder = Path(sys.argv[1])
for path in sorted(folder.glob("*.tif")):
    try:
        np.save(path.with_suffix(".npy"), read_pages(path))
    except InputError as error:
        path.with_suffix(".txt").write_text(str(error), encoding="utf-8")
"""


def test_compressed_tiff_without_the_optional_codecs(tmp_path: Path) -> None:
    """The core does not install imagecodecs: LZW is read through Pillow where Pillow keeps the values."""
    colour = slice_rgb()
    deep = colour.astype(np.uint16) * 200
    sound = {"rgb8": colour, "grey8": colour[..., 0], "grey16": deep[..., 0], "white": colour[..., 0]}
    for name, pixels in sound.items():
        white = {"tiffinfo": {262: 0}} if name == "white" else {}
        save(tmp_path / f"{name}.tif", pixels, compression="tiff_lzw", **white)
    sound["stack"] = np.stack([colour[..., 0], colour[..., 1]])
    first, second = (Image.fromarray(page) for page in sound["stack"])
    first.save(tmp_path / "stack.tif", compression="packbits", save_all=True, append_images=[second])
    for name, pixels in {"rgb16": deep, "float": deep[..., 0].astype(np.float32)}.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", pixels, compression="zlib")
        with tifffile.TiffFile(tmp_path / f"{name}.tif", mode="r+") as file:
            file.pages[0].tags["Compression"].overwrite(5)  # says LZW, which is as far as it gets
    tifffile.imwrite(tmp_path / "zlib16.tif", deep, photometric="rgb", compression="zlib", predictor=True)
    subprocess.run([sys.executable, "-c", WITHOUT_IMAGECODECS, str(tmp_path)], check=True)
    for name, pixels in {**sound, "zlib16": deep}.items():
        pages = np.load(tmp_path / f"{name}.npy")
        assert pages.dtype == pixels.dtype
        expected = pixels[..., None] if name == "stack" else pixels.reshape(1, 32, 32, -1)
        np.testing.assert_array_equal(pages, expected, err_msg=name)
    for name in ("rgb16", "float"):
        text = (tmp_path / f"{name}.txt").read_text(encoding="utf-8")
        assert "LZW" in text
        assert "pip install imagecodecs" in text


# --- masks, limits, damage --------------------------------------------------------------------


@pytest.mark.parametrize("values", [(0, 1), (0, 255), (0,), (1,), (255,)])
def test_masks_of_two_values(values: tuple[int, ...], tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).choice(np.array(values, np.uint8), (9, 9))
    for name in ("a.tif", "a.png"):
        read = read_label_pages(save(tmp_path / name, pixels))
        assert read.dtype == np.uint8
        np.testing.assert_array_equal(read[0], pixels != 0)


def test_masks_of_one_bit_and_of_sixteen(tmp_path: Path) -> None:
    lesion = slice_rgb()[..., 0] > 60
    for name in ("a.tif", "a.png"):
        np.testing.assert_array_equal(read_label_pages(save(tmp_path / name, lesion))[0], lesion)
        deep = np.where(lesion, np.uint16(65535), np.uint16(0))
        np.testing.assert_array_equal(read_label_pages(save(tmp_path / name, deep))[0], lesion)


@pytest.mark.parametrize(
    "values",
    [(0, 2), (0, 1, 255), (0, 254, 255), (1, 255), (0, 0.5), (0.0, float("nan")), (-1, 0), (-1, 1), (7,)],
)
def test_other_values_are_no_mask(values: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="0 and 1, or 0 and 255"):
        as_mask(Path("a.tif"), np.array(values))


def test_limits_hold_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [save(tmp_path / name, slice_rgb()) for name in ("a.tif", "a.png", "a.jpg")]
    tifffile.imwrite(tmp_path / "zlib.tif", slice_rgb(), photometric="rgb", compression="zlib")
    monkeypatch.setattr(refuse, "MAX_VALUES", 32 * 32 * 3 - 1)
    monkeypatch.setattr(Image.Image, "__array_interface__", property(lambda image: pytest.fail("decoded")))
    monkeypatch.setattr(tifffile.TiffPageSeries, "asarray", lambda *_, **__: pytest.fail("decoded"))
    for path in (*paths, tmp_path / "zlib.tif"):
        with pytest.raises(InputError, match="3,071 values in all"):
            read_pages(path)


KINDS = (
    *("plain.tif", "zlib.tif", "lzw.tif", "turned.tif", "stack.tif", "alpha.tif"),
    *("a.png", "deep.png", "grey.png", "alpha.png", "a.jpg", "a.bmp", "grey.bmp"),
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_bytes_that_are_changed_never_end_in_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    pixels = slice_rgb(size=12)
    kind = data.draw(st.sampled_from(KINDS))
    path = tmp_path_factory.mktemp("fuzz") / kind
    if kind == "deep.png":
        path.write_bytes(png(pixels.astype(np.uint16) * 99, [0, 4]))
    elif kind == "stack.tif":
        tifffile.imwrite(path, np.stack([pixels] * 3), photometric="rgb")
    elif kind == "zlib.tif":
        tifffile.imwrite(path, pixels, photometric="rgb", compression="zlib")
    elif path.stem == "grey":
        save(path, pixels[..., 0], "P")
    elif path.stem == "alpha":
        save(path, pixels, "RGBA")
    else:
        options = {"lzw.tif": {"compression": "tiff_lzw"}, "turned.tif": {"tiffinfo": {274: 6}}}
        save(path, pixels, **options.get(kind, {}))
    content = bytearray(path.read_bytes())
    for place, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(content) - 1), st.integers(0, 255)), max_size=5)
    ):
        content[place] = value
    content = content[: data.draw(st.sampled_from([None, None, 8, 30, 100, -5]))]
    if path.suffix == ".png" and data.draw(st.booleans()):
        content = mended(bytes(content))
    path.write_bytes(content)
    with suppress(InputError):
        assert read_pages(path).ndim == 4


def mended(data: bytes) -> bytes:
    """A PNG whose checksums are made right, so that what lies behind them is reached."""
    fixed, place = data[:8], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        end = min(place + 8 + length, len(data) - 4)
        chunk = data[place + 4 : end]
        fixed += struct.pack(">I", max(0, len(chunk) - 4)) + chunk + struct.pack(">I", zlib.crc32(chunk))
        place = end + 4
    return fixed


def test_directories_of_a_tiff_that_lie_over_each_other_are_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    for order, begin in (("<", b"II*\0"), (">", b"MM\0*")):
        content = bytearray(8000)
        content[:8] = begin + struct.pack(f"{order}I", 8)
        for number in range(500):  # each has 300 tags, and its successor begins four bytes further on
            place = 8 + 4 * number
            content[place : place + 2] = struct.pack(f"{order}H", 300)
            content[place + 3602 : place + 3606] = struct.pack(f"{order}I", place + 4)
        path.write_bytes(content)
        with pytest.raises(InputError, match="directories that take more room than the file has"):
            read_pages(path)
    check_directories(save(tmp_path / "sound.tif", slice_rgb()))
    tifffile.imwrite(path, np.stack([slice_rgb(number) for number in range(9)]), bigtiff=True)
    check_directories(path)
    assert len(read_pages(path)) == 9
