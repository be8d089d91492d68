"""The notebooks run from the first cell to the last, and again, on the bundled scans with tiny settings.

Those in English run; those in Chinese hold the same code, see ``test_both_languages_do_the_same``.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

import glioseg

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"
TINY = {
    "train": """
from pathlib import Path
from glioseg.samples import SAMPLES
DATA = SAMPLES
RECIPE = "reference"
SETTINGS = ["prepare.size=32", "network.arguments.features=4", "train.epochs=2", "train.batch_size=2",
            "train.steps_per_epoch=2", "split.name=holdout", "split.fraction=0.3"]
RUN = Path("runs/notebook")
""",
    "inference": "",  # its own settings are the bundled scans and the model that ships
}
ALL = [*TINY, *(f"zh/{name}" for name in TINY)]


def read(name: str) -> Any:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def executed(name: str, folder: Path, more: str = "") -> str:
    """What a notebook says when it runs in a folder with tiny settings."""
    notebook = read(name)
    settings = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(settings) == 1
    settings[0].source += TINY[name] + more
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    texts = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            texts.append(str(output.get("text", "")) + " ".join(output.get("data", {})))
    return "\n".join(texts)


def test_every_notebook_is_tested() -> None:
    found = {path.relative_to(NOTEBOOKS).with_suffix("").as_posix() for path in NOTEBOOKS.rglob("*.ipynb")}
    assert {name for name in found if ".ipynb_checkpoints" not in name} == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_is_kept_without_outputs(name: str) -> None:
    for cell in read(name).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("name", ALL)
def test_only_public_names_are_used(name: str) -> None:
    for cell in read(name).cells:
        if cell.cell_type != "code":
            continue
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.ImportFrom):
                assert not str(node.module).startswith("glioseg"), cell.source
            if isinstance(node, ast.Import):
                assert not any(alias.name.startswith("glioseg.") for alias in node.names), cell.source
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "glioseg"
            ):
                assert node.attr in glioseg.__all__, node.attr


@pytest.mark.parametrize("name", TINY)
def test_both_languages_do_the_same(name: str) -> None:
    english, chinese = read(name).cells, read(f"zh/{name}").cells
    assert [cell.cell_type for cell in english] == [cell.cell_type for cell in chinese]
    for one, other in zip(english, chinese, strict=True):
        if one.cell_type == "code":
            assert ast.dump(ast.parse(one.source)) == ast.dump(ast.parse(other.source))
            assert one.metadata == other.metadata
        else:
            assert re.search("[\u4e00-\u9fff]", other.source), other.source
            assert re.findall(r"`[^`]+`|\]\([^)]+\)", one.source) == re.findall(
                r"`[^`]+`|\]\([^)]+\)", other.source
            )


def test_training_runs_through(tmp_path: Path) -> None:
    pytest.importorskip("pytorch_lightning")
    said = executed("train", tmp_path)
    assert re.search(r"3 patients, \d+ slices", said)
    assert "no fault" in said
    assert "Best validation mean DSC" in said
    assert "counted by volume" in said
    assert said.count("image/png") == 3
    assert "image/gif" in said


@pytest.mark.slow
def test_what_is_finished_is_not_trained_again(tmp_path: Path) -> None:
    pytest.importorskip("pytorch_lightning")
    executed("train", tmp_path)
    weights = tmp_path / "runs" / "notebook" / "weights.safetensors"
    made = weights.stat().st_mtime_ns
    again = executed("train", tmp_path)
    assert "Best validation mean DSC" not in again, "what is finished is not trained again"
    assert "best validation mean DSC" in again
    assert weights.stat().st_mtime_ns == made
    other = executed("train", tmp_path, 'SETTINGS += ["train.seed=1"]\n')
    assert "Best validation mean DSC" in other, "other settings are another run"
    assert weights.stat().st_mtime_ns == made
    runs = [path.parent.name for path in (tmp_path / "runs").glob("*/manifest.json")]
    assert len(runs) == 2


@pytest.mark.slow
def test_a_training_that_was_stopped_is_gone_on_with(tmp_path: Path) -> None:
    pytest.importorskip("pytorch_lightning")
    from glioseg.recipe import load_recipe
    from glioseg.training.train import Hardware, train

    space: dict[str, Any] = {}
    exec(TINY["train"], space)
    recipe = load_recipe(space["RECIPE"], space["SETTINGS"])
    run = train(
        space["DATA"],
        recipe,
        tmp_path / space["RUN"],
        minutes=0,
        hardware=Hardware("cpu"),
        echo=lambda line: None,
    )
    assert run.manifest["status"] == "stopped"
    assert "Best validation mean DSC" in executed("train", tmp_path)
    assert run.manifest["status"] == "finished"


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_inference_runs_through(tmp_path: Path, times: int) -> None:
    for _ in range(times):
        said = executed("inference", tmp_path)
        assert len(re.findall(r"[1-9]\d* voxels, \d+\.\d+ s", said)) == 3
        dice = float(re.search(r"dice +(\d\.\d+)", said).group(1))  # type: ignore[union-attr]
        assert dice > 0.5
        assert len(list((tmp_path / "masks" / "all" / "masks").iterdir())) == 3
        assert len(re.findall(r"TCGA_\w+ +DSC 0\.[5-9]", said)) == 3
        assert "counted by volume" in said
        assert said.count("image/png") == 3
        assert "image/gif" in said
        assert (tmp_path / "masks" / "test" / "dsc.png").is_file()
