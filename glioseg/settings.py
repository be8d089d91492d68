"""Settings from TOML files: read, checked against a model, every fault in one error with the nearest name."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from glioseg.errors import Fault, InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Model = TypeVar("Model", bound=BaseModel)


def find_toml(name_or_path: str | Path, shipped: Path, kind: str) -> Path:
    """The file of a name that ships, or the path itself if it ends in ``.toml``.

    Args:
        name_or_path: name without ending, or path.
        shipped: folder of those that ship.
        kind: what they are called, ``"recipe"``.

    Raises:
        InputError: no such name; it says the nearest.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        return path
    names = toml_names(shipped)
    if str(name_or_path) in names:
        return shipped / f"{name_or_path}.toml"
    near = get_close_matches(str(name_or_path), names, n=1)
    raise InputError(
        Fault(
            f"{kind} '{name_or_path}'",
            f"one of {', '.join(names)}, or a .toml file",
            f"no such {kind}",
            f"Did you mean '{near[0]}'?" if near else "Use one of these names.",
        )
    )


def toml_names(folder: Path) -> list[str]:
    """Names of the TOML files of a folder."""
    return sorted(path.stem for path in folder.glob("*.toml"))


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        InputError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise InputError(Fault(path, "a readable TOML file", str(error), "Mend the file.")) from error


def parse_value(text: str) -> Any:
    """A value as TOML has it; a bare word is text."""
    try:
        return tomllib.loads(f"value = {text.strip()}")["value"]
    except ValueError:
        return text.strip()


def checked(model: type[Model], content: dict[str, Any], where: str) -> Model:
    """Check a table of settings and make it a model.

    Raises:
        InputError: every unknown key (with the nearest name) and every value out of range.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(*(_fault(model, where, item) for item in error.errors())) from error


def _fault(model: type[BaseModel], where: str, item: Any) -> Fault:
    place = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        known = _keys_beside(model, item["loc"])
        near = get_close_matches(str(item["loc"][-1]), known, n=1, cutoff=0.5)
        cure = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(known)}."
        return Fault(f"{where}: {place}", "a known setting", "an unknown one", cure)
    if item["type"] == "missing":
        return Fault(f"{where}: {place}", "this setting", "none", "Add it.")
    return Fault(f"{where}: {place}", _lower(item["msg"]), repr(item["input"]), "Change the value.")


def _keys_beside(model: Any, location: tuple[str | int, ...]) -> list[str]:
    for part in location[:-1]:
        # A table of tables (dict[str, Model]) has a name of the user's own in between.
        model = model.model_fields[part].annotation if hasattr(model, "model_fields") else get_args(model)[1]
    return list(model.model_fields)


def _lower(message: str) -> str:
    text = message.removeprefix("Input should be ").removeprefix("Value error, ")
    return text[:1].lower() + text[1:]
