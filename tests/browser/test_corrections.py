"""Corrections as a person makes them: nothing is lost, and what is downloaded is what is drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.server_kit import volume

from glioseg.io import read_segmentation

from .conftest import FLAGS, PATIENCE, keep, ready, refused, serving, until, welcome
from .test_viewer import SAMPLE, downloaded_mask, lesion_voxels, open_sample

SHAPE = (len(SAMPLE.images), 256, 256)


@pytest.fixture
def own(tmp_path: Path, weights: Path) -> Iterator[Any]:
    """A server that a test may stop and start again: it has ``address``, ``stop()`` and ``start()``."""

    class Own:
        def __init__(self) -> None:
            self.port, self.entered = 0, None

        def start(self) -> None:
            self.entered = serving(self.port, corrected=tmp_path / "corrected")
            running = self.entered.__enter__()
            self.address, self.application = running.address, running.application
            self.port = int(self.address.rsplit(":", 1)[1])

        def stop(self) -> None:
            if self.entered is not None:
                self.entered.__exit__(None, None, None)
                self.entered = None

        def forget(self) -> None:
            """What an idle hour does."""
            store = self.application.service.store
            for id in list(store._entries):
                store.drop(id)

    made = Own()
    made.start()
    yield made
    made.stop()


def drawn(page: Any, shape: tuple[int, int, int] = SHAPE) -> np.ndarray[Any, Any]:
    """The mask on the page, in the order of a file."""
    runs = page.evaluate("""() => {
        const mask = gliosegView.nv.drawBitmap, runs = [];
        for (let at = mask.indexOf(1); at >= 0; ) {
            let end = at;
            while (mask[end] === 1) end++;
            runs.push([at, end]);
            at = mask.indexOf(1, end);
        }
        return runs;
    }""")
    mask = np.zeros(int(np.prod(shape)), bool)
    for start, end in runs:
        mask[start:end] = True
    return mask.reshape(shape)[:, ::-1, ::-1]


def stroke(page: Any, at: float = 0.9, steps: int = 3, release: bool = True) -> None:
    """Draw a short line across the middle, so far down the picture."""
    stage = page.locator("#gl").bounding_box()
    x, y = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] * at
    page.mouse.move(x - 25, y)
    page.mouse.down()
    page.mouse.move(x + 25, y, steps=steps)
    if release:
        page.mouse.up()


def settled(page: Any) -> None:
    """Wait until the server has what is drawn."""
    page.wait_for_selector("#panel[data-sync=idle]", timeout=PATIENCE)


def brush(page: Any, at: float = 0.9) -> None:
    page.keyboard.press("b")
    stroke(page, at)
    settled(page)


def download(page: Any, folder: Path, word: str = "dl_nifti") -> np.ndarray[Any, Any]:
    with page.expect_download() as waiting:
        page.click(f"[data-t={word}]")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return read_segmentation(path).voxels > 0


@pytest.mark.slow
def test_undo_redo_and_back_to_the_networks_mask(make_page: Any, tmp_path: Path) -> None:
    page = make_page()
    open_sample(page)
    for button in ("#undo", "#redo", "#to-network", "#save"):
        assert page.is_disabled(button)
    assert page.inner_text(".check.red span") == "Predicted outline"
    masks = [drawn(page)]
    page.keyboard.press("b")
    for at in (0.86, 0.9, 0.94):
        stroke(page, at)
        masks.append(drawn(page))
    settled(page)
    assert page.inner_text(".check.red span") == "Corrected outline"
    assert len({mask.tobytes() for mask in masks}) == 4
    keep(page, "corrections")

    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(drawn(page), masks[2])
    page.click("#undo")
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(drawn(page), masks[0])
    assert page.is_disabled("#undo")
    page.keyboard.press("Control+z")  # there is nothing more
    np.testing.assert_array_equal(drawn(page), masks[0])
    settled(page)
    assert page.inner_text(".check.red span") == "Predicted outline"
    assert page.inner_text("tr[data-number=expected_dice] td") != "–"

    page.keyboard.press("Control+Shift+z")
    page.keyboard.press("Control+y")
    page.click("#redo")
    np.testing.assert_array_equal(drawn(page), masks[3])
    assert page.is_disabled("#redo")
    page.keyboard.press("Control+z")
    stroke(page, 0.8)  # something new: the third stroke cannot come back
    assert page.is_disabled("#redo")
    after = drawn(page)

    page.click("#to-network")
    np.testing.assert_array_equal(drawn(page), masks[0])
    settled(page)
    assert page.is_disabled("#to-network")
    assert page.is_disabled("#save")
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(drawn(page), after)
    np.testing.assert_array_equal(downloaded_mask(page, tmp_path) > 0, after)


@pytest.mark.slow
def test_fifty_strokes_fifty_undos_fifty_redos_reload_and_restart(
    make_page: Any, own: Any, tmp_path: Path
) -> None:
    page = make_page(base_url=own.address)
    open_sample(page)
    network = drawn(page)
    page.keyboard.press("b")
    masks = [network]
    for number in range(50):
        erases = number % 5 == 4  # half of the line before it
        page.keyboard.press("be"[erases])
        page.evaluate("z => gliosegView.setSlice(z)", (number - erases) % SHAPE[0])
        stroke(page, 0.2 + 0.012 * number - 0.006 * erases, steps=2)
        masks.append(drawn(page))
        assert not np.array_equal(masks[-1], masks[-2]), "a stroke that changes nothing is no step"
    settled(page)
    for expected in masks[-2::-1]:
        page.keyboard.press("Control+z")
        np.testing.assert_array_equal(drawn(page), expected)
    assert page.is_disabled("#undo")
    for expected in masks[1:]:
        page.keyboard.press("Control+Shift+z")
        np.testing.assert_array_equal(drawn(page), expected)
    assert page.is_disabled("#redo")
    np.testing.assert_array_equal(download(page, tmp_path), masks[-1])

    page.reload()
    ready(page)
    np.testing.assert_array_equal(drawn(page), masks[-1])
    np.testing.assert_array_equal(download(page, tmp_path), masks[-1])
    page.keyboard.press("Control+z")
    np.testing.assert_array_equal(drawn(page), masks[-2])

    settled(page)
    own.stop()
    own.start()
    page.reload()
    ready(page)
    np.testing.assert_array_equal(drawn(page), masks[-2])
    np.testing.assert_array_equal(download(page, tmp_path), masks[-2])
    for _ in range(len(masks) - 2):
        page.keyboard.press("Control+z")
    np.testing.assert_array_equal(drawn(page), network)
    settled(page)
    np.testing.assert_array_equal(download(page, tmp_path), network)
    page.close()  # it would ask for lesions when the server has gone
    make_page.wrong.clear()  # the browser's own line about the scan that the new server did not know


@pytest.mark.slow
def test_an_uploaded_scan_survives_runs_and_back_and_a_restart_under_the_page(
    make_page: Any, own: Any, tmp_path: Path
) -> None:
    page = make_page(base_url=own.address)
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    welcome(page)
    page.set_input_files("#files", volume(tmp_path))
    ready(page)
    shape = tuple(page.evaluate("[gliosegView.count, gliosegView.height, gliosegView.width]"))
    brush(page, 0.5)
    expected = drawn(page, shape)
    assert page.is_enabled("#undo")

    page.click("[data-t=runs]")
    assert asked == ["beforeunload"]  # it is kept, but nowhere saved
    page.wait_for_selector("html[data-ready]")
    page.go_back()
    ready(page)
    assert page.inner_text("#scan-name") == "head"
    np.testing.assert_array_equal(drawn(page, shape), expected)

    own.stop()
    own.start()
    brush(page, 0.7)  # the server knows nothing of the scan: it gets scan and corrections again
    expected = drawn(page, shape)
    found = download(page, tmp_path)
    assert found.sum() == expected.sum()
    assert page.inner_text("tr[data-number=lesion_volume] td") != ""
    make_page.wrong.clear()  # the browser's own line about the scan that was gone


@pytest.mark.slow
def test_the_idle_hour_costs_nothing(make_page: Any, own: Any, tmp_path: Path) -> None:
    page = make_page(base_url=own.address)
    open_sample(page)
    brush(page)
    own.forget()
    page.keyboard.press("2")  # a sequence that had not been loaded
    until(lambda: page.evaluate("gliosegView.channel") == "pre")
    own.forget()
    np.testing.assert_array_equal(download(page, tmp_path), drawn(page))
    own.forget()
    brush(page, 0.8)
    np.testing.assert_array_equal(download(page, tmp_path), drawn(page))
    assert lesion_voxels(page) == drawn(page).sum()
    make_page.wrong.clear()


@pytest.mark.slow
def test_a_wrong_file_closes_nothing(make_page: Any, tmp_path: Path) -> None:
    page = make_page()
    open_sample(page)
    brush(page)
    before = drawn(page)
    page.evaluate("""() => {
        const data = new DataTransfer();
        data.items.add(new File(["no picture"], "slice_1.tif"));
        const options = { dataTransfer: data, bubbles: true, cancelable: true };
        document.body.dispatchEvent(new DragEvent("drop", options));
    }""")
    page.wait_for_selector("#problems >> text=slice_1.tif")
    ready(page)
    assert page.inner_text("#scan-name") == SAMPLE.id
    np.testing.assert_array_equal(drawn(page), before)
    brush(page, 0.8)
    np.testing.assert_array_equal(downloaded_mask(page, tmp_path) > 0, drawn(page))
    refused(make_page, 422)


@pytest.mark.slow
def test_a_scan_with_unsaved_corrections_is_left_only_when_asked(make_page: Any, tmp_path: Path) -> None:
    page = make_page()
    open_sample(page)
    brush(page)
    expected = drawn(page)
    page.click("#close-scan")
    keep(page, "leave")
    page.click("#leave [data-t=leave_stay]")
    assert page.inner_text("#scan-name") == SAMPLE.id
    # another scan asks too, once it is there
    page.set_input_files("#files", volume(tmp_path))
    page.click("#leave [data-t=leave_keep]")
    until(lambda: page.inner_text("#scan-name") == "head")
    ready(page)
    page.click("#close-scan")  # nothing was corrected: nothing is asked
    page.wait_for_selector("#kept >> text=TCGA")
    keep(page, "kept")
    page.set_viewport_size({"width": 390, "height": 844})
    keep(page, "kept-390")
    page.set_viewport_size({"width": 1280, "height": 860})
    page.click("#kept [data-t=continue], #kept button >> text=Go on")
    ready(page)
    np.testing.assert_array_equal(drawn(page), expected)
    np.testing.assert_array_equal(downloaded_mask(page, tmp_path) > 0, expected)
    page.click("#close-scan")  # downloaded: it may go
    page.wait_for_selector("#welcome")
    assert page.is_hidden("#kept")
    make_page.wrong.clear()  # the browser's own line about the scan that the server had dropped


def test_what_is_downloaded_is_what_is_drawn(make_page: Any, tmp_path: Path) -> None:
    page = make_page()
    open_sample(page)
    page.keyboard.press("b")
    stroke(page, 0.9, release=False)
    files: list[Any] = []
    page.on("download", lambda file: files.append(file))
    page.evaluate("document.querySelector('[data-t=dl_nifti]').click()")  # in the middle of the stroke
    page.wait_for_timeout(400)
    assert files == []
    with page.expect_download() as waiting:
        page.mouse.up()
    waiting.value.save_as(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(read_segmentation(tmp_path / "a.nii.gz").voxels > 0, drawn(page))

    # a stroke that does not arrive: no download until it has been sent again
    page.route(
        "**/mask*", lambda route: route.abort() if route.request.method == "PATCH" else route.continue_()
    )
    stroke(page, 0.8)
    page.wait_for_selector("#unsent")
    keep(page, "unsent")
    files.clear()
    page.click("[data-t=dl_nifti]")
    page.click("#save")
    page.wait_for_timeout(400)
    assert files == []
    assert page.inner_text("#saved") == ""
    page.unroute("**/mask*")
    page.click("#retry")
    page.wait_for_selector("#unsent", state="hidden")
    np.testing.assert_array_equal(download(page, tmp_path), drawn(page))
    make_page.wrong.clear()


def test_a_stroke_sends_its_slice_alone(make_page: Any) -> None:
    page = make_page()
    open_sample(page)
    with page.expect_request(lambda request: request.method == "PATCH") as waiting:
        brush(page)
    body = np.frombuffer(waiting.value.post_data_buffer, "<u4")
    assert body[0] == int(page.input_value("#slice"))
    assert len(body) == 2 + 3 * body[1]
    assert body.nbytes < 10_000


@pytest.mark.slow
def test_two_pages_of_one_scan_do_not_mix(make_page: Any, own: Any, tmp_path: Path) -> None:
    """Each page downloads what it shows, whatever the other one did."""
    page = make_page(base_url=own.address)
    open_sample(page)
    brush(page)
    (id,) = own.application.service.store._entries
    entry = own.application.service.store.get(id)
    from glioseg.server.corrections import replace_mask

    replace_mask(entry, np.zeros(SHAPE, np.uint8))
    np.testing.assert_array_equal(download(page, tmp_path), drawn(page))
    make_page.wrong.clear()


@pytest.mark.slow
def test_no_outline_stays_on_a_slice_without_lesion(
    browser: Any, chromium: str, server: Any, tmp_path: Path
) -> None:
    """With an accelerated 2-D canvas, whose screen counts: reading it back would change how it draws."""
    from io import BytesIO

    from PIL import Image

    flags = [*FLAGS, "--enable-gpu-rasterization", "--ignore-gpu-blocklist"]
    opened = browser.browser_type.launch(executable_path=chromium, headless=True, args=flags)
    page = opened.new_page(base_url=server.address, viewport={"width": 1280, "height": 860})
    page.set_default_timeout(PATIENCE)
    open_sample(page)
    page.set_input_files("#files", volume(tmp_path))
    until(lambda: page.inner_text("#scan-name") == "head")
    ready(page)
    page.select_option("#planes", "multi")
    page.wait_for_timeout(300)
    page.select_option("#planes", "axial")
    page.evaluate("gliosegView.setSlice(0)")

    def clear() -> bool:
        shown = Image.open(BytesIO(page.locator("#stage").screenshot())).convert("RGB")
        picture = np.asarray(shown).astype(int)
        return not ((picture[..., 0] > 200) & (picture[..., 1] < 120)).any()

    until(clear)
    opened.close()
