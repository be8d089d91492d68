"""What the tests of the server share: a quick model, and scans to upload."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glioseg.samples import sample_cases

if TYPE_CHECKING:
    from fastapi.testclient import TestClient

    from glioseg.server.app import Application

BASE = "http://127.0.0.1:8765"


def bright_flair_model(path: Path, sequence: str = "flair", sequences: Sequence[str] = ()) -> Path:
    """Write an ``.onnx`` file whose logit is four times a z-scored sequence (FLAIR) minus 1.5.

    Args:
        path: of the file.
        sequence: the one.
        sequences: what the network takes, if not the usual ones.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from glioseg.model.description import describe
    from glioseg.prepare import neighbour_channels
    from glioseg.recipe import load_recipe
    from glioseg.scan import CHANNELS

    own = tuple(sequences or CHANNELS)
    recipe = load_recipe("default", ["prepare.name=head", f"input.sequences={json.dumps(list(own))}"])
    names = neighbour_channels(own, recipe.input.neighbours)
    weights = np.zeros((1, len(names), 1, 1), np.float32)
    weights[0, own.index(sequence)] = 4
    graph = helper.make_graph(
        [helper.make_node("Conv", ["images", "weights", "bias"], ["logits"])],
        "bright_flair",
        [
            helper.make_tensor_value_info(
                "images", TensorProto.FLOAT, ["batch", len(names), "rows", "columns"]
            )
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1, "rows", "columns"])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.array([-6], np.float32), "bias"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, describe(recipe, {}))
    onnx.save(model, path)
    return path


def quick_weights(folder: Path) -> Path:
    """A folder of weights whose default is the quick model."""
    bright_flair_model(folder / "bright.onnx")
    index = {"bright": {"file": "bright.onnx", "summary": "for tests"}}
    (folder / "index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def slices_of_sample(folder: Path, first: int = 8, count: int = 4, masks: bool = True) -> list[Path]:
    """Copies of some slices of a bundled scan."""
    case = sample_cases()[0]
    copies = []
    for image, mask in list(zip(case.images, case.masks, strict=True))[first : first + count]:
        for path in (image, mask) if masks else (image,):
            assert path is not None
            copies.append(folder / path.name)
            copies[-1].write_bytes(path.read_bytes())
    return copies


def volume(folder: Path, name: str = "head.nii.gz", seed: int = 0) -> Path:
    """A NIfTI volume in an odd orientation with a bright ball in a grey head."""
    import nibabel

    generator = np.random.default_rng(seed)
    z, y, x = np.ogrid[:7, :40, :36]
    head = ((y - 20) / 17) ** 2 + ((x - 18) / 15) ** 2 < 1
    row, column = 12 + seed // 8, 12 + seed % 8  # another seed is another mask
    ball = ((z - 3) / 3) ** 2 + ((y - row) / 5) ** 2 + ((x - column) / 4) ** 2 < 1
    values = head * 100 + ball * 150 + generator.integers(0, 5, (7, 40, 36))
    affine = np.array([[0, 0, 4.0, 3], [1.1, 0, 0, -9], [0, -1.2, 0, 5], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(values.astype(np.int16).transpose(2, 1, 0), affine), folder / name)
    return folder / name


def serve(tmp_path: Path, **settings: Any) -> Application:
    from glioseg.server.app import create_app
    from glioseg.server.settings import Settings

    return create_app(Settings(corrected=tmp_path / "corrected", threads=1, **settings))


@contextmanager
def listening(application: Application) -> Iterator[tuple[str, Application]]:
    """The address of a server that really listens, as ``glioseg serve`` starts it."""
    import uvicorn

    from glioseg.server.connections import timed_protocol

    at = socket.create_server(("127.0.0.1", 0))
    http = timed_protocol(application.settings)
    server = uvicorn.Server(uvicorn.Config(application, log_level="error", access_log=False, http=http))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [at]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{at.getsockname()[1]}", application
    finally:
        server.should_exit = True
        thread.join(30)


def as_form(paths: list[Path]) -> list[tuple[str, tuple[str, bytes]]]:
    return [("files", (path.name, path.read_bytes())) for path in paths]


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def upload(client: TestClient, paths: list[Path]) -> dict[str, Any]:
    reply = client.post("/api/scans", files=as_form(paths))
    assert reply.status_code == 201, reply.text
    info: dict[str, Any] = reply.json()
    return info


def faults(reply: Any, status: int) -> str:
    """The text of a refusal, which never shows a path, a library's error or a stack trace."""
    assert reply.status_code == status, reply.text
    listed = reply.json()["faults"]
    assert listed
    sentences = {"where", "expected", "found", "cure"}
    for one in listed:
        assert set(one) == sentences | {"code", "parameters", "translations"}
        assert {language: set(said) for language, said in one["translations"].items()} == {"zh": sentences}
    text = str(reply.text)
    for secret in ("Traceback", "site-packages", "glioseg-serve-", "/tmp", 'File \\"'):
        assert secret not in text
    return text
