"""What reports conclude, in English and in Simplified Chinese, under the same keys."""

from __future__ import annotations

ENGLISH: dict[str, str] = {
    "conclusions": "Conclusions",
    "concludes_nothing": "No experiment has scores that can be compared, so nothing can be concluded.",
    "ranking": "Ranking",
    "column_place": "place",
    "column_place_median": "place by median",
    "ranking_caption": "By mean DSC, reference protocol. The interval is a bootstrap over patients.",
    "ranks_one": "Only {row} has scores that can be compared: there is nothing to rank.",
    "ranks_first": "{row} has the highest mean, {other} the highest median.",
    "ranks_first_both": "{row} has the highest mean and the highest median.",
    "ranks_ranges": (
        "The means lie between {mean_low} and {mean_high}, the medians between {median_low} and {median_high}."
    ),
    "ranks_none": (
        "None of the {compared} comparisons with the baseline shows a difference beyond noise: the order of the "
        "table is not established."
    ),
    "ranks_some": (
        "Comparisons with the baseline that show a difference beyond noise: {found} of {compared}. Only these "
        "are established; the rest of the order is not."
    ),
    "against_baseline": "Against the baseline",
    "concludes_better": "{row}: better than the baseline beyond noise. {numbers}",
    "concludes_several": (
        "{row}: better than the baseline beyond noise, but more than one thing changed ({tables}): which of them "
        "helped is not shown. {numbers}"
    ),
    "concludes_worse": "{row}: worse than the baseline beyond noise. {numbers}",
    "concludes_equal": "{row}: no difference from the baseline beyond noise, in either direction. {numbers}",
    "concludes_few": "{row}: too few patients to tell. {numbers}",
    "concludes_collapsed": "{row}: collapsed. {numbers}",
    "concludes_untold": "{row}: has no scores that can be compared with the baseline's.",
    "concludes_baseline_collapsed": (
        "The baseline, {row}, collapsed: to differ from it says nothing about what was changed."
    ),
    "concludes_one_seed": (
        "Where both rows have one seed, noise means that of patients alone: what another seed would change was "
        "not measured."
    ),
    "single": "What single patients do to the means",
    "column_mean": "mean",
    "column_without_one": "mean without any one patient",
    "column_mover": "patient that moves it most",
    "column_without_it": "mean without that patient",
    "moves_most": (
        "Most is done by {patient} to {row}: the mean is {mean} with this patient and {without} without."
    ),
    "without_order_same": (
        "Without {patient} the means lie between {low} and {high}, and the order stays as it is; {first} is first."
    ),
    "without_order_changes": (
        "Without {patient} the means lie between {low} and {high}, and the order is another one; {first} is first."
    ),
    "protocols_apart": (
        "One and the same network scores {patient} far apart under the two protocols: {rows}. Where only the "
        "largest component is kept, such a jump can come of two components of which now one, now the other is larger."
    ),
    "protocols_row": "{row} {reference} by the reference protocol and {own} on the own grid (mean {mean} and {own_mean})",
    "lessons": "What the faulty rows teach",
    "lesson_collapsed": (
        "{row}: with the fault the network is useless (DSC {dsc}), without it ({other}) it is not. Such a fault is "
        "seen at once."
    ),
    "lesson_worse": "{row}: the fault costs DSC: {difference} against {other}, beyond noise.",
    "lesson_better": (
        "{row}: better than {other} beyond noise ({difference}). That is no reason to keep the fault: find out "
        "what else it changes."
    ),
    "lesson_equal": (
        "{row}: DSC does not show the fault: {difference} against {other}, within noise. A score that looks right "
        "is no proof that the code is."
    ),
    "lesson_few": "{row}: DSC {dsc}; too few patients to compare it with {other}.",
    "lesson_alone": "{row}: DSC {dsc}; there is no corrected row to compare it with, so the fault cannot be weighed.",
    "lesson_loss": (
        "Its training loss goes from {first} to {loss}, the corrected one's from {other_first} to {other_loss}."
    ),
    "learning": "How they learned",
    "column_to_08": "first epoch with 0.8",
    "column_to_09": "first epoch with 0.9",
    "column_ends": "last five epochs",
    "column_spread": "spread of these",
    "column_distance": "validation minus training loss",
    "never": "never",
    "learning_caption": (
        "Validation mean DSC; several runs of a row are separated by commas. Distances between losses at the last "
        "epoch; those of different kinds of loss have different scales."
    ),
    "unsettled": (
        "{run}: the validation DSC has not settled (spread {spread} in the last five epochs), so which epoch is kept "
        "decides much of the score."
    ),
    "jumps": (
        "{patient} varies most there, from {low} to {high}; alone this moves a mean over {patients} patients by {effect}."
    ),
}

CHINESE: dict[str, str] = {
    "conclusions": "结论",
    "concludes_nothing": "没有任何实验有可比较的分数，因此得不出结论。",
    "ranking": "排名",
    "column_place": "名次",
    "column_place_median": "按中位数的名次",
    "ranking_caption": "按平均 DSC，参考协议。区间为对患者的自助法。",
    "ranks_one": "只有 {row} 有可比较的分数：无从排名。",
    "ranks_first": "{row} 的平均值最高，{other} 的中位数最高。",
    "ranks_first_both": "{row} 的平均值和中位数都最高。",
    "ranks_ranges": "平均值在 {mean_low} 与 {mean_high} 之间，中位数在 {median_low} 与 {median_high} 之间。",
    "ranks_none": "与基线的 {compared} 个比较中，没有一个差异超出噪声：表中的次序并未得到证实。",
    "ranks_some": "与基线的 {compared} 个比较中，有 {found} 个差异超出噪声。只有这些得到证实，其余的次序没有。",
    "against_baseline": "与基线相比",
    "concludes_better": "{row}：优于基线，超出噪声。{numbers}",
    "concludes_several": "{row}：优于基线，超出噪声，但改动不止一处（{tables}）：看不出是哪一处有帮助。{numbers}",
    "concludes_worse": "{row}：差于基线，超出噪声。{numbers}",
    "concludes_equal": "{row}：与基线的差异在两个方向上都未超出噪声。{numbers}",
    "concludes_few": "{row}：患者太少，无法判断。{numbers}",
    "concludes_collapsed": "{row}：已崩溃。{numbers}",
    "concludes_untold": "{row}：没有可与基线比较的分数。",
    "concludes_baseline_collapsed": "基线 {row} 已崩溃：与它不同并不能说明改动的作用。",
    "concludes_one_seed": "两行都只有一个种子时，噪声仅指患者的噪声：换一个种子会变化多少没有测量。",
    "single": "单个患者对平均值的影响",
    "column_mean": "平均值",
    "column_without_one": "去掉任一患者的平均值",
    "column_mover": "影响最大的患者",
    "column_without_it": "去掉该患者的平均值",
    "moves_most": "影响最大的是 {patient} 对 {row}：计入该患者时平均值为 {mean}，不计入时为 {without}。",
    "without_order_same": "不计入 {patient} 时，平均值在 {low} 与 {high} 之间，次序不变；第一为 {first}。",
    "without_order_changes": "不计入 {patient} 时，平均值在 {low} 与 {high} 之间，次序改变；第一为 {first}。",
    "protocols_apart": (
        "同一网络在两种协议下对 {patient} 的分数相差很大：{rows}。只保留最大连通域时，如果两个连通域时而这个更大、时而那个更大，就可能出现这样的跳变。"
    ),
    "protocols_row": "{row} 按参考协议为 {reference}，在自身网格上为 {own}（平均值 {mean} 与 {own_mean}）",
    "lessons": "有缺陷的各行给出的教训",
    "lesson_collapsed": "{row}：有缺陷时网络毫无用处（DSC {dsc}），去掉缺陷后（{other}）则不然。这样的缺陷一眼可见。",
    "lesson_worse": "{row}：缺陷使 DSC 下降：与 {other} 相差 {difference}，超出噪声。",
    "lesson_better": "{row}：优于 {other}，超出噪声（{difference}）。这不是保留缺陷的理由：请查明它还改变了什么。",
    "lesson_equal": "{row}：DSC 看不出缺陷：与 {other} 相差 {difference}，在噪声之内。分数看上去正确，不能证明代码正确。",
    "lesson_few": "{row}：DSC {dsc}；患者太少，无法与 {other} 比较。",
    "lesson_alone": "{row}：DSC {dsc}；没有可比较的修正版，无法衡量缺陷的影响。",
    "lesson_loss": "它的训练损失从 {first} 到 {loss}，修正后从 {other_first} 到 {other_loss}。",
    "learning": "学习过程",
    "column_to_08": "首次达到 0.8 的 epoch",
    "column_to_09": "首次达到 0.9 的 epoch",
    "column_ends": "最后五个 epoch",
    "column_spread": "其幅度",
    "column_distance": "验证损失减训练损失",
    "never": "从未",
    "learning_caption": "验证平均 DSC；一行有多次运行时以逗号分隔。损失之差取自最后一个 epoch；不同种类的损失尺度不同。",
    "unsettled": "{run}：验证 DSC 尚未稳定（最后五个 epoch 的幅度为 {spread}），因此保留哪个 epoch 在很大程度上决定了分数。",
    "jumps": "其中变化最大的是 {patient}，从 {low} 到 {high}；仅此一人就使 {patients} 名患者的平均值变动 {effect}。",
}
