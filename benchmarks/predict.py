"""Slices a second from reading to the mask, where the time of the command goes, its start, cost by slices."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import (
    Measured,
    command,
    fresh,
    guarded,
    interleaved,
    middle,
    number,
    parser,
    ratio,
    start,
    table,
)
from benchmarks.stages import shares
from glioseg.errors import InputError, raise_all, require_extra
from glioseg.io import Source, find_scans
from glioseg.model.runtime import openvino_is_there
from glioseg.model.weights import find_model
from glioseg.samples import SAMPLES

if TYPE_CHECKING:
    from glioseg.model.predictor import Predictor

REFERENCE_BATCH = 16
"""Slices a call of the reference U-Net, as in the original program."""


def main() -> None:
    arguments = _arguments()
    require_extra("train", "torch")
    model, threads, rounds = find_model(arguments.model), arguments.threads, arguments.rounds
    sources, faults = find_scans(arguments.scans)
    raise_all(faults)
    sample = find_scans([SAMPLES])[0][0]
    start(threads)
    against_reference(sources, arguments.model, threads, rounds)
    shares(sources, arguments.model, threads, rounds)
    commands(sample, model, threads, rounds)
    counts = arguments.counts + [5000] * arguments.long
    results = growth(sample, counts, model, threads, rounds)
    if arguments.plot is not None:
        draw_growth(results, arguments.plot)


def against_reference(sources: Sequence[Source], model: str, threads: int, rounds: int) -> None:
    """The model in the product, and its 8-bit variant, against the reference U-Net, in processor seconds."""
    variants = {
        "reference U-Net, 256 px, eager torch": partial(fresh, segment_reference, sources),
        "reference U-Net, 256 px, ONNX Runtime": partial(fresh, segment_reference, sources, threads),
        f"glioseg, {find_model(model).stem}": partial(fresh, segment, sources, model, threads),
    }
    with suppress(InputError):
        fast = find_model(model, "fast").stem
        runtime = "OpenVINO" if openvino_is_there() else "ONNX Runtime"
        fast_name = f"glioseg --fast, {fast}, {runtime}"
        variants[fast_name] = partial(fresh, segment, sources, model, threads, True)
    results = interleaved(variants, rounds)
    eager, compiled, *_ = results.values()
    slices = eager[0]["slices"]
    columns = ["slices/s", "eager U-Net / this", "U-Net in ONNX Runtime / this", "peak MiB"]
    table(
        [f"reading to mask, {slices:.0f} slices", *columns],
        [
            [
                name,
                number(slices / middle(runs, "processor")),
                ratio(eager, runs, "processor"),
                ratio(compiled, runs, "processor"),
                number(middle(runs, "peak_mb")),
            ]
            for name, runs in results.items()
        ],
    )


def commands(sample: Source, model: Path, threads: int, rounds: int) -> None:
    """The command line from process start to exit, pictures and all."""
    options = ["--model", str(model), "--threads", str(threads)]
    scan = ["predict", str(sample.files[0].parent), *options]
    one = ["predict", str(sample.files[len(sample.files) // 2]), *options]
    with tempfile.TemporaryDirectory() as folder:
        # A folder for each run: in the same one it would find its work done.
        places = (str(Path(folder, str(run))) for run in range(2 * (rounds + 1)))
        variants = {
            f"glioseg predict, {len(sample.files)} slices": lambda: fresh(command, *scan, "-o", next(places)),
            "glioseg predict, one slice": lambda: fresh(command, *one, "-o", next(places)),
            "glioseg --help": partial(fresh, command, "--help"),
        }
        for variant in variants.values():
            variant()  # byte code and font lists are made once, after the install
        results = interleaved(variants, rounds)
    table(
        ["process start to exit", "seconds", "processor seconds", "peak MiB"],
        [
            [name, *(number(middle(runs, key)) for key in ("seconds", "processor", "peak_mb"))]
            for name, runs in results.items()
        ],
    )


def growth(
    sample: Source, counts: Sequence[int], model: Path, threads: int, rounds: int
) -> dict[str, list[Measured]]:
    """Cost against the number of slices: in one scan, and in scans of the sample's length."""
    variants = {}
    for count in counts:
        for kind, length in {
            "in one scan": count,
            f"in scans of {len(sample.files)}": len(sample.files),
        }.items():
            scans = [_resized(sample, min(length, count - done)) for done in range(0, count, length)]
            variants[f"{count} {kind}"] = partial(fresh, segment, scans, model, threads)
    results = interleaved(variants, rounds)
    table(
        ["slices", "seconds", "ms/slice", "peak MiB"],
        [
            [
                name,
                number(middle(runs)),
                number(1000 * middle(runs) / runs[0]["slices"]),
                number(middle(runs, "peak_mb")),
            ]
            for name, runs in results.items()
        ],
    )
    return results


def draw_growth(results: dict[str, list[Measured]], path: Path) -> None:
    """Seconds and peak memory against the number of slices."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    seconds, memory = figure.subplots(1, 2)
    for kind in dict.fromkeys(name.split(" ", 1)[1] for name in results):
        runs = [found for name, found in results.items() if name.split(" ", 1)[1] == kind]
        slices = [one[0]["slices"] for one in runs]
        seconds.loglog(slices, [middle(one) for one in runs], "o-", label=kind)
        memory.semilogx(slices, [middle(one, "peak_mb") for one in runs], "o-", label=kind)
    memory.set_ylim(bottom=0)
    for axes, title in ((seconds, "seconds"), (memory, "peak memory, MiB")):
        axes.set(xlabel="slices", ylabel=title)
        axes.grid(alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=120)


def segment(sources: Sequence[Source], model: str | Path, threads: int, fast: bool = False) -> Measured:
    """With the product: ONNX Runtime and the model's own preparation."""
    from glioseg.model.predictor import load_model

    return _segment(sources, load_model(model, threads=threads, fast=fast))


def segment_reference(sources: Sequence[Source], threads: int | None = None) -> Measured:
    """With the reference U-Net, and this package's (fast) preparation by its protocol.

    Args:
        sources: scans.
        threads: of ONNX Runtime; ``None`` for eager torch.
    """
    import torch

    from glioseg._version import __version__
    from glioseg.model.description import ModelDescription
    from glioseg.model.predictor import Predictor
    from glioseg.networks.unet import UNet
    from glioseg.prepare import Preparation
    from glioseg.recipe import load_recipe

    recipe = load_recipe("reference", ["prepare.drop_ends=false"])
    description = ModelDescription(
        name=recipe.name,
        network=recipe.network.name,
        prepare=Preparation.of(recipe.prepare),
        neighbours=recipe.input.neighbours,
        postprocess=recipe.postprocess,
        made=__version__,
    )
    network = UNet().eval()
    # Random weights cost what trained ones do, but their masks are noise: an empty one is cheapest.
    torch.nn.init.constant_(network.conv.bias, -20.0)

    @torch.no_grad()
    def runtime(images):
        return network(torch.from_numpy(images)).numpy()

    if threads is not None:
        from glioseg.model.export import export_onnx
        from glioseg.model.runtime import OnnxRuntime

        with tempfile.TemporaryDirectory() as folder:
            file = export_onnx(network, Path(folder, "unet.onnx"), 3, description.prepare.size, {})
            runtime = OnnxRuntime(file, threads)
    return _segment(sources, Predictor(runtime, description, batch=REFERENCE_BATCH))


def _segment(sources: Sequence[Source], predictor: Predictor) -> Measured:
    """Cost of all scans, one after the other, after the network has been called once."""
    import numpy as np

    from glioseg.prepare import neighbour_channels

    description = predictor.description
    channels = len(neighbour_channels(description.sequences, description.neighbours))
    predictor.runtime(np.zeros((1, channels, description.prepare.size, description.prepare.size), np.float32))
    slices = 0
    started, processor = time.perf_counter(), time.process_time()
    for source in sources:
        # Without the probability map, as glioseg predict does unless it is to write it.
        slices += len(predictor(source.read(), probability=False).segmentation.voxels)
    seconds, processor = time.perf_counter() - started, time.process_time() - processor
    return {"seconds": seconds, "processor": processor, "slices": slices}


def _resized(sample: Source, count: int) -> Source:
    """A scan of so many slices: the sample's, again and again. Every one of them is read."""
    files = tuple(islice(cycle(sample.files), count))
    return Source(sample.id, sample.format, files, slice_numbers=tuple(range(1, count + 1)))


def _arguments() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("scans", type=Path, nargs="*", default=[SAMPLES], help="scans (those that ship)")
    made.add_argument("--model", default="default", help="a name, a run folder or an .onnx file")
    made.add_argument("--counts", type=int, nargs="+", default=[20, 100, 500], help="slices for the growth")
    made.add_argument("--long", action="store_true", help="5000 slices as well")
    made.add_argument("--plot", type=Path, help="draw the growth into this file")
    return made.parse_args()


if __name__ == "__main__":
    guarded(main)
