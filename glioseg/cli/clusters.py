"""The option that lets a Dask cluster do the work, for the verbs that share it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from glioseg.cli.streams import Output

if TYPE_CHECKING:
    from glioseg.cluster import Cluster

DaskOption = Annotated[
    str | None,
    typer.Option(
        "--dask",
        metavar="ADDRESS",
        help="Let the workers of a Dask cluster do it: address of the scheduler, or its scheduler file.",
    ),
]


@contextmanager
def cluster_at(address: str | None, output: Output) -> Iterator[Cluster | None]:
    """The cluster at an address, after saying what it is; ``None`` without an address."""
    if address is None:
        yield None
        return
    from glioseg.cluster import Cluster
    from glioseg.words import sentence

    with Cluster(address) as cluster:
        code = "cluster.there" if cluster.workers else "cluster.waits"
        facts = {"workers": cluster.workers, "threads": cluster.threads, "dashboard": cluster.dashboard}
        output.say(sentence("sentences", code, "en", **facts))
        yield cluster
