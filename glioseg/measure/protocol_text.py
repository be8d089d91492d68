"""Parts of a protocol as phrases of the catalogue.

Protocols are stored with scores as English texts. What these texts can be is known, so that each can be said
in every language; a text of an unknown kind is said as it is.
"""

from __future__ import annotations

import re

from glioseg.words import Phrase

_KIND = "largest face-connected 3-D component|3-D components"
_SHARE = r"[\d.e+-]+"

KINDS: tuple[tuple[str, str], ...] = (
    ("volume", "protocol.volume"),
    ("slice", "protocol.slice"),
    ("lesion", "protocol.lesion"),
    ("all", "protocol.all"),
    ("all but first and last", "protocol.all_but_first_and_last"),
    ("FLAIR alone", "protocol.flair_alone"),
    ("own", "protocol.own_grid"),
    ("reference-256", "protocol.reference_grid"),
    ("perfect", "protocol.empty_perfect"),
    ("worst", "protocol.empty_worst"),
    ("skip", "protocol.empty_skip"),
    ("voxels", "protocol.voxels"),
    ("last", "protocol.last"),
    ("given", "protocol.given"),
    ("best val_dsc on the same patients", "protocol.best_dsc_same"),
    ("best val_dsc on other patients", "protocol.best_dsc_other"),
    ("best val_loss on the same patients", "protocol.best_loss_same"),
    ("best val_loss on other patients", "protocol.best_loss_other"),
    ("none", "protocol.none"),
    ("corrected by hand", "protocol.corrected"),
    ("holes filled in each slice", "protocol.filled"),
    ("(?P<kept>.+); holes filled in each slice", "protocol.kept_and_filled"),
    ("largest face-connected 3-D component", "protocol.largest_component"),
    ("3-D components", "protocol.components"),
    (rf"(?P<kind>{_KIND}) (?P<rules>(?:of|with) .+)", "protocol.kept_by_rules"),
    ("(?P<first>(?:of|with) .+) and (?P<second>(?:of|with) .+)", "protocol.both_rules"),
    (r"of at least (?P<count>\d+) voxels", "protocol.least_voxels"),
    (rf"of at least (?P<share>{_SHARE}) of the largest", "protocol.least_share"),
    (rf"with at least (?P<share>{_SHARE}) of the largest one's contrast", "protocol.least_contrast"),
)
"""Patterns of the texts and the codes of their phrases; groups with names are parameters, such texts too."""


def as_phrase(text: str) -> str:
    """A part of a protocol as a phrase; the text as it is if it is of no known kind."""
    for pattern, code in KINDS:
        found = re.fullmatch(pattern, text)
        if found is not None:
            return Phrase(code, **{name: as_phrase(part) for name, part in found.groupdict().items()})
    return text
