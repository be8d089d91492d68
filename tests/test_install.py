"""The command that installs an extra works from where the person is."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import pytest

import glioseg
from glioseg import install
from glioseg.errors import InputError, require_extra
from glioseg.install import install_command

CLONE = Path(glioseg.__file__).resolve().parent.parent


class Distribution:
    """What pip has recorded of an installed copy."""

    requires = ('torch>=2.8; extra == "train"', "fastapi>=0.115; extra == 'serve'", "numpy>=2.0")

    def __init__(self, source: object) -> None:
        self.source = source

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return None if self.source is None else json.dumps(self.source)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as it lies in a folder of installed packages."""
    package = tmp_path / "site-packages" / "glioseg"
    package.mkdir(parents=True)
    monkeypatch.setattr(install, "__file__", str(package / "install.py"))
    return package


def installed_from(source: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda name: Distribution(source))


def test_in_a_clone_it_names_the_clone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not (CLONE / "pyproject.toml").is_file():
        pytest.skip("needs a clone")
    monkeypatch.chdir(CLONE)
    assert install_command("train") == 'pip install -e ".[train]"'
    monkeypatch.chdir(tmp_path)
    assert install_command("train") == f'pip install -e "{CLONE}[train]"'
    with pytest.raises(InputError) as caught:
        require_extra("train", "no_such_module")
    assert caught.value.faults[0].cure == f'Install it: pip install -e "{CLONE}[train]"'


def test_of_a_copy_it_names_the_folder_that_was_installed_from(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "with space"
    folder.mkdir()
    installed_from({"url": folder.as_uri(), "dir_info": {}}, monkeypatch)
    assert install_command("train") == f'pip install "{folder}[train]"'
    folder.rmdir()
    assert install_command("train") == 'pip install "torch>=2.8"'


def test_of_a_copy_from_a_repository_it_names_the_commit(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {"url": "https://example.org/glioseg.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}}
    installed_from(facts, monkeypatch)
    assert install_command("serve") == (
        'pip install "glioseg[serve] @ git+https://example.org/glioseg.git@abc"'
    )


@pytest.mark.parametrize("source", [None, {}, [], {"url": 3}, "text"])
def test_where_nothing_is_known_it_lists_what_the_extra_needs(
    copy: Path, source: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed_from(source, monkeypatch)
    assert install_command("serve") == 'pip install "fastapi>=0.115"'


def test_a_package_that_was_never_installed(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "distribution", missing)
    assert install_command("serve") == 'pip install "glioseg[serve]"'
