"""Where a net sees evidence for a class, as pictures: what analysis/attribution.py computes, drawn
by attribution.py.

`said` is what the class is called in them. All raise LayerError for a net that does not give one
score a class.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.figure import Figure

from ..analysis.attribution import grad_cam, last_maps, occlusion, saliency
from .attribution import heat_picture
from .once import once
from .subject import Subject


def saliency_picture(subject: Subject, label: int, said: str) -> Figure:
    """|d score / d pixel|, the largest of the channels, beside the image."""
    heat = once(partial(saliency, subject.net), *subject.arrays, label)
    scale = "|change of the score by the pixel|"
    return heat_picture(subject.image, np.asarray(heat[0]), f"saliency for {said}", scale=scale)


def grad_cam_picture(
    subject: Subject, label: int, said: str, *, layer: str | None = None
) -> Figure:
    """Grad-CAM of a layer, by default the last with more than one position, over the image."""
    layer = layer or last_maps(subject.net, *subject.arrays)
    by_layer = partial(grad_cam, subject.net, label=label, layer=layer)
    heat = np.asarray(once(by_layer, *subject.arrays)[0])
    title = f"Grad-CAM of {layer} for {said}"
    return heat_picture(subject.image, heat, title, over=True, scale="evidence for the class")


def occlusion_picture(
    subject: Subject,
    label: int,
    said: str,
    *,
    size: int | None,
    stride: int | None,
    fill: np.ndarray,
) -> Figure:
    """The probability of the class by where a square, filled with `fill` (C,), covers the image;
    its side is a sixth of the image's by default, the stride a third of that.
    """
    size = max(min(subject.x.shape[1:3]) // 6, 1) if size is None else size
    stride = max(size // 3, 1) if stride is None else stride
    params, state, x = subject.arrays
    covering = partial(occlusion, subject.net, size=size, stride=stride, fill=fill)
    heat = np.asarray(covering(params, state, x[0], label))
    first, across, down = (size - stride) / 2, stride * heat.shape[1], stride * heat.shape[0]
    title = f"probability of {said}\nwith a gray square of {size} pixels there"
    box = first, first, across, down
    return heat_picture(subject.image, heat, title, box=box, limits=(0, 1), scale="probability")
