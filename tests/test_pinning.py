"""Finding the convolutions of a program, however deep."""

import jax
import jax.numpy as jnp

from jconv import ops
from jconv.pinning import compiles_alone, convolutions, described, failing


def program(x, k):
    def step(carry, _):
        return jax.checkpoint(lambda c: ops.conv(c, k, padding=1))(carry), None

    y = jax.lax.scan(step, x, length=3)[0]
    return jax.lax.cond(y[0, 0, 0, 0] > 0, lambda y: ops.conv(y, k, stride=2), lambda y: y[:, :2, :2] * 2, y).sum()


def test_every_convolution_is_found_and_compiles():
    jaxpr = jax.make_jaxpr(jax.grad(program, 1))(jnp.zeros((2, 5, 5, 3)), jnp.zeros((3, 3, 3, 3)))
    found = list(convolutions(jaxpr))
    assert {e.primitive.name for e in found} == {"jconv_forward", "jconv_input_gradient", "jconv_kernel_gradient"}
    assert {e.params["geometry"].window.stride for e in found} == {(1, 1), (2, 2)}
    assert all(map(compiles_alone, found))
    assert failing(jaxpr) == []


def test_each_kind_is_tried_once():
    tried = []
    jaxpr = jax.make_jaxpr(jax.grad(program, 1))(jnp.zeros((2, 5, 5, 3)), jnp.zeros((3, 3, 3, 3)))
    jobs = failing(jaxpr, lambda equation: bool(tried.append(equation)))
    assert len(jobs) == len(set(jobs)) == len(tried)
    assert "the forward of 2x5x5x3 by 3x3x3x3" in described(jobs)
