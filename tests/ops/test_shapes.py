"""A convolution's first axis and the others, apart."""

import jax.numpy as jnp
import numpy as np

from jconv.ops.shapes import first_and_rest, images, mirrored, one_by_one
from jconv.ops.views import views


def test_first_and_rest(convolution):
    geometry = convolution(
        (2, 7, 5, 3), (3, 2, 3, 4), stride=(1, 2), padding=((2, 1), (0, 3)), dilation=(2, 1)
    )
    first, rest = first_and_rest(geometry)
    assert (first.in_sizes, first.size, first.stride, first.dilation, first.padding) == (
        (7,),
        (3,),
        (1,),
        (2,),
        ((2, 1),),
    )
    assert (
        rest.window.in_sizes,
        rest.window.size,
        rest.window.stride,
        rest.window.padding,
        rest.groups,
    ) == (
        (5,),
        (2,),
        (2,),
        ((0, 3),),
        1,
    )


def test_images():
    assert images(jnp.zeros((2, 3, 5, 7))).shape == (6, 5, 7)
    assert images(jnp.zeros((0, 3, 5, 7))).shape == (0, 5, 7)


def test_one_by_one_sees_each_row_alone(convolution):
    _, rest = first_and_rest(
        convolution((2, 7, 5, 3), (3, 2, 3, 4), stride=(1, 2), padding=((2, 1), (0, 3)))
    )
    w = one_by_one(6, rest.window)
    assert (w.in_sizes, w.size, w.stride, w.padding, w.out_sizes) == (
        (6, 5),
        (1, 2),
        (1, 2),
        ((0, 0), (0, 3)),
        (6, 4),
    )


def test_the_mirrored_window_is_the_transpose(convolution, rng):
    """What x[p] gives to y at tap t, y at tap F-1-t of the mirrored window gives back to p."""
    first, _ = first_and_rest(
        convolution((1, 7, 1, 1), (3, 1, 1, 1), padding=((3, 1), (0, 0)), dilation=(2, 1))
    )
    back = mirrored(first)
    assert back.in_sizes == first.out_sizes and back.out_sizes == first.in_sizes
    k, x, y = (
        rng.standard_normal(3),
        rng.standard_normal((1, *first.in_sizes, 1)),
        rng.standard_normal((1, *first.out_sizes, 1)),
    )
    under = lambda a, w, k: sum(
        np.asarray(v, np.float64) * s
        for v, s in zip(views(jnp.asarray(a, jnp.float32), w), k, strict=True)
    )
    np.testing.assert_allclose(
        (under(x, first, k) * y).sum(), (under(y, back, k[::-1]) * x).sum(), rtol=1e-5
    )
