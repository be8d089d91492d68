"""glioseg finds lesions in brain MRI.

>>> import glioseg
>>> mask = glioseg.segment("scan.nii.gz")        # doctest: +SKIP
>>> int(mask.voxels.sum())                        # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from glioseg._version import __version__

__all__ = ["GliosegError", "InputError", "Mask", "Scan", "__version__", "read_scan", "segment", "write_mask"]

if TYPE_CHECKING:
    from glioseg.errors import GliosegError, InputError
    from glioseg.io import read_scan, write_mask
    from glioseg.model import segment
    from glioseg.scan import Mask, Scan

# Names are looked up on first use, so that `import glioseg` and `glioseg --help` load nothing heavy.
_HOMES = {
    "GliosegError": "glioseg.errors",
    "InputError": "glioseg.errors",
    "Mask": "glioseg.scan",
    "Scan": "glioseg.scan",
    "read_scan": "glioseg.io",
    "segment": "glioseg.model",
    "write_mask": "glioseg.io",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'glioseg' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
