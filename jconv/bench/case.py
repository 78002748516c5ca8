"""What is measured: a net, a batch and what is done with them; and the numbers every contestant starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import jax
import jax.numpy as jnp
import numpy as np

from ..geometry import Shape, volume
from ..layer import Layer, Params, State, child_key, map_layers
from ..network import thin

What = Literal["forward", "gradient", "train", "per-example"]
WHATS = get_args(What)
RATE, MOMENTUM = 0.01, 0.9  # of the SGD every contestant trains with


@dataclass(frozen=True)
class Case:
    """A net on a batch of images. A net of one layer is how an operation is measured.

    forward: the scores, in training mode. gradient: of sum(scores^2) in the parameters, with `images` in the input too.
    train: a whole step of SGD with momentum on the softmax cross entropy, data in, update out; buffers donated.
    per-example: the gradient of the cross entropy in the parameters, one for each example.
    """

    name: str
    net: Layer
    in_shape: Shape
    batch: int
    images: bool = False  # whether "gradient" includes the input's: of an operation
    dtype: str = "float32"  # of images and activations; parameters are float32

    @property
    def classes(self) -> int:
        return self.net.out_shape(self.in_shape)[-1]

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""
        return sum(volume(a.shape) for a in jax.tree.leaves(shapes(self)[0]))


@dataclass(frozen=True)
class Given:
    """The numbers a case starts from, the same for every contestant: NumPy arrays, jconv's layout."""

    params: Params
    state: State
    images: np.ndarray  # (N, *in_shape) float32
    labels: np.ndarray  # (N,) int32


def shapes(case: Case) -> tuple[Params, State]:
    """The shapes of params and state."""
    return jax.eval_shape(lambda key: case.net.init(key, case.in_shape), jax.random.key(0))


def draw(case: Case, seed: int = 0) -> Given:
    """Kernels that keep the variance, scales near 1, biases near 0, normal images, labels of every class."""
    rng = np.random.default_rng(seed)
    normal = lambda shape: rng.standard_normal(shape, np.float32)
    spread = {
        "kernel": lambda shape: normal(shape) * np.float32(np.sqrt(2 / volume(shape[-(len(case.in_shape) + 1) : -1]))),
        "scale": lambda shape: 1 + 0.1 * normal(shape),
        "bias": lambda shape: 0.1 * normal(shape),
        "mean": lambda shape: np.zeros(shape, np.float32),
        "var": lambda shape: np.ones(shape, np.float32),
    }
    fill = lambda path, a: spread[path[-1].key](a.shape)
    params, state = (jax.tree_util.tree_map_with_path(fill, tree) for tree in shapes(case))
    images = normal((case.batch, *case.in_shape))
    return Given(params, state, images, rng.integers(case.classes, size=case.batch, dtype=np.int32))


def toy(case: Case) -> Case:
    """The same in small, to see that everything works: two images, and a net (not an operation) with an eighth of its channels."""
    return replace(case, batch=2, net=case.net if case.images else thin(case.net, 1 / 8))


@dataclass(frozen=True)
class Scanned(Layer):
    """y = layer(...layer(x)), `times` times, each with parameters of its own: by lax.scan, or written out.

    Shapes: as the layer, which must keep them. Params: the layer's, with a leading axis of `times`.
    """

    layer: Layer
    times: int = 4
    written_out: bool = False

    @property
    def children(self):
        return (("layer", self.layer),)

    def with_children(self, children):
        return replace(self, layer=children["layer"])

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
class InTurn(Layer):
    """y = the sum of layer(x) over the `parts` of a batch, one after another: by lax.scan, or written out.

    With `gradient`, y is the sum of the gradient of sum(layer(x)^2) in x instead, plus the sum of that in the parameters, so that both
    are computed inside the scan. Shapes: (N, *in_shape) -> (N / parts, *out_shape), or *in_shape; the parts must divide the batch, and
    are at most its images. Params: the layer's.
    """

    layer: Layer
    gradient: bool = False
    parts: int = 4
    written_out: bool = False

    @property
    def children(self):
        return (("layer", self.layer),)

    def with_children(self, children):
        return replace(self, layer=children["layer"])

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


def written_out(case: Case) -> Case:
    """The same without its scans."""
    write = lambda _, layer: replace(layer, written_out=True) if isinstance(layer, (Scanned, InTurn)) else layer
    return replace(case, net=map_layers(case.net, write))
