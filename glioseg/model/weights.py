"""The models that ship, and which file is meant by a name, a run folder or a path."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from glioseg.errors import Fault, InputError

WEIGHTS = Path(__file__).parent.parent / "weights"

Variant = Literal["file", "fast", "second"]
"""Files of a model that ships, as ``index.json`` calls them."""
OPTIONS = {"fast": ("--fast", "model.no_fast_variant"), "second": ("--best", "model.no_second_variant")}
"""The option that wants a variant, and the fault that no model has it."""
ENDINGS: dict[str, Variant] = {":fast": "fast", ":best": "second"}
"""What a model's name may end in instead of such an option: ``default:fast``."""


def model_summaries() -> dict[str, str]:
    """Name and one line about each model that ships; ``default`` stands for the first of them."""
    return {name: entry["summary"] for name, entry in _index().items()}


def model_options(name: str) -> list[str]:
    """The options of the command line that a model that ships has files for, such as ``--fast``.

    Args:
        name: as :func:`model_summaries` gives it.
    """
    return [option for variant, (option, _) in OPTIONS.items() if variant in _index()[name]]


def shipped_names() -> list[str]:
    """Names of the models that ship, each followed by those of its variants: ``NAME:fast``, ``NAME:best``."""
    return [
        name + ending
        for name in model_summaries()
        for ending in ("", *(f":{option.removeprefix('--')}" for option in model_options(name)))
    ]


def model_card(name: str) -> str:
    """The card of a model that ships: data, recipe, scores, limits; Markdown.

    Raises:
        InputError: no such model ships.
    """
    known = _index()
    chosen = next(iter(known)) if name == "default" else name
    if chosen not in known:
        raise InputError(Fault("model.no_card", model=name, known=", ".join(["default", *known])))
    return (WEIGHTS / f"{chosen}.md").read_text(encoding="utf-8")


def named(model: str | Path) -> tuple[str | Path, Variant]:
    """A model without the ending of its name, and the variant that the ending asks for.

    >>> named("default:best")
    ('default', 'second')
    """
    for ending, variant in ENDINGS.items():
        if str(model).endswith(ending):
            return str(model).removesuffix(ending), variant
    return model, "file"


def find_model(model: str | Path, variant: Variant = "file") -> Path:
    """The ``.onnx`` file of a shipped model's name, a run folder, or a file.

    Args:
        model: which; an ending of its name (see :func:`named`) is left aside.
        variant: ``fast``, in 8 bits, or ``second``, another network for the same images; some of the models
            that ship have them.

    Raises:
        InputError: there is no such model, or it has no such variant.
    """
    index, (model, _) = _index(), named(model)
    name = next(iter(index)) if str(model) == "default" else str(model)
    if variant != "file" and variant not in index.get(name, {}):
        option, code = OPTIONS[variant]
        having = [known for known, entry in index.items() if variant in entry]
        if having:
            code = "model.variant_of_others"
        raise InputError(Fault(code, option=option, model=model, known=", ".join(having)))
    if name in index:
        return WEIGHTS / index[name][variant]
    path = Path(model)
    if path.is_dir():
        inside = path / "model.onnx"
        if inside.is_file():
            return inside
        raise InputError(Fault("model.unfinished_run", path, run=path))
    if path.suffix == ".onnx" and path.is_file():
        return path
    raise InputError(Fault("model.unknown", model=model, known=", ".join(["default", *index])))


def _index() -> dict[str, dict[str, Any]]:
    content: dict[str, dict[str, Any]] = json.loads((WEIGHTS / "index.json").read_text(encoding="utf-8"))
    return content
