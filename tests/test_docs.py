"""The documentation: its code runs on the bundled scans, its commands exist, its links lead somewhere.

Blocks marked ``python`` and ``console`` run, page by page, in an empty folder, in the order in which they
stand; of a ``console`` block each line that follows a command has to be among what the command prints. Blocks
marked ``sh`` need data or a server that tests do not have: their ``glioseg`` commands are parsed.
"""

from __future__ import annotations

import pkgutil
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import typer

from glioseg.cli import app
from glioseg.recipe import load_recipe
from glioseg.scan import Scan

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(
    [
        *DOCS.glob("*.md"),
        *(
            page
            for room in ("tutorials", "how-to", "reference", "explanations")
            for page in (DOCS / room).glob("*.md")
        ),
        ROOT / "CONTRIBUTING.md",
    ]
)
WITH_LINKS = sorted(
    page
    for page in [
        *ROOT.glob("*.md"),
        *DOCS.rglob("*.md"),
        *(ROOT / "glioseg").rglob("*.md"),
        ROOT / "benchmarks" / "README.md",
    ]
    if "site" not in page.parts
)

RUNNER = r"""
import shlex
from support.verb import call

def console(text):
    printed = ""
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            program, *words = shlex.split(line[2:])
            assert program == "glioseg", f"only glioseg runs here: {line}"
            code, printed = call(*words)
            assert code == 0, f"{line}\n{printed}"
        else:
            assert line.strip() in printed, f"not printed: {line}\n{printed}"
"""


class Block(NamedTuple):
    """A block of code of a page."""

    kind: str
    text: str
    line: int


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    return [Block(each[1], each[2], text.count("\n", 0, each.start()) + 2) for each in found]


RUNNING = [page for page in PAGES if any(block.kind in ("python", "console") for block in blocks(page))]
SHOWN = [
    (page.name, line.split(" #")[0].strip())
    for page in PAGES
    for block in blocks(page)
    if block.kind == "sh"
    for line in block.text.splitlines()
    if line.startswith("glioseg ")
]


@pytest.mark.parametrize("page", RUNNING, ids=lambda page: page.stem)
def test_code_runs_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    script = [RUNNER, "space = {'__name__': '__main__'}"]
    for block in blocks(page):
        if block.kind == "python":
            place = f"{page.name}, line {block.line}"
            script.append(f"exec(compile({block.text!r}, {place!r}, 'exec'), space)")
        elif block.kind == "console":
            script.append(f"console({block.text!r})")
    done = _python("\n".join(script), tmp_path)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_example_of_the_readme_runs(
    name: str, tmp_path: Path, labelled: dict[str, tuple[Scan, object]]
) -> None:
    import nibabel
    import numpy as np

    scan, _ = labelled["TCGA_CS_4944_20010208"]
    flair = np.asarray(scan.channel("flair").transpose(2, 1, 0), np.float32)
    nibabel.save(nibabel.Nifti1Image(flair, np.diag([-1.0, -1.0, 3.0, 1.0])), tmp_path / "scan.nii.gz")
    (example,) = [block.text for block in blocks(ROOT / name) if block.kind == "python"]
    done = _python(example, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()


def _python(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"import sys; sys.path.append({str(ROOT / 'tests')!r})\n{code}"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


def test_tutorials_are_run() -> None:
    assert {page for page in PAGES if page.parent.name == "tutorials"} <= set(RUNNING)


@pytest.mark.parametrize(("page", "command"), SHOWN)
def test_command_is_understood(page: str, command: str) -> None:
    verb, *rest = shlex.split(command)[1:]
    group = typer.main.get_command(app)
    context = group.make_context("glioseg", ["--help"], resilient_parsing=True)
    known = group.get_command(context, verb)  # type: ignore[attr-defined]
    assert known is not None
    options = {option for parameter in known.params for option in parameter.opts}
    assert {word for word in rest if word.startswith("-")} <= options
    settings = [value for word, value in pairwise(rest) if word == "--set"]
    recipes = [value for word, value in pairwise(rest) if word == "--recipe"]
    if not any(recipe.endswith(".toml") for recipe in recipes):
        load_recipe((recipes or ["default"])[0], settings)


def test_settings_are_toml() -> None:
    for page in PAGES:
        for block in blocks(page):
            if block.kind == "toml":
                tomllib.loads(block.text)


def test_earlier_models_can_be_trained_again_as_the_log_says() -> None:
    log = (DOCS / "model-log.md").read_text(encoding="utf-8")
    for line in re.findall(r"^\* `lgg-lite0-v\d`:.*$", log, re.MULTILINE):
        load_recipe("default", re.findall(r"--set ([^\s`]+)", line))


@pytest.mark.parametrize("page", WITH_LINKS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_what_is_linked_is_there(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    inside = [
        target.split("#")[0] for target in targets if "://" not in target and not target.startswith("#")
    ]
    assert [target for target in inside if not (page.parent / target).exists()] == []


def test_no_report_holds_its_pictures_twice() -> None:
    assert [page for page in DOCS.rglob("*.html") if "data:image" in page.read_text(encoding="utf-8")] == []


def test_names_of_the_architecture_page_exist() -> None:
    names = re.findall(r"`(glioseg\.[\w.]+)`", (DOCS / "architecture.md").read_text(encoding="utf-8"))
    assert len(names) > 30
    assert [name for name in names if not _exists(name)] == []


def _exists(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True
