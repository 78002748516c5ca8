"""Layers that apply another several times, by lax.scan or written out: what a scan costs is the one
against the other.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp

from jconv.compose import Repeat
from jconv.edit import with_method
from jconv.geometry import Shape
from jconv.layer import Layer, Params, State, map_layers
from jconv.ops.methods import Choice


@dataclass(frozen=True)
class Held:
    """A layer that another one computes with, and is no child of it: what it does to a batch is not
    `run` but arithmetic of its own.
    """

    layer: Layer


@dataclass(frozen=True)
class InTurn(Layer):
    """y = the sum of layer(x) over the `parts` of a batch, one after another: by lax.scan, or with
    `unroll` written out.

    With `gradient`, y is the sum of the gradient of sum(layer(x)^2) in x instead, plus the sum of
    that in the parameters, so that both are computed inside the scan. Shapes: (N, *in_shape) -> (N
    / parts, *out_shape), or *in_shape; the parts must divide the batch, and are at most its images.
    Params: the layer's.
    """

    method_per_operation = True

    held: Held
    unroll: bool = False
    gradient: bool = False
    parts: int = 4
    method: Choice = "auto"

    @property
    def layer(self) -> Layer:
        return with_method(self.held.layer, self.method)

    def out_shape(self, in_shape: Shape) -> Shape:
        return in_shape if self.gradient else self.layer.out_shape(in_shape)

    def macs(self, in_shape: Shape) -> int | None:
        return self.layer.macs(in_shape)

    def init(self, key: jax.Array, in_shape: Shape) -> tuple[Params, State]:
        return self.layer.init(key, in_shape)

    def apply(self, params, state, x, *, train=False, key=None) -> tuple[Any, State]:
        forward = lambda params, part: self.layer.apply(params, {}, part, train=train)[0]

        def gradients(params, part):
            in_params, in_part = jax.grad(lambda *both: jnp.square(forward(*both)).sum(), (0, 1))(
                params, part
            )
            return in_part + sum(a.sum() for a in jax.tree.leaves(in_params))

        once = gradients if self.gradient else forward
        parts = x.reshape(min(self.parts, len(x)), -1, *x.shape[1:])
        total = jnp.zeros((parts.shape[1], *self.out_shape(x.shape[1:])), x.dtype)
        if not self.unroll:
            return jax.lax.scan(
                lambda total, part: (total + once(params, part), None), total, parts
            )[0], state
        for part in parts:
            total = total + once(params, part)
        return total, state


def written_out(net: Layer) -> Layer:
    """The net without its scans."""
    return map_layers(
        net,
        lambda _, layer: (
            replace(layer, unroll=True) if isinstance(layer, (Repeat, InTurn)) else layer
        ),
    )
