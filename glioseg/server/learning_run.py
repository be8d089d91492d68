"""The process of its own in which a model learns on, so that the server goes on answering.

It is started as ``python -m glioseg.server.learning_run FOLDER``, with a folder of
:class:`glioseg.server.learning.Learning`, and ends with the server: its input is a pipe that closes then.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path
from typing import Any

from glioseg.errors import Fault, InputError, TrainingError
from glioseg.files import write_json
from glioseg.server.faults import as_dict, unforeseen, without_folder

NICENESS = 10
"""How far the training stands back behind everything else on the machine."""


def learn(folder: Path, job: dict[str, Any]) -> None:
    """Do the training of a folder and write ``result.json`` there: what was reached, or what was wrong.

    Args:
        folder: with ``data/`` and ``split.json``.
        job: what ``job.json`` says.
    """
    try:
        result = _outcome(folder, job)
    except InputError as error:
        result = _failed(*without_folder(error.faults, folder))
    except TrainingError as error:
        result = _failed(Fault("learning.diagnosed", reason=error))
    except Exception as error:  # whatever a library runs into; a person gets a sentence
        result = _failed(unforeseen(error))
    write_json(folder / "result.json", result)


def _failed(*faults: Fault) -> dict[str, Any]:
    return {"state": "failed", "faults": [as_dict(fault) for fault in faults]}


def _outcome(folder: Path, job: dict[str, Any]) -> dict[str, Any]:
    import json

    from glioseg.recipe import Labels, SplitChoice, load_recipe
    from glioseg.studies.finetune import finetune
    from glioseg.training.hardware import Hardware
    from glioseg.training.start import read_start

    start = read_start(job["base"])
    recipe = load_recipe("finetune", job["settings"], start.tables)
    split = SplitChoice(name="file", file=str(folder / "split.json"))
    if not job["held_out"]:
        split = SplitChoice(name="all")
    # The masks say lesion or not, whatever values those had that the model learned from.
    recipe = recipe.model_copy(update={"split": split, "labels": Labels()})
    hardware = Hardware(threads=1)
    run = finetune(
        folder / "data", recipe, folder / job["name"], start, cache=folder / "cache", hardware=hardware
    )
    change = json.loads((run.path / "change.json").read_text(encoding="utf-8"))
    return {"state": "done", "change": change.get("validation")}


def _end_with_server() -> None:
    """End when the server does, however that ends."""
    sys.stdin.buffer.read()
    os._exit(1)


def main() -> None:
    """Learn in the folder that the command line names."""
    import json

    folder = Path(sys.argv[1])
    threading.Thread(target=_end_with_server, daemon=True).start()
    if hasattr(os, "nice"):
        os.nice(NICENESS)
    learn(folder, json.loads((folder / "job.json").read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
