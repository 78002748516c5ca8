"""The optimizers that the CS231n notes name, all optax's own.

A further one is a word of `Optimizer` and a line of `make_optimizer`; the commands, the checks of
options and the memory tables follow.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Literal, get_args

import jax

from .errors import InputError, unknown
from .layer import Params

if TYPE_CHECKING:
    import optax

Optimizer = Literal[
    "sgd", "momentum", "nesterov", "adam", "adamw", "rmsprop", "adagrad", "adadelta", "lion", "lamb"
]
OPTIMIZERS: tuple[str, ...] = get_args(Optimizer)


def make_optimizer(
    name: str,
    rate: optax.ScalarOrSchedule,
    *,
    momentum: float | jax.Array = 0.9,
    weight_decay: float | jax.Array = 0.0,
    decay: Literal["kernels", "all"] = "kernels",
) -> optax.GradientTransformation:
    """The optimizer of that name. `momentum` is for "momentum" and "nesterov". Raises InputError.

    Weight decay acts on the leaves called `kernel` alone, since biases and norms have no reason to
    be small, or on all of them (He et al. 2015). It adds weight_decay·kernel to the gradient (the
    L2 penalty of Caffe's solvers), except in "adamw", "lion" and "lamb", where it stays apart from
    the gradient's scaling (Loshchilov & Hutter 2017).
    """
    import optax  # a quarter of the time that jconv takes to import, and not for every program

    mask = kernels if decay == "kernels" else None
    apart = {"adamw": optax.adamw, "lion": optax.lion, "lamb": optax.lamb}
    if name in apart:
        return apart[name](rate, weight_decay=weight_decay, mask=mask)
    rules = {
        "sgd": lambda: optax.sgd(rate),
        "momentum": lambda: optax.sgd(rate, momentum=momentum),
        "nesterov": lambda: optax.sgd(rate, momentum=momentum, nesterov=True),
        "adam": lambda: optax.adam(rate),
        "rmsprop": lambda: optax.rmsprop(rate),
        "adagrad": lambda: optax.adagrad(rate),
        # Zeiler 2012, by the numbers of ConvNetJS, whose rate is always 1
        "adadelta": lambda: optax.adadelta(rate, rho=0.95, eps=1e-8),
    }
    if name not in rules:
        raise InputError(unknown("optimizer", name, OPTIMIZERS))
    return optax.chain(optax.add_decayed_weights(weight_decay, mask=mask), rules[name]())


def kernels(params: Params) -> Params:
    """True for the leaves that weight decay acts on, in the tree of the parameters."""
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key == "kernel", params)


@cache
def arrays_kept(name: str) -> int:
    """How many arrays like the parameters the optimizer keeps: 1 for momentum, 2 for Adam (CS231n
    notes, Computational Considerations). Raises InputError.
    """
    params = {"kernel": jax.ShapeDtypeStruct((3, 5), "float32")}
    kept = jax.eval_shape(make_optimizer(name, 0.1).init, params)
    return sum(a.shape == (3, 5) for a in jax.tree.leaves(kept))
