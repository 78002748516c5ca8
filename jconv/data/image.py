"""One image file as an array."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..errors import InputError
from ..geometry import Shape

# formats that Pillow knows by name and does not read by itself
STUBS = {"BUFR", "GRIB", "HDF5", "MPEG", "WMF"}


@cache
def suffixes() -> frozenset[str]:
    """The suffixes of the files that Pillow reads, in small letters."""
    # of what it writes, too, and of formats that it leaves to others
    known = Image.registered_extensions()
    return frozenset(
        suffix for suffix, kind in known.items() if kind in Image.OPEN and kind not in STUBS
    )


def read_image(path: Path, in_shape: Shape | None = None) -> np.ndarray:
    """The image in a file, as `to_array` gives it. Raises InputError naming the file."""
    try:
        with Image.open(path) as image:
            return to_array(ImageOps.exif_transpose(image), in_shape)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    # what decoders raise
    except (
        OSError,
        UnidentifiedImageError,
        Image.DecompressionBombError,
        SyntaxError,
        ValueError,
    ) as error:
        raise InputError(
            f"{path}: not a readable image ({error}); remove the file or write it again"
        ) from None


def to_array(image: Image.Image, in_shape: Shape | None = None) -> np.ndarray:
    """A Pillow image as (H, W, C) uint8, C = 1 for a gray image and 3 for all others.

    With `in_shape` = (H, W, 1 or 3) the image is cropped about its centre to that aspect, resized
    (bilinear, with antialiasing when it shrinks) and changed between gray (ITU-R 601 luma) and
    colour. Transparency is laid over white.
    """
    image = _eight_bits(image)
    if in_shape is not None:
        height, width, channels = in_shape
        image = image.convert({1: "L", 3: "RGB"}[channels])
        if image.size != (width, height):
            image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]  # (H, W, C)


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image in mode L or RGB."""
    # 16-bit gray: Pillow's own conversion would clip everything above 255 to white
    if image.mode.startswith("I"):
        # of these the one value that is transparent
        values, clear = (np.asarray(image), image.info.get("transparency"))
        gray = (values.clip(0, 65535) >> 8).astype(np.uint8)
        return Image.fromarray(
            gray if clear is None else np.where(values == clear, np.uint8(255), gray)
        )
    if image.mode == "F":
        raise ValueError(
            "its pixels are floating-point numbers of no set range, 8 or 16 bits were expected"
        )
    if image.has_transparency_data:
        gray = image.mode in ("1", "L", "LA", "La")
        # alpha multiplied in: no way to RGBA at once
        image = image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode))
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        return image.convert("L" if gray else "RGB")
    return image.convert("L" if image.mode in ("1", "L") else "RGB")
