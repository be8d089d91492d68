"""One experiment of a report: what it is, its network, its curves, its best and worst patients."""

from __future__ import annotations

from collections.abc import Sequence

from glioseg.draw.network import network_plot
from glioseg.evaluation.cost import architecture, build_untrained, input_channels
from glioseg.networks import REGISTRY
from glioseg.report import figures
from glioseg.report.document import Block, Heading, Paragraph, Picture
from glioseg.report.page import Page, number
from glioseg.report.readings import Reading, reading_of
from glioseg.report.verdicts import changed, collapses, sentence, verdict
from glioseg.runs.rows import Row


def experiments(page: Page) -> list[Block]:
    """A section for each row."""
    blocks: list[Block] = []
    drawn: dict[str, str] = {}
    for place, row in enumerate(page.rows):
        key = architecture(row.recipe)
        blocks += [
            Heading(row.name, 3),
            Paragraph(_what_it_is(page, row)),
            *_network(page, row, place, drawn.get(key)),
            *_verdict(page, row),
            *figures.row_curves(page, row, place),
            *reading(page, row),
            *figures.row_scores(page, row, place),
            *figures.row_examples(page, row, place),
        ]
        drawn.setdefault(key, row.name)
    return blocks


def _what_it_is(page: Page, row: Row) -> str:
    """The network, the training and what was changed, from the run: a recipe's summary speaks of its own
    settings, which a study changes.
    """
    recipe = row.recipe
    name = recipe.network.name
    key = name if name in REGISTRY else "other"
    network = page.say(
        "report.is_network",
        network=page.say(f"report.network.{key}", name=name),
        parameters=f"{page.cost(row).parameters:,}",
        channels=input_channels(recipe),
        sequences=", ".join(recipe.input.sequences),
        size=recipe.prepare.size,
    )
    trained = [len(run.curves.get("epoch", ())) for run in row.runs]
    epochs = "–".join(str(one) for one in dict.fromkeys((min(trained), max(trained))))
    training = page.say(
        "report.is_training",
        loss=recipe.loss.name,
        optimizer=recipe.optimizer.name,
        rate=f"{recipe.optimizer.rate:g}",
        schedule=recipe.schedule.name,
        batch=recipe.train.batch_size,
        epochs=epochs,
    )
    said = [network, training]
    if max(trained) < recipe.train.epochs:
        said.append(page.say("report.is_shorter", planned=recipe.train.epochs))
    said.append(page.say("report.baseline") if row is page.baseline else changed(page, row))
    return page.gap.join(said)


def _network(page: Page, row: Row, place: int, drawn: str | None) -> list[Block]:
    """The drawing, once for each architecture."""
    from glioseg.networks.structure import read_structure

    if drawn is not None:
        return [Paragraph(page.say("report.network_same", row=drawn))]
    try:
        structure = read_structure(
            build_untrained(row.recipe), input_channels(row.recipe), row.recipe.prepare.size
        )
    except ValueError:
        return [Paragraph(page.say("report.network_none"))]
    file = page.wordless(f"network_{place:02d}.png", lambda path: network_plot(structure, path))
    caption = [page.say("report.network_caption", row=row.name)]
    if any("gate" in block.name for block in structure.blocks):
        caption.append(page.say("report.network_gates"))
    return [Picture(file, page.gap.join(caption))]


def _verdict(page: Page, row: Row) -> list[Block]:
    """What the comparison with the baseline says, and whether a run collapsed."""
    said = collapses(page, row)
    if row is not page.baseline:
        one = page.comparisons.get((row.name, page.baseline.name))
        told = page.say("report.verdict_is", verdict=verdict(page, row))
        said.append(sentence(page, one) if one else told)
    return [Paragraph(page.gap.join(said))] if said else []


def reading(page: Page, row: Row) -> list[Block]:
    """What the curves say, from their numbers."""
    readings = _readings(row)
    if not readings:
        return []
    base = _readings(page.baseline) if row is not page.baseline else []
    said = [*_reached(page, readings, base), *_ends(page, readings), *_losses(page, readings)]
    return [Paragraph(page.gap.join(said))]


def _readings(row: Row) -> list[Reading]:
    """Of the runs that recorded a validation DSC."""
    return [one for run in row.runs if (one := reading_of(run.curves)).ends is not None]


def _reached(page: Page, readings: Sequence[Reading], base: Sequence[Reading]) -> list[str]:
    """When the validation DSC reached 0.8 and 0.9, also the baseline's."""
    said = []
    for dsc, key in (("0.8", "to_08"), ("0.9", "to_09")):
        epoch = _epochs(page, [getattr(one, key) for one in readings])
        if base:
            other = _epochs(page, [getattr(one, key) for one in base])
            said.append(page.say("report.reads.reached_base", dsc=dsc, epoch=epoch, base=other))
        else:
            said.append(page.say("report.reads.reached", dsc=dsc, epoch=epoch))
    return said


def _epochs(page: Page, epochs: Sequence[int | None]) -> str:
    """Epochs of the seeds, and where it was never."""
    return " / ".join(page.say("report.never") if one is None else str(one) for one in epochs)


def _ends(page: Page, readings: Sequence[Reading]) -> list[str]:
    """Whether the validation DSC has settled, of the run where it has settled least."""
    low, high, worst = max(
        ((*one.ends, one) for one in readings if one.ends is not None), key=lambda item: item[1] - item[0]
    )
    said = [page.say("report.reads.spread", low=number(low), high=number(high), spread=number(high - low))]
    if not worst.unsettled:
        return said
    said.append(page.say("report.reads.unsettled"))
    if worst.jumper is not None:
        patient, least, most = worst.jumper
        effect = (most - least) / worst.patients
        # Only where this patient makes most of the spread.
        if effect >= (high - low) / 2:
            said.append(
                page.say(
                    "report.reads.jumps",
                    patient=patient,
                    low=number(least),
                    high=number(most),
                    patients=worst.patients,
                    effect=number(effect),
                )
            )
    return said


def _losses(page: Page, readings: Sequence[Reading]) -> list[str]:
    """How far the losses fell and are apart, of the run where they are farthest apart."""
    known = [one for one in readings if one.distance is not None and one.least is not None]
    if not known:
        return []
    one = max(known, key=lambda each: each.distance or 0.0)
    epoch, least = one.least or (0, 0.0)
    said = [
        page.say(
            "report.reads.losses",
            first=number(one.first_loss),
            loss=number(one.loss),
            validation=number(one.validation_loss),
            distance=f"{one.distance:+.3f}",
        )
    ]
    if one.hardly_moves:
        said.append(page.say("report.reads.hardly"))
    elif one.below_zero:
        said.append(page.say("report.reads.below_zero", epoch=epoch, least=number(least)))
    elif one.has_risen:
        said.append(page.say("report.reads.risen", epoch=epoch, least=number(least)))
    elif one.still_falls:
        said.append(page.say("report.reads.falls"))
    else:
        said.append(page.say("report.reads.level", epoch=epoch, least=number(least)))
    return said
