"""Count the doubts about sound scans, scans without a lesion, and scans of other kinds and diseases.

    python scripts/try_doubts.py sound docs/cross-validation kaggle_3m
    python scripts/try_doubts.py turned kaggle_3m
    python scripts/try_doubts.py free kaggle_3m
    python scripts/try_doubts.py volumes FOLDER...

``sound`` takes the masks that networks of a cross-validation made of patients they never saw, apart for the
49 patients that the limits of ``glioseg/model/bright.py`` were chosen on and the other 49. ``turned`` learns
the filters of ``glioseg/model/appearance.py`` in seven parts, each without the scans that it judges, and
asks about these scans, about the same turned, and about their T1 in the place of FLAIR. ``free`` runs the
default model on stretches of eight slices or more that show no lesion, and on heads made of the half without
a lesion and its mirror image. ``volumes`` runs it on each ``FLAIR.nii.gz`` below the folders.
``try_odd_inputs.py`` has noise, photos and the like.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import typer
from keep_cross_validation import out_of_fold
from scipy import ndimage

from glioseg.dataset.find import find_cases, read_case
from glioseg.grid import Grid
from glioseg.io import read_scan
from glioseg.model.appearance import PARTS, learn_appearance
from glioseg.model.bright import bright_areas
from glioseg.model.calibration import look_again
from glioseg.model.head import look_at_head
from glioseg.model.predictor import load_model
from glioseg.model.steps import doubts_about
from glioseg.prepare import Preparation
from glioseg.scan import FLAIR, Scan

SHORTEST = 8
"""Slices without a lesion that are taken for a scan."""
ACROSS = 0.02
"""Share of a lesion that may lie in the other half of a head whose half is called free of it."""
TURNS: dict[str, Callable[[npt.NDArray[Any]], npt.NDArray[Any]]] = {
    "as it is": lambda flair: flair,
    "turned by 90 degrees": lambda flair: np.rot90(flair, 1, (1, 2)),
    "turned by 180 degrees": lambda flair: np.rot90(flair, 2, (1, 2)),
    "turned by 270 degrees": lambda flair: np.rot90(flair, 3, (1, 2)),
}

app = typer.Typer(help=__doc__, add_completion=False)


@app.command()
def sound(folder: Path, data: Path) -> None:
    """Doubts about masks out of fold of patients with a glioma."""
    description = load_model(threads=1).description
    found, measured = {}, {}
    for case, _, mask in out_of_fold(folder, data):
        scan = read_case(case)[0]
        prepared = description.prepare(scan)
        flair = prepared.images[..., FLAIR]
        # How sure the network is of the mask is another question.
        found[scan.id] = doubts_about(description, scan, prepared, mask.mask, None)
        head = look_at_head(flair)
        measured[scan.id] = head and bright_areas(flair, prepared.frame.to_prepared(mask.mask), head)
    patients = sorted(found)
    for name, half in (("chosen on", patients[::2]), ("the others", patients[1::2])):
        _row(name, (found[patient] for patient in half))
        values = np.array([measured[patient] for patient in half if measured[patient] is not None])
        for place, measure in enumerate(("unmarked", "symmetric", "to the mask", "on both sides")):
            own = values[:, place]
            print(f"    {measure}: median {np.median(own):.3f}, most {own.max():.3f}")


@app.command()
def turned(data: Path) -> None:
    """Doubts about scans, turned scans and T1, by filters that never saw the patient."""
    prepare = load_model(threads=1).description.prepare
    images = [prepare(read_case(case)[0]).images.astype(np.float16) for case in find_cases(data)]
    found: dict[str, list[tuple[str, ...]]] = {}
    for part in range(PARTS):
        appearance = learn_appearance([image for n, image in enumerate(images) if n % PARTS != part])
        assert appearance is not None
        for image in images[part::PARTS]:
            flair = image[..., FLAIR].astype(np.float32)
            kinds = {name: turn(flair) for name, turn in TURNS.items()}
            for channel, name in ((0, "T1"), (2, "T1 after contrast")):
                if not np.array_equal(image[..., channel], image[..., FLAIR]):
                    kinds[name] = image[..., channel].astype(np.float32)
            for name, values in kinds.items():
                found.setdefault(name, []).append(appearance.doubts(values, look_at_head(values)))
    for name, doubts in found.items():
        _row(name, doubts)


@app.command()
def free(data: Path) -> None:
    """Doubts about scans without a lesion, with and without a mask."""
    predictor = load_model(threads=1)
    found: dict[str, list[tuple[str, ...]]] = {}
    for case in find_cases(data):
        scan, truth = read_case(case)
        assert truth is not None
        for kind, voxels in _without_lesion(scan, truth.mask):
            prediction = predictor(replace(scan, voxels=voxels, grid=Grid(voxels.shape[:3])))
            marked = "marked" if prediction.segmentation.mask.any() else "nothing marked"
            found.setdefault(f"{kind}, {marked}", []).append(prediction.doubts)
    for name, doubts in sorted(found.items()):
        _row(name, doubts)


@app.command()
def volumes(folders: list[Path]) -> None:
    """Doubts about volumes from elsewhere, FLAIR alone."""
    predictor = load_model(threads=1)
    for path in sorted(path for folder in folders for path in folder.rglob("FLAIR.nii.gz")):
        prediction = predictor(read_scan(path))
        expected = prediction.expected_dice
        told = "" if expected is None else f", expected DSC {expected:.2f}"
        marked = int(prediction.segmentation.mask.sum())
        look = "look" if look_again(prediction.doubts) else "no need to look"
        print(f"{path.parent.name}: {marked:,} voxels{told}; {look}: {' '.join(prediction.doubts)}")


def _without_lesion(scan: Scan, truth: npt.NDArray[np.bool_]) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Stretches of slices, and a head of two like halves, in which nothing was drawn."""
    labels, count = ndimage.label(~truth.any(axis=(1, 2)))
    for stretch in range(1, count + 1):
        slices = np.flatnonzero(labels == stretch)
        if len(slices) >= SHORTEST:
            end = "upper" if slices[-1] == len(truth) - 1 and slices[0] else "lower"
            yield f"{end} stretch", scan.voxels[slices]
    prepared = Preparation(name="even_tissue")(scan)
    head, frame = look_at_head(prepared.images[..., FLAIR]), prepared.frame
    if head is None:
        return
    middle = frame.left + (head.middle + 1) / 2 * frame.across / frame.size
    columns = np.arange(scan.voxels.shape[2])
    left, right = (int(truth[..., half].sum()) for half in (columns < middle, columns >= middle))
    if min(left, right) <= ACROSS * max(left, right):
        ill = columns < middle if left > right else columns >= middle
        opposite = np.clip(np.rint(2 * middle - 1 - columns), 0, columns[-1]).astype(int)
        yield "two like halves", np.where(ill[:, None], scan.voxels[:, :, opposite], scan.voxels)


def _row(name: str, doubts: Iterable[tuple[str, ...]]) -> None:
    """How many scans there are, how many a person is asked to look at, and why."""
    all_of_them = list(doubts)
    flagged = [found for found in all_of_them if look_again(found)]
    reasons = sorted({doubt for found in flagged for doubt in found if look_again((doubt,))})
    counts = ", ".join(f"{reason} {sum(reason in found for found in flagged)}" for reason in reasons)
    print(f"{name}: {len(flagged)} of {len(all_of_them)} ({counts})")


if __name__ == "__main__":
    app()
