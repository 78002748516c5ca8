"""How gradients become updates: one of optax's rules, with what goes before and after it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax

from ..errors import InputError, unknown
from ..layer import Params
from ..optimizer import OPTIMIZERS, make_optimizer
from ..paths import chosen, matches

LIVE = ("learning_rate", "momentum", "weight_decay")
LEAST = {"momentum": 0, "weight_decay": 0, "clip_norm": 0, "accumulate": 1}


@dataclass(frozen=True)
class UpdateSettings:
    """What a training's updates follow from, beside the schedule. Raises InputError for a value
    that cannot be.
    """

    optimizer: str = "adam"
    learning_rate: float = 1e-3  # at its peak
    momentum: float = 0.9
    weight_decay: float = 0.0
    decay: Literal["kernels", "all"] = "kernels"  # what weight decay pulls at
    clip_norm: float = 0.0  # the length that a gradient is cut to; 0: none
    accumulate: int = 1  # steps whose mean gradient is one update
    rates: tuple[tuple[str, float], ...] = ()  # (pattern of paths, factor of the rate)
    frozen: tuple[str, ...] = ()  # patterns of paths that get no update

    def __post_init__(self):
        if self.optimizer not in OPTIMIZERS:
            raise InputError(unknown("optimizer", self.optimizer, OPTIMIZERS))
        if self.decay not in ("kernels", "all"):
            raise InputError(unknown("decay", self.decay, ("kernels", "all")))
        if not 0 < self.learning_rate < math.inf:
            raise InputError(f"learning_rate={self.learning_rate}: more than 0 was expected")
        for name, least in LEAST.items():
            if not least <= getattr(self, name) < math.inf:
                raise InputError(f"{name}={getattr(self, name)}: {least} or more was expected")
        for pattern, factor in self.rates:
            if not 0 <= factor < math.inf:
                raise InputError(f"rates={pattern}={factor}: a factor of at least 0 was expected")


def make_update(
    settings: UpdateSettings, schedule: optax.Schedule, params: Params
) -> optax.GradientTransformation:
    """The optimizer of a training; `schedule(t)` is its rate at update t.

    The peak of the rate, momentum and weight decay are numbers in the optimizer's state
    (`hyperparameters`): the rate used is the state's learning_rate · schedule(t) / the settings'
    learning_rate, so that another one compiles nothing again. With none of the other settings the
    updates are `make_optimizer`'s, but for rounding. In order: the gradient, of `accumulate` steps
    the mean, is cut to clip_norm (Pascanu et al. 2012), the rule makes an update of it, and that is
    multiplied by the factors of all patterns that mean its path ("*/bias=2" is Caffe's lr_mult).
    What is frozen has no update and nothing kept for it. Raises InputError for a pattern that means
    no path.
    """
    paths = array_paths(params)
    for pattern, _ in settings.rates:
        chosen(paths, [pattern], "rates")
    fixed = chosen(paths, settings.frozen, "freeze")

    def rule(learning_rate: Any, momentum: Any, weight_decay: Any) -> optax.GradientTransformation:
        def rate(t: Any) -> jax.Array:
            planned = jnp.asarray(schedule(t))
            changed = learning_rate * (planned / settings.learning_rate)
            # unchanged, it is the schedule's to the bit
            return jnp.where(learning_rate == settings.learning_rate, planned, changed)

        return make_optimizer(
            settings.optimizer,
            rate,
            momentum=momentum,
            weight_decay=weight_decay,
            decay=settings.decay,
        )

    # floats: a whole number would be kept as one, and a fraction later compile all again
    live = optax.inject_hyperparams(rule)(**{name: float(getattr(settings, name)) for name in LIVE})
    parts = [optax.clip_by_global_norm(settings.clip_norm)] if settings.clip_norm else []
    parts.append(live)
    parts += [
        optax.masked(optax.scale(factor), partial(_meant, pattern))
        for pattern, factor in settings.rates
    ]
    whole = optax.chain(*parts) if len(parts) > 1 else live
    if fixed:
        trained = lambda tree: _by_path(lambda path: path not in fixed, tree)
        rest = lambda tree: _by_path(lambda path: path in fixed, tree)
        whole = optax.chain(optax.masked(whole, trained), optax.masked(optax.set_to_zero(), rest))
    if settings.accumulate > 1:
        whole = optax.MultiSteps(whole, settings.accumulate).gradient_transformation()
    return whole


def hyperparameters(opt_state: optax.OptState) -> dict[str, float]:
    """The peak of the rate, momentum and weight decay in the state of `make_update`'s optimizer.
    Raises InputError for another's.
    """
    return {name: float(value) for name, value in _live(opt_state).hyperparams.items()}


def with_hyperparameters(opt_state: optax.OptState, **values: float) -> optax.OptState:
    """The same state with others of them; nothing is compiled again. Raises InputError for a name
    that is none of them, and for the state of another optimizer.
    """
    for name in values:
        if name not in LIVE:
            raise InputError(unknown("hyperparameter", name, LIVE))
    _live(opt_state)  # raises

    def changed(node: Any) -> Any:
        if not _is_live(node):
            return node
        new = {name: jnp.asarray(value, jnp.float32) for name, value in values.items()}
        return node._replace(hyperparams={**node.hyperparams, **new})

    return jax.tree.map(changed, opt_state, is_leaf=_is_live)


def _is_live(node: Any) -> bool:
    return hasattr(node, "hyperparams")


def _live(opt_state: optax.OptState) -> Any:
    for node in jax.tree.leaves(opt_state, is_leaf=_is_live):
        if _is_live(node):
            return node
    raise InputError(
        f"opt_state: holds no {LIVE[0]}; the state of an optimizer of make_update was expected"
    )


def array_paths(params: Params) -> list[str]:
    return [_path(at) for at, _ in jax.tree_util.tree_leaves_with_path(params)]


def _path(at: tuple) -> str:
    return jax.tree_util.keystr(at, simple=True, separator="/")


def _by_path(test: Callable[[str], bool], tree: Params) -> Params:
    return jax.tree_util.tree_map_with_path(lambda at, _: test(_path(at)), tree)


def _meant(pattern: str, tree: Params) -> Params:
    return _by_path(lambda path: matches(path, pattern), tree)
