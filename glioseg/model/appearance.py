"""What a model's training scans look like, so that it can tell when a scan is of another kind.

A network segments whatever it is given and says nothing of it: noise, a photograph, a scan that lies on its
side. Three small tests on the prepared FLAIR, all learned from the training scans alone, notice that:
likeness to the mean scan, and two linear filters that tell an upright scan from the same one turned, and
FLAIR from the other sequences. Their limits are such that hardly any training scan, held out, fails them.

The two filters know heads with a skull. Where the head can be seen apart (:mod:`glioseg.model.head`), its
shape and the spread of its values are weighed with what they say, and on brains without a skull they do not
decide alone. The weights were chosen on 98 LGG scans, each judged by filters that were learned without it, on
the same scans turned, on their T1, and on six scans from elsewhere (docs/model-log.md has the numbers).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, field_validator

from glioseg.model.head import Head
from glioseg.scan import FLAIR

SIDE = 20
"""Pixels along each side of the coarse image that the tests look at."""
RIDGE = 0.1
"""Weight of the penalty on a filter's coefficients, as a share of the mean variance of a pixel."""
PARTS = 7
"""Parts that take turns in being held out when the limits are found."""
FEWEST_SCANS, FEWEST_SLICES = 20, 3
"""Training scans below which nothing is learned, and slices of a scan below which it is not judged."""
FALSE_ALARMS = 0.01
"""Share of held-out training scans that a filter may refuse."""

UPSIDE_DOWN = 0.02
"""Lean of a head above which it is upside down. Upright LGG heads: at most -0.003, half of them below -0.084;
brains without a skull: at most -0.003."""
LEAN = 10.0
"""Weight of the lean beside what the filter for upright scans says of the scan upside down."""
NOT_UPRIGHT = -0.3
"""Filter and lean together up to which a head with a skull is upright however it leans: some are scanned
below the brain's broadest slices alone."""
LEAST_CONTRAST = -0.4
"""Filter for FLAIR and tails together below which a scan is of another sequence: 2 of 98 FLAIR and 155 of 184
T1 scans are. The filter's own limit alone told about half of the T1 scans."""

Image = npt.NDArray[np.float64]


class Appearance(BaseModel):
    """Coarse image of the training scans and how far a scan may be from it.

    Attributes:
        mean: the mean training scan, ``SIDE * SIDE`` numbers, row by row, mean 0 and length 1.
        least_likeness: correlation with it that every training scan reached, less a margin.
        upright: filter that is greater on a scan than on the same one turned by 90, 180 or 270 degrees.
        most_turned: how much greater it may be on a turned copy than on the scan.
        contrast: filter that is positive on FLAIR and negative on other sequences; empty if all training
            scans had FLAIR alone.
        least_contrast: its least value.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    mean: tuple[float, ...] = Field(min_length=SIDE * SIDE, max_length=SIDE * SIDE)
    least_likeness: float
    upright: tuple[float, ...] = Field(min_length=SIDE * SIDE, max_length=SIDE * SIDE)
    most_turned: float
    contrast: tuple[float, ...] = ()
    least_contrast: float = 0.0

    @field_validator("contrast")
    @classmethod
    def _whole(cls, contrast: tuple[float, ...]) -> tuple[float, ...]:
        if len(contrast) not in (0, SIDE * SIDE):
            raise ValueError(f"{len(contrast)} numbers, not {SIDE * SIDE}")
        return contrast

    def doubts(self, flair: npt.NDArray[Any], head: Head | None = None) -> tuple[str, ...]:
        """What is unlike the training scans.

        Args:
            flair: prepared FLAIR ``(slices, size, size)``.
            head: what can be seen of the head in it, if it is in units of brain tissue.

        Returns:
            ``"unlike_training"`` alone, or any of ``"turned"`` and ``"other_contrast"``. Nothing for scans of
            fewer than three slices, which cannot be judged like this.
        """
        if len(flair) < FEWEST_SLICES:
            return ()
        image = coarse(flair)
        if float(_flat(image) @ np.array(self.mean)) < self.least_likeness:
            return ("unlike_training",)
        found = []
        if self._is_turned(image, head):
            found.append("turned")
        if self._is_other_contrast(image, head):
            found.append("other_contrast")
        return tuple(found)

    def _is_turned(self, image: Image, head: Head | None) -> bool:
        """Whether a turned copy of the coarse image looks more upright than it."""
        left, upside_down, right = _gains(np.array(self.upright), image)
        if head is None:
            return max(left, upside_down, right) > self.most_turned
        leans = head.lean > UPSIDE_DOWN
        if not head.skull:
            return leans
        upside_down += LEAN * head.lean
        return max(left, upside_down, right) > self.most_turned or (leans and upside_down > NOT_UPRIGHT)

    def _is_other_contrast(self, image: Image, head: Head | None) -> bool:
        """Whether it looks like another sequence than FLAIR."""
        if not self.contrast:
            return False
        score = float(_flat(image) @ np.array(self.contrast))
        return score < self.least_contrast if head is None else score + head.tails < LEAST_CONTRAST


def learn_appearance(scans: Sequence[npt.NDArray[Any]]) -> Appearance | None:
    """Learn from prepared training scans.

    Args:
        scans: each ``(slices, size, size, channels)``, FLAIR at :data:`glioseg.scan.FLAIR`; may be mapped.

    Returns:
        ``None`` for fewer than twenty scans of at least three slices: their limits would mean nothing.
    """
    judged = [scan for scan in scans if len(scan) >= FEWEST_SLICES]
    if len(judged) < FEWEST_SCANS:
        return None
    place = min(FLAIR, judged[0].shape[-1] - 1)
    flair = np.stack([coarse(scan[..., place]) for scan in judged])
    others = [
        # A sequence that is FLAIR again was missing.
        [
            coarse(scan[..., channel])
            for channel in range(scan.shape[-1])
            if channel != place and not np.array_equal(scan[..., channel], scan[..., place])
        ]
        for scan in judged
    ]
    part = np.arange(len(judged)) % PARTS
    likeness, turned, contrast = [], [], []
    for held_out in range(PARTS):
        kept = part != held_out
        mean, upright, other = _learn(flair[kept], [o for o, k in zip(others, kept, strict=True) if k])
        for image in flair[~kept]:
            likeness.append(float(_flat(image) @ mean))
            turned.append(max(_gains(upright, image)))
            if other is not None:
                contrast.append(float(_flat(image) @ other))
    mean, upright, other = _learn(flair, others)
    return Appearance(
        mean=_rounded(mean),
        least_likeness=round(min(likeness) - 0.1, 3),
        upright=_rounded(upright),
        most_turned=round(max(0.0, float(np.quantile(turned, 1 - FALSE_ALARMS))), 3),
        contrast=() if other is None else _rounded(other),
        least_contrast=round(float(np.quantile(contrast, FALSE_ALARMS)), 3) if contrast else 0.0,
    )


def coarse(flair: npt.NDArray[Any]) -> Image:
    """Mean of the middle half of the slices ``(slices, size, size)``, averaged into ``(SIDE, SIDE)``."""
    slices, height, width = flair.shape
    quarter = slices // 4
    mean = np.asarray(flair[quarter : slices - quarter], np.float32).mean(axis=0, dtype=np.float64)
    rows = np.linspace(0, height, SIDE, endpoint=False).astype(np.intp)
    columns = np.linspace(0, width, SIDE, endpoint=False).astype(np.intp)
    sums = np.add.reduceat(np.add.reduceat(mean, rows, axis=0), columns, axis=1)
    counts = np.diff(np.append(rows, height))[:, None] * np.diff(np.append(columns, width))
    image: Image = sums / counts
    return image


def _learn(flair: Image, others: Sequence[Sequence[Image]]) -> tuple[Image, Image, Image | None]:
    """Mean image, filter for upright scans, filter for FLAIR if there are other sequences."""
    mean = _flat(np.mean([_flat(image) for image in flair], axis=0))
    flair_and_mirrored = _mirrored_too(flair)
    turned = np.concatenate([np.rot90(flair_and_mirrored, quarter, (1, 2)) for quarter in (1, 2, 3)])
    rest = [image for images in others for image in images]
    contrast = _filter(flair_and_mirrored, _mirrored_too(np.stack(rest))) if rest else None
    return mean, _filter(flair_and_mirrored, turned), contrast


def _mirrored_too(images: Image) -> Image:
    """Left and right are alike to us: scans come mirrored too."""
    return np.concatenate([images, images[:, :, ::-1]])


def _filter(these: Image, not_those: Image) -> Image:
    """Ridge regression of +1 and -1, both kinds with the same weight."""
    values = np.stack([_flat(image) for image in (*these, *not_those)])
    sign = np.repeat([1.0, -1.0], [len(these), len(not_those)])
    weight = np.repeat([0.5 / len(these), 0.5 / len(not_those)], [len(these), len(not_those)])
    pixels = values.shape[1]
    products = (values * weight[:, None]).T @ values + RIDGE / pixels * np.eye(pixels)
    return np.linalg.solve(products, values.T @ (weight * sign))


def _gains(upright: Image, image: Image) -> tuple[float, float, float]:
    """How much more upright the scan looks turned by 90, 180 and 270 degrees than as it is."""
    own, left, upside_down, right = (float(_flat(np.rot90(image, quarter)) @ upright) for quarter in range(4))
    return left - own, upside_down - own, right - own


def _flat(image: Image) -> Image:
    """As a vector of mean 0 and length 1; all 0 for a constant image."""
    vector = image.ravel() - image.mean()
    length = np.linalg.norm(vector)
    return vector / length if length > 0 else vector


def _rounded(values: Image) -> tuple[float, ...]:
    return tuple(float(f"{value:.3g}") for value in values)
