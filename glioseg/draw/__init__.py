"""Pictures: outlines over slices, animated GIFs, sheets of slices and plots of scores."""

from __future__ import annotations

from glioseg.draw.curves import curves_plot, patients_plot, smoothed
from glioseg.draw.figure import chinese_font
from glioseg.draw.outlines import enlarge, outline, overlay, tile
from glioseg.draw.pictures import contact_sheet, draw_gif, draw_slices, write_png
from glioseg.draw.plots import DscLabels, dsc_plot, reliability_plot
from glioseg.draw.views import frames, grey, with_text

__all__ = [
    "DscLabels",
    "chinese_font",
    "contact_sheet",
    "curves_plot",
    "draw_gif",
    "draw_slices",
    "dsc_plot",
    "enlarge",
    "frames",
    "grey",
    "outline",
    "overlay",
    "patients_plot",
    "reliability_plot",
    "smoothed",
    "tile",
    "with_text",
    "write_png",
]
