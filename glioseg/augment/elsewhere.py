"""What scans from elsewhere have and those at hand have not: hollow lesions, no skull, a cut field of view.

Made after gliomas of high grade were looked at, whose skull had been taken out.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from glioseg.augment.draws import Draws
from glioseg.augment.regions import SOFT_EDGE, box_mean, greatest, lesion_of, soft_region
from glioseg.scan import CHANNELS, FLAIR

CORE_REACH = 0.05
"""Half width of the square whose share of lesion tells how deep a pixel lies, as a share of the side."""
STRIP_REACH = 0.1
"""The same for how deep a pixel lies in the head."""
STRIP_CLOSE = 0.05
"""Half width of dark gaps in a head that count as head: bone between scalp and brain."""
CUT_DEPTH = 0.45
"""Greatest share of an image that a cut field of view lacks."""


def where_chosen(
    chosen: Tensor,
    change: Callable[[Tensor, Tensor, Draws], Tensor],
    images: Tensor,
    targets: Tensor,
    draws: Draws,
) -> Tensor:
    """The batch with those images changed that are chosen, ``(batch,)`` boolean.

    A CPU computes only these. On a GPU to ask how many they are would cost more than to compute all.
    """
    if images.device.type != "cpu":
        return torch.where(chosen.view(-1, 1, 1, 1), change(images, targets, draws), images)
    rows = chosen.nonzero()[:, 0]
    if not len(rows):
        return images
    return images.index_copy(0, rows, change(images[rows], targets[rows], draws.rows(rows)))


def hollow(images: Tensor, targets: Tensor, draws: Draws) -> Tensor:
    """Give lesions a core as high-grade gliomas have it: dark or grey, within a rim that takes up
    contrast agent and is grey on FLAIR. The target stays: it is lesion all the same.
    """
    lesion = lesion_of(targets)
    side = lesion.shape[-1]
    # Its surroundings tell how deep a pixel lies in the lesion; waves make the core uneven.
    depth = box_mean(lesion, CORE_REACH * side) * (lesion > 0)
    waves = F.interpolate(draws.elastic[:, :1], lesion.shape[-2:], mode="bilinear", align_corners=True)
    depth = depth + 0.08 * waves.to(depth)
    begin = 0.7 + 0.25 * draws.of("core_depth").view(-1, 1, 1, 1)
    core = torch.sigmoid((depth - begin) / 0.02) * (lesion > 0)
    both = torch.sigmoid((depth - begin + 0.15) / 0.02) * (lesion > 0)
    rim = both - core
    air = images.amin(dim=(2, 3), keepdim=True)
    shade = draws.of("core_shade")[:, :, None, None, None]
    dark = air * (1.1 * shade[:, 0] - 0.3)
    channels = []
    for number, image in enumerate(images.split(1, dim=1)):
        low = dark[:, number : number + 1]
        if number == CHANNELS.index("post"):
            image = image + rim * (0.8 + 1.6 * shade[:, 1])
            low = air[:, number : number + 1] * (0.2 + 0.6 * shade[:, 0])
        elif number == CHANNELS.index("pre"):
            low = air[:, number : number + 1] * 0.5 * shade[:, 0]
        else:
            image = image * (1 - 0.6 * rim * shade[:, 1])
        channels.append(torch.lerp(image, low, 0.85 * core))
    return torch.cat(channels, dim=1)


def strip(images: Tensor, targets: Tensor, draws: Draws) -> Tensor:
    """Take away what lies near the outline of the head, as skull stripping does."""
    side = images.shape[-1]
    air = images.amin(dim=(2, 3), keepdim=True)
    flair = images[:, FLAIR : FLAIR + 1]
    head = (flair > 0.6 * air[:, FLAIR : FLAIR + 1]).to(images.dtype)
    half = max(1, round(STRIP_CLOSE * side))
    closed = -greatest(-greatest(head, half), half)
    inner = box_mean(closed, STRIP_REACH * side)
    begin = 0.72 + 0.2 * draws.of("strip_depth").view(-1, 1, 1, 1)
    brain = torch.sigmoid((inner - begin) / 0.01)
    brain = torch.maximum(brain, soft_region(lesion_of(targets), SOFT_EDGE, SOFT_EDGE))
    return torch.lerp(air.expand_as(images), images, brain)


def cut(images: Tensor, targets: Tensor, draws: Draws, chance: float) -> tuple[Tensor, Tensor]:
    """Cut some fields of view: up to ``CUT_DEPTH`` of the image, from one of its four sides."""
    height, width = images.shape[-2:]
    rows = torch.linspace(0, 1, height, device=images.device)[:, None].expand(height, width)
    columns = torch.linspace(0, 1, width, device=images.device).expand(height, width)
    ways = torch.stack((rows, 1 - rows, columns, 1 - columns))
    way = ways[(4 * draws.of("cut_side")).long()][:, None]
    deep = (CUT_DEPTH * draws.of("cut_depth")).view(-1, 1, 1, 1)
    gone = (way < deep) & (draws.of("cut") < chance).view(-1, 1, 1, 1)
    nothing = targets.new_zeros(1, targets.shape[1], 1, 1)
    if targets.shape[1] > 1:
        nothing[:, 0] = 1
    air = images.amin(dim=(2, 3), keepdim=True)
    return torch.where(gone, air, images), torch.where(gone, nothing, targets)
