import math
import re

import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    Clip,
    Elu,
    Gelu,
    Identity,
    Lambda,
    LeakyRelu,
    Maxout,
    Relu,
    Sequential,
    ShapeError,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Tanh,
    summary,
)

erf = np.vectorize(math.erf)
sigmoid = lambda x: 1 / (1 + np.exp(-x))


@pytest.mark.parametrize(
    ("layer", "formula"),
    [
        (Identity(), lambda x: x),
        (Relu(), lambda x: np.maximum(0, x)),
        (Clip(), lambda x: np.minimum(np.maximum(x, 0), 6)),
        (Clip(-0.5, 0.25), lambda x: np.clip(x, -0.5, 0.25)),
        (LeakyRelu(0.2), lambda x: np.where(x > 0, x, 0.2 * x)),
        (LeakyRelu(), lambda x: np.where(x > 0, x, 0.01 * x)),
        (Elu(0.7), lambda x: np.where(x > 0, x, 0.7 * (np.exp(x) - 1))),
        (Gelu(approximate=False), lambda x: x * (1 + erf(x / np.sqrt(2))) / 2),
        (Gelu(), lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))),
        (Silu(), lambda x: x * sigmoid(x)),
        (Sigmoid(), sigmoid),
        (Tanh(), np.tanh),
        (Tanh(1.7159, 2 / 3), lambda x: 1.7159 * np.tanh(2 * x / 3)),
        (Softplus(), lambda x: np.log(1 + np.exp(x))),
        (Softmax(), lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
        (Maxout(), lambda x: x.reshape(2, 3, 2, 2).max(-1)),
        (Lambda(jnp.square), np.square),
    ],
)
def test_the_formula(layer, formula, rng):
    x = 2 * rng.standard_normal((2, 3, 4))
    y, _ = layer.apply({}, {}, jnp.asarray(x, jnp.float32))
    np.testing.assert_allclose(y, formula(x), rtol=2e-5, atol=1e-6)
    assert y.shape[1:] == layer.out_shape((3, 4))
    assert layer.parameters((3, 4)) == {}


def test_a_relu_has_neither_parameters_nor_settings_and_keeps_the_shape():
    assert vars(Relu()) == {}
    assert Relu().out_shape((32, 32, 12)) == (32, 32, 12)
    assert summary(Relu(), (32, 32, 12)).totals.params == 0
    assert summary(Relu(), (32, 32, 12)).rows[0].values == 0  # computed in place


def test_maxout_takes_consecutive_channels():
    y, _ = Maxout(3).apply({}, {}, jnp.array([[1.0, 5, 2, 8, 0, 9]]))
    np.testing.assert_array_equal(y, [[5, 9]])
    assert not Maxout.in_place


def test_a_lambdas_shape_is_the_functions():
    grid = Lambda(lambda x: x[:, ::2, :, None])
    assert grid.out_shape((5, 3)) == (3, 3, 1)
    assert Sequential(grid=grid, relu=Relu()).out_shape((5, 3)) == (3, 3, 1)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda: Maxout(4).out_shape((7, 5, 6)),
            "4 pieces do not divide 6 channels; use a divisor of 6",
        ),
        (lambda: Maxout(0), "Maxout: pieces=0, whole numbers of at least 1 were expected"),
    ],
)
def test_settings_that_cannot_be(build, words):
    with pytest.raises((ShapeError, ValueError), match=f"^{re.escape(words)}"):
        build()
