"""What a layer does not declare, measured: multiply-adds and saved arrays from its trace, and what its outputs see from its gradient.

Traces compute nothing: a function is turned into a jaxpr, jax's list of its operations, and that is read. What an output sees is found by
running the layer's gradient on random arrays. All of it is kept by layer and shape, so a net of equal blocks is measured once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from ..composite import Composite
from ..geometry import Shape, Window, volume
from ..layer import Layer
from ..layers.activation import Activation, Lambda
from ..ops.bilinear import PRIMITIVES

CACHED = 4096  # layers and shapes
PRODUCTS = (  # of unknown cost
    *("pallas_call", "custom_call", "ffi_call", "tpu_custom_call", "ragged_dot_general", "scaled_matmul"),
    *("pure_callback", "io_callback", "custom_root"),
)


class Kept(NamedTuple):
    """What is kept for the gradient: which inputs, as they came; whether the output, as it leaves; bytes an example; bytes in any case."""

    inputs: tuple[bool, ...]
    output: bool
    each: int
    fixed: int


def parameters_of(layer: Layer, in_shape: Shape) -> tuple[int, int]:
    """How many trained values a layer that holds no other has, and how many that training updates outside the gradient."""
    if type(layer).init is Layer.init:
        size = lambda arrays: sum(p.size for p in arrays.values())
        return size(layer.parameters(in_shape)), size(layer.statistics(in_shape))
    size = lambda tree: sum(math.prod(a.shape) for a in jax.tree.leaves(tree))
    params, state = _arrays(layer, in_shape)
    return size(params), size(state)


def macs_of(layer: Layer, in_shape: Shape) -> int | None:
    """Multiply-adds of convolutions and matrix products, as declared or else as traced; None where a loop's length is not known."""
    declared = layer.macs(in_shape) if _holds(layer, "macs") else None
    return _traced_macs(layer, in_shape) if declared is None else declared


def kept_by(layer: Layer, in_shape: Shape, dtype: str) -> Kept | None:
    """What training keeps, as declared or else as traced; None where the gradient cannot be traced."""
    declared = layer.saves(in_shape) if _holds(layer, "saves") else None
    if declared is None:
        return _traced_kept(layer, in_shape, dtype)
    item = jnp.dtype(dtype).itemsize
    each = declared.values * item + declared.wide * max(item, 4) + declared.bytes
    return Kept((declared.input,), declared.output, each, declared.fixed * item)


@lru_cache(maxsize=CACHED)
def dtype_of(layer: Layer, in_shape: Shape, dtype: str) -> str:
    """The dtype of what a layer makes of images in `dtype`: jconv's keep it, but for Normalize on integers."""
    if type(layer).__module__.startswith("jconv.") and jnp.issubdtype(jnp.dtype(dtype), jnp.inexact) and not isinstance(layer, Lambda):
        return dtype
    try:
        params, state = _arrays(layer, in_shape)
        with jax.enable_x64(True) if jnp.dtype(dtype).itemsize == 8 else nullcontext():
            x = jax.ShapeDtypeStruct((2, *in_shape), dtype)
            return jax.eval_shape(lambda *given: layer.apply(*given)[0], params, state, x).dtype.name
    except Exception:  # then its gradient cannot be traced either, which is what is said
        return dtype


@lru_cache(maxsize=CACHED)
def kept_by_join(f: Callable, shapes: tuple[Shape, ...], dtype: str) -> Kept | None:
    """What training keeps of f(*parts), a function of batches of these shapes."""
    return _kept(lambda params, state, parts, key: f(*parts), ({}, {}), shapes, dtype)


def window_of(layer: Layer, in_shape: Shape) -> Window | None:
    """The window a layer slides over its input, as declared or else as measured; None where no one window is right."""
    return declared_window(layer, in_shape) or _measured_window(layer, in_shape)


def declared_window(layer: Layer, in_shape: Shape) -> Window | None:
    """The window that a layer declares to slide over its input, if it does."""
    return layer.over(in_shape) if _holds(layer, "over") else None


def in_place(layer: Layer) -> bool:
    """Whether the layer's output can overwrite its input, as declared."""
    return layer.in_place and _holds(layer, "in_place")


def _holds(layer: Layer, declaration: str) -> bool:
    """Whether what a layer declares is said of what it computes: a class that computes anew does not inherit what was said of the old."""
    classes = type(layer).__mro__
    where = next(i for i, c in enumerate(classes) if declaration in vars(c))
    for computes, nothing in (("apply", Layer), ("function", Activation)):
        defined = [i for i, c in enumerate(classes) if computes in vars(c) and c is not nothing]
        if len(defined) > 1 and where >= defined[1]:
            return False
    return True


# Traces -----------------------------------------------------------------------------------------------------------------------------


def _arrays(layer: Layer, in_shape: Shape) -> Any:
    return jax.eval_shape(lambda key: layer.init(key, in_shape), jax.random.key(0))


@lru_cache(maxsize=CACHED)
def _traced_macs(layer: Layer, in_shape: Shape) -> int | None:
    try:
        params, state = _arrays(layer, in_shape)
        x = jax.ShapeDtypeStruct((1, *in_shape), jnp.float32)
        return _macs(jax.make_jaxpr(lambda *given: layer.apply(*given)[0])(params, state, x).jaxpr)
    except Exception:  # a stranger's layer may raise anything, and what it says of itself is said where it is applied
        return None


def _macs(jaxpr: Any) -> int | None:
    """Multiply-adds of a jaxpr; None for a while loop, for branches that differ, and for programs that are not jax's."""
    total = 0
    for equation in jaxpr.eqns:
        count = _equation_macs(equation)
        if count is None:
            return None
        total += count
    return total


def _equation_macs(equation: Any) -> int | None:
    name, params = equation.primitive.name, equation.params
    if equation.primitive in PRIMITIVES.values():  # each pairs every output position of the convolution with its window
        operation = next(word for word, primitive in PRIMITIVES.items() if primitive is equation.primitive)
        arrays = dict(zip({"forward": "xky", "input_gradient": "ykx", "kernel_gradient": "xyk"}[operation], _avals(equation), strict=True))
        return math.prod(arrays["y"].shape) * math.prod(arrays["k"].shape[:-1])
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        a, _, y = _avals(equation)
        return math.prod(y.shape) * math.prod(a.shape[axis] for axis in contracted)
    if name == "conv_general_dilated":
        a, k, y = _avals(equation)
        numbers = params["dimension_numbers"]
        taps = math.prod(k.shape[axis] for axis in numbers.rhs_spec[1:])
        spread = any(d > 1 for d in params["lhs_dilation"])  # zeros between the pixels are not multiplied: a transposed convolution
        if spread:
            inputs = math.prod(a.shape[axis] for axis in (numbers.lhs_spec[0], *numbers.lhs_spec[2:]))
            return inputs * taps * k.shape[numbers.rhs_spec[0]]
        return math.prod(y.shape) * taps
    if name == "custom_linear_solve":
        return _macs(params["jaxprs"].solve.jaxpr)  # the others are for its gradient
    inside = [_macs(j) for j in _jaxprs(params)]
    if name == "while" or name in PRODUCTS or None in inside:
        return None if name in PRODUCTS or any(count != 0 for count in inside) else 0
    if name == "cond":
        return inside[0] if len(set(inside)) == 1 else None
    return sum(count for count in inside if count) * (params["length"] if name == "scan" else 1)


def _avals(equation: Any) -> list[Any]:
    return [v.aval for v in (*equation.invars, *equation.outvars)]


def _jaxprs(params: dict[str, Any]) -> Iterator[Any]:
    for value in jax.tree.leaves(list(params.values()), is_leaf=lambda v: hasattr(v, "eqns") or hasattr(v, "jaxpr")):
        if hasattr(value, "eqns") or hasattr(value, "jaxpr"):
            yield getattr(value, "jaxpr", value)


@lru_cache(maxsize=CACHED)
def _traced_kept(layer: Layer, in_shape: Shape, dtype: str) -> Kept | None:
    def run(params, state, parts, key):
        return layer.apply(params, state, *parts, train=True, key=key)[0]

    try:
        arrays = _arrays(layer, in_shape)
    except Exception:  # likewise
        return None
    return _kept(run, arrays, (in_shape,), dtype)


def _kept(run: Callable, arrays: Any, shapes: tuple[Shape, ...], dtype: str) -> Kept | None:
    """Of run(params, state, parts, key), by the residuals that jax.vjp leaves for several sizes of batch."""
    try:
        with jax.enable_x64(True) if jnp.dtype(dtype).itemsize == 8 else nullcontext():
            few, more, most = (_residuals(run, arrays, shapes, dtype, batch) for batch in (2, 3, 5))
    except Exception:  # no gradient, or one that fails
        return None
    each = more.each - few.each
    if most.each != few.each + 3 * each:
        return None  # it does not grow with the examples alone, as what pairs them does not
    return few._replace(each=each, fixed=few.each - 2 * each)


def _residuals(run: Callable, arrays: Any, shapes: tuple[Shape, ...], dtype: str, batch: int) -> Kept:
    """For one batch: `each` is all bytes that are neither arguments nor the output nor constants, every array once."""
    parts = [jax.ShapeDtypeStruct((batch, *shape), dtype) for shape in shapes]
    key = jax.eval_shape(lambda: jax.random.key(0))

    real = jnp.issubdtype(parts[0].dtype, jnp.inexact)  # or there is no gradient in the input, as of images in bytes

    def forward(params, state, key, parts):
        if real:
            return jax.vjp(lambda params, parts: run(params, state, parts, key), params, parts)
        return jax.vjp(lambda params: run(params, state, parts, key), params)

    def residuals_too(*given):
        y, pullback = forward(*given)
        return y, jax.tree.leaves(pullback)

    given = (*arrays, key, parts)
    y = jax.eval_shape(lambda *given: forward(*given)[0], *given)
    jax.eval_shape(lambda y, *given: forward(*given)[1](y), y, *given)  # a gradient of one's own may fail in its second half alone
    jaxpr = jax.make_jaxpr(residuals_too)(*given).jaxpr
    inputs = jaxpr.invars[-len(parts) :]
    outputs, residuals = jaxpr.outvars[:1], jaxpr.outvars[1:]
    varying = _varying(jaxpr)
    kept = {v for v in residuals if not isinstance(v, Literal) and v in varying}
    size = sum(math.prod(v.aval.shape) * v.aval.dtype.itemsize for v in kept - {*jaxpr.invars, *outputs})
    output = outputs[0] in kept and outputs[0] not in jaxpr.invars
    return Kept(tuple(v in kept for v in inputs), output, size, 0)


def _varying(jaxpr: Any) -> set[Any]:
    """What depends on the arguments: the rest are constants, which a compiler need not keep."""
    varying = set(jaxpr.invars)
    for equation in jaxpr.eqns:
        if any(not isinstance(v, Literal) and v in varying for v in equation.invars):
            varying.update(equation.outvars)
    return varying


# What outputs see -------------------------------------------------------------------------------------------------------------------

PROBES = 6  # positions at either end of an axis, and in its middle
DRAWS = 256  # values drawn for every position: a maximum must win once at each edge of its window
LARGEST = 2**24  # values in a probe
WIDER = (1, 2, 4, 8)  # times the image, where its own size leaves more than one window possible


@lru_cache(maxsize=CACHED)
def _measured_window(layer: Layer, in_shape: Shape) -> Window | None:
    if isinstance(layer, Composite):
        return None

    def run(arrays, x):
        params, state = arrays
        return layer.apply(params, state, x)[0]

    return _window(lambda shapes: _arrays(layer, *shapes), run, 0, (in_shape,))


@lru_cache(maxsize=CACHED)
def windows_of_join(f: Callable, shapes: tuple[Shape, ...]) -> tuple[Window | None, ...]:
    """The window that f(*parts) slides over each part of these shapes."""
    run = lambda _, *parts: f(*parts)
    return tuple(_window(lambda _: {}, run, i, shapes) for i in range(len(shapes)))


def _window(arrays_for: Callable, run: Callable, part: int, shapes: tuple[Shape, ...]) -> Window | None:
    """Of `run(arrays, *parts)` over one of its parts: the one window that explains, to the pixel, what the gradient reaches."""
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
    """By output position: the first and the last input position of every axis that its gradient reaches."""

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
    with jax.disable_jit(False), jax.default_matmul_precision("highest"):  # no method whose rounding reaches beyond the window
        for position in _positions(out.shape[1:-1]):
            hits = [np.flatnonzero(hit) for hit in reached(given, parts, np.asarray(position, np.int32))]
            if all(len(hit) for hit in hits):
                spans[position] = tuple((int(hit[0]), int(hit[-1])) for hit in hits)
    return Support(shapes[part][:-1], out.shape[1:-1], spans)


def _drawn(a: Any, rng: np.random.Generator) -> jax.Array:
    """Numbers that hide nothing, as a zero would; positive, so that they serve as variances too."""
    real = jnp.issubdtype(a.dtype, jnp.floating)
    return jnp.asarray(rng.uniform(0.5, 1.5, a.shape), a.dtype) if real else jnp.zeros(a.shape, a.dtype)


def _positions(sizes: Shape) -> list[Shape]:
    """Along each axis, the others in their middle: both ends and the middle."""
    middle = tuple(n // 2 for n in sizes)
    some = lambda n: sorted({*range(min(PROBES, n)), *range(max(0, n // 2 - 1), min(n, n // 2 + 2)), *range(max(0, n - PROBES), n)})
    return sorted({(*middle[:axis], i, *middle[axis + 1 :]) for axis, n in enumerate(sizes) for i in some(n)} or {()})


def _fit(seen: Support, last: bool) -> tuple[tuple[int, int, int], ...] | None:
    """Size, stride and low padding along each axis of the input; None where none, or where more than one explains what was seen."""
    ranks = len(seen.in_sizes), len(seen.out_sizes)
    if not seen.spans or (ranks[1] and ranks[0] != ranks[1]):
        return None
    if not ranks[1]:  # one output sees what it sees
        return tuple((end - begin + 1, 1, -begin) for begin, end in seen.spans[()])
    found = []
    for axis, size in enumerate(seen.in_sizes):
        middle = [n // 2 for n in seen.out_sizes]
        along = {p[axis]: span[axis] for p, span in seen.spans.items() if all(p[a] == m for a, m in enumerate(middle) if a != axis)}
        found.append(_fit_axis(along, size, last))
    if None in found:
        return None
    for position, spans in seen.spans.items():  # an output may see along one axis by where it lies on another
        for (f, s, lo), i, n, span in zip(found, position, seen.in_sizes, spans, strict=True):
            if (max(0, i * s - lo), min(n, i * s - lo + f) - 1) != span:
                return None
    return tuple(found)


def _fit_axis(spans: dict[int, tuple[int, int]], size: int, last: bool) -> tuple[int, int, int] | None:
    begins = {i: b for i, (b, _) in spans.items() if b > 0}  # not cut at the border
    ends = {i: e for i, (_, e) in spans.items() if e < size - 1}
    if len(set(spans.values())) == 1 and len(spans) > 1:
        (begin, end) = next(iter(spans.values()))
        return (
            (end - begin + 1, 0, -begin) if last or begins or ends else None
        )  # all outputs see the same, or an image is too small to tell
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
    pads = tuple((lo, (out - 1) * s + f - n - lo) for f, s, lo, out, n in zip(sizes, strides, lows, outs, seen.in_sizes, strict=True))
    ones, none = (1,) * len(found), (0,) * len(found)
    return Window(seen.in_sizes, sizes, strides, ones, pads, none, outs)
