"""A report as blocks, written once as Markdown and once as an HTML page that needs no other file."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title of the page."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Plain text."""

    text: str


@dataclass(frozen=True)
class Notes:
    """A list of short remarks."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """Rows of text below a header. ``strong`` holds the positions (row, column) that stand out."""

    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    strong: frozenset[tuple[int, int]] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A PNG or GIF; its address from the folder of the report."""

    file: str
    caption: str


@dataclass(frozen=True)
class Commands:
    """Lines for a terminal."""

    lines: Sequence[str]


Block = Heading | Paragraph | Notes | Table | Picture | Commands

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1b1f24; background: #fff }
h1 { line-height: 1.2 } caption { white-space: nowrap }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #d0d7de }
figure { margin: 1.5rem 0 } img { max-width: 100%; height: auto }
figcaption, caption { color: #57606a; font-size: 0.9rem; text-align: left; padding: 0.3rem 0 }
.wide { overflow-x: auto } table { border-collapse: collapse; font-size: 0.85rem; margin: 1rem 0 }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid #d8dee4; text-align: left; vertical-align: top;
         font-variant-numeric: tabular-nums }
th { background: #f6f8fa } td.strong { font-weight: 600; background: #fff3c4 }
pre { font-size: 0.8rem; white-space: pre-wrap; overflow-wrap: anywhere; background: #f6f8fa;
      padding: 0.7rem }
@media print {
  @page { margin: 1.5cm }
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt }
  .wide { overflow: visible } table { font-size: 7.5pt } caption { white-space: normal }
  h2, h3 { break-after: avoid } figure, tr { break-inside: avoid } figure img { max-height: 23cm }
}
"""


def to_markdown(blocks: Sequence[Block]) -> str:
    """The blocks as GitHub-flavoured Markdown; pictures are linked by file name."""
    return "\n\n".join(_markdown(block) for block in blocks) + "\n"


def to_html(blocks: Sequence[Block], folder: Path, language: str = "en") -> str:
    """The blocks as one HTML page with the pictures of ``folder`` inside it; no script, no address.

    Args:
        blocks: the content.
        folder: where the pictures are.
        language: tag of the language of the text.
    """
    title = next((block.text for block in blocks if isinstance(block, Heading)), "")
    body = "\n".join(_html(block, folder) for block in blocks)
    return (
        f'<!doctype html>\n<html lang="{escape(language)}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _markdown(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {block.text}"
    if isinstance(block, Paragraph):
        return block.text
    if isinstance(block, Notes):
        return "\n".join(f"* {item}" for item in block.items)
    if isinstance(block, Picture):
        return f"![{Path(block.file).stem.replace('_', ' ')}]({block.file})\n\n*{block.caption}*"
    if isinstance(block, Commands):
        return "\n".join(["```", *block.lines, "```"])
    rows = [
        [f"**{cell}**" if (row, column) in block.strong else cell for column, cell in enumerate(cells)]
        for row, cells in enumerate(block.rows)
    ]
    lines = [[*block.header], ["---"] * len(block.header), *rows]
    table = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
    return f"{table}\n\n*{block.caption}*" if block.caption else table


def _html(block: Block, folder: Path) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{escape(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Notes):
        return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in block.items) + "</ul>"
    if isinstance(block, Commands):
        return "<pre>" + escape("\n".join(block.lines)) + "</pre>"
    if isinstance(block, Picture):
        data = base64.b64encode((folder / block.file).read_bytes()).decode("ascii")
        caption, kind = escape(block.caption), Path(block.file).suffix.removeprefix(".")
        return (
            f'<figure><img alt="{caption}" src="data:image/{kind};base64,{data}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in block.header)
    rows = "\n".join(
        "<tr>"
        + "".join(
            f'<td class="strong">{escape(cell)}</td>'
            if (row, column) in block.strong
            else f"<td>{escape(cell)}</td>"
            for column, cell in enumerate(cells)
        )
        + "</tr>"
        for row, cells in enumerate(block.rows)
    )
    caption = f"<caption>{escape(block.caption)}</caption>" if block.caption else ""
    return f'<div class="wide"><table>{caption}\n<tr>{head}</tr>\n{rows}\n</table></div>'
