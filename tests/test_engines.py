"""The programs of docs/how-to/several-machines.md that hand a model to an engine, run as they stand there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from glioseg.samples import SAMPLES

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "several-machines.md"
PATIENTS = ("TCGA_CS_4944_20010208", "TCGA_CS_6667_20011105", "TCGA_HT_7692_19960724")
STAND_IN = '''
"""What the program uses of Ray: arguments travel pickled, functions run in processes of their own."""

import os
import pickle
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from multiprocessing import get_context

import cloudpickle

_pool = ProcessPoolExecutor(2, get_context("spawn"))


def init():
    pass


def cluster_resources():
    return {"CPU": 2.0}


def _called(text):
    function, arguments = pickle.loads(text)
    assert os.getppid() != 1
    return function(*(pickle.loads(each) for each in arguments))


class _Remote:
    def __init__(self, function):
        self.function = function

    def remote(self, *arguments):
        sent = [each if isinstance(each, bytes) else cloudpickle.dumps(each) for each in arguments]
        return _pool.submit(_called, cloudpickle.dumps((self.function, sent)))


def remote(**options):
    assert options == {"max_retries": 3}
    return _Remote


def put(value):
    return cloudpickle.dumps(value)


def wait(under_way):
    done, others = wait_for(under_way, return_when=FIRST_COMPLETED)
    first = next(each for each in under_way if each in done)
    return [first], [each for each in under_way if each is not first]


def get(futures):
    return [each.result() for each in futures]
'''


@pytest.mark.skipif(not PAGE.is_file(), reason="needs a clone")
@pytest.mark.parametrize("engine", [pytest.param("concurrent.futures", marks=pytest.mark.slow), "ray"])
def test_the_program_for_an_engine_runs(engine: str, tmp_path: Path) -> None:
    if engine == "ray":
        pytest.importorskip("cloudpickle")
        (tmp_path / "ray.py").write_text(STAND_IN, encoding="utf-8")
    text = PAGE.read_text(encoding="utf-8")
    starts = f"{engine} import", f"import {engine}\n"
    (program,) = [part for part in text.split("```text\n")[1:] if any(start in part for start in starts)]
    program = program.partition("```")[0]
    if engine == "ray":  # processes that are spawned import the program; those of Ray do not
        body = "".join(f"    {line}\n" if line else "\n" for line in program.splitlines())
        program = f"if __name__ == '__main__':\n{body}"
    for number, patient in enumerate(PATIENTS, 1):
        (tmp_path / f"patient{number}").mkdir()
        for place in (10, 11):
            name = f"{patient}_{place}.tif"
            shutil.copy(SAMPLES / patient / name, tmp_path / f"patient{number}" / name)
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, check=True, timeout=300)
    assert len(list((tmp_path / "masks").rglob("*_mask.tif"))) == 6
