"""The variants of a model that ships are models of the server, each under a name of its own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from support.server_kit import faults, serve, slices_of_sample, upload

from glioseg.cli import app
from glioseg.errors import InputError
from glioseg.io import read_scan
from glioseg.model.predictor import load_model
from glioseg.model.weights import WEIGHTS, model_summaries


def test_a_scan_is_segmented_by_the_variant_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glioseg.model.weights.WEIGHTS", WEIGHTS)
    (name,) = model_summaries()
    fast, best = f"{name}:fast", f"{name}:best"
    (tmp_path / "scan").mkdir()
    paths = slices_of_sample(tmp_path / "scan", masks=False)
    with TestClient(serve(tmp_path / "server", model="default:fast"), "http://127.0.0.1") as client:
        listed = client.get("/api/models").json()
        assert listed["gliomas"]
        models = {one["name"]: one for one in listed["models"]}
        assert {"default", name, fast, best} <= set(models)
        assert [key for key, one in models.items() if one["in_use"]] == ["default", fast]
        address = f"/api/scans/{upload(client, paths)['id']}"
        for model, plain in (("default", fast), (best, best), (name, name)):
            assert client.post(f"{address}/segment", json={"model": model}).status_code == 200
            made = client.get(f"{address}/numbers").json()["lesion_voxels"]
            mask = load_model(plain, threads=1)(read_scan(tmp_path / "scan")).segmentation.mask
            assert made == np.count_nonzero(mask), model
        faults(client.post(f"{address}/segment", json={"model": "default:slow"}), 404)


def test_one_cannot_have_both(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        app(["serve", "--fast", "--best", "--no-open"], standalone_mode=False)
    assert caught.value.faults[0].code == "model.fast_and_best"
    with pytest.raises(InputError):
        serve(tmp_path, model="nothing:fast")
