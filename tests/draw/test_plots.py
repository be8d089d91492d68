"""Plots of scores and curves: what stands in them, and that they load no more than they need."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from glioseg.draw import (
    chinese_font,
    curves,
    dsc_curves_plot,
    dsc_plot,
    run_curves_plot,
)
from glioseg.draw.curves import band, look
from glioseg.errors import InputError
from glioseg.measure import Protocol, Scores


def where(picture, colour):
    return (np.asarray(picture) == colour).all(axis=-1)


def scores(values, metric="dice", **changes):
    return Scores(Protocol(metric, tuple(values), "last", **changes), values, "")


def test_a_chinese_name_is_drawn_without_a_warning(tmp_path, recwarn, monkeypatch):
    dsc_plot(scores({"患者甲": 0.5}), tmp_path / "one.png")
    dsc_plot(scores({"患者乙": 0.5}), tmp_path / "other.png")
    if chinese_font() is not None:
        assert (tmp_path / "one.png").read_bytes() != (tmp_path / "other.png").read_bytes()
    monkeypatch.setattr("glioseg.draw.figure.chinese_font", lambda: None)
    dsc_plot(scores({"患者甲": 0.5}), tmp_path / "one.png")
    assert not [str(each.message) for each in recwarn if "Glyph" in str(each.message)]


def test_the_plot_shows_bars_mean_and_median(tmp_path):
    values = {f"TCGA_CS_{number}_20010208": 0.5 + number / 20 for number in range(9)}
    made = scores({**values, "TCGA_DU_0001_19990101": 0.05, "TCGA_DU_0002_19990101": math.nan}, empty="skip")
    path = dsc_plot(made, tmp_path / "dsc.png")
    with Image.open(path) as image:
        assert image.width == 1200
        assert image.info["Description"] == made.protocol.describe()
        picture = np.asarray(image.convert("RGB"))
    assert where(picture, (135, 206, 235)).sum() > 50_000  # skyblue
    red, green = (
        np.flatnonzero(where(picture, colour).sum(axis=0) > 400) for colour in ((255, 99, 71), (34, 139, 34))
    )
    # Pixels from 0 to 1 on the axis: its frame is black from top to bottom.
    frame = np.flatnonzero(where(picture, (0, 0, 0)).sum(axis=0) > 400)
    assert (red.mean() - frame[0]) / (frame[-1] - frame[0]) == pytest.approx(made.mean, abs=0.003)
    assert (green.mean() - frame[0]) / (frame[-1] - frame[0]) == pytest.approx(made.median, abs=0.003)


def test_the_plot_takes_one_patient_or_none_that_counts(tmp_path):
    assert dsc_plot(scores({"a": 0.7}), tmp_path / "one.png").exists()
    assert dsc_plot(scores({"a": math.nan}, empty="skip"), tmp_path / "none.png").exists()
    with pytest.raises(InputError, match="a metric between 0 and 1"):
        dsc_plot(scores({"a": 3.0}, metric="hd95", measured_in="mm"), tmp_path / "distance.png")


def test_drawing_loads_matplotlib_only_for_plots_and_never_pyplot(tmp_path):
    code = (
        "import sys, pathlib, glioseg.draw as d, glioseg.measure as m\n"
        "scores = m.Scores(m.Protocol('dice', ('a',), 'last'), {'a': 0.5}, '')\n"
        "assert not {'torch', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "d.dsc_plot(scores, pathlib.Path(sys.argv[1]))\n"
        "assert 'matplotlib' in sys.modules\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "dsc.png")], check=True)


def test_rows_of_a_long_study_do_not_look_alike():
    assert len({look(number) for number in range(40)}) == 40


# ---------------------------------------------------------------- curves


def test_seeds_are_a_band_around_their_mean_and_gaps_do_not_count():
    found = band([([1, 2, 3], [0.2, 0.4, math.nan]), ([1, 2], [0.4, math.nan])])
    assert found == ([1, 2], pytest.approx([0.3, 0.4]), [0.2, 0.4], [0.4, 0.4])


def test_each_row_has_its_curves_over_those_of_the_first(tmp_path):
    run = {"epoch": [1.0, 2.0], "loss": [0.5, 0.4], "val_loss": [0.6, 0.5], "val_dsc": [0.1, 0.2]}
    alone = run_curves_plot({"base": [run]}, tmp_path / "alone.png")
    three = run_curves_plot({"base": [run], "one": [run, run], "two": [run]}, tmp_path / "three.png")
    panels = dsc_curves_plot({"base": [run], "one": [run]}, tmp_path / "dsc.png")
    with Image.open(alone) as one, Image.open(three) as two, Image.open(panels) as dsc:
        assert one.width == two.width == 3 * dsc.width
        assert two.height > 1.7 * one.height


def test_an_epoch_is_never_halved_and_short_runs_show_their_points(tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(curves, "save_figure", lambda figure, path: kept.append(figure) or path)
    run = {"epoch": [1.0, 2.0], "loss": [0.5, 0.4]}
    run_curves_plot({"base": [run]}, tmp_path / "none.png")
    axes = kept[0].axes[0]
    assert all(float(tick).is_integer() for tick in axes.get_xticks())
    assert axes.lines[0].get_marker() == "o"
