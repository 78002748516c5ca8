"""What jax keeps of a whole net's training step for its gradient: the judge of what the library
predicts.
"""

import math

import jax
import jax.numpy as jnp
from jax.extend.core import Literal

from jconv import split_taps


def residuals(net, in_shape, batch: int, dtype=jnp.float32) -> int:
    """Bytes of the residuals of jax.vjp that are neither arguments nor constants, each array
    once.
    """
    params, state = jax.eval_shape(lambda key: net.init(key, in_shape), jax.random.key(0))
    x, key = (
        jax.ShapeDtypeStruct((batch, *in_shape), dtype),
        jax.eval_shape(lambda: jax.random.key(0)),
    )

    def f(params, state, x, key):
        def outputs(params, x):
            y, new = net.apply(params, state, x, train=True, key=key)
            return y, split_taps(net, new)[1]

        return jax.tree.leaves(jax.vjp(outputs, params, x)[1])

    jaxpr = jax.make_jaxpr(f)(params, state, x, key).jaxpr
    varying = set(jaxpr.invars)
    for equation in jaxpr.eqns:
        if any(not isinstance(v, Literal) and v in varying for v in equation.invars):
            varying.update(equation.outvars)
    kept = {
        v
        for v in jaxpr.outvars
        if not isinstance(v, Literal) and v in varying and v not in jaxpr.invars
    }
    return sum(math.prod(v.aval.shape) * v.aval.dtype.itemsize for v in kept)
