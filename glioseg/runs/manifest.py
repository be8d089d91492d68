"""What stands in the ``manifest.json`` of a run, and how files of a run are read as data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from glioseg.settings import first_error

MOST_BYTES = 64 * 2**20
"""More than any file of text in a run has."""

Count = Field(default=None, ge=0, lt=2**53)


class SplitRecord(BaseModel):
    """Patients by their role."""

    name: str
    train: list[str] = []
    validation: list[str] = []


class Manifest(BaseModel):
    """What every reader of a run relies on; further facts are kept as they are.

    Attributes:
        status: how far the training came; ``failed`` with a diagnosis.
        data: folder of the labelled scans.
        split: patients that train and validate.
        packages: versions by name of the package.
    """

    model_config = ConfigDict(extra="allow", strict=True)

    status: Literal["started", "stopped", "failed", "finished"]
    data: str
    recipe: str | None = None
    split: SplitRecord | None = None
    data_fingerprint: str | None = None
    patient_rule: str | None = None
    layout: str | None = None
    seed: int | None = Count
    training_slices: int | None = Count
    lesion_slices: int | None = Count
    training_minutes: FiniteFloat | None = None
    best_val_dsc: FiniteFloat | None = None
    best_epoch: int | None = Count
    failure: str | None = None
    command: str = ""
    time: str = ""
    glioseg: str | None = None
    python: str | None = None
    system: str | None = None
    cores: int | None = None
    packages: dict[str, str] = {}


def read_manifest(path: Path) -> dict[str, Any]:
    """The content of a manifest, as it stands there.

    Raises:
        ValueError: why it is none, in one line.
    """
    content: Any = read_json(path)
    try:
        Manifest.model_validate(content)
    except ValidationError as error:
        raise ValueError(first_error(error)) from error
    facts: dict[str, Any] = content
    return facts


def read_json(path: Path) -> Any:
    """JSON of a bounded size and depth, in which every text can be written again.

    Raises:
        ValueError: why it cannot be read, in one line.
    """
    try:
        content = json.loads(read_text(path))
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise ValueError("lists in lists, too deep to be read") from None
    except UnicodeEncodeError:
        raise ValueError("half a character") from None
    return content


def read_text(path: Path) -> str:
    """UTF-8 text of a bounded size.

    Raises:
        ValueError: why it cannot be read, in one line.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ValueError(f"{size:,} bytes, more than {MOST_BYTES:,}")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
