import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jconv import Conv, ConvTranspose, ShapeError
from jconv.layers import bilinear


@pytest.mark.parametrize(
    ("settings", "in_shape"),
    [
        ({"stride": 2, "padding": 1}, (4, 3, 6)),
        ({"stride": (2, 3), "padding": ((1, 0), 2), "extra": (1, 2)}, (4, 3, 6)),
        ({"dilation": 2, "groups": 2}, (4, 3, 6)),
        ({"stride": 2, "padding": "SAME", "method": "lax"}, (4, 3, 6)),
        ({"stride": 3, "method": "im2col"}, (5, 6)),
    ],
)
def test_it_is_the_input_gradient_of_the_conv_with_its_settings(
    settings, in_shape, filled, rng, close, compiled
):
    layer = ConvTranspose(4, 3, **settings)
    params, _ = filled(layer, in_shape)
    y = jnp.asarray(rng.standard_normal((2, *in_shape)), jnp.float32)
    out, _ = compiled(layer.apply)(params, {}, y)
    settings = {name: value for name, value in settings.items() if name not in ("extra", "method")}
    conv = Conv(in_shape[-1], 3, **settings, bias=False)
    assert conv.out_shape(out.shape[1:]) == in_shape
    assert conv.parameters(out.shape[1:])["kernel"].shape == params["kernel"].shape
    transposed = lambda y: jax.vjp(
        lambda x: conv.apply({"kernel": params["kernel"]}, {}, x)[0], jnp.zeros(out.shape)
    )[1](y)[0]
    close(np.asarray(out) - np.asarray(params["bias"]), compiled(transposed)(y), 1e-5)


@pytest.mark.parametrize(
    ("settings", "size", "out"),
    [
        ({"kernel": 3, "stride": 2}, 4, 9),
        ({"kernel": 3, "stride": 2, "extra": 1}, 4, 10),
        ({"kernel": 4, "stride": 2, "padding": 1}, 4, 8),
        ({"kernel": 3, "stride": 2, "padding": "SAME"}, 4, 8),
        ({"kernel": 16, "stride": 8, "padding": 4}, 7, 56),  # Dilation10's upsampling
        ({"kernel": 3, "dilation": 2}, 4, 8),
    ],
)
def test_sizes(settings, size, out):
    assert ConvTranspose(5, **settings).out_shape((size, size, 3)) == (out, out, 5)


def test_parameters_fans_and_cost():
    layer = ConvTranspose(4, (3, 2), stride=2, groups=2)
    parameters = layer.parameters((5, 7, 6))
    assert {name: p.shape for name, p in parameters.items()} == {
        "kernel": (3, 2, 2, 6),
        "bias": (4,),
    }
    assert {(p.fan_in, p.fan_out) for p in parameters.values()} == {(3 * 2 * 3, 3 * 2 * 4)}
    assert layer.macs((5, 7, 6)) == 5 * 7 * (3 * 2 * 2 * 6)
    assert set(ConvTranspose(4, 3, bias=False).parameters((5, 7, 6))) == {"kernel"}


def test_bilinear_kernels_interpolate():
    layer = ConvTranspose(2, 4, stride=2, padding=1, bias=False, kernel_init=bilinear())
    params, _ = layer.init(jax.random.key(0), (6, 7, 2))
    rows, columns = np.meshgrid(np.arange(6), np.arange(7), indexing="ij")
    x = np.stack([rows + 2.0 * columns, 3.0 - columns], axis=-1)[None]
    y, _ = layer.apply(params, {}, jnp.asarray(x, jnp.float32))
    fine_rows, fine_columns = np.meshgrid(
        np.arange(12) / 2 - 0.25, np.arange(14) / 2 - 0.25, indexing="ij"
    )
    expected = np.stack([fine_rows + 2 * fine_columns, 3 - fine_columns], axis=-1)
    # a plane stays that plane inside the border
    np.testing.assert_allclose(y[0, 1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-5)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (
            lambda: ConvTranspose(0, 3),
            "ConvTranspose: features=0, whole numbers of at least 1 were expected",
        ),
        (
            lambda: ConvTranspose(4, 3, method="gemm"),
            "ConvTranspose: unknown method 'gemm'; use 'auto', 'lax', 'im2col'",
        ),
        (lambda: ConvTranspose(4, 3, padding="FULL"), "ConvTranspose: unknown padding 'FULL'"),
        (
            lambda: ConvTranspose(4, 3, groups=3),
            "3 groups do not divide the 4 features; use a divisor of 4",
        ),
        (
            lambda: ConvTranspose(4, 3, groups=2).out_shape((5, 5, 3)),
            "2 groups do not divide the 3 channels of the input",
        ),
        (
            lambda: ConvTranspose(4, 3).out_shape((5,)),
            "the input shape (5,) has 0 spatial axes, 1 to 3 were expected",
        ),
        (
            lambda: ConvTranspose(4, 3, stride=2, extra=2).out_shape((5, 5, 3)),
            "extra=2 gives (13, 13), which convolve to (6, 6), not back to (5, 5); use 0 up to one "
            "below the stride",
        ),
        (
            lambda: ConvTranspose(4, 3, stride=2, padding="SAME", extra=1).out_shape((5, 5, 3)),
            "extra=1 gives (11, 11), which convolve to",
        ),
        (
            lambda: ConvTranspose(4, 3, extra=(0, 0, 0)).out_shape((5, 5, 3)),
            "extra=(0, 0, 0) has 3 entries but the input has 2",
        ),
        (
            lambda: ConvTranspose(4, 2, padding=3).out_shape((5, 5, 3)),
            "a transposed (2, 2) window, stride (1, 1), padding",
        ),
    ],
)
def test_settings_that_cannot_be(build, words):
    with pytest.raises(ValueError, match=f"^{re.escape(words)}"):
        build()


def test_errors_of_a_batch(filled):
    params, _ = filled(ConvTranspose(4, 3), (5, 5, 3))
    with pytest.raises(
        ShapeError,
        match=r"^x of shape \(5, 5, 3\) for the kernel of shape \(3, 3, 4, 3\): their ranks "
        r"disagree; either x lacks",
    ):
        ConvTranspose(4, 3).apply(params, {}, jnp.zeros((5, 5, 3)))
    with pytest.raises(
        ShapeError,
        match=r"of shape \(1, 5, 5, 2\) for the kernel of shape \(3, 3, 4, 3\): ConvTranspose "
        r"declares \(3, 3, 4, 2\)",
    ):
        ConvTranspose(4, 3).apply(params, {}, jnp.zeros((1, 5, 5, 2)))
