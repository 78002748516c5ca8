import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import (
    AdaptiveAvgPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    LpPool,
    MaxPool,
    Sequential,
    ShapeError,
    Subsampling,
    Tanh,
    summary,
    with_method,
)

SLICE = [[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]  # the CS231n notes' figure
FOUR, THREE = np.arange(1, 17).reshape(4, 4), np.arange(1, 10).reshape(3, 3)


@pytest.mark.parametrize(
    ("layer", "image", "expected"),
    [
        (MaxPool(2), SLICE, [[6, 8], [3, 4]]),
        (AvgPool(2), SLICE, [[3.25, 5.25], [2, 2]]),
        (LpPool(2), SLICE, np.sqrt([[63, 133], [18, 26]])),
        (LpPool(2, p=1), SLICE, [[13, 21], [8, 8]]),
        (MaxPool(3, 2, rounding="ceil"), FOUR, [[11, 12], [15, 16]]),
        (MaxPool(3, 2), FOUR, [[11]]),
        (AvgPool(3, 2, rounding="ceil"), FOUR, [[6, 7.5], [12, 13.5]]),
        (
            AvgPool(3, 2, padding=1, rounding="ceil"),
            FOUR,
            [[14 / 9, 10 / 3, 2], [19 / 3, 11, 6], [4.5, 7.5, 4]],
        ),
        (
            AvgPool(3, 2, padding=1, rounding="ceil", count_padding=False),
            FOUR,
            [[3.5, 5, 6], [9.5, 11, 12], [13.5, 15, 16]],
        ),
        (MaxPool(2, 2, padding=1, rounding="ceil"), THREE, [[1, 3], [7, 9]]),
        (AvgPool(2, 2, padding=1, rounding="ceil"), THREE, [[0.25, 1.25], [2.75, 7]]),
        (MaxPool((1, 3), (2, 1)), FOUR, [[3, 4], [11, 12]]),
        # padding never wins
        (MaxPool(2, padding=1), -FOUR, [[-1, -2, -4], [-5, -6, -8], [-13, -14, -16]]),
        (AdaptiveAvgPool(2), FOUR, [[3.5, 5.5], [11.5, 13.5]]),
        (AdaptiveAvgPool((2, 1)), THREE, [[3.5], [6.5]]),  # bins that overlap
        (GlobalAvgPool(), SLICE, 50 / 16),
        (GlobalMaxPool(), -FOUR, -1),
    ],
)
def test_and_c2_by_hand(layer, image, expected, compiled):
    x = jnp.asarray(image, jnp.float32)[None, ..., None]
    for y in compiled(
        lambda x: [net.apply({}, {}, x)[0] for net in (layer, with_method(layer, "im2col"))]
    )(x):
        np.testing.assert_allclose(y[0, ..., 0], expected, rtol=1e-6)
        assert y.shape[1:] == layer.out_shape(x.shape[1:])


def test_a_pool_keeps_the_depth_and_has_no_parameters(rng):
    assert MaxPool(2).out_shape((224, 224, 64)) == (112, 112, 64)
    for layer in (MaxPool(2), AvgPool(2), LpPool(2), GlobalAvgPool(), AdaptiveAvgPool(2)):
        assert layer.init(jax.random.key(0), (6, 6, 3)) == ({}, {})
    x = jnp.asarray(rng.standard_normal((2, 6, 4, 3)), jnp.float32)
    y, _ = MaxPool(2).apply({}, {}, x)
    for c in range(3):  # every slice apart
        np.testing.assert_array_equal(
            y[..., c], np.asarray(x)[..., c].reshape(2, 3, 2, 2, 2).max((2, 4))
        )


def test_the_two_common_pools():
    assert MaxPool(3, 2).out_shape((55, 55, 96)) == (27, 27, 96)
    with pytest.raises(ShapeError, match="15.5"):
        MaxPool(3, 2, rounding="exact").out_shape((32, 32, 3))
    with pytest.raises(ShapeError, match="16.5"):
        MaxPool(3, 2, padding=1, rounding="exact").out_shape((32, 32, 3))
    assert MaxPool(3, 2, padding=((0, 1), (0, 1)), rounding="exact").out_shape((32, 32, 3)) == (
        16,
        16,
        3,
    )


def test_the_gradient_of_a_max_pool_goes_to_the_winner_s57():
    gradient = jax.grad(
        lambda x: (
            MaxPool(2).apply({}, {}, x)[0][0, ..., 0] * jnp.array([[1.0, 2.0], [3.0, 4.0]])
        ).sum()
    )
    dx = np.asarray(gradient(jnp.asarray(SLICE, jnp.float32)[None, ..., None])).ravel()
    assert {int(i): float(dx[i]) for i in np.flatnonzero(dx)} == {5: 1, 7: 2, 8: 3, 15: 4}


def test_the_gradient_of_lp_pooling_is_zero_at_zero():
    gradient = jax.grad(lambda x: LpPool(2).apply({}, {}, x)[0].sum())(
        jnp.zeros((1, 2, 4, 1)).at[0, 0, 0, 0].set(3.0)
    )
    np.testing.assert_array_equal(gradient[0, ..., 0], [[1, 0, 0, 0], [0, 0, 0, 0]])


def test_lenets_trainable_subsampling(filled, rng, close):
    layer, shape = Subsampling(), (28, 28, 6)
    assert sum(p.size for p in layer.parameters(shape).values()) == 12
    assert sum(p.size for p in layer.parameters((10, 10, 16)).values()) == 32
    assert np.prod(layer.out_shape(shape)) * 5 == 5_880  # connections: four inputs and a bias
    x = jnp.asarray(rng.standard_normal((2, *shape)), jnp.float32)
    start, _ = layer.init(jax.random.key(0), shape)
    # it begins as average pooling
    close(layer.apply(start, {}, x)[0], AvgPool(2).apply({}, {}, x)[0], 1e-5)
    params, _ = filled(layer, shape)
    total = np.asarray(x).reshape(2, 14, 2, 14, 2, 6).sum((2, 4))
    close(
        layer.apply(params, {}, x)[0],
        total * np.asarray(params["scale"]) + np.asarray(params["bias"]),
        1e-5,
    )
    assert Sequential(s2=layer, squash=Tanh(1.7159, 2 / 3)).out_shape(shape) == (14, 14, 6)


def test_what_a_pool_leaves_out_is_noted():
    note = lambda layer, *shape: summary(layer, (*shape, 3)).rows[0].note
    assert note(MaxPool(2), 5, 5) == "drops 1x1 px at the border"
    assert note(MaxPool(3, 2), 5, 6) == "drops 0x1 px at the border"
    assert note(MaxPool(2, rounding="ceil"), 5, 5) == ""
    assert note(MaxPool(3, 2, padding=1), 6, 6) == "leaves 1x1 px of padding unused"


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: MaxPool(0), "MaxPool: window=0, whole numbers of at least 1 were expected"),
        (lambda: AvgPool(2, 0), "AvgPool: stride=0, whole numbers of at least 1 were expected"),
        (lambda: LpPool(2, p=0.5), "LpPool: p=0.5, a number at least 1 was expected"),
        (lambda: MaxPool(2, padding="same"), "MaxPool: unknown padding 'same'"),
        (
            lambda: MaxPool(2, rounding="round"),
            "MaxPool: unknown rounding 'round'; use 'floor', 'ceil', 'exact'",
        ),
        (
            lambda: AvgPool(2, method="gemm"),
            "AvgPool: unknown method 'gemm'; use 'auto', 'lax', 'im2col'",
        ),
        (
            lambda: Subsampling(0),
            "Subsampling: window=0, whole numbers of at least 1 were expected",
        ),
        (
            lambda: AdaptiveAvgPool(0),
            "AdaptiveAvgPool: sizes=0, whole numbers of at least 1 were expected",
        ),
        (
            lambda: AdaptiveAvgPool((2, 2)).out_shape((7, 3)),
            "sizes=(2, 2) has 2 entries but the input has 1 spatial axes",
        ),
        (
            lambda: MaxPool(5).out_shape((4, 7, 3)),
            "a 5-wide window does not fit 4 pixels padded by (0, 0)",
        ),
        (
            lambda: MaxPool(2, padding=2).out_shape((4, 4, 3)),
            "padding ((2, 2), (2, 2)) is as wide as the window (2, 2), so a window could see",
        ),
        (
            lambda: MaxPool(2).out_shape((4,)),
            "the input shape (4,) has 0 spatial axes, 1 to 3 were expected",
        ),
        (
            lambda: GlobalAvgPool().out_shape((4,)),
            "the input shape (4,) has 0 spatial axes, 1 to 3 were expected",
        ),
        (
            lambda: GlobalMaxPool().out_shape((4,)),
            "the input shape (4,) has 0 spatial axes, 1 to 3 were expected",
        ),
    ],
)
def test_settings_and_inputs_that_cannot_be(build, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        build()


HALF = [  # layer, side, value, expected, whether the window is small enough for im2col's slices
    (AvgPool(20), 20, 1.0, 1.0, False),
    (AvgPool(56), 56, 1.0, 1.0, False),
    (AvgPool(5, 1), 30, 1.0, 1.0, True),
    (AvgPool((1, 300)), 300, 1.0, 1.0, False),
    (LpPool(20), 20, 1.0, 20.0, False),
    (LpPool(6, p=3.0), 6, 1.0, 36 ** (1 / 3), True),
    (Subsampling(20), 20, 1.0, 1.0, False),
    (AvgPool(8), 8, 2000.0, 2000.0, True),
    (LpPool(2), 2, 300.0, 600.0, True),
    (Subsampling(8), 8, 2000.0, 2000.0, True),
]


@pytest.mark.parametrize(
    ("layer", "side", "value", "expected", "method"),
    [
        (*case, method)
        for *case, small in HALF
        for method in ("auto", "lax", *(["im2col"] if small else []))
    ],
)
def test_windows_of_half_precision_are_summed_in_float32_and_cast_once(
    layer, side, value, expected, method, compiled
):
    """bfloat16 stops growing at 256 ones, and float16 overflows at 65,504."""
    layer, dtype = replace(layer, method=method), jnp.bfloat16 if value == 1 else jnp.float16
    x = jnp.full((1, side, side, 2), value, dtype)
    params, state = layer.init(jax.random.key(0), x.shape[1:])
    y = compiled(layer.apply)(params, state, x)[0]
    assert y.dtype == dtype
    np.testing.assert_allclose(np.asarray(y, np.float64), expected, rtol=4e-3)


def test_columns_of_half_precision_are_summed_in_float32_too(compiled):
    """289 ones, more than bfloat16 counts."""
    layer = AvgPool(17, method="im2col")
    x = jnp.ones((1, 17, 17, 1), jnp.bfloat16)
    assert compiled(layer.apply)({}, {}, x)[0].item() == 1


@pytest.mark.parametrize(
    ("layer", "side"), [(AdaptiveAvgPool(1), 300), (AdaptiveAvgPool(7), 100), (GlobalAvgPool(), 56)]
)
def test_means_of_half_precision_too(layer, side):
    x = jnp.full((1, side, side, 2), 300.0, jnp.float16)
    np.testing.assert_allclose(np.asarray(layer.apply({}, {}, x)[0], np.float64), 300, rtol=1e-3)
