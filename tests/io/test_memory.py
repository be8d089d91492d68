"""Too little memory is said before anything is decoded, with what is needed and what is there."""

from __future__ import annotations

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from glioseg.errors import InputError
from glioseg.io import memory, read_scan
from glioseg.io.memory import SEGMENTING, available, check_memory, memory_for


def test_what_is_needed_and_what_is_there_are_said(monkeypatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 2_200_000_000)
    with memory_for(SEGMENTING):
        check_memory(Path("fits"), 99_000_000)
        with pytest.raises(InputError, match=r"big: .*found that it needs about 8\.8 GB, 2\.2 are there"):
            check_memory(Path("big"), 400_000_000)
    check_memory(Path("read alone"), 270_000_000)
    with pytest.raises(InputError, match=r"needs about 4\.8 GB"):
        check_memory(Path("colour"), 200_000_000, 3)


def test_small_scans_and_systems_that_do_not_say_are_not_refused(monkeypatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 1)
    check_memory(Path("small"), 1_000_000)
    monkeypatch.setattr(memory, "available", lambda: None)
    check_memory(Path("any"), 10**12)


def test_a_large_volume_is_refused_by_its_header_alone(tmp_path: Path, monkeypatch) -> None:
    """800 MB of zeros in under a megabyte: the values are not inflated to find out."""
    header = nibabel.Nifti1Header()
    header.set_data_shape((1000, 1000, 400))
    header.set_data_dtype(np.int16)
    header.set_sform(np.diag([-0.5, -0.5, 1, 1]), code=1)
    header["magic"] = b"n+1"
    header["vox_offset"] = 352
    path = tmp_path / "large.nii.gz"
    with gzip.open(path, "wb") as file:
        file.write(header.binaryblock + bytes(4))
        for _ in range(8):
            file.write(bytes(100_000_000))
    monkeypatch.setattr(memory, "available", lambda: 2_000_000_000)

    def decoded(*_: object, **__: object) -> None:
        pytest.fail("it was decoded")

    monkeypatch.setattr("glioseg.io.nifti._values", decoded)
    with pytest.raises(InputError, match=r"large\.nii\.gz: .*needs about 3\.2 GB, 2\.0 are there"):
        read_scan(path)


def test_running_out_of_memory_is_not_called_damaged(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.nii"
    nibabel.save(nibabel.Nifti1Image(np.ones((8, 8, 4), np.int16), np.diag([-1.0, -1.0, 1.0, 1.0])), path)

    def no_memory(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("nibabel.arrayproxy.ArrayProxy.get_unscaled", no_memory)
    with pytest.raises(InputError, match=r"a\.nii: expected enough memory, found none left"):
        read_scan(path)


def test_a_group_of_processes_and_a_limit_count(tmp_path: Path, monkeypatch) -> None:
    texts = {
        "/proc/meminfo": "MemTotal: 9000 kB\nMemAvailable:    8000 kB\n",
        "/proc/self/cgroup": "0::/jobs/one\n",
        "/sys/fs/cgroup/memory.max": "max\n",
        "/sys/fs/cgroup/jobs/one/memory.max": "5000000\n",
        "/sys/fs/cgroup/jobs/one/memory.current": "3000000\n",
        "/sys/fs/cgroup/jobs/one/memory.stat": "anon 1\ninactive_file 500000\n",
    }
    monkeypatch.setattr(memory, "_text", lambda path: texts.get(path.as_posix(), ""))
    monkeypatch.setattr(memory.sys, "platform", "linux")
    monkeypatch.setattr(memory, "_left_of_limit", lambda: None)
    assert available() == 2_500_000
    texts["/proc/self/cgroup"] = "4:cpu,memory:/x\n"
    texts |= {
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": "4000000",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes": "3900000",
    }
    assert available() == 100_000
    texts["/proc/self/cgroup"] = ""
    assert available() == 8_192_000
    monkeypatch.setattr(memory, "_left_of_limit", lambda: 7)
    assert available() == 7
