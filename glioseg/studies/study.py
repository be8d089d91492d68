"""A study: experiments x seeds as a TOML file. Named ones ship in ``studies/``."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from glioseg.settings import TomlTable, checked, find_toml, read_toml, toml_names
from glioseg.studies.queue import PlannedRun

STUDIES = Path(__file__).parent


class Experiment(TomlTable):
    """One row: a recipe and what the study changes in it.

    Attributes:
        name: what the report calls it.
        recipe: name of a recipe or a TOML file; the key of the experiment by default.
        settings: changes, as for ``--set``, after those of the study.
        seeds: instead of the study's.
        published: DSC that a publication gives for it, if any.
        name_zh: the name in Chinese reports.
    """

    name: str
    recipe: str | None = None
    settings: tuple[str, ...] = ()
    seeds: tuple[int, ...] | None = Field(default=None, min_length=1)
    published: float | None = Field(default=None, ge=0, le=1)
    name_zh: str | None = None

    def name_in(self, language: str) -> str:
        """The name in a language of :data:`glioseg.report.LANGUAGES`."""
        return (self.name_zh if language == "zh" else None) or self.name


class Study(TomlTable):
    """Experiments at one protocol; the first is what the others are compared with.

    Attributes:
        title: heading of the report.
        introduction: its first paragraphs.
        settings: changes to every recipe, as for ``--set``.
        seeds: a run for each.
        experiments: by key; a run's folder is ``<key>-seed<seed>``.
        title_zh, introduction_zh: the same in Chinese reports.
    """

    title: str
    introduction: tuple[str, ...] = ()
    title_zh: str | None = None
    introduction_zh: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    seeds: tuple[int, ...] = Field(default=(42,), min_length=1)
    experiments: dict[str, Experiment] = Field(min_length=1)

    def changed(self, settings: tuple[str, ...], seeds: tuple[int, ...]) -> Study:
        """The study with further changes to every run, and with these seeds alone if there are any."""
        rows = {
            key: row.model_copy(
                update={"settings": (*row.settings, *settings), **({"seeds": seeds} if seeds else {})}
            )
            for key, row in self.experiments.items()
        }
        return self.model_copy(update={"experiments": rows})

    def plan(self) -> dict[PlannedRun, Experiment]:
        """All runs: the first seed of every experiment, then the second, ..."""
        found: dict[PlannedRun, Experiment] = {}
        seeds = {key: one.seeds or self.seeds for key, one in self.experiments.items()}
        for number in range(max(map(len, seeds.values()))):
            for key, experiment in self.experiments.items():
                if number < len(seeds[key]):
                    seed = seeds[key][number]
                    settings = (*self.settings, *experiment.settings, f"train.seed={seed}")
                    found[PlannedRun(f"{key}-seed{seed}", experiment.recipe or key, settings)] = experiment
        return found


def study_names() -> list[str]:
    """Names of the studies that ship."""
    return toml_names(STUDIES)


def load_study(name_or_path: str | Path) -> Study:
    """Load a study that ships by name, or a TOML file.

    Raises:
        InputError: no such study, or every setting that is wrong.
    """
    path = find_toml(name_or_path, STUDIES, "study")
    return checked(Study, read_toml(path), str(name_or_path))
