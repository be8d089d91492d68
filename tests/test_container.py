"""The container: what it copies is there, its commands run in a new environment, and its program answers."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTAINERFILE, APPTAINER = ROOT / "Containerfile", ROOT / "glioseg.def"
SCAN = "glioseg/samples/kaggle_3m/TCGA_HT_7692_19960724"

pytestmark = pytest.mark.skipif(not CONTAINERFILE.is_file(), reason="needs a clone")


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Containerfile with what follows it, continued lines joined."""
    text = re.sub(r"^#.*\n", "", CONTAINERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [(line.split()[0], line.split(maxsplit=1)[1].strip()) for line in lines if line.strip()]


def section(name: str) -> list[str]:
    """The lines of a section of the Apptainer definition."""
    text = APPTAINER.read_text(encoding="utf-8")
    found = re.search(rf"^%{name}\n((?:    .*\n|\n)*)", text, re.MULTILINE)
    assert found is not None, name
    return [line.strip() for line in found[1].splitlines() if line.strip()]


def copied() -> list[str]:
    """What the Containerfile copies from the repository."""
    given = [text for kind, text in instructions() if kind == "COPY" and not text.startswith("--from")]
    return [name for text in given for name in text.split()[:-1]]


def test_what_is_copied_is_there_and_is_all_that_the_package_needs() -> None:
    assert all((ROOT / name).exists() for name in copied())
    assert {"pyproject.toml", "constraints.txt", "glioseg", "README.md", "LICENSE"} < set(copied())
    assert [line.split()[0] for line in section("files")] == copied()


def test_both_definitions_install_in_the_same_way() -> None:
    commands = [text for kind, text in instructions() if kind == "RUN" and "useradd" not in text]
    post = section("post")[1:-1]
    assert [text.replace("${EXTRAS:+[$EXTRAS]}", "[{{ EXTRAS }}]") for text in commands] == post
    extras = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in section("arguments")[0].removeprefix("EXTRAS=").split(","):
        assert re.search(rf"^{extra} = \[", extras, re.MULTILINE), extra


def test_it_runs_as_a_user_without_rights_and_starts_the_program() -> None:
    by_kind = dict(instructions())
    assert by_kind["USER"] not in ("0", "root")
    assert json.loads(by_kind["ENTRYPOINT"]) == ["glioseg"]
    assert section("runscript") == ['exec glioseg "$@"']
    kinds = [kind for kind, _ in instructions()]
    assert kinds.index("USER") > len(kinds) - kinds[::-1].index("RUN") - 1, (
        "nothing is installed as that user"
    )


def builder() -> str | None:
    """A program here that can build it now."""
    for name in ("podman", "docker"):
        if shutil.which(name) and subprocess.run([name, "info"], capture_output=True).returncode == 0:
            answer = subprocess.run([name, "info"], capture_output=True, text=True)
            if "Cannot connect" not in answer.stdout + answer.stderr:
                return name
    return None


@pytest.mark.slow
@pytest.mark.skipif(builder() is None, reason="needs podman, or docker with its service")
@pytest.mark.parametrize("extras", ["", "serve,dicom,cluster"])
def test_the_image_segments_a_scan_offline(tmp_path: Path, extras: str) -> None:
    program, tag = str(builder()), f"glioseg-test:{'all' if extras else 'core'}"
    build = [program, "build", "-f", str(CONTAINERFILE), "-t", tag, "--build-arg", f"EXTRAS={extras}"]
    subprocess.run([*build, str(ROOT)], check=True)
    tmp_path.chmod(0o777)
    mounted = ["-v", f"{tmp_path}:/work", "-v", f"{ROOT / SCAN}:/scan:ro"]
    run = [program, "run", "--rm", "--network", "none", *mounted, tag]
    done = subprocess.run([*run, "predict", "/scan", "-o", "out"], capture_output=True, text=True, check=True)
    assert "3453 voxels" in done.stdout
    assert (tmp_path / "out" / "summary.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("extras", ["", "serve,dicom,cluster"])
def test_its_commands_run_in_a_new_environment(tmp_path: Path, extras: str) -> None:
    """What a builder would do, without one: other paths, and the network is out of reach at run time."""
    source, home = tmp_path / "source", tmp_path / "opt"
    source.mkdir()
    for name in copied():
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, source / name)
    environment = {
        **{name: os.environ[name] for name in os.environ if name.startswith(("PIP_", "LANG", "SSL_"))},
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "no-home"),
        "EXTRAS": extras,
    }
    for kind, text in instructions():
        if kind == "RUN" and "useradd" not in text:
            command = text.replace("/opt/glioseg", shlex.quote(str(home)))
            subprocess.run(["sh", "-ec", command], cwd=source, env=environment, check=True)
    nowhere = "http://127.0.0.1:9"
    offline = {
        "PATH": f"{home / 'bin'}:/usr/bin:/bin",
        "GLIOSEG_CACHE": str(tmp_path / "cache"),
        "MPLCONFIGDIR": str(tmp_path / "matplotlib"),
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere),
    }
    entry = json.loads(dict(instructions())["ENTRYPOINT"])
    run = [str(home / "bin" / entry[0])]
    options = {"cwd": tmp_path, "env": offline, "capture_output": True, "text": True}
    done = subprocess.run([*run, "predict", str(ROOT / SCAN), "-o", "out"], check=True, **options)
    assert "3453 voxels" in done.stdout
    needs = {"serve": "fastapi", "dicom": "highdicom", "cluster": "distributed"}
    modules = ", ".join(needs[extra] for extra in extras.split(",") if extra) or "glioseg"
    subprocess.run([str(home / "bin" / "python"), "-c", f"import {modules}"], check=True, **options)
    absent = subprocess.run(
        [*run, "predict", str(ROOT / SCAN), "--dask", "tcp://127.0.0.1:9"], check=False, **options
    )
    assert absent.returncode == 2
    assert ("'cluster'" in absent.stderr) == (extras == "")
