"""The surface of a lesion, against closed forms and PyRadiomics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis.extra.numpy import arrays
from support.shapes import a_mask, box, ellipsoid

from glioseg.measure.shape import measure_lesion
from glioseg.measure.shape.mesh import area, enclosed_volume, surface_triangles

few = settings(max_examples=30, deadline=None)


def test_the_mesh_of_one_voxel_is_an_octahedron():
    triangles = surface_triangles(np.ones((1, 1, 1), bool), (1.0, 2.0, 3.0))
    assert len(triangles) == 8
    assert enclosed_volume(triangles) == pytest.approx(1 * 2 * 3 / 6)


@pytest.mark.parametrize("size", [(2, 2, 2), (4, 5, 6), (10, 12, 14)])
def test_the_mesh_of_a_box_is_the_box_without_its_edges_and_corners(size):
    triangles = surface_triangles(box(*size))
    # Edges lose a prism of 1/8 a length, corners what three such edges leave: 1/48 more than the cuts.
    inner = [n - 1 for n in size]
    a, b, c = inner
    faces = 2 * (a * b + b * c + c * a)
    edges = 4 * (a + b + c)
    volume = a * b * c + faces / 2 + edges / 8 + 8 / 48
    surface = faces + edges * math.sqrt(0.5) + 8 * math.sqrt(3) / 8
    assert enclosed_volume(triangles) == pytest.approx(volume)
    assert area(triangles) == pytest.approx(surface)


@few
@example(np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]], bool))
@given(arrays(bool, (3, 4, 4)))
def test_the_mesh_is_closed_and_turns_outwards(voxels):
    triangles = surface_triangles(voxels)
    edges = np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)]).reshape(-1, 6)
    forth = sorted(map(tuple, edges.tolist()))
    back = sorted(map(tuple, edges[:, [3, 4, 5, 0, 1, 2]].tolist()))
    assert forth == back
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    signed = np.einsum("ij,ij->", triangles[:, 0], normals) / 6
    assert (signed > 0) == voxels.any()
    assert signed <= voxels.sum() + 1e-9


# PyRadiomics 3.0.1 (SimpleITK 2.5.7, Python 3.11), spacing (slice, row, column) in mm.
PYRADIOMICS = {
    ("ball", (1.0, 1.0, 1.0)): (3051.1666666666665, 1106.295717463509, 0.919581404914729, 1.0, 1.0, 19.0),
    ("ball", (3.0, 1.0, 1.0)): (9153.5, 2700.987967315036, 0.7834649983888761, 1 / 3, 1 / 3, 57.0),
    ("ellipsoid", (1.0, 1.0, 1.0)): (
        2126.5,
        969.3173872244987,
        0.8250147494451088,
        0.6176009965349422,
        0.3810268259542726,
        27.0,
    ),
    ("ellipsoid", (3.0, 1.0, 1.0)): (
        6379.5,
        1963.0185406521057,
        0.8473915925692733,
        0.8748290425444667,
        0.5402952884731718,
        33.0,
    ),
    ("box", (1.0, 1.0, 1.0)): (
        1662.6666666666667,
        813.0701459241873,
        0.8347560387474694,
        0.856348838577676,
        0.7125253031944253,
        19.949937343260004,
    ),
    ("box", (3.0, 1.0, 1.0)): (
        4988.0,
        1814.5157589997582,
        0.77805030382801,
        0.46781964351149147,
        0.400616808384888,
        34.49637662132068,
    ),
}


@pytest.mark.parametrize(("shape", "spacing"), PYRADIOMICS)
def test_mesh_and_axes_agree_with_pyradiomics(shape, spacing):
    voxels = {"ball": ellipsoid(9, 9, 9), "ellipsoid": ellipsoid(5, 8, 13), "box": box(10, 12, 14)}[shape]
    values = measure_lesion(a_mask(voxels, spacing))
    names = (
        "mesh_volume_mm3",
        "surface_area_mm2",
        "sphericity",
        "elongation",
        "flatness",
        "maximum_3d_diameter_mm",
    )
    assert [values[name] for name in names] == pytest.approx(PYRADIOMICS[shape, spacing], rel=1e-9)
