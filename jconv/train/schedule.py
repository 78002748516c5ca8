"""The learning rate as a function of the step, and lookahead; optax's own where optax has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import optax

from ..errors import InputError, unknown

Tree = TypeVar("Tree")
SCHEDULES = (
    *("constant", "cosine", "step", "poly", "exponential", "inverse", "sigmoid", "one_cycle"),
)


def triangle(
    peak: float, steps: int, *, rise: float = 0.23, first: float = 0.2, last: float = 0.07
) -> optax.Schedule:
    """A straight rise from first·peak to peak over the first `rise` of `steps`, then a straight
    fall to last·peak at their end.

    Source: Smith & Topin 2017; the shares are those of Jordan 2024, "94% on CIFAR-10 in 3.29
    Seconds on a Single GPU".
    """
    top = int(rise * steps)
    parts = [
        optax.linear_schedule(first * peak, peak, top),
        optax.linear_schedule(peak, last * peak, steps - top),
    ]
    return optax.join_schedules(parts, [top])


def make_schedule(
    name: str,
    peak: float,
    steps: int,
    warmup: int = 0,
    *,
    milestones: Sequence[int] = (),
    gamma: float | None = None,
    power: float = 1.0,
    every: int = 1,
) -> optax.Schedule:
    """The rate over `steps` steps: a straight rise from 0 over the first `warmup`, then, t counting
    the steps from the very first,

        constant     peak                                             Caffe's fixed
        cosine       peak·(1 + cos(pi·u))/2, u from 0 to 1 over the   Loshchilov & Hutter 2016,
                     steps after the warm-up                          without restarts
        step         peak·gamma^(milestones passed); 0.1 at 1/2 and   Caffe's step and multistep;
                     3/4 of the steps unless given                    He et al. 2015 on CIFAR-10
        poly         peak·(1 - t/steps)^power                         Caffe's poly
        exponential  peak·gamma^(t/every), 0.95 unless given          Caffe's exp
        inverse      peak·(1 + gamma·t/every)^-power, 0.1             Caffe's inv
        sigmoid      peak / (1 + exp(gamma·(t - m)/every)), m the     Caffe's sigmoid (its gamma
                     first milestone or the middle; 1                 is below 0)
        one_cycle    a rise from peak/25 over 0.3 of the steps and a  Smith & Topin 2017, as optax
                     cosine down to peak/250,000 (no warm-up)         has it

    `every` is the steps that gamma is said for, such as those of an epoch. Raises InputError for
    another name, and for milestones that do not rise.
    """
    if name not in SCHEDULES:
        raise InputError(unknown("schedule", name, SCHEDULES))
    warmup = min(warmup, steps - 1)  # optax wants one step of decay at least
    _check_milestones(milestones)
    if name == "one_cycle":
        return optax.cosine_onecycle_schedule(steps, peak)
    if name == "cosine":
        return optax.warmup_cosine_decay_schedule(0.0 if warmup else peak, peak, warmup, steps)
    factor = lambda default: default if gamma is None else gamma
    if name == "constant":
        body = optax.constant_schedule(peak)
    elif name == "step":
        falls = milestones or (steps // 2, steps * 3 // 4)
        body = optax.piecewise_constant_schedule(peak, {int(at): factor(0.1) for at in falls})
    elif name == "poly":
        body = optax.polynomial_schedule(peak, 0.0, power, steps)
    elif name == "exponential":
        body = optax.exponential_decay(peak, every, factor(0.95))
    elif name == "inverse":
        body = lambda t: peak * (1 + factor(0.1) * t / every) ** -power
    else:
        middle = milestones[0] if milestones else steps / 2
        body = lambda t: peak * jax.nn.sigmoid(-factor(1.0) * (t - middle) / every)
    if not warmup:
        return body
    rise = optax.linear_schedule(0.0, peak, warmup)
    return lambda t: jnp.where(jnp.asarray(t) < warmup, rise(t), body(t))


def _check_milestones(milestones: Sequence[int]) -> None:
    if list(milestones) != sorted(set(milestones)) or min(milestones, default=1) < 1:
        raise InputError(f"milestones={tuple(milestones)}: rising steps above 0 were expected")


def look(
    fast: Tree, slow: Tree, step: jax.Array, steps: int, *, every: int = 5, keep: float = 0.95**5
) -> tuple[Tree, Tree]:
    """Lookahead: slow parameters that follow the trained ones from afar, and that these go back to.

    (fast, slow) after `step` of `steps`: every so many steps both become slow + (1 - d)·(fast -
    slow), else they stay.

    d = keep·(step/steps)³, so the slow ones are the fast ones at first, and at the end an average
    over the last steps, which is what to test. Written so, what is not trained keeps every bit. A
    select, not a branch: a branch would have the host wait for the device. Shapes: two trees of one
    structure. Source: Zhang et al. 2019; the schedule of d is tysam-code's, 2023.
    """
    due = step % every == 0
    d = keep * (step.astype(jnp.float32) / steps) ** 3
    slow = jax.tree.map(
        lambda s, f: jnp.where(due, s + (1 - d).astype(s.dtype) * (f - s), s), slow, fast
    )
    return jax.tree.map(lambda s, f: jnp.where(due, s, f), slow, fast), slow
