"""Max pooling: the CS231n notes' figures, whose maximum it is in a tie, and what padding and NaN
do.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import ops
from jconv.errors import ShapeError
from jconv.geometry import pool_window

FIGURE = [[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]
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
    pytest.param((7, 8), dict(size=(6, 5), stride=(1, 1), padding=((5, 2), (2, 2))), id="large"),
    pytest.param(
        (18, 15),
        dict(size=(9, 7), stride=(3, 2), padding=((2, 3), (0, 4)), rounding="ceil"),
        id="large-strided",
    ),
    # one more than a byte's largest
    pytest.param(
        (17, 16), dict(size=(16, 16), stride=(1, 1), padding=((1, 0), (0, 3))), id="large-256"
    ),
    pytest.param(
        (4, 5, 6),
        dict(size=(3, 4, 5), stride=(1, 1, 1), padding=((1, 1), (0, 3), (2, 0))),
        id="3d-large",
    ),
]


def image(rows, dtype=jnp.float32):
    return jnp.asarray(rows, dtype)[None, ..., None]


@pytest.fixture
def pooled(compiled, method, pull):
    """y and dx of max_pool by one method for a given dy."""

    def run(x, dy=None, *args, **settings):
        f = lambda x: ops.max_pool(x, *args, **settings, method=method)
        return compiled(lambda x: pull(f, x, ct=jnp.ones_like(f(x)) if dy is None else dy))(x)

    return run


@pytest.mark.sweep(5)
@pytest.mark.parametrize("kind", ["distinct", "ties", "minus-infinity"])
@pytest.mark.parametrize("sizes, settings", SETTINGS)
def test_equals_loops(sizes, settings, kind, loops, rng, compiled, x64, close, pull):
    shape = (2, *sizes, 3)
    values = {
        "distinct": rng.standard_normal,
        "ties": lambda s: rng.integers(0, 3, s) * 1.0,
        "minus-infinity": lambda s: np.full(s, -np.inf),
    }
    x = values[kind](shape)
    w = pool_window(
        sizes,
        settings["size"],
        settings["stride"],
        settings["padding"],
        settings.get("rounding", "floor"),
    )
    dy = rng.standard_normal((2, *w.out_sizes, 3))
    y, dx, switches = loops.max_pool(x, dy, **settings)
    program = lambda x: (
        pull(lambda x: ops.max_pool(x, **settings), x, ct=dy),
        ops.switches(x, **settings),
    )
    (actual, (gradient,)), winners = compiled(program)(x)
    np.testing.assert_array_equal(actual, y)
    close(gradient, dx, 1e-12)
    np.testing.assert_array_equal(winners, switches)


@pytest.mark.parametrize("method", ["lax", "im2col"])
def test_other_methods_break_ties_alike(method, rng, compiled, pull):
    x, dy = (
        rng.integers(0, 3, (2, 7, 5, 3)) * np.float32(1),
        rng.standard_normal((2, 4, 3, 3)).astype(np.float32),
    )
    each = lambda name: lambda x: ops.max_pool(x, 3, stride=2, padding=1, method=name)
    first, other = compiled(lambda x: (pull(each("auto"), x, ct=dy), pull(each(method), x, ct=dy)))(
        x
    )
    np.testing.assert_array_equal(first[0], other[0])
    np.testing.assert_allclose(first[1][0], other[1][0], rtol=1e-5, atol=1e-6)


def test_keeps_a_quarter_and_each_slice_apart(normal, pooled):
    x = normal(1, 6, 4, 3)
    y, (dx,) = pooled(x, None, 2)
    assert 4 * y.size == x.size
    assert np.count_nonzero(dx) == y.size
    np.testing.assert_array_equal(y, np.asarray(x).reshape(3, 2, 2, 2, 3).max(axis=(1, 3))[None])


def test_depth_is_preserved(method):
    shape = jax.ShapeDtypeStruct((1, 224, 224, 64), jnp.float32)
    assert jax.eval_shape(lambda x: ops.max_pool(x, 2, method=method), shape).shape == (
        1,
        112,
        112,
        64,
    )


def test_figure(pooled):
    y, (dx,) = pooled(image(FIGURE), image([[1.0, 2.0], [3.0, 4.0]]), 2)
    np.testing.assert_array_equal(y[0, ..., 0], [[6, 8], [3, 4]])
    expected = np.zeros(16)
    expected[[5, 7, 8, 15]] = 1, 2, 3, 4
    np.testing.assert_array_equal(dx.ravel(), expected)


def test_switches(compiled):
    winners = compiled(lambda x: ops.switches(x, 2))(image(FIGURE))
    np.testing.assert_array_equal(winners[0, ..., 0], [[3, 3], [0, 3]])
    index = compiled(lambda s: ops.switch_index(s, pool_window((4, 4), 2, None, 0, "floor")))(
        winners
    )
    np.testing.assert_array_equal(index[0, ..., 0], [[5, 7], [8, 15]])


@pytest.mark.sweep(1)
@pytest.mark.parametrize("sizes, settings", SETTINGS)
def test_switch_index_is_where_the_maximum_lies(sizes, settings, normal, compiled):
    x = normal(2, *sizes, 3)
    w = pool_window(
        sizes,
        settings["size"],
        settings["stride"],
        settings["padding"],
        settings.get("rounding", "floor"),
    )
    index = np.asarray(compiled(lambda x: ops.switch_index(ops.switches(x, **settings), w))(x))
    at = np.take_along_axis(np.asarray(x).reshape(2, -1, 3), index.reshape(2, -1, 3), axis=1)
    np.testing.assert_array_equal(at.reshape(index.shape), ops.max_pool(x, **settings))


def test_overlapping_windows_accumulate(pooled):
    y, (dx,) = pooled(
        image([[0, 1, 2], [3, 9, 4], [5, 6, 7]]), image([[1.0, 2.0], [4.0, 8.0]]), 2, stride=1
    )
    np.testing.assert_array_equal(y.ravel(), [9, 9, 9, 9])
    np.testing.assert_array_equal(dx[0, ..., 0], [[0, 0, 0], [0, 15, 0], [0, 0, 0]])


def test_first_of_equals_in_row_major_order(pooled):
    _, (dx,) = pooled(image([[0, 5, 5], [5, 0, 5]]), None, (2, 3))
    np.testing.assert_array_equal(dx[0, ..., 0], [[0, 1, 0], [0, 0, 0]])
    _, (dx,) = pooled(jnp.zeros((1, 4, 4, 1)), None, 2)
    np.testing.assert_array_equal(
        dx[0, ..., 0], [[1, 0, 1, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]]
    )


COUNT4, COUNT3 = np.arange(1.0, 17).reshape(4, 4), np.arange(1.0, 10).reshape(3, 3)


@pytest.mark.parametrize(
    "x, settings, expected",
    [
        pytest.param(
            COUNT4, dict(size=3, stride=2, rounding="ceil"), [[11, 12], [15, 16]], id="ceil"
        ),
        pytest.param(COUNT4, dict(size=3, stride=2), [[11]], id="floor"),
        pytest.param(
            COUNT3,
            dict(size=2, stride=2, padding=1, rounding="ceil"),
            [[1, 3], [7, 9]],
            id="clip-rule",
        ),
        pytest.param(
            -COUNT4,
            dict(size=3, stride=2, padding=1),
            [[-1, -2], [-5, -6]],
            id="padding-never-wins",
        ),
        pytest.param(
            -COUNT4,
            dict(size=3, stride=2, rounding="ceil"),
            [[-1, -3], [-9, -11]],
            id="nor-does-the-overhang",
        ),
    ],
)
def test_fixture(x, settings, expected, pooled):
    y, (dx,) = pooled(image(x), None, **settings)
    np.testing.assert_array_equal(y[0, ..., 0], expected)
    assert dx.sum() == y.size


def test_the_same_size_of_other_pixels(normal, pooled):
    x = normal(1, 112, 7, 1)
    msra, torch = (
        pooled(x, None, 3, stride=2, rounding="ceil")[0],
        pooled(x, None, 3, stride=2, padding=1)[0],
    )
    assert msra.shape[1] == torch.shape[1] == 56
    rows = np.asarray(x)[0].max(axis=(1, 2))
    np.testing.assert_array_equal(msra[0, 5].max(), rows[10:13].max())
    np.testing.assert_array_equal(torch[0, 5].max(), rows[9:12].max())


@pytest.mark.parametrize("dtype", [jnp.int8, jnp.int32, jnp.uint8])
def test_integers(dtype, method, compiled):
    x = jnp.asarray([[-128, -128, -3], [-128, -128, -7], [-9, -100, -50]]).astype(dtype)[
        None, ..., None
    ]
    y = compiled(lambda x: ops.max_pool(x, 2, stride=2, padding=1, rounding="ceil", method=method))(
        x
    )
    assert y.dtype == dtype
    lowest = np.asarray(x)[0, ..., 0]
    np.testing.assert_array_equal(
        y[0, ..., 0],
        [[lowest[0, 0], lowest[0, 1:].max()], [lowest[1:, 0].max(), lowest[1:, 1:].max()]],
    )


def test_the_first_nan_wins(pooled, method):
    y, (dx,) = pooled(image([[1, np.nan, 3, 7], [np.nan, 9, 2, 8]]), image([[10.0, 20.0]]), 2)
    np.testing.assert_array_equal(y.ravel(), [np.nan, 8])
    if method != "lax":  # select-and-scatter passes NaN over
        np.testing.assert_array_equal(dx[0, ..., 0], [[0, 10, 0, 0], [0, 0, 0, 20]])


def test_the_first_nan_wins_a_large_window(rng, compiled, pull):
    x = rng.integers(0, 9, (1, 6, 7, 2)) * np.float32(1)
    x[0, [1, 1, 4, 2], [3, 5, 1, 0], [0, 0, 1, 1]] = np.nan
    _, (dx,) = compiled(
        lambda x: pull(lambda x: ops.max_pool(x, (6, 7)), x, ct=jnp.ones((1, 1, 1, 2)))
    )(x)
    assert np.argwhere(dx).tolist() == [[0, 1, 3, 0], [0, 2, 0, 1]]


@pytest.mark.parametrize("size", [3, 7])
def test_half_precision_is_summed_in_float32(size, compiled, pull):
    """1/256 + 1 + 1/256 is 1 in bfloat16, term by term."""
    x = np.zeros((1, size, size + 2, 1))
    x[0, 0, 2] = 1  # in all three windows
    x, dy = (
        jnp.asarray(a, jnp.bfloat16) for a in (x, np.reshape([1 / 256, 1, 1 / 256], (1, 1, 3, 1)))
    )
    _, (dx,) = compiled(lambda x: pull(lambda x: ops.max_pool(x, size, stride=1), x, ct=dy))(x)
    assert dx.dtype == jnp.bfloat16 and float(dx[0, 0, 2, 0]) == 1 + 1 / 128


@pytest.mark.parametrize(
    "call, error, words",
    [
        (
            lambda x: ops.max_pool(x, 9),
            ShapeError,
            "a 9-wide window does not fit 7 pixels padded by (0, 0); use padding=(1, 1) or more",
        ),
        (
            lambda x: ops.max_pool(x, 2, padding=2),
            ShapeError,
            "padding ((2, 2), (2, 2)) is as wide as the window (2, 2), so a window could see",
        ),
        (
            lambda x: ops.switches(x, 3, padding=((0, 3), 0)),
            ShapeError,
            "padding ((0, 3), (0, 0)) is as wide as the window (3, 3)",
        ),
        (
            lambda x: ops.max_pool(x[0, 0], 2),
            ShapeError,
            "the sizes () have 0 spatial axes, 1 to 3 were expected: (batch, *sizes, channels)",
        ),
        (
            lambda x: ops.max_pool(x[0], (2, 2)),
            ShapeError,
            "window=(2, 2) has 2 entries but the input has 1 spatial axes",
        ),
        (
            lambda x: ops.max_pool(x, 2, method="switch"),
            ValueError,
            "unknown method 'switch'; use 'auto', 'lax', 'im2col'",
        ),
        (
            lambda x: ops.max_pool(x, 2, rounding="up"),
            ValueError,
            "unknown rounding 'up'; use 'floor', 'ceil', 'exact'",
        ),
        (lambda x: ops.max_pool(x, 2, padding="HALF"), ValueError, "unknown padding 'HALF'"),
        (
            lambda x: ops.max_pool(x, 2, stride=0),
            ValueError,
            "stride=0, whole numbers of at least 1",
        ),
        (
            lambda x: ops.max_pool(x, 2, rounding="exact"),
            ShapeError,
            "(W - F + pad)/S + 1 = (7 - 2 + 0)/2 + 1 = 3.5 is not an integer",
        ),
    ],
)
def test_error(call, error, words):
    with pytest.raises(error, match=re.escape(words)):
        call(jnp.zeros((2, 7, 5, 3)))
