"""Corrections over the HTTP API: changed slices alone, revisions, labels of a truth, compressed replies."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from support.server_kit import BASE, as_form, faults, quick_weights, serve, upload, volume

from glioseg.errors import InputError
from glioseg.grid import Grid
from glioseg.measure.size import largest_diameter
from glioseg.scan import LESION, Segmentation
from glioseg.server.corrections import decode_slices


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder = tmp_path_factory.mktemp("server")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("glioseg.model.weights.WEIGHTS", quick_weights(folder))
        with TestClient(serve(folder), base_url=BASE) as running:
            yield running


@pytest.fixture
def segmented(client: TestClient, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A scan with the network's mask; ``numbers`` are those of the mask."""
    scan = upload(client, [volume(tmp_path)])
    address = f"/api/scans/{scan['id']}"
    yield {**scan, "address": address, "numbers": client.post(f"{address}/segment").json()}
    client.delete(address)


def code(slices: dict[int, np.ndarray[Any, Any]]) -> bytes:
    """The run-length code of some slices, by a loop over the voxels."""
    words: list[int] = []
    for position, labels in slices.items():
        runs: list[list[int]] = []
        for place, label in enumerate(labels.ravel().tolist()):
            if not label:
                continue
            if runs and runs[-1][0] + runs[-1][1] == place and runs[-1][2] == label:
                runs[-1][1] += 1
            else:
                runs.append([place, 1, label])
        words += [position, len(runs), *(number for run in runs for number in run)]
    return np.array(words, "<u4").tobytes()


def seen(client: TestClient, scan: dict[str, Any], layer: str = "predicted") -> np.ndarray[Any, Any]:
    """A mask as a view layer shows it, turned back to the order of the API."""
    content = client.get(f"{scan['address']}/view/{layer}").content[352:]
    return np.frombuffer(content, np.uint8).reshape(scan["shape"])[:, ::-1, ::-1]


@given(arrays(np.uint8, (3, 4, 5), elements=st.integers(0, 3)))
def test_what_is_coded_is_decoded(labels: np.ndarray[Any, Any]) -> None:
    names = {1: "a", 2: "b", 3: "c"}
    found = decode_slices(code({0: labels[0], 2: labels[2]}), (3, 4, 5), names)
    assert sorted(found) == [0, 2]
    np.testing.assert_array_equal(found[0], labels[0])
    np.testing.assert_array_equal(found[2], labels[2])


@given(st.binary(max_size=64))
def test_any_bytes_are_slices_or_refused(body: bytes) -> None:
    try:
        found = decode_slices(body, (3, 4, 5), LESION)
    except InputError:
        return
    assert all(labels.shape == (4, 5) and labels.max(initial=0) <= 1 for labels in found.values())


@pytest.mark.parametrize(
    "words",
    [
        [0],
        [0, 1, 3, 4],
        [40, 0],
        [0, 0, 0, 0],
        [0, 1, 0, 0, 1],
        [0, 1, 100_000, 2, 1],
        [0, 2, 5, 3, 1, 7, 1, 1],
        [0, 1, 5, 3, 2],
        [0, 4_000_000_000],
    ],
    ids=[
        "no count",
        "run cut",
        "no such slice",
        "slice twice",
        "empty run",
        "beyond the slice",
        "overlap",
        "unknown label",
        "too many runs",
    ],
)
def test_a_code_that_does_not_fit_changes_nothing(
    client: TestClient, segmented: dict[str, Any], words: list[int]
) -> None:
    before = seen(client, segmented)
    faults(client.patch(f"{segmented['address']}/mask", content=np.array(words, "<u4").tobytes()), 409)
    faults(client.patch(f"{segmented['address']}/mask", content=b"\0\0\0"), 409)
    np.testing.assert_array_equal(seen(client, segmented), before)
    assert client.get(segmented["address"]).json()["revision"] == segmented["numbers"]["revision"]


def test_changed_slices_are_replaced_and_taken_back(client: TestClient, segmented: dict[str, Any]) -> None:
    network = seen(client, segmented)
    painted = network[2].copy()
    painted[3:6, 1:4] = 1
    assert (painted != network[2]).any()
    reply = client.patch(f"{segmented['address']}/mask", content=code({2: painted}))
    numbers = reply.json()
    assert reply.status_code == 200
    assert numbers["corrected"]
    assert numbers["expected_dice"] is None
    expected = network.copy()
    expected[2] = painted
    np.testing.assert_array_equal(seen(client, segmented), expected)
    np.testing.assert_array_equal(seen(client, segmented, "network"), network)
    assert numbers["lesion_voxels"] == expected.sum()

    # with everything taken back it is the network's mask again, with what the network says of it
    back = client.patch(f"{segmented['address']}/mask", content=code({2: network[2]})).json()
    assert {**back, "revision": 0} == {**segmented["numbers"], "revision": 0}
    faults(client.post(f"{segmented['address']}/save"), 409)


def test_a_mask_that_was_changed_since_is_not_given_out(
    client: TestClient, segmented: dict[str, Any]
) -> None:
    address, revision = segmented["address"], segmented["numbers"]["revision"]
    empty = np.zeros(segmented["shape"][1:], np.uint8)
    same = {"revision": revision}
    assert client.get(f"{address}/mask", params=same).status_code == 200
    changed = client.patch(f"{address}/mask", params=same, content=code({27: empty})).json()
    for path in ("mask", "numbers", "outlines"):
        assert "server.mask_changed" in faults(client.get(f"{address}/{path}", params=same), 409)
    faults(client.post(f"{address}/save", params=same), 409)
    faults(client.patch(f"{address}/mask", params=same, content=code({27: empty})), 409)
    now = {"revision": changed["revision"]}
    assert client.get(f"{address}/mask", params=now).status_code == 200
    assert client.post(f"{address}/save", params=now).status_code == 201


def test_a_truth_with_several_labels_opens_and_its_labels_are_chosen(
    client: TestClient, tmp_path: Path
) -> None:
    head = volume(tmp_path)
    image = nibabel.load(head)
    labels = np.zeros(image.shape, np.uint8)  # type: ignore[attr-defined]
    labels[10:14, 10:14, 2] = 1
    labels[14:18, 10:14, 2] = 4
    path = tmp_path / "head_seg.nii.gz"
    nibabel.save(nibabel.Nifti1Image(labels, image.affine), path)  # type: ignore[attr-defined]
    scan = upload(client, [head, path])
    scan["address"] = f"/api/scans/{scan['id']}"
    told = [(each["value"], each["voxels"], each["chosen"]) for each in scan["truth_labels"]]
    assert told == [(1, 16, True), (4, 16, True)]
    assert (seen(client, scan, "true") > 0).sum() == 32
    chosen = client.put(f"{scan['address']}/truth", json={"labels": [4]}).json()
    assert [each["chosen"] for each in chosen["truth_labels"]] == [False, True]
    assert (seen(client, scan, "true") > 0).sum() == 16
    faults(client.put(f"{scan['address']}/truth", json={"labels": [2]}), 422)
    faults(client.put(f"{scan['address']}/truth", json={"labels": []}), 422)


def test_a_smoothed_truth_is_refused_and_one_label_offers_no_choice(
    client: TestClient, segmented: dict[str, Any], tmp_path: Path
) -> None:
    faults(client.put(f"{segmented['address']}/truth", json={"labels": [1]}), 409)
    head = volume(tmp_path, "other.nii.gz")
    image = nibabel.load(head)
    smooth = np.arange(np.prod(image.shape), dtype=np.uint32).reshape(image.shape) % 200  # type: ignore[attr-defined]
    path = tmp_path / "other_seg.nii.gz"
    nibabel.save(nibabel.Nifti1Image(smooth.astype(np.uint8), image.affine), path)  # type: ignore[attr-defined]
    faults(client.post("/api/scans", files=as_form([head, path])), 422)


@pytest.mark.parametrize("name", ["FLAIR.nii.gz", "T2_FLAIR.nii.gz", "head.nii.gz"])
def test_a_volume_alone_keeps_its_name(client: TestClient, tmp_path: Path, name: str) -> None:
    scan = upload(client, [volume(tmp_path, name)])
    assert scan["name"] == name.removesuffix(".nii.gz")


def test_the_largest_diameter_is_that_of_one_lesion() -> None:
    mask = np.zeros((2, 40, 40), bool)
    mask[0, 2:5, 2:6] = mask[0, 30:33, 30:34] = True  # 45 pixels apart
    mask[1, 10:12, 10:12] = True
    found, unit = largest_diameter(Segmentation.from_mask(mask, Grid((2, 40, 40))))
    assert (found, unit) == (5.0, "pixels")


def test_replies_and_the_page_go_out_compressed(client: TestClient, segmented: dict[str, Any]) -> None:
    paths = [
        "/",
        "/static/vendor/niivue/niivue.umd.js",
        "/static/js/main.js",
        "/static/js/words.js",
        "/openapi.json",
        f"{segmented['address']}/numbers",
        f"{segmented['address']}/view/flair",
        f"{segmented['address']}/view/predicted",
    ]
    for path in paths:
        reply = client.get(path, headers={"Accept-Encoding": "gzip"})
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        if len(plain.content) >= 1024:
            assert reply.headers["Content-Encoding"] == "gzip", path
            assert "Accept-Encoding" in reply.headers["Vary"]
        assert "Content-Encoding" not in plain.headers
        assert reply.content == plain.content
        assert reply.headers["Content-Security-Policy"] == plain.headers["Content-Security-Policy"]
    # what is compressed by its kind is left alone
    mask = client.get(f"{segmented['address']}/mask?format=nifti", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in mask.headers
    assert gzip.decompress(mask.content)
    pictures = client.get(f"{segmented['address']}/mask?format=png", headers={"Accept-Encoding": "gzip"})
    assert zipfile.is_zipfile(io.BytesIO(pictures.content))


def test_compressed_files_of_the_page_are_not_sent_twice(client: TestClient) -> None:
    path = "/static/vendor/niivue/niivue.umd.js"
    first = client.get(path, headers={"Accept-Encoding": "gzip"})
    assert int(first.headers["Content-Length"]) < 800_000
    headers = {"Accept-Encoding": "gzip", "If-None-Match": first.headers["ETag"]}
    assert client.get(path, headers=headers).status_code == 304


def test_the_lesions_are_those_of_the_mask_of_the_revision(
    client: TestClient, segmented: dict[str, Any]
) -> None:
    address, shape = segmented["address"], tuple(segmented["shape"])
    found = client.get(f"{address}/lesions").json()
    assert (found["count"], found["unit"]) == (1, "mm")
    (lesion,) = found["lesions"]
    assert lesion["volume"] == segmented["numbers"]["lesion_mm3"]
    assert lesion["diameters"][0] == segmented["numbers"]["largest_diameter"]
    mask = np.zeros(shape, np.uint8)
    mask[1, 2:5, 1:6] = mask[4, 20:22, 2:4] = 1
    revision = client.put(f"{address}/mask", content=mask.tobytes()).json()["revision"]
    found = client.get(f"{address}/lesions", params={"revision": revision}).json()
    assert [each["voxels"] for each in found["lesions"]] == [15, 4]
    assert all(mask[tuple(each["place"])] for each in found["lesions"])
    faults(client.get(f"{address}/lesions", params={"revision": revision - 1}), 409)
    client.put(f"{address}/mask", content=bytes(mask.size))
    assert client.get(f"{address}/lesions").json()["lesions"] == []


def test_a_scan_without_a_mask_has_no_list_of_lesions(client: TestClient, tmp_path: Path) -> None:
    scan = upload(client, [volume(tmp_path)])
    faults(client.get(f"/api/scans/{scan['id']}/lesions"), 409)
    client.delete(f"/api/scans/{scan['id']}")
