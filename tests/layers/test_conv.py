import itertools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Conv, Dense, MaxPool, Sequential, ShapeError, summary
from jconv.layers import constant

ALEXNET = (227, 227, 3)
CONV1 = Conv(96, 11, stride=4)
C3 = (  # LeNet-5's connection table
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)


def sizes(layer, in_shape):
    return {name: p.size for name, p in layer.parameters(in_shape).items()}


def loops(x, kernel, bias, stride, pads, dilation, groups):
    """Convolution of NHWC with HWIO in plain loops, float64."""
    x = np.pad(np.asarray(x, np.float64), [(0, 0), *pads, (0, 0)])
    kernel = np.asarray(kernel, np.float64)
    n, (fh, fw, c, features) = x.shape[0], kernel.shape
    out = [
        (x.shape[1 + a] - dilation[a] * (kernel.shape[a] - 1) - 1) // stride[a] + 1 for a in (0, 1)
    ]
    y = np.zeros((n, *out, features))
    for i, j, k, a, b, ch in itertools.product(*map(range, (*out, features, fh, fw, c))):
        group = k // (features // groups)
        y[:, i, j, k] += (
            x[:, i * stride[0] + a * dilation[0], j * stride[1] + b * dilation[1], group * c + ch]
            * kernel[a, b, ch, k]
        )
    return y + np.asarray(bias, np.float64)


@pytest.mark.parametrize(
    ("layer", "pads"),
    [
        (
            Conv(4, (3, 2), stride=(2, 1), padding=((2, 0), 1), dilation=(1, 2), groups=2),
            ((2, 0), (1, 1)),
        ),
        (
            Conv(
                4,
                (3, 2),
                stride=(2, 1),
                padding=((2, 0), 1),
                dilation=(1, 2),
                groups=2,
                method="im2col",
            ),
            ((2, 0), (1, 1)),
        ),
        (Conv(4, 3, stride=2, padding="SAME", groups=2, method="lax"), ((1, 1), (0, 1))),
        (Conv(4, 4, stride=2, padding=1, groups=2, rounding="ceil"), ((1, 2), (1, 1))),
    ],
)
def test_every_setting_does_what_plain_loops_do(layer, pads, filled, rng, close):
    in_shape = (7, 6, 6)
    params, state = filled(layer, in_shape)
    x = jnp.asarray(rng.standard_normal((2, *in_shape)), jnp.float32)
    pair = lambda v: (v, v) if isinstance(v, int) else v
    expected = loops(
        x,
        params["kernel"],
        params["bias"],
        pair(layer.stride),
        pads,
        pair(layer.dilation),
        layer.groups,
    )
    close(layer.apply(params, state, x)[0], expected, 1e-5)


def test_bias_and_initializers_are_settings():
    assert set(Conv(4, 3, bias=False).parameters((7, 5, 3))) == {"kernel"}
    params, _ = Conv(4, 3, kernel_init=constant(2.0), bias_init=constant(0.1)).init(
        jax.random.key(0), (7, 5, 3)
    )
    np.testing.assert_array_equal(params["kernel"], 2)
    np.testing.assert_array_equal(params["bias"], np.float32(0.1))
    assert params["kernel"].shape == (3, 3, 3, 4)


@pytest.mark.parametrize(
    ("groups", "fans"), [(1, (3 * 2 * 6, 3 * 2 * 4)), (2, (3 * 2 * 3, 3 * 2 * 4))]
)
def test_fans_are_those_of_the_kernels_shape(groups, fans):
    kernel, bias = Conv(4, (3, 2), groups=groups).parameters((7, 5, 6)).values()
    assert (kernel.fan_in, kernel.fan_out) == (bias.fan_in, bias.fan_out) == fans


# Facts
# --------------------------------------------------------------------------------------------------


def test_a_filter_spans_a_small_window_and_the_whole_depth():
    assert sizes(Conv(1, 5), (32, 32, 3)) == {"kernel": 75, "bias": 1}
    assert sizes(Conv(1, 3), (16, 16, 20))["kernel"] == 180
    assert Conv(7, 3).parameters((16, 16, 20))["kernel"].shape == (3, 3, 20, 7)


def test_alexnets_first_layer_by_arithmetic():
    assert CONV1.out_shape(ALEXNET) == (55, 55, 96)
    assert Conv(96, 11, stride=4, rounding="exact").out_shape(ALEXNET) == (55, 55, 96)
    assert np.prod(CONV1.out_shape(ALEXNET)) == 290_400
    assert sizes(CONV1, ALEXNET) == {"kernel": 34_848, "bias": 96}


def test_224_pixels_do_not_fit_without_words():
    words = (
        r"\(W - F \+ pad\)/S \+ 1 = \(224 - 11 \+ 0\)/4 \+ 1 = 54.25 is not an integer; sizes that "
        r"fit are 223 and 227"
    )
    with pytest.raises(ShapeError, match=words):
        Conv(96, 11, stride=4, rounding="exact").out_shape((224, 224, 3))
    assert Conv(96, 11, stride=4, padding=((0, 3), (0, 3)), rounding="exact").out_shape(
        (224, 224, 3)
    ) == (55, 55, 96)
    for pad in range(11):  # 213 is odd: no symmetric padding fits stride 4
        with pytest.raises(ShapeError):
            Conv(96, 11, stride=4, padding=pad, rounding="exact").out_shape((224, 224, 3))


def test_every_neuron_of_a_depth_column_sees_one_region(filled, compiled):
    layer, shape = Conv(5, 3, stride=2), (9, 9, 2)
    params, _ = filled(layer, shape)
    # (5, 9, 9, 2)
    jacobian = compiled(jax.jacobian(lambda x: layer.apply(params, {}, x[None])[0][0, 1, 2]))(
        jnp.zeros(shape)
    )
    seen = np.asarray(jacobian) != 0
    expected = np.zeros(shape, bool)
    expected[2:5, 4:7] = True
    for column in seen:
        np.testing.assert_array_equal(column, expected)


@pytest.mark.parametrize(
    ("k", "f", "s", "p", "w", "d"), [(12, 3, 1, 1, 32, 3), (2, 3, 2, 1, 5, 3), (7, 5, 3, 2, 31, 4)]
)
def test_the_summary_of_a_conv_layer(k, f, s, p, w, d):
    layer = Conv(k, f, stride=s, padding=p)
    assert layer.out_shape((w, w, d)) == ((w - f + 2 * p) // s + 1, (w - f + 2 * p) // s + 1, k)
    assert sizes(layer, (w, w, d)) == {"kernel": f * f * d * k, "bias": k}


def test_the_common_setting_keeps_the_size():
    assert Conv(8, 3, padding=1).out_shape((13, 17, 4)) == (13, 17, 8)


def test_a_1x1_conv_is_a_dense_layer_at_every_pixel(filled, rng, close):
    conv = Conv(4, 1)
    params, _ = filled(conv, (7, 5, 3))
    x = jnp.asarray(rng.standard_normal((2, 7, 5, 3)), jnp.float32)
    dense, _ = Dense(4).apply(
        {"kernel": params["kernel"][0, 0], "bias": params["bias"]}, {}, x.reshape(-1, 3)
    )
    close(conv.apply(params, {}, x)[0].reshape(-1, 4), dense, 1e-5)
    assert sizes(Conv(1, 1, bias=False), (32, 32, 3)) == {"kernel": 3}


def test_the_matrix_of_a_conv_is_mostly_zero_and_repeats_its_weights(filled, compiled):
    layer, shape = Conv(2, 3, stride=2, padding=1), (5, 5, 3)
    params, _ = filled(layer, shape)
    matrix = np.asarray(
        compiled(jax.jacobian(lambda x: layer.apply(params, {}, x[None])[0]))(jnp.zeros(shape))
    ).reshape(18, 75)
    assert np.count_nonzero(matrix) == 294
    assert set(matrix[matrix != 0]) == set(np.ravel(params["kernel"]))
    assert len(set(matrix[matrix != 0])) == 54
    assert CONV1.macs(ALEXNET) == 105_415_200  # each a non-zero of AlexNet's matrix


def test_a_dense_layer_is_a_conv_as_wide_as_its_input(filled, rng, close):
    conv = Conv(6, (7, 5))
    params, _ = filled(conv, (7, 5, 3))
    x = jnp.asarray(rng.standard_normal((2, 7, 5, 3)), jnp.float32)
    y, _ = conv.apply(params, {}, x)
    assert y.shape == (2, 1, 1, 6)
    dense, _ = Dense(6).apply(
        {"kernel": params["kernel"].reshape(-1, 6), "bias": params["bias"]}, {}, x.reshape(2, -1)
    )
    close(y[:, 0, 0], dense, 1e-5)
    assert (
        sizes(Conv(4096, 7), (7, 7, 512))["kernel"]
        == sizes(Dense(4096), (7 * 7 * 512,))["kernel"]
        == 102_760_448
    )
    assert Conv(4096, 7).out_shape((7, 7, 512)) == (1, 1, 4096)


@pytest.mark.parametrize(("channels", "one", "three"), [(64, 200_704, 110_592), (1, 49, 27)])
def test_three_3x3_layers_have_fewer_weights_than_one_7x7(channels, one, three):
    thrice = Sequential(*(Conv(channels, 3, padding=1, bias=False) for _ in range(3)))
    shape = (7, 7, channels)
    assert (
        summary(Conv(channels, 7, padding=3, bias=False), shape).totals.params
        == one
        == 49 * channels**2
    )
    assert summary(thrice, shape).totals.params == three == 27 * channels**2


def test_a_strided_conv_takes_a_pools_place():
    assert (
        Conv(10, 3, stride=2, padding=1).out_shape((32, 32, 10))
        == MaxPool(2).out_shape((32, 32, 10))
        == (16, 16, 10)
    )


# A connection mask
# --------------------------------------------------------------------------------------------------


def test_lenets_sparse_c3_counts():
    layer, shape = Conv(16, 5, mask=C3), (14, 14, 6)
    assert sum(sizes(layer, shape).values()) == 1_516
    # the paper's connections count biases
    assert layer.macs(shape) + np.prod(layer.out_shape(shape)) == 151_600
    assert sizes(Conv(16, 5, mask=[list(row) for row in C3]), shape) == sizes(layer, shape)
    assert sizes(Conv(16, 5, mask=((0, 1, 2, 3, 4, 5),) * 16), shape) == sizes(Conv(16, 5), shape)


def test_a_masked_conv_is_a_conv_whose_other_weights_are_zero(filled, rng, close, compiled):
    table = ((0, 2), (3,), (1, 2, 3))
    layer, shape = Conv(3, (3, 2), mask=table, padding=1), (7, 5, 4)
    params, _ = filled(layer, shape)
    assert params["kernel"].shape == (3, 2, 6)
    full = np.zeros((3, 2, 4, 3), np.float32)
    for at, (c, k) in enumerate((c, k) for k, row in enumerate(table) for c in row):
        full[:, :, c, k] = params["kernel"][:, :, at]
    x = jnp.asarray(rng.standard_normal((2, *shape)), jnp.float32)
    y, back = compiled(lambda p: jax.vjp(lambda p: layer.apply(p, {}, x)[0], p))(params)
    close(
        y, Conv(3, (3, 2), padding=1).apply({**params, "kernel": jnp.asarray(full)}, {}, x)[0], 1e-5
    )
    assert compiled(back)(y)[0]["kernel"].all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"mask": ((0,), (1,))},
            "Conv: a mask of 2 rows for 3 features, groups=1; give one row per feature, and "
            "groups=1",
        ),
        (
            {"mask": ((0,),) * 3, "groups": 3},
            "Conv: a mask of 3 rows for 3 features, groups=3; give one row per feature, and "
            "groups=1",
        ),
        (
            {"mask": ((0,), (), (1,))},
            "Conv: mask row 1 is (); distinct input channels from 0 were expected, at least one",
        ),
        ({"mask": ((0,), (1,), (2, 2))}, "Conv: mask row 2 is (2, 2); distinct input channels"),
        ({"mask": ((0,), (-1,), (2,))}, "Conv: mask row 1 is (-1,); distinct input channels"),
    ],
)
def test_masks_that_cannot_be(settings, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        Conv(3, 3, **settings)


def test_a_mask_beyond_the_inputs_channels(filled):
    layer = Conv(2, 3, mask=((0,), (4,)))
    words = "^the mask names input channel 4, but the input has channels 0 to 3$"
    with pytest.raises(ShapeError, match=words):
        layer.out_shape((7, 5, 4))
    params, _ = filled(layer, (7, 5, 5))
    with pytest.raises(ShapeError, match=words):
        layer.apply(params, {}, jnp.zeros((1, 7, 5, 4)))


# Settings that cannot be
# --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"features": 0}, "Conv: features=0, whole numbers of at least 1 were expected"),
        ({"features": 2.5}, "Conv: features=2.5, a whole number was expected"),
        ({"kernel": (3, 0)}, "Conv: kernel=(3, 0), whole numbers of at least 1 were expected"),
        ({"kernel": "3"}, "Conv: kernel='3', a whole number, or one per axis was expected"),
        ({"stride": 0}, "Conv: stride=0, whole numbers"),
        ({"dilation": 0}, "Conv: dilation=0, whole numbers"),
        ({"groups": 0}, "Conv: groups=0, whole numbers"),
        ({"groups": 3}, "3 groups do not divide the 4 features; use a divisor of 4"),
        ({"padding": -1}, "Conv: padding=-1"),
        (
            {"padding": "same"},
            "Conv: unknown padding 'same'; use 'SAME', 'VALID', or a whole number",
        ),
        ({"rounding": "up"}, "Conv: unknown rounding 'up'; use 'floor', 'ceil', 'exact'"),
        ({"method": "fast"}, "Conv: unknown method 'fast'; use 'auto', 'lax', 'im2col'"),
    ],
)
def test_settings_that_no_input_could_make_right(settings, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        Conv(**{"features": 4, "kernel": 3, **settings})


@pytest.mark.parametrize(
    ("layer", "in_shape", "words"),
    [
        (
            Conv(4, 7),
            (5, 9, 3),
            "a 7-wide window does not fit 5 pixels padded by (0, 0); use padding=(1, 1) or more, "
            "or a smaller window",
        ),
        (
            Conv(4, 3, dilation=4),
            (7, 7, 3),
            "a 3-wide window dilated by 4 to 9 does not fit 7 pixels padded by (0, 0)",
        ),
        (
            Conv(4, 3, groups=2),
            (7, 5, 3),
            "2 groups do not divide the 3 channels of the input; use a divisor of 3",
        ),
        (
            Conv(4, 3),
            (7,),
            "the input shape (7,) has 0 spatial axes, 1 to 3 were expected: one example's (*sizes, "
            "channels)",
        ),
        (
            Conv(4, 3),
            (7, 7, 7, 7, 3),
            "the input shape (7, 7, 7, 7, 3) has 4 spatial axes, 1 to 3 were expected",
        ),
        (
            Conv(4, (3, 3)),
            (7, 3),
            "window=(3, 3) has 2 entries but the input has 1 spatial axes; give 1, or one int for "
            "all",
        ),
        (
            Conv(4, 3, stride=(1, 2, 1)),
            (7, 5, 3),
            "stride=(1, 2, 1) has 3 entries but the input has 2 spatial axes",
        ),
        (
            Conv(4, 3, padding=(1,)),
            (7, 5, 3),
            "padding=(1,) has 1 entries but the input has 2 spatial axes",
        ),
    ],
)
def test_inputs_that_cannot_be(layer, in_shape, words):
    with pytest.raises(ShapeError, match=f"^{re.escape(words)}"):
        layer.out_shape(in_shape)


def test_a_batch_of_another_rank_names_both_causes(filled):
    params, _ = filled(Conv(4, 3), (7, 5, 3))
    words = (
        "x of shape (7, 5, 3) for the kernel of shape (3, 3, 3, 4): their ranks disagree; either x "
        "lacks the batch axis, "
        "or init was given a shape with the batch axis, where one example's shape was expected"
    )
    with pytest.raises(ShapeError, match=f"^{re.escape(words)}$"):
        Conv(4, 3).apply(params, {}, jnp.zeros((7, 5, 3)))
