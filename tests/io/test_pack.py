"""Packs: every file comes back byte for byte, and what is damaged is named."""

from __future__ import annotations

import io
import json
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from glioseg.errors import InputError
from glioseg.io.pack import is_pack, opened, write_pack
from glioseg.io.pack.codec import DEFLATED, STORED, WEBP, DamagedError, decode, encode
from glioseg.io.pack.index import INDEX
from glioseg.samples import SAMPLES
from glioseg.words import catalogue

PATIENT = SAMPLES / "TCGA_HT_7692_19960724"
SLICE = PATIENT / "TCGA_HT_7692_19960724_10.tif"


def plain_tiff(pixels: np.ndarray) -> bytes:
    """An uncompressed TIFF as the public data set has them."""
    written = io.BytesIO()
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(written, pixels, photometric=photometric, metadata=None)
    return written.getvalue()


class TestCodec:
    @given(st.binary(max_size=400))
    def test_any_bytes_come_back(self, data: bytes) -> None:
        form, stored = encode(data)
        assert decode(form, stored, len(data)) == data
        assert len(stored) <= len(data)

    @given(arrays(np.uint8, st.tuples(st.integers(20, 40), st.integers(20, 40), st.just(3))))
    def test_pixels_come_back_whatever_they_are(self, pixels: np.ndarray) -> None:
        data = plain_tiff(pixels)
        form, stored = encode(data)
        assert decode(form, stored, len(data)) == data

    def test_real_slices_are_webp_and_come_back_with_their_tags(self) -> None:
        pixels = tifffile.imread(SLICE)
        for stored_pixels in (pixels, pixels[..., 1]):
            data = plain_tiff(stored_pixels)
            form, stored = encode(data)
            assert form == WEBP
            assert len(stored) < 0.8 * len(zlib.compress(data, 9))
            assert decode(form, stored, len(data)) == data

    @pytest.mark.parametrize("dtype", [np.uint16, np.float32])
    def test_other_values_are_deflated(self, dtype: type) -> None:
        data = plain_tiff(tifffile.imread(SLICE)[..., 1].astype(dtype))
        form, stored = encode(data)
        assert form == DEFLATED
        assert decode(form, stored, len(data)) == data

    def test_what_is_compressed_already_is_kept(self) -> None:
        written = io.BytesIO()
        Image.fromarray(tifffile.imread(SLICE)).save(written, "PNG")
        form, stored = encode(written.getvalue())
        assert (form, stored) == (STORED, written.getvalue())

    def test_a_damaged_tiff_is_packed_as_it_is(self) -> None:
        data = plain_tiff(tifffile.imread(SLICE))
        for cut in (data[:60], data[:-50], b"II*\0" + bytes(40)):
            form, stored = encode(cut)
            assert decode(form, stored, len(cut)) == cut

    @given(st.data())
    def test_damage_is_never_more_than_a_refusal(self, draw: st.DataObject) -> None:
        data = plain_tiff(tifffile.imread(SLICE)[:64, :64])
        form, stored = encode(data)
        place = draw.draw(st.integers(0, len(stored) - 1))
        damaged = bytearray(stored)
        damaged[place] ^= draw.draw(st.integers(1, 255))
        with suppress(DamagedError):
            assert len(decode(form, bytes(damaged), len(data))) == len(data)
        with pytest.raises(DamagedError):
            decode(form, stored[: place // 2], len(data))

    def test_a_promise_of_endless_bytes_is_refused(self) -> None:
        bomb = zlib.compress(bytes(1 << 22), 9)
        with pytest.raises(DamagedError):
            decode(DEFLATED, bomb, 1 << 50)
        with pytest.raises(DamagedError):
            decode(DEFLATED, bomb, 1 << 10)
        with pytest.raises(DamagedError):
            decode("unheard of", bomb, 1)


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One patient in parts of 100 kB."""
    out = tmp_path_factory.mktemp("pack") / "data.glioseg"
    files = sorted(file for file in PATIENT.iterdir())
    write_pack(SAMPLES, files, [PATIENT.name], out, 100_000)
    return out


def copied(pack: Path, to: Path) -> Path:
    to.mkdir()
    for file in pack.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


class TestPack:
    def test_files_come_back_byte_for_byte(self, packed: Path, tmp_path: Path) -> None:
        data = opened(packed, tmp_path)
        assert data.name == SAMPLES.name
        there = {file.relative_to(data): file.read_bytes() for file in data.rglob("*") if file.is_file()}
        assert there == {file.relative_to(SAMPLES): file.read_bytes() for file in PATIENT.iterdir()}

    def test_no_part_is_larger_than_was_asked_for(self, packed: Path) -> None:
        sizes = [file.stat().st_size for file in sorted(packed.glob("part-*"))]
        assert len(sizes) > 3
        assert set(sizes[:-1]) == {100_000}
        assert 0 < sizes[-1] <= 100_000

    def test_a_second_look_writes_nothing(self, packed: Path, tmp_path: Path) -> None:
        data = opened(packed, tmp_path)
        times = {file: file.stat().st_mtime_ns for file in data.rglob("*")}
        assert opened(packed, tmp_path) == data
        assert {file: file.stat().st_mtime_ns for file in data.rglob("*")} == times

    def test_what_the_cache_lost_is_laid_out_again(self, packed: Path, tmp_path: Path) -> None:
        data = opened(packed, tmp_path)
        first, second, *_ = sorted(data.rglob("*.tif"))
        whole = first.read_bytes()
        first.unlink()
        second.write_bytes(b"cut")
        assert opened(packed, tmp_path) == data
        assert first.read_bytes() == whole

    def test_other_paths_are_given_back(self, tmp_path: Path) -> None:
        impossible = tmp_path / ("long" * 1000), Path("null\0byte")
        for path in (SAMPLES, SLICE, tmp_path / "nothing.glioseg", *impossible):
            assert opened(path, tmp_path) == path
            assert not is_pack(path)

    def test_a_pack_may_be_called_otherwise(self, packed: Path, tmp_path: Path) -> None:
        assert opened(copied(packed, tmp_path / "renamed"), tmp_path / "cache").name == SAMPLES.name

    def test_a_pack_is_not_overwritten(self, packed: Path) -> None:
        with pytest.raises(InputError, match="new name"):
            write_pack(SAMPLES, [SLICE], [], packed, 1000)

    def test_a_file_that_cannot_be_read_leaves_no_pack(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="nothing of that name"):
            write_pack(SAMPLES, [SLICE, SAMPLES / "none.tif"], [], tmp_path / "new.glioseg", 1000)
        assert list(tmp_path.iterdir()) == []


class TestDamage:
    def test_every_part_that_is_missing_or_cut_is_named(self, packed: Path, tmp_path: Path) -> None:
        pack = copied(packed, tmp_path / "data.glioseg")
        (pack / "part-002").unlink()
        (pack / "part-003").write_bytes(bytes(7))
        with pytest.raises(InputError) as caught:
            opened(pack, tmp_path / "cache")
        found = [(fault.code, Path(fault.where).name) for fault in caught.value.faults]
        assert found == [("pack.part_missing", "part-002"), ("pack.part_size", "part-003")]

    def test_a_changed_part_is_named(self, packed: Path, tmp_path: Path) -> None:
        pack = copied(packed, tmp_path / "data.glioseg")
        data = bytearray((pack / "part-002").read_bytes())
        data[5000] ^= 1
        (pack / "part-002").write_bytes(data)
        with pytest.raises(InputError) as caught:
            opened(pack, tmp_path / "cache")
        assert [fault.code for fault in caught.value.faults] == ["pack.part_damaged"]
        assert "part-002" in str(caught.value)
        assert not list((tmp_path / "cache").rglob("*.tif"))

    def test_a_missing_index_is_named(self, packed: Path, tmp_path: Path) -> None:
        pack = copied(packed, tmp_path / "data.glioseg")
        (pack / INDEX).unlink()
        with pytest.raises(InputError, match=INDEX):
            opened(pack, tmp_path / "cache")

    @pytest.mark.parametrize(
        "path", ["../out.tif", "/etc/out.tif", "a/../../out.tif", "C:/out.tif", "a\\out.tif", "", "a//b", "."]
    )
    def test_no_path_leads_out_of_the_cache(self, path: str, packed: Path, tmp_path: Path) -> None:
        self.refused(packed, tmp_path, lambda index: index["files"][0].__setitem__(0, path))

    def test_impossible_lists_are_refused(self, packed: Path, tmp_path: Path) -> None:
        def beyond(index: dict) -> None:
            index["files"][-1][5] += 1

        def negative(index: dict) -> None:
            index["files"][0][4] = -1

        def twice(index: dict) -> None:
            index["files"][1][0] = index["files"][0][0]

        def elsewhere(index: dict) -> None:
            index["parts"][0][0] = "../part-001"

        def nameless(index: dict) -> None:
            index["name"] = ".."

        for number, change in enumerate((beyond, negative, twice, elsewhere, nameless)):
            (tmp_path / str(number)).mkdir()
            self.refused(packed, tmp_path / str(number), change)

    def test_a_later_version_is_refused(self, packed: Path, tmp_path: Path) -> None:
        self.refused(packed, tmp_path, lambda index: index.update(glioseg_pack=2), "pack.version")

    def test_a_list_that_lies_about_a_file_names_file_and_part(self, packed: Path, tmp_path: Path) -> None:
        def change(index: dict) -> None:
            index["files"][0][2] ^= 1

        self.refused(packed, tmp_path, change, "pack.file_damaged")

    def test_text_that_is_no_list(self, packed: Path, tmp_path: Path) -> None:
        pack = copied(packed, tmp_path / "data.glioseg")
        for text in ("", "[]", "{}", '"glioseg_pack"', "\xff"):
            (pack / INDEX).write_text(text, encoding="latin-1")
            with pytest.raises(InputError) as caught:
                opened(pack, tmp_path / "cache")
            assert [fault.code for fault in caught.value.faults] == ["pack.index_damaged"]

    def refused(self, packed: Path, folder: Path, change: object, code: str = "pack.index_damaged") -> None:
        pack = copied(packed, folder / "data.glioseg")
        index = json.loads((pack / INDEX).read_text(encoding="utf-8"))
        change(index)  # type: ignore[operator]
        (pack / INDEX).write_text(json.dumps(index), encoding="utf-8")
        with pytest.raises(InputError) as caught:
            opened(pack, folder / "cache")
        assert [fault.code for fault in caught.value.faults] == [code]
        assert not list((folder / "cache").rglob("*.tif"))


def test_both_languages_say_the_same_faults() -> None:
    english, chinese = (
        {key: set(said) for key, said in catalogue(language)["faults"].items() if key.startswith("pack.")}
        for language in ("en", "zh")
    )
    assert english == chinese
    assert len(english) > 8
