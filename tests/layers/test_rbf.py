import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import LayerError, Rbf, ShapeError

# compiles several times faster than the default generator
KEY = jax.random.key(5, impl="unsafe_rbg")


def test_scores_are_minus_the_squared_distances_in_loops(rng, close):
    x, codes = (
        rng.standard_normal((2, 7), np.float32),
        rng.choice([-1.0, 1.0], (7, 3)).astype(np.float32),
    )
    y, state = Rbf(3).apply({}, {"codes": codes}, jnp.asarray(x))
    expected = [
        [-sum((x[n, j] - codes[j, k]) ** 2 for j in range(7)) for k in range(3)] for n in range(2)
    ]
    close(y, np.array(expected), 1e-6)
    assert state == {"codes": codes}


def test_every_position_of_a_map_is_scored_alike(rng, close):
    x, codes = (
        jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in ((2, 3, 5, 7), (7, 4))
    )
    y, _ = Rbf(4, positions=True).apply({}, {"codes": codes}, x)
    close(y[1, 2, 3], Rbf(4).apply({}, {"codes": codes}, x[1:, 2, 3])[0][0], 1e-6)
    assert Rbf(4, positions=True).out_shape((3, 5, 7)) == y.shape[1:]
    assert Rbf(4, positions=True).macs((3, 5, 7)) == 15 * Rbf(4).macs((7,))


def test_the_codes_are_signs_and_state():
    params, state = Rbf(31).init(KEY, (37,))
    assert params == {}
    codes = np.asarray(state["codes"])
    assert codes.shape == (37, 31)
    assert set(np.unique(codes)) == {-1.0, 1.0}
    assert abs(codes.mean()) < 5 / np.sqrt(codes.size)
    assert Rbf(31).macs((37,)) == 37 * 31


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Rbf(0), ValueError, "Rbf: features=0, whole numbers of at least 1 were expected"),
        (
            lambda: Rbf(3).out_shape((5, 5, 7)),
            ShapeError,
            "the input shape (5, 5, 7) has 3 axes, (features,) was expected; put a Flatten() "
            "before",
        ),
        (
            lambda: Rbf(3).apply({}, {"codes": jnp.ones((7, 3))}, jnp.ones((2, 5))),
            ShapeError,
            "x of shape (2, 5) for the codes of shape (7, 3): Rbf declares (5, 3) for it; "
            "initialise for this input",
        ),
        (
            lambda: Rbf(3).apply({}, {"codes": jnp.ones((7, 3))}, jnp.ones((2, 7), int)),
            LayerError,
            "the input has dtype int32",
        ),
    ],
)
def test_errors(call, error, words):
    with pytest.raises(error, match=f"^{re.escape(words)}"):
        call()
