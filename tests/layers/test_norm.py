import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import BatchNorm, GroupNorm, LayerNorm, Normalize, Scale, ShapeError

SHAPE = (7, 5, 6)


def standard(x, axes, eps):
    """(x - mean) / sqrt(biased variance + eps) in float64."""
    x = np.asarray(x, np.float64)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


@pytest.fixture
def x(rng):
    """Values whose mean is far from zero: E[x^2] - E[x]^2 would cancel."""
    return jnp.asarray(100 + 3 * rng.standard_normal((3, *SHAPE)), jnp.float32)


@pytest.mark.parametrize("unbiased", [True, False])
def test_batch_norm_in_training(unbiased, filled, x, close):
    layer = BatchNorm(decay=0.8, eps=0.5, unbiased=unbiased)
    params, state = filled(layer, SHAPE)
    y, new = layer.apply(params, state, x, train=True)
    scale, bias = (np.asarray(params[name], np.float64) for name in ("scale", "bias"))
    close(y, scale * standard(x, (0, 1, 2), 0.5) + bias, 1e-5)
    wide = np.asarray(x, np.float64)
    close(new["mean"], 0.8 * np.asarray(state["mean"]) + 0.2 * wide.mean((0, 1, 2)), 1e-5)
    close(
        new["var"],
        0.8 * np.asarray(state["var"]) + 0.2 * wide.var((0, 1, 2), ddof=int(unbiased)),
        1e-5,
    )


def test_batch_norm_at_test_time(filled, x, close):
    layer = BatchNorm(eps=0.5)
    params, state = filled(layer, SHAPE)
    y, new = layer.apply(params, state, x)
    scale, bias, mean, var = (
        np.asarray(a, np.float64)
        for a in (params["scale"], params["bias"], state["mean"], state["var"])
    )
    close(y, scale * (np.asarray(x, np.float64) - mean) / np.sqrt(var + 0.5) + bias, 1e-5)
    assert new is state


def test_the_gradient_goes_through_the_batch_statistics(x64, rng, compiled):
    layer = BatchNorm(eps=1e-12, scale=False, bias=False)
    x, weight = (jnp.asarray(rng.standard_normal((5, 3))) for _ in range(2))
    state = {"mean": jnp.zeros(3), "var": jnp.ones(3)}
    dx = compiled(jax.grad(lambda x: (layer.apply({}, state, x, train=True)[0] * weight).sum()))(x)
    # a shift of the whole batch changes nothing
    np.testing.assert_allclose(dx.sum(0), 0, atol=1e-12)
    # and neither does a stretch
    np.testing.assert_allclose((np.asarray(dx) * standard(x, 0, 0)).sum(0), 0, atol=1e-9)
    assert abs(dx).max() > 0.1


def test_batch_norm_begins_as_the_identity_on_standard_values():
    params, state = BatchNorm().init(jax.random.key(0), SHAPE)
    np.testing.assert_array_equal(params["scale"], np.ones(6))
    np.testing.assert_array_equal(params["bias"], np.zeros(6))
    np.testing.assert_array_equal(state["mean"], np.zeros(6))
    np.testing.assert_array_equal(state["var"], np.ones(6))
    assert BatchNorm(scale=False).init(jax.random.key(0), SHAPE)[0].keys() == {"bias"}


def test_batch_norm_keeps_its_statistics_in_float32(filled, x):
    layer = BatchNorm()
    params, state = filled(layer, SHAPE)
    y, new = layer.apply(params, state, x.astype(jnp.bfloat16), train=True)
    assert y.dtype == jnp.bfloat16
    assert new["mean"].dtype == new["var"].dtype == jnp.float32
    np.testing.assert_allclose(
        new["mean"] - 0.9 * state["mean"], 0.1 * np.asarray(x).mean((0, 1, 2)), rtol=2e-3
    )


def test_group_norm(filled, x, close):
    params, _ = filled(GroupNorm(2), SHAPE)
    expected = standard(np.asarray(x).reshape(3, 7, 5, 2, 3), (1, 2, 4), 0.1).reshape(x.shape)
    y, _ = GroupNorm(2, eps=0.1).apply(params, {}, x)
    close(y, expected * np.asarray(params["scale"]) + np.asarray(params["bias"]), 1e-5)
    alone, _ = GroupNorm(2, eps=0.1).apply(params, {}, x[:1])
    close(alone, y[:1], 1e-5)  # each example apart


def test_layer_norm(filled, x, close):
    params, _ = filled(LayerNorm(), SHAPE)
    y, _ = LayerNorm(eps=0.1).apply(params, {}, x)
    close(y, standard(x, -1, 0.1) * np.asarray(params["scale"]) + np.asarray(params["bias"]), 1e-5)
    vector, _ = LayerNorm(eps=0.1, scale=False, bias=False).apply({}, {}, x[:, 0, 0])
    close(vector, standard(x[:, 0, 0], -1, 0.1), 1e-5)


def test_scale(filled, x):
    params, _ = filled(Scale(), SHAPE)
    y, _ = Scale().apply(params, {}, x)
    np.testing.assert_allclose(
        y, np.asarray(x) * np.asarray(params["scale"]) + np.asarray(params["bias"]), rtol=1e-6
    )
    y, _ = Scale(bias=False).apply({"scale": params["scale"]}, {}, x)
    np.testing.assert_allclose(y, np.asarray(x) * np.asarray(params["scale"]), rtol=1e-6)


def test_normalize_makes_floats_of_images(rng):
    image = rng.integers(0, 256, (2, 5, 3, 3), np.uint8)
    mean, std = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7)
    y, _ = Normalize(mean, std).apply({}, {}, jnp.asarray(image))
    assert y.dtype == jnp.float32
    np.testing.assert_allclose(y, (image - np.array(mean)) / np.array(std), rtol=1e-5, atol=1e-6)
    y, _ = Normalize(0.0, 255.0).apply({}, {}, jnp.asarray(image))
    np.testing.assert_allclose(y, image / 255, rtol=1e-6)
    half, _ = Normalize(1.0, 2.0).apply({}, {}, jnp.full((1, 2, 2, 3), 3.0, jnp.bfloat16))
    assert half.dtype == jnp.bfloat16
    np.testing.assert_array_equal(half.astype(jnp.float32), 1)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda: GroupNorm(4).out_shape(SHAPE),
            "4 groups do not divide 6 channels; use a divisor of 6",
        ),
        (lambda: GroupNorm(0), "GroupNorm: groups=0, whole numbers of at least 1 were expected"),
        (
            lambda: Normalize((1.0, 2.0)).out_shape(SHAPE),
            "mean=(1.0, 2.0) has 2 entries for 6 channels; give one a channel, or one for all",
        ),
        (
            lambda: Normalize(0.0, (1.0,)).out_shape(SHAPE),
            "std=(1.0,) has 1 entries for 6 channels; give one a channel, or one for all",
        ),
    ],
)
def test_settings_that_cannot_be(build, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        build()


@pytest.mark.parametrize("train", [False, True])
@pytest.mark.parametrize("channels", [1, 5])
@pytest.mark.parametrize(
    "layer", [BatchNorm(), BatchNorm(scale=False, bias=False), GroupNorm(1), LayerNorm(), Scale()]
)
def test_a_batch_of_other_channels_is_not_broadcast(layer, channels, train, filled):
    params, state = filled(layer, SHAPE)
    with pytest.raises(
        ShapeError,
        match=rf"^x of shape .* for the (scale|mean) of shape \(6,\): {type(layer).__name__} "
        rf"declares \({channels},\) for it; initialise for this",
    ):
        jax.eval_shape(
            lambda x: layer.apply(params, state, x, train=train)[0],
            jax.ShapeDtypeStruct((2, 7, 5, channels), jnp.float32),
        )
