"""Text for a terminal: tables and paragraphs that fit its width, in which no number is ever cut."""

from __future__ import annotations

import shutil
import textwrap
import unicodedata
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
    numbers = [
        max(_cells(title), *(_cells(row[place]) for row in rows)) for place, title in enumerate(titles)
    ]
    taken = sum(numbers[1:]) + len(GAP) * len(numbers[1:])
    first = min(numbers[0], width() - taken)
    if first < _cells(titles[0]):
        return "\n".join(_listed(titles, row) for row in rows) + "\n"

    def line(cells: Sequence[str]) -> str:
        begun, own = ("", cells[0]) if _cells(cells[0]) <= first else (f"{cells[0]}\n", "")
        rest = (" " * (size - _cells(cell)) + cell for cell, size in zip(cells[1:], numbers[1:], strict=True))
        return begun + GAP.join((own + " " * (first - _cells(own)), *rest)).rstrip()

    rule = "-" * (first + taken)
    return "\n".join((line(titles), rule, *map(line, rows))) + "\n"


def _cells(text: str) -> int:
    """Columns that a text takes in a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


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
