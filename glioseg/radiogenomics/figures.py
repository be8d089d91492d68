"""The pictures of the report: boxes by category, areas under the curve, correlation, gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from glioseg.draw import grey
from glioseg.draw.figure import text_in
from glioseg.files import written_whole
from glioseg.measure.shape.ellipsoid import Ellipsoid, corners, minimum_volume_ellipsoid
from glioseg.measure.shape.features import FEATURES
from glioseg.measure.shape.lesion import Lesion, largest_component
from glioseg.measure.shape.mesh import surface_triangles
from glioseg.measure.statistics import Correlation
from glioseg.measure.values import NotDefined
from glioseg.radiogenomics.association import Association, Categories, Discrimination
from glioseg.radiogenomics.clinical import sorted_levels
from glioseg.radiogenomics.statistics import MonteCarlo, format_p
from glioseg.scan import Scan, Segmentation

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BLUE, _ORANGE, _GREEN, _GREY = "#2f6db3", "#d9741e", "#2a9d4a", "#8c959f"


def draw_boxes(
    path: Path, values: np.ndarray[Any, Any], labels: Mapping[str, Categories], tests: Sequence[Association]
) -> Path:
    """Box plots of one feature by the categories of every column, each patient a point.

    Args:
        path: the PNG to write.
        values: the feature of each patient, NaN where it is not defined.
        labels: for each column the category of each patient.
        tests: the associations of this feature, one a column in the same order.
    """
    columns = min(5, len(labels))
    rows = -(-len(labels) // columns)
    figure = _figure(2.6 * columns, 2.9 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    jitter = np.random.default_rng(0)
    for axes, (column, categories), test in zip(grid, labels.items(), tests, strict=False):
        levels = sorted_levels(categories)
        groups = [
            values[np.array([label == level for label in categories]) & ~np.isnan(values)] for level in levels
        ]
        axes.boxplot(groups, widths=0.6, showfliers=False, medianprops={"color": _ORANGE, "linewidth": 2})
        for place, group in enumerate(groups, start=1):
            across = place + jitter.uniform(-0.16, 0.16, len(group))
            axes.plot(across, group, ".", color=_BLUE, alpha=0.6, markersize=5, markeredgewidth=0)
        axes.axhline(test.threshold, color=_GREY, linewidth=0.8, linestyle=":")
        ticks = [f"{level}\nn={len(group)}" for level, group in zip(levels, groups, strict=True)]
        axes.set_xticks(range(1, len(levels) + 1), ticks, fontsize=7)
        axes.tick_params(axis="y", labelsize=7)
        p = format_p(test.fisher.p) if isinstance(test.fisher, MonteCarlo) else "not defined"
        axes.set_title(f"{column}\nFisher p {p}", fontsize=8)
    for axes in grid[len(labels) :]:
        axes.set_axis_off()
    figure.supylabel(FEATURES[tests[0].feature].title, fontsize=9)
    return _save(figure, path)


def draw_auc(path: Path, tests: Sequence[Discrimination]) -> Path:
    """Areas under the ROC curve with their intervals, one panel a feature, one line a category."""
    features = list(dict.fromkeys(test.feature for test in tests))
    lines = [(test.column, test.level) for test in tests if test.feature == features[0]]
    figure = _figure(3.1 * len(features) + 1.6, 0.19 * len(lines) + 1.1)
    grid = figure.subplots(1, len(features), squeeze=False, sharey=True)[0]
    for axes, feature in zip(grid, features, strict=True):
        mine = [test for test in tests if test.feature == feature]
        for place, test in enumerate(mine):
            if isinstance(test.area, NotDefined):
                continue
            clear = test.area.low > 0.5 or test.area.high < 0.5
            colour = _ORANGE if clear else _BLUE
            axes.plot((test.area.low, test.area.high), (place, place), color=colour, linewidth=1.2)
            axes.plot(test.area.value, place, "o", color=colour, markersize=3.5)
        axes.axvline(0.5, color=_GREY, linewidth=0.8, linestyle=":")
        axes.set_xlim(0, 1)
        axes.set_title(mine[0].score.replace("_", " "), fontsize=8)
        axes.set_xlabel("AUC, 95 % interval", fontsize=8)
        axes.tick_params(labelsize=7)
    grid[0].set_yticks(range(len(lines)), [f"{column} = {level}" for column, level in lines], fontsize=7)
    grid[0].set_ylim(len(lines) - 0.4, -0.6)
    return _save(figure, path)


@text_in(None)
def draw_correlation(
    path: Path,
    pairs: Mapping[str, tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]],
    found: Mapping[str, Correlation | NotDefined],
    names: Sequence[str],
    named: Mapping[str, Sequence[str]],
) -> Path:
    """Predicted against true features, one panel each, with the patients that lie furthest off named.

    Args:
        path: the PNG to write.
        pairs: for each feature its true and its predicted values, patient by patient.
        found: their correlations.
        names: the patients.
        named: for each feature the patients to name.
    """
    figure = _figure(3.6 * len(pairs), 3.8)
    for axes, (feature, (true, predicted)) in zip(
        figure.subplots(1, len(pairs), squeeze=False)[0], pairs.items(), strict=True
    ):
        defined = ~(np.isnan(true) | np.isnan(predicted))
        axes.plot(true[defined], predicted[defined], ".", color=_BLUE, alpha=0.6)
        if defined.any():
            ends = (
                min(true[defined].min(), predicted[defined].min()),
                max(true[defined].max(), predicted[defined].max()),
            )
            axes.plot(ends, ends, color=_GREY, linewidth=0.8, linestyle=":")
        for name in named[feature]:
            place = names.index(name)
            axes.annotate(_short(name), (true[place], predicted[place]), fontsize=5.5, color=_ORANGE)
        one = found[feature]
        text = (
            one.reason if isinstance(one, NotDefined) else f"r = {one.pearson:.2f}, rho = {one.spearman:.2f}"
        )
        axes.set_title(f"{FEATURES[feature].title}\n{text}", fontsize=8)
        axes.set_xlabel("manual mask", fontsize=8)
        axes.set_ylabel("predicted mask", fontsize=8)
        axes.tick_params(labelsize=7)
    return _save(figure, path)


@text_in(None)
def draw_gallery(
    path: Path, lesions: Sequence[tuple[str, float, Scan, Segmentation, Segmentation | None]]
) -> Path:
    """Lesions with their bounding ellipsoid: above the largest slice, below the whole in space.

    Args:
        path: the PNG to write.
        lesions: name, bounding ellipsoid volume ratio, scan, measured mask and, to be drawn as well, the
            manual mask. None may be flat or empty.
    """
    figure = _figure(3.4 * len(lesions), 6.2, dpi=80)
    for place, (name, ratio, scan, mask, truth) in enumerate(lesions, start=1):
        lesion = largest_component(mask.mask)
        assert lesion is not None, "a lesion with a volume ratio is not empty"
        around = minimum_volume_ellipsoid(corners(lesion.voxels))
        above = figure.add_subplot(2, len(lesions), place)
        _draw_slice(above, lesion, around, scan, truth)
        above.set_title(f"{name}\nratio {ratio:.3f}", fontsize=8)
        below = figure.add_subplot(2, len(lesions), len(lesions) + place, projection="3d")
        _draw_space(below, lesion, around)
    return _save(figure, path, few_colours=False)


def _draw_slice(
    axes: Axes, lesion: Lesion, around: Ellipsoid, scan: Scan, truth: Segmentation | None
) -> None:
    position = lesion.offset[0] + lesion.largest_slice
    height, width = scan.grid.shape[1:]
    axes.imshow(grey(scan)[position], cmap="gray", vmin=0, vmax=255, interpolation="bilinear")
    region = np.zeros((height, width))
    top, left = lesion.offset[1:]
    inner = lesion.voxels[lesion.largest_slice]
    region[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    if truth is not None:
        axes.contour(truth.mask[position], levels=[0.5], colors="lime", linewidths=1.3)
    axes.contour(region, levels=[0.5], colors="lime" if truth is None else "red", linewidths=1.3)
    # The ellipsoid counts from the corner of the box, and a voxel's centre lies half a voxel further.
    rows, columns = np.mgrid[0:height, 0:width]
    points = np.column_stack(
        (np.full(rows.size, lesion.largest_slice), rows.ravel() - top, columns.ravel() - left)
    )
    distance = around.distance(points + 0.5).reshape(height, width)
    axes.contour(distance, levels=[1], colors="deepskyblue", linewidths=1, linestyles="--")
    axes.set_axis_off()


def _draw_space(axes: Any, lesion: Lesion, around: Ellipsoid) -> None:
    from matplotlib.colors import to_rgb
    from mpl_toolkits.mplot3d.art3d import Poly3DCollection  # type: ignore[import-untyped]

    # Every second pixel is enough for the eye and a quarter of the triangles.
    triangles = surface_triangles(lesion.voxels[:, ::2, ::2], (1.0, 2.0, 2.0)) + 0.5
    lengths, directions = around.semi_axes
    turn, rise = np.meshgrid(np.linspace(0, 2 * np.pi, 33), np.linspace(0, np.pi, 17))
    ball = np.stack((np.sin(rise) * np.cos(turn), np.sin(rise) * np.sin(turn), np.cos(rise)), axis=-1)
    shell = ball * lengths @ directions.T + around.centre
    # Lit from above and the left; edges in the colour of their face leave no gaps between triangles.
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    lit = normals @ (0.6, -0.6, -0.5) / np.linalg.norm(normals, axis=1)
    colours = np.clip(0.75 + 0.45 * lit[:, None], 0.35, 1.3) * to_rgb(_GREEN)
    axes.add_collection3d(Poly3DCollection(triangles[..., ::-1], facecolors=colours, edgecolors=colours))
    axes.plot_wireframe(*np.moveaxis(shell[..., ::-1], -1, 0), color="deepskyblue", linewidth=0.4, alpha=0.7)
    low, high = shell.reshape(-1, 3).min(axis=0), shell.reshape(-1, 3).max(axis=0)
    axes.set_xlim(low[2], high[2])
    axes.set_ylim(high[1], low[1])
    axes.set_zlim(low[0], high[0])
    axes.set_box_aspect((high[2] - low[2], high[1] - low[1], 0.7 * max(high[1:] - low[1:])), zoom=1.3)
    axes.view_init(elev=22, azim=-60)
    axes.set_axis_off()


def _figure(width: float, height: float, dpi: int = 110) -> Figure:
    figure = Figure(figsize=(width, height), dpi=dpi, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path, few_colours: bool = True) -> Path:
    """Write a PNG, of 256 colours and a third of the size where these are enough; the same each time."""
    canvas = figure.canvas
    assert isinstance(canvas, FigureCanvasAgg)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3])
    with written_whole(path) as part:
        (picture.quantize(256) if few_colours else picture).save(part, format="PNG", optimize=True)
    return path


def _short(name: str) -> str:
    """``HT_7602`` of ``TCGA_HT_7602_19951103``, other names as they are."""
    parts = name.split("_")
    return "_".join(parts[1:3]) if parts[0] == "TCGA" and len(parts) > 2 else name
