"""What a training runs on, checked before any work."""

from __future__ import annotations

import os
from dataclasses import dataclass

from glioseg.errors import Fault, InputError, raise_all
from glioseg.training.launch import launched
from glioseg.words import Joined

DEVICES = ("auto", "cpu", "cuda", "gpu", "mps")
PRECISIONS = ("auto", "32-true", "16-mixed", "bf16-mixed")


@dataclass(frozen=True)
class Hardware:
    """Where to train; passed through to Lightning. None of it changes what the recipe says.

    Attributes:
        device, strategy, precision, threads: as ``glioseg train`` has them.
        devices: devices on each machine; by default as many as torchrun or srun started processes there,
            otherwise one.
        nodes: machines; by default those that torchrun or srun started processes on, otherwise one.
        compiled: let PyTorch fuse kernels first.
        workers: processes that load ahead when the data set does not fit on the GPU; up to 8 if not given.
    """

    device: str = "auto"
    devices: int | None = None
    nodes: int | None = None
    strategy: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    compiled: bool = False
    workers: int | None = None

    @property
    def devices_of_node(self) -> int:
        """Devices, and so processes, on each machine."""
        return self.devices or launched().devices or 1

    @property
    def number_of_nodes(self) -> int:
        """Machines."""
        return self.nodes or launched().nodes or 1

    @property
    def world(self) -> int:
        """Processes that train together."""
        return self.devices_of_node * self.number_of_nodes

    @property
    def started_elsewhere(self) -> bool:
        """Whether some of them are not started by this one, which therefore cannot tell them anything."""
        return self.number_of_nodes > 1 or (self.world > 1 and launched().devices is not None)

    @property
    def writes(self) -> bool:
        """Whether this process is the one of them that writes and speaks."""
        return self.world == 1 or launched().rank == 0

    @property
    def on_cuda(self) -> bool:
        """Whether a CUDA GPU does the work."""
        import torch

        return self.device.partition(":")[0] in ("auto", "cuda", "gpu") and torch.cuda.is_available()

    @property
    def accelerator(self) -> str:
        """Lightning's name of the kind of device."""
        kind = self.device.partition(":")[0]
        return "gpu" if kind == "cuda" else kind

    @property
    def chosen(self) -> int | list[int]:
        """How many devices, or which one: ``cuda:1`` is the second GPU."""
        number = self.device.partition(":")[2]
        return [int(number)] if number else self.devices_of_node

    @property
    def lightning_precision(self) -> str:
        """Mixed precision only where the hardware is made for it."""
        import torch

        if self.precision != "auto":
            return self.precision
        if self.on_cuda:
            return "bf16-mixed" if torch.cuda.is_bf16_supported() else "16-mixed"
        return "32-true"

    def check(self) -> None:
        """Refuse what this machine or Lightning does not have.

        Raises:
            InputError: no such device, fewer devices than wanted, or a strategy or precision that Lightning
                does not know or that does not go with the device.
        """
        check_device(self.device)
        raise_all(self._faults())

    def _faults(self) -> list[Fault]:
        import pytorch_lightning as lightning
        from pytorch_lightning.strategies import StrategyRegistry

        if self.precision not in PRECISIONS:
            return [
                Fault("training.precision", "--precision", known=Joined(PRECISIONS), precision=self.precision)
            ]
        known = ["auto", *StrategyRegistry.available_strategies()]
        if self.strategy not in known:
            return [Fault("training.strategy", "--strategy", known=Joined(known), strategy=self.strategy)]
        try:
            # A trainer that trains nothing: Lightning alone knows what goes with what.
            lightning.Trainer(
                accelerator=self.accelerator,
                devices=self.chosen,
                num_nodes=self.number_of_nodes,
                strategy=self.strategy,
                precision=self.lightning_precision,  # type: ignore[arg-type]
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
        except Exception as error:  # each part of Lightning has its own errors
            options = {"device": self.device, "devices": self.devices_of_node}
            options |= {"strategy": self.strategy, "precision": self.precision}
            given = [f"--{name} {value}" for name, value in options.items() if value not in ("auto", 1)]
            reason = (str(error) or type(error).__name__).splitlines()[0]
            return [Fault("training.hardware", " ".join(given) or "--device auto", reason=reason)]
        return []


def check_device(device: str) -> None:
    """Refuse a device that there is not; PyTorch is loaded only to look for a GPU.

    Args:
        device: one of :data:`DEVICES`, or ``cuda:`` and a number.

    Raises:
        InputError: it is not known, or this machine has none.
    """
    kind, colon, number = device.partition(":")
    if kind not in DEVICES or (colon and not (kind == "cuda" and number.isdecimal())):
        raise InputError(Fault("training.device", "--device", known=Joined(DEVICES), device=device))
    if kind in ("auto", "cpu"):
        return
    import torch

    usable = torch.backends.mps.is_available() if kind == "mps" else torch.cuda.is_available()
    if not usable:
        raise InputError(Fault("training.no_device", "--device", kind=kind))
    if number and int(number) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise InputError(Fault("training.no_gpu", "--device", device=device, count=count))


def memory_bytes() -> int | None:
    """Memory of this machine; ``None`` where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
