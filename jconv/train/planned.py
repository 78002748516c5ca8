"""A training by a plan, the methods that `jconv tune` chose, and by a precision."""

from __future__ import annotations

from pathlib import Path

from ..edit import with_precision
from ..geometry import Shape
from ..layer import Layer
from ..tuning import load_plan
from .options import TrainOptions
from .run import Run


def by_plan(
    options: TrainOptions, net: Layer, in_shape: Shape, resume: Path | None = None
) -> tuple[Layer, str, str | None]:
    """The net by the methods of options.plan; the plan's text, "" without one; and a line to print,
    where there is one to say.

    A run that goes on takes the plan that its own folder kept, so that its numbers are those it
    would have had without the stop. Raises InputError.
    """
    if not options.plan:
        return net, "", None
    path = Run(resume).plan if resume else options.plan
    planned, line = load_plan(path, net, in_shape, batch=options.batch_size, dtype=options.dtype)
    return planned, path.read_text(encoding="utf-8"), line


def by_policy(options: TrainOptions, net: Layer) -> Layer:
    """The net at the precision of the options; "default" leaves it as it is."""
    return net if options.precision == "default" else with_precision(net, options.precision)
