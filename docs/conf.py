"""Settings of the documentation: sphinx-build -W --keep-going -b html docs site."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent / "_extensions"), str(Path(__file__).parents[1])]

import glioseg  # noqa: E402 - after the path is set, so that this checkout is documented

project = "glioseg"
author = "The glioseg authors"
project_copyright = "the glioseg authors"
release = version = glioseg.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "from_the_code"]
exclude_patterns = ["_extensions", "README.md"]
source_suffix = {".md": "markdown"}

myst_heading_anchors = 3
myst_links_external_new_tab = False
napoleon_numpy_docstring = False
napoleon_use_ivar = True
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 90

html_theme = "furo"
html_title = "glioseg"
html_static_path = ["_static"]
html_css_files = ["tables.css"]
html_copy_source = False
html_show_copyright = False
