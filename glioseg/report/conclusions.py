"""What a report concludes, from the statistics alone, so that it is true whatever the numbers are."""

from __future__ import annotations

from collections.abc import Sequence

from glioseg.report.document import Block, Heading, Notes, Paragraph, Table
from glioseg.report.page import BASELINE_SCORE, FAULTY, Page, number, p_value, scores_or_none
from glioseg.report.readings import influence, mean_without, reading_of
from glioseg.runs.compare import RowComparison, scores_of
from glioseg.runs.rows import Row, differences

APART = 0.3
"""Scores of one patient under two protocols that are this far apart are spoken of."""

MOVES = 0.02
"""A single patient that changes a mean by this much is to be looked at."""

FEW = 30
"""Fewer validation patients than these are few."""


def conclusions(page: Page) -> list[Block]:
    """The section: ranking, each row against the baseline, single patients, faults, learning, next."""
    if not page.scored:
        return [Paragraph(page.say("report.concludes.nothing")), *_learning(page), *_next(page, [])]
    ranked = sorted(page.scored, key=lambda row: -scores_of(row, BASELINE_SCORE).mean)
    blocks: list[Block] = [Heading(page.say("report.ranking"), 3), *_ranking(page, ranked)]
    for key, found in (
        ("report.against_baseline", _against(page)),
        ("report.single", _single(page, ranked)),
        ("report.lessons", _lessons(page)),
    ):
        blocks += [Heading(page.say(key), 3), *found] if found else []
    return [*blocks, *_learning(page), *_next(page, ranked)]


def _ranking(page: Page, ranked: Sequence[Row]) -> list[Block]:
    scores = {row.name: scores_of(row, BASELINE_SCORE) for row in ranked}
    medians = {name: each.median for name, each in scores.items()}
    means = {name: each.mean for name, each in scores.items()}
    table = []
    for row in ranked:
        low, high = scores[row.name].interval()
        mean = number(means[row.name])
        table.append(
            [
                str(_place(row.name, means)),
                row.name,
                f"{mean} ({low:.3f}–{high:.3f})" if low == low else mean,
                number(medians[row.name]),
                str(_place(row.name, medians)),
            ]
        )
    if len(ranked) == 1:
        said = [page.say("report.ranks_one", row=ranked[0].name)]
    else:
        best = max(medians, key=lambda name: medians[name])
        said = [
            page.say(
                "report.ranks_first_both" if best == ranked[0].name else "report.ranks_first",
                row=ranked[0].name,
                other=best,
            ),
            page.say(
                "report.ranks_ranges",
                mean_low=number(min(means.values())),
                mean_high=number(max(means.values())),
                median_low=number(min(medians.values())),
                median_high=number(max(medians.values())),
            ),
        ]
    compared = [one for one in page.comparisons.values() if one.second is page.baseline]
    if compared:
        found = sum(one.verdict in ("better", "worse") for one in compared)
        said.append(
            page.say(
                "report.ranks_some" if found else "report.ranks_none", found=found, compared=len(compared)
            )
        )
    if page.several_seeds:
        said.append(page.say("report.ranks_seeds", rows=page.joined(page.several_seeds)))
    keys = ("place", "row", "reference", "median", "place_median")
    header = [page.say(f"report.column.{key}") for key in keys]
    return [Table(header, table, page.say("report.ranking_caption")), Paragraph(page.gap.join(said))]


def _place(name: str, values: dict[str, float]) -> int:
    """Place in the order from the highest; equal values share the better one."""
    return 1 + sum(value > values[name] for value in values.values())


def _against(page: Page) -> list[Block]:
    """For each row, whether it differs from the baseline beyond noise."""
    baseline = page.baseline
    others = [row for row in page.rows if row is not baseline]
    if not others:
        return []
    said = []
    if _collapsed(baseline):
        said.append(page.say("report.concludes.baseline_collapsed", row=baseline.name))
    for row in others:
        one = page.comparisons.get((row.name, baseline.name))
        if one is None:
            said.append(page.say("report.concludes.untold", row=row.name))
            continue
        tables = dict.fromkeys(
            key.split(".")[0]
            for key, _, _ in differences(row.recipe, baseline.recipe)
            if key != "train.stuck_epochs"
        )
        key = "collapsed" if _collapsed(row) else str(one.verdict)
        if key == "better" and len(tables) > 1:
            key = "several"
        facts = {"row": row.name, "numbers": numbers_of(page, one), "tables": ", ".join(tables)}
        said.append(page.say(f"report.concludes.{key}", **facts))
    if any(len(one.first.runs) == len(one.second.runs) == 1 for one in page.comparisons.values()):
        said.append(page.say("report.concludes.one_seed"))
    return [Notes(said)]


def numbers_of(page: Page, one: RowComparison) -> str:
    """The numbers of a comparison, and before them whether seeds alone speak against a difference."""
    patients = one.patients
    said = []
    if patients.better is not None and one.verdict == "equal" and not one.same_recipe:
        spread, distance = number(one.seed_spread), number(one.least_difference)
        said.append(page.say("report.equal_seeds", spread=spread, distance=distance))
    numbers = page.say(
        "report.comparison",
        statistic=page.say(f"report.statistic.{patients.statistic}"),
        difference=f"{patients.difference:+.3f}",
        low=f"{patients.interval.low:+.3f}",
        high=f"{patients.interval.high:+.3f}",
        p=p_value(patients.p),
        adjusted=p_value(patients.adjusted_p),
        patients=patients.patients,
    )
    return page.gap.join([*said, numbers])


def _collapsed(row: Row) -> bool:
    return any(run.collapse for run in row.runs)


def _single(page: Page, ranked: Sequence[Row]) -> list[Block]:
    """The range of each mean without one patient, and the order without the one that does most."""
    values = {row.name: scores_of(row, BASELINE_SCORE).counted for row in ranked}
    found = {name: one for name, each in values.items() if (one := influence(each)) is not None}
    if not found:
        return []
    table = [
        [
            name,
            number(one.mean),
            f"{number(one.low)}–{number(one.high)}",
            one.patient,
            number(one.without),
        ]
        for name, one in found.items()
    ]
    name, most = max(found.items(), key=lambda item: abs(item[1].without - item[1].mean))
    said = [
        page.say(
            "report.moves_most",
            row=name,
            patient=most.patient,
            mean=number(most.mean),
            without=number(most.without),
        )
    ]
    if len(found) > 1:
        left = {name: mean_without(values[name], most.patient) for name in found}
        order = sorted(left, key=lambda name: -left[name])
        key = "report.without_order_same" if order == list(found) else "report.without_order_changes"
        said.append(
            page.say(
                key,
                patient=most.patient,
                low=number(min(left.values())),
                high=number(max(left.values())),
                first=order[0],
            )
        )
    keys = ("row", "mean", "without_one", "mover", "without_it")
    blocks: list[Block] = [
        Table([page.say(f"report.column.{key}") for key in keys], table),
        Paragraph(page.gap.join(said)),
    ]
    return [*blocks, *_protocols(page, ranked)]


def _protocols(page: Page, ranked: Sequence[Row]) -> list[Block]:
    """Patients that one and the same network scores far apart under the two protocols."""
    differing: dict[str, list[str]] = {}
    for row in ranked:
        own, reference = scores_or_none(row, "own"), scores_of(row, BASELINE_SCORE)
        if own is None or not row.recipe.postprocess.largest_component:
            continue
        for patient, value in own.counted.items():
            other = reference.counted.get(patient, value)
            if abs(value - other) > APART:
                said = page.say(
                    "report.protocols_row",
                    row=row.name,
                    reference=number(other),
                    own=number(value),
                    mean=number(reference.mean),
                    own_mean=number(own.mean),
                )
                differing.setdefault(patient, []).append(said)
    return [
        Paragraph(page.say("report.protocols_apart", patient=patient, rows=page.joined(rows)))
        for patient, rows in differing.items()
    ]


def _lessons(page: Page) -> list[Block]:
    """What each faulty row teaches, by its difference to the corrected one."""
    said = []
    for row in page.scored:
        if not row.recipe.loss.name.startswith(FAULTY):
            continue
        other = page.corrected.get(row.name)
        facts = {"row": row.name, "dsc": number(scores_of(row, BASELINE_SCORE).mean)}
        one = None if other is None else page.comparisons.get((row.name, other.name))
        if other is None or one is None:
            said.append(page.say("report.lesson.alone", **facts))
            continue
        facts |= {"other": other.name, "difference": f"{one.patients.difference:+.3f}"}
        key = "collapsed" if _collapsed(row) and not _collapsed(other) else one.verdict
        sentences = [page.say(f"report.lesson.{key}", **facts)]
        faulty, mended = reading_of(row.runs[0].curves), reading_of(other.runs[0].curves)
        if faulty.loss is not None and mended.loss is not None:
            sentences.append(
                page.say(
                    "report.lesson.loss",
                    first=number(faulty.first_loss),
                    loss=number(faulty.loss),
                    other_first=number(mended.first_loss),
                    other_loss=number(mended.loss),
                )
            )
        said.append(page.gap.join(sentences))
    return [Notes(said)] if said else []


def _learning(page: Page) -> list[Block]:
    """Epochs to 0.8 and 0.9, how far the last epochs are apart, and the distance of the losses."""
    table = []
    for row in page.rows:
        readings = [(run, reading_of(run.curves)) for run in row.runs]
        known = [(run, one) for run, one in readings if one.ends is not None]
        if not known:
            continue
        ends = [one.ends for _, one in known if one.ends is not None]
        table.append(
            [
                row.name,
                ", ".join(str(one.to_08 or page.say("report.never")) for _, one in known),
                ", ".join(str(one.to_09 or page.say("report.never")) for _, one in known),
                ", ".join(f"{low:.3f}–{high:.3f}" for low, high in ends),
                ", ".join(number(high - low) for low, high in ends),
                ", ".join(number(one.distance) for _, one in known if one.distance is not None),
            ]
        )
    if not table:
        return []
    keys = ("row", "to_08", "to_09", "ends", "spread", "distance")
    header = [page.say(f"report.column.{key}") for key in keys]
    caption = page.say("report.learning_caption")
    return [Heading(page.say("report.learning"), 3), Table(header, table, caption)]


def _next(page: Page, ranked: Sequence[Row]) -> list[Block]:
    """What to try next: what the numbers leave open, the cheapest first."""
    said = []
    unfinished = [row.name for row in page.rows if not all(run.finished for run in row.runs)]
    if unfinished:
        said.append(page.say("report.next.finish", rows=page.joined(unfinished)))
    if page.headline.missing:
        said.append(page.say("report.next.missing", rows=page.joined(page.headline.missing)))
    against = [one for one in page.comparisons.values() if one.second is page.baseline]
    better = [one.first.name for one in against if one.verdict == "better" and one.attributed]
    worse = [one.first.name for one in against if one.verdict == "worse" or one.first.collapse]
    if better:
        said.append(page.say("report.next.better", rows=page.joined(better)))
    if worse and not page.baseline.collapse:
        said.append(page.say("report.next.worse", rows=page.joined(worse)))
    alone = [row for row in ranked if len(row.runs) == 1]
    if alone:
        said.append(page.say("report.next.seeds", rows=len(alone)))
    late = [row.name for row in ranked if row.name not in worse and _falls_at_the_end(row)]
    if late:
        said.append(page.say("report.next.longer", rows=page.joined(late)))
    said += _next_patients(page, ranked)
    return [Heading(page.say("report.next.title"), 3), Notes(said or [page.say("report.next.nothing")])]


def _falls_at_the_end(row: Row) -> bool:
    readings = [reading_of(run.curves) for run in row.runs]
    return any(one.still_falls and not one.hardly_moves for one in readings)


def _next_patients(page: Page, ranked: Sequence[Row]) -> list[str]:
    """More patients where they are few, and the one that a mean hangs on."""
    said = []
    patients = len(scores_of(ranked[0], BASELINE_SCORE).counted) if ranked else FEW
    if patients < FEW and not ranked[0].folds:
        said.append(page.say("report.next.patients", patients=patients))
    movers: dict[str, Row] = {}
    for row in ranked:
        own = scores_or_none(row, "own")
        one = None if own is None or row.collapse else influence(own.counted)
        if one is not None and abs(one.without - one.mean) >= MOVES:
            movers.setdefault(one.patient, row)
    if movers:
        said.append(page.say("report.next.patient", patients=", ".join(movers)))
        if any(row.recipe.postprocess.largest_component for row in movers.values()):
            said.append(page.say("report.next.component"))
    return said
