"""Memory for time: blocks whose activations are computed again in the backward pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import jax

from ..analysis.memory import GIB, budget, largest_batch, saved, saved_bytes, unmeasured
from ..compose import Composite, Placeholder, Sequential, Tap
from ..compose.walking import Walk
from ..errors import InputError
from ..geometry import Shape
from ..layer import Layer, Saved, map_layers
from .wrapped import Held, Wrapped

# What a program with blocks computed again has to be compiled with, by backend. XLA's CPU compiler
# drops jax.checkpoint's barriers early, by this pass, and then computes again at once, or not at
# all, what it should compute late. A step of cifar_resnet20 with 128 images, all blocks again, by
# XLA's own account: 288 MiB beside its arguments as it is, 328 with barriers dropped, 111 with
# barriers kept, in the same time and with the same bits (jaxlib 0.10.2).
COMPILER_OPTIONS: dict[str, dict[str, str]] = {
    "cpu": {"xla_disable_hlo_passes": "cse_barrier_expander"}
}


@dataclass(frozen=True, repr=False)
class Remat(Wrapped):
    """A layer that keeps its input alone for the gradient, and computes what is inside it again:
    `jax.checkpoint`. Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".

    What it saves on a CPU it saves in programs compiled with `compiler_options` alone. What a Tap
    inside records comes out under its path, where the plain net's `split_taps` finds it.
    """

    def saves(self, in_shape: Shape) -> Saved:
        return Saved(input=True)

    def apply(self, params, state, x, *, train=False, key=None):
        again = jax.checkpoint(
            lambda params, state, x, key: self.inner.apply(params, state, x, train=train, key=key)
        )
        return again(params, state, x, key)


def compiler_options(net: Layer) -> dict[str, str]:
    """What the jit around a training step of this net is to be given as `compiler_options`: {}
    unless there is a `Remat` in it.
    """
    return COMPILER_OPTIONS.get(jax.default_backend(), {}) if _has(net, Remat) else {}


def rematerialize(net: Layer, paths: tuple[str, ...]) -> Layer:
    """The net with the blocks of these paths in a `Remat` each."""
    return map_layers(net, lambda path, layer: Remat(Held(layer)) if path in paths else layer)


def blocks(net: Layer, path: str = "") -> Iterator[tuple[str, Layer]]:
    """The smallest parts of a net that are worth computing again, in order: composites with no
    branching one, such as a Residual or a Concat, inside, and no Tap, whose record has to come out.
    Layers of their own are none: their input is what they would keep.
    """
    for name, child in net.children:
        below = f"{path}/{name}" if path else name
        if not child.composed:
            continue
        if _has(child, Tap) or any(_branches(inner) for _, inner in child.children):
            yield from blocks(child, below)
        else:
            yield below, child


def _branches(layer: Layer) -> bool:
    if not isinstance(layer, Composite):
        return False
    return not isinstance(layer, Sequential) or any(_branches(c) for _, c in layer.children)


def _has(net: Layer, kind: type[Layer]) -> bool:
    return isinstance(net, kind) or any(_has(child, kind) for _, child in net.children)


def fit_memory(
    net: Layer,
    in_shape: Shape,
    batch: int,
    limit: int,
    *,
    optimizer: str = "momentum",
    dtype: str = "float32",
) -> tuple[Layer, tuple[str, ...]]:
    """The net with as few blocks rematerialised as let a training step fit into `limit` bytes by
    `budget`'s count, and their paths: those that save most first.

    While a block is computed again, what is inside it is there too, which is counted for the
    largest of them. A net that fits is returned as it is. Raises InputError when not even all
    blocks do, saying what would.
    """

    def kept(net: Layer) -> int:
        found = saved(net, in_shape, dtype)
        if found is None:
            raise InputError(
                "fit_memory: what training keeps is unknown: the gradient of "
                f"{unmeasured(net, in_shape, dtype)} cannot be traced"
            )
        return batch * found.each + found.fixed

    plain = kept(net)
    whole = budget(net, in_shape, batch, optimizer=optimizer, dtype=dtype).total or 0
    if whole <= limit:
        return net, ()
    of = dict(blocks(net))
    gains = {path: plain - kept(rematerialize(net, (path,))) for path in of}
    shapes = _input_shapes(net, in_shape)
    paths: tuple[str, ...] = ()
    least, inside = whole, 0
    for path in sorted((path for path in of if gains[path] > 0), key=lambda path: -gains[path]):
        paths += (path,)
        inside = max(inside, batch * (saved_bytes(of[path], shapes[path], dtype) or 0))
        again = rematerialize(net, paths)
        least = whole - plain + kept(again) + inside
        if least <= limit:
            return again, tuple(p for p in of if p in paths)
    fits = largest_batch(net, in_shape, limit, optimizer=optimizer, dtype=dtype)
    what = (
        f"{least / GIB:.3g} with all of its {len(paths)} blocks computed again"
        if paths
        else "and it has no blocks to compute again, such as Residual, Concat or a Sequential"
    )
    raise InputError(
        f"fit_memory={limit / GIB:g}: a training step of {batch:,} images takes {whole / GIB:.3g} "
        f"GiB, {what}; use batch_size={fits}"
    )


@dataclass
class _Inputs(Walk):
    """Notes what each composite is given, the first time it is gone through."""

    given: dict[str, Shape] = field(default_factory=dict)

    def follow(self, path, layer, x):
        self.given.setdefault(path, x.shape)
        return super().follow(path, layer, x)


def _input_shapes(net: Layer, in_shape: Shape) -> dict[str, Shape]:
    call = _Inputs()
    call.follow("", net, Placeholder(tuple(in_shape)))
    return call.given
