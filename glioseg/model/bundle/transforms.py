"""MONAI transforms around the network: the same steps as ``glioseg predict`` takes."""

from __future__ import annotations

import time
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from monai.config import KeysCollection
from monai.transforms import MapTransform

from glioseg.errors import Fault, InputError
from glioseg.files import make_folder
from glioseg.model.bundle.scans import read
from glioseg.model.description import KEY, ModelDescription, read_description
from glioseg.model.steps import class_maps, finished, network_input
from glioseg.prepare import Prepared
from glioseg.scan import Scan

SCAN = "scan"
"""Key under which a scan waits for its mask."""


class _Waiting(NamedTuple):
    """What is needed of a scan once the network has seen it."""

    scan: Scan
    prepared: Prepared
    started: float


class PrepareScand(MapTransform):
    """Read a scan and make it ready for the network.

    The item holds a path, a mapping of ``flair``, ``pre`` and ``post`` to paths, or what
    :func:`glioseg.model.bundle.scans.scans_in` found. It becomes a float32 tensor ``(channels, slices, size,
    size)``; the scan itself is kept under :data:`SCAN` for :class:`RestoreMaskd`.

    Args:
        keys: where the scan is.
        description: the bundle's ``configs/glioseg.json``.
        allow_missing_keys: do nothing for keys that an item lacks.
    """

    def __init__(self, keys: KeysCollection, description: str, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.description = read_description_file(Path(description))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Prepare the scan of an item.

        Raises:
            InputError: the scan cannot be read, or shows no head.
        """
        items = dict(data)
        for key in self.key_iterator(items):
            started = time.perf_counter()
            scan = read(items[key], self.description.sequences)
            prepared = self.description.prepare(scan)
            slices = network_input(self.description, prepared.images, np.arange(len(prepared)))
            items[key] = torch.from_numpy(np.ascontiguousarray(slices.swapaxes(0, 1)))
            items[SCAN] = _Waiting(scan, prepared, started)
        return items


class RestoreMaskd(MapTransform):
    """Make a prediction on the scan's own grid of the network's logits.

    The item holds logits ``(outputs, slices, size, size)``, with or without an axis of one in front. It
    becomes a :class:`glioseg.Prediction`.

    Args:
        keys: where the logits are.
        description: the bundle's ``configs/glioseg.json``.
        allow_missing_keys: do nothing for keys that an item lacks.
    """

    def __init__(self, keys: KeysCollection, description: str, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.description = read_description_file(Path(description))

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Put the prediction in the place of the logits."""
        items = dict(data)
        for key in self.key_iterator(items):
            waiting: _Waiting = items[SCAN]
            logits = torch.as_tensor(items[key]).detach().float().cpu().numpy()
            logits = logits.reshape(logits.shape[-4:]).swapaxes(0, 1)
            classes = class_maps(self.description, logits)
            maps = [(0, classes)]
            items[key] = finished(self.description, waiting.scan, waiting.prepared, maps, waiting.started)
        return items


class SaveMaskd(MapTransform):
    """Write the mask of a prediction in the kind that its scan was read from, and say where.

    Args:
        keys: where the prediction is.
        output_dir: folder to write into; made if it is not there.
        allow_missing_keys: do nothing for keys that an item lacks.
    """

    def __init__(self, keys: KeysCollection, output_dir: str, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.folder = Path(output_dir)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write the mask.

        Raises:
            InputError: it cannot be written.
        """
        items = dict(data)
        for key in self.key_iterator(items):
            for path in items[key].segmentation.save(make_folder(self.folder)):
                print(path)
        return items


def read_description_file(path: Path) -> ModelDescription:
    """The description beside the network.

    Raises:
        InputError: there is none, or it is damaged.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(Fault("model.unreadable", path, reason=error.strerror)) from error
    except UnicodeDecodeError as error:
        raise InputError(Fault("model.description", path, reason=error)) from error
    return read_description(path, {KEY: text})
