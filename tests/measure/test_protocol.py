"""What a score says of the way it was made, in words and in JSON, and which scores may be compared."""

from __future__ import annotations

import json
import math
import re

import pytest

from glioseg.errors import InputError
from glioseg.measure import (
    METRICS,
    Protocol,
    Scores,
    check_same_protocol,
)
from glioseg.measure.protocol_text import as_phrase
from glioseg.recipe import PostprocessChoice
from glioseg.words import Phrase


def protocol(**changes):
    return Protocol(**{"metric": "dice", "patients": ("b", "a", "c"), "checkpoint": "last", **changes})


def test_a_protocol_fills_in_what_follows_from_its_metric():
    assert protocol().unit == "volume"
    assert protocol().empty == "perfect"
    assert protocol(metric="slice_dice").unit == "slice"
    assert protocol(metric="nsd", measured_in="mm").tolerance == 1.0
    assert protocol() == protocol(patients=("a", "b", "c"), empty="perfect", unit="volume")
    assert protocol() != protocol(empty="skip")


def test_a_protocol_names_all_its_faults_at_once():
    with pytest.raises(InputError) as error:
        protocol(patients=("a", "a"), threshold=2, unit="slice", measured_in="mm", tolerance=1.0, empty="one")
    text = str(error.value)
    assert all(
        name in text for name in ("patients", "threshold", "unit", "measured_in", "tolerance", "empty")
    )
    with pytest.raises(InputError, match="Did you mean 'dice'"):
        protocol(metric="dise")
    with pytest.raises(InputError, match="'mm' or 'voxels'"):
        protocol(metric="hd95")


def test_a_protocol_reads_as_a_sentence():
    said = protocol(grid="reference-256", postprocessing="largest component").describe()
    assert said == (
        "Dice (DSC), counted by volume, on grid reference-256, all slices, probability >= 0.5, "
        "postprocessing: largest component, two empty masks count as perfect, 3 patients, checkpoint: last."
    )
    assert (
        "NSD (surface Dice) within 2 mm" in protocol(metric="nsd", measured_in="mm", tolerance=2).describe()
    )
    assert "HD95 in voxels" in protocol(metric="hd95", measured_in="voxels").describe()


def test_a_protocol_survives_json():
    for one in (protocol(), protocol(metric="nsd", measured_in="voxels", tolerance=2.0, empty="skip")):
        assert Protocol.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    content = protocol().to_dict()
    del content["checkpoint"]
    content["treshold"] = 0.4
    with pytest.raises(InputError) as error:
        Protocol.from_dict(content)
    assert "checkpoint" in str(error.value)
    assert "Did you mean 'threshold'?" in str(error.value)


def test_scores_count_what_is_not_skipped():
    scores = Scores(protocol(), {"c": 0.5, "a": 1.0, "b": math.nan}, "glioseg evaluate run data")
    assert scores.mean == scores.median == 0.75
    assert scores.skipped == ["b"]
    assert list(scores.counted) == ["a", "c"]
    assert scores.interval() == (0.5, 1.0)
    assert (
        scores.summary() == "mean 0.750 (95 % interval 0.500 to 1.000), median 0.750, 2 patients, 1 skipped"
    )
    nothing = Scores(protocol(patients=("a",)), {"a": math.nan}, "")
    assert math.isnan(nothing.mean)
    assert "interval unknown" in nothing.summary()
    assert scores.of_patients(["a"]).summary().endswith(", 1 patient")


def test_scores_survive_strict_json():
    distances = Scores(
        protocol(metric="hd95", measured_in="mm"), {"a": math.inf, "b": math.nan, "c": 2.0}, "command"
    )
    text = json.dumps(distances.to_dict(), allow_nan=False)
    again = Scores.from_dict(json.loads(text))
    assert again.protocol == distances.protocol
    assert again.values["a"] == math.inf
    assert math.isnan(again.values["b"])
    assert again.mean == math.inf
    with pytest.raises(InputError, match="values"):
        Scores.from_dict({"protocol": {}, "command": ""})


def test_scores_refuse_other_patients_than_the_protocols():
    with pytest.raises(InputError, match="others: c, d"):
        Scores(protocol(), {"a": 1, "b": 1, "d": 1}, "")


def test_different_protocols_are_refused_field_by_field():
    values = {"a": 0.9, "b": 0.8, "c": 0.7}
    ours = Scores(protocol(), values, "")
    check_same_protocol(ours, Scores(protocol(), {"a": 0.1, "b": 0.2, "c": 0.3}, "other"))
    other = Scores(
        protocol(grid="reference-256", checkpoint="given", patients=("a", "b", "d")),
        {"a": 0.9, "b": 0.8, "d": 0.7},
        "",
    )
    with pytest.raises(InputError) as error:
        check_same_protocol(ours, other, ("run-1", "run-2"))
    assert [fault.where for fault in error.value.faults] == [
        "protocol field 'patients'",
        "protocol field 'checkpoint'",
        "protocol field 'grid'",
    ]
    assert "own as in run-1, found reference-256 in run-2" in str(error.value)
    assert "c besides the shared ones as in run-1" in str(error.value)


@pytest.mark.parametrize(
    "choice",
    [
        {},
        {"largest_component": False},
        {"largest_component": False, "fill_holes": True},
        {"fill_holes": True},
        {"largest_component": False, "minimum_voxels": 9},
        {"largest_component": False, "minimum_voxels": 9, "minimum_share": 0.25, "minimum_contrast": 0.5},
        {"minimum_voxels": 9, "fill_holes": True},
    ],
)
def test_what_is_done_to_a_mask_is_said_in_both_languages(choice):
    described = PostprocessChoice(**choice).describe()
    said = as_phrase(described)
    assert said == described
    assert isinstance(said, Phrase)
    assert not re.search("[a-z]{2}", said.text("zh"))


def test_a_chinese_protocol_holds_no_english():
    fields = {
        "checkpoint": ["last", "given", *(f"best {c} on {p}" for c in ("val_dsc", "val_loss") for p in
                       ("the same patients", "other patients"))],
        "grid": ["own", "reference-256"],
        "slices": ["all", "all but first and last"],
        "sequences": ["all", "FLAIR alone"],
        "empty": ["perfect", "worst", "skip"],
    }  # fmt: skip
    for name, values in fields.items():
        for value in values:
            said = protocol(**{name: value}).describe()
            assert not re.search("[a-z]{2}", said.text("zh").replace("Dice", "")), said.text("zh")
    for name, metric in METRICS.items():
        unit = "voxels" if metric.is_length or metric.tolerance is not None else ""
        said = protocol(metric=name, measured_in=unit).describe()
        assert said.startswith(metric.title)
        assert not re.search("(?<!IoU（)[a-z]{3}", said.text("zh").replace("Dice", "").replace("Jaccard", ""))
