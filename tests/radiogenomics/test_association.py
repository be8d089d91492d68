"""Tests, effect sizes and corrections against known values; the join with a table; order of patients."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from glioseg.errors import InputError
from glioseg.measure.shape import NotDefined
from glioseg.measure.statistics import Auc, Correlation, auc, benjamini_hochberg, bonferroni, correlation
from glioseg.radiogenomics.association import associate, discriminate
from glioseg.radiogenomics.clinical import LGG_COLUMNS, read_clinical
from glioseg.radiogenomics.statistics import MonteCarlo, cramers_v, fisher_exact, kruskal_wallis

few = settings(max_examples=25, deadline=None)


# ---------------------------------------------------------------- tests of tables


def exact_p(table):
    """Freeman and Halton's p of a table with two columns, by looking at every table of the same margins."""
    rows = [sum(row) for row in table]
    first = sum(row[0] for row in table)

    def weight(column):
        return math.prod(math.comb(n, k) for n, k in zip(rows, column, strict=True))

    possible = [c for c in product(*(range(n + 1) for n in rows)) if sum(c) == first]
    weights = np.array([weight(column) for column in possible], dtype=float)
    return weights[weights <= weight([row[0] for row in table]) * (1 + 1e-7)].sum() / weights.sum()


def test_the_lady_tasting_tea():
    found = fisher_exact([[3, 1], [1, 3]])
    assert found.p == pytest.approx(34 / 70)
    assert found.standard_error == 0


def test_a_table_of_two_rows_agrees_with_scipy():
    table = [[8, 2], [1, 5]]
    assert fisher_exact(table).p == pytest.approx(stats.fisher_exact(table)[1])


@pytest.mark.parametrize(
    "table",
    [[[3, 1], [2, 4], [6, 0]], [[6, 16], [19, 5], [4, 7], [13, 10]], [[5, 5], [5, 5], [5, 5]]],
    ids=["small", "as RNASeq", "equal"],
)
def test_larger_tables_agree_with_enumeration(table):
    found = fisher_exact(table)
    expected = exact_p(table)
    assert abs(found.p - expected) <= 5 * max(found.standard_error, 1e-5)


def test_freeman_and_halton_with_three_columns_agrees_with_enumeration():
    table = np.array([[2, 0, 1], [0, 3, 1]])
    margins = table.sum(axis=1), table.sum(axis=0)
    tables = [
        np.array([first, margins[1] - first])
        for first in product(*(range(n + 1) for n in margins[1]))
        if sum(first) == margins[0][0]
    ]
    weights = np.array([1 / np.prod([math.factorial(n) for n in each.ravel()]) for each in tables])
    observed = 1 / np.prod([math.factorial(n) for n in table.ravel()])
    expected = weights[weights <= observed * (1 + 1e-9)].sum() / weights.sum()
    assert fisher_exact(table).p == pytest.approx(expected, abs=0.01)


def test_the_seed_decides_and_p_is_never_zero():
    table = [[30, 0], [0, 30], [15, 15]]
    assert fisher_exact(table, 1000, seed=1) == fisher_exact(table, 1000, seed=1)
    assert fisher_exact(table, 1000).p == pytest.approx(1 / 1001)
    wide = [[8, 5], [5, 8], [7, 6]]
    assert len({fisher_exact(wide, 1000, seed=seed).p for seed in range(5)}) > 1


@pytest.mark.parametrize("table", [[[3, 0], [4, 0]], [[3, 4]], [[0, 0]]])
def test_one_sided_tables_are_not_defined(table):
    assert isinstance(fisher_exact(table), NotDefined)
    assert isinstance(cramers_v(table), NotDefined)


def test_empty_rows_carry_no_information():
    assert fisher_exact([[3, 1], [0, 0], [1, 3]]) == fisher_exact([[3, 1], [1, 3]])
    assert cramers_v([[3, 1], [0, 0], [1, 3]]) == cramers_v([[3, 1], [1, 3]])


def test_cramers_v():
    assert cramers_v([[10, 0], [0, 10]]) == pytest.approx(1)
    assert cramers_v([[5, 5], [5, 5]]) == 0
    table = np.array([[6, 16], [19, 5], [4, 7], [13, 10]])
    assert cramers_v(table) == pytest.approx(stats.contingency.association(table, method="cramer"))


# ---------------------------------------------------------------- tests of values


def test_kruskal_wallis_and_its_effect_size():
    groups = [np.array([1.0, 2, 3]), np.array([4.0, 5, 6]), np.array([7.0, 8, 9])]
    found = kruskal_wallis(groups)
    assert found.h == pytest.approx(7.2)  # the largest H of three groups of three
    assert found.epsilon_squared == pytest.approx(7.2 / 8)
    assert found.p == pytest.approx(math.exp(-3.6))  # chi squared with two degrees of freedom


@pytest.mark.parametrize("groups", [[], [[1.0, 2.0]], [[1.0], []], [[2.0, 2.0], [2.0]]])
def test_kruskal_wallis_is_not_defined_without_two_groups_that_vary(groups):
    assert isinstance(kruskal_wallis([np.array(group) for group in groups]), NotDefined)


def test_corrections_on_the_example_of_benjamini_and_hochberg():
    # Table of their paper, section 3.2: at 0.05 four are rejected, three by Bonferroni.
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719]
    p += [0.6528, 0.7590, 1.0]
    assert sum(value < 0.05 for value in bonferroni(p)) == 3
    assert sum(value < 0.05 for value in benjamini_hochberg(p)) == 4
    assert bonferroni([]) == benjamini_hochberg([]) == []


@few
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=12))
def test_corrected_p_values_are_no_smaller_and_keep_their_order(p):
    for adjusted in (bonferroni(p), benjamini_hochberg(p)):
        assert all(p <= value + 1e-12 and value <= 1 for p, value in zip(p, adjusted, strict=True))
        assert all(np.diff(np.array(adjusted)[np.argsort(p)]) >= -1e-12)


def test_the_area_counts_pairs_and_ties_half():
    found = auc([3, 2, 2], [1, 2, 0])
    assert found.value == pytest.approx((3 + 2.5 + 2.5) / 9)
    assert (found.positives, found.negatives) == (3, 3)


def test_the_area_agrees_with_mann_and_whitney_and_its_interval_with_the_bootstrap():
    random = np.random.default_rng(0)
    one, rest = random.normal(0.8, 1, 40), random.normal(0, 1, 70)
    found = auc(one, rest)
    assert found.value == pytest.approx(stats.mannwhitneyu(one, rest).statistic / (40 * 70))
    drawn = [auc(random.choice(one, 40), random.choice(rest, 70)).value for _ in range(500)]
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, (0.025, 0.975)), abs=0.04)


def test_a_perfect_area_has_no_interval_and_one_patient_no_area():
    perfect = auc([3, 4], [1, 2])
    assert perfect.value == 1
    assert math.isnan(perfect.low)
    assert isinstance(auc([3], [1, 2]), NotDefined)


@few
@given(
    arrays(np.float64, 6, elements=st.integers(-9, 9)),
    arrays(np.float64, 8, elements=st.integers(-9, 9)),
)
def test_turning_the_values_turns_the_area(one, rest):
    found, turned = auc(one, rest), auc(-one, -rest)
    assert turned.value == pytest.approx(1 - found.value)
    assert found.value in (0, 1) or 0 <= found.low <= found.value <= found.high <= 1
    if found.value not in (0, 1):
        assert (turned.low, turned.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_correlation_leaves_out_missing_pairs():
    first = [1.0, 2.0, 3.0, 4.0, math.nan, 5.0]
    second = [2.0, 4.1, 5.9, 8.2, 3.0, math.nan]
    found = correlation(first, second)
    assert found.n == 4
    assert found.pearson == pytest.approx(np.corrcoef(first[:4], second[:4])[0, 1])
    assert found.spearman == pytest.approx(1)
    assert -1 <= found.low < found.pearson < found.high <= 1


def test_correlation_of_a_line_of_too_few_and_of_constants():
    assert correlation(range(5), range(5)) == pytest.approx(Correlation(1, 1, 1, 1, 5), abs=1e-6)
    assert isinstance(correlation(range(3), range(3)), NotDefined)
    assert isinstance(correlation([1] * 5, range(5)), NotDefined)


# ---------------------------------------------------------------- features against columns


VALUES = np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, math.nan])
LABELS = ("a", "a", "a", "b", "b", "b", None, "b")


def test_missing_values_are_counted_and_never_filled():
    (found,) = associate({"shape": VALUES}, {"cluster": LABELS})
    assert (found.patients, found.without_feature, found.without_label) == (6, 1, 1)
    # The patient without a category still counts for the median of all.
    assert found.threshold == 0.4
    assert [(level.name, level.low, level.high) for level in found.levels] == [("a", 3, 0), ("b", 1, 2)]
    assert found.fisher.p == pytest.approx(stats.fisher_exact([[3, 0], [1, 2]])[1])
    assert found.levels[1].median == 0.5


def test_each_family_is_corrected_over_its_own_defined_tests():
    features = {"shape": VALUES, "size": VALUES[::-1].copy(), "nothing": np.full(8, math.nan)}
    found = associate(features, {"cluster": LABELS, "constant": ("x",) * 8})
    defined = [test for test in found if isinstance(test.fisher, MonteCarlo)]
    assert [(test.feature, test.column) for test in defined] == [("shape", "cluster"), ("size", "cluster")]
    for test in defined:
        assert test.bonferroni == pytest.approx(min(1, 2 * test.fisher.p))
    undefined = next(test for test in found if test.feature == "nothing")
    assert math.isnan(undefined.bonferroni)
    assert undefined.to_dict()["not_defined"]
    assert undefined.to_dict()["fisher_p"] is None


@few
@given(
    arrays(np.float64, 14, elements=st.floats(0.125, 1, width=16)),
    st.lists(st.sampled_from(["1", "2", "3", None]), min_size=14, max_size=14),
    st.permutations(range(14)),
)
def test_the_order_of_patients_does_not_matter(values, labels, order):
    def results(places):
        features = {"bounding_ellipsoid_volume_ratio": values[list(places)]}
        columns = {"cluster": [labels[place] for place in places]}
        return associate(features, columns, resamples=200), discriminate(features, columns)

    (before,), areas = results(range(14))
    (after,), turned = results(order)
    assert after.levels == before.levels
    assert after.fisher == before.fisher
    for one, other in zip(areas, turned, strict=True):
        assert one.level == other.level
        if isinstance(one.area, Auc):
            assert one.area == pytest.approx(other.area, nan_ok=True)


@few
@given(st.permutations(range(12)))
def test_a_rising_map_of_the_values_changes_no_test(order):
    labels = ["1", "2", "3", "1"] * 3
    values = np.array(order) / 12
    (before,) = associate({"shape": values}, {"cluster": labels}, resamples=200)
    (after,) = associate({"shape": np.exp(3 * values)}, {"cluster": labels}, resamples=200)
    # The median of an even number of values lies between two of them, wherever the map puts it.
    assert [(level.low, level.high) for level in after.levels] == [
        (level.low, level.high) for level in before.levels
    ]
    assert after.kruskal.p == pytest.approx(before.kruskal.p)


def test_the_bounding_ratio_enters_the_area_inverted():
    values = {"bounding_ellipsoid_volume_ratio": np.array([0.2, 0.3, 0.25, 0.5, 0.6, 0.7, math.nan])}
    found = discriminate(values, {"cluster": ("2", "2", "2", "1", "1", "1", "2")})
    by_level = {one.level: one for one in found}
    assert by_level["2"].area.value == 1
    assert by_level["2"].score == "1 / bounding_ellipsoid_volume_ratio"
    assert by_level["1"].area.value == 0


# ---------------------------------------------------------------- the table of categories


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def test_scans_join_by_their_first_three_fields_or_by_their_whole_name(tmp_path):
    table = read_clinical(
        write(tmp_path / "data.csv", "Patient,c\nTCGA_CS_4941,2\nTCGA_CS_4942_1997,\nmine,1\n")
    )
    scans = ["TCGA_CS_4941_19960909", "TCGA_CS_4942_1997", "mine", "someone_else"]
    assert table.labels(scans, "c") == ["2", None, "1", None]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separators_marks_of_missing_values_and_whole_numbers(tmp_path, separator):
    text = "id,cluster,sex\np1,1.0,f\np2,2.0,NA\np3,,m\n\np4,2.0,n/a\n".replace(",", separator)
    table = read_clinical(write(tmp_path / "any.csv", text, "utf-8-sig"))
    assert table.key == "id"
    assert table.labels(["p1", "p2", "p3", "p4"], "cluster") == ["1", "2", None, "2"]
    assert table.labels(["p1", "p2", "p3", "p4"], "sex") == ["f", None, "m", None]


def test_names_stay_names_where_not_all_are_numbers(tmp_path):
    table = read_clinical(write(tmp_path / "any.csv", 'id,grade\np1,1.0\np2,"II, low"\n'))
    assert table.labels(["p1", "p2"], "grade") == ["1.0", "II, low"]


def test_another_column_can_be_the_key(tmp_path):
    path = write(tmp_path / "any.csv", "cluster,patient\n1,p1\n2,p2\n")
    assert read_clinical(path, "patient").labels(["p2"], "cluster") == ["2"]


def test_every_fault_of_the_table_is_reported_at_once(tmp_path):
    path = write(tmp_path / "bad.csv", "id,a,a\np1,1,1\np1,2,2\np2,1\n,1,1\n")
    with pytest.raises(InputError) as caught:
        read_clinical(path, "patient")
    text = str(caught.value)
    assert len(caught.value.faults) == 5
    for piece in ("'a' 2 times", "a column 'patient'", "line 3", "line 4", "line 5"):
        assert piece in text


@pytest.mark.parametrize("content", [b"", b"only\n1\n", b"id,a\n", b"id,a\n\xff\xfe,1\n"])
def test_a_table_that_is_none_is_refused(tmp_path, content):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_clinical(path)
    with pytest.raises(InputError):
        read_clinical(tmp_path / "absent.csv")


def test_the_lgg_columns_are_chosen_where_they_are(tmp_path):
    header = "Patient,gender," + ",".join(LGG_COLUMNS)
    rows = "".join(f"p{n},{n % 2}," + ",".join(str(n % 3) for _ in LGG_COLUMNS) + "\n" for n in range(6))
    table = read_clinical(write(tmp_path / "data.csv", f"{header}\n{rows}"))
    chosen, left_out = table.choose_columns([f"p{n}" for n in range(6)])
    assert chosen == LGG_COLUMNS
    assert left_out == {"gender": "not asked for"}


def test_otherwise_every_category_is_chosen_and_the_rest_is_named(tmp_path):
    rows = "".join(f"p{n},{n % 2},{n},x\n" for n in range(12))
    table = read_clinical(write(tmp_path / "data.csv", f"id,sex,age,site\n{rows}"))
    scans = [f"p{n}" for n in range(12)]
    chosen, left_out = table.choose_columns(scans)
    assert chosen == ("sex",)
    assert left_out == {"age": "12 different values", "site": "fewer than two categories among these scans"}
    assert table.choose_columns(scans, ["age"])[0] == ("age",)
    with pytest.raises(InputError, match="--columns"):
        table.choose_columns(scans, ["sex", "grade"])
    with pytest.raises(InputError, match="none"):
        table.choose_columns(scans[:1])
