"""Lesions of known shape."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import label

from glioseg.grid import Grid
from glioseg.scan import Segmentation


def grid(shape):
    """Voxel centres of a box of this shape, from its middle."""
    return np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij"), axis=0)


def ellipsoid(*semi_axes, shape=None):
    shape = shape or tuple(2 * math.ceil(axis) + 3 for axis in semi_axes)
    scaled = grid(shape) / np.reshape(semi_axes, (3, 1, 1, 1))
    return (scaled**2).sum(axis=0) <= 1


def box(*size, margin=2):
    return np.pad(np.ones(size, bool), margin)


def in_one_slice(region, slices=3):
    mask = np.zeros((slices, *region.shape), bool)
    mask[1] = region
    return mask


def disc(radius):
    side = 2 * radius + 5
    return (grid((side, side)) ** 2).sum(axis=0) <= radius**2


def a_mask(voxels, spacing=None, affine=None):
    return Segmentation.from_mask(voxels, Grid(voxels.shape, spacing=spacing, affine=affine), "someone")


def component_sizes(voxels):
    labels, _ = label(voxels)
    return sorted(np.bincount(labels.ravel())[1:])
