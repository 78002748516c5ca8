"""The ways to compute a convolution, each in a file here (im2col is ../reference.py), and plan.py,
which says when.

A method is a file with `forward`, `input_gradient` and `kernel_gradient`, each run(a, b, *,
geometry, precision), and `serves`, which says what it needs; its name stands in METHODS below. From
then on `ops.conv(method=...)`, the tests of the twins and `jconv tune` know it. It runs by itself
where a row of plan.py says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ...errors import ShapeError, unknown
from ...geometry import Shape
from .. import reference
from ..shapes import Geometry
from . import (
    columns,
    depthwise,
    derived,
    direct,
    folded,
    fourier,
    grouped,
    matmul,
    phases,
    product,
    winograd,
)

OPERATIONS = ("forward", "input_gradient", "kernel_gradient")
Choice = str | tuple[str, ...]


class Method(NamedTuple):
    """run(a, b, *, geometry, precision) for each operation; `serves(k_shape, geometry)` says what
    it needs, "" where it has that.

    Of a `local` method every output is a sum over its own window. One that is not never runs at the
    highest precision (../precision.py). An `exact` one multiplies and adds integers as such; others
    go by floating-point numbers, which round large ones. One that goes `by_blocks` of groups also
    takes `block`, what runs one of them.
    """

    forward: Callable
    input_gradient: Callable
    kernel_gradient: Callable
    serves: Callable[[Shape, Geometry], str]
    local: bool = True
    exact: bool = False
    by_blocks: bool = False


def _of(
    module, prefix: str = "", serves: Callable[[Shape, Geometry], str] | None = None, **kind: bool
) -> Method:
    return Method(
        *(getattr(module, prefix + operation) for operation in OPERATIONS),
        serves=serves or module.serves,
        **kind,
    )


METHODS = {
    "direct": _of(direct, exact=True),
    "derived": _of(derived, exact=True),
    "im2col": _of(reference, serves=direct.serves, exact=True),
    "matmul": _of(matmul),
    "columns": _of(columns),
    "split": _of(grouped, "split_", by_blocks=True),
    "loop": _of(grouped, "loop_", by_blocks=True),
    "shift": _of(depthwise, "shift_"),
    "chunked": _of(depthwise, "chunked_"),
    "fold": _of(folded),
    "phases": _of(phases),
    "winograd": _of(winograd, local=False),
    "fft": _of(fourier, local=False),
    "product": _of(product, exact=True),
}
# words for a layer as a whole; "lax" is plain lax without primitives of ours
WHOLE = ("auto", "lax", "im2col")
EACH = ("auto", *METHODS)  # words for one operation


def per_operation(method: Choice) -> tuple[str, ...]:
    """A method setting as one word per operation."""
    return (method,) * len(OPERATIONS) if isinstance(method, str) else tuple(method)


def check_method(method: Choice, where: str = "") -> None:
    """Raises ValueError for a setting that is neither a word nor one word for each operation."""
    if isinstance(method, str):
        if method not in WHOLE + EACH:
            raise ValueError(
                f"{where}{unknown('method', method, tuple(dict.fromkeys(WHOLE + EACH)))}"
            )
        return
    if len(method) != len(OPERATIONS):
        raise ValueError(
            f"{where}method {method!r} has {len(method)} entries; give one word, or one for each "
            f"of {', '.join(OPERATIONS)}"
        )
    for word in method:
        if word not in EACH:
            raise ValueError(f"{where}{unknown('method', word, EACH)}")


def check_whole(method: str, where: str = "") -> None:
    """Raises ValueError for a word that is none of those every operation knows."""
    if method not in WHOLE:
        raise ValueError(f"{where}{unknown('method', method, WHOLE)}")


def check_serves(method: Choice, k: Shape, geometry: Geometry) -> None:
    """Raises ShapeError for a method that cannot do this convolution, naming those that can."""
    for word in per_operation(method):
        needs = "" if word == "auto" else METHODS[word].serves(k, geometry)
        if needs:
            can = ", ".join(repr(name) for name in serving(k, geometry))
            w = geometry.window
            raise ShapeError(
                f"method {word!r} needs {needs}, but this is a convolution of {w.in_sizes} by "
                f"{w.size} windows over "
                f'{k[-2] * geometry.groups} channels in {geometry.groups} groups; use "auto", or '
                f"one of {can}"
            )


def serving(k: Shape, geometry: Geometry) -> list[str]:
    """The methods that can do this convolution."""
    return [name for name, method in METHODS.items() if not method.serves(k, geometry)]
