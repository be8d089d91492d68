"""A table of categories by patient, as ``data.csv`` of the LGG data set, and its join with scans."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from glioseg.errors import Fault, InputError
from glioseg.files import natural_key
from glioseg.io.names import listed
from glioseg.io.refuse import check_exists, reading

LGG_COLUMNS = (
    "RNASeqCluster",
    "MethylationCluster",
    "miRNACluster",
    "CNCluster",
    "RPPACluster",
    "OncosignCluster",
    "COCCluster",
    "neoplasm_histologic_grade",
    "histological_type",
    "death01",
)
"""The columns of the LGG data set that are tested: the genomic clusters, grade, histology and survival."""

MOST_LEVELS = 10
"""A column with more different values is no category, unless it is asked for."""

_MISSING = {"", "na", "n/a", "nan", "none", "null", "?", "[not available]", "[unknown]", "unknown"}


@dataclass(frozen=True)
class ClinicalTable:
    """Categories by patient.

    Attributes:
        name: file name of the table.
        key: name of the column that names the patient.
        rows: for each key the category in each column; ``None`` where it is missing.
        columns: the columns besides the key.
    """

    name: str
    key: str
    rows: Mapping[str, Mapping[str, str | None]]
    columns: tuple[str, ...]

    def row_of(self, scan: str) -> Mapping[str, str | None] | None:
        """The row of a scan: by its whole id, or by the first three fields of it (``TCGA_CS_4941``)."""
        return self.rows.get(scan) or self.rows.get("_".join(scan.split("_")[:3]))

    def labels(self, scans: Iterable[str], column: str) -> list[str | None]:
        """The category of each scan; ``None`` where it is missing."""
        rows = (self.row_of(scan) for scan in scans)
        return [None if row is None else row[column] for row in rows]

    def choose_columns(
        self, scans: Sequence[str], wanted: Sequence[str] = ()
    ) -> tuple[tuple[str, ...], dict[str, str]]:
        """Which columns to test.

        Args:
            scans: the ids of the scans.
            wanted: the columns asked for. By default :data:`LGG_COLUMNS` as far as they are there, otherwise
                every column with 2 to :data:`MOST_LEVELS` categories among these scans.

        Returns:
            The columns, and for each other one why it is left out.

        Raises:
            InputError: a column that was asked for is not there, or none is left.
        """
        unknown = [name for name in wanted if name not in self.columns]
        if unknown:
            columns = listed(self.columns, 30)
            raise InputError(
                Fault(
                    "radiogenomics.unknown_columns",
                    table=self.name,
                    columns=columns,
                    unknown=listed(unknown),
                )
            )
        preferred = tuple(wanted) or tuple(name for name in LGG_COLUMNS if name in self.columns)
        chosen, left_out = [], {}
        for column in preferred or self.columns:
            levels = len({label for label in self.labels(scans, column) if label is not None})
            if levels < 2:
                left_out[column] = "fewer than two categories among these scans"
            elif levels > MOST_LEVELS and not wanted:
                left_out[column] = f"{levels} different values"
            else:
                chosen.append(column)
        if not chosen:
            raise InputError(Fault("radiogenomics.no_columns", self.name, most=MOST_LEVELS))
        left_out |= {
            name: "not asked for" for name in self.columns if name not in chosen and name not in left_out
        }
        return tuple(chosen), left_out


def read_clinical(path: Path, key: str | None = None) -> ClinicalTable:
    """Read a table with a header, separated by commas, semicolons or tabs.

    Args:
        path: the file, UTF-8.
        key: name of the column that names the patient; the first by default.

    Returns:
        The table. Empty cells and words such as ``NA`` count as missing; ``2.0`` is ``2`` in
        a column of whole numbers.

    Raises:
        InputError: all that is wrong with the file: no header, rows of another length, a patient twice.
    """
    check_exists(path)
    try:
        with reading(path):
            text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(Fault("radiogenomics.not_text", path, reason=error)) from error
    separator = max(",;\t", key=text.partition("\n")[0].count)
    try:
        header, *body = [*csv.reader(io.StringIO(text, newline=""), delimiter=separator)] or [[]]
    except csv.Error as error:
        raise InputError(Fault("radiogenomics.not_csv", path, reason=error)) from error
    header = [name.strip() for name in header]
    if len(header) < 2:
        raise InputError(Fault("radiogenomics.no_header", path, columns=len(header)))
    faults = [
        Fault("radiogenomics.column_twice", path, column=name, count=count)
        for name, count in Counter(header).items()
        if count > 1
    ]
    if key is not None and key not in header:
        faults.append(Fault("radiogenomics.no_key", path, key=key, columns=listed(header, 30)))
    place = header.index(key) if key in header else 0
    rows: dict[str, dict[str, str | None]] = {}
    for number, cells in enumerate(body, start=2):
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            faults.append(
                Fault(
                    "radiogenomics.cells",
                    table=path,
                    line=number,
                    wanted=len(header),
                    cells=len(cells),
                )
            )
            continue
        patient = cells[place].strip()
        if not patient or patient in rows:
            code = "radiogenomics.patient_twice" if patient else "radiogenomics.patient_missing"
            faults.append(Fault(code, table=path, line=number, patient=patient))
            continue
        rows[patient] = {
            name: None if cell.strip().casefold() in _MISSING else cell.strip()
            for name, cell in zip(header, cells, strict=True)
        }
    if not rows and not faults:
        faults.append(Fault("radiogenomics.no_patients", path))
    if faults:
        raise InputError(*faults)
    columns = tuple(name for index, name in enumerate(header) if index != place)
    for column in columns:
        _as_whole_numbers(rows, column)
    return ClinicalTable(path.name, header[place], rows, columns)


def sorted_levels(labels: Iterable[str | None]) -> list[str]:
    """The categories that occur, in natural order."""
    return sorted({label for label in labels if label is not None}, key=natural_key)


def _as_whole_numbers(rows: Mapping[str, dict[str, str | None]], column: str) -> None:
    """Turn 1.0, 2.0, ... (which programs write when a cell is missing) into 1, 2, ..."""
    present = [value for row in rows.values() if (value := row[column]) is not None]
    if all(value.removesuffix(".0").lstrip("-").isdigit() for value in present):
        for row in rows.values():
            if (value := row[column]) is not None:
                row[column] = value.removesuffix(".0")
