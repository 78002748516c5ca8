"""Finding the convolutions of a program, however deep, and those that do not compile."""

import jax
import jax.numpy as jnp
from jax.errors import JaxRuntimeError

from jconv import ops
from jconv.ops.refused import (
    compiles_alone,
    convolutions,
    described,
    is_convolution_failure,
    refused,
)


def program(x, k):
    def step(carry, _):
        return jax.checkpoint(lambda c: ops.conv(c, k, padding=1))(carry), None

    y = jax.lax.scan(step, x, length=3)[0]
    return jax.lax.cond(
        y[0, 0, 0, 0] > 0, lambda y: ops.conv(y, k, stride=2), lambda y: y[:, :2, :2] * 2, y
    ).sum()


def gradient():
    return jax.make_jaxpr(jax.grad(program, 1))(jnp.zeros((2, 5, 5, 3)), jnp.zeros((3, 3, 3, 3)))


def test_every_convolution_is_found_and_compiles():
    found = list(convolutions(gradient()))
    assert {e.primitive.name for e in found} == {
        "jconv_forward",
        "jconv_input_gradient",
        "jconv_kernel_gradient",
    }
    assert {e.params["geometry"].window.stride for e in found} == {(1, 1), (2, 2)}
    assert all(map(compiles_alone, found))
    assert refused(gradient()) == []


def test_each_kind_is_tried_once():
    tried = []
    found = refused(gradient(), lambda equation: bool(tried.append(equation)))
    assert found == tried
    kinds = {
        (e.primitive, e.params["geometry"], *(v.aval.shape for v in e.invars))
        for e in convolutions(gradient())
    }
    assert len(found) == len(kinds)


def test_they_are_described_by_the_image_and_the_kernel():
    words = described(
        [
            e
            for e in refused(gradient(), lambda _: False)
            if e.params["geometry"].window.stride == (1, 1)
        ]
    )
    for operation in ("forward", "input gradient", "kernel gradient"):
        assert f"the {operation} of 2x5x5x3 by 3x3x3x3" in words


def test_what_looks_like_a_failure_of_a_convolution():
    assert is_convolution_failure(
        JaxRuntimeError("Failed to determine best cudnn convolution algorithm for: ...")
    )
    assert is_convolution_failure(JaxRuntimeError("UNKNOWN: CUDNN_STATUS_NOT_SUPPORTED"))
    assert not is_convolution_failure(JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory"))
    assert not is_convolution_failure(ValueError("cudnn"))
