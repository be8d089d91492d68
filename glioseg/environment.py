"""What is written beside every result so that it can be repeated: versions, machine, command."""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from glioseg._version import __version__

PACKAGES = ("torch", "pytorch-lightning", "monai", "numpy", "scipy", "onnxruntime", "nibabel", "tifffile")


def environment() -> dict[str, Any]:
    """Versions, machine and command, for the record."""
    from importlib.metadata import PackageNotFoundError

    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = _version_of(package)
        except PackageNotFoundError:
            continue
    return {
        "glioseg": __version__,
        "python": platform.python_version(),
        "packages": versions,
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "command": command_line(),
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def _version_of(package: str) -> str:
    """The version of a package that is installed, without understanding all else that is said of it.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    from importlib.metadata import distribution

    found = distribution(package)
    said = re.search(r"^Version: *(\S+)", found.read_text("METADATA") or "", re.MULTILINE)
    return found.version if said is None else said[1]


def command_line() -> str:
    """The command as it was typed, quoted for a shell, with the program's name and not its path."""
    program = Path(sys.argv[0]).name
    return shlex.join(["glioseg" if program == "__main__.py" else program, *sys.argv[1:]])
