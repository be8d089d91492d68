"""Writing a model as a MONAI bundle.

Source: MONAI Bundle Specification, https://docs.monai.io/en/latest/mb_specification.html.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from glioseg._version import __version__
from glioseg.errors import Fault, InputError, require_extra
from glioseg.files import folder_written_whole, write_json, write_text
from glioseg.model import weights
from glioseg.model.bundle.torchscript import save_torchscript
from glioseg.model.description import ModelDescription, read_description
from glioseg.model.recover import recover_network
from glioseg.model.weights import find_model, model_card
from glioseg.networks import build_network, without_pretrained
from glioseg.prepare import neighbour_channels
from glioseg.words import sentence

SCHEMA = (
    "https://github.com/Project-MONAI/MONAI-extra-test-data/releases/download/0.8.1/meta_schema_20240725.json"
)
VERSION = "0.1.0"
CHANNEL_TITLES = {"pre": "T1 before contrast", "flair": "FLAIR", "post": "T1 after contrast", "t2": "T2"}


def export_bundle(model: str | Path, out: Path) -> Path:
    """Write a model as a MONAI bundle that ``python -m monai.bundle run`` segments scans with.

    Args:
        model: name of a model that ships, a run folder, or an ``.onnx`` file that glioseg wrote.
        out: folder to make.

    Returns:
        ``out``.

    Raises:
        InputError: there is no such model, its weights cannot be used, the extra ``bundle`` is missing, or
            ``out`` is there already.
        GliosegError: the network cannot be stored as TorchScript.
    """
    require_extra("bundle", "torch", "monai", "onnx", "safetensors")
    if os.path.lexists(out):
        raise InputError(Fault("model.bundle_exists", out))
    path = find_model(model)
    network, description = _network(path)
    ships = path.resolve().parent == weights.WEIGHTS.resolve()
    channels = neighbour_channels(description.sequences, description.neighbours)
    size = description.prepare.size
    with folder_written_whole(out) as part:
        for name in ("configs", "models", "docs"):
            (part / name).mkdir()
        save_torchscript(network, part / "models" / "model.ts", len(channels), size)
        _save_state(network, part / "models" / "model.pt")
        # Patients' names are no business of whoever gets the bundle.
        kept = description.model_copy(update={"trained_on": {}})
        write_text(part / "configs" / "glioseg.json", kept.model_dump_json(indent=4))
        write_json(part / "configs" / "metadata.json", _metadata(description, channels, ships))
        write_json(part / "configs" / "inference.json", _inference(size))
        write_text(part / "docs" / "README.md", _readme(description, out.name))
        licence = "bundle.license_ships" if ships else "bundle.license"
        write_text(part / "LICENSE", sentence("sentences", licence))
        if ships:
            write_text(part / "docs" / "model_card.md", model_card(path.stem))
    return out


def _network(path: Path) -> tuple[Any, ModelDescription]:
    """The network of a model file with its weights, exactly those of the run where they lie beside it."""
    given = path.parent / "weights.safetensors"
    if not (given.is_file() and path.name == "model.onnx"):
        return recover_network(path)
    import onnx

    from glioseg.networks.weights import read_weights

    properties = onnx.load(path, load_external_data=False).metadata_props
    description = read_description(path, {one.key: one.value for one in properties})
    channels = neighbour_channels(description.sequences, description.neighbours)
    arguments = without_pretrained(description.network, description.network_arguments)
    network = build_network(
        description.network, len(channels), **{"out_channels": description.labels.channels, **arguments}
    )
    try:
        network.load_state_dict(read_weights(given))
    except Exception as error:  # safetensors raises errors of its own
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(Fault("model.bundle_weights", given, reason=reason)) from error
    return network.eval(), description


def _save_state(network: Any, path: Path) -> None:
    import torch

    torch.save({name: value.detach().cpu() for name, value in network.state_dict().items()}, path)


def _inference(size: int) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(
        (Path(__file__).parent / "inference.json").read_text(encoding="utf-8")
    )
    config["inferer"]["roi_size"] = [size, size]
    return config


def _metadata(description: ModelDescription, channels: tuple[str, ...], ships: bool) -> dict[str, Any]:
    import monai
    import numpy
    import torch

    labels = description.labels
    outputs = ["background", *labels.titles] if labels.given else ["logit of lesion"]
    tensor = {
        "type": "image",
        "spatial_shape": [description.prepare.size] * 2,
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
    }
    image = {"format": "magnitude", "modality": "MR", "num_channels": len(channels)}
    pred = {"format": "labels" if labels.given else "segmentation", "num_channels": len(outputs)}
    needed = {"glioseg": __version__, "pytorch-ignite": "0.5", "fire": "0.5"}
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "changelog": {VERSION: f"exported by glioseg {__version__}"},
        "monai_version": monai.__version__,
        "pytorch_version": str(torch.__version__).partition("+")[0],
        "numpy_version": numpy.__version__,
        "required_packages_version": needed,
        "name": description.name,
        "task": sentence("sentences", "bundle.task"),
        "description": sentence("sentences", "bundle.description", network=description.network),
        "authors": "The glioseg authors" if ships else sentence("sentences", "bundle.authors"),
        "copyright": sentence("sentences", "bundle.copyright"),
        "data_type": "nibabel",
        "intended_use": sentence("sentences", "bundle.use"),
        "network_data_format": {
            "inputs": {"image": tensor | image | {"channel_def": _numbered(map(_title, channels))}},
            "outputs": {"pred": tensor | pred | {"channel_def": _numbered(outputs)}},
        },
    }


def _numbered(names: Any) -> dict[str, str]:
    return {str(number): name for number, name in enumerate(names)}


def _title(channel: str) -> str:
    """What an input channel is, in words: ``flair+1`` is FLAIR of the slice above."""
    if channel in CHANNEL_TITLES:
        return CHANNEL_TITLES[channel]
    offset = int(channel.removeprefix("flair"))
    return f"FLAIR, {abs(offset)} slice{'s' * (abs(offset) > 1)} {'above' if offset > 0 else 'below'}"


def _readme(description: ModelDescription, name: str) -> str:
    patients = len(description.trained_on.get("train", []))
    return sentence(
        "sentences",
        "bundle.readme",
        name=name,
        model=description.name,
        network=description.network,
        size=description.prepare.size,
        patients=patients,
        version=__version__,
    )
