"""Pictures: outlines over slices, animated GIFs, sheets of slices and plots of scores."""

from __future__ import annotations

from glioseg.draw.outlines import enlarge, outline, overlay, tile
from glioseg.draw.pictures import contact_sheet, draw_gif, draw_slices
from glioseg.draw.plots import dsc_plot
from glioseg.draw.views import frames, grey, with_text

__all__ = [
    "contact_sheet",
    "draw_gif",
    "draw_slices",
    "dsc_plot",
    "enlarge",
    "frames",
    "grey",
    "outline",
    "overlay",
    "tile",
    "with_text",
]
