"""Which mask belongs to which scan, by names and by folders."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from glioseg.io.names import (
    holds_images,
    holds_masks,
    is_picture,
    is_volume,
    scan_of_sequence,
    slice_of_mask,
    split_number,
    stem_of,
    unpacked_masks,
)
from glioseg.io.source import Source


def with_truths(sources: Sequence[Source], masks: Iterable[Path]) -> list[Source]:
    """The scans, each with the mask that belongs to it.

    A mask belongs to the scan or slice that has its name without the word for masks (``a_seg`` to ``a``),
    beside it or in the folder of masks that stands beside the folder of images (``masks/a`` to ``images/a``);
    those of slices also in a folder of their own, see :func:`glioseg.io.names.unpacked_masks`.
    Otherwise all masks that stand beside a scan are its own if there is no other scan; and if there is one
    scan alone, all masks that were found.

    Args:
        sources: the scans; those that have a mask keep it.
        masks: the files of masks.
    """
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for mask in dict.fromkeys(masks):
        by_folder[_absolute(mask.parent)].append(mask)
    folders = list(by_folder)
    paired: list[Source] = []
    used: set[Path] = set()
    for source in sources:
        near = [mask for folder in _folders_of(source, folders) for mask in by_folder[folder]]
        found = source if source.truth else _by_name(source, near)
        used.update(file for file in found.truth if file is not None)
        paired.append(found)
    beside: dict[Path, list[int]] = defaultdict(list)
    for number, source in enumerate(paired):
        beside[_absolute(source.files[0].parent)].append(number)
    for folder, numbers in beside.items():
        rest = [mask for mask in by_folder.get(folder, []) if mask not in used]
        if len(numbers) == 1:
            paired[numbers[0]] = _alone(paired[numbers[0]], rest)
    if len(paired) == 1:
        paired[0] = _alone(
            paired[0], [mask for masks in by_folder.values() for mask in masks if mask not in used]
        )
    return paired


def _by_name(source: Source, masks: Sequence[Path]) -> Source:
    if not masks:
        return source
    named: dict[str, list[Path]] = defaultdict(list)
    for mask in masks:
        named[slice_of_mask(mask)].append(mask)
    if source.format == "slices":
        truth = tuple(next(iter(named.get(stem_of(file).casefold(), [])), None) for file in source.files)
        return replace(source, truth=truth) if any(truth) else source
    names = {source.id, *(stem_of(file) for file in source.files)}
    if source.sequences:
        names.update(scan_of_sequence(file) for file in source.files)
    found = [
        mask for name in dict.fromkeys(name.casefold() for name in names) for mask in named.get(name, [])
    ]
    return replace(source, truth=tuple(dict.fromkeys(found)))


def _alone(source: Source, masks: Sequence[Path]) -> Source:
    """A scan beside which no other stands, with the masks that nothing else claims."""
    if source.format == "slices":
        return replace(source, strays=tuple(mask for mask in masks if is_picture(mask)))
    fit = [mask for mask in masks if is_volume(mask) or (source.format == "image" and is_picture(mask))]
    return source if source.truth else replace(source, truth=tuple(fit))


def _folders_of(source: Source, folders: Sequence[Path]) -> list[Path]:
    """Folders in which the masks of a scan may lie: its own, and those beside a folder of images above."""
    own = _absolute(source.files[0].parent)
    found = [own]
    if source.format == "slices":
        found += unpacked_masks(own, split_number(stem_of(source.files[0]))[0])
    below = Path()
    for above in (own, *own.parents[:2]):
        if holds_images(above):
            found += [
                folder
                for folder in folders
                for top in [_below(folder, above.parent)]
                if top is not None and holds_masks(Path(top.parts[0])) and Path(*top.parts[1:]) == below
            ]
        below = Path(above.name) / below
    return list(dict.fromkeys(folder for folder in found if folder in folders))


def _below(folder: Path, above: Path) -> Path | None:
    if folder == above or not folder.is_relative_to(above):
        return None
    return folder.relative_to(above)


def _absolute(folder: Path) -> Path:
    return Path(os.path.abspath(folder))
