"""Recipes: those that ship load, wrong ones are refused with every fault at once, none changes on disk."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glioseg.errors import InputError
from glioseg.networks import REGISTRY
from glioseg.recipe import RECIPES, Recipe, load_recipe, recipe_names
from glioseg.settings import TomlTable, checked

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def faults_of(*given_settings: str, recipe: str | Path = "reference") -> list[str]:
    with pytest.raises(InputError) as caught:
        load_recipe(recipe, given_settings)
    assert all(fault.cure for fault in caught.value.faults)
    return [str(fault) for fault in caught.value.faults]


# ---------------------------------------------------------------- what ships


def test_the_recipes_that_ship() -> None:
    assert {"default", "reference"} <= set(recipe_names())
    for name in recipe_names():
        recipe = load_recipe(name)
        assert recipe.name == name
        assert recipe.summary
        assert recipe.network.name in REGISTRY
        multiple = REGISTRY[recipe.network.name].multiple
        assert recipe.prepare.size % multiple == 0


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_is_shown_with_every_setting(name: str) -> None:
    recipe = load_recipe(name)
    shown = recipe.explained()
    assert tomllib.loads(shown) == recipe.model_dump(mode="json", exclude_none=True), "it can be trained with"
    tables = dict(re.findall(r"^\[(\w+)\]\n(.*?)(?=^\[\w+\]|\Z)", shown, re.DOTALL | re.MULTILINE))
    for table, values in recipe:
        if isinstance(values, TomlTable):
            told = re.findall(r"^(\w+) =|^# (\w+): not set|^\[\w+\.(\w+)\]", tables[table], re.MULTILINE)
            assert {"".join(one) for one in told} >= set(type(values).model_fields), table


def test_what_a_setting_does_stands_beside_it() -> None:
    shown = load_recipe("reference").explained()
    assert "\n# steps_per_epoch: not set; instead of a whole pass\n" in shown
    assert "\nwarmup = 0.25  # share of the steps in which it rises (one_cycle)\n" in shown
    assert '\nname = "adam"  # adam, adamw or sgd\n' in shown


def test_the_reference_recipe_is_the_published_protocol() -> None:
    recipe = load_recipe("reference")
    assert (recipe.prepare.name, recipe.prepare.size, recipe.prepare.drop_ends) == ("reference", 256, True)
    assert (recipe.network.name, recipe.loss.name) == ("unet", "dice")
    assert (recipe.optimizer.name, recipe.optimizer.rate) == ("adam", 1e-4)
    assert (recipe.train.epochs, recipe.train.batch_size, recipe.train.checkpoint) == (100, 16, "best")
    assert (recipe.augment.scale, recipe.augment.rotation, recipe.augment.flip) == (0.05, 15, 0.5)
    assert recipe.augment.targets == "nearest"
    assert recipe.sampling.name == "lesion_weighted"
    assert recipe.split.name == "reference"
    assert recipe.postprocess.largest_component
    kinds = ("shear", "shift", "elastic", "gamma", "gain", "offset", "bias_field", "noise", "blur", "missing")
    assert all(getattr(recipe.augment, kind) == 0 for kind in kinds)


# ---------------------------------------------------------------- kept and read again


@pytest.mark.parametrize("name", recipe_names())
def test_a_recipe_that_is_written_is_read_as_it_was(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name, ["optimizer.clip_norm=1.5", "network.arguments.decoder=[8, 4]", "loss.name=x"])
    path = recipe.write(tmp_path / "recipe.toml")
    assert load_recipe(path) == recipe


tables: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "augment": st.fixed_dictionaries(
        {}, optional={key: st.floats(0, 0.2) for key in ("scale", "elastic", "gamma", "noise")}
    ),
    "optimizer": st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from(("adam", "sgd")),
            "rate": st.floats(1e-9, 10),
            "encoder_rate": st.none() | st.floats(1e-9, 10),
            "clip_norm": st.none() | st.floats(0.1, 10),
        },
    ),
    "train": st.fixed_dictionaries(
        {},
        optional={
            "epochs": st.integers(1, 10**6),
            "steps_per_epoch": st.none() | st.integers(1, 99),
            "channels_last": st.booleans(),
        },
    ),
    "network": st.fixed_dictionaries(
        {"name": st.text(max_size=8)},
        optional={
            "arguments": st.dictionaries(
                st.from_regex(r"[a-z_]{1,6}", fullmatch=True),
                st.booleans()
                | st.integers(-(2**60), 2**60)
                | st.text(max_size=8)
                | st.lists(st.integers(0, 99), max_size=3)
                | st.dictionaries(st.sampled_from("abc"), st.floats(-5, 5), max_size=2),
                max_size=3,
            )
        },
    ),
    "split": st.fixed_dictionaries({"name": st.just("file"), "file": st.none() | st.text(max_size=12)}),
}


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.fixed_dictionaries({"name": st.text(max_size=8)}, optional=tables))
def test_any_recipe_that_is_written_is_read_as_it_was(content: dict[str, Any], tmp_path: Path) -> None:
    recipe = checked(Recipe, content, "test")
    path = recipe.write(tmp_path / "recipe.toml")
    assert load_recipe(path) == recipe
    assert checked(Recipe, tomllib.loads(path.read_text(encoding="utf-8")), "file") == recipe


def test_what_windows_editors_put_before_the_text(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b"\xef\xbb\xbf[train]\r\nepochs = 3\r\n")
    recipe = load_recipe(tmp_path / "mine.toml")
    assert recipe.train.epochs == 3
    assert recipe.name == "mine"
    assert recipe == Recipe(name="mine", train=recipe.train)


# ---------------------------------------------------------------- --set


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("train.epochs=7", 7),
        ("train.epochs = 7", 7),
        ("optimizer.rate=3e-4", 3e-4),
        ("optimizer.rate=1", 1.0),
        ("train.channels_last=true", True),
        ("prepare.drop_ends=false", False),
        ("loss.name=bce", "bce"),
        ('loss.name="bce"', "bce"),
        ("summary=a=b", "a=b"),
        ("summary=two words", "two words"),
        (r"split.file=C:\Users\me\split.txt", r"C:\Users\me\split.txt"),
        ("split.file=/data/my split.json", "/data/my split.json"),
        ("network.arguments.features=64", 64),
        ("network.arguments.decoder=[16, 8]", [16, 8]),
        ("network.arguments.names=['a', 'b']", ["a", "b"]),
        ("network.arguments.deep.er=0.5", 0.5),
        ("network.arguments={a = 1}", {"a": 1}),
    ],
)
def test_a_setting_is_changed_to_what_it_reads_like(setting: str, value: Any) -> None:
    found: Any = load_recipe("reference", [setting]).model_dump()
    for part in setting.partition("=")[0].strip().split("."):
        found = found[part]
    assert found == value
    assert type(found) is type(value)


def test_settings_are_made_in_order_and_leave_the_rest() -> None:
    recipe = load_recipe("reference", ["train.epochs=7", "train.epochs=8", "train.seed=1"])
    assert (recipe.train.epochs, recipe.train.seed) == (8, 1)
    before = load_recipe("reference")
    assert recipe.model_copy(update={"train": before.train}) == before


@pytest.mark.parametrize("setting", ["train.epochs", "=7", "train..epochs=7", ".epochs=7", "train.=7", ""])
def test_a_setting_that_is_none(setting: str) -> None:
    (fault,) = faults_of(setting)
    assert f"--set {setting}: expected table.key=value" in fault
    assert fault.endswith("For instance --set train.epochs=20.")


@pytest.mark.parametrize("setting", ["train.epochs.more=7", "name.more=7", "summary.a.b=1"])
def test_a_setting_below_a_single_value(setting: str) -> None:
    (fault,) = faults_of(setting)
    assert "found a single value" in fault


# ---------------------------------------------------------------- wrong recipes


@pytest.mark.parametrize(
    ("setting", "nearest"),
    [
        ("train.epoch=7", "epochs"),
        ("optimizer.rat=1", "rate"),
        ("optimiser=1", "optimizer"),
        ("prepare.siz=64", "size"),
        ("split.folds_=4", "folds"),
        ("augment.rotaton=4", "rotation"),
    ],
)
def test_an_unknown_key_gets_the_nearest_name(setting: str, nearest: str) -> None:
    (fault,) = faults_of(setting)
    key = setting.partition("=")[0]
    assert fault.startswith(f"reference: {key}: ")
    assert "expected a known setting, found an unknown one" in fault
    assert f"Did you mean '{nearest}'?" in fault


def test_an_unknown_key_near_nothing_gets_the_known_ones() -> None:
    (fault,) = faults_of("input.zzzzz=1")
    assert fault.endswith("Known: sequences, neighbours.")


@pytest.mark.parametrize(
    "setting",
    [
        "input.sequences=[]",
        "input.sequences=['flair', 'flair']",
        "input.sequences=['flair', 't9']",
        "train.monitor=val_iou",
        "train.epochs=0",
        "train.epochs=2.5",
        "train.epochs=many",
        "train.epochs=",
        "train=5",
        "optimizer.rate=0",
        "optimizer.rate=inf",
        "optimizer.rate=nan",
        "augment.flip=1.5",
        "augment.targets=cubic",
        "prepare.size=8",
        "prepare.name=other",
        "split.name=slices",
        "split.fraction=1",
        "postprocess.threshold=1",
        "train.seed=-1",
        "name=5",
        "loss.arguments=7",
    ],
)
def test_a_value_out_of_range_is_shown(setting: str) -> None:
    key, _, value = setting.partition("=")
    (fault,) = faults_of(setting)
    assert fault.startswith(f"reference: {key}: expected ")
    assert f"found {value}" in fault or f"found '{value}'" in fault


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    faults = faults_of("train.epoch=1", "no equals sign", "train.batch_size=0", "loss.nam=x", "name.a=1")
    assert len(faults) == 5
    path = tmp_path / "mine.toml"
    path.write_text("[train]\nepoch = 1\nseed = 'x'\n[optimiser]\n[augment]\nflip = 2\n", encoding="utf-8")
    assert len(faults_of(recipe=path)) == 4


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("refrence", "Did you mean 'reference'?"),
        ("zzz", "Use one of these names."),
        ("", "no such recipe"),
        ("../recipe", "no such recipe"),
        ("not/there.toml", "not/there.toml: expected a readable TOML file"),
    ],
)
def test_a_recipe_that_is_not_there(name: str, words: str) -> None:
    (fault,) = faults_of(recipe=name)
    assert words in fault


@pytest.mark.parametrize("content", [b"epochs = ", b"\xff\xfe[\0", b"[train]\nepochs = 1\nepochs = 2\n"])
def test_a_file_that_is_no_toml(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    (fault,) = faults_of(recipe=path)
    assert "mine.toml: expected a readable TOML file" in fault
    assert "\n" not in fault


def test_recipes_are_listed_where_they_are() -> None:
    assert recipe_names() == sorted(path.stem for path in RECIPES.iterdir() if path.suffix == ".toml")
