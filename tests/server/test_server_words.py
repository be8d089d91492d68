"""What the server says is wrong, and the words of its pages, stand in the catalogue in every language."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from fastapi.testclient import TestClient
from support.server_kit import BASE, serve, volume, zipped

from glioseg.errors import Fault
from glioseg.server.faults import as_dict, without_folder
from glioseg.server.page_words import words_script
from glioseg.words import LANGUAGES, catalogue

pytestmark = pytest.mark.usefixtures("quick_model")

ROOT = Path(__file__).parents[2] / "glioseg" / "server"
NAMES = {
    *("DICOM", "SEG", "zip", "Host", "Authorization", "Bearer", "multipart", "form", "data", "files"),
    *(
        "glioseg",
        "serve",
        "api",
        "models",
        "docs",
        "format",
        "nifti",
        "max",
        "upload",
        "memory",
        "host",
        "JSON",
        "true",
        "false",
        "MB",
        "port",
        "runs",
        "list",
        "strategy",
        "SCANS",
        "work",
        "info",
    ),
}
"""Words of Latin letters that Chinese sentences of the server have too."""
OWN = sorted(code for code in catalogue("en")["faults"] if code.startswith("server."))


def blanks(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("code", OWN)
def test_every_fault_of_the_server_is_said_in_chinese(code: str) -> None:
    english, chinese = (catalogue(language)["faults"][code] for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    for name, text in chinese.items():
        assert set(re.findall(r"[A-Za-z]{2,}", re.sub(r"\{\w+\}", "", text))) <= NAMES, (name, text)
        assert blanks(text) <= set().union(*map(blanks, english.values()))


def test_every_fault_of_the_server_occurs() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py"))
    assert [code for code in OWN if f'"{code}"' not in source] == []


def test_a_refusal_has_a_code_and_both_languages(tmp_path: Path) -> None:
    with TestClient(serve(tmp_path), base_url=BASE) as client:
        (fault,) = client.get("/api/scans/nobody").json()["faults"]
        assert fault["code"] == "server.no_scan"
        assert fault["where"] == fault["translations"]["zh"]["where"] == "/api/scans/nobody"
        assert fault["found"].startswith("no scan of this id")
        assert fault["translations"]["zh"]["found"].startswith("没有此扫描")

        two = zipped({"a_1.png": b"x"})
        form = [("files", ("a.zip", two)), ("files", ("b.zip", two))]
        (fault,) = client.post("/api/scans", files=form).json()["faults"]
        assert (fault["code"], fault["parameters"], fault["where"]) == (
            "server.several_archives",
            {"count": "2"},
            "a.zip",
        )
        assert fault["translations"]["zh"]["found"] == "2 个文件"

        heads = [("files", (name, volume(tmp_path, name).read_bytes())) for name in ("a.nii.gz", "b.nii.gz")]
        (fault,) = client.post("/api/scans", files=heads).json()["faults"]
        assert fault["parameters"] == {"count": "2", "scans": "a, b"}
        assert fault["translations"]["zh"]["where"] == "上传内容"

        (fault,) = client.get("/nowhere").json()["faults"]
        assert fault["code"] == "server.no_address"


def test_the_description_of_the_api_names_the_parts_of_a_fault(tmp_path: Path) -> None:
    with TestClient(serve(tmp_path), base_url=BASE) as client:
        described = client.get("/openapi.json").json()["components"]["schemas"]["FaultModel"]
    assert set(described["required"]) == set(as_dict(Fault("server.no_files")))


def test_the_folder_of_an_upload_is_never_shown_in_any_language(tmp_path: Path) -> None:
    folder = tmp_path / "secret"
    given = [
        Fault("server.no_runs_folder", folder),
        Fault("server.file_twice", folder / "a.nii"),
        Fault("archive.file_name", name=folder / "b.nii"),
    ]
    said = [as_dict(fault) for fault in without_folder(given, folder)]
    assert "secret" not in json.dumps(said)
    assert [each["where"] for each in said] == ["the upload", "a.nii", "an uploaded file"]
    assert [each["translations"]["zh"]["where"] for each in said] == ["上传内容", "a.nii", "上传的文件"]
    assert said[2]["parameters"] == {"name": "b.nii"}


def test_the_pages_load_their_words_from_the_catalogue(tmp_path: Path) -> None:
    with TestClient(serve(tmp_path), base_url=BASE) as client:
        reply = client.get("/static/js/words.js")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/javascript")
    assert reply.text == words_script()
    first, second = reply.text.splitlines()
    words = json.loads(first.removeprefix("export const WORDS = ").rstrip(";"))
    api = json.loads(second.removeprefix("export const API_WORDS = ").rstrip(";"))
    assert api == {"en": {}, "zh": catalogue("zh")["api"]}
    assert words["zh"]["flag_turned"] == catalogue("zh")["doubts"]["turned"]
    assert words["zh"].keys() == words["en"].keys()


def test_the_pages_use_no_word_that_is_not_there() -> None:
    known = catalogue("en")["page"]
    scripts = [path.read_text(encoding="utf-8") for path in (ROOT / "static" / "js").rglob("*.js")]
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "static").glob("*.html")]
    used = {key for text in scripts for key in re.findall(r'\bt\("(\w+)"', text)}
    used |= {key for text in pages for key in re.findall(r'data-t(?:-label)?="(\w+)"', text)}
    assert used
    assert used - set(known) == set()
