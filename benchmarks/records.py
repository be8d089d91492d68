"""What a finished folder of results with many scans costs: to find its scans, and to see that all is done."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import nibabel
import numpy as np

from glioseg import load_model
from glioseg.batch import Outputs, predict_many
from glioseg.io import Source, find_scans
from glioseg.results.record import key_of, origin_of, read_record

MASKS_ONLY = Outputs(outlines=False, gif=False)


def make_scans(folder: Path, count: int) -> list[Source]:
    """Volumes that are copies of one file."""
    folder.mkdir()
    values = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    one = folder / "scan_000000.nii.gz"
    nibabel.save(nibabel.Nifti1Image(values, np.diag([-1.0, -1.0, 5.0, 1.0])), one)
    for number in range(1, count):
        shutil.copyfile(one, folder / f"scan_{number:06d}.nii.gz")
    return find_scans([folder])[0]


def make_records(out: Path, sources: list[Source]) -> None:
    """Masks and records of all scans as if they had been segmented, copied from those of the first."""
    first = read_record(out / "scans" / f"{sources[0].id}.json")
    assert first is not None
    ((mask, (_, _, digest)),) = first.files.items()
    for source in sources[1:]:
        name = f"masks/{source.id}_mask.nii.gz"
        shutil.copyfile(out / mask, out / name)
        state = (out / name).stat()
        record = replace(
            first,
            id=source.id,
            source=str(source.files[0]),
            key=key_of(source, first.settings),
            outputs=(name,),
            files={name: (state.st_size, state.st_mtime_ns, digest)},
            origin=origin_of(source),
        )
        (out / "scans" / f"{source.id}.json").write_text(json.dumps(asdict(record)), encoding="utf-8")


def peak() -> int:
    """Peak memory of this process in MiB."""
    if sys.platform == "win32":
        return 0
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def main() -> None:
    """Make the folder, and print a row for each number of scans."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, nargs="+", default=[1000, 10_000])
    arguments = parser.parse_args()
    predictor = load_model(threads=1)
    print(f"load of the machine {os.getloadavg()[0]:.1f}; processor seconds of one core, MiB at the peak")
    print(f"{'scans':>8}  {'find':>8}  {'ms each':>8}  {'check':>8}  {'ms each':>8}  {'MiB':>6}")
    for count in arguments.scans:
        with tempfile.TemporaryDirectory() as folder:
            scans, out = Path(folder) / "scans", Path(folder) / "out"
            sources = make_scans(scans, count)
            predict_many(sources[:1], out, predictor, MASKS_ONLY)
            make_records(out, sources)
            started = time.process_time()
            sources, _ = find_scans([scans])
            found = time.process_time()
            outcome = predict_many(sources, out, predictor, MASKS_ONLY)
            ended = time.process_time()
            assert outcome.skipped == count
        find, check = found - started, ended - found
        times = "".join(f"{spent:8.1f}  {1000 * spent / count:8.2f}  " for spent in (find, check))
        print(f"{count:8d}  {times}{peak():6d}", flush=True)


if __name__ == "__main__":
    main()
