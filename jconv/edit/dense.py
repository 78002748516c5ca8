"""Fully connected layers as convolutions and back (CS231n notes, Converting FC layers to CONV
layers), and what it is for: scores all over a larger image.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..analysis.field import net_field
from ..compose import Composite, Placeholder, Tap, Visit, Walk, walk
from ..errors import LayerError, ShapeError, located
from ..geometry import Shape, volume
from ..layer import Layer, Params, State, computes_as, map_layers
from ..layers import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Identity,
    MaxPool,
    Rbf,
)


def convolutionalize(net: Layer, params: Params, in_shape: Shape) -> tuple[Layer, Params]:
    """The net with its dense head as convolutions, and its parameters moved: the same numbers at
    `in_shape`, a map of them beyond.

    Flatten becomes Identity and the Dense after it a Conv whose window is all it saw; a Dense after
    that a 1x1 Conv; global pools become pools of the size they had. Every array keeps its path;
    kernels are reshaped, (H*W*C, K) -> (H, W, C, K). Heads that rest at test time (a Tap's,
    `train_only`) stay as they are, and so does what is inside a layer that makes an image of an
    image, such as squeeze-and-excitation: it is no head, and sees the whole of a larger image too.
    Raises LayerError for a Dense that nothing spatial comes before, or that is gone through twice
    with different windows, and for layers of one's own that give other numbers on a map: a net with
    such is tried, with random arrays.
    Source: CS231n notes, Converting FC layers to CONV layers.
    """
    edits: dict[str, Layer] = {}
    kernels: dict[str, Shape] = {}
    ranks: dict[str, int] = {}
    window: Shape | None = None
    stays = (*resting_heads(net), *_image_to_image(net, in_shape))
    for visit in walk(net, in_shape):
        layer, sizes = visit.layer, visit.in_shape[:-1]
        if visit.path.startswith(stays):
            continue
        if computes_as(layer, Flatten):
            window = sizes
            edits[visit.path] = Identity()
        elif computes_as(layer, GlobalAvgPool, GlobalMaxPool):
            window = (1,) * len(sizes)
            edits[visit.path] = (
                AvgPool(sizes, stride=1)
                if isinstance(layer, GlobalAvgPool)
                else MaxPool(sizes, stride=1)
            )
        elif computes_as(layer, AdaptiveAvgPool, AdaptiveMaxPool):
            edits[visit.path] = located(visit.path, _fixed_pool, layer, visit.in_shape)
        elif computes_as(layer, Rbf):
            edits[visit.path] = replace(layer, positions=True)
        elif computes_as(layer, Dense):
            if window is None:
                raise LayerError(
                    "a Dense with no Flatten or global pool before it has no image to slide over",
                    visit.path,
                )
            conv = _as_conv(layer, window)
            if edits.setdefault(visit.path, conv) != conv:
                raise LayerError(
                    "this Dense is gone through twice, with windows that differ: no one Conv does "
                    "both",
                    visit.path,
                )
            kernels[visit.path] = (*window, visit.in_shape[0] // volume(window), layer.features)
            ranks[visit.path] = 2
            window = (1,) * len(window)
    dense = map_layers(net, lambda path, layer: edits.get(path, layer))
    if edits:
        _check_same(net, dense, in_shape)
    return dense, _reshaped(params, kernels, ranks)


def fully_connect(net: Layer, params: Params, in_shape: Shape) -> tuple[Layer, Params]:
    """The inverse: Convs that see all of their input at once, for this `in_shape`, as Dense layers,
    with a Flatten before the first.

    The first is one with an Identity before it, as `convolutionalize` leaves one, whose place the
    Flatten takes. Kernels are reshaped, (H, W, C, K) -> (H*W*C, K). Raises LayerError when there is
    no such Conv, or no place for the Flatten.
    """
    edits: dict[str, Layer] = {}
    kernels: dict[str, Shape] = {}
    ranks: dict[str, int] = {}
    before: Visit | None = None
    stays = None  # the first such Conv without a place for a Flatten
    for visit in walk(net, in_shape):
        if _sees_all(visit):
            conv: Any = visit.layer
            if not kernels and before is not None and computes_as(before.layer, Identity):
                edits[before.path] = Flatten()
            if edits:
                edits[visit.path] = _as_dense(conv)
                kernels[visit.path] = (volume(visit.in_shape), conv.features)
                ranks[visit.path] = len(visit.in_shape) + 1
            else:
                stays = visit.path if stays is None else stays
        elif kernels and computes_as(visit.layer, Rbf):
            edits[visit.path] = replace(visit.layer, positions=False)
        elif kernels and not visit.layer.in_place:
            raise LayerError(
                f"a {type(visit.layer).__name__} after a Conv that sees all of its input cannot "
                "stay; it needs an image",
                visit.path,
            )
        before = visit
    if not kernels and stays is not None:
        raise LayerError(
            "there is no Identity before this Conv to take the Flatten's place; put one there",
            stays,
        )
    if not kernels:
        raise LayerError(
            f"no Conv sees all of its input for images of {in_shape}; nothing to turn into a Dense"
        )
    flat = map_layers(net, lambda path, layer: edits.get(path, layer))
    _check_same(flat, net, in_shape)
    return flat, _reshaped(params, kernels, ranks)


def dense_scores(net: Layer, params: Params, state: State, image: jax.Array) -> jax.Array:
    """The scores at every position of an image, in one pass that shares the work of overlapping
    windows.

    `net` is fully convolutional, as `convolutionalize` makes it. Shapes: image (*S, C) ->
    (*positions, classes); positions lie the net's total stride apart. Only for a net without
    padding are these the scores of the crops: with padding, a crop sees zeros at its borders where
    this sees pixels. Average over positions for one answer. Raises ShapeError when the net still
    has a dense head.
    """
    if len(net.out_shape(image.shape)) != image.ndim:
        raise ShapeError(
            "the net ends in one row of scores, a map was expected; convolutionalize(net, params, "
            "in_shape) first"
        )
    return net.apply(params, state, image[None])[0][0]


def shift_and_stitch(
    net: Layer,
    params: Params,
    state: State,
    image: jax.Array,
    stride: int,
    scores: Callable = dense_scores,
) -> jax.Array:
    """The same at positions `stride` apart, finer than the net's own: one pass for each shift of
    the image, interleaved.

    All (T/stride)^axes shifts are needed, T the net's total stride: for half the stride of an image
    that is four, where the CS231n notes speak of two. Shapes: image (*S, C) -> (*positions,
    classes). Raises ShapeError unless `stride` divides the net's total stride.
    """
    jumps = [axis.jump for axis in net_field(net, image.shape)]
    if not all(jumps):
        raise ShapeError(
            "every position of the net's output sees the whole image, so shifting it gives no "
            "positions between"
        )
    if any(jump % stride for jump in jumps):
        raise ShapeError(
            f"stride={stride} does not divide the net's total stride {tuple(jumps)}; use a divisor"
        )
    passes = {
        shift: scores(net, params, state, image[tuple(slice(s * stride, None) for s in shift)])
        for shift in itertools.product(*(range(jump // stride) for jump in jumps))
    }
    steps = [jump // stride for jump in jumps]
    first = passes[(0,) * len(jumps)]
    sizes = [
        sum(passes[_only(axis, s, len(jumps))].shape[axis] for s in range(n))
        for axis, n in enumerate(steps)
    ]
    out = jnp.zeros((*sizes, first.shape[-1]), first.dtype)
    for shift, part in passes.items():
        out = out.at[tuple(slice(s, None, n) for s, n in zip(shift, steps, strict=True))].set(part)
    return out


def resting_heads(net: Layer) -> tuple[str, ...]:
    """Where the heads are that exist in training alone: the beginnings of their layers' paths."""
    found = []

    def note(path: str, layer: Layer) -> Layer:
        if isinstance(layer, Tap) and layer.train_only:
            found.append(f"{path}/")
        return layer

    map_layers(net, note)
    return tuple(found)


def _image_to_image(net: Layer, in_shape: Shape) -> tuple[str, ...]:
    """The composites that make an image of an image: the beginnings of their layers' paths."""
    call = _Images()
    call.follow("", net, Placeholder(tuple(in_shape)))
    return tuple(call.found)


@dataclass
class _Images(Walk):
    found: list = field(default_factory=list)

    def follow(self, path: str, layer: Layer, x: Placeholder) -> Placeholder:
        y = super().follow(path, layer, x)
        if (
            path
            and isinstance(layer, Composite)
            and not isinstance(layer, Tap)
            and len(x.shape) > 1
            and len(y.shape) > 1
        ):
            self.found.append(f"{path}/")
        return y

    def leaf(self, path: str, layer: Layer, x: Placeholder) -> Placeholder:
        return Placeholder(located(path, layer.out_shape, x.shape))


def _check_same(flat: Layer, dense: Layer, in_shape: Shape) -> None:
    """Refuse layers of one's own that do not take a map as they take a row; jconv's do. Raises
    LayerError.
    """
    own: set[str] = set()
    map_layers(
        flat,
        lambda _, layer: (
            own.add("" if type(layer).__module__.startswith("jconv.") else type(layer).__name__)
            or layer
        ),
    )
    if not own - {""}:
        return
    rng = np.random.default_rng(0)
    fill = lambda a: jnp.asarray(
        rng.uniform(0.5, 1.5, a.shape) * (0.1 if a.ndim > 1 else 1.0), a.dtype
    )
    arrays = jax.tree.map(
        fill, jax.eval_shape(lambda key: flat.init(key, in_shape), jax.random.key(0))
    )
    x = jnp.asarray(rng.standard_normal((3, *in_shape)), jnp.float32)
    words = (
        f"as a map, {' or '.join(sorted(own - {''}))} does not give the numbers it gives on a row"
    )
    try:
        like = jax.eval_shape(lambda key: dense.init(key, in_shape), jax.random.key(0))
        moved = jax.tree.map(lambda a, b: a.reshape(b.shape), arrays, like)
        y, z = (
            np.asarray(jax.jit(net.apply)(*given, x)[0])
            for net, given in ((flat, arrays), (dense, moved))
        )
        same = y.size == z.size and np.allclose(
            z.reshape(y.shape), y, rtol=1e-3, atol=1e-4 * np.abs(y).max(initial=0)
        )
    except (LayerError, TypeError, ValueError) as error:
        raise LayerError(
            f"{words} ({str(error).splitlines()[0]}); write it for the last axis, or convert the "
            "net before it"
        ) from None
    if not same:
        raise LayerError(f"{words}; write it for the last axis, or convert the net before it")


def _only(axis: int, shift: int, rank: int) -> Shape:
    return tuple(shift if a == axis else 0 for a in range(rank))


def _fixed_pool(layer: AdaptiveAvgPool | AdaptiveMaxPool, in_shape: Shape) -> Layer:
    w = layer.over(in_shape)
    if w is None:
        sizes, out = in_shape[:-1], layer.out_shape(in_shape)[:-1]
        raise LayerError(
            f"{sizes} pixels in {out} bins have bins of different sizes, which no sliding window "
            "has"
        )
    if w.in_sizes == w.out_sizes:
        return Identity()
    kind = AvgPool if isinstance(layer, AdaptiveAvgPool) else MaxPool
    return kind(w.size, stride=1 if volume(w.out_sizes) == 1 else w.stride)


def _as_conv(dense: Dense, window: Shape) -> Conv:
    return Conv(
        dense.features,
        window,
        bias=dense.bias,
        precision=dense.precision,
        kernel_init=dense.kernel_init,
        bias_init=dense.bias_init,
    )


def _sees_all(visit: Visit) -> bool:
    layer, sizes = visit.layer, visit.in_shape[:-1]
    if not computes_as(layer, Conv) or layer.groups > 1 or layer.mask:
        return False
    w = layer.over(visit.in_shape)
    return w.size == sizes and volume(w.out_sizes) == 1 and not any(map(any, w.pads))


def _as_dense(conv: Conv) -> Dense:
    return Dense(
        conv.features,
        bias=conv.bias,
        precision=conv.precision,
        kernel_init=conv.kernel_init,
        bias_init=conv.bias_init,
    )


def _reshaped(
    params: Params, shapes: dict[str, Shape], ranks: dict[str, int], path: str = ""
) -> Params:
    return {
        name: _reshaped(value, shapes, ranks, f"{path}/{name}" if path else name)
        if isinstance(value, dict)
        # behind the axes of loops
        else value.reshape(*value.shape[: value.ndim - ranks[path]], *shapes[path])
        if name == "kernel" and path in shapes
        else value
        for name, value in params.items()
    }
