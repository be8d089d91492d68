"""How a training process was started: alone, or as one of several by Lightning, torchrun or srun."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple


class Launch(NamedTuple):
    """One process among those that train together.

    Attributes:
        rank: its number among all of them; 0 is the one that writes.
        devices: processes on each machine, one a device; ``None`` where the command decides.
        nodes: machines; ``None`` likewise.
    """

    rank: int
    devices: int | None = None
    nodes: int | None = None


def launched(environment: Mapping[str, str] | None = None) -> Launch:
    """What the environment says, in the order in which Lightning asks: torchrun, Slurm, its own.

    A Slurm job that starts the command without ``srun`` is one process, whatever tasks it has asked for.

    Args:
        environment: variables; those of this process by default.
    """
    said = os.environ if environment is None else environment

    def number(name: str, default: int = 0) -> int:
        return int(said.get(name) or default)

    if "TORCHELASTIC_RUN_ID" in said:
        devices = number("LOCAL_WORLD_SIZE", 1)
        return Launch(number("RANK"), devices, number("WORLD_SIZE", 1) // devices)
    interactive = said.get("SLURM_JOB_NAME") in ("bash", "interactive")
    if "SLURM_STEP_ID" in said and "SLURM_NTASKS" in said and not interactive:
        nodes = number("SLURM_NNODES", 1)
        return Launch(number("SLURM_PROCID"), number("SLURM_NTASKS", 1) // nodes, nodes)
    # Only whether it is 0 matters, and it is where both are.
    return Launch(number("LOCAL_RANK") + number("NODE_RANK"))
