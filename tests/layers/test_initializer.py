import dataclasses
from functools import partial

import jax
import numpy as np
import pytest

import jconv.layers.initializer
from jconv import Conv, ConvTranspose, Dense, Initializer, Local, Parameter
from jconv.layers import (
    bilinear,
    caffe_xavier,
    constant,
    convnetjs_normal,
    gaussian,
    glorot_uniform,
    he_normal,
    identity_kernel,
    msra_normal,
    ones,
    partial_identity,
    symmetric_uniform,
    torch_uniform,
    zeros,
)

# compiles several times faster than the default generator
KEY = jax.random.key(5, impl="unsafe_rbg")
SHAPE = (5, 5, 24, 64)
N = 5 * 5 * 24 * 64


@pytest.fixture(scope="module")
def drawn():
    """Every array has one shape, so that one program draws all of a kind."""
    return lambda initializer: np.asarray(initializer(KEY, SHAPE), np.float64)


@pytest.mark.parametrize(
    ("initializer", "std"),
    [
        (msra_normal(), np.sqrt(2 / 600)),
        (msra_normal("out"), np.sqrt(2 / 1600)),
        (msra_normal("average"), np.sqrt(2 / 1100)),
        (convnetjs_normal(), np.sqrt(1 / 600)),
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
        (caffe_xavier(), np.sqrt(3 / 600)),
        (torch_uniform(), np.sqrt(1 / 600)),
        (symmetric_uniform(0.05), 0.05),
    ],
)
def test_uniform_draws(initializer, limit, drawn):
    a = drawn(initializer)
    assert 0.999 * limit < abs(a).max() <= limit * (1 + 1e-6)
    assert abs(a.std() / (limit / np.sqrt(3)) - 1) < 5 * np.sqrt(0.2 / N)
    assert abs(a.mean()) < 5 * limit / np.sqrt(3 * N)


@pytest.mark.parametrize("name", ["he_normal", "lecun_normal", "glorot_uniform"])
@pytest.mark.parametrize("shape", [(3, 2, 24, 64), (300, 40)])
def test_a_word_of_jaxs_gives_what_jaxs_gives(name, shape):
    """Other draws of one distribution: their largest value and their spread, the whole of it where
    it is bounded.
    """
    ours, theirs = (
        np.asarray(module[name]()(KEY, shape), np.float64)
        for module in (vars(jconv.layers), vars(jax.nn.initializers))
    )
    assert ours.shape == theirs.shape and ours.std() == pytest.approx(theirs.std(), rel=0.03)
    assert abs(ours).max() == pytest.approx(abs(theirs).max(), rel=0.02)
    quantiles = np.linspace(0.02, 0.98, 25)
    np.testing.assert_allclose(
        np.quantile(ours, quantiles), np.quantile(theirs, quantiles), atol=0.06 * theirs.std()
    )


def test_no_word_of_ours_has_other_numbers_in_jax():
    """Names that both have are the same function of the same arguments, by the test above and
    these.
    """
    both = {
        name
        for name in vars(jconv.layers.initializer)
        if callable(getattr(jax.nn.initializers, name, None))
    }
    both -= {"Initializer"}  # the type of jax's functions, of which ours are
    # jax.nn.identity is a function of x
    assert not [name for name in vars(jconv.layers) if name[0] != "_" and hasattr(jax.nn, name)]
    assert both == {"he_normal", "lecun_normal", "glorot_uniform", "constant", "zeros", "ones"}
    np.testing.assert_array_equal(
        constant(0.3)(KEY, (2, 3)), jax.nn.initializers.constant(0.3)(KEY, (2, 3))
    )


def test_it_takes_the_dtype_that_jaxs_take(x64):
    for dtype in ("bfloat16", "float32", "float64"):
        for initializer in (he_normal(), zeros, identity_kernel()):
            drawn = jax.eval_shape(partial(initializer, shape=(3, 3, 4, 4), dtype=dtype), KEY)
            assert drawn.dtype == dtype


def test_fans_given_win_over_those_of_the_shape():
    """Of a bias, whose shape has none."""
    bias = np.asarray(torch_uniform().for_fans(27, 9000)(KEY, (1000,)))
    assert 0.98 / np.sqrt(27) < abs(bias).max() <= 1 / np.sqrt(27)
    assert abs(torch_uniform()(KEY, (1000,))).max() > 0.98  # one input


def test_constants():
    np.testing.assert_array_equal(constant(0.1)(KEY, (2, 3)), np.full((2, 3), 0.1, np.float32))
    np.testing.assert_array_equal(zeros(KEY, (3,)), np.zeros(3))
    np.testing.assert_array_equal(ones(KEY, (3,)), np.ones(3))


def test_everything_is_float32_also_under_x64(x64):
    for initializer in (
        he_normal(),
        glorot_uniform(),
        constant(1.0),
        identity_kernel(),
        partial_identity(),
        bilinear(),
    ):
        drawn = jax.eval_shape(lambda key: initializer(key, (3, 3, 4, 4)), KEY)  # noqa: B023
        assert drawn.dtype == np.float32


def test_fans_come_from_the_layer():
    """The std of what init draws, for a conv of 5*5*24 inputs a unit and a dense layer of 300."""
    conv, _ = Conv(64, 5).init(KEY, (6, 6, 24))
    assert abs(np.std(conv["kernel"]) / np.sqrt(2 / 600) - 1) < 5 / np.sqrt(2 * N)
    dense, _ = Dense(128, kernel_init=convnetjs_normal()).init(KEY, (300,))
    assert abs(np.std(dense["kernel"]) / np.sqrt(1 / 300) - 1) < 5 / np.sqrt(2 * 300 * 128)


@pytest.mark.parametrize(
    "layer",
    [Conv(1000, 3), Dense(1000), Local(500, 2), ConvTranspose(1000, (3, 2), groups=2)],
    ids=lambda layer: type(layer).__name__,
)
def test_a_bias_is_drawn_by_the_fans_of_its_kernel(layer):
    layer = dataclasses.replace(layer, kernel_init=torch_uniform(), bias_init=torch_uniform())
    shape = (30,) if isinstance(layer, Dense) else (3, 3, 6)
    limit = 1 / np.sqrt({Conv: 54, Dense: 30, Local: 24, ConvTranspose: 18}[type(layer)])
    params, _ = layer.init(KEY, shape)
    for leaf in ("kernel", "bias"):
        assert 0.98 * limit < abs(params[leaf]).max() <= limit * (1 + 1e-6)


NORMAL = jax.nn.initializers.variance_scaling(1.0, "fan_in", "normal")


@pytest.mark.sweep(3)
@pytest.mark.parametrize(
    ("layer", "shape", "fan"),
    [
        (Conv(64, 5), (6, 6, 24), 600),
        (Conv(64, 5, groups=4), (6, 6, 24), 150),
        # of all connections, in the shape jax is asked for
        (Conv(3, 5, mask=((0, 1), (1, 5), (3, 4, 2))), (60, 60, 6), 150),
        (Conv(64, 5), (30, 24), 120),
        (Dense(128), (300,), 300),
        (Local(8, 3), (7, 7, 24), 216),
        (ConvTranspose(40, 3), (5, 5, 24), 216),
        (ConvTranspose(40, 3, groups=4), (5, 5, 24), 54),
    ],
    ids=str,
)
def test_jaxs_initializers_draw_by_the_fans_of_a_unit(layer, shape, fan):
    layer = dataclasses.replace(
        layer, kernel_init=NORMAL, bias_init=jax.nn.initializers.constant(0.5)
    )
    params, _ = layer.init(KEY, shape)
    kernel = np.asarray(params["kernel"], np.float64)
    assert (
        kernel.shape == layer.parameters(shape)["kernel"].shape
        and params["kernel"].dtype == np.float32
    )
    assert abs(kernel.std() * np.sqrt(fan) - 1) < 5 / np.sqrt(2 * kernel.size)
    np.testing.assert_array_equal(params["bias"], 0.5)
    assert hash(layer) == hash(dataclasses.replace(layer)) and layer == dataclasses.replace(layer)


def test_a_transposed_kernel_keeps_the_order_of_what_is_drawn():
    """Unit k reads, within its group, the channels that the draw (3, 4/2, 6) has for it."""
    given = lambda key, shape, dtype: jax.numpy.arange(np.prod(shape), dtype=dtype).reshape(shape)
    for groups in (1, 2):
        params, _ = ConvTranspose(6, 3, groups=groups, kernel_init=given).init(KEY, (5, 4))
        drawn = np.arange(3 * 4 // groups * 6).reshape(3, 4 // groups, 6)
        for group in range(groups):
            units, inputs = (
                slice(group * 6 // groups, (group + 1) * 6 // groups),
                slice(group * 4 // groups, (group + 1) * 4 // groups),
            )
            np.testing.assert_array_equal(
                params["kernel"][:, :, inputs], drawn[:, :, units].swapaxes(1, 2)
            )


def test_a_mask_keeps_its_weights_of_what_is_drawn():
    given = lambda key, shape, dtype: jax.numpy.arange(np.prod(shape), dtype=dtype).reshape(shape)
    layer = Conv(2, 1, mask=((0, 2), (1,)), kernel_init=given)
    np.testing.assert_array_equal(layer.init(KEY, (4, 3))[0]["kernel"], [[0, 4, 3]])


def test_each_position_of_a_local_layer_is_drawn_by_itself():
    params, _ = Local(8, 3, kernel_init=NORMAL).init(KEY, (4, 4, 2))
    kernel = np.asarray(params["kernel"]).reshape(4, -1)
    assert abs(np.corrcoef(kernel) - np.eye(4)).max() < 0.3


def test_a_function_and_a_declared_array_of_ones_own():
    """Parameter.draw is any function of (key, shape, dtype)."""
    drawn = Parameter((3, 4), jax.nn.initializers.orthogonal()).drawn(KEY)
    np.testing.assert_allclose(drawn @ drawn.T, np.eye(3), atol=1e-5)
    np.testing.assert_array_equal(
        Parameter((3,), lambda key, shape, dtype: jax.numpy.full(shape, 2, dtype)).drawn(KEY),
        np.full(3, 2),
    )


@pytest.mark.parametrize("kernel", [3, 5, (3, 1)])
def test_identity_passes_its_channels_on(kernel, rng):
    layer = Conv(4, kernel, padding="SAME", kernel_init=identity_kernel())
    params, _ = layer.init(KEY, (7, 5, 4))
    x = rng.standard_normal((2, 7, 5, 4)).astype(np.float32)
    np.testing.assert_array_equal(layer.apply(params, {}, jax.numpy.asarray(x))[0], x)


def test_identity_between_widths_copies_out_and_averages_in_b11():
    wide = np.asarray(identity_kernel()(KEY, (1, 1, 2, 4)))[0, 0]
    np.testing.assert_array_equal(wide, [[1, 1, 0, 0], [0, 0, 1, 1]])
    narrow = np.asarray(identity_kernel()(KEY, (1, 1, 4, 2)))[0, 0]
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
    narrow = np.asarray(partial_identity()(KEY, (1, 3, 4, 2)))
    assert narrow.sum() == 2 and narrow[0, 1, 0, 0] == narrow[0, 1, 1, 1] == 1


def test_bilinear_is_caffes_filler():
    kernel = np.asarray(bilinear()(KEY, (4, 4, 1, 1)))[..., 0, 0]
    np.testing.assert_allclose(kernel, np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25]))
    np.testing.assert_allclose(np.asarray(bilinear()(KEY, (3, 2, 2)))[:, 0, 0], [0.5, 1, 0.5])
    assert not np.asarray(bilinear()(KEY, (3, 2, 2)))[:, 0, 1].any()


def test_unknown_words():
    with pytest.raises(
        ValueError,
        match="^Initializer: unknown distribution 'cauchy'; use 'normal', 'truncated_normal', "
        "'uniform', 'constant'",
    ):
        Initializer("cauchy")
    with pytest.raises(
        ValueError, match="^Initializer: unknown fan 'both'; use 'none', 'in', 'out', 'average'$"
    ):
        msra_normal("both")
