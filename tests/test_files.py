"""Nothing is ever half-written: not on errors, a full disk, a kill; and names sort as people count."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glioseg.errors import InputError
from glioseg.files import (
    folder_written_whole,
    make_folder,
    natural_key,
    write_json,
    write_text,
    written_whole,
)

WRITE_AND_WAIT = """
import sys, time
from pathlib import Path
from glioseg.files import {writer}
with {writer}(Path(sys.argv[1])) as part:
    {write}
    print("half", flush=True)
    time.sleep(60)
"""


def killed_within(writer: str, write: str, target: Path) -> None:
    """Start a process that writes half of ``target``, and kill it there."""
    script = WRITE_AND_WAIT.format(writer=writer, write=write)
    process = subprocess.Popen([sys.executable, "-c", script, str(target)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "half\n"
        process.kill()


class TestWrittenWhole:
    def test_the_target_appears_with_the_end_of_the_block(self, tmp_path: Path) -> None:
        target = tmp_path / "deep" / "folder" / "scan.nii.gz"
        with written_whole(target) as part:
            part.write_bytes(b"new")
            assert not target.exists()
            assert part.parent == target.parent
            assert part.name.startswith(".")
            assert part.name.endswith(".nii.gz"), "writers choose the format by the suffix"
        assert target.read_bytes() == b"new"
        assert list(target.parent.iterdir()) == [target]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, MemoryError])
    def test_an_error_leaves_the_target_as_it_was(self, tmp_path: Path, error: type[BaseException]) -> None:
        target = tmp_path / "mask.tif"
        target.write_bytes(b"old")
        with pytest.raises(error), written_whole(target) as part:  # noqa: PT012
            part.write_bytes(b"half")
            raise error
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]

    def test_a_kill_leaves_the_target_as_it_was(self, tmp_path: Path) -> None:
        target = tmp_path / "mask.tif"
        target.write_bytes(b"old")
        killed_within("written_whole", "part.write_bytes(b'half')", target)
        assert target.read_bytes() == b"old"
        left = [path for path in tmp_path.iterdir() if path != target]
        assert all(path.name.startswith(".part-") for path in left), "readers pass over what is left behind"

    def test_an_error_about_another_file_is_not_blamed_on_the_target(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError), written_whole(tmp_path / "mask.tif"):
            (tmp_path / "not there").read_bytes()

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
    def test_files_get_the_usual_permissions(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            write_text(tmp_path / "text", "")
            with folder_written_whole(tmp_path / "folder"):
                pass
        finally:
            os.umask(before)
        assert (tmp_path / "text").stat().st_mode & 0o777 == 0o640
        assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o750

    def test_several_processes_leave_one_whole_file(self, tmp_path: Path) -> None:
        script = (
            "import sys; from pathlib import Path; from glioseg.files import write_text\n"
            "for _ in range(50): write_text(Path(sys.argv[1]), sys.argv[2] * 100_000)"
        )
        target = tmp_path / "text"
        writers = [subprocess.Popen([sys.executable, "-c", script, str(target), letter]) for letter in "abc"]
        assert [writer.wait() for writer in writers] == [0, 0, 0]
        text = target.read_text(encoding="utf-8")
        assert text in {letter * 100_000 for letter in "abc"}
        assert list(tmp_path.iterdir()) == [target]


class TestFolderWrittenWhole:
    def test_the_folder_appears_with_the_end_of_the_block(self, tmp_path: Path) -> None:
        with folder_written_whole(tmp_path / "made") as part:
            (part / "file").write_text("text", encoding="utf-8")
            assert not (tmp_path / "made").exists()
        assert (tmp_path / "made" / "file").read_text(encoding="utf-8") == "text"
        assert list(tmp_path.iterdir()) == [tmp_path / "made"]

    def test_an_error_leaves_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(ZeroDivisionError), folder_written_whole(tmp_path / "x") as part:  # noqa: PT012
            (part / "file").touch()
            raise ZeroDivisionError
        assert list(tmp_path.iterdir()) == []

    def test_a_kill_leaves_no_folder(self, tmp_path: Path) -> None:
        killed_within("folder_written_whole", "(part / 'file').write_bytes(b'half')", tmp_path / "made")
        assert not (tmp_path / "made").exists()
        assert all(path.name.startswith(".part-") for path in tmp_path.iterdir())

    def test_the_folder_of_a_process_that_was_faster_is_kept(self, tmp_path: Path) -> None:
        with folder_written_whole(tmp_path / "made") as part:
            (part / "file").write_text("ours", encoding="utf-8")
            (tmp_path / "made").mkdir()
            (tmp_path / "made" / "file").write_text("theirs", encoding="utf-8")
        assert (tmp_path / "made" / "file").read_text(encoding="utf-8") == "theirs"
        assert list(tmp_path.iterdir()) == [tmp_path / "made"]


class TestPlacesThatCannotBeWritten:
    def test_a_folder_without_permission(self, tmp_path: Path, read_only) -> None:
        inside = tmp_path / "locked"
        inside.mkdir()
        with read_only(inside):
            for write in (
                lambda: write_text(inside / "text", "x"),
                lambda: make_folder(inside / "folder"),
                lambda: folder_written_whole(inside / "folder").__enter__(),
            ):
                with pytest.raises(InputError, match=r"no permission to write.*Choose another output folder"):
                    write()
        assert list(inside.iterdir()) == []

    @pytest.mark.parametrize("deeper", ["", "/below", "/below/that"])
    def test_a_file_where_the_folder_should_be(self, tmp_path: Path, deeper: str) -> None:
        (tmp_path / "taken").touch()
        with pytest.raises(InputError, match="a file of that name"):
            write_text(Path(f"{tmp_path}/taken{deeper}/text"), "x")

    def test_a_folder_where_the_file_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "taken" / "with something in it").mkdir(parents=True)
        with pytest.raises(InputError, match="taken") as caught:
            write_text(tmp_path / "taken", "x")
        assert os.name == "nt" or "a folder of that name" in str(caught.value)
        assert list(tmp_path.iterdir()) == [tmp_path / "taken"]

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
    @pytest.mark.parametrize("writer", ["text", "numpy"])
    def test_no_room_left(self, tmp_path: Path, writer: str) -> None:
        target = tmp_path / "target.npy"
        target.write_bytes(b"old")
        with pytest.raises(InputError, match="a full disk"), written_whole(target) as part:  # noqa: PT012
            part.unlink()
            part.symlink_to("/dev/full")
            if writer == "text":
                part.write_text("x" * 100_000, encoding="utf-8")
            else:
                np.save(part, np.ones(100_000))
        assert target.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [target]

    def test_a_disk_that_fills_up(self, full_disk: Path) -> None:
        target = full_disk / "target.txt"
        write_text(target, "old")
        before = sorted(full_disk.iterdir())
        with pytest.raises(InputError, match=r"target\.txt: expected room to write, found a full disk"):
            write_text(target, "x" * 100_000)
        with (
            pytest.raises(InputError, match="arrays: expected room to write, found a full disk"),
            folder_written_whole(full_disk / "arrays") as part,
        ):
            np.save(part / "images.npy", np.ones(100_000))
        assert target.read_text(encoding="utf-8") == "old"
        assert sorted(full_disk.iterdir()) == before

    def test_a_name_that_is_too_long(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"too long|cannot find|Errno"):
            write_text(tmp_path / ("x" * 5000), "x")


def test_json_keeps_the_order_and_the_letters(tmp_path: Path) -> None:
    write_json(tmp_path / "file.json", {"z": "Zoë", "a": Path("b")})
    raw = (tmp_path / "file.json").read_bytes()
    assert "Zoë".encode() in raw
    assert b"\r" not in raw
    assert list(json.loads(raw)) == ["z", "a"]


names = st.text("aBß_ .0123456789٣²Ⅳ", max_size=10)


class TestNaturalKey:
    def test_numbers_count(self) -> None:
        given_names = ["slice_10", "slice_2", "Slice_1", "slice_2b", "10", "9"]
        assert sorted(given_names, key=natural_key) == [
            "9", "10", "Slice_1", "slice_2", "slice_2b", "slice_10",
        ]  # fmt: skip

    @given(st.lists(names, max_size=6))
    def test_any_names_can_be_sorted(self, some: list[str]) -> None:
        ordered = [natural_key(name) for name in sorted(some, key=natural_key)]
        assert ordered == sorted(natural_key(name) for name in some)
        assert all(first <= second for first, second in pairwise(ordered))

    @given(names, names, st.integers(0, 10**6), st.integers(0, 10**6))
    def test_names_that_differ_in_one_number_are_ordered_by_it(
        self, before: str, after: str, first: int, second: int
    ) -> None:
        before = re.sub(r"\d+$", "", before)
        after = re.sub(r"^\d+", "", after)
        keys = [natural_key(f"{before}{number}{after}") for number in (first, second)]
        assert (keys[0] < keys[1]) == (first < second)


def test_the_fixture_read_only_gives_the_rights_back(tmp_path: Path, read_only) -> None:
    with contextlib.suppress(ZeroDivisionError), read_only(tmp_path):
        raise ZeroDivisionError
    (tmp_path / "file").touch()
