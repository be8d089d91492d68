"""What all tests share: real scans, a cache of their own, places that cannot be written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import settings

from glioseg.dataset.find import Case, read_case
from glioseg.model.weights import WEIGHTS
from glioseg.samples import sample_cases
from glioseg.scan import Scan, Segmentation

if TYPE_CHECKING:
    from torch import Tensor

if "PYTEST_XDIST_WORKER" in os.environ:  # the cores are shared by processes: a thread each
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes depends on what else the machine does.
settings.register_profile("glioseg", deadline=None)
settings.load_profile("glioseg")


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Tests, and the processes they start, never meet the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLIOSEG_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The unpacked kaggle_3m folder of all patients that there are."""
    folder = os.environ.get("GLIOSEG_DATA")
    if not folder:
        pytest.skip("needs all patients: set GLIOSEG_DATA to the unpacked kaggle_3m folder")
    return Path(folder)


@pytest.fixture(scope="session")
def cases() -> dict[str, Case]:
    """The bundled patients by id."""
    return {case.id: case for case in sample_cases()}


@pytest.fixture(scope="session")
def labelled(cases: dict[str, Case]) -> dict[str, tuple[Scan, Segmentation]]:
    """Scan and truth of the bundled patients, read once."""
    read = {}
    for id, case in cases.items():
        scan, truth = read_case(case)
        assert truth is not None
        read[id] = scan, truth
    return read


@pytest.fixture(scope="session")
def lesion_batch(labelled: dict[str, tuple[Scan, Segmentation]]) -> tuple[Tensor, Tensor]:
    """Six slices of a real scan with their neighbours' FLAIR, and the share of lesion."""
    import torch

    from glioseg.prepare import Preparation, stack_neighbours

    scan, truth = labelled["TCGA_CS_4944_20010208"]
    preparation = Preparation(size=48)
    prepared = preparation(scan)
    chosen = np.flatnonzero(truth.mask.any(axis=(1, 2)))[:6]
    targets = preparation.target(truth.mask, prepared.frame)[chosen, None].clip(0, 1)
    return torch.from_numpy(stack_neighbours(prepared.images, chosen, 1)), torch.from_numpy(targets)


@pytest.fixture(scope="session")
def shipped_model() -> Path:
    """The folder with the models that ship."""
    if not (WEIGHTS / "index.json").is_file():
        pytest.skip("needs the model that ships, and glioseg/weights has none")
    return WEIGHTS


ReadOnly = Callable[[Path], AbstractContextManager[None]]


@pytest.fixture
def read_only() -> ReadOnly:
    """Context in which a folder cannot be written, also by root, who may write everywhere."""

    @contextmanager
    def locked(folder: Path) -> Iterator[None]:
        if os.name == "nt":
            pytest.skip("Windows folders have no permission to take away with chmod")
        modes = {path: path.stat().st_mode for path in (folder, *folder.parents)}
        is_root = os.geteuid() == 0
        for path, mode in modes.items():
            # Whom root becomes here has to reach the folder at all.
            if is_root and path.owner() == "root" and not mode & 0o001:
                path.chmod(mode | 0o055)
        folder.chmod(0o555)
        try:
            if is_root:
                os.seteuid(65534)
            yield
        finally:
            if is_root:
                os.seteuid(0)
            for path, mode in modes.items():
                if path.stat().st_mode != mode:
                    path.chmod(mode)

    return locked


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 1 MB with next to no room left."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("needs Linux and root to mount a small disk")
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("needs the right to mount a small disk")
    try:
        (folder / "ballast").write_bytes(bytes(1024 * 1024 - 8192))
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture(scope="session")
def quick_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of weights with a quick model as the default."""
    from support.server_kit import quick_weights as make

    return make(tmp_path_factory.mktemp("weights"))


@pytest.fixture
def quick_model(quick_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default model is the quick one."""
    monkeypatch.setattr("glioseg.model.weights.WEIGHTS", quick_weights)


@pytest.fixture
def client(tmp_path: Path, quick_model: None) -> Iterator[Any]:
    """A client of a server with the quick model."""
    from fastapi.testclient import TestClient
    from support.server_kit import BASE, serve

    with TestClient(serve(tmp_path), base_url=BASE) as opened:
        yield opened
