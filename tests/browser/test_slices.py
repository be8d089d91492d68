"""What the picture shows are the voxels of the scan, of every type, in the window that is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from .conftest import ready, welcome
from .test_viewer import open_sample

SHADES = """(places) => {
    const { nv, lines } = gliosegView;
    gliosegView.draw();
    const ratio = nv.canvas.width / nv.canvas.clientWidth;
    return places.map((voxel) => {
        const [x, y] = gliosegView.screenOf(voxel.map((each) => each + 0.5), 0);
        const shade = new Uint8Array(4);
        const row = nv.canvas.height - 1 - Math.floor(y * ratio);
        nv.gl.readPixels(Math.floor(x * ratio), row, 1, 1, nv.gl.RGBA, nv.gl.UNSIGNED_BYTE, shade);
        return [...shade];
    });
}"""


def scan_of(kind: str, folder: Path) -> Path:
    """A head of blocks of 6 voxels, each of one brightness, that the type can hold and others cannot."""
    import nibabel

    blocks = np.random.default_rng(3).uniform(0, 1, (6, 6, 5))
    values = blocks.repeat(6, 0).repeat(6, 1)
    scale, offset = {"u1": (255, 0), "i2": (3000, -1000), "u2": (60_000, 0), "f4": (7.5, -2.5)}[kind]
    path = folder / f"{kind}.nii.gz"
    image = nibabel.Nifti1Image((values * scale + offset).astype(kind), np.diag([1, 1, 2, 1]))
    nibabel.save(image, path)  # type: ignore[attr-defined]
    return path


@pytest.mark.slow
def test_every_type_of_voxels_is_drawn_in_its_window(make_page: Any, server: Any, tmp_path: Path) -> None:
    page = make_page()
    welcome(page)
    for kind in ("u1", "i2", "u2", "f4"):
        page.set_input_files("#files", scan_of(kind, tmp_path))
        ready(page)
        page.uncheck("#show-predicted")
        page.evaluate("gliosegView.setSlice(2)")
        scan = server.application.service.store.get(page.evaluate("gliosegView.scan.id")).scan
        # as the picture stores them: rows from the back, columns from the left of the patient
        values = scan.channel("flair")[2, ::-1, ::-1].astype(float)
        assert values.dtype != scan.voxels.dtype
        assert scan.voxels.dtype == np.dtype(kind)
        places = [[x, y, 2] for y in range(3, 36, 6) for x in range(3, 36, 6)]
        expected = np.array([values[y, x] for x, y, _ in places])
        for low, high in ((expected.min(), expected.max()), tuple(np.quantile(expected, (0.3, 0.6)))):
            page.evaluate("([low, high]) => gliosegView.setWindow(low, high)", [low, high])
            shades = np.array(page.evaluate(SHADES, places))
            np.testing.assert_allclose(
                shades[:, 0], 255 * np.clip((expected - low) / (high - low), 0, 1), atol=1.5, err_msg=kind
            )
            assert (shades[:, :3] == shades[:, :1]).all()
        page.click("#close-scan")
    page.close()


def test_a_drag_changes_the_window_by_shares_of_it(make_page: Any, tmp_path: Path) -> None:
    """Also where values are small: one step of NiiVue's own is a whole number."""
    page = make_page()
    welcome(page)
    page.set_input_files("#files", scan_of("f4", tmp_path))
    ready(page)
    before = page.evaluate("gliosegView.window.high - gliosegView.window.low")
    page.hover("#gl")
    page.mouse.down()
    page.mouse.move(700, 440, steps=5)
    page.mouse.up()
    after = page.evaluate("gliosegView.window.high - gliosegView.window.low")
    assert 0.2 < after / before < 5
    assert after != before


def test_three_colours_and_the_probability_are_drawn(make_page: Any, server: Any) -> None:
    page = make_page()
    open_sample(page)
    page.uncheck("#show-predicted")
    page.uncheck("#show-true")
    scan = server.application.service.store.get(page.evaluate("gliosegView.scan.id"))
    position = page.evaluate("gliosegView.slice")
    probability = scan.probability[position, ::-1, ::-1]
    y, x = np.unravel_index(probability.argmax(), probability.shape)
    page.keyboard.press("4")
    page.wait_for_timeout(300)
    place = [int(x), int(y), position]
    (before,) = page.evaluate(SHADES, [place])
    page.evaluate("gliosegView.setHeat(true, 1)")
    (after,) = page.evaluate(SHADES, [place])
    assert probability.max() > 0.99
    drawn = page.evaluate("getComputedStyle(document.querySelector('.scale')).backgroundImage")
    end = [int(part) for part in drawn.rpartition("rgb(")[2].rstrip(")").split(",")]
    assert np.abs(np.array(after[:3]) - end).max() < 12, "the end of the scale beside the picture"
    assert before[:3] != after[:3]
    outside = [1, 1, position]
    assert page.evaluate(SHADES, [outside])[0][:3] == [0, 0, 0]
