"""A drawing of a network: a box for each block, a row for each size, arrows for what leads where."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from glioseg.draw.figure import save_figure, text_in

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from glioseg.networks.structure import Block, EdgeKind, Structure

ARROWS = {"down": "#0072b2", "same": "#4d4d4d", "up": "#d55e00"}
"""Colours of the arrows: to a smaller size, at one size, to a larger one."""

BEND = -0.2
"""Of arrows that go around a block; negative is upwards."""

INPUT, BLOCK, GATE, END = "#ffffff", "#dcebf7", "#fff3b0", "#fde3cf"
"""Colours of the boxes: the input, blocks, attention gates, what gives logits."""

EDGE = "#36506b"


def network_plot(structure: Structure, path: Path) -> Path:
    """Draw a network. In each box stand the channels and below them height x width of what the block gives.

    There is no word in the drawing, so that it serves in every language.

    Args:
        structure: of :func:`glioseg.networks.structure.read_structure`.
        path: the PNG file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    sizes = sorted({block.size for block in structure.blocks}, reverse=True)
    places = _places(structure, sizes)
    columns = 1 + max(x for x, _ in places)
    ends = set(range(len(structure.blocks))) - {one for one, _, _ in structure.edges}
    # Bent arrows of the first row need room above it: half of what the bend says of their length.
    above = max(
        [
            -BEND / 2 * (places[other][0] - places[one][0])
            for one, other, kind in structure.edges
            if places[one][1] == 0 and kind == "same" and _is_between(places, one, other)
        ],
        default=0.0,
    )
    with text_in(None):
        height = 0.95 * (len(sizes) + above) + 0.4
        figure = Figure(figsize=(max(6.0, 0.92 * columns + 0.4), height), dpi=100)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set_axis_off()
        axes.set_xlim(-0.6, columns - 0.4)
        axes.set_ylim(len(sizes) - 0.5, -0.6 - above)
        for one, other, kind in structure.edges:
            bent = kind == "same" and _is_between(places, one, other)
            _arrow(axes, places[one], places[other], kind, BEND if bent else 0.0)
        for number, (block, place) in enumerate(zip(structure.blocks, places, strict=True)):
            colour = GATE if "gate" in block.name else END if number in ends else BLOCK
            _box(axes, block, place, INPUT if number == 0 else colour)
        return save_figure(figure, path)


def _arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], kind: EdgeKind, bend: float
) -> None:
    """An arrow between two boxes; broken where it passes other columns at one size."""
    from matplotlib.patches import FancyArrowPatch

    arrow = FancyArrowPatch(
        start,
        end,
        arrowstyle="-|>",
        mutation_scale=9,
        shrinkA=20,
        shrinkB=20,
        color=ARROWS[kind],
        linewidth=1.2,
        linestyle="--" if kind == "same" and end[0] - start[0] > 1 else "-",
        connectionstyle=f"arc3,rad={bend}",
    )
    axes.add_patch(arrow)


def _box(axes: Axes, block: Block, place: tuple[float, float], colour: str) -> None:
    """A box with the channels and the size of a block."""
    from matplotlib.patches import FancyBboxPatch

    x, y = place
    shape = "round,pad=0.02,rounding_size=0.06"
    box = FancyBboxPatch(
        (x - 0.31, y - 0.2), 0.62, 0.4, boxstyle=shape, facecolor=colour, edgecolor=EDGE, zorder=3
    )
    axes.add_patch(box)
    size = f"{block.size}×{block.size}"
    axes.text(x, y - 0.07, str(block.channels), ha="center", va="center", fontsize=11, zorder=4)
    axes.text(x, y + 0.11, size, ha="center", va="center", fontsize=7, color=EDGE, zorder=4)


def _places(structure: Structure, sizes: list[int]) -> list[tuple[float, float]]:
    """Where each block stands; two that would stand in one place get places beside each other."""
    taken: set[tuple[float, float]] = set()
    found = []
    for block in structure.blocks:
        x, y = float(block.column), float(sizes.index(block.size))
        while (x, y) in taken:
            x += 1
        taken.add((x, y))
        found.append((x, y))
    return found


def _is_between(places: list[tuple[float, float]], one: int, other: int) -> bool:
    (x1, y), (x2, _) = places[one], places[other]
    return any(y == row and x1 < x < x2 for x, row in places)
