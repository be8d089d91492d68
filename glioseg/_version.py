"""The version, in a file of its own: whoever writes it into a record need not load the package's face."""

from __future__ import annotations

__version__ = "0.2.0"
