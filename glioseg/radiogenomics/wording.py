"""The sentences of the report: summary, warnings, methods, and what the paper claims."""

from __future__ import annotations

import numpy as np

from glioseg._version import __version__
from glioseg.measure.shape.ellipsoid import TOLERANCE
from glioseg.measure.shape.features import FEATURES
from glioseg.radiogenomics.association import Association
from glioseg.radiogenomics.statistics import MonteCarlo, format_p
from glioseg.radiogenomics.study import PAPER, AssociationStudy
from glioseg.words import Joined, Phrase

SIGNIFICANT = 0.05
"""A corrected p below it stands out in the report."""

FEW = 5
"""A category with fewer patients is warned of."""

# What Buda et al. 2019 say of their 110 patients: bounds of uncorrected p-values of Fisher's exact test.
PUBLISHED_P = {
    (PAPER[0], "RNASeqCluster"): 0.0002,
    (PAPER[2], "RNASeqCluster"): 0.005,
    (PAPER[1], "RNASeqCluster"): 0.02,
    (PAPER[0], "MethylationCluster"): 0.02,
    (PAPER[0], "miRNACluster"): 0.02,
    (PAPER[0], "CNCluster"): 0.02,
    (PAPER[0], "COCCluster"): 0.02,
}
CITATION = """Buda M, Saha A, Mazurowski MA. Association of genomic subtypes of lower-grade gliomas with shape
features automatically extracted by a deep learning algorithm. Computers in Biology and Medicine 109 (2019)
218-225, doi 10.1016/j.compbiomed.2019.05.002."""


def flow(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())


def published_area() -> Phrase:
    """Areas under the curve that the paper gives."""
    return Phrase("radiogenomics.published_area")


def summary(study: AssociationStudy) -> Phrase:
    """What was found, in two sentences."""
    tests = [test for test in study.tests.paper if isinstance(test.fisher, MonteCarlo)]
    clear = sorted(
        (test for test in tests if test.bonferroni < SIGNIFICANT), key=lambda test: test.bonferroni
    )
    measured = int((~np.isnan(study.table.column(PAPER[0]))).sum())
    everyone = len(study.table.rows)
    found = Phrase(
        "radiogenomics.summary",
        patients=everyone
        if measured == everyone
        else Phrase("radiogenomics.measured", measured=measured, everyone=everyone),
        data=study.data,
        features=len(PAPER),
        columns=len(study.columns),
        table=study.clinical.name,
        clear=len(clear),
        tests=len(tests),
        significant=SIGNIFICANT,
        discovered=sum(test.benjamini_hochberg < SIGNIFICANT for test in tests),
    )
    if not clear:
        return found
    return Phrase("radiogenomics.summary_named", summary=found, associations=Joined(map(_named, clear)))


def warnings(study: AssociationStudy) -> list[Phrase]:
    """What a reader must know before believing a p-value of this study."""
    tests = [test for test in study.tests.paper if isinstance(test.fisher, MonteCarlo)]
    # A feature that is not defined for some patients makes a category smaller: the smallest counts.
    sizes: dict[str, int] = {}
    for test in tests:
        for level in test.levels:
            category = f"{test.column} = {level.name}"
            sizes[category] = min(level.patients, sizes.get(category, level.patients))
    few = [f"{category} ({patients})" for category, patients in sizes.items() if patients < FEW]
    remarks = [
        Phrase(
            "radiogenomics.many_tests",
            tests=len(tests),
            significant=SIGNIFICANT,
            chance=f"{SIGNIFICANT * len(tests):.1f}",
        ),
        Phrase("radiogenomics.not_independent"),
        Phrase("radiogenomics.small_sample", patients=len(study.table.rows)),
        Phrase("radiogenomics.no_diagnosis"),
    ]
    if few:
        remarks.append(Phrase("radiogenomics.few_patients", least=FEW, categories=Joined(few)))
    if study.predicted:
        remarks.append(Phrase("radiogenomics.predicted_masks"))
    return remarks


def methods(study: AssociationStudy) -> Phrase:
    """The paragraph for the methods section of a paper."""
    return Phrase(
        "radiogenomics.methods",
        masks=Phrase("radiogenomics.predicted" if study.predicted else "radiogenomics.manual"),
        patients=len(study.table.rows),
        version=__version__,
        tolerance=f"{TOLERANCE:g}",
        resamples=study.resamples,
        seed=study.seed,
        tests=len(study.tests.paper),
    )


def _named(test: Association) -> Phrase:
    assert isinstance(test.fisher, MonteCarlo)
    return Phrase(
        "radiogenomics.association",
        feature=FEATURES[test.feature].title,
        column=test.column,
        p=format_p(test.fisher.p),
        corrected=format_p(test.bonferroni),
    )
