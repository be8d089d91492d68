"""A data set as a few files that can be carried: every file byte for byte, in parts of a given size.

A pack is a folder: ``pack.json``, which lists what is in it, and ``part-001``, ``part-002`` ... It is read by
way of the cache: the files are laid out there as they stood in the data set, so whatever reads the data set
reads the pack, with the same patients, the same fingerprint and the same prepared arrays.
"""

from __future__ import annotations

from glioseg.io.pack.read import SUFFIX, is_pack, opened
from glioseg.io.pack.write import write_pack

__all__ = ["SUFFIX", "is_pack", "opened", "write_pack"]
