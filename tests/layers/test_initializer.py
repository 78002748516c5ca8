import jax
import numpy as np
import pytest

from jconv import Conv, Dense, Initializer
from jconv.layers import (
    bilinear,
    constant,
    gaussian,
    glorot_uniform,
    he_normal,
    identity,
    lecun_normal,
    ones,
    partial_identity,
    torch_uniform,
    uniform,
    xavier,
    zeros,
)

KEY = jax.random.key(5, impl="unsafe_rbg")  # compiles several times faster than the default generator
SHAPE, FANS = (5, 5, 24, 64), (600, 1600)
N = 5 * 5 * 24 * 64


@pytest.fixture(scope="module")
def drawn():
    """Every array has one shape, so that one program draws all of a kind."""
    return lambda initializer: np.asarray(initializer(KEY, SHAPE, *FANS), np.float64)


@pytest.mark.parametrize(
    ("initializer", "std"),
    [
        (he_normal(), np.sqrt(2 / 600)),
        (he_normal("out"), np.sqrt(2 / 1600)),
        (he_normal("average"), np.sqrt(2 / 1100)),
        (lecun_normal(), np.sqrt(1 / 600)),
        (gaussian(0.01), 0.01),
    ],
)
def test_normal_draws(initializer, std, drawn):
    a = drawn(initializer)
    assert abs(a.std() / std - 1) < 5 / np.sqrt(2 * N)
    assert abs(a.mean()) < 5 * std / np.sqrt(N)
    assert abs(((a / std) ** 4).mean() - 3) < 5 * np.sqrt(96 / N)  # a normal distribution's


@pytest.mark.parametrize(
    ("initializer", "limit"),
    [
        (glorot_uniform(), np.sqrt(6 / 2200)),
        (xavier(), np.sqrt(3 / 600)),
        (torch_uniform(), np.sqrt(1 / 600)),
        (uniform(0.05), 0.05),
    ],
)
def test_uniform_draws(initializer, limit, drawn):
    a = drawn(initializer)
    assert 0.999 * limit < abs(a).max() <= limit * (1 + 1e-6)
    assert abs(a.std() / (limit / np.sqrt(3)) - 1) < 5 * np.sqrt(0.2 / N)
    assert abs(a.mean()) < 5 * limit / np.sqrt(3 * N)


def test_constants():
    np.testing.assert_array_equal(constant(0.1)(KEY, (2, 3), 1, 1), np.full((2, 3), 0.1, np.float32))
    np.testing.assert_array_equal(zeros(KEY, (3,), 1, 1), np.zeros(3))
    np.testing.assert_array_equal(ones(KEY, (3,), 1, 1), np.ones(3))


def test_everything_is_float32_also_under_x64(x64):
    for initializer in (he_normal(), glorot_uniform(), constant(1.0), identity(), partial_identity(), bilinear()):
        assert jax.eval_shape(lambda key: initializer(key, (3, 3, 4, 4), 36, 36), KEY).dtype == np.float32  # noqa: B023


def test_fans_come_from_the_layer():
    """The std of what init draws, for a conv of 5*5*24 inputs a unit and a dense layer of 300."""
    conv, _ = Conv(64, 5).init(KEY, (6, 6, 24))
    assert abs(np.std(conv["kernel"]) / np.sqrt(2 / 600) - 1) < 5 / np.sqrt(2 * N)
    dense, _ = Dense(128, kernel_init=lecun_normal()).init(KEY, (300,))
    assert abs(np.std(dense["kernel"]) / np.sqrt(1 / 300) - 1) < 5 / np.sqrt(2 * 300 * 128)


@pytest.mark.parametrize("kernel", [3, 5, (3, 1)])
def test_identity_passes_its_channels_on(kernel, rng):
    layer = Conv(4, kernel, padding="SAME", kernel_init=identity())
    params, _ = layer.init(KEY, (7, 5, 4))
    x = rng.standard_normal((2, 7, 5, 4)).astype(np.float32)
    np.testing.assert_array_equal(layer.apply(params, {}, jax.numpy.asarray(x))[0], x)


def test_identity_between_widths_copies_out_and_averages_in_b11():
    wide = np.asarray(identity()(KEY, (1, 1, 2, 4), 2, 4))[0, 0]
    np.testing.assert_array_equal(wide, [[1, 1, 0, 0], [0, 0, 1, 1]])
    narrow = np.asarray(identity()(KEY, (1, 1, 4, 2), 4, 2))[0, 0]
    np.testing.assert_array_equal(narrow, [[0.5, 0], [0.5, 0], [0, 0.5], [0, 0.5]])


def test_partial_identity_passes_its_channels_on_and_draws_the_rest(rng, drawn):
    layer = Conv(10, 3, padding=1, bias=False, kernel_init=partial_identity())
    params, _ = layer.init(KEY, (7, 5, 4))
    x = rng.standard_normal((2, 7, 5, 4)).astype(np.float32)
    y, _ = layer.apply(params, {}, jax.numpy.asarray(x))
    np.testing.assert_allclose(y[..., :4], x, rtol=1e-6)
    kernel = drawn(partial_identity())
    np.testing.assert_array_equal(kernel[..., 24:], drawn(torch_uniform())[..., 24:])
    assert (kernel[..., :24] == 0).mean() == 1 - 24 / (25 * 24 * 24)
    narrow = np.asarray(partial_identity()(KEY, (1, 3, 4, 2), 12, 6))
    assert narrow.sum() == 2 and narrow[0, 1, 0, 0] == narrow[0, 1, 1, 1] == 1


def test_bilinear_is_caffes_filler():
    kernel = np.asarray(bilinear()(KEY, (4, 4, 1, 1), 16, 16))[..., 0, 0]
    np.testing.assert_allclose(kernel, np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25]))
    np.testing.assert_allclose(np.asarray(bilinear()(KEY, (3, 2, 2), 6, 6))[:, 0, 0], [0.5, 1, 0.5])
    assert not np.asarray(bilinear()(KEY, (3, 2, 2), 6, 6))[:, 0, 1].any()


def test_unknown_words():
    with pytest.raises(
        ValueError, match="^Initializer: unknown distribution 'cauchy'; use 'normal', 'uniform', 'constant', 'identity', 'part"
    ):
        Initializer("cauchy")
    with pytest.raises(ValueError, match="^Initializer: unknown fan 'both'; use 'none', 'in', 'out', 'average'$"):
        he_normal("both")
