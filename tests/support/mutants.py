"""Files with flipped, missing and inserted bytes, opened one after the other in a process that may die.

``python -m support.mutants FORMAT FIRST COUNT`` (with ``tests`` on the path) prints a line for each mutant:
its number, and ``sound`` or ``refused``, or the end of a traceback where it was neither.
"""

from __future__ import annotations

import io
import json
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

TESTS = Path(__file__).resolve().parent.parent
SECONDS = 60.0
"""Most time for one mutant, also on a machine that does other things."""
MEMORY = 8 * 2**30
"""Most address space of the process that opens them."""

Open = Callable[[Path], Any]


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        make: writes sound ones into a folder and returns those that are mutated, one each time.
        open: what is called with the folder; it may refuse what is in it, and do nothing else.
        text: whether numbers in it are also exchanged for others.
    """

    make: Callable[[Path], list[Path]]
    open: Open
    text: bool = False


@dataclass
class Outcome:
    """What became of the mutants of a format."""

    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


WORDS = (
    b"0",
    b"-1",
    b"1e309",
    b"nan",
    b"NaN",
    b"99999999999999999999",
    b"null",
    b"[]",
    b"{}",
    b"true",
    b'""',
    b"x",
)


def mutant(content: bytes, generator: np.random.Generator, text: bool = False) -> bytes:
    """Content with one to four damages."""
    changed = bytearray(content)
    for _ in range(int(generator.integers(1, 5))):
        size = len(changed)
        place = int(generator.integers(size + 1))
        # Headers decide more than pixels do.
        if generator.random() < 0.5:
            place = min(place, int(generator.integers(min(size, 400) + 1)))
        length = int(min(size - place, 2 ** generator.integers(0, 12)))
        kind = generator.integers(8 if text else 6)
        if kind == 0 and place < size:
            changed[place] ^= 1 << int(generator.integers(8))
        elif kind == 1 and place < size:
            changed[place] = int(generator.choice([0, 1, 127, 128, 255]))
        elif kind == 2:
            del changed[place : place + length]
        elif kind == 3:
            changed[place:place] = generator.bytes(int(2 ** generator.integers(0, 10)))
        elif kind == 4:
            changed[place:place] = changed[place : place + length]
        elif kind == 5 and generator.random() < 0.3:
            del changed[place:]
        elif kind >= 6:
            values = list(re.finditer(rb'"[^"\n]*"|[-+.\w]+', bytes(changed)))
            if values:
                found = values[int(generator.integers(len(values)))]
                changed[found.start() : found.end()] = WORDS[int(generator.integers(len(WORDS)))]
    return bytes(changed)


# --- formats ----------------------------------------------------------------------------------


def _run_folder(folder: Path) -> list[Path]:
    from support.run_kit import store

    for name in ("run", "other"):
        store(folder / name, np.linspace(0.6, 0.9, 6).tolist(), f"train.batch_size={len(name)}")
    run = folder / "run"
    return [run / name for name in ("manifest.json", "metrics.csv", "recipe.toml", "evaluation/metrics.json")]


def _compare(folder: Path) -> None:
    from glioseg.runs.compare import overview
    from glioseg.server.runs import table

    json.dumps(table(folder))
    found = overview([folder / "run", folder / "other"], "own", True)
    json.dumps([*map(found.facts, found.rows), *(one.to_dict() for one in found.comparisons)])
    assert all(one.text("zh") for one in found.comparisons)


def _recipe(folder: Path) -> list[Path]:
    from glioseg.recipe import RECIPES

    names = ("default", "keras_unet", "unet_adamw_one_cycle")
    return [Path(shutil.copy(RECIPES / f"{name}.toml", folder)) for name in names]


def _load_recipes(folder: Path) -> None:
    from glioseg.errors import raise_all
    from glioseg.recipe import load_recipe
    from glioseg.runs.rows import differences

    for path in sorted(folder.glob("*.toml")):
        recipe = load_recipe(path)
        assert load_recipe(recipe.write(folder / "written" / "again.toml")).name == recipe.name
        differences(recipe, load_recipe("default"))
        raise_all([])


def _study(folder: Path) -> list[Path]:
    from glioseg.studies.study import STUDIES

    return [Path(shutil.copy(STUDIES / "lgg-cpu.toml", folder))]


def _load_study(folder: Path) -> None:
    from glioseg.studies.study import load_study

    for planned in load_study(folder / "lgg-cpu.toml").plan():
        planned.load()


def _model(folder: Path) -> list[Path]:
    from support.known_models import known_model

    return [known_model(folder / "model.onnx")]


def _try_model(folder: Path) -> None:
    from glioseg.model.trial import _try

    _try(folder / "model.onnx")


def _metadata(folder: Path) -> list[Path]:
    import onnx

    from glioseg.model.appearance import SIDE
    from support.known_models import known_model

    content = onnx.load(known_model(folder / "model.onnx"))
    description = json.loads(content.metadata_props[0].value)
    numbers = [0.05] * SIDE**2
    description["appearance"] = {
        "mean": numbers, "least_likeness": 0.1, "upright": numbers, "most_turned": 0.0, "contrast": [],
    }  # fmt: skip
    (folder / "description.json").write_text(json.dumps(description), encoding="utf-8")
    return [folder / "description.json"]


def _read_metadata(folder: Path) -> None:
    from glioseg.model.description import KEY, read_description
    from glioseg.model.trial import input_shape
    from glioseg.prediction import Evidence

    text = (folder / "description.json").read_bytes().decode("utf-8", "surrogateescape")
    found = read_description(folder / "model.onnx", {KEY: text})
    input_shape(found)
    assert 0 <= found.calibration(Evidence(0.9, 4.0)) <= 1
    if found.appearance is not None:
        found.appearance.doubts(np.ones((4, 32, 32), np.float32))


def _checkpoint(folder: Path) -> list[Path]:
    import torch

    from support.run_kit import store

    run = store(folder / "run", [0.5, 0.6])
    module = torch.nn.Linear(4, 4)
    content = {
        "state_dict": module.state_dict(), "optimizer_states": [], "lr_schedulers": [], "callbacks": {},
        "loops": {}, "epoch": 1, "global_step": 8,
    }  # fmt: skip
    for path in (run.last, run.best):
        torch.save(content, path)
    return [run.last]


def _check_checkpoint(folder: Path) -> None:
    import torch

    from glioseg.runs.folder import RunFolder
    from glioseg.training.checkpoint import check_checkpoint, step_of

    run = RunFolder.open(folder / "run")
    check_checkpoint(run, torch.nn.Linear(4, 4))
    step_of(run.last)


def _pack(folder: Path) -> list[Path]:
    from glioseg.dataset.pack import pack
    from support.sound_scans import labelled

    pack(labelled(folder / "source"), folder / "data.glioseg", 20_000)
    return sorted(path for path in (folder / "data.glioseg").rglob("*") if path.is_file())


def _open_pack(folder: Path) -> None:
    from glioseg.dataset.find import find_cases, read_case

    cache = folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    for case in find_cases(folder / "data.glioseg", cache=cache):
        read_case(case)


def _png(folder: Path) -> list[Path]:
    from support.sound_scans import save, slice_rgb

    return [save(folder / "scan" / f"a_{number}.png", slice_rgb(number)) for number in (1, 2, 3)]


def _jpeg(folder: Path) -> list[Path]:
    from support.sound_scans import save, slice_rgb

    return [save(folder / "scan" / f"a_{number}.jpg", slice_rgb(number)) for number in (1, 2, 3)]


def _tiff(folder: Path) -> list[Path]:
    import tifffile

    from support.sound_scans import slice_rgb

    (folder / "scan").mkdir()
    paths = []
    from PIL import Image

    for number, compression in enumerate((None, "zlib", "lzw"), 1):
        path = folder / "scan" / f"a_{number}.tif"
        if compression == "lzw":  # tifffile writes it only with a package that is not needed otherwise
            Image.fromarray(slice_rgb(number)).save(path, compression="tiff_lzw")
        else:
            tifffile.imwrite(path, slice_rgb(number), compression=compression, photometric="rgb")
        paths.append(path)
    return paths


def _nifti(folder: Path) -> list[Path]:
    from support.sound_scans import nifti, volume

    return [nifti(folder / "scan" / "flair.nii", volume())]


def _nifti_gz(folder: Path) -> list[Path]:
    from support.sound_scans import nifti, volume

    return [nifti(folder / "scan" / "flair.nii.gz", volume())]


def _nrrd(folder: Path) -> list[Path]:
    from support.sound_scans import volume
    from support.text_volumes import nrrd

    return [nrrd(folder / "scan" / "flair.nrrd", volume())]


def _metaimage(folder: Path) -> list[Path]:
    from support.sound_scans import volume
    from support.text_volumes import metaimage

    return [metaimage(folder / "scan" / "flair.mha", volume(), deflated=True)]


def _text_header(folder: Path) -> list[Path]:
    from support.sound_scans import volume
    from support.text_volumes import metaimage, nrrd

    paths = [nrrd(folder / "scan" / "1" / "flair.nhdr", volume(), deflated=False)]
    return [*paths, metaimage(folder / "scan" / "2" / "flair.mhd", volume())]


def _dicom(folder: Path) -> list[Path]:
    from support.dicom_kit import series
    from support.sound_scans import volume

    return series(folder / "scan", volume())


def _read_scans(folder: Path) -> None:
    from glioseg.errors import raise_all
    from glioseg.io import find_scans

    sources, faults = find_scans([folder / "scan"])
    raise_all(faults)
    for source in sources:
        source.read()


FORMATS: dict[str, Format] = {
    "run": Format(_run_folder, _compare, True),
    "recipe": Format(_recipe, _load_recipes, True),
    "study": Format(_study, _load_study, True),
    "model": Format(_model, _try_model),
    "metadata": Format(_metadata, _read_metadata, True),
    "checkpoint": Format(_checkpoint, _check_checkpoint),
    "pack": Format(_pack, _open_pack),
    "png": Format(_png, _read_scans),
    "jpeg": Format(_jpeg, _read_scans),
    "tiff": Format(_tiff, _read_scans),
    "nifti": Format(_nifti, _read_scans),
    "nifti_gz": Format(_nifti_gz, _read_scans),
    "nrrd": Format(_nrrd, _read_scans),
    "metaimage": Format(_metaimage, _read_scans),
    "text_header": Format(_text_header, _read_scans, True),
    "dicom": Format(_dicom, _read_scans),
}


# --- in the process that may die --------------------------------------------------------------


def open_mutants(name: str, first: int, count: int) -> None:
    """Open mutants and print what became of each."""
    from glioseg.errors import InputError

    warnings.simplefilter("ignore")
    _bound_memory()
    form = FORMATS[name]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = form.make(folder)
        form.open(folder)
        said, sys.stderr = sys.stderr, io.StringIO()  # libraries complain of damaged files
        for number in range(first, first + count):
            path, damaged = mutate(form, name, paths, number)
            sound = path.read_bytes()
            path.write_bytes(damaged)
            try:
                form.open(folder)
                outcome = "sound"
            except InputError:
                outcome = "refused"
            except BaseException as error:
                frame = traceback.extract_tb(error.__traceback__)[-1]
                outcome = f"{type(error).__name__}: {str(error)[:200]!r} at {frame.filename}:{frame.lineno}"
            path.write_bytes(sound)
            print(number, outcome, flush=True)
        sys.stderr = said


def mutate(form: Format, name: str, paths: list[Path], number: int) -> tuple[Path, bytes]:
    """The mutant of a number: which file, and its content."""
    generator = np.random.default_rng([number, *name.encode()])
    path = paths[int(generator.integers(len(paths)))]
    return path, mutant(path.read_bytes(), generator, form.text)


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


# --- in the process that watches --------------------------------------------------------------


def watch(name: str, first: int, count: int, seconds: float = SECONDS) -> Outcome:
    """Let a process open mutants; one that dies or hangs at a mutant is followed by another."""
    outcome = Outcome()
    end = first + count
    while first < end:
        program = (
            f"import sys; sys.path.insert(0, {str(TESTS)!r}); from support.mutants import open_mutants; "
        )
        program += f"open_mutants({name!r}, {first}, {end - first})"
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=_forward, args=(process.stdout, lines), daemon=True).start()
        begun = first
        hung = False
        while True:
            try:
                line = lines.get(timeout=seconds)
            except queue.Empty:
                hung = True
                break
            if line is None:
                break
            number, _, said = line.strip().partition(" ")
            if not number.isdecimal():  # libraries print too
                continue
            first = int(number) + 1
            kind = said if said in ("sound", "refused") else "traceback"
            outcome.counts[kind] += 1
            if kind == "traceback":
                outcome.failures.append(f"{name} {number}: {said}")
        process.kill()
        complaint = process.communicate()[1]
        if first < end:
            died = "hang" if hung else f"death {process.returncode}"
            outcome.counts["hang" if hung else "death"] += 1
            outcome.failures.append(f"{name} {first}: {died} {complaint[-300:]}")
            if first == begun and not hung and process.returncode == 1:
                raise AssertionError(f"{name}: sound files cannot be opened: {complaint[-2000:]}")
            first += 1
    return outcome


def _forward(stream: Any, lines: queue.Queue[str | None]) -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


if __name__ == "__main__":
    for chosen in sys.argv[1].split(","):
        found = watch(chosen, int(sys.argv[2]), int(sys.argv[3]))
        print(chosen, dict(found.counts), flush=True)
        print("\n".join(found.failures[:40]), flush=True)
