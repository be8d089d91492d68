"""How this package was installed, and the command that adds an optional extra to it."""

from __future__ import annotations

import json
from pathlib import Path


def install_command(extra: str) -> str:
    """The command that installs an extra from where this package came from.

    Args:
        extra: name of the extra, for instance ``"train"``.

    Returns:
        A line for a shell. Of a clone that Python runs in place it is ``pip install -e ".[train]"`` with the
        clone's path; of an installed copy it names the folder or the address that was installed from; where
        that is not known any more it lists what the extra needs.
    """
    from importlib.metadata import PackageNotFoundError, distribution  # slow, and rarely needed

    clone = Path(__file__).resolve().parent.parent
    if (clone / "pyproject.toml").is_file():
        return f'pip install -e "{_from_here(clone)}[{extra}]"'
    try:
        found = distribution("glioseg")
    except PackageNotFoundError:
        return f'pip install "glioseg[{extra}]"'
    source = _source(found.read_text("direct_url.json"), extra)
    if source is not None:
        return f'pip install "{source}"'
    needed = [
        requirement.partition(";")[0].strip()
        for requirement in found.requires or ()
        if f'extra == "{extra}"' in requirement.replace("'", '"')
    ]
    return " ".join(("pip install", *(f'"{each}"' for each in needed)))


def _source(text: str | None, extra: str) -> str | None:
    """What pip was given, with the extra; ``None`` if it is not known or not there any more."""
    from urllib.parse import unquote, urlsplit
    from urllib.request import url2pathname

    try:
        facts = json.loads(text or "")
        address = str(facts["url"])
        parts = urlsplit(address)
        if parts.scheme == "file":
            path = Path(url2pathname(unquote(parts.path)))
            return f"{_from_here(path)}[{extra}]" if path.exists() else None
        if not parts.scheme:
            return None
        if "vcs_info" in facts:
            address = f"{facts['vcs_info']['vcs']}+{address}@{facts['vcs_info']['commit_id']}"
        return f"glioseg[{extra}] @ {address}"
    except (ValueError, KeyError, TypeError):
        return None


def _from_here(path: Path) -> str:
    """A folder as a person would type it in the folder where they are."""
    try:
        return "." if path.resolve() == Path.cwd().resolve() else str(path)
    except OSError:
        return str(path)
