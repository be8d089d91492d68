"""Runs against each other and on paper: rows, verdicts, cost, curves, both languages, real tiny runs."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from support.run_kit import record
from support.verb import call

from glioseg.draw import Tile, chinese_font, short_names
from glioseg.errors import InputError
from glioseg.evaluation.cost import architecture, measure_costs
from glioseg.recipe import load_recipe
from glioseg.report import Headline, figures, page, write_report
from glioseg.runs.compare import compare_rows, pairs_of
from glioseg.runs.folder import RunFolder
from glioseg.runs.record import RunRecord
from glioseg.runs.rows import Row, differences, group_runs
from glioseg.samples import SAMPLES
from glioseg.words import catalogue

GOOD = np.linspace(0.7, 0.9, 10)
TINY = (
    "prepare.size=32",
    "network.arguments.features=4",
    "train.epochs=2",
    "train.batch_size=2",
    "train.steps_per_epoch=2",
    "train.vis_freq=0",
    "split.name=holdout",
    "split.fraction=0.5",
)


class TestRows:
    def test_seeds_stand_together_and_each_patient_has_their_mean(self) -> None:
        records = [
            record("a", [0.5, 0.7], ["train.seed=1"]),
            record("b", [0.7, 0.9], ["train.seed=2"]),
            record("c", [0.1, 0.1], ["loss.name=soft_iou"]),
        ]
        first, second = group_runs(records, {"a": "Dice", "b": "Dice"})
        assert [(row.name, len(row.runs)) for row in (first, second)] == [("Dice", 2), ("reference", 1)]
        pooled = first.scores("reference")
        assert pooled is not None
        assert pooled.values == pytest.approx({"p0": 0.6, "p1": 0.8})
        assert first.seed_means("own") == pytest.approx([0.6, 0.8])
        assert first.best == [(0.5, 1), (0.5, 1)]

    def test_seeds_of_one_recipe_alone_are_rows_of_their_own(self) -> None:
        rows = group_runs([record("a", GOOD), record("b", GOOD, ["train.seed=1"])])
        assert [row.name for row in rows] == ["a", "b"]

    def test_rows_of_one_name_are_called_by_their_folders(self) -> None:
        rows = group_runs([record("a", GOOD), record("b", GOOD, ["loss.name=bce"])])
        assert [row.name for row in rows] == ["a", "b"]

    def test_differences_name_the_setting_and_both_values(self) -> None:
        one = load_recipe("reference", ["loss.name=tversky", "loss.arguments.alpha=0.7", "train.seed=3"])
        found = differences(one, load_recipe("reference"))
        assert found == [("loss.name", "tversky", "dice"), ("loss.arguments.alpha", 0.7, None)]

    @pytest.mark.parametrize(
        ("dsc", "sensitivity", "precision", "expected"),
        [(0.02, 1.0, 0.01, "full"), (0.0, 0.0, math.nan, "empty"), (0.3, 0.5, 0.4, None)],
    )
    def test_a_collapse_is_called_by_name(
        self, dsc: float, sensitivity: float, precision: float, expected: str | None
    ) -> None:
        one = record("a", [dsc] * 3, sensitivity=sensitivity, precision=precision)
        assert one.collapse == expected


class TestVerdict:
    def compared(self, *records: RunRecord) -> list[tuple[str, str]]:
        rows = group_runs(records)
        return [(one.verdict, one.sentence) for one in compare_rows(pairs_of(rows), "reference")]

    def test_two_seeds_never_differ_beyond_noise(self) -> None:
        worse = record("b", GOOD - 0.2, ["train.seed=1"])
        ((verdict, sentence),) = self.compared(record("a", GOOD), worse)
        assert verdict == "equal"
        assert sentence.startswith("No difference beyond noise between b and a (one recipe")
        assert "-0.200" in sentence

    def test_a_difference_in_every_patient_is_larger_than_noise(self) -> None:
        shifted = GOOD - np.linspace(0.05, 0.1, 10)
        ((verdict, sentence),) = self.compared(record("a", GOOD), record("b", shifted, ["loss.name=bce"]))
        assert verdict == "worse"
        assert sentence.startswith("a is better than b by more than the noise")

    def test_unless_seeds_are_as_far_apart(self) -> None:
        shifted = GOOD - np.linspace(0.05, 0.1, 10)
        seeds = [record("s1", GOOD), record("s2", GOOD - 0.1, ["train.seed=1"])]
        ((verdict, sentence),) = self.compared(*seeds, record("b", shifted, ["loss.name=bce"]))
        assert verdict == "equal"
        assert "seeds of one recipe are 0.100 apart" in sentence

    def test_rows_are_compared_on_the_seeds_that_both_have(self) -> None:
        soft, dice = record("a", GOOD, ["loss.name=soft_iou"]), record("b", GOOD)
        lucky = record("c", GOOD + 0.05, ["train.seed=1"])
        other = record("d", GOOD + np.linspace(0.06, 0.07, 10), ["loss.name=bce"])
        (one,) = compare_rows([(Row("soft", (soft,)), Row("dice", (dice, lucky)))], "reference")
        assert one.patients.difference == pytest.approx(0)
        # What another seed of a row changes is a reason for doubt all the same.
        (one,) = compare_rows([(Row("soft", (other,)), Row("dice", (dice, lucky)))], "reference")
        assert (one.patients.better, one.verdict) == ("soft", "equal")
        # Without a seed in common there is nothing but the means.
        (one,) = compare_rows([(Row("soft", (soft,)), Row("dice", (lucky,)))], "reference")
        assert one.patients.difference == pytest.approx(-0.05)

    def test_mixed_protocols_are_refused(self) -> None:
        other = record("b", GOOD, ["loss.name=bce"], threshold=0.4)
        with pytest.raises(InputError, match=r"threshold.*expected 0\.4.*found 0\.5"):
            self.compared(record("a", GOOD), other)

    def test_a_run_without_scores_is_named_with_the_command(self) -> None:
        other = replace(record("b", GOOD, ["loss.name=bce"]), evaluation=None)
        with pytest.raises(InputError, match="glioseg evaluate b data"):
            self.compared(record("a", GOOD), other)

    def test_every_pair(self) -> None:
        rows = [Row(name, (record(name, GOOD),)) for name in "abc"]
        pairs = [(first.name, second.name) for first, second in pairs_of(rows, every=True)]
        assert pairs == [("b", "a"), ("c", "a"), ("c", "b")]


def test_cost_is_that_of_the_published_network() -> None:
    pytest.importorskip("torch")
    from glioseg.evaluation.cost import _counted, build_untrained

    settings = ["prepare.size=256", "network.arguments.pretrained=none", "network.arguments.mirrored=false"]
    recipe = load_recipe("default", settings)
    parameters, gmacs = _counted(build_untrained(recipe), recipe)
    assert parameters / 1e6 == pytest.approx(3.8, abs=0.05)
    assert gmacs == pytest.approx(1.9, abs=0.05)


def test_an_architecture_is_measured_once_whatever_its_loss() -> None:
    pytest.importorskip("onnxscript")
    small = ["prepare.size=32", "network.arguments.features=4"]
    recipes = [
        load_recipe("reference", [*small, *more]) for more in ([], ["loss.name=bce"], ["train.seed=3"])
    ]
    wider = load_recipe("reference", ["prepare.size=32", "network.arguments.features=8"])
    costs = measure_costs([*recipes, wider], 1)
    assert list(costs) == [architecture(recipes[0]), architecture(wider)]
    first, second = costs.values()
    assert second.parameters > 3 * first.parameters
    assert all(cost.seconds is not None and cost.seconds > 0 for cost in costs.values())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Real runs: two seeds, one loss that is faulty on purpose, and the data they were trained on."""
    pytest.importorskip("pytorch_lightning")
    folder = tmp_path_factory.mktemp("runs")
    data = folder / "data"
    shutil.copytree(SAMPLES, data)
    changes = {
        "one": ("train.seed=1",),
        "two": ("train.seed=2",),
        "faulty": ("loss.name=as_published.soft_iou", "train.seed=1"),
        "mended": ("loss.name=soft_iou", "train.seed=1"),
    }
    for name, more in changes.items():
        settings = [part for setting in (*TINY, *more) for part in ("--set", setting)]
        train = ("train", data, "--recipe", "reference", *settings, "-o", folder / name)
        for line in (train, ("evaluate", folder / name, data)):
            code, said = call(*line, "--threads", "1")
            assert code == 0, said
    return {"data": data, **{name: folder / name for name in changes}}


def of_another_protocol(run: Path, copy: Path, **changes: str) -> Path:
    """A copy of a run that was scored under another reference protocol."""
    shutil.copytree(run, copy)
    metrics = RunFolder(copy).metrics
    content = json.loads(metrics.read_text(encoding="utf-8"))
    content["reference"]["protocol"] |= changes
    metrics.write_text(json.dumps(content), encoding="utf-8")
    return copy


class TestCompare:
    def test_two_seeds(self, runs: dict[str, Path], tmp_path: Path) -> None:
        code, said = call("compare", runs["one"], runs["two"], "-o", tmp_path, "--threads", "1")
        assert code == 0
        assert "No difference beyond noise between two and one" in said
        stored = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
        assert [line["experiment"] for line in stored["table"]] == ["one", "two"]
        assert all(line["seconds_per_slice"] > 0 for line in stored["table"])
        for name, least in (("curves.png", 500), ("patients.png", 500)):
            with Image.open(tmp_path / name) as picture:
                assert min(picture.size) > 200
                assert max(picture.size) > least
        header, *lines = (tmp_path / "patients.csv").read_text(encoding="utf-8").splitlines()
        assert header == "patient,one,two"
        scored = RunRecord.read(runs["one"]).scores("reference")
        assert scored is not None
        assert len(lines) == len(scored.values)

    def test_mixed_protocols_are_refused_and_nothing_is_written(
        self, runs: dict[str, Path], tmp_path: Path
    ) -> None:
        other = of_another_protocol(runs["faulty"], tmp_path / "other", postprocessing="none")
        code, said = call("compare", runs["one"], other, "-o", tmp_path / "out")
        assert code == 2
        assert "postprocessing" in said
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize(
        ("arguments", "expected"),
        [(["{one}"], "two run folders"), (["{one}", "{data}"], "a run folder")],
    )
    def test_mistakes(self, runs: dict[str, Path], arguments: list[str], expected: str) -> None:
        code, said = call("compare", *(argument.format(**runs) for argument in arguments))
        assert code == 2
        assert expected in said


class TestReport:
    @pytest.mark.parametrize("language", ["en", "zh"])
    def test_is_one_page_that_needs_nothing_else(
        self, runs: dict[str, Path], tmp_path: Path, language: str
    ) -> None:
        chosen = [runs[name] for name in ("one", "two", "faulty", "mended")]
        code, said = call("report", *chosen, "-o", tmp_path, "--lang", language)
        assert code == 0, said
        page = (tmp_path / "index.html").read_text(encoding="utf-8")
        markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
        assert not re.search(r"https?://|<script|<link|@import|src=\"(?!data:)", page)
        table = catalogue(language)["sentences"]
        for key in ("experiments", "conclusions", "faulty", "curves", "failures", "statistics", "commands"):
            assert f"## {table[f'report.{key}']}" in markdown
            assert f">{table[f'report.{key}']}</h" in page
        # Both seeds in one row, the faulty row explained with the corrected one's numbers.
        assert "| 2 |" in markdown
        explained = table["report.faulty_corrected"].split("{row}")[0]
        assert explained in markdown
        # Sizes are those of the runs, and not those of the recipe's summary.
        assert table["report.facts_size"].format(sizes=32, epochs=2) in markdown
        said = table["report.is_training"].format(
            loss="dice", optimizer="adam", rate="0.0001", schedule="constant", batch=2, epochs=2
        )
        assert said in markdown
        assert table["report.changed"].split("{changes}")[0] in markdown
        assert "100 epochs" not in markdown
        # No folder of this machine.
        assert str(runs["one"].parent) not in page + markdown
        assert "glioseg train data --recipe reference" in markdown
        for picture in ("curves.png", "curves_01.png", "patients.png", "dsc_00.png", "network_00.png"):
            with Image.open(tmp_path / picture) as image:
                assert min(image.size) > 100
        other = catalogue("en" if language == "zh" else "zh")["sentences"]
        assert other["report.statistics_text"] not in markdown

    def test_what_went_wrong_is_listed(self, runs: dict[str, Path], tmp_path: Path) -> None:
        unscored, failed = tmp_path / "unscored", tmp_path / "failed"
        shutil.copytree(runs["mended"], unscored, ignore=shutil.ignore_patterns("evaluation"))
        shutil.copytree(runs["faulty"], failed, ignore=shutil.ignore_patterns("evaluation"))
        RunFolder.open(failed).note(
            status="failed", failure="The loss became nan.", data=str(tmp_path / "no")
        )
        write_report([runs["one"], unscored, failed], tmp_path / "out", headline=Headline("Mine"))
        markdown = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
        assert markdown.startswith("# Mine\n")
        assert "failed: stopped with a diagnosis. The loss became nan." in markdown
        assert "unscored: trained, not scored. Run: glioseg evaluate unscored DATA" in markdown

    def test_examples_bear_the_score_of_their_outlines(
        self, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run = tmp_path / "run"
        shutil.copytree(runs["one"], run)
        metrics = RunFolder(run).metrics
        content = json.loads(metrics.read_text(encoding="utf-8"))
        content["reference"]["values"] = dict.fromkeys(content["reference"]["values"], 0.987)
        metrics.write_text(json.dumps(content), encoding="utf-8")
        sheets: list[list[tuple[str, list[Tile]]]] = []
        real = figures.examples_sheet
        monkeypatch.setattr(
            figures, "examples_sheet", lambda lines, path: sheets.append(lines) or real(lines, path)
        )
        write_report([run], tmp_path / "out")
        scored = RunRecord.read(run).scores("own")
        assert scored is not None
        assert [heading for heading, _ in sheets[0]] == ["1  reference"]
        titles = {tile.title for lines in sheets for _, tiles in lines for tile in tiles}
        names = dict(zip(short_names(list(scored.values)), scored.values.values(), strict=True))
        assert titles
        assert titles <= {f"{name}  {value:.3f} | 0.987" for name, value in names.items()}

    def test_the_other_language_shows_the_same_pictures_and_costs(
        self, runs: dict[str, Path], tmp_path: Path
    ) -> None:
        chosen = [runs["one"], runs["faulty"]]
        write_report(chosen, tmp_path)
        kept = {path.name for path in tmp_path.iterdir()}
        drawn = ("network_00.png", "examples.png", "examples_01.png", "worst_00.gif")
        assert kept >= {"costs.json", *drawn, "curves.png", "curves_01.png"}
        # One architecture is drawn once.
        assert "network_01.png" not in kept
        before = {name: (tmp_path / name).stat().st_mtime_ns for name in ("costs.json", *drawn)}
        write_report(chosen, tmp_path / "zh", language="zh", shared=tmp_path)
        assert before == {name: (tmp_path / name).stat().st_mtime_ns for name in before}
        assert not {path.name for path in (tmp_path / "zh").iterdir()} & before.keys()
        markdown = (tmp_path / "zh" / "report.md").read_text(encoding="utf-8")
        assert all(f"(../{name})" in markdown for name in drawn)
        assert '"data:image/gif;base64,' in (tmp_path / "zh" / "index.html").read_text(encoding="utf-8")
        with Image.open(tmp_path / "worst_00.gif") as image:
            assert image.n_frames > 1

    def test_without_the_data_there_are_no_pictures_of_them(
        self, runs: dict[str, Path], tmp_path: Path
    ) -> None:
        run = tmp_path / "run"
        shutil.copytree(runs["one"], run)
        metrics = RunFolder.open(run).metrics
        content = json.loads(metrics.read_text(encoding="utf-8"))
        content["place"]["data"] = str(tmp_path / "gone")
        metrics.write_text(json.dumps(content), encoding="utf-8")
        write_report([run], tmp_path / "out")
        assert "No pictures: " in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")

    def test_without_masks_only_pictures_that_were_drawn_before_are_shown(
        self, runs: dict[str, Path], tmp_path: Path
    ) -> None:
        bare = tmp_path / "bare"
        shutil.copytree(runs["faulty"], bare, ignore=shutil.ignore_patterns("masks"))
        chosen, out = [runs["one"], runs["faulty"]], tmp_path / "out"
        write_report(chosen, out)
        before = {name: (out / name).read_bytes() for name in ("examples_01.png", "worst_01.gif")}
        chosen[1] = bare
        for shared, kept in ((out, True), (None, False)):
            write_report(chosen, out, shared=shared)
            markdown = (out / "report.md").read_text(encoding="utf-8")
            assert all((f"({name})" in markdown) == kept for name in before)
            assert ("No pictures: " in markdown) != kept
            assert "Not shown, for their masks are not at hand: " in markdown
        assert before == {name: (out / name).read_bytes() for name in before}

    def test_where_seeds_are_unequal_the_report_says_so(self, runs: dict[str, Path], tmp_path: Path) -> None:
        said = (catalogue("en")["sentences"][f"report.{key}"] for key in ("unequal_seeds", "ranks_seeds"))
        sentences = [sentence.split("{")[0] for sentence in said]
        for chosen, expected in ((("one", "two", "mended"), True), (("one", "mended"), False)):
            write_report([runs[name] for name in chosen], tmp_path)
            markdown = (tmp_path / "report.md").read_text(encoding="utf-8")
            assert all((sentence in markdown) == expected for sentence in sentences)

    def test_rows_of_another_protocol_are_shown_and_called_so(
        self, runs: dict[str, Path], tmp_path: Path
    ) -> None:
        other = of_another_protocol(runs["faulty"], tmp_path / "other", checkpoint="last")
        write_report([runs["one"], other], tmp_path / "out")
        markdown = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
        assert "| not comparable: another protocol |" in markdown
        assert re.search(r"Experiments: 1 \w+; 2 \w+\.", markdown)

    def test_a_language_that_there_is_not(self, runs: dict[str, Path], tmp_path: Path) -> None:
        code, said = call("report", runs["one"], "-o", tmp_path / "out", "--lang", "de")
        assert code == 2
        assert "one of en, zh" in said
        assert not (tmp_path / "out").exists()

    def test_figures_have_english_labels_where_no_font_draws_chinese(
        self, runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        drawn: list[str] = []

        def keep(runs: dict[str, object], path: Path, labels: dict[str, str], font: str | None) -> None:
            drawn.extend([*runs, *labels.values()])

        monkeypatch.setattr(page, "chinese_font", lambda: None)
        monkeypatch.setattr(figures, "dsc_curves_plot", keep)
        Image.new("L", (8, 8)).save(tmp_path / "curves.png")
        headline = Headline(names={"one": "甲"}, plain={"甲": "A"})
        write_report([runs["one"]], tmp_path, language="zh", headline=headline)
        assert all(text.isascii() for text in drawn)
        assert "A" in drawn


def test_a_chinese_font_can_draw_chinese() -> None:
    family = chinese_font()
    if family is None:
        pytest.skip("no Chinese font on this machine")
    from matplotlib.font_manager import findfont, get_font

    assert ord("病") in get_font(findfont(family)).get_charmap()
