"""The primitives of max pooling: select and route are each other's transpose, switches carry no
derivative, batches fold.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import ops
from jconv.geometry import pool_window
from jconv.ops.routing import _max_and_switches as max_and_switches
from jconv.ops.routing import first_inside, route_p

POOL = dict(size=(3, 2), stride=(2, 1), padding=((1, 1), (0, 1)), rounding="ceil")
WINDOW = pool_window((7, 5), **POOL)


@pytest.fixture
def operands(rng, x64):
    """x, y and switches that no x gave: any position inside every window."""
    x, y = rng.standard_normal((5, 3, 7, 5, 2)), rng.standard_normal((5, 3, *WINDOW.out_sizes, 2))
    winners = ops.switches(jnp.asarray(rng.standard_normal((15, 7, 5, 2))), **POOL)
    return jnp.asarray(x), jnp.asarray(y), winners.reshape(y.shape)


def select(x, winners):
    return ops.select(x, winners, WINDOW)


def route(y, winners):
    return ops.route(y, winners, WINDOW)


def test_select_and_route_are_transposes(operands, compiled, close):
    x, y, winners = (a[0] for a in operands)
    selected, routed, back, forth = compiled(
        lambda x, y: (
            select(x, winners),
            route(y, winners),
            jax.linear_transpose(lambda x: select(x, winners), x)(y)[0],
            jax.linear_transpose(lambda y: route(y, winners), y)(x)[0],
        )
    )(x, y)
    close(np.vdot(selected, y), np.vdot(x, routed), 1e-12)
    np.testing.assert_array_equal(back, routed)
    np.testing.assert_array_equal(forth, selected)


def test_route_is_unpooling_by_index(operands, compiled):
    _, y, winners = (a[0] for a in operands)
    index = np.asarray(compiled(lambda s: ops.switch_index(s, WINDOW))(winners))
    expected = np.zeros((3, 35, 2))
    for n, i, j, c in np.ndindex(index.shape):
        expected[n, index[n, i, j, c], c] += y[n, i, j, c]
    np.testing.assert_allclose(
        compiled(route)(y, winners), expected.reshape(3, 7, 5, 2), atol=1e-12
    )


@pytest.mark.parametrize(
    "size, stride, calls", [(2, 2, 0), (2, 3, 0), ((2, 1), (1, 1), 1), (3, 2, 1)]
)
def test_overlapping_windows_are_compiled_apart_on_a_cpu(size, stride, calls):
    """Else every user of the result would compute it again. Nothing is gathered: that would be
    written out for every tap.
    """
    window = pool_window((7, 6), size, stride, 0, "floor")
    y = jax.ShapeDtypeStruct((2, *window.out_sizes, 3), jnp.float32)
    run = jax.jit(lambda y, winners: ops.route(y, winners, window) * 2)
    text = run.lower(y, jax.ShapeDtypeStruct(y.shape, jnp.uint8)).compile().as_text()
    assert (
        sum(" call(" in line and 'inlineable="false"' in line for line in text.splitlines())
        == calls
    )
    assert " gather(" not in text


@pytest.mark.parametrize("f, which", [(select, 0), (route, 1)])
def test_batching(f, which, operands, compiled):
    a, winners = operands[which], operands[2]

    def everything(a, winners):
        each = lambda *axes: jnp.stack(
            [f(a[i] if axes[0] else a[0], winners[i] if axes[1] else winners[0]) for i in range(5)]
        )
        yield jax.vmap(f)(a, winners), each(1, 1)
        yield jax.vmap(f, (0, None))(a, winners[0]), each(1, 0)
        yield jax.vmap(f, (None, 2))(a[0], jnp.moveaxis(winners, 0, 2)), each(0, 1)
        yield (
            jax.vmap(f, (-1, 0), 1)(jnp.moveaxis(a, 0, -1), winners),
            jnp.moveaxis(each(1, 1), 0, 1),
        )

    for actual, expected in compiled(lambda *a: list(everything(*a)))(a, winners):
        np.testing.assert_array_equal(actual, expected)


def test_batching_of_switches(operands, compiled):
    one = lambda x: ops.switches(x, **POOL)
    np.testing.assert_array_equal(
        *compiled(lambda x: (jax.vmap(one)(x), jnp.stack([one(a) for a in x])))(operands[0])
    )


def test_tangents(operands, compiled):
    """Both are linear in the array, and the switches, being integers, have a float0 tangent."""
    x, y, winners = (a[0] for a in operands)
    for f, a in ((select, x), (route, y)):
        tangent = lambda a, t, f=f: (
            jax.jvp(lambda a: f(a, winners), (a,), (t,)),
            (f(a, winners), f(t, winners)),
        )
        actual, expected = compiled(tangent)(a, a[::-1])
        np.testing.assert_array_equal(actual[0], expected[0])
        np.testing.assert_array_equal(actual[1], expected[1])
    _, tangent = jax.jvp(lambda x: ops.switches(x, **POOL), (x,), (x,))
    assert tangent.dtype == jax.dtypes.float0


def test_selecting_at_the_switches_is_max_pooling(operands, compiled):
    x = operands[0][0]
    by_hand = lambda x: select(x, ops.switches(x, **POOL))
    loss = lambda f: lambda x: jnp.sin(f(x)).sum()
    one, other = compiled(
        lambda x: [
            jax.value_and_grad(loss(f))(x) for f in (by_hand, lambda x: ops.max_pool(x, **POOL))
        ]
    )(x)
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])


@pytest.mark.parametrize("f, which", [(select, 0), (route, 1)])
def test_gradient_of_what_is_held_still_is_zero(f, which, operands, compiled):
    """The symbolic zeros that jvp and transpose rules meet."""
    a, winners = operands[which][0], operands[2][0]
    frozen = lambda a: f(jax.lax.stop_gradient(a), winners).sum() + a.sum()
    np.testing.assert_array_equal(compiled(jax.grad(frozen))(a), np.ones(a.shape))


def test_switches_are_the_smallest_integer_that_counts_the_window():
    counters = [
        jax.eval_shape(lambda x, f=f: ops.switches(x, f), jnp.zeros((1, 257, 1))).dtype
        for f in (1, 256, 257)
    ]
    assert counters == [jnp.uint8, jnp.uint8, jnp.uint16]


def test_first_inside_is_the_first_position_that_is_no_padding(loops):
    expected = {}
    for out, tap, at in loops.visits(
        (7, 5), WINDOW.size, WINDOW.stride, WINDOW.padding, rounding="ceil"
    ):
        if out not in expected and loops.inside(at, (7, 5)):
            expected[out] = np.ravel_multi_index(tap, WINDOW.size)
    first = first_inside(WINDOW)[0, ..., 0]
    assert {out: first[out] for out in expected} == expected
    assert first.max() > 0


def test_large_windows_go_by_axis_and_back_to_where_any_switch_points(rng, compiled, x64):
    """Of a max pooling's own switches both ways agree; of any others only the one that `route`
    takes is right.
    """
    w = pool_window((9, 8), (6, 7), (1, 1), 0, "floor")
    x, y = rng.standard_normal((2, 9, 8, 3)), rng.standard_normal((2, 4, 2, 3))
    found, any_ = (
        compiled(lambda x: ops.switches(x, (6, 7), stride=1))(x),
        rng.integers(42, size=y.shape).astype(np.uint8),
    )
    both = lambda s: [route_p.bind(y, s, window=w, maxima=maxima) for maxima in (True, False)]
    (a, b), (wrong, right), unpooled = compiled(lambda *s: (*map(both, s), ops.route(y, s[1], w)))(
        found, any_
    )
    np.testing.assert_allclose(a, b, rtol=1e-12)
    np.testing.assert_array_equal(unpooled, right)
    assert not np.allclose(wrong, right)
    index = np.asarray(compiled(lambda s: ops.switch_index(s, w))(any_))
    expected = np.zeros((2, 72, 3))
    for n, i, j, c in np.ndindex(index.shape):
        expected[n, index[n, i, j, c], c] += y[n, i, j, c]
    np.testing.assert_allclose(right.reshape(expected.shape), expected, atol=1e-12)


def test_winners_by_axis_and_in_one_go(operands, compiled):
    x = jnp.round(2 * operands[0][0])  # with ties
    by = lambda large: max_and_switches(x, window=WINDOW, large=large)
    for actual, expected in zip(*compiled(lambda: (by(0.0), by(math.inf)))(), strict=True):
        np.testing.assert_array_equal(actual, expected)
