"""``glioseg serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glioseg.cli.networks import Best, Fast, Model


def serve(
    scans: Annotated[
        list[Path] | None,
        typer.Argument(help="Scans or folders of scans for the work list; - reads paths from input."),
    ] = None,
    work: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps the work list: masks, corrections and what was checked."),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on. Any but this machine's own asks clients for a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8765,
    model: Model = "default",
    best: Best = False,
    fast: Fast = False,
    runs: Annotated[
        Path | None, typer.Option(help="Folder of run folders, for the pages that list and compare them.")
    ] = None,
    corrected: Annotated[
        Path, typer.Option(help="Where corrected cases are collected, as glioseg train reads them.")
    ] = Path("glioseg-corrected"),
    demo: Annotated[bool, typer.Option("--demo", help="Show a bundled real scan at once.")] = False,
    token: Annotated[
        str | None, typer.Option(help="What clients must know. Made up when --host needs one.")
    ] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="Another name under which clients reach this server.")
    ] = None,
    max_upload: Annotated[int, typer.Option(min=1, help="Largest upload in MB.")] = 1024,
    max_memory: Annotated[
        int, typer.Option(min=64, help="Memory for all scans that are held or being read, in MB.")
    ] = 768,
    queue: Annotated[int, typer.Option(min=1, help="Segmentations that may wait.")] = 8,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads. Default: all.")] = None,
    open_browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page.")] = True,
) -> None:
    """Open a page where one drops a scan and sees the lesion. An HTTP API is behind it."""
    from glioseg.errors import Fault, InputError, require_extra

    if fast and best:
        raise InputError(Fault("model.fast_and_best"))
    require_extra("serve", "fastapi", "uvicorn", "python_multipart")
    from glioseg.cli.streams import paths_given
    from glioseg.server.settings import Settings
    from glioseg.server.start import start_server

    settings = Settings(
        host=host,
        port=port,
        token=token,
        allowed_hosts=tuple(allow_host or ()),
        model=model + (":fast" if fast else ":best" if best else ""),
        threads=threads,
        runs=runs,
        corrected=corrected,
        demo=demo,
        listed=tuple(paths_given(scans or [])),
        work=work,
        upload_bytes=max_upload << 20,
        unpacked_bytes=max_upload << 21,
        memory_bytes=max_memory << 20,
        queue=queue,
    )
    start_server(settings, open_browser, typer.echo)
