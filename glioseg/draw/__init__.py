"""Pictures: outlines over slices, animated GIFs, sheets of slices and plots of scores."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Names are looked up on first use: who outlines a slice does not load what plots curves.
_HOMES = {
    "DscLabels": "plots",
    "Tile": "examples",
    "chinese_font": "figure",
    "contact_sheet": "pictures",
    "draw_gif": "pictures",
    "draw_slices": "pictures",
    "dsc_curves_plot": "curves",
    "dsc_plot": "plots",
    "enlarge": "outlines",
    "examples_sheet": "examples",
    "frames": "views",
    "grey": "views",
    "outline": "outlines",
    "overlay": "outlines",
    "panels_plot": "curves",
    "patients_plot": "curves",
    "reliability_plot": "plots",
    "run_curves_plot": "curves",
    "short_names": "plots",
    "tile": "outlines",
    "with_text": "views",
    "write_png": "pictures",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'glioseg.draw' has no attribute {name!r}")
    return getattr(import_module(f"glioseg.draw.{_HOMES[name]}"), name)
