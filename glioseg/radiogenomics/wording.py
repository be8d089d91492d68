"""The sentences of the report: summary, warnings, methods, and what the paper claims."""

from __future__ import annotations

import numpy as np

from glioseg._version import __version__
from glioseg.measure.shape.ellipsoid import TOLERANCE
from glioseg.measure.shape.features import FEATURES
from glioseg.radiogenomics.association import Association
from glioseg.radiogenomics.statistics import MonteCarlo, format_p
from glioseg.radiogenomics.study import PAPER, AssociationStudy

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
PUBLISHED_AUC = "0.78 with manual masks, 0.80 with automatic ones"

CITATION = """Buda M, Saha A, Mazurowski MA. Association of genomic subtypes of lower-grade gliomas with shape
features automatically extracted by a deep learning algorithm. Computers in Biology and Medicine 109 (2019)
218-225, doi 10.1016/j.compbiomed.2019.05.002."""


def flow(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())


def summary(study: AssociationStudy) -> str:
    """What was found, in two sentences."""
    tests = [test for test in study.tests.paper if isinstance(test.fisher, MonteCarlo)]
    clear = sorted(
        (test for test in tests if test.bonferroni < SIGNIFICANT), key=lambda test: test.bonferroni
    )
    discovered = sum(test.benjamini_hochberg < SIGNIFICANT for test in tests)
    measured = int((~np.isnan(study.table.column(PAPER[0]))).sum())
    everyone = len(study.table.rows)
    patients = f"{everyone}" if measured == everyone else f"{measured} of {everyone}"
    first = flow(f"""{patients} patients of {study.data}, {len(PAPER)} shape features against
        {len(study.columns)} columns of {study.clinical.name}: Fisher's exact test on the median split finds
        {len(clear)} of {len(tests)} associations with p < {SIGNIFICANT} after Bonferroni's correction and
        {discovered} after Benjamini and Hochberg's.""")
    return first + (f" After Bonferroni: {', '.join(map(_named, clear))}." if clear else "")


def warnings(study: AssociationStudy) -> list[str]:
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
        f"""Many tests: {len(tests)} in the first family. At p < {SIGNIFICANT}, about
        {SIGNIFICANT * len(tests):.1f} of them would come out by chance alone if nothing were associated. Read
        the corrected columns. The other features were explored without a hypothesis, as a second family.""",
        "The columns are not independent: they describe the same patients by different assays.",
        f"""Small sample: {len(study.table.rows)} patients, fewer where a category is missing. A difference
        that is not significant here may still exist, and an area under the curve has the wide interval
        beside it.""",
        """An association within one data set is no diagnosis: nothing was tested on patients from
        elsewhere.""",
    ]
    if few:
        remarks.append(f"Categories with fewer than {FEW} patients: {', '.join(few)}.")
    if study.predicted:
        remarks.append("""These results hold for new patients only if no network saw the patient whose mask it
            predicted. A folder of masks does not tell; see how they were made.""")
    return [flow(remark) for remark in remarks]


def methods(study: AssociationStudy) -> str:
    """The paragraph for the methods section of a paper."""
    return flow(f"""Shape was measured on the {"predicted" if study.predicted else "manual"} masks of
        {len(study.table.rows)} patients with glioseg {__version__}, on the largest face-connected
        three-dimensional component. The bounding ellipsoid volume ratio is the volume in voxels over the
        volume of the minimum-volume ellipsoid around the corners of these voxels (convex hull, Khachiyan's
        algorithm with away steps and Newton steps, tolerance {TOLERANCE:g}, scaled so that every corner is
        inside), with unit voxels, since the ratio does not change under affine maps. Angular standard
        deviation and margin fluctuation were measured in the slice of largest lesion area, on the outer
        boundary pixels of the largest region traced in order (Moore neighbours), by their distance from the
        region's centroid divided by the mean distance: the mean over ten equal angle bins of the standard
        deviation in the bin, and the standard deviation of the distance minus its circular moving average
        over 10 % of the perimeter. Each feature was split at its median over all patients and tested against
        each column with Fisher's exact test, two-sided; for more than two categories in the form of
        Freeman and Halton with {study.resamples} random tables of the same margins (seed {study.seed}). The
        values themselves were tested with the Kruskal-Wallis test. Effect sizes are Cramer's V and epsilon
        squared. P-values were corrected over the {len(study.tests.paper)} tests by Bonferroni's and by
        Benjamini and Hochberg's method. Areas under the ROC curve of one category against the rest have 95 %
        intervals by DeLong's variance on the logit scale. Patients without a value or a category were left
        out of the test concerned and counted; nothing was filled in.""")


def _named(test: Association) -> str:
    assert isinstance(test.fisher, MonteCarlo)
    return flow(f"""{FEATURES[test.feature].title.lower()} with {test.column}
        (p = {format_p(test.fisher.p)}, corrected {format_p(test.bonferroni)})""")
