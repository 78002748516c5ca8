import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Dense, Flatten, PadChannels, ShapeError


def test_weights_of_one_neuron():
    weights = lambda *shape: Dense(1).parameters(Flatten().out_shape(shape))["kernel"].size
    assert weights(32, 32, 3) == 3_072
    assert weights(200, 200, 3) == 120_000


def test_it_is_a_matrix_product_and_a_bias(filled, rng, close):
    params, _ = filled(Dense(3), (5,))
    x = jnp.asarray(rng.standard_normal((2, 5)), jnp.float32)
    expected = np.asarray(x, np.float64) @ np.asarray(params["kernel"], np.float64)
    close(Dense(3).apply(params, {}, x)[0], expected + np.asarray(params["bias"]), 1e-5)
    close(
        Dense(3, bias=False, precision="highest").apply({"kernel": params["kernel"]}, {}, x)[0],
        expected,
        1e-5,
    )
    assert set(Dense(3, bias=False).parameters((5,))) == {"kernel"}


def test_its_method(filled, rng, close):
    params, _ = filled(Dense(3), (5,))
    x = jnp.asarray(rng.standard_normal((2, 5)), jnp.float32)
    run = {
        method: lambda x, method=method: Dense(3, method=method).apply(params, {}, x)[0]
        for method in ("auto", "lax", "im2col")
    }
    assert ["jconv_" in str(jax.make_jaxpr(f)(x)) for f in run.values()] == [True, False, False]
    for f in run.values():
        close(f(x), run["auto"](x), 1e-6)
    with pytest.raises(
        ValueError, match="Dense: unknown method 'split'; use 'auto', 'lax', 'im2col'"
    ):
        Dense(3, method="split")


def test_cost_and_fans():
    assert Dense(4096).macs((25_088,)) == 102_760_448
    kernel = Dense(3).parameters((5,))["kernel"]
    assert (kernel.fan_in, kernel.fan_out) == (5, 3)


def test_flatten_runs_row_major_with_the_channel_fastest():
    x = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    y, _ = Flatten().apply({}, {}, jnp.asarray(x))
    np.testing.assert_array_equal(y, x.reshape(2, 60))
    assert y[1, (2 * 4 + 1) * 5 + 3] == x[1, 2, 1, 3]
    assert Flatten().out_shape((3, 4, 5)) == (60,)


def test_pad_channels_appends_zeros(rng):
    x = jnp.asarray(rng.standard_normal((2, 3, 4, 5)), jnp.float32)
    y, _ = PadChannels(8).apply({}, {}, x)
    np.testing.assert_array_equal(y[..., :5], x)
    assert not y[..., 5:].any()
    assert y.shape == (2, *PadChannels(8).out_shape((3, 4, 5)))
    centred, _ = PadChannels(8, before=2).apply({}, {}, x)
    np.testing.assert_array_equal(centred[..., 2:7], x)
    assert not centred[..., :2].any() and not centred[..., 7:].any()


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: Dense(0), "Dense: features=0, whole numbers of at least 1 were expected"),
        (lambda: Dense(2.5), "Dense: features=2.5, a whole number was expected"),
        (
            lambda: Dense(3).out_shape((7, 5, 3)),
            "the input shape (7, 5, 3) has 3 axes, (features,) was expected; put a Flatten() or "
            "GlobalAvgPool() before",
        ),
        (
            lambda: Dense(3).init(jax.random.key(0), (7, 3)),
            "the input shape (7, 3) has 2 axes, (features,) was expected; put a Flatten()",
        ),
        (
            lambda: PadChannels(4).out_shape((3, 3, 5)),
            "the 5 channels of the input are more than channels=4",
        ),
        (
            lambda: PadChannels(6, before=2).out_shape((3, 3, 5)),
            "2 zeros and the 5 channels of the input are more than channels=6",
        ),
    ],
)
def test_settings_and_inputs_that_cannot_be(build, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        build()


@pytest.mark.parametrize(
    ("shape", "words"),
    [
        ((5,), "x of shape (5,) lacks the batch axis"),
        ((2, 7, 5), "x of shape (2, 7, 5) for the kernel of shape (5, 3): their ranks disagree"),
        (
            (2, 6),
            "x of shape (2, 6) for a kernel of shape (5, 3): 6 features came, 5 were expected; "
            "initialise for this input",
        ),
    ],
)
def test_batches_of_another_shape_than_inits(shape, words, filled):
    params, _ = filled(Dense(3), (5,))
    with pytest.raises(ShapeError, match=f"^{re.escape(words)}"):
        Dense(3).apply(params, {}, jnp.zeros(shape))
