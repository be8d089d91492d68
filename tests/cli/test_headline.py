"""What a study says of itself in a report, and that its file is as the help and the documentation show it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from glioseg.cli.headline import headline_of
from glioseg.cli.study import study as verb
from glioseg.recipe import load_recipe
from glioseg.settings import tomllib
from glioseg.studies.study import Study, load_study

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorials" / "course-task.md"
MINE = {
    "title": "Mine",
    "title_zh": "我的",
    "seeds": (1, 2),
    "experiments": {
        "reference": {"name": "Base", "name_zh": "基线", "published": 0.9},
        "other": {"name": "Other", "recipe": "reference"},
    },
}


def test_experiments_without_a_run_are_missing_and_all_have_their_names() -> None:
    mine = Study.model_validate(MINE)
    said = headline_of(mine, "zh", ["reference-seed2", "stranger"])
    assert (said.title, said.missing) == ("我的", ["Other"])
    assert said.names["reference-seed1"] == "基线"
    assert said.published == {"基线": 0.9}
    assert said.plain["基线"] == "Base"
    whole = headline_of(mine, "en", ["reference-seed1", "other-seed1"], title="Another")
    assert (whole.title, whole.missing) == ("Another", [])


@pytest.mark.parametrize("where", ["help", "tutorial"])
def test_the_study_file_that_is_shown_is_one(where: str, tmp_path: Path) -> None:
    if where == "help":
        text = (verb.__doc__ or "").split("\b\n")[1].split("\n\n")[0]
    else:
        text = next(
            block
            for block in re.findall(r"```toml\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
            if "experiments" in block
        )
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    assert tomllib.loads(text)["title"]
    plan = load_study(tmp_path / "mine.toml").plan()
    assert {run.name.split("-")[0] for run in plan} == {"reference", "large_batch"}
    sizes = {load_recipe(run.recipe, run.settings).train.batch_size for run in plan}
    assert sizes == {16, 32}
