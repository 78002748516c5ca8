"""The learning rate as a function of the step."""

from __future__ import annotations

import optax

from ..errors import InputError, unknown

SCHEDULES = ("constant", "cosine", "step")


def constant(peak: float) -> optax.Schedule:
    """peak, always."""
    return optax.constant_schedule(peak)


def cosine(peak: float, steps: int, warmup: int = 0) -> optax.Schedule:
    """A straight rise from 0 over `warmup` steps, then peak·(1 + cos(pi·t))/2 with t from 0 to 1
    over the rest of `steps`.

    Source: Loshchilov & Hutter 2016 (without restarts); warmup as in Goyal et al. 2017.
    """
    return optax.warmup_cosine_decay_schedule(0.0 if warmup else peak, peak, warmup, steps)


def step_decay(peak: float, steps: int) -> optax.Schedule:
    """peak, a tenth of it from half of `steps` on, a hundredth from three quarters on: the rule of
    the ResNet papers on CIFAR.
    """
    return optax.piecewise_constant_schedule(peak, {steps // 2: 0.1, steps * 3 // 4: 0.1})


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


def make_schedule(name: str, peak: float, steps: int, warmup: int = 0) -> optax.Schedule:
    """The schedule of that name; only "cosine" warms up. Raises InputError."""
    if name == "constant":
        return constant(peak)
    if name == "cosine":
        return cosine(peak, steps, min(warmup, steps - 1))  # optax wants one step of decay at least
    if name == "step":
        return step_decay(peak, steps)
    raise InputError(unknown("schedule", name, SCHEDULES))
