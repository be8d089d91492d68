"""A recipe: everything that defines one training, as data. Named ones are TOML files in ``recipes/``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import tomli_w
from pydantic import Field

from glioseg.errors import Fault, InputError, raise_all
from glioseg.files import write_text
from glioseg.recipe.tables import (
    AugmentChoice,
    InputChoice,
    Labels,
    LossChoice,
    NetworkChoice,
    OptimizerChoice,
    PostprocessChoice,
    PrepareChoice,
    SamplingChoice,
    ScheduleChoice,
    SplitChoice,
    TrainChoice,
)
from glioseg.settings import TomlTable, checked, find_toml, parse_value, read_toml, toml_names

__all__ = [
    "AugmentChoice",
    "InputChoice",
    "Labels",
    "LossChoice",
    "NetworkChoice",
    "OptimizerChoice",
    "PostprocessChoice",
    "PrepareChoice",
    "Recipe",
    "SamplingChoice",
    "ScheduleChoice",
    "SplitChoice",
    "TrainChoice",
    "load_recipe",
    "recipe_names",
]

RECIPES = Path(__file__).parent.parent / "recipes"


class Recipe(TomlTable):
    """One training."""

    name: str = "unnamed"
    summary: str = ""
    prepare: PrepareChoice = Field(default_factory=PrepareChoice)
    input: InputChoice = Field(default_factory=InputChoice)
    network: NetworkChoice = Field(default_factory=NetworkChoice)
    labels: Labels = Field(default_factory=Labels)
    loss: LossChoice = Field(default_factory=LossChoice)
    split: SplitChoice = Field(default_factory=SplitChoice)
    sampling: SamplingChoice = Field(default_factory=SamplingChoice)
    augment: AugmentChoice = Field(default_factory=AugmentChoice)
    optimizer: OptimizerChoice = Field(default_factory=OptimizerChoice)
    schedule: ScheduleChoice = Field(default_factory=ScheduleChoice)
    train: TrainChoice = Field(default_factory=TrainChoice)
    postprocess: PostprocessChoice = Field(default_factory=PostprocessChoice)

    def write(self, path: Path) -> Path:
        """Write the recipe, with every setting spelled out, as TOML."""
        return write_text(path, tomli_w.dumps(self.model_dump(exclude_none=True)))

    def explained(self) -> str:
        """The recipe as TOML for people: what each setting does beside it, and those that are not set."""
        lines = [tomli_w.dumps({"name": self.name, "summary": self.summary})]
        for name, table in self:
            if isinstance(table, TomlTable):
                lines += _explained(name, table)
        return "".join(lines)


def _explained(table: str, settings: TomlTable) -> Iterator[str]:
    """Lines of one table; tables within it come last, as TOML wants it."""
    yield f"\n[{table}]\n"
    for key, value in sorted(settings, key=lambda setting: isinstance(setting[1], dict)):
        field = type(settings).model_fields[key]
        choices = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        said = [" or ".join(", ".join(choices).rsplit(", ", 1))] if choices else []
        meaning = "; ".join(said + ([field.description] if field.description else []))
        if value is None:
            yield f"# {key}: not set{'; ' if meaning else ''}{meaning}\n"
        elif isinstance(value, dict):
            yield f"\n[{table}.{key}]\n{tomli_w.dumps(value)}"
        elif meaning and isinstance(value, tuple):  # several lines
            yield f"# {meaning}\n{tomli_w.dumps({key: value})}"
        else:
            text = tomli_w.dumps({key: value}).rstrip("\n")
            yield f"{text}  # {meaning}\n" if meaning else f"{text}\n"


def recipe_names() -> list[str]:
    """Names of the recipes that ship."""
    return toml_names(RECIPES)


def load_recipe(
    name_or_path: str | Path,
    settings: list[str] | tuple[str, ...] = (),
    base: Mapping[str, Any] | None = None,
) -> Recipe:
    """Load a shipped recipe by name, or a TOML file, and change single settings.

    Args:
        name_or_path: ``"reference"``, ``"default"``, ..., or a path that ends in ``.toml``.
        settings: ``"table.key=value"`` each; the value is TOML, a bare word is taken as text.
        base: tables for a recipe that does not have them itself, for instance those of the model that a
            training goes on from.

    Raises:
        InputError: every unknown key (with the nearest name) and every value out of range, all at once.

    >>> load_recipe("default", ["train.epochs=4"]).train.epochs
    4
    """
    path = find_toml(name_or_path, RECIPES, "recipe")
    content = read_toml(path)
    content.setdefault("name", path.stem)
    for table, values in (base or {}).items():
        content.setdefault(table, deepcopy(values))
    faults: list[Fault] = []
    for setting in settings:
        faults += _set(content, setting)
    try:
        recipe = checked(Recipe, content, str(name_or_path))
    except InputError as error:
        faults += error.faults
    raise_all(faults)
    return recipe


def _set(content: dict[str, Any], setting: str) -> list[Fault]:
    """Change one setting, or say why it cannot be."""
    where = f"--set {setting}"
    key, equals, text = setting.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        return [Fault("recipe.empty_key" if equals else "recipe.no_equals", where)]
    value = parse_value(text)
    table = content
    for part in parts[:-1]:
        inner = table.setdefault(part, {})
        if not isinstance(inner, dict):
            return [Fault("recipe.no_table", where, table=part)]
        table = inner
    table[parts[-1]] = value
    return []
