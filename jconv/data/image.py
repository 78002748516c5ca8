"""One image file as an array."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base

from ..errors import InputError
from ..geometry import Shape
from .stored import Box

# formats that Pillow knows by name and does not read by itself
STUBS = {"BUFR", "GRIB", "HDF5", "MPEG", "WMF"}
GRAY = {"1", "L", "LA", "La"}  # modes; those of more bits begin with an I
SIDEWAYS = range(5, 9)  # EXIF orientations that change height and width about


class UnreadableImage(InputError):
    """An image that is damaged, or of no format that is read."""


@cache
def suffixes() -> frozenset[str]:
    """The suffixes of the files that Pillow reads, in small letters."""
    # of what it writes, too, and of formats that it leaves to others
    known = Image.registered_extensions()
    return frozenset(
        suffix for suffix, kind in known.items() if kind in Image.OPEN and kind not in STUBS
    )


def image_files(given: Iterable[Path]) -> Iterator[Path]:
    """The files named, and the images in the folders named and in those inside them, in order.
    Raises InputError for a folder without any.
    """
    for path in given:
        if not path.is_dir():
            yield path
            continue
        found = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in suffixes() and not file.name.startswith(".")
        )
        if not found:
            raise InputError(f"{path}: there are no images in this folder, or in those inside it")
        yield from found


def read_image(path: Path, in_shape: Shape | None = None) -> np.ndarray:
    """The image in a file, as `decoded` gives it. Raises InputError naming the file."""
    with naming(str(path)):
        return decoded(path, in_shape)


@contextmanager
def naming(place: str) -> Iterator[None]:
    """What goes wrong inside as an InputError that begins with the image's place."""
    try:
        yield
    except FileNotFoundError:
        raise InputError(f"{place}: there is no such file") from None
    except (InputError, MemoryError):
        raise
    except Exception as error:  # a decoder raises whatever damaged bytes lead it to
        unknown = isinstance(error, UnidentifiedImageError)
        cause = "of no format that Pillow knows" if unknown else error
        raise UnreadableImage(
            f"{place}: not a readable image ({cause}); remove the file or write it again"
        ) from None


def shape_of(file: str | Path | IO[bytes]) -> Shape:
    """(H, W, C) that `decoded` would give of an image file, from its header: nothing is decoded."""
    with Image.open(file) as image:
        width, height = _oriented_size(image)
        return (height, width, 1 if _is_gray(image.mode) else 3)


def decoded(
    file: str | Path | IO[bytes],
    in_shape: Shape | None = None,
    box: Callable[[int, int], Box] | None = None,
) -> np.ndarray:
    """An image file as `to_array` gives it, turned as its camera says (EXIF); with
    `box(width, height)` only that part of it, resized to `in_shape`.

    A JPEG file at least twice as large as what is wanted of it, along both axes, is decoded at a
    half, a quarter or an eighth, still no smaller than that: libjpeg scales with its transform, in
    much less time. Raises whatever Pillow does.
    """
    with Image.open(file) as image:
        part, scale = None, 1
        if image.format == "JPEG" and in_shape is not None:  # whose header tells the orientation
            size = _oriented_size(image)
            part = box(*size) if box else None
            scale = _jpeg_scale(size, in_shape, part or Box(0, 0, 1, 1))
            if scale > 1:
                image.draft(None, (image.width // scale, image.height // scale))
        ImageOps.exif_transpose(image, in_place=True)
        if in_shape is not None and box is not None:
            part = part or box(*image.size)
            return cut(image, in_shape, part, reducing_gap=2.0 if scale > 1 else None)
        return to_array(image, in_shape)


def to_array(image: Image.Image, in_shape: Shape | None = None) -> np.ndarray:
    """A Pillow image as (H, W, C) uint8, C = 1 for a gray image and 3 for all others.

    With `in_shape` = (H, W, 1 or 3) the image is cropped about its centre to that aspect, resized
    (bilinear, with antialiasing when it shrinks) and changed between gray (ITU-R 601 luma) and
    colour. Transparency is laid over white.
    """
    image = eight_bits(image)
    if in_shape is not None:
        height, width, channels = in_shape
        image = _in_mode(image, {1: "L", 3: "RGB"}[channels])
        if image.size != (width, height):
            image = ImageOps.fit(image, (width, height), Image.Resampling.BILINEAR)
    return _pixels(image)


def cut(
    image: Image.Image, in_shape: Shape, part: Box, reducing_gap: float | None = None
) -> np.ndarray:
    """A part of a Pillow image, resized and changed to `in_shape` as `to_array` does it.

    With `reducing_gap` what shrinks to less than 1/gap is first averaged over whole pixels.
    """
    height, width, channels = in_shape
    image = _in_mode(eight_bits(image), {1: "L", 3: "RGB"}[channels])
    edges = (
        part.left * image.width,
        part.top * image.height,
        part.right * image.width,
        part.bottom * image.height,
    )
    return _pixels(
        image.resize((width, height), Image.Resampling.BILINEAR, edges, reducing_gap=reducing_gap)
    )


def eight_bits(image: Image.Image) -> Image.Image:
    """The image in mode L or RGB; itself where it is."""
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
        mode = "L" if _is_gray(image.mode) else "RGB"
        # alpha multiplied in: no way to RGBA at once
        image = image.convert({"La": "LA", "RGBa": "RGBA"}.get(image.mode, image.mode))
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA"))
        return image.convert(mode)
    return _in_mode(image, "L" if _is_gray(image.mode) else "RGB")


def _is_gray(mode: str) -> bool:
    return mode in GRAY or mode.startswith("I")


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # which would copy


def _pixels(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]  # (H, W, C)


def _oriented_size(image: Image.Image) -> tuple[int, int]:
    """Width and height once turned as the header says."""
    # a PNG file may have its EXIF data after the pixels, which Pillow would decode to get there
    if image.format == "PNG" and "exif" not in image.info:
        return image.size
    sideways = image.getexif().get(Base.Orientation, 1) in SIDEWAYS
    # Pillow turns a TIFF by itself, its size too
    turned = sideways and image.format != "TIFF"
    return (image.height, image.width) if turned else image.size


def _jpeg_scale(size: tuple[int, int], in_shape: Shape, part: Box) -> int:
    """The largest of libjpeg's 8, 4, 2 and 1 by which that part of an image stays no smaller than
    what is wanted of it.
    """
    width, height = (part.right - part.left) * size[0], (part.bottom - part.top) * size[1]
    fits = lambda scale: scale * in_shape[1] <= width and scale * in_shape[0] <= height
    return next((scale for scale in (8, 4, 2) if fits(scale)), 1)
