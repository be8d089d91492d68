"""Options that say which network segments; the verbs that segment share them."""

from __future__ import annotations

from typing import Annotated

import typer

Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", help="A model that ships (default: finds gliomas), a run folder, or an .onnx file."
    ),
]
Best = Annotated[bool, typer.Option("--best", help="Two networks: half as fast, misses fewer lesions.")]
Fast = Annotated[bool, typer.Option("--fast", help="8-bit network: faster, nearly the same masks.")]
Flips = Annotated[bool, typer.Option("--flips", help="Average with the mirrored slices: half as fast.")]
