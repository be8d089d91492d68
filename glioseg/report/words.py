"""What the reports say, in English and in Simplified Chinese, under the same keys."""

from __future__ import annotations

from collections.abc import Mapping

from glioseg.errors import Fault, InputError
from glioseg.report import words_conclusions

ENGLISH: dict[str, str] = {
    "title": "Experiments on lesion segmentation",
    "task": "Task",
    "task_text": (
        "Mark the lesion in brain MRI. Each experiment trains a network on labelled slices and is scored on "
        "whole volumes of patients that it never trained on, by the Dice coefficient (DSC): twice the shared "
        "voxels over the sum of both masks, 1 for equal masks, 0 for masks without a shared voxel."
    ),
    "data": "Data and split",
    "data_patients": "{patients} patients: {train} train, {validation} validate. Whole patients, never slices.",
    "data_folds": "{patients} patients in {folds} folds; each is scored by the fold that did not train on it.",
    "data_slices": "{slices} training slices, {lesion} of them ({share} %) with lesion.",
    "data_split": "Split: {split}. Fingerprint of the data: {fingerprint}.",
    "data_validation": "Validation patients: {patients}.",
    "protocol": "Protocol",
    "protocol_reference": "The DSC of the tables, reference protocol: {text}",
    "protocol_own": "The DSC on the scans' own grid: {text}",
    "protocol_curve": (
        "The validation DSC of the curves is measured after each epoch on the prepared grid of the training; "
        "it picks the checkpoint."
    ),
    "experiments": "Experiments",
    "column_row": "experiment",
    "column_runs": "runs",
    "column_best": "best validation DSC",
    "column_epoch": "epoch",
    "column_reference": "DSC, reference protocol (95 % interval)",
    "column_own": "DSC, own grid (95 % interval)",
    "column_median": "median",
    "column_published": "published",
    "column_difference": "difference to the baseline",
    "column_verdict": "helped?",
    "column_parameters": "parameters",
    "column_gmacs": "GMAC a slice",
    "column_seconds": "ms a slice",
    "column_minutes": "training minutes",
    "experiments_caption": (
        "Best validation DSC: mean over the seeds (lowest to highest). DSC: mean over the patients, each the "
        "mean over the seeds; the interval is a bootstrap over patients."
    ),
    "cost_caption": (
        "GMAC: 10^9 multiply-accumulates. Milliseconds: ONNX Runtime, {threads} CPU threads, one prepared "
        "slice without reading and writing; measured once for each architecture, and empty where no run kept "
        "its model. Training minutes: as recorded, on a machine that may have been shared."
    ),
    "published_note": (
        "Published scores are for orientation only: another training, another machine, one seed, no interval."
    ),
    "cost": "What they cost",
    "changes": "What each changed, and whether it helped",
    "baseline": "The baseline, which all others are compared with.",
    "baseline_run": "{network}, loss {loss}, {size} px, {epochs} epochs in batches of {batch} slices.",
    "change": "{key} = {value} instead of {base}",
    "absent": "not set",
    "changed": "Changed: {changes}.",
    "unchanged": "Nothing changed but the seed.",
    "verdict_baseline": "baseline",
    "verdict_better": "yes",
    "verdict_worse": "no, it harmed",
    "verdict_higher": "not shown: it scores higher",
    "verdict_lower": "not shown: it scores lower",
    "verdict_equal": "no difference beyond noise",
    "verdict_failed": "failed",
    "verdict_unscored": "not scored",
    "verdict_collapsed": "no, it collapsed",
    "helped": "It helped.",
    "harmed": "It harmed.",
    "higher": "It scores higher; several changes or a collapse leave open why.",
    "lower": "It scores lower; several changes or a collapse leave open why.",
    "equal": "No difference beyond noise.",
    "equal_seeds": "Two seeds of one recipe are {spread} apart, no less than these two rows.",
    "few": "Too few patients to compare.",
    "comparison": (
        "Difference of the {statistic} {difference} (95 % interval {low} to {high}), Wilcoxon p = {p}, after Holm's "
        "correction {adjusted}, {patients} patients."
    ),
    "mean": "mean",
    "median": "median",
    "skipped": "skipped",
    "one_seed": (
        "Rows with one seed do not show how much another seed would change: take small differences there "
        "with care."
    ),
    "faulty": "What the faulty rows show",
    "faulty_double_sigmoid": (
        "{row}: the loss puts a sigmoid on a network that already ends in one. What the loss sees can then "
        "only lie between sigmoid(0) = 0.5 and sigmoid(1) = 0.73: background can never become 0, a lesion "
        "never 1. The last training loss is {loss}, and DSC is {dsc}."
    ),
    "faulty_no_sigmoid": (
        "{row}: the Dice loss gets raw outputs instead of probabilities. Outputs far from 0 and 1 make the "
        "loss smaller without any mask becoming better. The last training loss is {loss}, and DSC is {dsc}."
    ),
    "faulty_corrected": (
        "With one sigmoid in the right place and nothing else changed ({row}): training loss {loss}, DSC {dsc}."
    ),
    "faulty_difference": "Faulty against corrected: {text}",
    "curves": "Curves",
    "curves_caption": (
        "Thin: raw. Thick: smoothed as TensorBoard does (weight {weight}). Losses of different kinds have "
        "different scales: compare their shape, not their height."
    ),
    "curve_loss": "training loss",
    "curve_val_loss": "validation loss",
    "curve_val_dsc": "validation mean DSC",
    "curve_epoch": "epoch",
    "patients": "DSC of each patient",
    "widest": "{patient} varies most between the experiments that did not collapse: from {low} to {high}. Among {patients} patients it alone moves a mean by up to {effect}.",
    "patients_axis": "DSC, reference protocol",
    "patients_caption": "Reference protocol. Patients sorted by their mean over the experiments.",
    "bars_caption": "{row}: DSC of each patient, reference protocol.",
    "examples": "Example slices",
    "examples_caption": (
        "Best, median and worst patient by mean DSC over the experiments, own grid: {patients}. Of each, the "
        "slice with the largest true lesion, FLAIR, with the number of the row and the DSC on the own grid. Red: predicted, green: truth, yellow: both. Rows from above: {rows}."
    ),
    "examples_missing": "No pictures: {reason}",
    "failures": "Failures",
    "failures_none": "None: every run came to its end, and none collapsed.",
    "failure_stopped": "{run}: stopped with a diagnosis. {reason}",
    "failure_unfinished": "{run}: not finished (status: {status}).",
    "failure_unscored": "{run}: trained, not scored. Run: {command}",
    "failure_full": (
        "{run}: collapsed. It marks nearly everything as lesion (sensitivity {sensitivity}, precision "
        "{precision})."
    ),
    "failure_empty": "{run}: collapsed. It marks nothing.",
    "failure_mixed": "{row} cannot be compared: {reason}",
    "statistics": "Statistics",
    "statistics_text": (
        "Every experiment is compared with the baseline, and every faulty one with its corrected one, on the "
        "same patients. Interval: paired bootstrap over patients (10,000 resamples). p: Wilcoxon signed-rank "
        "test, exact, two-sided, corrected by Holm for all comparisons together. Called different only if the "
        "interval excludes 0, the corrected p is below 0.05 and the difference is larger than between two "
        "seeds of one recipe. With ten patients the smallest possible p is 0.002 before correction: small "
        "true differences stay unseen."
    ),
    "column_against": "against",
    "column_difference_of_means": "difference of the means",
    "column_p": "p",
    "column_adjusted": "p (Holm)",
    "column_interval": "95 % interval",
    "environment": "Environment",
    "environment_text": "glioseg {glioseg}, Python {python}, {system}, {cores} cores. Packages: {packages}.",
    "commands": "Commands",
    "commands_text": "Each run again, from the data:",
    **words_conclusions.ENGLISH,
}

CHINESE: dict[str, str] = {
    "title": "病灶分割实验",
    "task": "任务",
    "task_text": (
        "在脑部 MRI 中标出病灶。每个实验用带标注的切片训练一个网络，并在训练时从未见过的患者的整个体积上评分，"
        "指标为 Dice 系数（DSC）：两个掩膜共有体素数的两倍除以两者体素数之和；完全相同为 1，没有共同体素为 0。"
    ),
    "data": "数据与划分",
    "data_patients": "{patients} 名患者：{train} 名用于训练，{validation} 名用于验证。按患者划分，从不按切片划分。",
    "data_folds": "{patients} 名患者分为 {folds} 折；每名患者由没有用其训练的那一折评分。",
    "data_slices": "{slices} 张训练切片，其中 {lesion} 张（{share} %）含病灶。",
    "data_split": "划分：{split}。数据指纹：{fingerprint}。",
    "data_validation": "验证患者：{patients}。",
    "protocol": "评分协议",
    "protocol_reference": "表中的 DSC，参考协议：{text}",
    "protocol_own": "扫描自身网格上的 DSC：{text}",
    "protocol_curve": "曲线中的验证 DSC 在每个 epoch 之后于训练所用的预处理网格上测得，用来选择检查点。",
    "experiments": "实验",
    "column_row": "实验",
    "column_runs": "运行数",
    "column_best": "最佳验证 DSC",
    "column_epoch": "epoch",
    "column_reference": "DSC，参考协议（95 % 区间）",
    "column_own": "DSC，自身网格（95 % 区间）",
    "column_median": "中位数",
    "column_published": "已发表",
    "column_difference": "与基线之差",
    "column_verdict": "是否有帮助",
    "column_parameters": "参数量",
    "column_gmacs": "每切片 GMAC",
    "column_seconds": "每切片毫秒",
    "column_minutes": "训练分钟数",
    "experiments_caption": (
        "最佳验证 DSC：各随机种子的平均值（最低到最高）。DSC：患者平均值，每名患者先对种子取平均；区间为对患者的自助法。"
    ),
    "cost_caption": (
        "GMAC：10^9 次乘加。毫秒：ONNX Runtime，{threads} 个 CPU 线程，一张预处理后的切片，不含读写；每种网络结构测一次，没有保留模型时为空。"
        "训练分钟数为当时记录，机器可能与其他任务共用。"
    ),
    "published_note": "已发表的分数仅供参考：训练不同、机器不同、只有一个种子、没有区间。",
    "cost": "开销",
    "changes": "每个实验改变了什么，是否有帮助",
    "baseline": "基线，其余实验均与它比较。",
    "baseline_run": "{network}，损失 {loss}，{size} 像素，{epochs} 个 epoch，每批 {batch} 张切片。",
    "change": "{key} = {value}（基线为 {base}）",
    "absent": "未设置",
    "changed": "改动：{changes}。",
    "unchanged": "除种子外没有改动。",
    "verdict_baseline": "基线",
    "verdict_better": "是",
    "verdict_worse": "否，变差",
    "verdict_higher": "无法看出：得分更高",
    "verdict_lower": "无法看出：得分更低",
    "verdict_equal": "差异未超出噪声",
    "verdict_failed": "失败",
    "verdict_unscored": "未评分",
    "verdict_collapsed": "否，已崩溃",
    "helped": "有帮助。",
    "harmed": "变差。",
    "higher": "得分更高；由于有多项改动或已崩溃，原因不明。",
    "lower": "得分更低；由于有多项改动或已崩溃，原因不明。",
    "equal": "差异未超出噪声。",
    "equal_seeds": "同一方案的两个种子相差 {spread}，不小于这两行之差。",
    "few": "患者太少，无法比较。",
    "comparison": (
        "{statistic}之差 {difference}（95 % 区间 {low} 到 {high}），Wilcoxon p = {p}，Holm 校正后 {adjusted}，"
        "{patients} 名患者。"
    ),
    "mean": "平均值",
    "median": "中位数",
    "skipped": "略过",
    "one_seed": "只有一个种子的行看不出换一个种子会变化多少：其中的小差异请谨慎看待。",
    "faulty": "有缺陷的各行说明了什么",
    "faulty_double_sigmoid": (
        "{row}：网络末端已有 sigmoid，损失函数又加了一次。损失看到的值只能在 sigmoid(0) = 0.5 与 sigmoid(1) = 0.73 "
        "之间：背景永远到不了 0，病灶永远到不了 1。最后的训练损失为 {loss}，DSC 为 {dsc}。"
    ),
    "faulty_no_sigmoid": (
        "{row}：Dice 损失得到的是原始输出而不是概率。远离 0 和 1 的输出会使损失变小，而掩膜并没有变好。"
        "最后的训练损失为 {loss}，DSC 为 {dsc}。"
    ),
    "faulty_corrected": "只在正确的位置用一次 sigmoid，其余不变（{row}）：训练损失 {loss}，DSC {dsc}。",
    "faulty_difference": "有缺陷与已修正之比较：{text}",
    "curves": "曲线",
    "curves_caption": (
        "细线：原始值。粗线：按 TensorBoard 的方法平滑（权重 {weight}）。不同损失的尺度不同：请比较形状，不要比较高低。"
    ),
    "curve_loss": "训练损失",
    "curve_val_loss": "验证损失",
    "curve_val_dsc": "验证平均 DSC",
    "curve_epoch": "epoch",
    "patients": "每名患者的 DSC",
    "widest": "在没有崩溃的实验之间，{patient} 变化最大：从 {low} 到 {high}。在 {patients} 名患者中，仅它一人就可使平均值变动 {effect}。",
    "patients_axis": "DSC，参考协议",
    "patients_caption": "参考协议。患者按各实验的平均值排序。",
    "bars_caption": "{row}：每名患者的 DSC，参考协议。",
    "examples": "示例切片",
    "examples_caption": (
        "按各实验自身网格平均 DSC 最好、居中和最差的患者：{patients}。每名患者取真实病灶最大的切片，FLAIR，标有行号与自身网格 DSC。"
        "红：预测，绿：真值，黄：两者重合。自上而下各行：{rows}。"
    ),
    "examples_missing": "没有图片：{reason}",
    "failures": "失败",
    "failures_none": "没有：每次运行都已完成，没有一次崩溃。",
    "failure_stopped": "{run}：带诊断信息停止。{reason}",
    "failure_unfinished": "{run}：未完成（状态：{status}）。",
    "failure_unscored": "{run}：已训练，未评分。运行：{command}",
    "failure_full": "{run}：崩溃。几乎把一切都标为病灶（灵敏度 {sensitivity}，精确率 {precision}）。",
    "failure_empty": "{run}：崩溃。什么都没有标出。",
    "failure_mixed": "{row} 无法比较：{reason}",
    "statistics": "统计",
    "statistics_text": (
        "每个实验与基线、每个有缺陷的实验与其修正版，均在相同患者上比较。区间：对患者的配对自助法"
        "（10,000 次重抽样）。p：Wilcoxon 符号秩检验，精确、双侧，对所有比较一起作 Holm 校正。只有当区间不含 0、"
        "校正后的 p 小于 0.05，且差异大于同一方案两个种子之差时，才称为有差异。"
        "十名患者时校正前最小的 p 为 0.002：真实存在的小差异可能看不出来。"
    ),
    "column_against": "对照",
    "column_difference_of_means": "平均值之差",
    "column_p": "p",
    "column_adjusted": "p（Holm）",
    "column_interval": "95 % 区间",
    "environment": "环境",
    "environment_text": "glioseg {glioseg}，Python {python}，{system}，{cores} 个核心。软件包：{packages}。",
    "commands": "命令",
    "commands_text": "从数据开始重复每次运行：",
    **words_conclusions.CHINESE,
}

PROTOCOL_CHINESE = (
    "{metric}，单位 {unit}，网格 {grid}，切片 {slices}，序列 {sequences}，概率 >= {threshold}，后处理：{postprocessing}，"
    "两个空掩膜：{empty}，{patients} 名患者，检查点：{checkpoint}。"
)
"""A protocol in one Chinese sentence; in English it describes itself."""

PHRASES: dict[str, str] = {
    "own": "扫描自身网格",
    "volume": "体积",
    "reference-256": "参考协议的 256 像素网格",
    "all": "全部",
    "FLAIR alone": "仅 FLAIR",
    "all but first and last": "除首末两张外全部",
    "none": "无",
    "largest face-connected 3-D component": "保留最大的面连通三维连通域",
    "perfect": "记为满分",
    "worst": "记为最差值",
    "skip": "不计入",
    "last": "最后一个",
    "given": "指定的",
    "best val_dsc on the same patients": "在相同患者上验证 DSC 最佳者",
    "best val_dsc on other patients": "在其他患者上验证 DSC 最佳者",
    "best val_loss on the same patients": "在相同患者上验证损失最小者",
    "best val_loss on other patients": "在其他患者上验证损失最小者",
}
"""Fixed phrases of protocols in Chinese."""

LANGUAGES: dict[str, dict[str, str]] = {"en": ENGLISH, "zh": CHINESE}


def check_language(language: str) -> None:
    """Refuse a language that there is not.

    Raises:
        InputError: it is not one of :data:`LANGUAGES`.
    """
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        raise InputError(Fault("report.language", "--lang", known=known, language=language))


def words(language: str) -> Mapping[str, str]:
    """The words of a language.

    Raises:
        InputError: there is no such language.
    """
    check_language(language)
    return LANGUAGES[language]


def phrase(language: str, text: str) -> str:
    """A fixed phrase of a protocol in a language; as it is where there is no translation."""
    return PHRASES.get(text, text) if language == "zh" else text
