"""The numbers of the page Convolution, against those of the CS231n notes, jax and plain loops."""

import json

import jax
import numpy as np
import pytest
from jax import lax

from jconv.demo.convolution import computed
from jconv.errors import InputError, ShapeError
from jconv.geometry import window
from jconv.ops import conv

DIMENSIONS = ("NHWC", "HWIO", "NHWC")
SETTINGS = [
    {"stride": 2, "padding": 1},
    {"stride": [2, 3], "padding": [1, 0]},  # what no window reaches on both axes
    {"stride": 1, "padding": 4, "dilation": [2, 1]},  # padding beyond the window's reach
    {"stride": 2, "padding": 1, "dilation": 2, "groups": 2},
]


def row(values):
    """A row of numbers as an input of height 1 and depth 1."""
    return np.reshape(values, (1, -1, 1)).tolist()


def taps(values):
    return np.reshape(values, (1, -1, 1, 1)).tolist()


@pytest.fixture
def drawn(rng):
    """A request with random numbers on sizes that differ, as `settings` say."""

    def draw(settings):
        depth, features = 4, 2
        whole = lambda *shape: rng.integers(-3, 4, shape).astype(np.float32)
        groups = settings.get("groups", 1)
        x, kernel, bias = whole(7, 9, depth), whole(3, 2, depth // groups, features), whole(2)
        pair = {k: settings[k] for k in ("stride", "padding", "dilation") if k in settings}
        pair = {k: tuple(v) if isinstance(v, list) else v for k, v in pair.items()}
        dy = whole(*window((7, 9), (3, 2), **pair).out_sizes, features)
        arrays = {"input": x, "kernel": kernel, "bias": bias, "gradient": dy}
        return arrays, {**settings, **{name: a.tolist() for name, a in arrays.items()}}

    return draw


def lax_conv(x, kernel, bias, stride=1, padding=0, dilation=1, groups=1):
    both = lambda n: tuple(n) if isinstance(n, list) else (n, n)
    pads = [(p, p) for p in both(padding)]
    y = lax.conv_general_dilated(
        x[None],
        kernel,
        both(stride),
        pads,
        rhs_dilation=both(dilation),
        dimension_numbers=DIMENSIONS,
        feature_group_count=groups,
        precision="highest",
    )
    return y[0] + bias[None, None]


def notes_example():
    """X[x, y, d] = (x^2 + 2y + dy) mod 3 and Wk[x, y, d] = (x + 2y + d(k + 1) + kxy) mod 3 - 1, as
    [y][x][d]([k]).
    """
    y, x, d = np.indices((5, 5, 3))
    image = (x**2 + 2 * y + d * y) % 3
    b, a, c, k = np.indices((3, 3, 3, 2))
    kernel = (a + 2 * b + c * (k + 1) + k * a * b) % 3 - 1
    return image.tolist(), kernel.tolist()


def test_the_notes_example_has_two_slices_of_three_by_three():
    image, kernel = notes_example()
    got = computed({"input": image, "kernel": kernel, "bias": [1, 0], "stride": 2, "padding": 1})
    assert np.moveaxis(got["output"], -1, 0).tolist() == [
        [[5, -2, -1], [1, 1, -2], [-1, 1, 5]],
        [[2, 3, 2], [0, 3, -3], [2, -3, 2]],
    ]
    assert got["sizes"] == ["(5 - 3 + 2*1)/2 + 1 = 3"] * 2
    assert got["windows"] == [[y, x] for y in (0, 2, 4) for x in (0, 2, 4)]
    assert np.shape(got["padded"]) == (7, 7, 3)
    json.dumps(got, allow_nan=False)


@pytest.mark.parametrize("settings", SETTINGS)
def test_output_columns_and_gradients_are_those_of_lax(settings, drawn, close):
    arrays, request = drawn(settings)
    got = computed(request)
    operands = [arrays[name] for name in ("input", "kernel", "bias")]
    y, pull = jax.vjp(lambda *a: lax_conv(*a, **settings), *operands)
    close(got["output"], y.tolist(), 0)
    names = ("input_gradient", "kernel_gradient", "bias_gradient")
    close([got["backward"][n] for n in names], [g.tolist() for g in pull(arrays["gradient"])], 0)
    product = np.matmul(got["rows"], got["columns"])  # (groups, K/groups, positions)
    rows = product.reshape(2, -1) + arrays["bias"][:, None]
    close(rows.T.reshape(y.shape), np.asarray(y), 0)


@pytest.mark.parametrize("settings", SETTINGS)
def test_backward_is_two_convolutions(settings, drawn, close):
    """The volumes of the page give jax's gradients when they are convolved as it says."""
    arrays, request = drawn(settings)
    got = computed(request)
    groups, dy = settings.get("groups", 1), arrays["gradient"]
    both = lambda name, n: tuple(np.broadcast_to(settings.get(name, n), 2).tolist())
    stride, padding, dilation = both("stride", 1), both("padding", 0), both("dilation", 1)
    volume = lambda name: np.asarray(got["backward"][name], np.float32)
    padded = conv(
        volume("upsampled")[None], volume("flipped"), dilation=dilation, groups=groups, method="lax"
    )[0]
    inside = tuple(slice(p, p + n) for p, n in zip(padding, (7, 9), strict=True))
    close(np.asarray(padded[inside]), volume("input_gradient"), 0)
    x = np.asarray(got["padded"], np.float32)
    # channels as the batch, dY as kernels of one channel
    each = conv(
        np.moveaxis(x, -1, 0)[..., None],
        dy[:, :, None],
        stride=dilation,
        dilation=stride,
        method="lax",
    )[:, :3, :2]  # (C, F_h, F_w, K)
    depth = 4 // groups
    for k in range(2):
        own = slice(k * groups // 2 * depth, k * groups // 2 * depth + depth)
        close(np.moveaxis(each[own, ..., k], 0, -1), volume("kernel_gradient")[..., k], 0)
    close(dy.sum((0, 1)), volume("bias_gradient"), 0)


@pytest.mark.parametrize(
    "stride, dy, dw, db, dx",
    [(1, [1] * 5, [3, 0, -1], 5, [1, 0, 0, 0, -1]), (2, [1] * 3, [3, -3, 3], 3, [0] * 5)],
)
def test_gradients_of_the_notes_row(stride, dy, dw, db, dx):
    request = {"input": row([1, 2, -1, 1, -3]), "kernel": taps([1, 0, -1]), "bias": [0]}
    settings = {"stride": [1, stride], "padding": [0, 1], "gradient": row(dy)}
    got = computed({**request, **settings})["backward"]
    assert np.ravel(got["kernel_gradient"]).tolist() == dw
    assert got["bias_gradient"] == [db]
    assert np.ravel(got["input_gradient"]).tolist() == dx


@pytest.mark.parametrize(
    "dilation, out", [(1, [321, 432, 543, 654, 765]), (2, [531, 642, 753]), (3, [741])]
)
def test_dilation_counts_from_one(dilation, out):
    request = {"input": row(range(1, 8)), "kernel": taps([1, 10, 100]), "bias": [0]}
    assert np.ravel(computed({**request, "dilation": dilation})["output"]).tolist() == out


def test_pooling_marks_the_first_of_equals_and_routes_there():
    image = [[1, 1, 2, 4], [5, 6, 7, 8], [3, 2, 1, 0], [1, 2, 3, 4]]
    request = {"input": np.expand_dims(image, -1).tolist(), "kernel": taps([1]), "bias": [0]}
    pool = {"size": 2, "stride": 2, "gradient": [[[1], [2]], [[3], [4]]]}
    got = computed({**request, "pool": pool})["pool"]
    flat = lambda name: np.ravel(got[name]).tolist()
    assert flat("output") == [6, 8, 3, 4]
    assert flat("winners") == [5, 7, 8, 15] and flat("switches") == [3, 3, 0, 3]
    assert {i: v for i, v in enumerate(flat("input_gradient")) if v} == {5: 1, 7: 2, 8: 3, 15: 4}


def test_a_size_that_does_not_divide_says_what_is_left_out():
    request = {"input": row(range(6)), "kernel": taps([1, 1, 1]), "bias": [0], "stride": 2}
    got = computed(request)
    assert got["unused"] == [0, 1]
    assert "(6 - 3 + 2*0)/2 + 1 = 2.5" in got["sizes"][1] and "1 column" in got["sizes"][1]
    assert "of padding" in computed({**request, "stride": [1, 2], "padding": [0, 4]})["sizes"][1]


def test_a_window_that_does_not_fit_is_told_by_geometry_and_formula():
    request = {"input": row([1, 2]), "kernel": taps([1, 1, 1]), "bias": [0]}
    with pytest.raises(ShapeError) as own:
        window((1, 2), (1, 3))
    with pytest.raises(InputError) as error:
        computed(request)
    assert str(own.value) in str(error.value) and "(2 - 3 + 2*0)/1 + 1 = 0" in str(error.value)
    fits = computed({**request, "padding": [0, 1], "pool": {"size": 3}})
    assert "(1 - 3 + 2*0)/2 + 1 = 0" in fits["pool"]["error"]
