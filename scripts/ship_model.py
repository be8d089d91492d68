"""Make a finished run the default model.

    python scripts/ship_model.py RUN NAME "one line about it" --crossval runs/default-5-fold

Writes ``glioseg/weights/NAME.onnx`` (weights as 16-bit floats) and names it in ``index.json``. The model that
was there leaves the tree with its card: one model ships, and ``docs/model-log.md`` keeps the scores of the
earlier ones, so enter them there first. The card, ``glioseg/weights/NAME.md``, is written by hand,
from what ``glioseg evaluate NAME DATA`` measures. ``--crossval``, the folder of ``glioseg crossval``, gives
the calibration of the expected DSC. ``--second``, a run with another seed or the ``.onnx`` file of an earlier
model that takes the same images, gives the network that ``--best`` adds.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import onnx

from glioseg.dataset.cache import PreparedCase, prepare_cases
from glioseg.dataset.find import find_cases
from glioseg.model.calibration import Calibration
from glioseg.model.description import KEY, ModelDescription
from glioseg.model.half import store_in_half
from glioseg.model.quantise import quantise
from glioseg.model.weights import WEIGHTS
from glioseg.prepare import stack_neighbours
from glioseg.recipe import Recipe, load_recipe
from glioseg.runs.folder import RunFolder
from glioseg.training.result import export_model, trained_network


def main() -> None:
    """Read the run, complete its description, write the model and the index."""
    arguments = _arguments()
    run = RunFolder.open(arguments.run)
    recipe = load_recipe(run.recipe_file, [f"postprocess.{setting}" for setting in arguments.postprocess])
    trained_on = set(run.manifest["split"]["train"])
    cases = [case for case in find_cases(Path(run.manifest["data"])) if case.id in trained_on]
    prepared = prepare_cases(cases, recipe.prepare)
    with TemporaryDirectory() as folder:
        whole = Path(folder) / "model.onnx"
        _export(run, recipe, prepared, whole)
        _describe(whole, arguments.name, arguments.crossval)
        file = store_in_half(whole, WEIGHTS / f"{arguments.name}.onnx")
        slices = middle_slices(prepared, recipe.input.neighbours)
        fast = quantise(whole, WEIGHTS / f"{arguments.name}-int8.onnx", slices)
        files = {"file": file.name, "fast": fast.name}
        if arguments.second is not None:
            second = WEIGHTS / f"{arguments.name}-second.onnx"
            if arguments.second.suffix == ".onnx":
                content = onnx.load(arguments.second)
                described = onnx.load(whole).metadata_props
                onnx.helper.set_model_props(content, {entry.key: entry.value for entry in described})
                onnx.save(content, second)
            else:
                _export(RunFolder.open(arguments.second), recipe, prepared, whole)
                _describe(whole, arguments.name, arguments.crossval)
                store_in_half(whole, second)
            files["second"] = second.name
    index_file = WEIGHTS / "index.json"
    index = json.loads(index_file.read_text(encoding="utf-8"))
    for earlier, entry in index.items():
        if earlier != arguments.name:
            for gone in (entry["file"], entry.get("fast"), entry.get("second"), f"{earlier}.md"):
                if gone is not None:
                    (WEIGHTS / gone).unlink(missing_ok=True)
    index = {arguments.name: {**files, "summary": arguments.summary}}
    index_file.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    print(f"{file}: {file.stat().st_size / 1e6:.1f} MB. Now write {file.with_suffix('.md')}.")


def _export(run: RunFolder, recipe: Recipe, prepared: list[PreparedCase], path: Path) -> None:
    network = trained_network(recipe, run.path / run.manifest["checkpoint"])
    export_model(network, run, recipe, prepared, path)


def _describe(model: Path, name: str, crossval: Path | None) -> None:
    """Put the name and the calibration into the model's description."""
    content = onnx.load(model)
    described = {entry.key: entry.value for entry in content.metadata_props}
    changes: dict[str, object] = {"name": name}
    if crossval is not None:
        found = json.loads((crossval / "calibration.json").read_text(encoding="utf-8"))
        changes["calibration"] = Calibration.model_validate(found["calibration"])
    description = ModelDescription.model_validate_json(described[KEY]).model_copy(update=changes)
    onnx.helper.set_model_props(content, {KEY: description.model_dump_json()})
    onnx.save(content, model)


def middle_slices(cases: list[PreparedCase], neighbours: int) -> list[npt.NDArray[np.float32]]:
    """Six slices of every second training patient, to see how large activations become.

    With three of every third, 8 bits cost 0.0042 of the DSC of 98 patients (``lgg-lite0-v5``, OpenVINO)
    instead of 0.0027. It takes 10 GB.
    """
    around = np.array([-8, -5, -3, 0, 3, 5])
    return [
        stack_neighbours(case.images, len(case.images) // 2 + around, neighbours)
        for case in cases[::2]
        if len(case.images) > 18
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("summary")
    parser.add_argument("--crossval", type=Path)
    parser.add_argument("--second", type=Path)
    parser.add_argument(
        "--postprocess", action="append", default=[], help="a setting chosen after training: key=value"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
