"""From an upload to a scan: names made harmless, archives unpacked within limits, masks paired."""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from glioseg.errors import Fault, InputError, raise_all
from glioseg.io import find_scans, read_scan
from glioseg.io.dicom.detect import is_dicom
from glioseg.io.dicom.find import parse_series
from glioseg.io.dicom.match import FoundSeries, SeriesFault
from glioseg.io.names import is_picture, is_volume, listed, split_number, stem_of, suffix_of
from glioseg.io.source import Source, without_image
from glioseg.scan import Scan, Segmentation
from glioseg.server.settings import Settings

_CHUNK = 1 << 20
_LONGEST_NAME = 120
_MOST_LABELS = 16


def safe_name(name: str) -> Path:
    """A client's file name as a relative path that can only lie below the folder it is put in.

    Raises:
        InputError: the name climbs out (``..``), is absolute, or nothing is left of it.
    """
    parts = name.replace("\\", "/").split("/")
    kept = [_plain(part) for part in parts if part not in ("", ".")]
    if ".." in parts or name.startswith(("/", "\\")) or ":" in parts[0] or not kept or len(kept) > 12:
        raise InputError(Fault("server.file_name", name=repr(name[:80])))
    return Path(*kept)


def unpack(archive: Path, folder: Path, settings: Settings) -> None:
    """Unpack a zip file within the limits on files and bytes; archives inside it stay packed.

    Raises:
        InputError: it is damaged, encrypted, holds links or names that climb out, or is too large.
    """
    where = archive.name
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            entries = [entry for entry in entries if not _is_litter(entry.filename)]
            if len(entries) > settings.files:
                counts = {"most": settings.files, "count": len(entries)}
                raise InputError(Fault("server.zip_too_many_files", where, **counts))
            room = settings.unpacked_bytes
            for entry in entries:
                mode = entry.external_attr >> 16
                if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                    raise InputError(Fault("server.zip_special_file", where))
                if entry.flag_bits & 1:
                    raise InputError(Fault("server.zip_password", where))
                target = folder / safe_name(entry.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened.open(entry) as packed, target.open("xb") as out:
                    while chunk := packed.read(_CHUNK):
                        room -= len(chunk)
                        if room < 0:
                            most = f"{settings.unpacked_bytes:,}"
                            raise InputError(Fault("server.zip_too_large", where, most=most))
                        out.write(chunk)
    except FileExistsError as error:
        raise InputError(Fault("server.zip_name_twice", where)) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError) as error:
        # OSError: names too long for the disk, a file where a folder is needed
        raise InputError(Fault("server.zip_damaged", where)) from error


class Upload(NamedTuple):
    """What an upload holds: a scan, its mask if one came with it, and all series of a DICOM study."""

    scan: Scan
    truth: Segmentation | None = None
    series: tuple[FoundSeries, ...] = ()


def read_upload(folder: Path, settings: Settings, series: Sequence[str] = ()) -> Upload:
    """Read the one scan in an upload's folder, and its mask (of DICOM: the SEG) if one is beside it.

    Args:
        folder: holds nothing but the upload.
        settings: limits.
        series: of DICOM, ``flair=SERIES`` and so on, see :func:`glioseg.io.dicom.find.parse_series`.

    Raises:
        InputError: there is no scan, there are several, or something cannot be read.
    """
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    archives = [path for path in files if suffix_of(path) == ".zip"]
    if archives and len(files) > 1:
        raise InputError(Fault("server.several_archives", archives[0], count=len(files)))
    if archives:
        inside = folder / f"in {stem_of(archives[0])}"
        inside.mkdir()
        unpack(archives[0], inside, settings)
        archives[0].unlink()
        folder, files = inside, [path for path in sorted(inside.rglob("*")) if path.is_file()]
    check_promises(files, settings.values)
    known = [path for path in files if is_picture(path) or is_volume(path)]
    if not known and not any(is_dicom(path) for path in files):
        # Nothing that is known: the reader of what is there says so.
        return Upload(read_scan(_innermost(folder)))
    sources, faults = find_scans([folder], parse_series(series))
    raise_all(faults)
    if len(sources) != 1:
        code = "server.several_scans" if sources else "server.no_scan_in_upload"
        scans = listed(source.id for source in sources)
        raise InputError(Fault(code, count=len(sources), scans=scans))
    source = replace(sources[0], id=_id(sources[0], folder))
    check_series(source, settings.values)
    raise_all(without_image(mask) for mask in source.strays)
    try:
        scan = source.read()
    except InputError as error:
        if len(source.series) < 2:
            raise
        # Sequences that do not fit together: another series, or none, may.
        faults = [SeriesFault(f, source.series) for f in error.faults]
        raise InputError(*faults) from None
    return Upload(scan, _read_truth(source, scan), source.series)


def _read_truth(source: Source, scan: Scan) -> Segmentation | None:
    """The mask that came with a scan: lesion or not, or a few labels of which a person chooses."""
    try:
        return source.read_truth(scan)
    except InputError as refused:
        try:
            labelled = source.read_truth(scan, None)
        except InputError:
            raise refused from None
        # More values are no labels: a mask that was smoothed, or saved as JPEG.
        if labelled is None or len(labelled.counts) > _MOST_LABELS:
            raise
        return replace(labelled, labels={value: labelled.labels[value] for value in labelled.counts})


def _id(source: Source, folder: Path) -> str:
    """The name of a scan; the folder of the upload itself has none that means anything."""
    if source.format == "dicom":
        plain = folder.name.removeprefix("in ")
        return source.id if source.id != folder.name else plain if plain != folder.name else "dicom"
    if source.format != "slices" or source.files[0].parent != folder:
        # A file whose whole name is a sequence is called after its folder, here a random one.
        return source.id if source.id != folder.name else stem_of(source.files[0])
    return split_number(stem_of(source.files[0]))[0] or folder.name.removeprefix("in ")


def check_promises(files: list[Path], most: int) -> None:
    """Refuse an upload whose headers promise more values than allowed, before anything is decoded.

    Headers that cannot be read are left to the reader, which says what is wrong with them.

    Raises:
        InputError: the headers together promise more than ``most`` values.
    """
    total = 0
    for path in files:
        for probe in (_picture_values, _volume_values):
            try:
                total += sum(probe(path))
            except Exception:  # damaged headers raise whatever they like
                continue
        _check_total(total, most)


def check_series(source: Source, most: int) -> None:
    """Refuse a study whose series promise more values than allowed, as their headers, once read, say.

    Raises:
        InputError: the series together promise more than ``most`` values.
    """
    _check_total(sum(_product((f.rows, f.columns)) for s in source.chosen.values() for f in s.frames), most)


def _check_total(total: int, most: int) -> None:
    if total > most:
        raise InputError(Fault("server.too_many_values", most=f"{most:,}", count=f"{total:,}"))


def _picture_values(path: Path) -> Iterator[int]:
    if not is_picture(path):
        return
    if suffix_of(path) in (".tif", ".tiff"):
        import tifffile

        opened: Any
        with tifffile.TiffFile(path, _multifile=False) as opened:
            for page in opened.pages:
                yield _product(getattr(page, "shape", None) or page.keyframe.shape)
        return
    from PIL import Image

    with Image.open(path) as image:
        yield image.width * image.height * len(image.getbands())


def _volume_values(path: Path) -> Iterator[int]:
    if is_volume(path):
        import nibabel

        header: Any = nibabel.load(path)
        yield _product(header.shape)


def _product(sizes: tuple[int, ...]) -> int:
    result = 1
    for size in sizes:
        result *= max(1, int(size))
    return result


def _innermost(folder: Path) -> Path:
    """The folder that holds the files, below folders that hold nothing but one folder."""
    while True:
        inside = [path for path in folder.iterdir() if not path.name.startswith(".")]
        if len(inside) != 1:
            return folder
        if not inside[0].is_dir():
            return inside[0]
        folder = inside[0]


def _is_litter(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1].startswith("._") or parts[-1] in (".DS_Store", "Thumbs.db")


def _plain(part: str) -> str:
    plain = "".join("_" if ord(sign) < 32 or sign in '<>:"|?*\x7f' else sign for sign in part).strip()
    plain = plain.rstrip(". ") or "_"
    if len(plain.encode()) > _LONGEST_NAME:
        suffix = suffix_of(Path(plain))[:12]
        plain = _cut(plain[: len(plain) - len(suffix)], _LONGEST_NAME - len(suffix)) + suffix
    return plain


def _cut(text: str, size: int) -> str:
    return text.encode()[-size:].decode("utf-8", "ignore")
