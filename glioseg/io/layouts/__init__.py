"""Layouts of data sets that say more than the names of their files: which file is what, and whose mask.

Each has a module with ``recognise(folder) -> Recognised | None``, which looks at names alone and at the small
JSON files that describe a data set. What is in none of them is found by the names of its files, see
:mod:`glioseg.io.find`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from glioseg.io.layouts import bids, nnunet, wmh
from glioseg.io.layouts.found import Recognised

_Recogniser = Callable[[Path], Recognised | None]

RECOGNISERS: dict[str, _Recogniser] = {
    "nnunet": nnunet.recognise,
    "decathlon": nnunet.recognise,
    "bids": bids.recognise,
    "wmh": wmh.recognise,
}
"""What recognises a layout, by the name of the layout."""


def recognised(folder: Path, layout: str | None = None) -> Recognised | None:
    """The scans of a folder whose layout is known; ``None`` where it is none of these.

    Args:
        folder: the data set, or a part of it that says as much, such as ``imagesTr``.
        layout: the only layout to think of: a key of :data:`RECOGNISERS`; any other name stands for none.
    """
    if folder.name in ("", ".."):  # the name of a folder counts, also of the one somebody works in
        folder = Path(os.path.abspath(folder))
    recognisers = list(dict.fromkeys(RECOGNISERS.values()))
    if layout is not None:
        recognisers = [RECOGNISERS[layout]] if layout in RECOGNISERS else []
    return next((found for each in recognisers if (found := each(folder)) is not None), None)
