"""The primitives of max pooling: find each window's winner, read at it, send back to it.

`select` and `route` are linear in their first operand and each other's transpose; the switches
carry no derivative. A batch of any of them is a longer batch of images. `maxima` says that the
switches are a max pooling's own, not any.

Large windows go axis by axis: the largest of each row, then of these. A winner's row and column are
one number still, as all windows that find their maximum in one row's piece find it in the same
column of it; so the way back goes by axis too.
"""

from __future__ import annotations

from functools import reduce
from inspect import signature
from operator import add, or_

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching

from ..geometry import Window, volume
from .outlining import outlined
from .primitive import Result, bind, define
from .sharding import Axes, rearranged, spread, spread_like
from .views import LARGE, lowest, offsets, stages, views
from .widening import wide_if_real

# LARGE for finding winners off the CPU. On an H100 1024x28x28x192 by 3x3, stride 1: 0.67 against
# 0.96 ms
LARGE_ELSEWHERE = 1.5


def _max_and_switches(x, *, window: Window, large: float = LARGE_ELSEWHERE):
    code, scale = None, 1
    for one in stages(window, large):
        x, offset = _winners(x, one)
        offset = offset.astype(_counter(window))
        code = (
            offset
            if code is None
            else _select(code, offset, window=one, maxima=True)
            + offset * jnp.asarray(scale, offset.dtype)
        )
        scale *= volume(one.size)
    return x, code


def _winners(x, window: Window):
    """One pass over the taps that keeps the best so far and where it was."""
    seen = views(x, window, lowest(x.dtype))
    best, winner = (
        seen[0],
        jnp.broadcast_to(jnp.asarray(first_inside(window), _counter(window)), seen[0].shape),
    )
    for t, v in enumerate(seen[1:], 1):
        better = (v > best) | ((v != v) & (best == best))
        best, winner = (
            jnp.where(better, v, best),
            jnp.where(better, jnp.asarray(t, winner.dtype), winner),
        )
    return best, winner


def _max_and_switches_on_cpu(x, *, window: Window):
    """The same behind a loop that XLA's CPU compiler cannot fuse across: it would compute the
    switches again in every user of them.

    In float32, which vectors hold: 16x28x28x192 in bfloat16 by 3x3, stride 1, takes 6.5 ms so and
    26.
    """
    y = jnp.zeros((x.shape[0], *window.out_sizes, x.shape[-1]), x.dtype)
    start = y, jnp.zeros(y.shape, _counter(window))

    def found():
        y, winner = _max_and_switches(wide_if_real(x), window=window, large=LARGE)
        return y.astype(x.dtype), winner

    return lax.fori_loop(0, 2, lambda i, kept: lax.cond(i == 0, found, lambda: kept), start)


def first_inside(w: Window) -> np.ndarray:
    """The first position of every window that is no padding: the winner among inputs as low as the
    padding. (1, *out, 1)
    """
    tap = np.zeros((1,) * (w.rank + 2), np.int64)
    for axis, (f, s, d, (lo, _), out) in enumerate(
        zip(w.size, w.stride, w.dilation, w.padding, w.out_sizes, strict=True)
    ):
        offset = -(-np.maximum(lo - np.arange(out) * s, 0) // d)
        tap = tap * f + offset.reshape(-1, *(1,) * (w.rank - axis))
    return tap


def _select(x, winner, *, window: Window, maxima: bool):
    seen = views(x, window)
    y = jnp.zeros_like(seen[0])
    for t, v in enumerate(seen):
        y = jnp.where(winner == jnp.asarray(t, winner.dtype), v, y)
    return y


def _route(y, winner, *, window: Window, maxima: bool):
    """Sums are float32 at least: 16x28x28x192 in bfloat16 by 3x3, stride 1, takes two cores 2 ms so
    and 36.
    """
    large, dilated = maxima and len(stages(window)) > 1, any(d > 1 for d in window.dilation)
    run = _route_by_axis if large else _route_by_taps if dilated else _route_at_once
    return run(wide_if_real(y), winner, window).astype(y.dtype)


def _route_by_taps(y, winner, w: Window):
    """The transpose of `_select`: what each tap won, moved to where that tap looks."""
    zero, came = jnp.zeros((), y.dtype), []
    for t, offset in enumerate(offsets(w)):
        won = jnp.where(winner == jnp.asarray(t, winner.dtype), y, jnp.zeros_like(y))
        config = []
        for n, (lo, _), o, d, s, out in zip(
            w.in_sizes, w.padding, offset, w.dilation, w.stride, w.out_sizes, strict=True
        ):
            begin = o * d - lo  # of the first window's tap; what lies in the padding is cut off
            config.append((begin, n - begin - (out - 1) * s - 1, s - 1))
        came.append(lax.pad(won, zero, [(0, 0, 0), *config, (0, 0, 0)]))
    return reduce(add, came)


def _route_on_cpu(y, winner, *, window: Window, maxima: bool):
    """Where windows overlap, it is outlined: its users would each compute it again.
    GoogLeNet's gradient takes 1.05 s so and 1.17.
    """
    overlapping = any(f > s for f, s in zip(window.size, window.stride, strict=True))
    run = outlined(_route, static=("window", "maxima")) if overlapping else _route
    return run(y, winner, window=window, maxima=maxima)


def _route_at_once(y, winner, w: Window):
    """Every input position looks at the windows over it, at most ceil(F/S) per axis, and keeps what
    points at it.

    Position S q + r of the padded input lies in window q at offset r, in q - 1 at offset r + S, and
    so on: y repeated S times along every axis, then moved by one window, and so on. XLA fuses
    repeating and padding into the loop that uses them; gathered, they would be written out as soon
    as two things use the result.
    """
    blocks = [
        -(-(size + lo) // s)
        for size, (lo, _), s in zip(w.in_sizes, w.padding, w.stride, strict=True)
    ]

    def moved(a, back):
        """Entry q is that of window q - back, zero where there is none. (N, *out, C) -> (N, Q, 1,
        Q', 1, C)
        """
        config = [(b, n - out - b, 0) for b, n, out in zip(back, blocks, w.out_sizes, strict=True)]
        a = lax.pad(a, jnp.zeros((), a.dtype), [(0, 0, 0), *config, (0, 0, 0)])
        return a.reshape(a.shape[0], *(size for n in blocks for size in (n, 1)), a.shape[-1])

    came = []
    for back in np.ndindex(*(-(-f // s) for f, s in zip(w.size, w.stride, strict=True))):
        tap, inside = np.zeros((1,) * (2 * w.rank), np.int64), True
        for axis, (b, f, s) in enumerate(zip(back, w.size, w.stride, strict=True)):
            offset = (np.arange(s) + b * s).reshape(s, *(1,) * (2 * (w.rank - 1 - axis)))
            tap, inside = tap * f + offset, inside & (offset < f)
        here = jnp.asarray(np.where(inside, tap, -1), jnp.int32)[None, ..., None]
        ys = moved(y, back)
        came.append(
            jnp.where(moved(winner, back).astype(jnp.int32) == here, ys, jnp.zeros_like(ys))
        )
    x = reduce(add, came)  # (N, Q, S, Q', S', C)
    x = x.reshape(y.shape[0], *(n * s for n, s in zip(blocks, w.stride, strict=True)), y.shape[-1])
    return x[
        (
            slice(None),
            *(slice(lo, lo + size) for size, (lo, _) in zip(w.in_sizes, w.padding, strict=True)),
        )
    ]


def _route_by_axis(y, code, window: Window):
    """Along the first axis y comes to the rows that hold the winners, with what is left of the
    code, and so on.
    """
    scale = volume(window.size)
    code = code.astype(np.min_scalar_type(scale))  # its largest value is then no code
    for axis in range(window.rank):
        scale //= window.size[axis]
        y, code = _route_along(y, code, window, axis, scale)
    return y


def _route_along(y, code, w: Window, axis: int, scale: int):
    """One axis, in which code // scale is a winner's offset; y there, and code % scale."""
    f, d, size = w.size[axis], w.dilation[axis], w.in_sizes[axis]
    below = (f - 1) * d - w.padding[axis][0]
    above = size - (w.out_sizes[axis] - 1) * w.stride[axis] + w.padding[axis][0] - 1
    config = [
        (below, above, w.stride[axis] - 1) if a == axis + 1 else (0, 0, 0) for a in range(y.ndim)
    ]
    y, code = (
        lax.pad(y, jnp.zeros((), y.dtype), config),
        lax.pad(code, jnp.asarray(jnp.iinfo(code.dtype).max, code.dtype), config),
    )
    came, left = [], []
    for i in range(f):
        ys, rest = (
            lax.slice_in_dim(a, (f - 1 - i) * d, (f - 1 - i) * d + size, axis=axis + 1)
            for a in (y, code)
        )
        rest -= jnp.asarray(i * scale, code.dtype)  # below 0 it wraps to a large number
        here = rest < jnp.asarray(scale, code.dtype)
        came.append(jnp.where(here, ys, jnp.zeros_like(ys)))
        left.append(jnp.where(here, rest, jnp.zeros_like(rest)))
    return reduce(add, came), reduce(or_, left)  # whatever points at a position has the same left


def _counter(w: Window):
    """The smallest unsigned integer that counts a window's positions."""
    return jnp.uint8 if volume(w.size) <= 256 else jnp.uint16


def _primitive(name: str, run, on_cpu, results, multiple_results: bool = False) -> Primitive:
    """Of operands that are images each; `results(*operands, window, maxima)` gives shapes and
    dtypes, as many images as there are.
    """
    settings = tuple(
        name
        for name, p in signature(run).parameters.items()
        if p.kind is p.KEYWORD_ONLY and p.default is p.empty
    )

    def by_platform(*operands, platform: str, devices: int, **params):
        return (on_cpu if platform == "cpu" else run)(*operands, **params)

    # images and channels are spread over devices as those of any operand
    def typed(*operands, **params):
        over = [
            next(filter(None, axes), ()) for axes in zip(*(_ends(a) for a in operands), strict=True)
        ]
        for shape, dtype in results(*operands, **params):
            yield Result(shape, dtype, [over[0], *[()] * (len(shape) - 2), over[1]])

    primitive = define(name, by_platform, typed, settings, ("cpu",), multiple_results)

    def rule(operands, axes, **params):  # a batch of images is a longer batch
        size = next(
            a.shape[axis] for a, axis in zip(operands, axes, strict=True) if axis is not None
        )
        full = [
            batching.bdim_at_front(a, axis, size) for a, axis in zip(operands, axes, strict=True)
        ]
        over = next((spread(a)[0] for a in full if spread(a)[0]), ())
        out = bind(primitive, *(_longer(a) for a in full), **params)
        split = lambda a: rearranged(
            lambda a: a.reshape(size, a.shape[0] // size, *a.shape[1:]), a, [over, *spread(a)]
        )
        return ([split(a) for a in out], [0] * len(out)) if multiple_results else (split(out), 0)

    batching.primitive_batchers[primitive] = rule
    return primitive


def _ends(a) -> tuple[Axes, Axes]:
    each = spread(a)
    return each[0], each[-1]


def _longer(a):
    """(B, N, ...) -> (B*N, ...)"""
    batch, images, *others = spread(a)
    return rearranged(
        lambda a: a.reshape(a.shape[0] * a.shape[1], *a.shape[2:]), a, [batch + images, *others]
    )


def _maxima_and_switches(x, *, window: Window):
    shape = (x.shape[0], *window.out_sizes, x.shape[-1])
    return (shape, x.dtype), (shape, _counter(window))


max_and_switches_p = _primitive(
    "max_and_switches",
    _max_and_switches,
    _max_and_switches_on_cpu,
    _maxima_and_switches,
    multiple_results=True,
)
select_p = _primitive("select", _select, _select, lambda x, winner, **_: [(winner.shape, x.dtype)])
route_p = _primitive(
    "route",
    _route,
    _route_on_cpu,
    lambda y, winner, *, window, maxima: [((y.shape[0], *window.in_sizes, y.shape[-1]), y.dtype)],
)


def _no_tangent(y):
    return ad.Zero(jax.typeof(y).to_tangent_aval())


def _winner_jvp(primals, tangents, *, window: Window):
    y, winner = bind(max_and_switches_p, *primals, window=window)
    (t,) = tangents
    dy = (
        _no_tangent(y)
        if type(t) is ad.Zero
        else bind(select_p, t, winner, window=window, maxima=True)
    )
    return [y, winner], [dy, _no_tangent(winner)]


def _linear_in_first(primitive: Primitive, transpose: Primitive) -> None:
    def jvp(primals, tangents, **params):
        y = bind(primitive, *primals, **params)
        t = tangents[0]
        return y, _no_tangent(y) if type(t) is ad.Zero else bind(primitive, t, primals[1], **params)

    ad.primitive_jvps[primitive] = jvp
    ad.primitive_transposes[primitive] = lambda ct, linear, winner, **params: [
        ad.Zero(linear.aval)
        if type(ct) is ad.Zero
        else spread_like(bind(transpose, ct, winner, **params), linear),
        None,
    ]


ad.primitive_jvps[max_and_switches_p] = _winner_jvp
_linear_in_first(select_p, route_p)
_linear_in_first(route_p, select_p)
