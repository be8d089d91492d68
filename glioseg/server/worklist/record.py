"""What is kept of one patient of the work list: a small record, and the masks that it names."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault, InputError
from glioseg.files import written_whole

NUMBERS = (
    "slices",
    "slices_with_lesion",
    "lesion_voxels",
    "lesion_mm3",
    "largest_diameter",
    "diameter_unit",
    "filled",
    "flags",
    "notes",
)
"""What a record keeps of :func:`glioseg.server.numbers.numbers_of`; of several labels ``labels`` too."""


def kept_numbers(numbers: Mapping[str, Any]) -> dict[str, Any]:
    """What a record keeps of all numbers."""
    return {name: numbers[name] for name in NUMBERS} | (
        {"labels": numbers["labels"]} if numbers["labels"] else {}
    )


@dataclass(frozen=True)
class Record:
    """What is known of a patient whose scan was segmented.

    Attributes:
        files: what the names, sizes and times of the files amount to, by
            :func:`glioseg.results.record.key_of`.
        content: digest of the files themselves.
        revision: of the mask, see :class:`glioseg.server.scans.Entry`.
        network: file of the network's mask and of its probabilities.
        corrected: file of the corrected mask; empty where there is none.
        checked: whether a person said that this mask is right.
        model, threshold, postprocessing, labels, expected_dice, doubts: how the network's mask was made, and
            what the model says of it.
        numbers: :data:`NUMBERS` of the mask that holds, and how large each of several labels is.
    """

    files: str
    content: str
    revision: int
    network: str
    model: str
    threshold: float
    postprocessing: str
    labels: Mapping[int, str]
    expected_dice: float | None
    doubts: tuple[str, ...]
    numbers: Mapping[str, Any] = field(default_factory=dict)
    corrected: str = ""
    checked: bool = False

    @property
    def status(self) -> str:
        """``segmented``, ``corrected`` or ``checked``."""
        return "checked" if self.checked else "corrected" if self.corrected else "segmented"

    @property
    def masks(self) -> set[str]:
        """Names of the files of its masks."""
        return {self.network, self.corrected} - {""}

    def to_json(self) -> dict[str, Any]:
        """For its file."""
        return {**asdict(self), "labels": {str(value): name for value, name in self.labels.items()}}


def read_record(path: Path) -> Record | None:
    """The record in a file; ``None`` if there is none.

    Raises:
        InputError: there is one that cannot be understood: what it says may be a person's work.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        content["labels"] = {int(value): str(name) for value, name in content["labels"].items()}
        content["doubts"] = tuple(content["doubts"])
        record = Record(**content)
        known = set(record.numbers) - {"labels"} == set(NUMBERS)
        if any(Path(name).name != name for name in record.masks) or not known:
            raise ValueError
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(_damaged(path)) from error
    return record


def write_arrays(path: Path, **arrays: npt.NDArray[np.uint8]) -> None:
    """Write arrays that are nearly everywhere 0, each cropped to what is not."""
    packed: dict[str, npt.NDArray[Any]] = {}
    for name, array in arrays.items():
        window = _window(array)
        packed[f"{name}_shape"] = np.array(array.shape)
        packed[f"{name}_corner"] = np.array([each.start for each in window])
        packed[name] = array[window]
    with written_whole(path) as part, part.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **packed)


def read_array(path: Path, name: str, shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    """One of the arrays of :func:`write_arrays`.

    Raises:
        InputError: the file is damaged, or the array has another shape.
    """
    try:
        with np.load(path, allow_pickle=False) as packed:
            inside, corner = packed[name], packed[f"{name}_corner"].tolist()
            if tuple(packed[f"{name}_shape"]) != shape or inside.dtype != np.uint8:
                raise ValueError
        whole = np.zeros(shape, np.uint8)
        window = [slice(start, start + size) for start, size in zip(corner, inside.shape, strict=True)]
        whole[tuple(window)] = inside
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(_damaged(path)) from error
    return whole


def _damaged(path: Path) -> Fault:
    """The fault of a file of a row, without the place of the work folder: clients are told of it."""
    return Fault("server.work_damaged", "/".join(path.parts[-3:]))


def _window(array: npt.NDArray[np.uint8]) -> tuple[slice, ...]:
    """The smallest box that holds everything that is not 0."""
    window: tuple[slice, ...] = ()
    for axis in range(array.ndim):
        across = tuple(other for other in range(array.ndim) if other != axis)
        # Within what is known of the axes before: masks are large, and this is done after every stroke.
        where = np.flatnonzero(array[window].any(axis=across))
        window += (slice(int(where[0]), int(where[-1]) + 1) if len(where) else slice(0, 0),)
    return window
