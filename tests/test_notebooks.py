"""The notebooks run from the first cell to the last, on the bundled scans with tiny settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

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


def read(name: str) -> object:
    return nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)


def output_of(notebook: object) -> str:
    texts = []
    for cell in notebook.cells:  # type: ignore[attr-defined]
        for output in cell.get("outputs", []):
            texts.append(str(output.get("text", "")) + " ".join(output.get("data", {})))
    return "\n".join(texts)


def test_every_notebook_is_tested() -> None:
    assert {path.stem for path in NOTEBOOKS.glob("*.ipynb")} == set(TINY)


@pytest.mark.parametrize("name", TINY)
def test_is_kept_without_outputs(name: str) -> None:
    for cell in read(name).cells:  # type: ignore[attr-defined]
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("name", TINY)
def test_runs_through(name: str, tmp_path: Path) -> None:
    if name == "train":
        pytest.importorskip("pytorch_lightning")
    notebook = read(name)
    settings = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]  # type: ignore[attr-defined]
    assert len(settings) == 1
    settings[0].source += TINY[name]
    client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()
    said = output_of(notebook)
    if name == "train":
        assert re.search(r"3 patients, \d+ slices", said)
        assert "no fault" in said
        assert "Best validation mean DSC" in said
        assert "counted by volume" in said
        assert said.count("image/png") == 3
        assert "image/gif" in said
    else:
        assert len(re.findall(r"[1-9]\d* voxels, \d+\.\d+ s", said)) == 3
        dice = float(re.search(r"dice +(\d\.\d+)", said).group(1))  # type: ignore[union-attr]
        assert dice > 0.5
        assert len(list((tmp_path / "masks" / "all" / "masks").iterdir())) == 3
