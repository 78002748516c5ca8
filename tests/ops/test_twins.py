"""Every operation against its im2col twin on random configurations: values and the gradients of
every operand.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import numpy as np
import pytest

from jconv import ops
from jconv.geometry import transposed_sizes, window

FORWARD, GRADIENT, DOUBLE = 1e-5, 1e-4, 1e-10
MANY, FEW = 10, 6  # configurations to one program: what costs is compiling


class Case(NamedTuple):
    f: Callable
    shapes: tuple
    settings: dict

    def methods(self, dtype):
        """XLA's float32 convolution reads outside its input where lax pads a gradient by less than
        nothing (openxla/xla#48713).
        """
        if dtype == np.float64 or self.f is not ops.conv:
            return "auto", "lax"
        extents = [
            d * (f - 1) + 1 for f, d in zip(self.shapes[1], self.settings["dilation"], strict=False)
        ]
        narrow = all(lo < e for (lo, _), e in zip(self.settings["padding"], extents, strict=True))
        return ("auto", "lax") if narrow else ("auto",)


def draw_window(rng, sizes, *, widest=3, dilated=True):
    """size, stride, padding and dilation over some of `sizes`; few positions to a window, for
    im2col takes a step for each.
    """
    rank = int(rng.integers(1, 4))
    ints = lambda low, high: tuple(int(i) for i in rng.integers(low, high + 1, rank))
    size = ints(1, widest)
    while np.prod(size) > (9 if rank < 3 else 6):
        size = ints(1, widest)
    padding = tuple(zip(ints(0, 2), ints(0, 2), strict=True))
    return (
        [int(n) for n in rng.permutation(sizes)[:rank]],
        size,
        ints(1, 3),
        padding,
        ints(1, 3) if dilated else None,
    )


def conv(rng):
    sizes, size, stride, padding, dilation = draw_window(rng, (7, 11, 13))
    groups = int(rng.choice([1, 1, 2, 3]))
    shapes = (2, *sizes, 3 * groups), (*size, 3, 5 * groups)
    return Case(
        ops.conv, shapes, dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    )


def conv_transpose(rng):
    sizes, size, stride, padding, dilation = draw_window(rng, (5, 7, 11))
    groups = int(rng.choice([1, 1, 2, 3]))
    smallest = transposed_sizes(
        tuple(sizes), size, stride=stride, padding=padding, dilation=dilation
    )
    out = tuple(int(n + rng.integers(0, s)) for n, s in zip(smallest, stride, strict=True))
    shapes = (2, *sizes, 5 * groups), (*size, 3, 5 * groups)
    return Case(
        ops.conv_transpose,
        shapes,
        dict(stride=stride, padding=padding, dilation=dilation, groups=groups, out_sizes=out),
    )


def local_conv(rng):
    sizes, size, stride, padding, dilation = draw_window(rng, (7, 11, 13))
    w = window(tuple(sizes), size, stride=stride, padding=padding, dilation=dilation)
    shapes = (2, *sizes, 3), (*w.out_sizes, *size, 3, 5)
    return Case(
        ops.local_conv, shapes, dict(size=size, stride=stride, padding=padding, dilation=dilation)
    )


def pool(rng, f, **more):
    sizes, size, stride, padding, _ = draw_window(rng, (7, 11, 13), widest=4, dilated=False)
    padding = tuple(
        (min(lo, n - 1), min(hi, n - 1)) for (lo, hi), n in zip(padding, size, strict=True)
    )
    rounding = str(rng.choice(["floor", "ceil"]))
    more = {name: value[rng.integers(len(value))] for name, value in more.items()}
    return Case(
        f,
        ((2, *sizes, 3),),
        dict(size=size, stride=stride, padding=padding, rounding=rounding, **more),
    )


def response_norm(rng, f, **more):
    sizes = [int(n) for n in rng.permutation((5, 7, 3))[: rng.integers(1, 4)]]
    more = {name: value[rng.integers(len(value))] for name, value in more.items()}
    return Case(f, ((2, *sizes, 11),), dict(alpha=0.7, beta=0.75, **more))


max_pool = partial(pool, f=ops.max_pool)
POOLS = [
    pytest.param(max_pool, id="max_pool"),
    pytest.param(partial(pool, f=ops.avg_pool, count_padding=(True, False)), id="avg_pool"),
    pytest.param(partial(pool, f=ops.lp_pool, p=(1.0, 2.0, 2.5)), id="lp_pool"),
]
CONVOLUTIONS = [
    pytest.param(conv_transpose, id="conv_transpose"),
    pytest.param(local_conv, id="local_conv"),
]
across = partial(response_norm, f=ops.local_response_norm)
NORMS = [
    pytest.param(
        partial(across, convention=("paper", "caffe", "torch"), size=(1, 3, 5), k=(None, 1.5)),
        id="across",
    ),
    pytest.param(partial(across, convention=("paper", "torch"), size=(2, 4)), id="across-even"),
    pytest.param(
        partial(response_norm, f=ops.local_response_norm_within, size=(1, 2, 3, 4), k=(1.0, 2.0)),
        id="within",
    ),
    pytest.param(
        partial(response_norm, f=ops.contrast_norm, size=(2, 3, 4), k=(1.0, 2.0)), id="contrast"
    ),
]


@pytest.fixture
def agree(compiled, close, pull):
    def check(cases, operands, dtype, forward=DOUBLE, gradient=DOUBLE, methods=None):
        run = [
            lambda method, *a, case=case: case.f(*a, method=method, **case.settings)
            for case in cases
        ]

        @compiled
        def everything(operands, cts):
            each = zip(run, chosen, operands, cts, strict=True)
            return [
                {m: pull(partial(f, m), *a, ct=ct) for m in ("im2col", *names)}
                for f, names, a, ct in each
            ]

        chosen = [methods or case.methods(dtype) for case in cases]
        operands = [[operands(shape).astype(dtype) for shape in case.shapes] for case in cases]
        shapes = [jax.eval_shape(partial(f, "lax"), *a) for f, a in zip(run, operands, strict=True)]
        rng = np.random.default_rng(1)
        results = everything(operands, [rng.standard_normal(y.shape).astype(dtype) for y in shapes])
        for case, result in zip(cases, results, strict=True):
            y, gradients = result.pop("im2col")
            for method, (actual, actual_gradients) in result.items():
                try:
                    close(actual, y, forward)
                    close(actual_gradients, gradients, gradient)
                except AssertionError as error:
                    error.add_note(
                        f"{case.f.__name__}, method {method}, {case.shapes}, {case.settings}"
                    )
                    raise

    return check


@pytest.mark.sweep(1)
@pytest.mark.parametrize(
    "seed",
    [*range(8), *(pytest.param(seed, marks=pytest.mark.exhaustive) for seed in range(8, 30))],
)
def test_conv_float64(seed, x64, agree):
    rng = np.random.default_rng([1, seed])
    agree([conv(rng) for _ in range(MANY)], rng.standard_normal, np.float64)


@pytest.mark.sweep(1)
@pytest.mark.parametrize("seed", range(6))
def test_conv_float32(seed, agree):
    rng = np.random.default_rng([2, seed])
    agree([conv(rng) for _ in range(MANY)], rng.standard_normal, np.float32, FORWARD, GRADIENT)


@pytest.mark.sweep(2)
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("draw", CONVOLUTIONS + POOLS)
def test_float64(draw, seed, x64, agree):
    rng = np.random.default_rng([3, seed])
    agree([draw(rng) for _ in range(FEW)], rng.standard_normal, np.float64)


@pytest.mark.sweep(2)
@pytest.mark.parametrize("draw", CONVOLUTIONS + POOLS)
def test_float32(draw, agree):
    rng = np.random.default_rng(4)
    agree([draw(rng) for _ in range(3)], rng.standard_normal, np.float32, FORWARD, GRADIENT)


@pytest.mark.sweep(1)
@pytest.mark.parametrize("draw", NORMS)
def test_response_norm(draw, x64, agree):
    rng = np.random.default_rng(5)
    agree([draw(rng) for _ in range(FEW)], rng.standard_normal, np.float64)


def test_max_pool_with_ties_and_minus_infinity(x64, agree):
    rng = np.random.default_rng(6)
    few = np.array([-np.inf, 0.0, 1.0, 2.0])
    agree(
        [max_pool(rng) for _ in range(FEW)],
        lambda shape: rng.choice(few, shape),
        np.float64,
        methods=("auto",),
    )
