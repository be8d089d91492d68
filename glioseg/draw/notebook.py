"""Pictures of the nouns for notebooks."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from PIL import Image

from glioseg.draw.outlines import LABELS
from glioseg.draw.views import places_of, scale_of
from glioseg.scan import Segmentation

COLOURS = np.array([(0, 0, 0), *LABELS], np.uint8)


def html_of_segmentation(segmentation: Segmentation, size: int = 256) -> str:
    """The slice with the most labelled voxels in colours, and what is said of it in words.

    Args:
        segmentation: what is shown.
        size: longer side of the picture in pixels.
    """
    position = int(segmentation.mask.sum(axis=(1, 2)).argmax())
    shown = places_of(segmentation)[position]
    rows, columns = scale_of(segmentation.grid, shown.shape, size)
    height, width = max(1, round(shown.shape[0] * rows)), max(1, round(shown.shape[1] * columns))
    file = io.BytesIO()
    picture = Image.fromarray(COLOURS[shown]).resize((width, height), Image.Resampling.NEAREST)
    picture.save(file, format="PNG")
    number = segmentation.grid.slice_numbers[position]
    content = base64.b64encode(file.getvalue()).decode("ascii")
    return (
        f'<figure><img alt="slice {number}" src="data:image/png;base64,{content}">'
        f"<figcaption>{escape(repr(segmentation))}, slice {number}</figcaption></figure>"
    )
