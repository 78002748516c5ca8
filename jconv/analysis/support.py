"""The window that a layer slides over its input, where it does not declare one: measured by what
its gradient reaches.

For some output positions the gradient is computed on random arrays, and the one window is sought
that explains, to the pixel, which inputs it reaches. There may be none, as for a flip or a resize.
All of it is kept by layer and shape.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..compose import Composite
from ..geometry import Shape, Window, volume
from ..layer import Layer
from .measure import CACHED, arrays_of, declared_window

PROBES = 6  # positions at either end of an axis, and in its middle
DRAWS = 256  # values drawn for every position: a maximum must win once at each edge of its window
LARGEST = 2**24  # values in a probe
WIDER = (1, 2, 4, 8)  # times the image, where its own size leaves more than one window possible


def window_of(layer: Layer, in_shape: Shape) -> Window | None:
    """The window a layer slides over its input, as declared or else as measured; None where no one
    window is right.
    """
    return declared_window(layer, in_shape) or _measured_window(layer, in_shape)


@lru_cache(maxsize=CACHED)
def _measured_window(layer: Layer, in_shape: Shape) -> Window | None:
    if isinstance(layer, Composite):
        return None

    def run(arrays, x):
        params, state = arrays
        return layer.apply(params, state, x)[0]

    return _window(lambda shapes: arrays_of(layer, *shapes), run, 0, (in_shape,))


@lru_cache(maxsize=CACHED)
def windows_of_join(f: Callable, shapes: tuple[Shape, ...]) -> tuple[Window | None, ...]:
    """The window that f(*parts) slides over each part of these shapes."""
    run = lambda _, *parts: f(*parts)
    return tuple(_window(lambda _: {}, run, i, shapes) for i in range(len(shapes)))


def _window(
    arrays_for: Callable, run: Callable, part: int, shapes: tuple[Shape, ...]
) -> Window | None:
    """Of `run(arrays, *parts)` over one of its parts: the one window that explains, to the pixel,
    what the gradient reaches.
    """
    seen = []
    for wider in WIDER:
        sizes = tuple((*(n * wider for n in shape[:-1]), shape[-1]) for shape in shapes)
        if wider > 1 and max(map(volume, sizes)) > LARGEST:
            break
        try:
            seen.append(_support(arrays_for(sizes), run, part, sizes))
        except Exception:  # no gradient; or another size does not fit, and what is known must do
            break
        found = _fit(seen[-1], last=False)
        if found is not None:
            return _over(found, seen[0])
    return _over(_fit(seen[0], last=True), seen[0]) if seen else None


class Support(NamedTuple):
    """By output position: the first and the last input position of every axis that its gradient
    reaches.
    """

    in_sizes: Shape
    out_sizes: Shape
    spans: dict[Shape, tuple[tuple[int, int], ...]]


def _support(arrays: Any, run: Callable, part: int, shapes: tuple[Shape, ...]) -> Support:
    channels = shapes[part][-1]
    batch = max(2, -(-DRAWS // channels))
    if batch * max(map(volume, shapes)) > LARGEST:
        batch = max(1, LARGEST // max(map(volume, shapes)))
    rng = np.random.default_rng(0)
    given = jax.tree.map(lambda a: _drawn(a, rng), arrays)
    parts = [jnp.asarray(rng.standard_normal((batch, *shape)), jnp.float32) for shape in shapes]
    out = jax.eval_shape(run, given, *parts)
    noise = jnp.asarray(rng.uniform(0.5, 1.5, (batch, out.shape[-1])), jnp.float32)

    @jax.jit
    def reached(given, parts, position):
        of = lambda x: run(given, *parts[:part], x, *parts[part + 1 :])
        y, pullback = jax.vjp(of, parts[part])
        at = (slice(None), *(position[axis] for axis in range(y.ndim - 2)))
        (slope,) = pullback(jnp.zeros_like(y).at[at].set(noise.astype(y.dtype)))
        hit = (slope != 0) | (slope != slope)
        axes = range(1, hit.ndim - 1)
        return [hit.any(axis=tuple(a for a in range(hit.ndim) if a != axis)) for axis in axes]

    spans = {}
    # no method whose rounding reaches beyond the window
    with jax.disable_jit(False), jax.default_matmul_precision("highest"):
        for position in _positions(out.shape[1:-1]):
            hits = [
                np.flatnonzero(hit) for hit in reached(given, parts, np.asarray(position, np.int32))
            ]
            if all(len(hit) for hit in hits):
                spans[position] = tuple((int(hit[0]), int(hit[-1])) for hit in hits)
    return Support(shapes[part][:-1], out.shape[1:-1], spans)


def _drawn(a: Any, rng: np.random.Generator) -> jax.Array:
    """Numbers that hide nothing, as a zero would; positive, so that they serve as variances too."""
    real = jnp.issubdtype(a.dtype, jnp.floating)
    return (
        jnp.asarray(rng.uniform(0.5, 1.5, a.shape), a.dtype)
        if real
        else jnp.zeros(a.shape, a.dtype)
    )


def _positions(sizes: Shape) -> list[Shape]:
    """Along each axis, the others in their middle: both ends and the middle."""
    middle = tuple(n // 2 for n in sizes)
    some = lambda n: sorted(
        {
            *range(min(PROBES, n)),
            *range(max(0, n // 2 - 1), min(n, n // 2 + 2)),
            *range(max(0, n - PROBES), n),
        }
    )
    return sorted(
        {(*middle[:axis], i, *middle[axis + 1 :]) for axis, n in enumerate(sizes) for i in some(n)}
        or {()}
    )


def _fit(seen: Support, last: bool) -> tuple[tuple[int, int, int], ...] | None:
    """Size, stride and low padding along each axis of the input; None where none, or where more
    than one explains what was seen.
    """
    ranks = len(seen.in_sizes), len(seen.out_sizes)
    if not seen.spans or (ranks[1] and ranks[0] != ranks[1]):
        return None
    if not ranks[1]:  # one output sees what it sees
        return tuple((end - begin + 1, 1, -begin) for begin, end in seen.spans[()])
    found = []
    for axis, size in enumerate(seen.in_sizes):
        middle = [n // 2 for n in seen.out_sizes]
        along = {
            p[axis]: span[axis]
            for p, span in seen.spans.items()
            if all(p[a] == m for a, m in enumerate(middle) if a != axis)
        }
        found.append(_fit_axis(along, size, last))
    if None in found:
        return None
    # an output may see along one axis by where it lies on another
    for position, spans in seen.spans.items():
        for (f, s, lo), i, n, span in zip(found, position, seen.in_sizes, spans, strict=True):
            if (max(0, i * s - lo), min(n, i * s - lo + f) - 1) != span:
                return None
    return tuple(found)


def _fit_axis(
    spans: dict[int, tuple[int, int]], size: int, last: bool
) -> tuple[int, int, int] | None:
    begins = {i: b for i, (b, _) in spans.items() if b > 0}  # not cut at the border
    ends = {i: e for i, (_, e) in spans.items() if e < size - 1}
    if len(set(spans.values())) == 1 and len(spans) > 1:
        (begin, end) = next(iter(spans.values()))
        # all outputs see the same, or an image is too small to tell
        return (end - begin + 1, 0, -begin) if last or begins or ends else None
    for free in (begins, ends):
        if len(free) > 1:
            (i, a), (j, b) = min(free.items()), max(free.items())
            if (b - a) % (j - i) or b <= a:
                return None
            stride = (b - a) // (j - i)
            break
    else:
        if len(spans) == 1:  # a single output
            ((_, (begin, end)),) = spans.items()
            return (end - begin + 1, 1, -begin) if last else None
        return None
    if not begins or not ends:
        return None
    i, begin = min(begins.items())
    low = i * stride - begin
    j, end = min(ends.items())
    return end - (j * stride - low) + 1, stride, low


def _over(found: tuple[tuple[int, int, int], ...] | None, seen: Support) -> Window | None:
    """The window over the image itself, if it explains that too."""
    if found is None:
        return None
    outs = seen.out_sizes or (1,) * len(found)
    for position, spans in seen.spans.items():
        for (f, s, lo), i, n, span in zip(found, position, seen.in_sizes, spans, strict=False):
            if (max(0, i * s - lo), min(n, i * s - lo + f) - 1) != span:
                return None
    sizes, strides, lows = zip(*found, strict=True) if found else ((), (), ())
    pads = tuple(
        (lo, (out - 1) * s + f - n - lo)
        for f, s, lo, out, n in zip(sizes, strides, lows, outs, seen.in_sizes, strict=True)
    )
    ones, none = (1,) * len(found), (0,) * len(found)
    return Window(seen.in_sizes, sizes, strides, ones, pads, none, outs)
