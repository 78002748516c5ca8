"""Layers that apply another several times, by lax.scan or written out: what a scan costs is the one against the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from ..geometry import Shape
from ..layer import Layer, Params, State, child_key, map_layers


@dataclass(frozen=True)
class Looped(Layer):
    """What they share: the layer, and whether each time stands in the program by itself."""

    layer: Layer
    written_out: bool = False

    @property
    def children(self):
        return (("layer", self.layer),)

    def with_children(self, children):
        return replace(self, layer=children["layer"])


@dataclass(frozen=True)
class Scanned(Looped):
    """y = layer(...layer(x)), `times` times, each with parameters of its own: by lax.scan, or written out.

    Shapes: as the layer, which must keep them. Params: the layer's, with a leading axis of `times`.
    """

    times: int = 4

    def out_shape(self, in_shape: Shape) -> Shape:
        return self.layer.out_shape(in_shape)

    def steps(self, in_shape: Shape):
        return iter([("layer", self.layer, in_shape)] * self.times)

    def init(self, key: jax.Array, in_shape: Shape) -> tuple[Params, State]:
        keys = jnp.stack([child_key(key, str(i)) for i in range(self.times)])
        return jax.vmap(lambda key: self.layer.init(key, in_shape)[0])(keys), {}

    def apply(self, params, state, x, *, train=False, key=None) -> tuple[Any, State]:
        once = lambda x, params: self.layer.apply(params, {}, x, train=train)[0]
        if not self.written_out:
            return jax.lax.scan(lambda x, params: (once(x, params), None), x, params)[0], state
        for i in range(self.times):
            x = once(x, jax.tree.map(lambda a: a[i], params))  # noqa: B023 (used before i moves on)
        return x, state


@dataclass(frozen=True)
class InTurn(Looped):
    """y = the sum of layer(x) over the `parts` of a batch, one after another: by lax.scan, or written out.

    With `gradient`, y is the sum of the gradient of sum(layer(x)^2) in x instead, plus the sum of that in the parameters, so that both
    are computed inside the scan. Shapes: (N, *in_shape) -> (N / parts, *out_shape), or *in_shape; the parts must divide the batch, and
    are at most its images. Params: the layer's.
    """

    gradient: bool = False
    parts: int = 4

    def out_shape(self, in_shape: Shape) -> Shape:
        return in_shape if self.gradient else self.layer.out_shape(in_shape)

    def steps(self, in_shape: Shape):
        return iter([("layer", self.layer, in_shape)])

    def init(self, key: jax.Array, in_shape: Shape) -> tuple[Params, State]:
        return self.layer.init(key, in_shape)

    def apply(self, params, state, x, *, train=False, key=None) -> tuple[Any, State]:
        forward = lambda params, part: self.layer.apply(params, {}, part, train=train)[0]

        def gradients(params, part):
            in_params, in_part = jax.grad(lambda *both: jnp.square(forward(*both)).sum(), (0, 1))(params, part)
            return in_part + sum(a.sum() for a in jax.tree.leaves(in_params))

        once = gradients if self.gradient else forward
        parts = x.reshape(min(self.parts, len(x)), -1, *x.shape[1:])
        total = jnp.zeros((parts.shape[1], *self.out_shape(x.shape[1:])), x.dtype)
        if not self.written_out:
            return jax.lax.scan(lambda total, part: (total + once(params, part), None), total, parts)[0], state
        for part in parts:
            total = total + once(params, part)
        return total, state


def written_out(net: Layer) -> Layer:
    """The net without its scans."""
    return map_layers(net, lambda _, layer: replace(layer, written_out=True) if isinstance(layer, Looped) else layer)
