"""Pictures: outlines over slices, animated GIFs, sheets of slices and plots of scores."""

from __future__ import annotations

from glioseg.draw.curves import dsc_curves_plot, panels_plot, patients_plot, run_curves_plot
from glioseg.draw.examples import Tile, examples_sheet
from glioseg.draw.figure import chinese_font
from glioseg.draw.outlines import enlarge, outline, overlay, tile
from glioseg.draw.pictures import contact_sheet, draw_gif, draw_slices, write_png
from glioseg.draw.plots import DscLabels, dsc_plot, reliability_plot, short_names
from glioseg.draw.views import frames, grey, with_text

__all__ = [
    "DscLabels",
    "Tile",
    "chinese_font",
    "contact_sheet",
    "draw_gif",
    "draw_slices",
    "dsc_curves_plot",
    "dsc_plot",
    "enlarge",
    "examples_sheet",
    "frames",
    "grey",
    "outline",
    "overlay",
    "panels_plot",
    "patients_plot",
    "reliability_plot",
    "run_curves_plot",
    "short_names",
    "tile",
    "with_text",
    "write_png",
]
