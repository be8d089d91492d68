"""Wait for the work on the lent machine, then put what has ended and was not yet brought home into $OUT.

    python3 scripts/lent_gpu/home.py SECONDS LABEL

SECONDS, counted from the first take.sh, is how long it waits at most. A row that has ended has a tar with its
records, scores and masks, without weights; <LABEL>.tgz has the state of all rows, the log, and the records of
rows that have not ended.
"""

from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(os.environ.get("ROOT", "/root/lent_gpu"))
MOST_FILES, MOST_BYTES = 8, 9_000_000
LEFT_OUT = (".ckpt", ".onnx", ".safetensors", ".lock")
RECORDS = ("manifest.json", "recipe.toml", "metrics.csv")


def state(run: Path) -> dict[str, Any]:
    """How far a row is."""
    try:
        status = json.loads((run / "manifest.json").read_text())["status"]
    except (OSError, ValueError, KeyError):
        status = None
    table = run / "metrics.csv"
    epochs = len(table.read_text().splitlines()) - 1 if table.is_file() else 0
    return {"status": status, "epochs": epochs, "scored": (run / "evaluation" / "metrics.json").is_file()}


def add(tar: tarfile.TarFile, file: Path) -> None:
    """A file under its name below the runs; a manifest without the place of the data on this machine."""
    content = file.read_bytes()
    if file.name == "manifest.json":
        facts = json.loads(content)
        content = json.dumps({**facts, "data": Path(facts["data"]).name}, indent=2).encode() + b"\n"
    runs = ROOT / "runs"
    entry = tarfile.TarInfo(str(file.relative_to(runs if file.is_relative_to(runs) else ROOT)))
    entry.size, entry.mtime = len(content), int(file.stat().st_mtime)
    tar.addfile(entry, io.BytesIO(content))


def bring(run: Path, out: Path) -> None:
    """The tar of a row, without its events if those make it large."""
    for without in (LEFT_OUT, (*LEFT_OUT, "events.*")):
        with tarfile.open(out / f"{run.name}.tgz", "w:gz", compresslevel=6) as tar:
            for file in sorted(run.rglob("*")):
                if file.is_file() and not any(file.match(f"*{end}") for end in without):
                    add(tar, file)
        if (out / f"{run.name}.tgz").stat().st_size <= MOST_BYTES:
            return


def main() -> None:
    """Wait, then bring."""
    until, label = float((ROOT / "began").read_text()) + float(sys.argv[1]), sys.argv[2]
    out, home = Path(os.environ["OUT"]), ROOT / "home"
    home.mkdir(exist_ok=True)
    while time.time() < until and not (ROOT / "done").exists():
        time.sleep(1)
    runs = sorted(path for path in (ROOT / "runs").glob("*") if path.is_dir())
    states = {run.name: state(run) for run in runs}
    ended = [run for run in runs if states[run.name]["scored"] or states[run.name]["status"] == "failed"]
    for run in [run for run in ended if not (home / run.name).exists()][: MOST_FILES - 1]:
        bring(run, out)
        (home / run.name).touch()
    (ROOT / "status.json").write_text(json.dumps(states, indent=2) + "\n")
    with tarfile.open(out / f"{label}.tgz", "w:gz") as tar:
        records = [run / name for run in runs if run not in ended for name in RECORDS]
        for file in (ROOT / "status.json", ROOT / "work.log", *records):
            if file.is_file():
                add(tar, file)
    for name, each in states.items():
        print(name, *each.values(), "home" if (home / name).exists() else "")
    log = (ROOT / "work.log").read_text().splitlines()
    print("...", *log[-15:], *sorted(path.name for path in out.iterdir()), sep="\n")


main()
