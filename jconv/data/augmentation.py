"""Augmentation of training images on the device: pure functions of settings, keys and arrays.

What is drawn for an image follows from (key, epoch, the image's row in the data set) alone,
whatever batch it is in; what is mixed follows from (key, step). The order is that of
fb.resnet.torch: resized crop, jitter, lighting, pixel scale, flip, shift, cutout; and then, of a
whole batch, mixup or cutmix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp

from ..errors import InputError, unknown
from ..geometry import Shape
from ..layer import child_key
from ..settings import annotated, described, fits
from .augmenting.colour import jittered, lights
from .augmenting.crop import AREA, ASPECT, crop_box, drawn_windows, resized
from .augmenting.place import box, shifted
from .pixels import UNIT, PixelScale, scaled
from .views import centred, size, spare

__all__ = ["Augmentation", "Mixed", "augmented", "centred", "crop_box", "mixed"]

Flip = Literal["none", "random", "alternating"]
Edge = Literal["zero", "reflect"]


@dataclass(frozen=True)
class Augmentation:
    """How training images are changed, each anew in every epoch; by default not at all.

    Raises InputError naming a setting that cannot be.
    """

    shift: int = 0
    """Moved by up to so many pixels each way along both axes; of images larger than the net takes
    what lies beyond the middle moves in (256x256 to 224x224 with 16: Krizhevsky et al. 2012)."""
    edge: Edge = "zero"
    """What moves in where there is no more image: zeros after scaling, which are the mean colour,
    or the image's reflection."""
    flip: Flip = "none"
    """Mirrored left to right: by a coin for each image and epoch, or by a coin for each image and
    then in every other epoch, so that two epochs show both sides (Jordan 2024, "94% on CIFAR-10 in
    3.29 Seconds on a Single GPU")."""
    resized_crop: bool = False
    """A part of the image, resized to what the net takes (Szegedy et al. 2015)."""
    area: tuple[float, float] = AREA
    """The part's least and greatest share of the image's area."""
    aspect: tuple[float, float] = ASPECT
    """The part's least and greatest width over height; a coin exchanges the two."""
    jitter: float = 0.0
    """Brightness, contrast and, of colours, saturation, in random order, each times a factor within
    1 - jitter and 1 + jitter (0.4 is usual)."""
    lighting: float = 0.0
    """Standard deviation of what is added along ImageNet's principal components of colour (0.1 is
    usual; Krizhevsky et al. 2012)."""
    cutout: int = 0
    """Side in pixels of a square set to 0 after scaling, its centre anywhere in the image (DeVries
    and Taylor 2017)."""
    mixup: float = 0.0
    """alpha of Beta(alpha, alpha), the share by which images are mixed (Zhang et al. 2017)."""
    cutmix: float = 0.0
    """alpha of Beta(alpha, alpha), the share of each image that stays when a part of another is
    pasted in (Yun et al. 2019). With mixup too, a coin for each batch says which of them."""

    def __post_init__(self):
        kinds = annotated(type(self))
        for name, words in (("flip", get_args(Flip)), ("edge", get_args(Edge))):
            if getattr(self, name) not in words:
                raise InputError(unknown(name, getattr(self, name), words))
        for field in fields(self):
            value = getattr(self, field.name)
            if not fits(kinds[field.name], value):
                raise InputError(
                    f"{field.name}={value!r:.60}: {described(kinds[field.name])} was expected"
                )
        for name in ("shift", "jitter", "lighting", "cutout", "mixup", "cutmix"):
            if getattr(self, name) < 0:
                raise InputError(f"{name}={getattr(self, name)}: 0 or more was expected")
        if self.jitter > 1:
            raise InputError(f"jitter={self.jitter}: 1 or less was expected")
        for name, most in (("area", 1), ("aspect", math.inf)):
            low, high = getattr(self, name)
            if not 0 < low <= high <= most:
                raise InputError(
                    f"{name}={getattr(self, name)}: (least, greatest), above 0"
                    f"{' and up to 1' if most == 1 else ''}, was expected"
                )


class Mixed(NamedTuple):
    """A batch whose images are made of two: the loss of image i is weight[i]·loss of its own label
    + (1 - weight[i])·loss of the other.
    """

    x: jax.Array  # (B, H, W, C)
    other_labels: jax.Array  # (B,) as the labels
    weight: jax.Array  # (B,) float32, 0 to 1


def augmented(
    settings: Augmentation,
    images: jax.Array,
    key: jax.Array,
    epoch: jax.Array | int,
    indices: jax.Array,
    *,
    in_shape: Shape,
    pixels: PixelScale = UNIT,
) -> jax.Array:
    """A batch as the net takes it, all but the mixing (`mixed`).

    Shapes: images (B, H, W, C), uint8, which is scaled by `pixels`, or floating-point, taken as
    scaled already; indices (B,), their rows in the data set -> (B, *in_shape) float32. Of images
    larger than `in_shape` the middle, or a part where `resized_crop` is set. `key` is the run's for
    augmentation. Raises InputError for images that do not fit, for colours to change that are
    scaled already, and for a shift or a cutout larger than the image.
    """
    images, indices = jnp.asarray(images), jnp.asarray(indices, jnp.int32)
    _check(settings, images, in_shape)
    # whatever the run's generator: vmapped, jax's rbg draws by the batch and not by the key
    key = jax.random.wrap_key_data(jax.random.bits(key, (2,), jnp.uint32), impl="threefry2x32")

    def keys(what: str, epoch: jax.Array | int = epoch) -> jax.Array:
        of_epoch = jax.random.fold_in(child_key(key, what), epoch)
        return jax.vmap(jax.random.fold_in, (None, 0))(of_epoch, indices)  # (B,)

    height, width = images.shape[1:3]
    mirrored = None
    # of float32, as everywhere: float64 would draw other numbers
    coins = jax.vmap(lambda key: jax.random.bernoulli(key, jnp.float32(0.5)))
    if settings.flip == "random":
        mirrored = coins(keys("flip"))
    elif settings.flip == "alternating":
        first = coins(keys("flip", 0))
        mirrored = first ^ (jnp.asarray(epoch) % 2 == 1)[None]
    if settings.resized_crop:
        windows = drawn_windows(keys("crop"), width, height, settings.area, settings.aspect)
        # at once: colours do not ask where they are
        x, mirrored = resized(images, windows, mirrored, in_shape), None
    else:  # the middle, with what shifts may bring in
        height = min(height, in_shape[0] + 2 * settings.shift)
        width = min(width, in_shape[1] + 2 * settings.shift)
        x = centred(images, (height, width, in_shape[2]))
    if settings.jitter:
        x = jax.vmap(lambda key, image: jittered(key, image, settings.jitter))(keys("jitter"), x)
    if settings.lighting:
        x = x.astype(jnp.float32) + lights(keys("lighting"), settings.lighting)[:, None, None]
    x = scaled(x, pixels) if images.dtype == jnp.uint8 else x.astype(jnp.float32)
    if settings.shift:
        most = settings.shift
        way = lambda key: jax.random.randint(key, (2,), -most, most + 1, jnp.int32)
        x = shifted(x, jax.vmap(way)(keys("shift")), mirrored, in_shape, settings.edge)
    elif mirrored is not None:
        x = jnp.where(mirrored[:, None, None, None], x[:, :, ::-1], x)
    if settings.cutout:
        sides = jnp.full((2,), settings.cutout, jnp.int32)
        out = jax.vmap(lambda key: box(key, in_shape[:2], sides))(keys("cutout"))  # (B, h, w)
        x = jnp.where(out[..., None], 0, x)
    return x


def mixed(
    settings: Augmentation, x: jax.Array, labels: jax.Array, key: jax.Array, step: jax.Array | int
) -> Mixed:
    """Mixup or cutmix of each image of a batch with the one before it, by one share for all.

    Shapes: x (B, H, W, C) floating-point, labels (B,). mixup: share·x + (1 - share)·other. cutmix:
    a box of the other, of 1 - share of the area before it is cut off at the image's edge, its
    centre anywhere; the weight is the share of the pixels that stay. Without either x, labels and
    weights of 1.
    """
    count, height, width, _ = x.shape
    if not settings.mixup and not settings.cutmix:
        return Mixed(x, labels, jnp.ones(count, jnp.float32))
    of_mixup, of_cutmix, coin = jax.random.split(jax.random.fold_in(child_key(key, "mix"), step), 3)
    kept = weight = jnp.zeros((), jnp.float32)
    if settings.mixup:
        weight = jax.random.beta(of_mixup, settings.mixup, settings.mixup, dtype=jnp.float32)
        kept = weight[None, None]  # (1, 1), or (H, W)
    if settings.cutmix:
        share, place = jax.random.split(of_cutmix)
        stays = jax.random.beta(share, settings.cutmix, settings.cutmix, dtype=jnp.float32)
        sides = jnp.array([height, width], jnp.float32) * jnp.sqrt(1 - stays)
        outside = ~box(place, (height, width), sides.astype(jnp.int32))
        chosen = True if not settings.mixup else jax.random.bernoulli(coin, jnp.float32(0.5))
        kept = jnp.where(chosen, outside.astype(jnp.float32), kept)
        weight = jnp.where(chosen, outside.mean(dtype=jnp.float32), weight)
    kept = kept[None, ..., None].astype(x.dtype)
    x = kept * x + (1 - kept) * jnp.roll(x, 1, axis=0)
    return Mixed(x, jnp.roll(labels, 1), jnp.broadcast_to(weight, (count,)))


def _check(settings: Augmentation, images: jax.Array, in_shape: Shape) -> None:
    """Raises InputError, as `augmented` says."""
    whole = images.dtype == jnp.uint8
    if not whole and not jnp.issubdtype(images.dtype, jnp.floating):
        raise InputError(
            f"images have dtype {images.dtype}, uint8 (0 to 255) or float32 (taken as it is) was "
            "expected; images.astype('uint8') for pixels"
        )
    if len(in_shape) != 3:
        raise InputError(f"in_shape={tuple(in_shape)}: (H, W, C) was expected")
    # a resized crop enlarges what is too small
    spare(images, (*images.shape[1:3], in_shape[2]) if settings.resized_crop else in_shape)
    for name, channels in (("jitter", (1, 3)), ("lighting", (3,))):
        value = getattr(settings, name)
        if value and not whole:
            raise InputError(
                f"{name}={value}: images of dtype {images.dtype} are taken as scaled, uint8 was "
                f"expected to change colours; leave {name} at 0"
            )
        if value and in_shape[2] not in channels:
            raise InputError(
                f"{name}={value}: images have {in_shape[2]} channels, "
                f"{' or '.join(map(str, channels))} were expected; leave {name} at 0"
            )
    side = min(in_shape[:2])
    if settings.shift >= side:
        raise InputError(
            f"shift={settings.shift}: the net takes {size(in_shape)}, less than {side} was expected"
        )
    if settings.cutout > side:
        raise InputError(
            f"cutout={settings.cutout}: the net takes {size(in_shape)}, {side} or less was expected"
        )
