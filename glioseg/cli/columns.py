"""Text for a terminal: tables and paragraphs that fit its width, in which no number is ever cut."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

GAP = "  "


def width() -> int:
    """Columns of the terminal; 80 where there is none."""
    return shutil.get_terminal_size((80, 24)).columns


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose first column is text and whose others are numbers.

    A first cell that is too long stands on a line of its own, its numbers under it. Where the other columns
    do not fit beside each other, each cell stands on a line with its title.
    """
    numbers = [max(len(title), *(len(row[place]) for row in rows)) for place, title in enumerate(titles)][1:]
    taken = sum(numbers) + len(GAP) * len(numbers)
    first = min(max(len(titles[0]), *(len(row[0]) for row in rows)), width() - taken)
    if first < len(titles[0]):
        return "\n".join(_listed(titles, row) for row in rows) + "\n"

    def line(cells: Sequence[str]) -> str:
        begun, own = ("", cells[0]) if len(cells[0]) <= first else (f"{cells[0]}\n", "")
        rest = (cell.rjust(size) for cell, size in zip(cells[1:], numbers, strict=True))
        return begun + GAP.join((own.ljust(first), *rest)).rstrip()

    rule = "-" * (first + taken)
    return "\n".join((line(titles), rule, *map(line, rows))) + "\n"


def _listed(titles: Sequence[str], row: Sequence[str]) -> str:
    cells = zip(titles[1:], row[1:], strict=True)
    return "\n".join((row[0], *(f"  {title}: {cell}" for title, cell in cells if cell)))


def paragraph(text: str, indent: str = "") -> str:
    """Text broken at spaces alone, so that a path or a name can still be copied."""
    return textwrap.fill(
        text,
        max(20, width()),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
