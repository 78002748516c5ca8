"""Which pixels a class score comes from, over the image: saliency, Grad-CAM, occlusion
(analysis/attribution.py).
"""

from __future__ import annotations

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from PIL import Image

from .frame import SMALL, bare, new_figure, pixels, shown, title
from .palette import LIGHT

HEAT = LinearSegmentedColormap.from_list(
    "heat", ["#111726", "#2459c9", "#7fabff", "#f2ad52", "#fff3c4"]
)


def smooth(heat: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A map at the size (rows, columns) of an image, by bilinear interpolation."""
    rows, columns = size
    fine = Image.fromarray(heat.astype(np.float32)).resize(
        (columns, rows), Image.Resampling.BILINEAR
    )
    return np.asarray(fine)


def heat_picture(
    image: np.ndarray,
    heat: np.ndarray,
    what: str,
    *,
    over: bool = False,
    box: tuple[float, float, float, float] | None = None,
    limits: tuple[float, float] | None = None,
    scale: str = "",
) -> Figure:
    """The image (H, W, C), and beside it a heat map (h, w) titled `what`, or laid `over` the image.

    The map lies at `box` = (left, top, width, height) in pixels of the image, all over it by
    default; colours go from `limits`[0] to [1], or from 0 to the largest value; `scale` says what
    of.
    """
    height, width = image.shape[:2]
    wide = 3.4 * min(max(width / height, 0.5), 2)
    figure = new_figure(2 * wide + 1.2, 3.9)
    first, second = figure.subplots(1, 2)
    pixels(first, shown(image))
    title(first, f"the image, {width}×{height}")
    left, top, across, down = box or (0, 0, width, height)
    scale_of = Normalize(*(limits or (0.0, float(heat.max()) or 1.0)))
    colours = HEAT(scale_of(smooth(heat, image.shape[:2]) if over else heat))
    if over:
        gray = 0.25 + 0.6 * shown(image).mean(-1, keepdims=True)
        strength = 0.75 * scale_of(smooth(heat, image.shape[:2]))[..., None]
        colours = (1 - strength) * gray + strength * colours[..., :3]
    extent = (left - 0.5, left + across - 0.5, top + down - 0.5, top - 0.5)
    second.imshow(colours, interpolation="none", extent=extent)
    second.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5), facecolor=LIGHT["paper"])
    title(second, what)
    for axes in (first, second):
        bare(axes)
    bar = figure.colorbar(ScalarMappable(scale_of, HEAT), ax=second, fraction=0.046)
    bar.set_label(scale, fontsize=SMALL + 1, color=LIGHT["muted"])
    bar.ax.tick_params(labelsize=SMALL, colors=LIGHT["muted"])
    bar.outline.set_edgecolor(LIGHT["line"])  # type: ignore (its stubs say Callable)
    return figure
