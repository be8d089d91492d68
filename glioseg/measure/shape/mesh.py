"""The surface of a voxel mask as triangles: marching cubes at the level 0.5."""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import numpy.typing as npt

from glioseg.scan import BoolArray

Triangles = npt.NDArray[np.float64]

# Corner number 4 z + 2 y + x of a cube sits at (z, y, x).
_CORNERS = tuple(product((0, 1), repeat=3))
# The six faces, each as its four corners in a row, turning the same way seen from outside.
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


def surface_triangles(voxels: BoolArray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Triangles:
    """Closed triangle mesh around the set voxels.

    The surface crosses halfway between a set and an unset voxel centre. Where two set voxels of a cube face
    are diagonal they stay apart, as components do that are connected through faces only. Where the
    crossings of a cube lie in no plane, the surface bulges outwards around up to four set corners and
    inwards around more, as in the usual tables; this gives the reference values of IBSI's digital phantom.

    Args:
        voxels: boolean ``(slices, height, width)``. What lies beyond the array counts as unset.
        spacing: voxel size along (slice, row, column).

    Returns:
        ``(n, 3, 3)``: triangles, their corners, and (slice, row, column) in the unit of ``spacing``; the
        centre of the first voxel is the origin. Seen from outside all turn the same way.

    Source:
        Lorensen and Cline 1987, doi 10.1145/37402.37422; IBSI, morphological features.
    """
    padded = np.pad(voxels, 1).astype(np.uint8)
    code = np.zeros(tuple(size - 1 for size in padded.shape), np.uint8)
    for bit, (z, y, x) in enumerate(_CORNERS):
        part = padded[z : z + code.shape[0], y : y + code.shape[1], x : x + code.shape[2]]
        code |= part << np.uint8(bit)
    cubes = np.argwhere((code != 0) & (code != 255))
    codes = code[tuple(cubes.T)]
    cases = _cases()
    pieces = [np.zeros((0, 3, 3))]
    for each in np.unique(codes):
        # The cube at position (0, 0, 0) of the padded array starts one voxel before the first voxel.
        starts = cubes[codes == each] - 1
        pieces.append((cases[each][None] + starts[:, None, None, :]).reshape(-1, 3, 3))
    return np.concatenate(pieces) * np.asarray(spacing)


def area(triangles: Triangles) -> float:
    """Sum of the areas of triangles ``(n, 3, 3)``."""
    return float(np.linalg.norm(_normals(triangles), axis=1).sum() / 2)


def enclosed_volume(triangles: Triangles) -> float:
    """Volume within closed triangles ``(n, 3, 3)`` that all turn the same way (Gauss)."""
    return float(abs(np.einsum("ij,ij->", triangles[:, 0], _normals(triangles))) / 6)


def _normals(triangles: Triangles) -> Triangles:
    normals: Triangles = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    return normals


@cache
def _cases() -> tuple[Triangles, ...]:
    """The triangles of each of the 256 ways to set the corners of a cube (bit i is corner i)."""
    return tuple(_case(code) for code in range(256))


def _case(code: int) -> Triangles:
    inside = [bool(code >> corner & 1) for corner in range(8)]
    following: dict[tuple[int, int], tuple[int, int]] = {}
    for face in _FACES:
        # Around a face, the surface runs from each edge that enters the inside to the next that leaves it.
        for start in range(4):
            before, here = face[start - 1], face[start]
            if inside[here] and not inside[before]:
                end = start
                while inside[face[(end + 1) % 4]]:
                    end += 1
                leaving = face[end % 4], face[(end + 1) % 4]
                following[_edge(before, here)] = _edge(*leaving)
    triangles = []
    while following:
        loop = [next(iter(following))]
        while (edge := following.pop(loop[-1])) != loop[0]:
            loop.append(edge)
        triangles += _fan([_middle(edge) for edge in loop], bulge=sum(inside) <= 4)
    return np.array(triangles, dtype=np.float64).reshape(-1, 3, 3)


def _edge(first: int, second: int) -> tuple[int, int]:
    return min(first, second), max(first, second)


def _middle(edge: tuple[int, int]) -> npt.NDArray[np.float64]:
    return np.mean([_CORNERS[corner] for corner in edge], axis=0)


def _fan(loop: list[npt.NDArray[np.float64]], bulge: bool) -> list[list[npt.NDArray[np.float64]]]:
    """Cut a loop of points into triangles that share one point, so that they enclose most (or least)."""
    count = len(loop)
    fans = [
        [[loop[tip], loop[(tip + k) % count], loop[(tip + k + 1) % count]] for k in range(1, count - 1)]
        for tip in range(count)
    ]
    # Rounded, so that equal volumes are equal whatever the order of additions.
    volumes = [round(float(np.linalg.det(np.array(fan)).sum()), 9) for fan in fans]
    return fans[volumes.index(max(volumes) if bulge else min(volumes))]
