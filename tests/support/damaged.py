"""Makers of damaged input: what people really have on their disks, and what attackers make.

:data:`DAMAGED` is the table: each row makes its files in a folder and gives the arguments of the
command line that must refuse them, and words that the refusal must hold, the file's name among them.
:data:`SOUND` is its counterpart: odd, but to be accepted.
"""

from __future__ import annotations

from support import damaged_data, damaged_dicom, damaged_images, damaged_volumes
from support.damage_table import DAMAGED, SOUND, Damage

__all__ = ["DAMAGED", "SOUND", "Damage", "damaged_data", "damaged_dicom", "damaged_images", "damaged_volumes"]
