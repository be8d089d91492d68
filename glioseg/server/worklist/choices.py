"""What people said of the rows of a list: which do not belong to it, which series of a study are meant."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from glioseg.errors import Fault, InputError
from glioseg.files import write_json
from glioseg.io import find_scans
from glioseg.io.dicom.find import parse_series
from glioseg.io.dicom.match import SeriesFault
from glioseg.io.source import Source


class Choices:
    """A small file that is replaced whole with each choice.

    Args:
        path: of the file.

    Attributes:
        removed: keys of rows that were removed.
        series: of a row, the series of each sequence, see :func:`glioseg.io.dicom.find.parse_series`.

    Raises:
        InputError: the file is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.removed: set[str] = set()
        self.series: dict[str, list[str]] = {}
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            self.removed = {str(key) for key in content["removed"]}
            self.series = {str(key): [str(each) for each in said] for key, said in content["series"].items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(Fault("server.work_damaged", path)) from error

    def remove(self, key: str, removed: bool) -> None:
        """Keep whether a row was removed.

        Raises:
            InputError: the file cannot be written.
        """
        self._store(self.removed | {key} if removed else self.removed - {key}, self.series)

    def choose(self, key: str, series: Sequence[str]) -> None:
        """Keep which series a row is of.

        Raises:
            InputError: the file cannot be written.
        """
        self._store(self.removed, {**self.series, key: list(series)})

    def _store(self, removed: set[str], series: dict[str, list[str]]) -> None:
        write_json(self.path, {"removed": sorted(removed), "series": series})
        self.removed, self.series = removed, series


def with_series(source: Source, series: Sequence[str]) -> Source:
    """A study, with its headers, and with other series than those that were taken before.

    Args:
        source: the study.
        series: ``flair=SERIES`` and so on.

    Returns:
        The same study under the same name.

    Raises:
        InputError: there are no such series, or they do not go together.
    """
    sources, faults = find_scans(source.places, parse_series(series))
    own = {each.key for each in source.series}
    for found in sources:
        if own <= {each.key for each in found.series}:
            return replace(found, id=source.id)
    raise InputError(*(faults or [Fault("io.no_scan")]))


def undecided(faults: Iterable[Fault]) -> tuple[list[tuple[Source, list[Fault]]], list[Fault]]:
    """The studies of which nothing tells which series are meant, with their faults, and all other faults."""
    studies: dict[Path, tuple[Source, list[Fault]]] = {}
    others: list[Fault] = []
    for fault in faults:
        if not isinstance(fault, SeriesFault) or fault.study is None:
            others.append(fault)
            continue
        id, files = fault.study
        places = tuple(dict.fromkeys(file.parent for file in files))
        source = Source(id, "dicom", files[:1], series=fault.series, places=places)
        studies.setdefault(files[0], (source, []))[1].append(fault)
    return list(studies.values()), others
