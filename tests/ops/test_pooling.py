"""Average, Lp, adaptive and global pooling: the CS231n notes' figures, what a mean divides by,
and plain loops.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import ops
from jconv.errors import ShapeError
from jconv.geometry import pool_window, window
from jconv.ops.pooling import counts, window_sum

FIGURE = np.array([[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]])
COUNT4, COUNT3 = np.arange(1.0, 17).reshape(4, 4), np.arange(1.0, 10).reshape(3, 3)
SETTINGS = [
    pytest.param((7,), dict(size=(3,), stride=(2,), padding=((1, 0),)), id="1d"),
    pytest.param(
        (7, 5),
        dict(size=(3, 2), stride=(2, 1), padding=((1, 2), (0, 1)), rounding="ceil"),
        id="2d-overlapping",
    ),
    pytest.param(
        (5, 3, 4), dict(size=(2, 3, 1), stride=(1, 2, 3), padding=((0, 0), (2, 1), (0, 0))), id="3d"
    ),
    pytest.param(
        (11, 7),
        dict(size=(2, 1), stride=(3, 2), padding=((0, 0), (0, 0)), rounding="ceil"),
        id="gaps",
    ),
]


def image(rows):
    return jnp.asarray(rows, jnp.float32)[None, ..., None]


@pytest.fixture
def pooled(compiled, method, pull):
    """y and dx of a pool by one method, for dy of ones."""

    def run(f, x, **settings):
        pool = lambda x: f(x, **settings, method=method)
        return compiled(lambda x: pull(pool, x, ct=jnp.ones_like(pool(x))))(x)

    return run


@pytest.mark.parametrize("count", [True, False], ids=["padding-counted", "padding-not-counted"])
@pytest.mark.parametrize("sizes, settings", SETTINGS)
def test_avg_pool_equals_loops(sizes, settings, count, loops, rng, compiled, x64, close):
    x = rng.standard_normal((2, *sizes, 3))
    total, divisor = loops.window_sum(x, **settings, count="all" if count else "inside")
    close(
        compiled(lambda x: ops.avg_pool(x, **settings, count_padding=count))(x),
        total / divisor,
        1e-12,
    )
    w = pool_window(
        sizes,
        settings["size"],
        settings["stride"],
        settings["padding"],
        settings.get("rounding", "floor"),
    )
    np.testing.assert_array_equal(counts(w, count), divisor)


@pytest.mark.parametrize("p", [1, 2, 2.5, 3.0])
@pytest.mark.parametrize("sizes, settings", SETTINGS)
def test_lp_pool_equals_loops(sizes, settings, p, loops, rng, compiled, x64, close):
    x = rng.standard_normal((2, *sizes, 3))
    total, _ = loops.window_sum(np.abs(x) ** p, **settings)
    close(compiled(lambda x: ops.lp_pool(x, p=p, **settings))(x), total ** (1 / p), 1e-12)


def test_average(pooled):
    y, (dx,) = pooled(ops.avg_pool, image(FIGURE), size=2)
    np.testing.assert_array_equal(y[0, ..., 0], [[3.25, 5.25], [2, 2]])
    np.testing.assert_array_equal(dx, np.full((1, 4, 4, 1), 0.25))


def test_l2_norm(pooled, close):
    y, (dx,) = pooled(ops.lp_pool, image(FIGURE), size=2)
    close(y[0, ..., 0], np.sqrt([[63.0, 133.0], [18.0, 26.0]]), 1e-6)
    close(y[0, ..., 0], np.array([[7.93725393, 11.53256259], [4.24264069, 5.09901951]]), 1e-6)
    close(dx[0, ..., 0], FIGURE / np.kron(y[0, ..., 0], np.ones((2, 2))), 1e-6)  # x / out


@pytest.mark.parametrize("p", [1, 2, 3.5])
def test_gradient_at_a_window_of_zeros_is_zero(p, pooled):
    y, (dx,) = pooled(ops.lp_pool, image(np.zeros((2, 4)) + [0, 0, 1, 0]), size=2, p=p)
    assert y[0, 0, 0, 0] == 0
    assert np.isfinite(dx).all()
    np.testing.assert_array_equal(dx[0, :, :2, 0], np.zeros((2, 2)))
    assert (dx[0, :, 2, 0] > 0).all()


def test_lp_pool_keeps_nan(pooled):
    y, _ = pooled(ops.lp_pool, image([[np.nan, 1, 2, 3]]), size=(1, 2))
    np.testing.assert_array_equal(np.isnan(y.ravel()), [True, False])


@pytest.mark.parametrize(
    "x, settings, expected",
    [
        pytest.param(
            COUNT4,
            dict(size=3, stride=2, rounding="ceil"),
            [[6, 7.5], [12, 13.5]],
            id="overhang-not-counted",
        ),
        pytest.param(
            COUNT4,
            dict(size=3, stride=2, padding=1, rounding="ceil"),
            [[1.5555556, 3.3333333, 2], [6.3333333, 11, 6], [4.5, 7.5, 4]],
            id="padding-counted",
        ),
        pytest.param(
            COUNT3,
            dict(size=2, stride=2, padding=1, rounding="ceil"),
            [[0.25, 1.25], [2.75, 7]],
            id="clip-rule",
        ),
        pytest.param(
            COUNT3,
            dict(size=2, stride=2, padding=1, count_padding=False),
            [[1, 2.5], [5.5, 7]],
            id="tensorflow",
        ),
        pytest.param(
            COUNT3, dict(size=3, stride=1, padding=1, count_padding=False), None, id="inception-v4"
        ),
    ],
)
def test_fixture(x, settings, expected, pooled, close):
    y, (dx,) = pooled(ops.avg_pool, image(x), **settings)
    if expected is None:  # means of the pixels there are
        expected = [
            [x[max(0, i - 1) : i + 2, max(0, j - 1) : j + 2].mean() for j in range(3)]
            for i in range(3)
        ]
    close(y[0, ..., 0], np.array(expected), 1e-6)
    if not settings.get("count_padding", True):  # every window's weights add up to one
        close(dx.sum(), float(y.size), 1e-6)


SUMS = [  # up to 32 positions auto shifts, beyond it is lax.reduce_window
    ((11, 7), dict(size=(8, 4), stride=(2, 1), padding=((1, 2), (0, 3)))),  # 32
    ((13, 5), dict(size=(11, 3), padding=((0, 4), (1, 1)))),  # 33
    ((11, 7), dict(size=6, stride=3, padding=((2, 5), (1, 0)), rounding="ceil")),
    ((37,), dict(size=34, stride=2, padding=((3, 0),))),
    ((5, 7, 5), dict(size=(3, 4, 3), stride=(1, 2, 1), padding=((1, 0), (0, 2), (0, 1)))),
    ((5, 3, 7), dict(size=(2, 1, 3), stride=(3, 2, 1), rounding="ceil")),
    # by axis
    ((12, 9), dict(size=(7, 6), stride=(2, 1), padding=((3, 4), (0, 2)), rounding="ceil")),
]


def test_half_precision_is_summed_in_float32(compiled):
    """256 and then ones: bfloat16 stops at the first."""
    x = jnp.asarray([256.0, *[1.0] * 8], jnp.bfloat16).reshape(1, 9, 1)
    y = compiled(lambda x: window_sum(x, window((9,), 9)))(x)
    assert y.dtype == jnp.float32 and float(y[0, 0, 0]) == 264


def test_window_sum_by_every_method(rng, x64, compiled, close, pull):
    windows = [window(sizes, **settings) for sizes, settings in SUMS]
    draw = lambda sizes: rng.standard_normal((2, *sizes, 3))
    images, cts = (
        [draw(sizes) for sizes in of]
        for of in zip(*((w.in_sizes, w.out_sizes) for w in windows), strict=True)
    )

    @compiled
    def sums(images, cts):
        each = list(zip(windows, images, cts, strict=True))
        return [
            [pull(lambda x, w=w, m=m: window_sum(x, w, m), x, ct=ct) for w, x, ct in each]
            for m in ("auto", "lax", "im2col")
        ]

    auto, lax, im2col = sums(images, cts)
    close(auto, im2col, 1e-12)
    close(lax, im2col, 1e-12)


@pytest.mark.parametrize(
    "size, stride, reduced",
    [((8, 4), 1, 0), ((11, 3), 1, 0), ((11, 3), (11, 1), 1), ((17, 2), 1, 1)],
)
def test_a_window_sum_is_reduced_beyond_32_positions_unless_it_goes_by_axis(size, stride, reduced):
    x = jnp.zeros((2, 17, 7, 3))
    text = lambda method: str(
        jax.make_jaxpr(lambda x: window_sum(x, window((17, 7), size, stride=stride), method))(x)
    )
    assert [text(method).count("reduce_window") > 0 for method in ("auto", "lax", "im2col")] == [
        reduced,
        1,
        0,
    ]


def test_divisors():
    w = pool_window((4, 4), 3, 2, 0, "ceil")
    np.testing.assert_array_equal(counts(w, True)[0, ..., 0], [[9, 6], [6, 4]])
    np.testing.assert_array_equal(
        counts(pool_window((4,), 3, 2, 1, "ceil"), True).ravel(), [3, 3, 2]
    )
    np.testing.assert_array_equal(
        counts(pool_window((4,), 3, 2, 1, "ceil"), False).ravel(), [2, 3, 1]
    )


@pytest.mark.parametrize(
    "sizes, out", [((7, 5), (3, 5)), ((11,), (4,)), ((3, 2), (5, 7)), ((4, 3, 2), (2, 1, 2))]
)
def test_adaptive_avg_pool(sizes, out, rng, x64, close, compiled):
    x = rng.standard_normal((2, *sizes, 3))
    expected = np.zeros((2, *out, 3))
    for at in np.ndindex(out):
        bins = tuple(
            slice(i * n // o, -(-(i + 1) * n // o)) for i, n, o in zip(at, sizes, out, strict=True)
        )
        expected[:, *at] = x[:, *bins].mean(axis=tuple(range(1, len(sizes) + 1)))
    close(compiled(lambda x: ops.adaptive_avg_pool(x, out))(x), expected, 1e-12)


def test_adaptive_avg_pool_is_avg_pool_where_bins_fit(normal, close, compiled):
    close(
        *compiled(lambda x: (ops.adaptive_avg_pool(x, (3, 2)), ops.avg_pool(x, 2)))(
            normal(2, 6, 4, 3)
        ),
        1e-6,
    )


@pytest.mark.parametrize("sizes", [(7,), (7, 5), (2, 3, 5)])
def test_global_pools(sizes, rng, x64, close, compiled):
    x = rng.standard_normal((2, *sizes, 3))
    mean, largest = compiled(lambda x: (ops.global_avg_pool(x), ops.global_max_pool(x)))(x)
    close(mean, x.reshape(2, -1, 3).mean(axis=1), 1e-12)
    np.testing.assert_array_equal(largest, x.reshape(2, -1, 3).max(axis=1))


def test_global_max_pool_gives_a_tie_to_the_first(compiled):
    x = image([[0, 7, 7], [7, 1, 7]])
    first = compiled(jax.grad(lambda x: ops.global_max_pool(x).sum()))(x)
    np.testing.assert_array_equal(first[0, ..., 0], [[0, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(
        first, compiled(jax.grad(lambda x: ops.max_pool(x, (2, 3)).sum()))(x)
    )


@pytest.mark.parametrize("f", [ops.avg_pool, ops.lp_pool])
@pytest.mark.parametrize(
    "settings, error, words",
    [
        (dict(size=9), ShapeError, "a 9-wide window does not fit 7 pixels padded by (0, 0)"),
        (
            dict(size=2, padding=2),
            ShapeError,
            "padding ((2, 2), (2, 2)) is as wide as the window (2, 2), so a window could see no "
            "input",
        ),
        (
            dict(size=(2, 2, 2)),
            ShapeError,
            "window=(2, 2, 2) has 3 entries but the input has 2 spatial axes",
        ),
        (
            dict(size=2, method="fast"),
            ValueError,
            "unknown method 'fast'; use 'auto', 'lax', 'im2col'",
        ),
        (
            dict(size=2, rounding="up"),
            ValueError,
            "unknown rounding 'up'; use 'floor', 'ceil', 'exact'",
        ),
        (
            dict(size=2, padding="same"),
            ValueError,
            "unknown padding 'same'; use 'SAME', 'VALID', or a whole number",
        ),
    ],
)
def test_error(f, settings, error, words):
    with pytest.raises(error, match=re.escape(words)):
        f(jnp.zeros((2, 7, 5, 3)), **settings)


def test_error_of_p_below_one():
    with pytest.raises(
        ValueError, match="lp_pool: p=0.5, a number at least 1 and below inf was expected"
    ):
        ops.lp_pool(jnp.zeros((1, 4, 1)), 2, p=0.5)


def test_adaptive_errors():
    with pytest.raises(
        ShapeError,
        match=r"out_sizes=\(2,\) for x of shape \(1, 4, 5, 1\): one entry per axis was expected, 2 "
        r"in all",
    ):
        ops.adaptive_avg_pool(jnp.zeros((1, 4, 5, 1)), (2,))
    with pytest.raises(
        ValueError,
        match=r"adaptive_avg_pool: out_sizes=\(0, 2\), whole numbers of at least 1 were expected",
    ):
        ops.adaptive_avg_pool(jnp.zeros((1, 4, 5, 1)), (0, 2))


def test_means_and_roots_of_integers_are_not_truncated():
    x = jnp.asarray([1, 2, 2, 3], jnp.int32).reshape(1, 2, 2, 1)
    for y, expected in (
        (ops.avg_pool(x, (1, 2)), [1.5, 2.5]),
        (ops.lp_pool(x, (1, 2)), [5**0.5, 13**0.5]),
    ):
        np.testing.assert_allclose(y.ravel(), expected, rtol=1e-6)
