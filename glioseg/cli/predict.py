"""``glioseg predict``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from glioseg.cli.clusters import DaskOption, cluster_at
from glioseg.cli.labelled import ChannelsOption
from glioseg.cli.networks import Best, Fast, Flips, Model
from glioseg.cli.streams import AsJson, FilesFrom, Output, paths_given, paths_in
from glioseg.cli.urls import has_urls, predict_urls, refuse_with_urls

if TYPE_CHECKING:
    from glioseg.batch import ScanResult
    from glioseg.errors import Fault
    from glioseg.io.source import Source


class BidsLevel(str, Enum):
    """The two levels that applications for BIDS have."""

    PARTICIPANT = "participant"
    GROUP = "group"


def predict(
    scans: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Scans or folders of scans: TIFF, PNG, JPEG, NIfTI, DICOM; - reads paths from input."
        ),
    ] = None,
    files_from: FilesFrom = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for masks and pictures.")] = Path(
        "glioseg-out"
    ),
    model: Model = "default",
    flair: Annotated[
        Path | None, typer.Option(help="FLAIR, when each sequence is a file of its own.")
    ] = None,
    pre: Annotated[Path | None, typer.Option(help="T1 before contrast.")] = None,
    post: Annotated[Path | None, typer.Option(help="T1 after contrast.")] = None,
    series: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SEQUENCE=SERIES",
            help="DICOM: which series is flair, pre or post (its SeriesDescription or UID, or none).",
        ),
    ] = None,
    channels: ChannelsOption = "",
    anonymise: Annotated[
        bool, typer.Option("--anonymise", help="DICOM masks without patient, dates and original UIDs.")
    ] = False,
    threshold: Annotated[
        float | None,
        typer.Option(help="Probability from which a voxel is lesion. Default: that of the model."),
    ] = None,
    best: Best = False,
    flips: Flips = False,
    fast: Fast = False,
    outlines: Annotated[bool, typer.Option(help="Draw one PNG for each slice.")] = True,
    gif: Annotated[bool, typer.Option(help="Draw one GIF for each scan.")] = True,
    probability: Annotated[
        bool, typer.Option("--probability", help="Keep probability maps: .nii.gz, of slices .npy.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="One PDF page for each scan: key slices, numbers, warnings.")
    ] = False,
    bids: Annotated[
        bool, typer.Option("--bids", help="Write BIDS derivatives, with the names of the scans in BIDS.")
    ] = False,
    participant_label: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="BIDS: only this participant, or these: 01,02."),
    ] = None,
    level: Annotated[
        BidsLevel, typer.Option(help="BIDS: group writes participants.tsv alone, from what is finished.")
    ] = BidsLevel.PARTICIPANT,
    device: Annotated[
        str, typer.Option(help="cpu, cuda, cuda:1 (the second GPU), or auto. A GPU needs onnxruntime-gpu.")
    ] = "cpu",
    threads: Annotated[
        int | None, typer.Option(min=1, help="CPU threads of a process. Default: an equal share of all.")
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that share the scans, each with its own network. Default: one for two cores, "
            "up to 8, where there are scans enough.",
        ),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Only every N-th of the scans, from the I-th: for jobs in an array."
        ),
    ] = None,
    dask: DaskOption = None,
    as_json: AsJson = False,
) -> None:
    """Segment scans: masks, outlines, GIFs and numbers. Masks in the kind read; skips what is finished."""
    from glioseg.batch import Outputs, predict_many
    from glioseg.batch.processes import fitting_workers
    from glioseg.environment import environment
    from glioseg.errors import Fault, InputError
    from glioseg.io.names import listed
    from glioseg.model.predictor import load_model
    from glioseg.model.runtime import usable_cores
    from glioseg.unexpected import exit_code
    from glioseg.words import sentence

    output = Output(as_json)
    if level is BidsLevel.GROUP and not bids:
        raise InputError(Fault("cli.level_without_bids", "--level"))
    if dask is not None and workers is not None:
        raise InputError(Fault("cli.dask_and_workers", "--dask"))
    paths = [*paths_given(scans or []), *paths_in(files_from)]
    if has_urls([*paths, out]):
        from glioseg.batch.staged import StagedSegmenting
        from glioseg.io.dicom.find import parse_series
        from glioseg.remote import place_of

        alone = {"--flair": flair, "--pre": pre, "--post": post, "--workers": workers is not None}
        refuse_with_urls({**alone, "--bids": bids, "--participant-label": participant_label})
        threads = threads or (None if dask is None else 1)
        segmenting = StagedSegmenting(
            place_of(out),
            load_model(model, flips, threads, threshold, fast, best, device),
            Outputs(outlines, gif, probability, anonymise, report),
            parse_series(series or []),
            channels,
        )
        told = {"model_name": model, **environment()}
        predict_urls(paths, segmenting, _shard(shard), told, _Progress(output, out), dask, output)
        return
    if dask is not None:  # the workers have other current folders
        paths, out = [path.absolute() for path in paths], out.absolute()
        flair, pre, post = (path and path.absolute() for path in (flair, pre, post))
    sources, faults = _sources(paths, flair, pre, post, series or [], channels)
    labels = re.findall(r"[^\s,]+", " ".join(participant_label or []))
    if bids or labels:
        from glioseg.results.bids import named_as_bids

        sources, unnamed = named_as_bids(sources, labels)
        faults += unnamed
    for fault in faults:
        output.tell(fault)
    if not sources:
        raise typer.Exit(2)
    if level is BidsLevel.GROUP:
        sources = []
    sources = sources[_shard(shard)]
    # A worker of a cluster has as many scans at a time as it was given threads.
    own = dask is None and device == "cpu"
    workers = workers or (fitting_workers(len(sources), threads) if own else 1)
    threads = threads or (max(1, usable_cores() // workers) if dask is None else 1)
    predictor = load_model(model, flips, threads, threshold, fast, best, device)
    sources = [source.with_sequences(predictor.description.sequences) for source in sources]
    for source in sources:
        if source.note:
            output.say(str(source))
    with cluster_at(dask, output) as cluster:
        outcome = predict_many(
            sources,
            out,
            predictor,
            Outputs(outlines, gif, probability, anonymise, report, bids),
            {"model_name": model, **environment()},
            _Progress(output, out, len(sources)),
            output.tell,
            max(1, min(workers, len(sources))),
            cluster,
        )
    if outcome.incomplete:
        names = listed(outcome.incomplete)
        typer.echo(sentence("sentences", "results.incomplete", folder=out, scans=names), err=True)
    files = "participants.tsv, sub-*/" if bids else "summary.csv, masks/"
    if level is BidsLevel.GROUP and (out / "participants.tsv").exists():
        output.say(f"Written: {out / 'participants.tsv'}")
    else:
        output.say(f"{len(outcome.results)} of {len(sources)} scans in {out} ({files})")
    code = exit_code([*faults, *outcome.faults])
    if code:
        raise typer.Exit(code)


def _shard(text: str | None) -> slice:
    """Which scans ``2/8`` stands for: the second, the tenth and so on."""
    from glioseg.errors import Fault, InputError

    if text is None:
        return slice(None)
    parts = re.fullmatch(r"(\d+)/(\d+)", text)
    if parts is None or not 1 <= int(parts[1]) <= int(parts[2]):
        raise InputError(Fault("cli.shard", "--shard", shard=text))
    return slice(int(parts[1]) - 1, None, int(parts[2]))


@dataclass
class _Progress:
    """What is said of each scan that is done."""

    output: Output
    folder: Path
    scans: int | None = None
    done: int = 0

    def __call__(self, result: ScanResult, before: bool) -> None:
        from glioseg.model.calibration import HARMLESS, IN_NUMBERS, look_again
        from glioseg.words import said

        self.done += 1
        self.output.record("scan", {**result.told, "before": before, "folder": self.folder})
        place = f"[{self.done}{f'/{self.scans}' if self.scans is not None else ''}] {result.id}"
        if before:
            self.output.say(f"{place}: done before")
            return
        volume = "" if result.lesion_mm3 is None else f" ({result.lesion_mm3 / 1000:.1f} ml)"
        filled = f"; no {' and '.join(result.filled)}, FLAIR instead" if result.filled else ""
        self.output.say(
            f"{place}: lesion on {result.slices_with_lesion} of "
            f"{result.slices} slices, {result.lesion_voxels} voxels{volume}, {result.seconds:.1f} s{filled}"
        )
        for doubt in result.doubts:
            if doubt in HARMLESS - IN_NUMBERS:
                self.output.say(f"  note: {said(doubt)}")
        if look_again(result.doubts):
            reasons = " ".join(said(doubt) for doubt in result.doubts if doubt not in HARMLESS)
            self.output.say(f"  please look at this one: {reasons}")


def _sources(
    scans: list[Path],
    flair: Path | None,
    pre: Path | None,
    post: Path | None,
    series: list[str],
    channels: str,
) -> tuple[list[Source], list[Fault]]:
    """The scans behind the arguments; one file a sequence makes one scan."""
    from glioseg.errors import Fault, InputError
    from glioseg.io.find import find_scans
    from glioseg.io.names import scan_of_sequence
    from glioseg.io.source import Source, with_channels

    sequences = {"flair": flair, "pre": pre, "post": post}
    named = {name: path for name, path in sequences.items() if path is not None}
    if bool(named) == bool(scans):
        code = "cli.predict_both" if scans else "cli.predict_nothing"
        raise InputError(Fault(code, "glioseg predict"))
    wanted = {}
    if series:
        from glioseg.io.dicom.find import parse_series

        wanted = parse_series(series)
    if named and wanted:
        raise InputError(Fault("cli.series_of_files", "--series"))
    if named:
        first = named.get("flair") or next(iter(named.values()))
        return [Source(scan_of_sequence(first), "nifti", tuple(named.values()), tuple(named))], []
    found, faults = find_scans(scans, wanted)
    return with_channels(found, channels), faults
