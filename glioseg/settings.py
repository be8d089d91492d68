"""Settings from TOML files: read, checked against a model, every fault in one error with the nearest name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from inspect import Parameter, signature
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from glioseg.errors import Fault, InputError
from glioseg.words import Joined, Phrase

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Model = TypeVar("Model", bound=BaseModel)


class TomlTable(BaseModel):
    """A table of a TOML file: unknown names and NaN are refused, nothing changes afterwards."""

    # Tables are understood when they are first read: a program needs few of them.
    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False, defer_build=True
    )


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
    said = {"kind": Phrase(f"settings.kind.{kind}"), "name": name_or_path, "names": Joined(names)}
    if near:
        raise InputError(Fault("settings.name_with_nearest", nearest=near[0], **said))
    raise InputError(Fault("settings.name", **said))


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
    except RecursionError:
        raise InputError(Fault("settings.no_toml", path, reason="lists in lists, too deep")) from None
    except (OSError, ValueError) as error:
        raise InputError(Fault("settings.no_toml", path, reason=error)) from error


def parse_value(text: str) -> Any:
    """A value as TOML has it; a bare word is text."""
    try:
        return tomllib.loads(f"value = {text.strip()}")["value"]
    except (ValueError, RecursionError):
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


def first_error(error: ValidationError) -> str:
    """The first thing that is wrong with data that a model refused, and how many more there are; one line."""
    first, *others = error.errors()
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].replace("Input should be", "should be")
    said = f"{place}: {message}" if place else message
    return f"{said}, and {len(others)} more" if others else said


def _fault(model: type[BaseModel], where: str, item: Any) -> Fault:
    place = f"{where}: {'.'.join(str(part) for part in item['loc'])}"
    if item["type"] == "extra_forbidden":
        known = _keys_beside(model, item["loc"])
        near = get_close_matches(str(item["loc"][-1]), known, n=1, cutoff=0.5)
        if near:
            return Fault("settings.unknown_with_nearest", place, nearest=near[0])
        return Fault("settings.unknown", place, known=Joined(known))
    if item["type"] == "missing":
        return Fault("settings.missing", place)
    return Fault("settings.value", place, rule=_lower(item["msg"]), value=repr(item["input"]))


def _keys_beside(model: Any, location: tuple[str | int, ...]) -> list[str]:
    for part in location[:-1]:
        # A table of tables (dict[str, Model]) has a name of the user's own in between.
        model = model.model_fields[part].annotation if hasattr(model, "model_fields") else get_args(model)[1]
    return list(model.model_fields)


def _lower(message: str) -> str:
    text = message.removeprefix("Input should be ").removeprefix("Value error, ")
    return text[:1].lower() + text[1:]


def check_arguments(
    function: Callable[..., Any], arguments: Iterable[str], code: str, name: str, apart: Iterable[str] = ()
) -> None:
    """Refuse arguments that a function or a class does not have, with the names of those it has.

    Args:
        function: what is to be called; one that takes any argument refuses none.
        arguments: names of what a person gave.
        code: of the fault; it is told ``name``, ``unknown`` and ``known``.
        name: what the function is called.
        apart: parameters that a person does not give.

    Raises:
        InputError: there is no such argument.
    """
    parameters = signature(function).parameters
    if any(one.kind is Parameter.VAR_KEYWORD for one in parameters.values()):
        return
    known = [one for one in parameters if one not in apart]
    unknown = [one for one in arguments if one not in known]
    if unknown:
        raise InputError(Fault(code, name=name, unknown=Joined(unknown), known=Joined(known)))
