"""glioseg finds lesions in brain MRI.

>>> import glioseg
>>> from glioseg.samples import SAMPLES
>>> glioseg.segment(SAMPLES / "TCGA_HT_7692_19960724").segmentation
Segmentation('TCGA_HT_7692_19960724', lesion: 3,453 voxels, 20 slices of 256 x 256, automatic)

The names in ``__all__`` are the public ones; everything else is internal and may change.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from glioseg._version import __version__

__all__ = [
    "Fault",
    "GliosegError",
    "Grid",
    "InputError",
    "Prediction",
    "Scan",
    "Segmentation",
    "TrainingError",
    "WrongKindError",
    "__version__",
    "check",
    "compare",
    "contact_sheet",
    "evaluate",
    "find_scans",
    "load_model",
    "load_recipe",
    "read_run",
    "read_scan",
    "sample_folder",
    "segment",
    "train",
]

if TYPE_CHECKING:
    from glioseg.dataset.check import check
    from glioseg.draw.pictures import contact_sheet
    from glioseg.errors import Fault, GliosegError, InputError, TrainingError, WrongKindError
    from glioseg.evaluation.evaluate import evaluate
    from glioseg.grid import Grid
    from glioseg.io import find_scans, read_scan
    from glioseg.model import segment
    from glioseg.model.predictor import load_model
    from glioseg.prediction import Prediction
    from glioseg.recipe import load_recipe
    from glioseg.runs.compare import compare
    from glioseg.runs.record import read_run
    from glioseg.samples import sample_folder
    from glioseg.scan import Scan, Segmentation
    from glioseg.training.train import train

# Names are looked up on first use, so that `import glioseg` and `glioseg --help` load nothing heavy.
_HOMES = {
    "Fault": "glioseg.errors",
    "GliosegError": "glioseg.errors",
    "Grid": "glioseg.grid",
    "InputError": "glioseg.errors",
    "Prediction": "glioseg.prediction",
    "Scan": "glioseg.scan",
    "Segmentation": "glioseg.scan",
    "TrainingError": "glioseg.errors",
    "WrongKindError": "glioseg.errors",
    "check": "glioseg.dataset.check",
    "compare": "glioseg.runs.compare",
    "contact_sheet": "glioseg.draw.pictures",
    "evaluate": "glioseg.evaluation.evaluate",
    "find_scans": "glioseg.io",
    "load_model": "glioseg.model.predictor",
    "load_recipe": "glioseg.recipe",
    "read_run": "glioseg.runs.record",
    "read_scan": "glioseg.io",
    "sample_folder": "glioseg.samples",
    "segment": "glioseg.model",
    "train": "glioseg.training.train",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'glioseg' has no attribute {name!r}")
    if name == "train":
        from glioseg.errors import require_extra

        require_extra("train", "torch", "pytorch_lightning")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
