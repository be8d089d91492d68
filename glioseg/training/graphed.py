"""The forward and backward pass of a small network as CUDA graphs.

A fast GPU does the work of a small network sooner than the host can ask for it, kernel by kernel. A captured
graph asks for all of it at once. On an H200 this takes the light network at 160 px from 719 to 1,973 images a
second, and gains nothing for the reference U-Net, whose kernels are long; hence only small networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

from glioseg.training.module import SegmentationModule

SMALL = 5_000_000
"""Parameters up to which a network is captured."""
TOLERANCE = 0.05
"""Most that captured and plain logits and gradients may differ, as a share of the plain ones' size; half
precision rounds to about a hundredth."""

Capture = Callable[[nn.Module, tuple[Tensor, ...]], Callable[[Tensor], Any]]


class GraphedNetwork:
    """Calls a network by way of captured graphs where there are some, otherwise plainly.

    It is no part of the module that owns the network, so that checkpoints and averaged copies do not meet it.

    Args:
        network: in training mode, on its device, with its final weights' memory.
        capture: what captures a module for some inputs; :func:`torch.cuda.make_graphed_callables` by default.
    """

    def __init__(self, network: nn.Module, capture: Capture | None = None) -> None:
        self.network = network
        self.capture = capture if capture is not None else _captured
        self.calls: dict[tuple[int, ...], Callable[[Tensor], Any]] = {}

    def __call__(self, images: Tensor) -> Any:
        """Logits of a batch, as the network gives them; of a graph, until the next call."""
        return self.calls.get(tuple(images.shape), self.network)(images)

    def prepare(self, samples: Sequence[Tensor]) -> str | None:
        """Capture the network for batches like these, all or none.

        Nothing else may use the device meanwhile. Weights, statistics of batch norm and gradients are
        afterwards what they were.

        Args:
            samples: a batch of each shape that will come, with the device, type and layout of what will come.

        Returns:
            Why it was given up, or ``None``.
        """
        calls = {}
        with _unchanged(self.network):
            for sample in samples:
                try:
                    call = self.capture(_Alone(self.network), (sample,))
                    difference = self._difference(call, sample)
                except Exception as error:  # whatever CUDA objects to: there is always the plain way
                    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
                if not difference <= TOLERANCE:
                    return f"its results differ by {difference:.2g}"
                calls[tuple(sample.shape)] = call
        self.calls = calls
        return None

    def _difference(self, call: Callable[[Tensor], Any], sample: Tensor) -> float:
        """The relative differences of logits and of gradients, together."""
        if any(isinstance(part, nn.Dropout | nn.Dropout2d) and part.p > 0 for part in self.network.modules()):
            # Two passes draw differently: it must only be of the same kind.
            call(sample)
            return 0.0
        plain, graphed = self._answers(self.network, sample), self._answers(call, sample)
        return sum(
            float((one - other).norm() / one.norm().clamp(min=1e-12))
            for one, other in zip(plain, graphed, strict=True)
        )

    def _answers(self, call: Callable[[Tensor], Any], sample: Tensor) -> tuple[Tensor, Tensor]:
        weights = [weight for weight in self.network.parameters() if weight.requires_grad]
        logits = torch.cat([each.flatten().float() for each in _leaves(call(sample))])
        gradients = torch.autograd.grad(logits.square().mean(), weights, allow_unused=True)
        found = [gradient.flatten().float() for gradient in gradients if gradient is not None]
        return logits.detach().clone(), torch.cat(found).clone()


class Graphs(Callback):
    """Captures the network before the first epoch, when no other thread uses the device yet.

    Args:
        echo: where the line goes that says why there is no graph.
        capture: as for :class:`GraphedNetwork`.
    """

    def __init__(self, echo: Callable[[str], None], capture: Capture | None = None) -> None:
        self.echo, self.capture = echo, capture
        self.tried = False

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Capture for every size of image that is still to come."""
        assert isinstance(pl_module, SegmentationModule)
        # Processes that load ahead use the device from threads of their own, which a capture does not bear.
        if self.tried or trainer.datamodule.resident is None:  # type: ignore[attr-defined]
            return
        self.tried = True
        graphed = GraphedNetwork(pl_module.network, self.capture)
        with trainer.precision_plugin.forward_context():
            reason = graphed.prepare(list(_samples(pl_module, trainer.current_epoch)))
        if reason is None:
            pl_module.graphed = graphed
        else:
            self.echo(
                f"The network is not captured as a CUDA graph ({reason}): its kernels start one by one."
            )


def _samples(module: SegmentationModule, epoch: int) -> Iterator[Tensor]:
    """A batch of each size that the epochs from this one on have."""
    choice, whole = module.recipe.train, module.recipe.prepare.size
    epochs = range(epoch, choice.epochs)
    sizes = [choice.small_size if each < choice.small_epochs else whole for each in epochs]
    for size in dict.fromkeys(size or whole for size in sizes):
        images = torch.randn(choice.batch_size, module.channels, size, size, device=module.device)
        yield images.contiguous(memory_format=torch.channels_last)


def is_small(network: nn.Module) -> bool:
    """Whether a network is one that the host cannot keep a fast GPU busy with."""
    return sum(weight.numel() for weight in network.parameters()) <= SMALL


class _Alone(nn.Module):
    """The network in another module: a capture replaces ``forward`` of what it is given."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Any:
        return self.network(images)


def _captured(network: nn.Module, samples: tuple[Tensor, ...]) -> Callable[[Tensor], Any]:
    device = samples[0].device.type
    # Casts that are kept from one call to the next would stay in the graph with their first values.
    with torch.autocast(
        device,
        dtype=torch.get_autocast_dtype(device),
        enabled=torch.is_autocast_enabled(device),
        cache_enabled=False,
    ):
        call: Callable[[Tensor], Any] = torch.cuda.make_graphed_callables(
            network, samples, allow_unused_input=True
        )
    return call


@contextmanager
def _unchanged(network: nn.Module) -> Iterator[None]:
    """Put back what trial passes change, in the memory where it stands: graphs keep the addresses."""
    kept = [(buffer, buffer.clone()) for buffer in network.buffers()]
    on_cuda = any(weight.is_cuda for weight in network.parameters())
    state = torch.get_rng_state()
    cuda_state = torch.cuda.get_rng_state_all() if on_cuda else []
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, before in kept:
                buffer.copy_(before)
        torch.set_rng_state(state)
        if on_cuda:
            torch.cuda.set_rng_state_all(cuda_state)


def _leaves(answer: Any) -> list[Tensor]:
    if isinstance(answer, Tensor):
        return [answer]
    return [leaf for part in answer for leaf in _leaves(part)]
