"""Pack a data set: what its labelled scans are made of, and the table of categories beside them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from glioseg.dataset.find import find_cases
from glioseg.errors import Fault, InputError
from glioseg.io.layouts import bids, nnunet
from glioseg.io.nifti_file import with_other_parts
from glioseg.io.pack import opened, write_pack
from glioseg.scan import SEQUENCES

TABLE = "data.csv"
"""What the LGG data set calls its table of genomics and outcome; it goes along."""
DESCRIPTIONS = (nnunet.DESCRIPTION, bids.DESCRIPTION)
"""Files beside or above scans without which their names mean less; they go along."""

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
_LEAST = 1000


@dataclass(frozen=True)
class PackResult:
    """What was packed.

    Attributes:
        patients, files, parts: how many.
        source_bytes, packed_bytes: of the files as they were, and of all parts.
    """

    patients: int
    files: int
    parts: int
    source_bytes: int
    packed_bytes: int


def pack(
    data: Path,
    out: Path,
    part_size: int,
    rule: str | None = None,
    layout: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> PackResult:
    """Pack the labelled scans of a folder, byte for byte; other files are left aside.

    Args:
        data: the data set, or a pack of one.
        out: folder to make.
        part_size: most bytes of a part.
        rule, layout: as :func:`glioseg.dataset.find.find_cases` takes them.
        progress: called with the number of files done and of all.

    Raises:
        InputError: anything is wrong with the names in the data set, ``out`` is there already or cannot be
            written.
    """
    cases = find_cases(data, rule, layout=layout)
    sources = [case.source.with_sequences(SEQUENCES) for case in cases]
    found = with_other_parts(
        file for source in sources for file in (*source.files, *source.truth, *source.strays)
    )
    files = [file.absolute() for file in found]
    # The masks of a folder imagesTr lie beside it.
    root = Path(os.path.commonpath([opened(data).absolute(), *(file.parent for file in files)]))
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(root)}
    files += [
        folder / name for folder in sorted(folders) for name in DESCRIPTIONS if (folder / name).is_file()
    ]
    if (root / TABLE).is_file():
        files.append(root / TABLE)
    index = write_pack(
        root, list(dict.fromkeys(files)), [case.id for case in cases], out, part_size, progress
    )
    return PackResult(
        len(cases),
        len(index.files),
        len(index.parts),
        sum(file.size for file in index.files),
        sum(part.size for part in index.parts),
    )


def parse_size(text: str) -> int:
    """Bytes of a size such as ``50MB``, ``1.5 GB`` or ``800000``; the units are powers of 1000.

    Raises:
        InputError: it is no size, or less than 1kB.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?)b?\s*", text.casefold())
    size = int(float(found[1]) * _UNITS[found[2]]) if found else 0
    if size < _LEAST:
        raise InputError(Fault("pack.size", text=text))
    return size
