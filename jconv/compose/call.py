"""The ways to follow a composite: what stands for x as its `run` passes it through its children.

`Shapes` follows one example's shape through one composite, `Following` anything through a whole
net; arrays.py follows a batch. What stands for x can only be passed on, to the methods of `Call`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from ..errors import LayerError, ShapeError, located
from ..geometry import Shape
from ..layer import Layer

if TYPE_CHECKING:
    from .composite import Composite


class Step(NamedTuple):
    """One child as a composite goes through it; in a loop `times`, each with parameters of its own
    unless they are `shared`.
    """

    name: str
    layer: Layer
    in_shape: Shape
    times: int | None = None
    shared: bool = False


class Placeholder:
    """What stands for an array where none is computed: one example's shape. It can only be passed
    on.
    """

    def __init__(self, shape: Shape):
        self.shape = shape

    def __repr__(self):
        return f"{type(self).__name__}({self.shape})"

    def __getattr__(self, name: str):
        raise AttributeError(f"{name}: {PASS_ON}")


PASS_ON = (
    "Composite.run is followed with shapes as well as with arrays, so x can only be passed on: "
    "call.child(name, layer, x) goes through a "
    "layer, call.join(f, *parts) through a function of arrays such as jnp.add, call.shape(x) is "
    "one example's shape"
)


def _refuse(self, *_):
    raise LayerError(PASS_ON)


OPERATORS = (
    "add radd sub rsub mul rmul truediv rtruediv pow matmul neg getitem iter len float array lt gt"
)


for _name in OPERATORS.split():
    setattr(Placeholder, f"__{_name}__", _refuse)


def passed_on(layer: Composite, call: Call, x: Placeholder) -> Placeholder:
    """What a composite's `run` makes of x. Raises LayerError where it does more than pass it on."""
    try:
        y = layer.run(call, x)
    except TypeError as error:  # jax says that it takes no such thing
        if not any(
            f"{kind.__name__}'" in str(error)
            for kind in (Placeholder, *Placeholder.__subclasses__())
        ):
            raise
        raise LayerError(PASS_ON) from None
    if not isinstance(y, Placeholder):
        raise LayerError(
            f"{type(layer).__name__}.run returns {type(y).__name__}; what call.child or call.join "
            "gave was expected"
        )
    return y


def check_child(composite: Composite | None, name: str, layer: Layer) -> None:
    """Refuse a layer in `run` that is not the child of that name: no edit would reach it. Raises
    LayerError.
    """
    if composite is None:
        return
    own = dict(composite.children)
    if own.get(name) is not layer and own.get(name) != layer:
        kind, there = type(composite).__name__, ", ".join(own) or "none"
        raise LayerError(
            f"{kind}.run goes through {name!r}, {type(layer).__name__}, which is not what is set "
            f"under that name; the children of {kind} "
            f"are {there}: make it a setting, and name it so in call.child"
        )


class Call:
    """One way to follow a composite through its children: what stands for x, and what a child makes
    of it.
    """

    train: bool  # whether branches that exist in training alone are followed

    def child(self, name: str, layer: Layer, x):
        """What the child `layer`, called `name`, makes of x. A name met again has the same
        parameters, and follows on from its state.
        """
        raise NotImplementedError

    def join(
        self,
        f: Callable,
        *parts,
        shapes: Callable | None = None,
        pointwise: bool = False,
        in_place: bool = False,
    ):
        """f(*parts), a pure function of batches. `shapes` says which shape it makes of theirs (else
        it is traced), and raises ShapeError with words of its own; `pointwise`, that position p of
        the result is made of position p of each part, and all of a part without sizes (else it is
        measured); `in_place`, that the result can overwrite the first.
        """
        raise NotImplementedError

    def repeat(
        self, name: str, layer: Layer, x, times: int, *, shared: bool = False, unroll: bool = False
    ):
        """What the child makes of x, of that, and so on, `times` times: a lax.scan, or with
        `unroll` written out.

        Each time has parameters of its own, stacked along a first axis of every array, or with
        `shared` all have the same. Raises ShapeError unless the child keeps the shape of its input.
        """
        raise NotImplementedError

    def record(self, name: str, y) -> None:
        """Keep y beside the output, under a tap's name."""

    def shape(self, x) -> Shape:
        """One example's shape."""
        return x.shape


@dataclass
class Shapes(Call):
    """Follows shapes through one composite, and lists its steps."""

    inside: Composite
    steps: list[Step] = field(default_factory=list)
    train = True

    def child(self, name: str, layer: Layer, x: Placeholder) -> Placeholder:
        check_child(self.inside, name, layer)
        self.steps.append(Step(name, layer, x.shape))
        return Placeholder(located(name, layer.out_shape, x.shape))

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False) -> Placeholder:
        return Placeholder(joined_shape(f, shapes, *(part.shape for part in parts)))

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False) -> Placeholder:
        check_child(self.inside, name, layer)
        self.steps.append(Step(name, layer, x.shape, times, shared))
        return Placeholder(located(name, kept_shape, layer, x.shape, times))


@dataclass
class Following(Call):
    """Follows something through a whole net: composites by their `run`, and `leaf(path, layer, x)`
    for the layers that hold none.

    A loop is gone through once; who needs more overrides `repeat`.
    """

    path: str = ""
    inside: Composite | None = None
    train = True

    def child(self, name: str, layer: Layer, x):
        check_child(self.inside, name, layer)
        return self.follow(path_to(self.path, name), layer, x)

    def follow(self, path: str, layer: Layer, x) -> Any:
        if not layer.composed:
            return self.leaf(path, layer, x)
        composite = cast("Composite", layer)
        try:
            return passed_on(composite, replace(self, path=path, inside=composite), x)
        except LayerError as error:  # of `run` itself: those of the layers inside know their paths
            raise (error if error.path or not path else error.under(path)) from None

    def leaf(self, path: str, layer: Layer, x) -> Any:
        """What a layer that holds no other makes of x."""
        raise NotImplementedError

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False):
        located(path_to(self.path, name), kept_shape, layer, x.shape, times)
        return self.child(name, layer, x)

    def joined(self, f: Callable, shapes: Callable | None, parts: tuple) -> Shape:
        return located(self.path, joined_shape, f, shapes, *(part.shape for part in parts))


def path_to(path: str, name: str) -> str:
    return f"{path}/{name}" if path else name


def kept_shape(layer: Layer, shape: Shape, times: int) -> Shape:
    """The shape that repeating a layer gives. Raises ShapeError where it is another than it
    takes.
    """
    if not isinstance(times, int) or times < 1:
        raise LayerError(f"repeated {times!r} times; a whole number of at least 1 was expected")
    out = layer.out_shape(shape)
    if out != shape:
        raise ShapeError(
            f"it is repeated, but makes {out} of {shape}; a repeated layer keeps the shape of its "
            "input"
        )
    return out


def joined_shape(f: Callable, shapes: Callable | None, *parts: Shape) -> Shape:
    """One example's shape of f(*batches of these shapes). Raises ShapeError."""
    return shapes(*parts) if shapes else _traced_shape(f, *parts)


@lru_cache(maxsize=1024)
def _traced_shape(f: Callable, *parts: Shape) -> Shape:
    batches = [jax.ShapeDtypeStruct((2, *part), jnp.float32) for part in parts]
    try:
        out = jax.eval_shape(f, *batches)
    except Exception as error:  # whatever a function raises that does not take these
        raise ShapeError(
            f"the function that joins {' and '.join(map(str, parts))} does not take them: {error}"
        ) from None
    if not isinstance(out, jax.ShapeDtypeStruct) or out.shape[:1] != (2,):
        raise ShapeError(
            f"the function that joins {' and '.join(map(str, parts))} returns {out}; one batch of "
            "as many examples was expected"
        )
    return out.shape[1:]
