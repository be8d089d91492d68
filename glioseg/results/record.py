"""The record of one scan in a folder of results, and the table of all records."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glioseg.files import natural_key, write_json, write_text
from glioseg.io.names import stem_of
from glioseg.io.nifti_file import with_other_parts
from glioseg.io.numbering import numbered

if TYPE_CHECKING:
    from glioseg.io.source import Source


@dataclass(frozen=True)
class ScanResult:
    """The numbers of one scan; lengths and volumes in mm only where the spacing is known.

    Attributes:
        id: name of the scan, unique in the folder of results.
        source: file or folder it came from.
        slices, slices_with_lesion, lesion_voxels: counts.
        lesion_mm3: volume, or ``None``.
        largest_diameter: greatest distance within the lesion on one slice.
        diameter_unit: ``"mm"`` or ``"pixels"``.
        filled: sequences that were missing and replaced by FLAIR.
        seconds: wall time from reading to the mask.
        expected_dice: DSC to expect of the mask; ``None`` if it is empty.
        doubts: what to know before trusting it, keys of :data:`glioseg.model.calibration.DOUBTS`.
        notes: those of them that speak of the scan itself, in English sentences.
        label_voxels: voxels of each label, of a model with classes.
        key: changes when the input, the model or a setting does.
        outputs: files and folders of this scan in the output folder.
        files: every file of the outputs, with its bytes, the time it was last written (nanoseconds) and
            its SHA-256.
        origin: where the scan was read from, see :func:`origin_of`.
        content: SHA-256 of the files that it was read from.
        made_with: the model and the settings in short; ``settings`` among them is a digest of all.
    """

    id: str
    source: str
    slices: int
    slices_with_lesion: int
    lesion_voxels: int
    lesion_mm3: float | None
    largest_diameter: float
    diameter_unit: str
    filled: tuple[str, ...]
    seconds: float
    expected_dice: float | None
    doubts: tuple[str, ...]
    key: str
    outputs: tuple[str, ...]
    label_voxels: dict[str, int] = field(default_factory=dict)
    files: dict[str, tuple[int, int, str]] = field(default_factory=dict)
    origin: str = ""
    content: str = ""
    made_with: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def settings(self) -> str:
        """Digest of the model and of all settings that it was made with."""
        return str(self.made_with.get("settings", ""))

    @property
    def without_files(self) -> ScanResult:
        """The record without what each file holds: of 100,000 scans that would not fit into memory."""
        return replace(self, files={})

    @property
    def told(self) -> dict[str, Any]:
        """What a program is told of it: all but what only this package needs."""
        kept = {name: value for name, value in asdict(self).items() if name not in NOT_IN_TABLE - {"notes"}}
        return {**kept, "outputs": list(self.outputs)}

    def holds(self, folder: Path, *, every_byte: bool = True) -> bool:
        """Whether the files in a folder of results are those that this record was made with.

        Args:
            folder: the folder of results.
            every_byte: read all files; otherwise those alone whose time of writing has changed.
        """
        if not self.files:
            return False  # no files were recorded by versions before this one
        for name, (size, written, digest) in self.files.items():
            path = folder / name
            try:
                state = path.stat()
                if state.st_size != size:
                    return False
                if (every_byte or state.st_mtime_ns != written) and digest_of(path) != digest:
                    return False
            except OSError:
                return False
        return True


NOT_IN_TABLE = {"key", "outputs", "files", "origin", "content", "made_with", "notes"}
"""What of a record is for the program alone, or too long for a table."""


def read_record(path: Path) -> ScanResult | None:
    """The record in a file; ``None`` if there is none, or none that can be understood."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for name in ("filled", "doubts", "outputs"):
            content[name] = tuple(content[name])
        content["notes"] = tuple(content.get("notes", ()))
        files = content.get("files", {})
        content["files"] = {name: (int(size), int(at), str(sum)) for name, (size, at, sum) in files.items()}
        content["made_with"] = _shared(dict(content.get("made_with", {})))
        record = ScanResult(**content)
        dict(record.label_voxels)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return record if path.stem == record.id else None


def _shared(made_with: dict[str, Any]) -> dict[str, Any]:
    """The same object for all records that were made with the same, for there may be 100,000."""
    known = _made_with.setdefault(str(made_with.get("settings", "")), made_with)
    return known if known == made_with else made_with


_made_with: dict[str, dict[str, Any]] = {}


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits.

    Raises:
        OSError: it cannot be read.
    """
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as handle:
        while block := handle.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def content_of(source: Source) -> str:
    """SHA-256 of all files of a scan and of what they are taken for, wherever they lie."""
    digest = hashlib.sha256(f"{source.format}{_taken_for(source)}\n".encode())
    for path in with_other_parts(source.files):
        try:
            digest.update(digest_of(path).encode())
        except OSError:
            return ""  # reading it will say what is wrong
    return digest.hexdigest()


def origin_of(source: Source) -> str:
    """Where a scan is read from; the same when a slice or a sequence is added to it."""
    by_sequence = dict(zip(source.sequences, source.files, strict=False))
    first = (by_sequence.get("flair") or source.files[0]).resolve()
    if source.format == "slices":
        return (first.parent / numbered([stem_of(file) for file in source.files])[0][0]).as_posix()
    if source.format == "dicom":
        return (first.parent / source.id).as_posix()
    return first.as_posix()


def key_of(source: Source, settings: str) -> str:
    """Hash of the input files' names, sizes and times, of what they are taken for, and of all settings."""
    digest = hashlib.sha256(f"{settings}\n{_taken_for(source)}\n".encode())
    for path in with_other_parts(source.files):
        try:
            state = path.stat()
        except OSError:
            continue  # reading it will say what is wrong
        digest.update(f"{path.resolve()}|{state.st_size}|{state.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _taken_for(source: Source) -> str:
    """What the files of a scan are taken for."""
    return f"{source.sequences}{source.slice_numbers}{source.channels or ''}"


def in_order(results: Mapping[str, ScanResult], first: Sequence[str] = ()) -> list[ScanResult]:
    """Records in the order of the ids given, then all others in the order that people count in."""
    named = set(first)
    others = sorted((id for id in results if id not in named), key=natural_key)
    return [results[id] for id in (*first, *others) if id in results]


def write_summary(results: Sequence[ScanResult], path: Path) -> Path:
    """Write a table with one row for each scan.

    The column ``made_with`` is there where the rows were not all made with the same model and settings.
    """
    text = io.StringIO()
    left_out = set(NOT_IN_TABLE)
    if not any(result.label_voxels for result in results):
        left_out.add("label_voxels")
    if len({result.settings for result in results}) > 1:
        left_out.discard("made_with")
    columns = [name for name in ScanResult.__dataclass_fields__ if name not in left_out]
    table = csv.DictWriter(text, columns, lineterminator="\n", extrasaction="ignore")
    table.writeheader()
    for result in results:
        row = {name: getattr(result, name) for name in columns}
        row["filled"], row["doubts"] = " ".join(result.filled), " ".join(result.doubts)
        row["label_voxels"] = " ".join(f"{label}:{count}" for label, count in result.label_voxels.items())
        row["made_with"] = f"{result.made_with.get('model', '')} {result.settings}".strip()
        for name in ("lesion_mm3", "expected_dice"):
            row[name] = "" if row[name] is None else row[name]
        table.writerow(row)
    return write_text(path, text.getvalue())


def write_tables(
    records: Mapping[str, ScanResult],
    first: Sequence[str],
    summary: Path,
    manifest: Path,
    facts: Mapping[str, Any],
    incomplete: Sequence[str],
) -> None:
    """Write the summary and, last, the manifest.

    Args:
        records: of all scans, by their names.
        first: names of the scans that stand first.
        summary, manifest: files.
        facts: for the manifest.
        incomplete: names of scans that have a record and no longer all of its files.
    """
    ordered = in_order(records, first)
    made_with: dict[str, dict[str, Any]] = {}
    for record in ordered:
        group = made_with.setdefault(record.settings, {**record.made_with, "scans": []})
        group["scans"].append(record.id)
    write_summary(ordered, summary)
    scans = [record.id for record in ordered]
    given = {"scans": scans, "incomplete": list(incomplete), "made_with": list(made_with.values())}
    write_json(manifest, {**facts, **given})
