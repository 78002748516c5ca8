import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import ShapeError, ops

CASES = [
    ((14, 10), "nearest"),
    ((3, 13), "nearest"),
    ((14, 10), "bilinear"),
    ((3, 13), "bilinear"),
    ((7, 1), "bilinear"),
]


@pytest.mark.sweep(2)
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("sizes", "mode"), CASES)
def test_every_method_gives_the_same_forwards_and_back(sizes, mode, align_corners, rng, close):
    if align_corners and mode == "nearest":
        return
    x = jnp.asarray(rng.standard_normal((2, 7, 5, 3)), jnp.float32)
    how = dict(mode=mode, align_corners=align_corners)
    run = lambda method: jax.vjp(lambda x: ops.resize(x, sizes, method=method, **how), x)
    (y, back), (twin, twin_back) = run("auto"), run("im2col")
    close(y, twin, 1e-6)
    slope = jnp.asarray(rng.standard_normal(y.shape), jnp.float32)
    close(back(slope), twin_back(slope), 1e-6)


def test_numbers_by_hand():
    x = jnp.asarray([0.0, 4.0, 8.0]).reshape(1, 3, 1)
    resize = lambda n, **how: np.ravel(ops.resize(x, (n,), **how)).tolist()
    assert resize(6) == [0, 0, 4, 4, 8, 8]
    assert resize(2) == [0, 4]
    # at -1/4, 1/4, 3/4, ... pixels, held at the border
    assert resize(6, mode="bilinear") == [0, 1, 3, 5, 7, 8]
    assert resize(5, mode="bilinear", align_corners=True) == [0, 2, 4, 6, 8]
    assert resize(1, mode="bilinear", align_corners=True) == [0]


def test_what_stays_is_not_touched():
    x = jnp.ones((1, 3, 4, 2))
    assert ops.resize(x, (3, 4), mode="bilinear") is x


def test_half_precision_is_interpolated_in_float32():
    x = jnp.asarray([0, 256], jnp.bfloat16).reshape(1, 2, 1)
    y = ops.resize(x, (64,), mode="bilinear")
    assert y.dtype == jnp.bfloat16
    np.testing.assert_array_equal(
        np.ravel(y)[16:48], jnp.asarray(np.arange(2, 256, 8) + 2, jnp.bfloat16)
    )


@pytest.mark.parametrize(
    "run, words",
    [
        (
            lambda x: ops.resize(x, (4,)),
            r"sizes=\(4,\) for x of shape \(1, 3, 4, 2\): one entry per axis was expected, 2 in "
            r"all",
        ),
        (lambda x: ops.pixel_shuffle(x, 2), r"2\^2 does not divide the 2 channels"),
        (
            lambda x: ops.resize(x, (4, 4), mode="cubic"),
            "unknown mode 'cubic'; use 'nearest', 'bilinear'",
        ),
        (lambda x: ops.resize(x, (4, 0)), "sizes=.*whole numbers of at least 1"),
    ],
)
def test_what_cannot_be_is_named(run, words):
    with pytest.raises(ValueError, match=words):
        run(jnp.ones((1, 3, 4, 2)))
    assert issubclass(ShapeError, ValueError)


@pytest.mark.parametrize("sizes", [(5,), (2, 3), (2, 1, 3)])
def test_shuffling_pixels_is_a_transposition(sizes, rng):
    rank = len(sizes)
    x = rng.integers(0, 99, (2, *sizes, 3 * 2**rank))
    y = np.asarray(ops.pixel_shuffle(jnp.asarray(x), 2))
    assert y.shape == (2, *(2 * n for n in sizes), 3)
    for position in np.ndindex(*y.shape[1:-1]):
        inside = 0
        for p in position:
            inside = 2 * inside + p % 2
        whole = tuple(p // 2 for p in position)
        for c in range(3):
            np.testing.assert_array_equal(
                y[(slice(None), *position, c)], x[(slice(None), *whole, c * 2**rank + inside)]
            )
