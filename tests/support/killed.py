"""A program that kills the writer of results before each of its file operations, one after the other.

Run as ``python -m support.killed SCANS WORK CASE STEP``; prints one JSON line for each kill, with what was
wrong afterwards and after the next start.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from glioseg.batch import Outputs, predict_many
from glioseg.draw import draw_gif, draw_slices  # loaded before anything is counted
from glioseg.results.bids import named_as_bids
from support.results_kit import BrightNetwork, content, home_of, lies, sources_of

EVENTS = {
    "open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate",
    "os.utime", "os.chmod", "shutil.rmtree", "fsync",
}  # fmt: skip
KILLED = 99
assert draw_gif is not None, draw_slices is not None

Call = Callable[[Path], None]


def call(*names: str, threshold: float, outputs: Outputs) -> Call:
    """A call of the command on some of the scans."""

    def predict(out: Path) -> None:
        network = BrightNetwork(threshold)
        if outputs.bids:
            sources, _ = named_as_bids(sources_of(*(SCANS / f"sub-{name}" for name in names)))
        else:
            sources = sources_of(*(SCANS / f"{name}.nii.gz" for name in names))
        outcome = predict_many(sources, out, network, outputs)
        assert outcome.faults == [], outcome.faults
        assert len(outcome.results) == len(names)

    return predict


def in_child(work: Callable[[], None]) -> int:
    """Run something in a process of its own."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def killed_before(number: int, predict: Call, out: Path) -> None:
    """Run a call and die before its file operation of this number, of those below the output folder."""
    left = number

    def count(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if (
            event not in EVENTS
            or not arguments
            or not isinstance(arguments[0], str | bytes | os.PathLike | int)
        ):
            return
        place = arguments[0]
        if isinstance(place, int) or str(out) in os.fsdecode(place):
            left -= 1
            if left == 0:
                os._exit(KILLED)

    fsync = os.fsync

    def counted_fsync(descriptor: int) -> None:
        count("fsync", (str(out),))
        fsync(descriptor)

    os.fsync = counted_fsync
    sys.addaudithook(count)
    predict(out)


def orphans(out: Path) -> list[str]:
    """Files among the results that no record names, and what else should not be there."""
    home = home_of(out)
    named = {(home / name).relative_to(out).as_posix() for name in ("summary.csv", "manifest.json")}
    if home != out:
        named |= {"dataset_description.json", "README.md", "participants.tsv", "participants.json"}
    for path in home.glob("scans/*.json"):
        named |= {path.relative_to(out).as_posix(), *json.loads(path.read_text(encoding="utf-8"))["files"]}
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    empty = {
        path.relative_to(out).as_posix()
        for path in out.rglob("*")
        if path.is_dir() and not any(path.iterdir())
    }
    return sorted((there - named) | empty)


def main(work: Path, case: str, step: int) -> None:
    """Kill before every ``step``-th operation, and look."""
    everything, masks = Outputs(probability=True), Outputs(outlines=False, gif=False)
    derivatives = Outputs(outlines=False, bids=True)
    first, then, another = {
        "fresh": (
            None,
            call("a", "b", threshold=0.5, outputs=everything),
            call("c", threshold=0.5, outputs=everything),
        ),
        "other settings": (
            call("a", "b", threshold=0.5, outputs=everything),
            call("a", "b", threshold=0.7, outputs=masks),
            call("c", threshold=0.7, outputs=masks),
        ),
        "derivatives": (
            call("a", threshold=0.5, outputs=derivatives),
            call("a", "b", threshold=0.7, outputs=derivatives),
            call("c", threshold=0.7, outputs=derivatives),
        ),
        "more scans": (
            call("a", threshold=0.5, outputs=masks),
            call("a", "b", threshold=0.5, outputs=masks),
            call("c", threshold=0.5, outputs=masks),
        ),
    }[case]
    before, whole, out, other = (work / name for name in ("before", "whole", "out", "other"))
    if first is not None:
        first(before)
        shutil.copytree(before, whole)
    then(whole)
    wanted = content(whole)
    number = 0
    while True:
        number += step
        for folder in (out, other):
            shutil.rmtree(folder, ignore_errors=True)
        if first is not None:
            shutil.copytree(before, out)
        code = in_child(partial(killed_before, number, then, out))
        if code == 0:
            break
        assert code == KILLED, code
        found = {"number": number, "lies": lies(out) if out.exists() else []}
        # The next start may be for another scan, and is not told of those that the kill befell.
        if out.exists():
            shutil.copytree(out, other)
        again = in_child(lambda: then(out))
        found["again"] = again or [*lies(out), *orphans(out)]
        found["same"] = content(out) == wanted
        found["other"] = in_child(lambda: another(other)) or [*lies(other), *orphans(other)]
        print(json.dumps(found), flush=True)
    print(json.dumps({"operations": number}), flush=True)


if __name__ == "__main__":
    SCANS = Path(sys.argv[1])
    main(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
