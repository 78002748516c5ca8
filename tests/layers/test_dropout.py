import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Dropout, DropPath, LayerError

# compiles faster than the default generator
KEY, OTHER = (jax.random.key(seed, impl="unsafe_rbg") for seed in (7, 8))


@pytest.fixture(scope="module")
def x():
    return jnp.asarray(np.random.default_rng(0).uniform(1, 2, (64, 5, 7, 11)), jnp.float32)


def dropped(layer, x, key=KEY):
    """Where the output is zero; elsewhere it must be x scaled up."""
    y, state = layer.apply({}, {}, x, train=True, key=key)
    assert state == {}
    zero = np.asarray(y) == 0
    np.testing.assert_allclose(
        np.asarray(y)[~zero], np.asarray(x)[~zero] / (1 - layer.rate), rtol=1e-6
    )
    return zero


@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_rate_is_the_fraction_dropped_and_the_rest_is_scaled_up(rate, x):
    zero = dropped(Dropout(rate), x)
    assert abs(zero.mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / zero.size)
    y, _ = Dropout(rate).apply({}, {}, x, train=True, key=KEY)
    assert abs(y.mean() / x.mean() - 1) < 0.05  # the expectation stays


def test_values_are_dropped_apart_and_otherwise_under_another_key(x):
    zero = dropped(Dropout(0.5), x)
    assert 0 < zero[0, :, :, 0].sum() < 35
    np.testing.assert_array_equal(zero, dropped(Dropout(0.5), x))
    assert (zero != dropped(Dropout(0.5), x, OTHER)).mean() > 0.4


def test_channel_dropout_drops_whole_channels_of_an_example(x):
    zero = dropped(Dropout(0.3, channels=True), x)
    whole = zero[:, 0, 0]
    np.testing.assert_array_equal(zero, np.broadcast_to(whole[:, None, None], zero.shape))
    assert abs(whole.mean() - 0.3) < 5 * np.sqrt(0.21 / whole.size)
    assert len(np.unique(whole, axis=0)) > 32  # each example its own


def test_drop_path_drops_whole_examples(x):
    zero = dropped(DropPath(0.4), x)
    whole = zero[:, 0, 0, 0]
    np.testing.assert_array_equal(zero, np.broadcast_to(whole[:, None, None, None], zero.shape))
    assert 10 < whole.sum() < 42
    assert DropPath().rate == 0.1


@pytest.mark.parametrize("layer", [Dropout(0.5), Dropout(0.5, channels=True), DropPath(0.5)])
def test_at_test_time_nothing_happens_with_or_without_a_key(layer, x):
    assert layer.apply({}, {}, x)[0] is x
    assert layer.apply({}, {}, x, key=KEY)[0] is x


def test_a_rate_of_zero_needs_no_key(x):
    assert Dropout(0.0).apply({}, {}, x, train=True)[0] is x


@pytest.mark.parametrize("layer", [Dropout(0.5), DropPath(0.5)])
def test_training_without_a_key(layer, x):
    words = (
        rf"^{type(layer).__name__} draws in training and got no key; call apply\(..., train=True, "
        r"key=jax.random.key\(0\)\)$"
    )
    with pytest.raises(LayerError, match=words):
        layer.apply({}, {}, x, train=True)


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5])
@pytest.mark.parametrize("layer", [Dropout, DropPath])
def test_rates_that_cannot_be(layer, rate):
    with pytest.raises(
        ValueError,
        match=rf"^{layer.__name__}: rate={rate}, a number at least 0 and below 1 was expected$",
    ):
        layer(rate)
