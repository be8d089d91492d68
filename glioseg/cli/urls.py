"""``glioseg predict`` where scans or results are behind URLs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from glioseg.cli.clusters import cluster_at
from glioseg.cli.streams import Output

if TYPE_CHECKING:
    from collections.abc import Callable

    from glioseg.batch import ScanResult
    from glioseg.batch.staged import StagedSegmenting


def has_urls(paths: Iterable[Path]) -> bool:
    """Whether a path is a URL."""
    from glioseg.remote import url_of

    return any(url_of(path) for path in paths)


def refuse_with_urls(options: Mapping[str, object]) -> None:
    """Refuse options that need all scans on this machine.

    Args:
        options: each with its value; those without one are not used.

    Raises:
        InputError: one is used.
    """
    from glioseg.errors import Fault, raise_all

    raise_all(Fault("remote.option", option, option=option) for option, value in options.items() if value)


def predict_urls(
    paths: list[Path],
    segmenting: StagedSegmenting,
    shard: slice,
    manifest: dict[str, Any],
    progress: Callable[[ScanResult, bool], None],
    dask: str | None,
    output: Output,
) -> None:
    """Segment what is behind paths and URLs, a folder at a time, and say what became of it.

    Raises:
        typer.Exit: with the exit code, if anything is wrong.
    """
    from glioseg.batch.staged import predict_staged
    from glioseg.io.names import listed
    from glioseg.remote import place_of, units_in
    from glioseg.unexpected import exit_code
    from glioseg.words import sentence

    units, faults = units_in(place_of(path) for path in paths)
    for fault in faults:
        output.tell(fault)
    if not units:
        raise typer.Exit(2)
    with cluster_at(dask, output) as cluster:
        outcome = predict_staged(units[shard], segmenting, manifest, progress, output.tell, cluster)
    if outcome.incomplete:
        names = listed(outcome.incomplete)
        said = sentence("sentences", "results.incomplete", folder=segmenting.place, scans=names)
        typer.echo(said, err=True)
    output.say(f"{len(outcome.results)} scans in {segmenting.place} (summary.csv, masks/)")
    code = exit_code([*faults, *outcome.faults])
    if code:
        raise typer.Exit(code)
