"""The former home of :mod:`glioseg.io.find` and :mod:`glioseg.io.source`; import from there."""

from glioseg.io.find import find_scans
from glioseg.io.source import Source

__all__ = ["Source", "find_scans"]
