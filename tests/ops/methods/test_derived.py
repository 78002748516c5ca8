"""Gradients as lax derives them, against im2col, and that they are in fact lax's."""

from functools import partial

import jax
import pytest

from jconv.ops.methods import derived, direct
from jconv.ops.shapes import y_shape

CASES = [
    ((2, 7, 5, 4), (3, 2, 4, 6), {}),
    ((3, 9, 7, 4), (3, 2, 2, 6), dict(stride=(2, 3), padding=((1, 0), (2, 1)), groups=2)),
    ((2, 7, 5, 3), (3, 3, 1, 6), dict(groups=3, stride=2)),
    ((1, 9, 12, 2), (3, 2, 2, 1), dict(dilation=(1, 4), stride=2)),
    ((2, 11, 3), (3, 3, 5), dict(padding=2, dilation=3)),
    ((2, 5, 4, 3, 2), (3, 2, 2, 2, 5), dict(stride=(2, 1, 1), padding=1)),
]


def test_equals_im2col(like_im2col):
    like_im2col("derived", CASES)


@pytest.mark.parametrize("x, k, settings", CASES)
def test_is_the_very_program_that_autodiff_makes(x, k, settings, convolution, normal):
    geometry = convolution(x, k, **settings)
    x, k = normal(*x), normal(*k)
    y = normal(*y_shape(x.shape, k.shape, geometry))
    forward = partial(direct.forward, geometry=geometry, precision=None)
    lax_input = lambda y, k: jax.vjp(lambda x: forward(x, k), x)[1](y)[0]
    lax_kernel = lambda x, y: jax.vjp(lambda k: forward(x, k), k)[1](y)[0]
    settings = dict(geometry=geometry, precision=None)
    for ours, theirs, a, b in (
        (derived.input_gradient, lax_input, y, k),
        (derived.kernel_gradient, lax_kernel, x, y),
    ):
        assert convolutions(partial(ours, **settings), a, b) == convolutions(theirs, a, b)


def convolutions(f, *operands):
    """The gradient's convolution with all its settings; the forward one that autodiff leaves behind
    comes before it.
    """
    found = [
        e for e in jax.make_jaxpr(f)(*operands).eqns if e.primitive.name == "conv_general_dilated"
    ]
    return found[-1].params, [v.aval for v in found[-1].invars]
