"""jconv, by any of its methods. The method "lax" is plain lax under plain jax.jit: what all the
others are measured against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jconv.compilation import jit
from jconv.edit import with_method
from jconv.edit.serving import build_servable
from jconv.layer import Layer

from .case import MOMENTUM, RATE, Case, What, draw
from .task import Stepper, Task, loss_shown

Jit = Callable[..., Any]


class Built(NamedTuple):
    """A case as a function to compile."""

    function: Any  # jitted
    arguments: Callable[..., tuple]  # of params, state, images and labels
    shown: Callable[[Any], Sequence[np.ndarray]]  # of a result: see Task


def compiled(
    f: Callable, donate: tuple[int, ...] = (), options: dict[str, Any] | None = None
) -> Callable:
    """How jconv compiles a whole step; `options` of the compiler are added to its own."""
    return jit(f, donate_argnums=donate, compiler_options=options)


def plainly(f: Callable, donate: tuple[int, ...] = ()) -> Callable:
    """How plain JAX does."""
    return jax.jit(f, donate_argnums=donate)


def cross_entropy(logits: jax.Array, labels: jax.Array) -> jax.Array:
    return optax.softmax_cross_entropy_with_integer_labels(
        logits.astype(jnp.float32), labels
    ).mean()


def task(
    case: Case, what: What, method: str = "auto", options: dict[str, Any] | None = None
) -> Task:
    """Raises ValueError when the method cannot do the case.

    The method "auto" is to do every case: where the compiler refuses convolutions of it, the first
    call leaves their layers to im2col and warns; by a method of one name it fails.
    """
    jitted, given = plainly if method == "lax" else partial(compiled, options=options), draw(case)
    arrays = (
        *jax.tree.map(jnp.asarray, (given.params, given.state)),
        jnp.asarray(given.images, case.dtype),
        jnp.asarray(given.labels),
    )
    net = with_method(case.net, method)
    made = _program(case, net, what, jitted)
    arguments = made.arguments(*arrays)
    run = lambda function: (
        Stepper(function, *arguments) if what == "train" else partial(function, *arguments)
    )

    def first(net: Layer) -> tuple[Callable, Any]:
        served = run(_program(case, net, what, jitted).function)
        return served, served()

    rescued = FirstCall(
        lambda: build_servable(first, net, case.in_shape, [case.batch], dtype=case.dtype)
    )
    return Task(rescued if method == "auto" else run(made.function), made.shown, case.parameters)


class FirstCall:
    """A function that its first call finds: `first()` returns it and its first result."""

    def __init__(self, first: Callable[[], tuple[Callable, Any]]):
        self.first, self.run = first, None

    def __call__(self) -> Any:
        if self.run is not None:
            return self.run()
        self.run, result = self.first()
        return result


def program(case: Case, what: What, method: str, jitted: Jit) -> Built:
    """What is done with a case. Raises ValueError when the method cannot do it."""
    return _program(case, with_method(case.net, method), what, jitted)


def _program(case: Case, net: Layer, what: What, jitted: Jit) -> Built:
    make = {
        "forward": _forward,
        "gradient": _gradient,
        "train": _train,
        "per-example": _per_example,
        "input gradient": partial(_one_gradient, of=1),
        "kernel gradient": partial(_one_gradient, of=0),
    }[what]
    return make(case, net, jitted)


def _forward(case: Case, net: Layer, jitted: Jit) -> Built:
    f = jitted(lambda params, state, x: net.apply(params, state, x, train=True))
    return Built(
        f,
        lambda params, state, images, labels: (params, state, images),
        lambda result: [_numbers(result[0])],
    )


def _gradient(case: Case, net: Layer, jitted: Jit) -> Built:
    def squares(params, x, state):
        y = net.apply(params, state, x, train=True)[0]
        return jnp.square(y.astype(jnp.float32)).sum()

    def shown(result):
        value, gradient = result
        return (
            [_numbers(a) for a in (gradient[1], *jax.tree.leaves(gradient[0]))]
            if case.images
            else [_numbers(value)]
        )

    f = jitted(jax.value_and_grad(squares, argnums=(0, 1) if case.images else 0))
    return Built(f, lambda params, state, images, labels: (params, images, state), shown)


def _one_gradient(case: Case, net: Layer, jitted: Jit, of: int) -> Built:
    """Of the parameters, or of the images: the compiler drops the other, and the forward pass, of
    which nothing is left.
    """

    def pulled_back(params, x, state, y):
        return jax.vjp(lambda params, x: net.apply(params, state, x, train=True)[0], params, x)[1](
            y
        )[of]

    def arguments(params, state, images, labels):
        out = (images.shape[0], *net.out_shape(case.in_shape))
        return params, images, state, jax.random.normal(jax.random.key(0), out, images.dtype)

    return Built(
        jitted(pulled_back),
        arguments,
        lambda result: [_numbers(a) for a in jax.tree.leaves(result)],
    )


def _train(case: Case, net: Layer, jitted: Jit) -> Built:
    optimizer = optax.sgd(RATE, MOMENTUM)

    def step(carried, x, labels):
        params, state, opt_state = carried

        def objective(params):
            logits, after = net.apply(params, state, x, train=True)
            return cross_entropy(logits, labels), after

        (loss, state), gradient = jax.value_and_grad(objective, has_aux=True)(params)
        updates, opt_state = optimizer.update(gradient, opt_state)
        return (optax.apply_updates(params, updates), state, opt_state), loss

    carried = lambda params, state: (params, state, optimizer.init(params))
    return Built(
        jitted(step, (0,)),
        lambda params, state, images, labels: (carried(params, state), images, labels),
        loss_shown,
    )


def _per_example(case: Case, net: Layer, jitted: Jit) -> Built:
    def loss(params, x, label, state):
        return cross_entropy(net.apply(params, state, x[None], train=True)[0], label[None])

    f = jitted(jax.vmap(jax.grad(loss), (None, 0, 0, None)))
    squares = lambda gradient: [
        _numbers(sum(jnp.square(a).sum() for a in jax.tree.leaves(gradient)))
    ]
    return Built(f, lambda params, state, images, labels: (params, images, labels, state), squares)


def _numbers(a: Any) -> np.ndarray:
    return np.asarray(a, np.float64)
