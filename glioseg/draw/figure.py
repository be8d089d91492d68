"""What all Matplotlib figures share: fonts that are really there, and small files."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from glioseg.files import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OWN = "DejaVu Sans"
"""Ships with Matplotlib."""

CHINESE = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "Microsoft YaHei",
    "PingFang SC",
    "Hiragino Sans GB",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "SimHei",
    "Noto Sans CJK JP",
    "Arial Unicode MS",
)


FILES = ("notosanscjk", "sourcehansans", "msyh", "pingfang", "hiragino", "wqy", "simhei", "arial unicode")
"""How the names of their files begin, in small letters."""


def chinese_font() -> str | None:
    """The first family of :data:`CHINESE` that is installed, or ``None``."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    found = _first(fontManager.get_font_names())
    if found is None:
        # Matplotlib remembers a list of fonts: one that was installed since is not in it.
        for file in findSystemFonts():
            if Path(file).name.lower().startswith(FILES):
                fontManager.addfont(file)
        found = _first(fontManager.get_font_names())
    return found


def _first(installed: Iterable[str]) -> str | None:
    return next((family for family in CHINESE if family in set(installed)), None)


@contextmanager
def text_in(font: str | None) -> Iterator[None]:
    """Draw Matplotlib's text in a family, and what it lacks in Matplotlib's own.

    Names of patients may be Chinese in any language. Where no font has their letters, Matplotlib draws boxes,
    and its warning for each of them would only bury what a person is told.
    """
    import matplotlib

    other = font or chinese_font()
    families = [font, OWN] if font else [OWN, other] if other else [OWN]
    with warnings.catch_warnings(), matplotlib.rc_context({"font.family": families}):
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        yield


def save_figure(figure: Figure, path: Path, description: str = "") -> Path:
    """Write a figure as a PNG with a palette, a quarter of the size.

    Args:
        figure: what to write.
        path: the PNG file.
        description: kept in the file beside the picture.
    """
    import io

    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    info = PngInfo()
    if description:
        info.add_text("Description", description)
    with written_whole(path) as part, Image.open(picture) as image:
        image.convert("RGB").quantize(128).save(part, format="PNG", optimize=True, pnginfo=info)
    return path
