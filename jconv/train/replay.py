"""One step of a run once more, layer by layer: where a loss that is not finite came from."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..analysis.recording import Recorder
from ..compilation import jit
from ..compose import Composite, walk
from ..errors import InputError
from ..seeds import random_key
from .checkpoint import restore_checkpoint
from .loop import Carried
from .run import Run
from .setup import Training
from .step import drawn_batch, make_objective


class LayerRow(NamedTuple):
    """A layer in the step: what it gave, and the gradient of its parameters."""

    path: str
    kind: str
    smallest: float  # output
    largest: float
    finite: bool  # all of the output
    parameters: float  # the length of its parameters as one vector; NaN where it has none
    gradient: float  # that of their gradient


class Replay(NamedTuple):
    """A step, taken once more."""

    step: int  # from 1
    loss: float
    gradient: float  # the length of all gradients as one vector
    rows: list[LayerRow]  # in the order of execution
    first_bad: str | None  # the layer at fault, and what of it is not finite

    def __str__(self) -> str:
        width = max((len(row.path) for row in self.rows), default=4)
        words = "".join(f" {word:>12}" for word in ("output from", "to", "parameters", "gradient"))
        lines = [
            f"step {self.step:,}: loss {self.loss:.6g}, gradient {self.gradient:.6g}",
            f"{'layer':<{width}} {words}",
        ]
        number = lambda value: "" if np.isnan(value) else f"{value:.4g}"
        for row in self.rows:
            outputs = (
                f"{row.smallest:>12.4g} {row.largest:>12.4g}"
                if row.finite
                else f"{'not finite':>25}"
            )
            gradient = number(row.gradient) if row.parameters == row.parameters else ""
            if row.parameters == row.parameters and not np.isfinite(row.gradient):
                gradient = "not finite"
            lines.append(
                f"{row.path:<{width}}  {outputs} {number(row.parameters):>12} {gradient:>12}"
            )
        last = "all is finite" if self.first_bad is None else f"the first: {self.first_bad}"
        return "\n".join([*lines, last])


def replay(training: Training, run: Run, like: Carried, step: int) -> Replay:
    """The step of that number, from 1, from the nearest checkpoint before it; nothing is written.

    `like` is what a training carries, for its shapes. Raises InputError for a step that the
    training has not or that no checkpoint leads to.
    """
    if not 1 <= step <= training.total:
        raise InputError(f"replay={step}: a step from 1 to {training.total} was expected")
    restored = restore_checkpoint(run.checkpoints, like, before=step - 1)
    carried: Carried = restored.tree
    batches = training.feed.batches(restored.step, training.total)
    for _ in range(restored.step, step - 1):
        carried = training.program(carried, *next(batches))
    train, batch = carried.train, next(batches)
    net, settings = training.trained, training.settings
    objective = make_objective(net, training.loss, settings)

    paths: list[str] = []

    @jit
    def looked(train, images, labels, rows):
        if training.feed.whole:
            images, labels = images[rows], labels[rows]
        x, *others = drawn_batch(
            settings, images, labels, rows, train.step // training.order.steps, train.step
        )
        key = jax.random.fold_in(random_key(settings.seed), train.step)
        (loss, _), gradient = jax.value_and_grad(objective, has_aux=True)(
            train.params, train.state, x, *others, key
        )
        if isinstance(net, Composite):
            call = Recorder(train.params, train.state, True, key)
            net.run(call, x)
            outputs = call.found
        else:
            outputs = {"": net.apply(train.params, train.state, x, train=True, key=key)[0]}
        paths[:] = outputs  # jit returns a dict's entries by name, not in this order
        ranges = [
            jnp.stack([a.astype(jnp.float32) for a in (y.min(), y.max(), jnp.isfinite(y).all())])
            for y in outputs.values()
        ]
        return loss, ranges, lengths(gradient), lengths(train.params)

    loss, ranges, gradients, params = jax.device_get(looked(train, *batch))
    kinds = {path: type(layer).__name__ for path, layer, *_ in walk(net, training.in_shape)}
    rows = [
        LayerRow(
            path,
            kinds.get(path.partition("#")[0], ""),
            float(low),
            float(high),
            bool(finite),
            float(params.get(path, np.nan)),
            float(gradients.get(path, np.nan)),
        )
        for path, (low, high, finite) in zip(paths, ranges, strict=True)
    ]
    total = float(np.sqrt(sum(float(value) ** 2 for value in gradients.values())))
    return Replay(step, float(loss), total, rows, first_bad(rows, float(loss)))


def lengths(tree: dict) -> dict[str, jax.Array]:
    """The length of each layer's arrays as one vector, by the layer's path."""
    squares: dict[str, jax.Array] = {}
    for at, leaf in jax.tree_util.tree_leaves_with_path(tree):
        path = jax.tree_util.keystr(at[:-1], simple=True, separator="/")
        square = jnp.square(leaf.astype(jnp.float32)).sum()
        squares[path] = squares[path] + square if path in squares else square
    return {path: jnp.sqrt(square) for path, square in squares.items()}


def first_bad(rows: list[LayerRow], loss: float) -> str | None:
    """What is the first that is not finite: an output in the order of execution, then the loss,
    then a gradient, from the last layer to the first.
    """
    for row in rows:
        if not row.finite:
            return f"the output of {row.path or 'the net'} ({row.kind}) is not finite"
    if not np.isfinite(loss):
        return f"the loss is {loss}, of finite scores"
    for row in reversed(rows):
        if not np.isnan(row.parameters) and not np.isfinite(row.gradient):
            return f"the gradient of {row.path or 'the net'} ({row.kind}) is not finite"
    return None
