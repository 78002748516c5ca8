"""Arrays as small pictures, pixel by pixel: test images and convolution filters. A page lays them
out and enlarges them.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from .palette import PIXEL_BLUE, PIXEL_RED

_SHARP = 64  # pixels: up to this side an image is kept exactly and shown with square pixels
_MAP = 32  # pixels: the longer side of what is kept of a layer's map
_LARGEST = 128  # pixels: the longer side of what is kept of a larger image


class Picture(NamedTuple):
    """What an <img> is made of: the picture itself as a data URL, "pixels" where each is to be seen
    or else "photo", what a screen reader says, and what is shown on pointing.
    """

    src: str
    kind: str
    alt: str
    title: str


def image_tile(image: np.ndarray, title: str) -> Picture:
    """An (H, W, C) image with values in [0, 1]: colour for C = 3, else the mean over channels in
    gray.
    """
    gray = image.shape[-1] != 3
    pixels = _eight_bits(image.mean(-1) if gray else image)
    return _picture(Image.fromarray(pixels), title, title)


def filter_tiles(kernel: np.ndarray, limit: int) -> list[Picture]:
    """The filters of an (H, W, in, out) kernel, at most `limit` tiles, each scaled by its own
    largest |weight|.

    Three input channels give one colour picture a filter, mid-gray being zero. Otherwise each slice
    of a filter is one picture: blue is above zero, red below, and zero lets the page through.
    """
    channels, filters = kernel.shape[2:]
    if channels == 3:
        return [_filter(f"filter {o}", kernel[..., o], coloured) for o in range(filters)[:limit]]
    slices = [(o, i) for o in range(filters) for i in range(channels)][:limit]
    name = "filter {}" if channels == 1 else "filter {}, input channel {}"
    return [_filter(name.format(o, i), kernel[:, :, i, o], signed) for o, i in slices]


def map_tile(values: np.ndarray, title: str) -> Picture:
    """A map (H, W) with values in [-1, 1]: blue above zero, red below; a large one is reduced."""
    height, width = values.shape
    if max(values.shape) > _MAP and min(values.shape) > 1:
        size = max(1, _MAP * width // max(values.shape)), max(1, _MAP * height // max(values.shape))
        small = Image.fromarray(values.astype(np.float32)).resize(size, Image.Resampling.BOX)
        values = np.asarray(small)
    return _picture(Image.fromarray(signed(values)), title, title)


def _filter(name: str, weights: np.ndarray, draw: Callable[[np.ndarray], np.ndarray]) -> Picture:
    largest = float(np.abs(weights).max())
    scaled = weights / largest if largest else weights  # a dead filter stays all zero
    title = f"{name}: weights up to ±{largest:.3g}"
    return _picture(Image.fromarray(draw(scaled)), name, title)


def coloured(weights: np.ndarray) -> np.ndarray:
    """Weights in [-1, 1], (H, W, 3) -> RGB."""
    return _eight_bits(0.5 + 0.5 * weights)


def signed(weights: np.ndarray) -> np.ndarray:
    """Weights in [-1, 1], (H, W) -> RGBA."""
    hue = np.where((weights > 0)[..., None], PIXEL_BLUE, PIXEL_RED).astype(np.uint8)  # (H, W, 3)
    return np.concatenate([hue, _eight_bits(np.abs(weights))[..., None]], -1)  # (H, W, 4)


def _eight_bits(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(np.nan_to_num(values), 0, 1) * 255).astype(np.uint8)


def _picture(image: Image.Image, alt: str, title: str) -> Picture:
    """A picture that carries its own bytes: PNG when small, JPEG (a tenth of the size) of a reduced
    copy when large.
    """
    sharp = max(image.size) <= _SHARP or image.mode == "RGBA"  # JPEG has no transparency
    image.thumbnail((_LARGEST, _LARGEST))
    file = io.BytesIO()
    image.save(file, "PNG" if sharp else "JPEG", optimize=True)
    data = base64.b64encode(file.getvalue()).decode()
    src = f"data:image/{'png' if sharp else 'jpeg'};base64,{data}"
    return Picture(src, "pixels" if sharp else "photo", alt, title)
