"""What a person says of rows of the work list: that one does not belong there, or which series is meant."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from support import dicom_kit
from support.patients_kit import small_patient
from support.server_kit import faults, quick_weights
from support.worklist_kit import corrected, masks_of, rows, running

from glioseg.errors import InputError


@pytest.fixture(autouse=True)
def quick(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glioseg.model.weights.WEIGHTS", quick_weights(tmp_path_factory.mktemp("weights")))


def put(client: TestClient, row: dict[str, Any], what: str, **body: Any) -> dict[str, Any]:
    reply = client.put(f"/api/worklist/{row['key']}/{what}", json=body)
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def test_a_row_is_removed_and_comes_back_with_its_corrections(tmp_path: Path) -> None:
    study = tmp_path / "study"
    files = [next(small_patient(study, name, seed * 5).iterdir()) for seed, name in enumerate(("ann", "bob"))]
    before = [file.read_bytes() for file in files]
    with running(tmp_path, study) as (client, _):
        found = rows(client)
        _, mask = corrected(client, found["ann"])
        version = client.get("/api/worklist").json()["version"]
        assert put(client, found["ann"], "removed", removed=True)["status"] == "removed"
        news = client.get("/api/worklist", params={"since": version}).json()
        assert [(row["name"], row["status"]) for row in news["rows"]] == [("ann", "removed")]
        assert news["total"] == 1
        assert "ann" not in client.get("/api/worklist/csv").text
        assert masks_of(client, tmp_path / "masks").keys() == {"bob_mask.tif"}
    with running(tmp_path, study) as (client, _):
        found = rows(client)
        assert found["ann"]["status"] == "removed"
        assert put(client, found["ann"], "removed", removed=False)["status"] == "corrected"
        np.testing.assert_array_equal(masks_of(client, tmp_path / "again")["ann_mask.tif"], mask)
    assert [file.read_bytes() for file in files] == before
    (tmp_path / "work" / "choices.json").write_text("{}")
    with pytest.raises(InputError, match=r"choices\.json"), running(tmp_path, study):
        pass


def two_flairs(folder: Path, *names: str) -> None:
    """A study whose series have their bright spot each at another place."""
    for place, name in enumerate(names):
        voxels = np.zeros((32, 32, 4), np.uint16)
        voxels[3:29, 3:29] = 100
        voxels[8 + 8 * place : 12 + 8 * place, 10:14, 1:3] = 300
        dicom_kit.series(folder / f"s{place}", voxels, name=name, study=folder.name)


def test_the_series_of_a_study_is_chosen_in_its_row(tmp_path: Path) -> None:
    two_flairs(tmp_path / "study" / "ann", "AX FLAIR", "AX FLAIR repeated")  # nothing says which is meant
    two_flairs(tmp_path / "study" / "bob", "AX FLAIR", "Sequence B")
    with running(tmp_path, tmp_path / "study") as (client, _):
        found = rows(client)
        assert [found[name]["status"] for name in ("ann", "bob")] == ["failed", "segmented"]
        picture = found["bob"]["thumbnail"]
        drawn = client.get(picture).content
        assert found["ann"]["faults"][0]["code"] == "dicom.several_series"
        keys = {name: {each["name"]: each["key"] for each in row["series"]} for name, row in found.items()}
        assert all(len(each) == 2 for each in keys.values())
        first = client.post(f"/api/worklist/{found['bob']['key']}/open").json()
        corrected(client, found["bob"])
        put(client, found["bob"], "series", series=[f"flair={keys['bob']['Sequence B']}", "pre=none"])
        put(client, found["ann"], "series", series=[f"flair={keys['ann']['AX FLAIR repeated']}"])
        faults(
            client.put(f"/api/worklist/{found['bob']['key']}/series", json={"series": ["flair=other"]}), 422
        )
        faults(client.put(f"/api/worklist/{found['bob']['key']}/series", json={"series": ["b=other"]}), 422)
        assert client.get(f"/api/scans/{first['id']}").status_code == 404
        found = rows(client)
        assert [found[name]["status"] for name in ("ann", "bob")] == ["segmented"] * 2
        # browsers keep a picture by its address: that of the series before must not stand beside this mask
        assert found["bob"]["thumbnail"] != picture
        assert client.get(found["bob"]["thumbnail"]).content != drawn
        taken = {each["name"]: each["sequence"] for each in found["bob"]["series"]}
        assert taken == {"AX FLAIR": None, "Sequence B": "flair"}
        numbers = {name: found[name]["lesion_voxels"] for name in found}
        scan = client.post(f"/api/worklist/{found['bob']['key']}/open").json()
        content = client.get(f"/api/scans/{scan['id']}/view/predicted").content[352:]
        mask = np.frombuffer(content, np.uint8).reshape(scan["shape"])
        assert mask.sum() == numbers["bob"] > 0
        assert len(list((tmp_path / "work" / "rows").glob("*-before-*"))) == 1, "corrections are set aside"
    said = json.loads((tmp_path / "work" / "choices.json").read_text())
    assert said["series"].keys() == {row["key"] for row in found.values()}
    with running(tmp_path, tmp_path / "study") as (client, _):
        again = rows(client)
        assert {name: again[name]["lesion_voxels"] for name in again} == numbers
        scan = client.post(f"/api/worklist/{again['bob']['key']}/open").json()
        content = client.get(f"/api/scans/{scan['id']}/view/predicted").content[352:]
        np.testing.assert_array_equal(np.frombuffer(content, np.uint8).reshape(scan["shape"]), mask)
