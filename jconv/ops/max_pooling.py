"""Max pooling by switches, as the CS231n notes tell it: remember which input won each window, and
send the gradient back through it.

    switches(x) -> for each window, which of its positions holds the maximum (one small integer)
    select(x, switches) -> the values at the switches: linear in x
    route(y, switches)  -> the transpose of select: each y goes to where its switch points, summed

The first position in row-major order wins a tie, and the first NaN wins over all. lax's own
gradient is select-and-scatter, which is tens of times slower on a CPU. Source: CS231n notes,
Pooling Layer.
"""

from __future__ import annotations

from functools import partial, reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from ..geometry import Padding, Shape, Window, pool_window, volume
from .methods import check_whole
from .primitive import bind
from .routing import first_inside, max_and_switches_p, route_p, select_p
from .views import filled, lowest, stages, views
from .widening import check_numbers, wide_if_real


def max_pool(
    x: jax.Array,
    size: int | Shape,
    *,
    stride: int | Shape | None = None,
    padding: Padding = 0,
    rounding: str = "floor",
    dilation: int | Shape = 1,
    padding_mode: str = "zeros",
    method: str = "auto",
) -> jax.Array:
    """The largest value of every window, each channel apart. Padding never wins, unless it holds
    pixels (see `views.filled`).

    Shapes: (N, *S, C) -> (N, *out, C); stride is the window by default. Methods: "auto" by
    switches, "lax" is lax.reduce_window, "im2col" the reference: columns, then the maximum. A
    dilated window is by columns under "lax" too, as lax has no gradient of it. Raises ShapeError,
    also for padding as wide as the window.
    """
    check_whole(method)
    check_numbers(x, "max_pool")
    w = pool_window(x.shape[1:-1], size, stride, padding, rounding, dilation)
    x, w = filled(x, w, padding_mode, reference=method == "im2col")
    dilated = any(d > 1 for d in w.dilation)  # of which lax knows no gradient
    if method == "im2col" or (method == "lax" and dilated):
        columns = jnp.stack(views(x, w, lowest(x.dtype)), axis=1)
        winner = columns.argmax(axis=1)  # max() would share a tie
        winner = jnp.maximum(winner, jnp.asarray(first_inside(w), winner.dtype))
        return jnp.take_along_axis(columns, winner[:, None], axis=1)[:, 0]
    return _reduce(x, w) if method == "lax" else _max_pool(x, w)


def switches(
    x: jax.Array,
    size: int | Shape,
    *,
    stride: int | Shape | None = None,
    padding: Padding = 0,
    rounding: str = "floor",
    dilation: int | Shape = 1,
) -> jax.Array:
    """Which position of each window holds its maximum, counted row-major from 0. (N, *S, C) -> (N,
    *out, C), unsigned integers.
    """
    w = pool_window(x.shape[1:-1], size, stride, padding, rounding, dilation)
    return bind(max_and_switches_p, lax.stop_gradient(x), window=w)[1]


def switch_index(switches: jax.Array, w: Window) -> jax.Array:
    """Switches as row-major positions in the unpadded input, as Torch's and Caffe's masks count
    them. int32.
    """
    offsets = np.unravel_index(np.arange(volume(w.size)), w.size)
    index = 0
    for axis, (offset, s, d, (lo, _), n) in enumerate(
        zip(offsets, w.stride, w.dilation, w.padding, w.in_sizes, strict=True)
    ):
        start = np.expand_dims(
            np.arange(w.out_sizes[axis]) * s - lo,
            tuple(d for d in range(w.rank + 2) if d != axis + 1),
        )
        position = (
            jnp.asarray(start, jnp.int32)
            + jnp.asarray(offset * d, jnp.int32)[switches.astype(jnp.int32)]
        )
        index = index * n + position
    return jnp.asarray(index)


def select(x: jax.Array, switches: jax.Array, w: Window) -> jax.Array:
    """The values of x at the switches. (N, *S, C), (N, *out, C) -> (N, *out, C)"""
    return bind(select_p, x, switches, window=w, maxima=False)


def route(y: jax.Array, switches: jax.Array, w: Window) -> jax.Array:
    """y sent to where the switches point, the transpose of `select`: unpooling. (N, *out, C) twice
    -> (N, *S, C)
    """
    return bind(route_p, y, switches, window=w, maxima=False)


def _reduce(x: jax.Array, w: Window) -> jax.Array:
    """No derivative of ours is taken through this one."""
    least, pads, dilation = (
        np.asarray(lowest(x.dtype), x.dtype),
        [(0, 0), *w.pads, (0, 0)],
        (1, *w.dilation, 1),
    )
    return lax.reduce_window(
        x, least, lax.max, (1, *w.size, 1), (1, *w.stride, 1), pads, window_dilation=dilation
    )


def _largest(x: jax.Array, w: Window) -> jax.Array:
    """By the views of the window, an axis at a time where it is large. On two cores 16x28x28x192 by
    3x3, stride 1, takes 1.6 ms so, and 6.3 as a lax.reduce_window, into which nothing before it is
    fused.
    """
    y = wide_if_real(x)
    for one in stages(w):
        y = reduce(jnp.maximum, views(y, one, lowest(y.dtype)))
    return y.astype(x.dtype)


@partial(jax.custom_jvp, nondiff_argnums=(1,))
def _max_pool(x, w: Window):
    return lax.platform_dependent(x, cpu=partial(_largest, w=w), default=partial(_reduce, w=w))


@_max_pool.defjvp
def _max_pool_jvp(w: Window, primals, tangents):
    y, winners = bind(max_and_switches_p, *primals, window=w)
    return y, bind(select_p, *tangents, winners, window=w, maxima=True)
