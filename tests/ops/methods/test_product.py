"""The dense layer's product as a bilinear operation, against jnp.matmul and what JAX makes of
that.
"""

import jax
import jax.numpy as jnp
import pytest

from jconv import ops
from jconv.errors import ShapeError


def everything(f, x, k, ct):
    """Values, both gradients, a derivative of the gradients, and batches of each operand alone and
    of both.
    """
    pulled = lambda x, k: jax.vjp(f, x, k)[1](ct)
    loss = lambda x, k: jnp.sin(f(x[None], k)).sum()
    xs, ks = jnp.stack([x, 2 * x, x + 1]), jnp.stack([k, k + 1, -k])
    batches = [
        jax.vmap(f, axes)(*a)
        for axes, a in (((0, None), (xs, k)), ((None, 0), (x, ks)), ((0, 0), (xs, ks)))
    ]
    return (
        f(x, k),
        pulled(x, k),
        jax.jvp(pulled, (x, k), (xs[2], ks[1])),
        batches,
        jax.vmap(jax.grad(loss, (0, 1)), (0, None))(x, k),
    )


def test_equals_matmul(rng, x64, compiled, close):
    x, k, ct = (jnp.asarray(rng.standard_normal(s)) for s in ((5, 7), (7, 3), (5, 3)))
    close(
        *(compiled(lambda *a, f=f: everything(f, *a))(x, k, ct) for f in (ops.dense, jnp.matmul)),
        1e-12,
    )


def test_neighbours_are_compiled_apart_on_a_cpu():
    """YNNPACK would take them for one product, and compute the first anew for every output of the
    next.
    """
    x, k1, k2 = (jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((2, 5), (5, 7), (7, 3)))
    text = (
        jax.jit(lambda x, k1, k2: ops.dense(ops.dense(x, k1), k2))
        .lower(x, k1, k2)
        .compile()
        .as_text()
    )
    assert sum(" call(" in line and 'inlineable="false"' in line for line in text.splitlines()) == 2
    assert ops.dense(jnp.ones((2, 5)), jnp.ones((5, 3)), method="lax").tolist() == [[5.0] * 3] * 2
    with pytest.raises(ValueError, match="unknown method 'direct'"):
        ops.dense(jnp.ones((2, 5)), jnp.ones((5, 3)), method="direct")


def test_outer_products_are_compiled_apart_on_a_cpu():
    """Per-example gradients: what gave the operands would be computed again for every element of
    them.
    """
    gradients = jax.vmap(jax.grad(lambda k, x: jnp.square(ops.dense(x[None], k)).sum()), (None, 0))
    x, k = jax.ShapeDtypeStruct((4, 5), jnp.float32), jax.ShapeDtypeStruct((5, 3), jnp.float32)
    text = jax.jit(lambda k, x: gradients(k, jnp.sin(x))).lower(k, x).compile().as_text()
    calls = [
        line for line in text.splitlines() if " call(" in line and 'inlineable="false"' in line
    ]
    # forward; and the outer products, examples first as they are wanted
    assert ["f32[4,5,3]" in call for call in calls] == [False, True]


def test_shapes_and_dtypes_that_do_not_fit():
    with pytest.raises(ShapeError, match=r"x of shape \(2, 5\) for a kernel of shape \(7, 3\)"):
        ops.dense(jnp.zeros((2, 5)), jnp.zeros((7, 3)))
    with pytest.raises(TypeError, match="cast one to the other's dtype"):
        ops.dense(jnp.zeros((2, 7), jnp.bfloat16), jnp.zeros((7, 3)))
