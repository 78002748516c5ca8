"""The net that a backend's compiler accepts: the same layers, with method "im2col" where it refuses
their convolutions.

cuDNN has no algorithm for some shapes and dtypes. A product of matrices, which is what im2col makes
of a convolution, always compiles.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
from jax.errors import JaxRuntimeError

from ..analysis.example import example_shape
from ..compose import walk
from ..errors import LayerError
from ..geometry import Shape
from ..layer import Layer, map_layers
from ..ops.refused import compiles_alone, described, is_convolution_failure, refused
from ..settings import check_counts

REFERENCE = "im2col"
T = TypeVar("T")


def servable(
    net: Layer,
    in_shape: Shape,
    batch: int,
    *,
    dtype: str = "float32",
    compiles: Callable[[Any], bool] = compiles_alone,
) -> Layer:
    """The net whose layers compile for `batch` images of `dtype`, forward and backward: those that
    do not are left to "im2col".

    Every layer is traced by itself and each of its convolutions compiled alone, each distinct one
    once; nothing is run. `compiles(equation)` tries one equation of a jaxpr. The net is returned as
    it is when all of them compile. Raises LayerError with the path of a layer that has no setting
    `method` to change, or that im2col does not help.
    """
    check_counts(batch=batch)
    in_shape = example_shape(net, in_shape)
    tried: dict[tuple, list[Any]] = {}

    def fails(layer: Layer, shape: Shape) -> list[Any]:
        if (layer, shape) not in tried:
            tried[layer, shape] = refused(_traced(layer, shape, batch, dtype), compiles)
        return tried[layer, shape]

    changed: dict[str, Layer] = {}
    for path, layer, shape, *_ in walk(net, in_shape):
        if found := fails(layer, shape):
            changed[path] = _by_reference(layer, path, found)
            if fails(changed[path], shape):
                raise LayerError(
                    f"the compiler refuses {described(found)}, and what im2col makes of it too",
                    path,
                )
    return map_layers(net, lambda path, layer: changed.get(path, layer)) if changed else net


def build_servable(
    build: Callable[[Layer], T],
    net: Layer,
    in_shape: Shape,
    batches: Sequence[int],
    *,
    dtype: str = "float32",
    compiles: Callable[[Any], bool] = compiles_alone,
) -> T:
    """build(net); where that fails for a convolution that does not compile, a warning, and
    build(net') of the net made servable.

    `build` compiles programs for batches of those sizes. Raises what it raises where no layer is to
    blame, and LayerError as `servable`.
    """
    try:
        return build(net)
    except JaxRuntimeError as error:
        if not is_convolution_failure(error):
            raise
        other = net
        for batch in batches:
            other = servable(other, in_shape, batch, dtype=dtype, compiles=compiles)
        if other == net:
            raise
    both = zip(walk(net, in_shape), walk(other, in_shape), strict=True)
    names = dict.fromkeys(
        before.path or "the net" for before, after in both if before.layer != after.layer
    )
    warnings.warn(
        f"the compiler refuses convolutions of {', '.join(names)}: these layers run by {REFERENCE}",
        stacklevel=2,
    )
    return build(other)


def _traced(layer: Layer, in_shape: Shape, batch: int, dtype: str) -> Any:
    """The jaxpr of one layer's forward and backward pass, from shapes alone."""
    params, state = jax.eval_shape(lambda key: layer.init(key, in_shape), jax.random.key(0))

    def both(params, state, x, key):
        y, pull = jax.vjp(
            lambda params, x: layer.apply(params, state, x, train=True, key=key)[0], params, x
        )
        # integers have no gradient
        whole = all(jnp.issubdtype(a.dtype, jnp.inexact) for a in jax.tree.leaves(y))
        return y, pull(jax.tree.map(jnp.ones_like, y)) if whole else None

    return jax.make_jaxpr(both)(
        params, state, jax.ShapeDtypeStruct((batch, *in_shape), dtype), jax.random.key(0)
    )


def _by_reference(layer: Layer, path: str, found: list[Any]) -> Layer:
    if not hasattr(layer, "method"):
        raise LayerError(
            f"the compiler refuses {described(found)}, and {type(layer).__name__} has no method to "
            "change",
            path,
        )
    return replace(layer, method=REFERENCE)  # type: ignore[type-var]  (it is a dataclass)
