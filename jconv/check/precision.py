"""What a precision policy costs: how far logits and gradients are from the true ones, on the
backend at hand.

A policy is the dtype of images and activations, and the precision of convolutions and matrix
products, in jax's words: "highest", "high" or "default". On a GPU "default" multiplies float32 as
TF32, on a TPU as bfloat16; on a CPU all three multiply the same, but only "highest" leaves out the
methods that compute neighbouring outputs together (ops/precision.py). Parameters stay float32. The
truth is float64 at highest precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..analysis.example import example_shape
from ..analysis.text import aligned
from ..compilation import jit
from ..edit.serving import build_servable
from ..edit.surgery import with_precision
from ..geometry import Shape
from ..html import piece, table
from ..layer import Layer, map_layers
from ..layers import Dropout, DropPath, Identity
from ..seeds import random_key
from ..settings import check_counts
from .differences import Leaves, relative, weighted_sum

# a gradient below so much of the largest is zero but for rounding, as a bias's before batch norm
NOTHING = 1e-10


class Policy(NamedTuple):
    """What is computed in what."""

    dtype: str
    precision: str

    def __str__(self) -> str:
        return f"{self.dtype}, {self.precision}"


TRUTH = Policy("float64", "highest")
POLICIES = (
    Policy("float32", "highest"),
    Policy("float32", "default"),
    Policy("bfloat16", "default"),
)


class PolicyError(NamedTuple):
    """max|a - b| / max|b| against the truth: the largest over the outputs, and over the parameter
    arrays and the input.
    """

    policy: Policy
    logits: float
    gradient: float
    worst: str  # which gradient


@dataclass(frozen=True)
class PrecisionErrors:
    """What `precision_errors` returns; str() is the table."""

    backend: str
    batch: int
    rows: tuple[PolicyError, ...]

    @property
    def title(self) -> str:
        return f"max|a - b| / max|b| on {self.backend}, batch {self.batch}"

    def cells(self) -> list[tuple[str, ...]]:
        """The table as text, cell by cell: the head, the policies, the truth."""
        return [
            ("policy", "logits", "gradients", "worst gradient of"),
            *(
                (str(row.policy), f"{row.logits:.1e}", f"{row.gradient:.1e}", row.worst)
                for row in self.rows
            ),
            (str(TRUTH), "the truth", "", ""),
        ]

    def __str__(self) -> str:
        head, *rows, truth = self.cells()
        return f"{self.title}\n{aligned(head, rows, truth, right={1, 2})}"

    __repr__ = __str__  # what a terminal shows of a last line

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        head, *rows, truth = self.cells()
        return piece(table(head, rows, truth, caption=self.title, right={1, 2}))


def precision_errors(
    net: Layer,
    in_shape: Shape,
    *,
    train: bool = True,
    batch: int = 8,
    policies: tuple[Policy, ...] = POLICIES,
    seed: int = 0,
) -> PrecisionErrors:
    """The true errors of a net's logits and gradients under each policy, as `jconv.jit` compiles it
    on this backend.

    The gradient is of the logits, summed by fixed random weights, in every parameter array and the
    input. Parameters and images are random, and without dropout: its draws are not the same in
    float64. An array whose gradient is zero but for rounding is left out.
    """
    check_counts(batch=batch)
    in_shape = example_shape(net, in_shape)
    net = map_layers(
        net, lambda _, layer: Identity() if isinstance(layer, (Dropout, DropPath)) else layer
    )
    rng = np.random.default_rng(seed)
    params, state = jax.jit(net.init, static_argnums=1)(random_key(seed), in_shape)
    params = jax.tree.map(lambda p: _noisy(np.asarray(p), rng), params)
    images = rng.standard_normal((batch, *in_shape), np.float32)
    shape = jax.eval_shape(
        lambda params, x: net.apply(params, state, x, train=train)[0], params, images
    )
    weights = jax.tree.map(lambda y: rng.standard_normal(y.shape, np.float32), shape)
    given = params, images, state, weights
    logits, gradient = numbers(net, TRUTH, train, *given)
    least = NOTHING * max(np.abs(g).max() for g in gradient.values())
    gradient = {name: g for name, g in gradient.items() if np.abs(g).max() > least}
    rows = []
    for policy in policies:
        found, slopes = numbers(net, policy, train, *given)
        deviations = {name: relative(slopes[name], g) for name, g in gradient.items()}
        worst = max(deviations, key=lambda name: deviations[name])
        rows.append(
            PolicyError(
                policy,
                max(relative(a, b) for a, b in zip(found, logits, strict=True)),
                deviations[worst],
                worst,
            )
        )
    return PrecisionErrors(jax.default_backend(), batch, tuple(rows))


def numbers(
    net: Layer, policy: Policy, train: bool, params, images, state, weights
) -> tuple[list[np.ndarray], Leaves]:
    """The outputs and the gradients of their weighted sum by path, computed under a policy; float64
    arrays.

    The precision is set on the layers that have one, and as jax's default for products that a layer
    of somebody else's makes.
    """
    net = with_precision(net, policy.precision)
    wide = "float64" if policy.dtype == "float64" else "float32"

    def summed(net, params, images, state, weights):
        y = net.apply(params, state, images.astype(policy.dtype), train=train)[0]
        y = jax.tree.map(lambda a: a.astype(wide), y)
        return weighted_sum(weights, y).astype(wide), y

    with jax.enable_x64(policy.dtype == "float64"), jax.default_matmul_precision(policy.precision):
        arrays = jax.tree.map(lambda a: jnp.asarray(a, wide), (params, images, state, weights))
        run = lambda net: jit(jax.value_and_grad(partial(summed, net), (0, 1), has_aux=True))(
            *arrays
        )
        (_, y), (slopes, slope) = build_servable(
            run, net, images.shape[1:], [len(images)], dtype=policy.dtype
        )
    name = lambda path: jax.tree_util.keystr(path, simple=True, separator="/")
    leaves = {name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(slopes)} | {
        "(input)": slope
    }
    return [np.asarray(a, np.float64) for a in jax.tree.leaves(y)], {
        name: np.asarray(leaf, np.float64) for name, leaf in leaves.items()
    }


def _noisy(p: np.ndarray, rng: np.random.Generator) -> Any:
    """The array with a tenth of its own size added at random, so that none stays all zeros or ones;
    float32.
    """
    size = np.sqrt(np.square(p).mean()) or np.float32(1)
    return p + np.float32(0.1) * size * rng.standard_normal(p.shape, np.float32)
