"""Corrected cases in a folder that ``glioseg train`` reads.

A scan whose voxel size is known has a folder of its own, ``<name>/flair.nii.gz`` and so on with
``<name>/mask.nii.gz``. Of others ``images/<name>_<slice>.tif`` holds the sequences as RGB in their own
values, ``masks/`` the masks. Names end with a digest of the voxels, so that two scans of one name never mix
and a second correction of the same scan replaces the first.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from glioseg.errors import Fault
from glioseg.files import folder_written_whole, make_folder, written_whole
from glioseg.io import read_segmentation
from glioseg.io.labels import stored_as_image
from glioseg.io.nifti import write_channel, write_file
from glioseg.scan import LESION, SEQUENCES, Scan, Segmentation
from glioseg.server.downloads import plain_name
from glioseg.server.faults import UnfitError
from glioseg.server.scans import Entry

DIGEST = re.compile(r"-[0-9a-f]{8}$")
"""How names of saved cases end."""

FILES = {"flair": "flair", "pre": "t1", "post": "t1ce", "t2": "t2"}
"""What the file of each sequence is called."""

MASK = "mask.nii.gz"


def save_corrected(entry: Entry, folder: Path, classes: bool = True) -> str:
    """Add scan and mask of an entry to a folder of cases.

    Args:
        entry: has a mask.
        folder: made if it is not there.
        classes: whether a mask keeps its labels, or says lesion or not.

    Returns:
        The name of the case.

    Raises:
        UnfitError: there is no mask.
        InputError: it cannot be written.
    """
    scan, mask = entry.scan, entry.mask
    if mask is None:
        raise UnfitError(Fault("server.nothing_to_save"))
    digest = hashlib.sha256(np.ascontiguousarray(scan.voxels).tobytes()).hexdigest()[:8]
    name = f"{plain_name(scan.id)}-{digest}"
    mask = mask if classes else lesion_or_not(mask)
    if scan.grid.spacing is None:
        _save_slices(scan, mask, folder, name)
        return name
    if not (folder / name).is_dir():
        if entry.source is not None and entry.source.further:
            scan = entry.source.with_sequences(SEQUENCES).read()  # a model that takes T2 learns from it too
        with folder_written_whole(folder / name) as part:
            for sequence in scan.channels:
                if sequence not in scan.filled:
                    write_channel(scan, sequence, part / f"{FILES[sequence]}.nii.gz")
            write_file(mask, part / MASK)
    write_file(mask, folder / name / MASK)
    for path in _slices(folder, name):  # of an earlier version, which saved all scans so
        path.unlink()
    return name


def _save_slices(scan: Scan, mask: Segmentation, folder: Path, name: str) -> None:
    import tifffile
    from PIL import Image

    images = zip(scan.grid.slice_numbers, _for_tiff(scan), stored_as_image(mask), strict=True)
    for number, image, labels in images:
        with written_whole(folder / "images" / f"{name}_{number}.tif") as part:
            tifffile.imwrite(part, image, photometric="rgb", compression="zlib", metadata=None)
        with written_whole(folder / "masks" / f"{name}_{number}_mask.tif") as part:
            Image.fromarray(labels).save(part, format="TIFF")


def _for_tiff(scan: Scan) -> npt.NDArray[Any]:
    voxels = scan.voxels
    if voxels.dtype in (np.uint8, np.uint16, np.int16, np.float32):
        return voxels
    return voxels.astype(np.float32)


def lesion_or_not(mask: Segmentation) -> Segmentation:
    """A mask whose labels are all lesion."""
    return replace(mask, voxels=mask.mask.astype(np.uint8), labels=dict(LESION))


def saved_names(folder: Path) -> set[str]:
    """The names of the cases in a folder."""
    slices = (path.stem.rpartition("_")[0] for path in (folder / "images").glob("*.tif"))
    volumes = (path.parent.name for path in folder.glob(f"*/{MASK}"))
    return {name for name in (*slices, *volumes) if DIGEST.search(name)}


def copy_saved(folder: Path, name: str, target: Path) -> None:
    """Copy a case into another folder; its mask says lesion or not there.

    Raises:
        InputError: its mask cannot be read, or it cannot be written.
    """
    if (folder / name).is_dir():
        shutil.copytree(folder / name, target / name, dirs_exist_ok=True)
        write_file(lesion_or_not(read_segmentation(folder / name / MASK, labels=None)), target / name / MASK)
    for path in _slices(folder, name):
        place = make_folder(target / path.parent.name) / path.name
        if path.parent.name == "masks":
            _copy_mask(path, place)
        else:
            shutil.copyfile(path, place)


def _copy_mask(path: Path, place: Path) -> None:
    from PIL import Image

    mask = lesion_or_not(read_segmentation(path, labels=None))
    with written_whole(place) as part:
        Image.fromarray(stored_as_image(mask)[0]).save(part, format="TIFF")


def _slices(folder: Path, name: str) -> Iterator[Path]:
    """The files of a case that is saved as slices."""
    numbered = re.compile(re.escape(name) + r"_\d+(_mask)?\.tif")
    for kind in ("images", "masks"):
        files: Iterable[Path] = sorted((folder / kind).glob("*.tif"))
        yield from (path for path in files if numbered.fullmatch(path.name))
