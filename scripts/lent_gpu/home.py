"""Wait for the work on the lent machine, then put what has ended and was not yet brought home into $OUT.

    python3 scripts/lent_gpu/home.py SECONDS LABEL

SECONDS, counted from the first take.sh, is how long it waits at most. A row of seed 42 that has ended has a
tar with its records, scores and masks, without weights. <LABEL>.tgz has the state of all rows, the log, what
ended of other seeds, and the records of rows that have not ended. That is eight files at most.
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
OWN_TAR = "-seed42"
MOST_BYTES = 8_500_000
"""Of one tar with its events, so that seven and the rest stay below 64 MiB."""
LEFT_OUT = ("*.ckpt", "*.onnx", "*.safetensors", "*.lock", ".part-*")
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


def files_of(run: Path, events: bool) -> dict[str, Path]:
    """What comes home of a row, by its name in a tar."""
    names = LEFT_OUT if events else (*LEFT_OUT, "events.*")
    files = [file for file in sorted(run.rglob("*")) if not any(file.match(name) for name in names)]
    return {str(file.relative_to(run.parent)): file for file in files}


def write(path: Path, files: dict[str, Path]) -> int:
    """A tar, in which records do not tell where the data lay on this machine; says how large it is."""
    with tarfile.open(path, "w:gz", compresslevel=6) as tar:
        for name, file in files.items():
            if not file.is_file():
                continue
            content = file.read_bytes()
            if file.name in ("manifest.json", "metrics.json"):
                facts = json.loads(content)
                place = facts if file.name == "manifest.json" else facts.get("place") or {}
                if "data" in place:
                    place["data"] = Path(place["data"]).name
                content = json.dumps(facts, indent=2).encode() + b"\n"
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime = len(content), int(file.stat().st_mtime)
            tar.addfile(entry, io.BytesIO(content))
    return path.stat().st_size


def main() -> None:
    """Wait, then bring."""
    until, label = float((ROOT / "began").read_text()) + float(sys.argv[1]), sys.argv[2]
    out, home = Path(os.environ["OUT"]), ROOT / "home"
    home.mkdir(exist_ok=True)
    while time.time() < until and not (ROOT / "done").exists():
        time.sleep(1)
    runs = sorted(path for path in (ROOT / "runs").glob("*") if path.is_dir())
    states = {run.name: state(run) for run in runs}
    (ROOT / "status.json").write_text(json.dumps(states, indent=2) + "\n")
    together = {f"{label}-{name}": ROOT / name for name in ("status.json", "work.log")}
    for run in runs:
        if not states[run.name]["scored"] and states[run.name]["status"] != "failed":
            together |= {f"unfinished/{run.name}/{name}": run / name for name in RECORDS}
        elif not (home / run.name).exists():
            if not run.name.endswith(OWN_TAR):
                together |= files_of(run, events=False)
            elif write(out / f"{run.name}.tgz", files_of(run, events=True)) > MOST_BYTES:
                write(out / f"{run.name}.tgz", files_of(run, events=False))
            (home / run.name).touch()
    write(out / f"{label}.tgz", together)
    for name, each in states.items():
        print(name, *each.values(), "home" if (home / name).exists() else "")
    log = (ROOT / "work.log").read_text().splitlines()
    print("...", *log[-15:], *sorted(path.name for path in out.iterdir()), sep="\n")


main()
