"""What a page sends as a file: images and snapshots, refused in words where they are none, or too
large.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image, ImageOps

from ..data.image import naming, to_array
from ..errors import InputError
from ..geometry import Shape
from ..weights import Weights, load_weights, save_weights

MOST_PIXELS = 40_000_000
KINDS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
INK = 16  # of 255: what is less is the ground that a drawing is on
MARGIN = 0.125  # of the side, around a drawing


def uploaded_image(data: bytes, in_shape: Shape) -> np.ndarray:
    """An image file as the net takes it: its middle, resized. Raises InputError."""
    with naming("the file"):
        image = _opened(data)
        ImageOps.exif_transpose(image, in_place=True)
        return to_array(image, in_shape)


def drawn_image(data: bytes, in_shape: Shape) -> np.ndarray:
    """A drawing, light on dark, as the digits are: what is drawn in the middle, as large as it can
    be with a margin. Raises InputError where nothing is drawn.
    """
    with naming("the drawing"):
        image = _opened(data).convert("L")
        rows, columns = np.nonzero(np.asarray(image) > INK)
        if not len(rows):
            raise InputError("nothing is drawn yet")
        left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        cut = image.crop((int(left), int(top), int(right), int(bottom)))
        side = round(max(cut.size) / (1 - 2 * MARGIN))
        whole = Image.new("L", (side, side))
        whole.paste(cut, ((whole.width - cut.width) // 2, (whole.height - cut.height) // 2))
        return to_array(whole, in_shape)


def _opened(data: bytes) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data), formats=KINDS)
    except Image.DecompressionBombError as error:
        raise InputError(f"the file: {error}") from None
    if image.width * image.height > MOST_PIXELS:
        raise InputError(
            f"the file: is {image.width}x{image.height} pixels, {MOST_PIXELS // 10**6} million "
            "at most were expected; make it smaller"
        )
    return image


def read_snapshot(data: bytes) -> Weights:
    """A snapshot: a .safetensors file of jconv, or one of ConvNetJS. Raises InputError."""
    from ..weights.convnetjs import read_convnetjs

    with TemporaryDirectory() as folder:
        # the other begins with a length in eight bytes, of which the last are 0
        is_text = data.lstrip()[:1] == b"{" and b"\0" not in data[:8]
        kind = "snapshot.json" if is_text else "snapshot.safetensors"
        path = Path(folder) / kind
        path.write_bytes(data)
        try:
            return read_convnetjs(path).weights if path.suffix == ".json" else load_weights(path)
        except InputError as error:
            raise InputError(f"{error}".replace(str(path), "the snapshot")) from None


def write_snapshot(weights: Weights, form: str) -> bytes:
    """The file of a snapshot, of the form "jconv" or "convnetjs". Raises InputError for a net that
    ConvNetJS has no layers for.
    """
    from ..weights.convnetjs import write_convnetjs

    with TemporaryDirectory() as folder:
        path = Path(folder) / "snapshot"
        try:
            (write_convnetjs if form == "convnetjs" else save_weights)(path, weights)
        except InputError as error:
            raise InputError(f"{error}".replace(f"{path}: ", "")) from None
        return path.read_bytes()


def json_object(data: bytes) -> dict[str, object]:
    """Raises InputError."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"the request is no JSON ({error!s:.100})") from None
    if not isinstance(found, dict):
        raise InputError("an object of JSON was expected")
    return found
