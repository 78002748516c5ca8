"""Normalization: values by hand, the three conventions of response norm, and moments that do not
cancel.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import ops
from jconv.errors import ShapeError
from jconv.ops.normalization import _in_one_pass, _in_two_passes, _inverse_power

ALEXNET = dict(size=5, alpha=1e-4, beta=0.75)
CONVENTIONS = [
    ("paper", (2, 2), 0.9, 2.0),
    ("caffe", (2, 2), 0.9 / 5, 1.0),
    ("torch", (2, 2), 0.9 / 5, 1.0),
]
EVEN = [("paper", (2, 2), 0.9, 2.0), ("torch", (2, 1), 0.9 / 4, 1.0)]


def channels(*values):
    return jnp.asarray(values, float).reshape(1, 1, 1, -1)


@pytest.fixture(params=["auto", "im2col"])
def across(request, compiled):
    """local_response_norm of values across channels."""
    return lambda *values, **s: compiled(
        lambda x: ops.local_response_norm(x, **s, method=request.param)
    )(channels(*values)).ravel()


@pytest.mark.parametrize(
    "settings, expected",
    [
        pytest.param(
            dict(convention="caffe"),
            [
                0.9997900514,
                1.9991004722,
                2.9975273798,
                3.9946084910,
                4.9898988613,
                5.9886849471,
                6.9884721890,
            ],
            id="caffe",
        ),
        pytest.param(
            dict(convention="paper"),
            [
                0.5942915817,
                1.1878710105,
                1.7801403936,
                2.3704185590,
                2.9580552328,
                3.5508567249,
                4.1451379370,
            ],
            id="paper",
        ),
        pytest.param(
            dict(convention="caffe", k=2.0),
            [
                0.5945411318,
                1.1889396136,
                1.7830752045,
                2.3768100636,
                2.9700111584,
                3.5642536555,
                4.1587943687,
            ],
            id="divided-with-k-2",
        ),
    ],
)
def test_alexnet_fixture(settings, expected, across, x64, close):
    close(across(*range(1, 8), **ALEXNET, **settings), np.array(expected), 1e-8)


def test_small_fixture(across, x64, close):
    expected = np.array([0.4792073282, 0.5445455905, 0.5082761270, 0.7490872564])
    close(across(1, 2, 3, 4, size=3, alpha=1.0, beta=0.75), expected, 1e-8)


def test_the_papers_alpha_is_size_times_caffes(across, x64, close):
    x = (3, -1, 4, 1, -5, 9, 2)
    paper = across(*x, **ALEXNET, convention="paper")
    close(across(*x, size=5, alpha=5e-4, beta=0.75, k=2.0, convention="caffe"), paper, 1e-12)
    assert np.abs(paper - across(*x, **ALEXNET, convention="caffe")).max() > 0.1


def test_within_channel_fixture(compiled, method, x64, close):
    x = jnp.arange(1.0, 10).reshape(1, 3, 3, 1)
    y = compiled(
        lambda x: ops.local_response_norm_within(x, size=3, alpha=0.9, beta=0.75, method=method)
    )(x)
    expected = [
        [0.27470020, 0.35301159, 0.60801150],
        [0.47989361, 0.39500582, 0.57315837],
        [0.85894460, 0.65548121, 0.89826028],
    ]
    close(y[0, ..., 0], np.array(expected), 1e-8)


def test_within_channel_has_k_1_unless_asked(rng, x64, close, compiled, loops):
    x, settings = rng.standard_normal((2, 7, 5, 3)), dict(size=3, alpha=0.9, beta=0.75)
    y = compiled(lambda x: ops.local_response_norm_within(x, **settings))(x)
    close(y, loops.response_norm_within(x, **settings, k=1.0), 1e-12)


@pytest.mark.parametrize(
    "size, convention, around, scale, k",
    [(5, *c) for c in CONVENTIONS] + [(4, *c) for c in EVEN] + [(1, "caffe", (0, 0), 0.9, 1.0)],
)
def test_across_equals_loops(
    size, convention, around, scale, k, method, loops, rng, compiled, x64, close
):
    x = rng.standard_normal((2, 3, 11))
    f = lambda x, k: ops.local_response_norm(
        x, size=size, alpha=0.9, beta=0.75, k=k, convention=convention, method=method
    )
    own, given = compiled(lambda x: (f(x, None), f(x, 1.7)))(x)
    close(own, loops.response_norm(x, *around, scale, 0.75, k), 1e-12)
    close(given, loops.response_norm(x, *around, scale, 0.75, 1.7), 1e-12)


@pytest.mark.sweep(4)
@pytest.mark.parametrize("size", [2, 3, 5])
@pytest.mark.parametrize("sizes", [(7,), (7, 5), (2, 3, 5)])
def test_within_and_contrast_equal_loops(sizes, size, method, loops, rng, compiled, x64, close):
    x = rng.standard_normal((2, *sizes, 3))
    settings = dict(size=size, alpha=0.9, beta=0.6, k=1.3)
    both = lambda x: (
        ops.local_response_norm_within(x, **settings, method=method),
        ops.contrast_norm(x, **settings, method=method),
    )
    close(
        compiled(both)(x),
        (loops.response_norm_within(x, **settings), loops.contrast_norm(x, **settings)),
        1e-12,
    )


def test_contrast_norm_keeps_the_original_numerator(x64, close, compiled):
    """A constant image has no contrast: the denominator is k^beta and x stays, mean and all."""
    x = jnp.full((1, 5, 7, 2), 3.0)
    close(
        compiled(lambda x: ops.contrast_norm(x, size=3, alpha=0.9, beta=0.5, k=4.0))(x),
        np.full(x.shape, 1.5),
        1e-12,
    )


def test_c1e_gradient_across(method, compiled, rng, x64, close, pull):
    n, alpha, beta, k, c = 5, 0.9, 0.75, 1.3, 11
    x, dy = rng.standard_normal((2, 3, c)), rng.standard_normal((2, 3, c))
    f = lambda x: ops.local_response_norm(x, size=n, alpha=alpha, beta=beta, k=k, method=method)
    _, (dx,) = compiled(lambda x: pull(f, x, ct=dy))(x)
    near = np.abs(np.subtract.outer(np.arange(c), np.arange(c))) <= n // 2
    s = k + alpha / n * x**2 @ near
    y = x * s**-beta
    close(dx, dy * s**-beta - 2 * alpha * beta / n * x * ((dy * y / s) @ near), 1e-12)


@pytest.mark.parametrize(
    "f",
    [
        lambda x: ops.local_response_norm(x),
        lambda x: ops.local_response_norm_within(x, size=3, alpha=0.9, beta=0.75),
        lambda x: ops.contrast_norm(x, size=3, alpha=0.9, beta=0.75),
    ],
    ids=["across", "within", "contrast"],
)
def test_half_precision_computes_in_float32(f, normal, compiled):
    x = (100 * normal(2, 7, 3)).astype(jnp.bfloat16)
    y, wide = compiled(lambda x: (f(x), f(x.astype(jnp.float32))))(x)
    assert (y.dtype, wide.dtype) == (jnp.bfloat16, jnp.float32)
    np.testing.assert_array_equal(y, wide.astype(jnp.bfloat16))


@pytest.mark.parametrize("axes", [(0,), (0, 1, 2), (2,)])
def test_moments(axes, rng, x64, close, compiled):
    x = rng.standard_normal((2, 7, 5, 3))
    for keepdims, actual in enumerate(
        compiled(lambda x: [ops.moments(x, axes, keepdims=bool(k)) for k in range(2)])(x)
    ):
        close(actual, (x.mean(axes, keepdims=keepdims), x.var(axes, keepdims=keepdims)), 1e-12)


def test_variance_is_biased_and_does_not_cancel(rng, close):
    # E[x^2] - E[x]^2 would leave no digit
    x = (rng.standard_normal((64, 3)) + 4096).astype(np.float32)
    mean, var = ops.moments(jnp.asarray(x), (0,))
    close(var, x.astype(np.float64).var(axis=0), 1e-3)
    half_mean, half_var = ops.moments(jnp.asarray(x, jnp.bfloat16), (0,))
    assert half_mean.dtype == half_var.dtype == mean.dtype == jnp.float32


def test_standardize(rng, x64, close):
    x, mean, var = (
        rng.standard_normal((2, 7, 3)),
        rng.standard_normal((1, 1, 3)),
        rng.uniform(0, 1, (1, 1, 3)),
    )
    close(
        ops.standardize(jnp.asarray(x), jnp.asarray(mean), jnp.asarray(var), 0.1),
        (x - mean) / np.sqrt(var + 0.1),
        1e-12,
    )


def test_standardize_is_wide(normal):
    one = jnp.ones((1, 3))
    assert ops.standardize(normal(2, 3).astype(jnp.bfloat16), one, one, 1e-5).dtype == jnp.float32


EPS = 0.1


def batch_norm(x, scale, bias):
    return ops.batch_norm(x, scale, bias, EPS)


def textbook(x, scale, bias):
    """What autodiff makes of the formula."""
    axes = tuple(range(x.ndim - 1))
    mean, var = jnp.mean(x, axes), jnp.var(x, axes)
    wide = lambda a: a.reshape((1,) * (x.ndim - 1) + a.shape)
    return (x - wide(mean)) / jnp.sqrt(wide(var) + EPS) * wide(scale) + wide(bias), mean, var


def weighted(f, cts):
    return lambda *a: sum(jnp.vdot(jnp.sin(out), ct) for out, ct in zip(f(*a), cts, strict=True))


BATCH_NORM = {
    "value": lambda f, a, t, cts: f(*a),
    "jvp": lambda f, a, t, cts: jax.jvp(f, a, t),
    "vjp": lambda f, a, t, cts: jax.vjp(f, *a)[1](cts),
    "of y alone": lambda f, a, t, cts: jax.vjp(lambda *a: f(*a)[0], *a)[1](cts[0]),
    "forward over reverse": lambda f, a, t, cts: jax.jvp(
        jax.grad(weighted(f, cts), (0, 1, 2)), a, t
    ),
    "reverse over reverse": lambda f, a, t, cts: jax.grad(
        lambda *a: sum(
            jnp.vdot(g, v)
            for g, v in zip(jax.grad(weighted(f, cts), (0, 1, 2))(*a), t, strict=True)
        ),
        (0, 1, 2),
    )(*a),
    "vmap": lambda f, a, t, cts: (
        jax.vmap(f, (1, None, None))(*a),
        jax.vmap(f, (None, 0, None))(a[0], jnp.stack((a[1], t[1])), a[2]),
    ),
    "vmap of gradients": lambda f, a, t, cts: jax.vmap(
        jax.grad(weighted(f, (cts[0][0], *cts[1:])), (0, 1, 2)), (0, None, None)
    )(*a),
}


@pytest.mark.sweep(2)
@pytest.mark.parametrize("shape", [(5, 7, 3, 2), (11, 2, 3)])
@pytest.mark.parametrize("transform", BATCH_NORM)
def test_batch_norm_equals_the_textbook(transform, shape, rng, x64, compiled, close):
    """Mean and variance are differentiated too."""
    draw = lambda: (
        rng.standard_normal(shape),
        rng.standard_normal(shape[-1]),
        rng.standard_normal(shape[-1]),
    )
    given = draw(), draw(), draw()
    actual, expected = compiled(
        lambda *given: [BATCH_NORM[transform](f, *given) for f in (batch_norm, textbook)]
    )(*given)
    close(actual, expected, 1e-11)


def test_batch_norm_of_a_large_mean_keeps_its_digits(rng, compiled, close):
    """E[x^2] - E[x]^2 of 1000 and 1 would leave two digits of float32, and the derivative of that
    none.
    """
    x = (1000 + rng.standard_normal((8, 7, 5, 3))).astype(np.float32)
    scale, bias = (rng.standard_normal(3).astype(np.float32) for _ in range(2))
    ct = tuple(rng.standard_normal(shape).astype(np.float32) for shape in (x.shape, (3,), (3,)))
    run = lambda f: compiled(lambda ct, *a: (f(*a), jax.vjp(f, *a)[1](ct)))
    actual = run(batch_norm)(ct, x, scale, bias)
    with jax.enable_x64(True):
        expected = run(textbook)(
            *jax.tree.map(lambda a: a.astype(np.float64), (ct, x, scale, bias))
        )
        expected = jax.tree.map(np.asarray, expected)
    close(actual, expected, 1e-3)


def test_batch_norm_keeps_one_array(normal):
    """For the backward pass, of x's size: x - mean, and neither x nor y."""
    x, a = normal(5, 7, 3, 2), normal(2)
    kept = jax.make_jaxpr(lambda *a: jax.tree.leaves(jax.vjp(batch_norm, *a)[1]))(
        x, a, a
    ).jaxpr.outvars
    textbooks = jax.make_jaxpr(lambda *a: jax.tree.leaves(jax.vjp(textbook, *a)[1]))(
        x, a, a
    ).jaxpr.outvars
    large = lambda variables: len({v for v in variables if v.aval.shape == x.shape})
    assert (large(kept), large(textbooks)) == (1, 3)


def test_batch_norm_of_one_value_a_channel(x64, compiled, close):
    """No variance: y is the bias, and no gradient reaches x."""
    x, scale, bias = jnp.asarray([[3.0, -7.0]]), jnp.asarray([2.0, 5.0]), jnp.asarray([11.0, 13.0])
    y, (dx, dscale, dbias) = compiled(
        lambda *a: (batch_norm(*a), jax.vjp(lambda *a: batch_norm(*a)[0], *a)[1](a[0]))
    )(x, scale, bias)
    close(y, (bias[None], x[0], jnp.zeros(2)), 1e-12)
    close((dx, dscale, dbias), (jnp.zeros((1, 2)), jnp.zeros(2), x[0]), 1e-12)


@pytest.mark.parametrize("beta", [0.75, 0.5, 0.6, 1.0, 2.0])
def test_inverse_power(beta, rng, x64, compiled, close):
    """Value, first and second derivative against jnp.power's, forward and reverse."""
    s, t = rng.uniform(0.01, 30, (2, 7, 3)), rng.standard_normal((2, 7, 3))

    def derivatives(f, s, t):
        gradient = jax.grad(lambda s: jnp.sin(f(s)).sum())
        return (
            jax.jvp(f, (s,), (t,)),
            jax.jvp(gradient, (s,), (t,)),
            jax.grad(lambda s: jnp.vdot(gradient(s), t))(s),
            jax.vmap(gradient)(s),
        )

    both = (lambda s: _inverse_power(s, beta), lambda s: jnp.power(s, -beta))
    close(*compiled(lambda s, t: [derivatives(f, s, t) for f in both])(s, t), 1e-11)


@pytest.mark.parametrize("groups", [1, 2, 3, 6])
def test_group_norm(groups, rng, x64, close, compiled):
    x = rng.standard_normal((2, 7, 5, 6))
    expected = np.empty_like(x)
    for n in range(2):
        for part in np.split(np.arange(6), groups):
            values = x[n][..., part]
            expected[n][..., part] = (values - values.mean()) / np.sqrt(values.var() + 0.01)
    close(compiled(lambda x: ops.group_norm(x, groups, 0.01))(x), expected, 1e-12)


def test_gradients_are_finite_at_zero():
    zero = jnp.zeros((1, 5, 3))
    for f in (
        lambda x: ops.local_response_norm(x, k=1.0),
        lambda x: ops.contrast_norm(x, size=3, alpha=1.0, beta=0.5),
        lambda x: ops.group_norm(x, 3, 1e-5),
    ):
        assert np.isfinite(jax.jit(jax.grad(lambda x, f=f: f(x).sum()))(zero)).all()


@pytest.mark.parametrize(
    "call, error, words",
    [
        (
            lambda x: ops.local_response_norm(x, size=4),
            ValueError,
            "size=4 is even, and Caffe's window has a middle; use an odd size or",
        ),
        (
            lambda x: ops.local_response_norm(x, convention="tf"),
            ValueError,
            "unknown convention 'tf'; use 'paper', 'caffe', 'torch'",
        ),
        (
            lambda x: ops.local_response_norm(x, size=0),
            ValueError,
            "local_response_norm: size=0, whole numbers of at least 1",
        ),
        (
            lambda x: ops.local_response_norm(x, method="loop"),
            ValueError,
            "unknown method 'loop'; use 'auto', 'lax', 'im2col'",
        ),
        (
            lambda x: ops.contrast_norm(x, size=3, alpha=1.0, beta=1.0, method="loop"),
            ValueError,
            "unknown method 'loop'",
        ),
        (
            lambda x: ops.local_response_norm_within(x[0, 0], size=3, alpha=1.0, beta=1.0),
            ShapeError,
            "the sizes () have 0 spatial axes",
        ),
        (
            lambda x: ops.contrast_norm(x, size=0, alpha=1.0, beta=1.0),
            ValueError,
            "size=0, whole numbers of at least 1",
        ),
        (
            lambda x: ops.group_norm(x, 2, 1e-5),
            ShapeError,
            "2 groups do not divide 3 channels; use a divisor of 3",
        ),
        (lambda x: ops.group_norm(x, 0, 1e-5), ShapeError, "0 groups do not divide 3 channels"),
    ],
)
def test_error(call, error, words):
    with pytest.raises(error, match=re.escape(words)):
        call(jnp.zeros((2, 7, 5, 3)))


@pytest.mark.parametrize("shape", [(7, 5, 3, 4), (7, 11, 4), (7, 4)])
def test_statistics_in_one_pass_are_those_in_two(shape, rng, close, x64):
    """Where the mean is a thousand times the deviation too, and E[x^2] - E[x]^2 would have lost
    half of its digits.
    """
    x = rng.standard_normal(shape) * [1, 2, 3, 4] + [0, 1e3, -2e3, 5]
    close(_in_one_pass(x), _in_two_passes(x), 1e-12)
    mean, var = _in_one_pass(jnp.asarray(x, jnp.float32))
    exact = _in_two_passes(jnp.asarray(x, jnp.float32).astype(float))
    close((mean, var), exact, 1e-5)


def test_a_constant_channel_has_no_variance():
    _, var = _in_one_pass(jnp.full((3, 5, 7, 2), 1e3, jnp.float32))
    assert var.tolist() == [0, 0]


def test_batch_norm_reads_x_once_for_its_statistics_but_on_a_cpu():
    traced = jax.jit(lambda *a: ops.batch_norm(*a, 1e-5)).trace(
        jnp.zeros((7, 5, 3, 4)), jnp.ones(4), jnp.zeros(4)
    )
    text = lambda p: traced.lower(lowering_platforms=(p,)).as_text()
    first = "tensor<7x1x1x4xf32>"  # every example's first position
    assert {p: first in text(p) for p in ("cpu", "cuda", "tpu")} == {
        "cpu": False,
        "cuda": True,
        "tpu": True,
    }
    assert "conditional(" not in traced.lower().compile().as_text()
