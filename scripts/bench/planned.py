"""The rows of the plan as cases: every operation of a row at the shapes where it was measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from jconv.layers import Conv
from jconv.ops.methods.plan import PLAN, Example

from .case import Case, What

WHAT: dict[str, What] = {
    "forward": "forward",
    "input_gradient": "input gradient",
    "kernel_gradient": "kernel gradient",
}


def plan_cases(platform: str, dtype: str = "float32") -> Iterator[tuple[Case, What]]:
    """Of one platform's rows. A row that is for several devices has no example."""
    for row in (row for row in PLAN if row.platform == platform):
        for example in row.examples:
            case = example_case(example)
            case = replace(case, name=f"{row.method}: {case.name}", dtype=dtype)
            for operation in row.operations:
                yield case, WHAT[operation]


def example_case(example: Example) -> Case:
    """A convolution without bias, and its name, such as "16x27x27x96 by 5x5 to 256 in 2 groups"."""
    x, k, groups, stride, padding, dilation = example
    size, features = k[:-2], k[-1]
    name = f"{_by(x)} by {_by(size)} to {features}"
    name += f" in {groups} groups" if groups > 1 else ""
    name += f", stride {stride}" if stride > 1 else ""
    name += f", dilated by {dilation}" if dilation > 1 else ""
    layer = Conv(
        features, size, stride=stride, padding=padding, dilation=dilation, groups=groups, bias=False
    )
    return Case(name, layer, x[1:], x[0], images=True)


def _by(sizes: tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))
