"""What a network consists of, read from the network itself: its blocks, their sizes, and what leads where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import fx, nn

EdgeKind = Literal["down", "same", "up"]


@dataclass(frozen=True)
class Block:
    """A part of a network that holds convolutions.

    Attributes:
        name: of the module; several for a chain of blocks of one size.
        channels: of what it gives.
        size: height of what it gives, in pixels.
        column: length of the longest path from the input to it.
    """

    name: str
    channels: int
    size: int
    column: int


@dataclass(frozen=True)
class Structure:
    """A network as a graph.

    Attributes:
        blocks: the input first; the last ones give the logits.
        edges: positions in ``blocks`` of the giving and of the taking block, and whether the size falls.
    """

    blocks: tuple[Block, ...]
    edges: tuple[tuple[int, int, EdgeKind], ...]


def read_structure(network: nn.Module, channels: int, size: int) -> Structure:
    """Trace a network and give its blocks.

    Pooling, up-sampling, activations and joints are no blocks of their own: they become the edges. Blocks
    of one size that follow each other and lead nowhere else stand together.

    Args:
        network: any network of :mod:`glioseg.networks`. It loses its weights here: shapes alone are traced.
        channels: input channels.
        size: height and width of the input in pixels.

    Raises:
        ValueError: ``torch.fx`` cannot trace the network.
    """
    network = network.eval().to("meta")
    images = torch.zeros(1, channels, size, size, device="meta")
    try:
        graph = _Tracer(_opened(network, images)).trace(network)
        traced = fx.GraphModule(network, graph)
        shapes = _Shapes(traced)
        shapes.run(images)
    except Exception as error:  # tracing runs foreign code and fails in many ways
        raise ValueError(f"{type(network).__name__} cannot be traced: {error}") from error
    return _drawn(traced, shapes.sizes)


class _Tracer(fx.Tracer):
    """Goes into the network, into lists of modules, and into the given modules; all others are blocks."""

    def __init__(self, opened: set[nn.Module]) -> None:
        super().__init__()
        self.opened = opened

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Whether a module is a block."""
        return m not in self.opened


class _Shapes(fx.Interpreter):
    """Keeps channels and height of what each node gives."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.sizes: dict[fx.Node, tuple[int, int]] = {}

    def run_node(self, n: fx.Node) -> Any:
        """The node's value; its shape is kept."""
        value = super().run_node(n)
        first = next(_tensors(value), None)
        if first is not None and first.ndim == 4:
            self.sizes[n] = (first.shape[1], first.shape[2])
        return value


def _opened(network: nn.Module, images: torch.Tensor) -> set[nn.Module]:
    """Modules that give feature maps of several sizes: encoders."""
    found: set[nn.Module] = set()

    def see(module: nn.Module, _: Any, output: Any) -> None:
        if len({tensor.shape[2:] for tensor in _tensors(output)}) > 1:
            found.add(module)

    hooks = [module.register_forward_hook(see) for module in network.modules()]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return found


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list)):
        for one in value:
            yield from _tensors(one)


def _drawn(traced: fx.GraphModule, sizes: dict[fx.Node, tuple[int, int]]) -> Structure:
    """The blocks of a traced network with what lies between them left out."""
    sources: dict[fx.Node, tuple[fx.Node, ...]] = {}
    taken: dict[fx.Node, tuple[fx.Node, ...]] = {}
    for node in traced.graph.nodes:
        before = tuple(dict.fromkeys(one for each in node.all_input_nodes for one in sources.get(each, ())))
        is_block = node.op == "placeholder" or (
            node.op == "call_module" and _is_block(traced.get_submodule(str(node.target)), node, sizes)
        )
        sources[node] = (node,) if is_block else before
        if is_block:
            taken[node] = before
    ends = {one for node in traced.graph.nodes if node.op == "output" for one in sources[node]}
    names = {node: str(node.target) for node in taken}
    _join(taken, sizes, names, ends)
    nodes = list(taken)
    columns: dict[fx.Node, int] = {}
    for node in nodes:
        columns[node] = 1 + max((columns[one] for one in taken[node]), default=-1)
    blocks = tuple(Block(names[node], *sizes[node], columns[node]) for node in nodes)
    edges = tuple(
        (nodes.index(one), nodes.index(node), _kind(sizes[one][1], sizes[node][1]))
        for node in nodes
        for one in taken[node]
    )
    return Structure(blocks, edges)


def _is_block(module: nn.Module, node: fx.Node, sizes: dict[fx.Node, tuple[int, int]]) -> bool:
    """Whether a module holds convolutions and does more than to enlarge or to pool."""
    convolutions = [part for part in module.modules() if isinstance(part, (nn.Conv2d, nn.ConvTranspose2d))]
    entering = [sizes[one][1] for one in node.all_input_nodes if one in sizes]
    enlarges = bool(entering) and sizes[node][1] > max(entering)
    return bool(convolutions) and not (enlarges and len(convolutions) == 1)


def _join(
    taken: dict[fx.Node, tuple[fx.Node, ...]],
    sizes: dict[fx.Node, tuple[int, int]],
    names: dict[fx.Node, str],
    ends: set[fx.Node],
) -> None:
    """Put blocks together that follow each other at one size and lead nowhere else.

    The ends, and blocks in which several meet, stay alone.
    """
    for node in list(taken):
        before = taken[node]
        if len(before) != 1 or node in ends:
            continue
        (one,) = before
        alone = sum(one in others for others in taken.values()) == 1
        straight = alone and one.op != "placeholder" and len(taken[one]) == 1
        if straight and sizes[one][1] == sizes[node][1]:
            taken[node] = taken.pop(one)
            names[node] = f"{names.pop(one)}, {names[node]}"


def _kind(before: int, after: int) -> EdgeKind:
    return "same" if before == after else "down" if after < before else "up"
