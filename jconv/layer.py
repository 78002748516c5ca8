"""What a layer is.

A layer is a frozen dataclass of settings: no array, no mode, no name. Everything else is a pure
function of those settings:

    layer.out_shape(in_shape)                                   -> the shape of one output example
    layer.init(key, in_shape)                                   -> params, state
    layer.apply(params, state, x, *, train=False, key=None)     -> y, state

`in_shape` is one example's shape, channels last, without the batch; `x` has exactly one leading
batch axis. `params` and `state` are plain dicts by name. `train` is static; `key` is needed only by
a layer that draws while it is trained.

To write a layer, declare its arrays in `parameters` (and `statistics`, for what training updates
outside the gradient) and write `apply`; `init` and the output shape follow, and so do its row in
the tables, its receptive field and its memory: what a layer does not declare is measured from its
own trace (analysis/measure.py, support.py), or "unknown". Every `apply` is held to what the layer
declares: see `checked`. A layer made of layers is a `Composite` (compose/composite.py).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from functools import lru_cache, wraps
from inspect import signature
from typing import Any, NamedTuple, Protocol, TypeGuard, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from .errors import LayerError, ShapeError
from .geometry import Shape, Window, as_shape, pointwise
from .html import Node, outline, piece
from .settings import annotated, check_kind
from .spelling import in_a_row, our_word, written

Params = dict[str, Any]
State = dict[str, Any]
Kind = TypeVar("Kind", bound="Layer")


class Draw(Protocol):
    """What `Parameter.draw` is: an Initializer, one of jax.nn.initializers, or any function of this
    form.

    One that has a method `for_fans(fan_in, fan_out)`, as an Initializer has, is asked for the
    function to draw with, and so knows the fans that the layer counted; others see the shape alone.
    """

    def __call__(self, key: jax.Array, shape: Shape, dtype: Any, /) -> jax.Array: ...


class Parameter(NamedTuple):
    """One declared array: its shape, what draws it, and the fans an initializer scales by.

    They count the terms that a unit sums (`fan_in`) and the sums that an input takes part in
    (`fan_out`).
    """

    shape: Shape
    draw: Draw
    fan_in: int = 1
    fan_out: int = 1

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def drawn(self, key: jax.Array) -> jax.Array:
        """The array, float32."""
        for_fans = getattr(self.draw, "for_fans", None)
        draw = for_fans(self.fan_in, self.fan_out) if for_fans else self.draw
        try:
            drawn = draw(key, self.shape, jnp.float32)
        except TypeError as error:
            said = (
                f"{_called(self.draw)} is no initializer, a function of (key, shape, dtype): "
                f"{error}"
            )
            raise LayerError(said + _made(self.draw)) from error
        if getattr(drawn, "shape", None) != self.shape:
            came = (
                f"an array of shape {drawn.shape}"
                if hasattr(drawn, "shape")
                else type(drawn).__name__
            )
            raise LayerError(
                f"{_called(self.draw)} gave {came}, an array of shape {self.shape} was "
                f"expected{_made(self.draw)}"
            )
        return drawn


def _called(draw: Any) -> str:
    return getattr(draw, "__name__", None) or repr(draw)


def _made(draw: Any) -> str:
    """The advice for a function that makes an initializer and was not called."""
    name = getattr(draw, "__name__", "")
    return f"; {name} makes one: write {name}()" if name and name != "<lambda>" else ""


class Saved(NamedTuple):
    """What a layer keeps between the forward and the backward pass, beside its parameters: for one
    example, and once for all.
    """

    input: bool = False  # its input, as it came
    output: bool = False  # its output, as it leaves
    values: int = 0  # values of the input's dtype
    wide: int = 0  # values of float32 at least
    bytes: int = 0  # masks and switches
    fixed: int = 0  # values of the input's dtype, however many examples there are


# as their one argument
TAKES_IN_SHAPE = frozenset(("out_shape", "over", "parameters", "statistics", "macs", "saves"))


def shaped(method: Callable) -> Callable:
    """A method of `in_shape` that takes a shape in any form (a list, NumPy's integers). Raises
    ShapeError for what is none.
    """

    @wraps(method)
    def with_shape(self, in_shape):
        return method(self, as_shape(in_shape))

    return with_shape


@dataclass(frozen=True)
class Layer:
    """Base of every layer: settings that compare, hash and pickle, and the three methods with their
    defaults.
    """

    # whether its `method`, where it has one, may be any of ops.METHODS, or a word for each
    # operation
    method_per_operation = False
    # whether the output can overwrite the input, so that tables count no activations for it
    in_place = False
    composed = False  # whether it is made of layers: true of a Composite alone

    def __init_subclass__(cls, **settings):
        super().__init_subclass__(**settings)
        if "apply" in vars(cls):
            cls.apply = checked(vars(cls)["apply"])
        for name in TAKES_IN_SHAPE & vars(cls).keys():
            setattr(cls, name, shaped(vars(cls)[name]))
        if "__repr__" not in vars(cls):
            # or the decorator would write one of its own, with every default
            cls.__repr__ = cls.__repr__

    def __new__(cls, *args, **settings):
        if settings and (wrong := settings.keys() - {field.name for field in fields(cls)}):
            # by a class with an __init__ of its own, maybe whatever comes
            taken = signature(cls.__init__).parameters.values()
            known = [parameter.name for parameter in taken][1:]
            if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken) and (
                wrong := wrong - set(known)
            ):
                name = min(wrong)
                raise TypeError(f"{cls.__name__} has no setting {name!r}; {our_word(name, known)}")
        return super().__new__(cls)

    def __repr__(self) -> str:
        """As it is written: the settings that have no default, and those that are not at theirs."""
        return written(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the layer and those inside it as a tree that folds."""
        return piece(outline(_node("", self)))

    def __post_init__(self):
        kind, said = type(self).__name__, annotated(type(self))
        ours = [
            vars(cls).get("__annotations__", ())
            for cls in type(self).__mro__
            if cls.__module__.startswith("jconv.")
        ]
        # a list or a NumPy number given as a setting would not hash or go to JSON
        for field in fields(self):
            value = _plain(getattr(self, field.name))
            _check_setting(kind, field.name, value)
            annotation = said.get(field.name, Any)
            # a stranger's mean what the stranger means
            if annotation is not Layer and any(field.name in names for names in ours):
                check_kind(kind, field.name, value, annotation)
            object.__setattr__(self, field.name, value)
        check_composed(self)

    @property
    def children(self) -> tuple[tuple[str, Layer], ...]:
        """The layers inside this one as (name, layer): a Composite's."""
        return ()

    def with_children(self, children: Mapping[str, Layer]) -> Layer:
        """The same layer around other children."""
        raise TypeError(
            f"{type(self).__name__} has no children; a layer made of layers is a Composite"
        )

    def out_shape(self, in_shape: Shape) -> Shape:
        """The shape of one output example; by default what `apply` gives, traced. Raises
        ShapeError.
        """
        return _traced_out_shape(self, as_shape(in_shape))

    def over(self, in_shape: Shape) -> Window | None:
        """The window the layer slides over this input; None, as by default, is not declared, so
        that it is measured.
        """
        return None

    def parameters(self, in_shape: Shape) -> dict[str, Parameter]:
        """The trained arrays, by leaf name."""
        return {}

    def statistics(self, in_shape: Shape) -> dict[str, Parameter]:
        """The arrays that training updates outside the gradient, by leaf name."""
        return {}

    def macs(self, in_shape: Shape) -> int | None:
        """Multiply-adds of one example's forward pass in convolutions and matrix products; None, as
        by default, has them measured.
        """
        return None

    def saves(self, in_shape: Shape) -> Saved | None:
        """What training keeps of the forward pass for the gradient, as jax does it; None, as by
        default, has it measured.
        """
        return None

    def init(self, key: jax.Array, in_shape: Shape) -> tuple[Params, State]:
        """Draw the parameters and the initial state. Every array's key follows from its name
        alone.
        """
        in_shape = as_shape(in_shape)
        check_key(self, key)
        # or else it would be asked what init is to draw
        if type(self).out_shape is not Layer.out_shape:
            self.out_shape(in_shape)
        draw = lambda name, p: p.drawn(child_key(key, name))
        params = {name: draw(name, p) for name, p in self.parameters(in_shape).items()}
        return params, {name: draw(name, p) for name, p in self.statistics(in_shape).items()}

    def apply(
        self,
        params: Params,
        state: State,
        x: jax.Array,
        *,
        train: bool = False,
        key: jax.Array | None = None,
    ) -> tuple[Any, State]:
        """The output for a batch, and the new state."""
        raise NotImplementedError(f"{type(self).__name__} does not define apply")

    def misfit(self, name: str, shape: Shape, declared: Shape, x_shape: Shape) -> ShapeError:
        """The error for an array called `name` of another shape than the layer declares for x."""
        what = f"x of shape {x_shape} for the {name} of shape {shape}"
        if len(shape) != len(declared):
            return ShapeError(
                f"{what}: their ranks disagree; either x lacks the batch axis, or init was given a "
                "shape with the batch axis, where one "
                "example's shape was expected"
            )
        return ShapeError(
            f"{what}: {type(self).__name__} declares {declared} for it; "
            f"{_explained(self, name, shape, declared, x_shape)}"
        )


METHODS_OF_A_LAYER = frozenset(name for name in vars(Layer) if not name.startswith("_")) - {
    "method_per_operation",
    "in_place",
    "composed",
}


class Pointwise(Layer):
    """A layer whose every output position is made of the input at that position alone, without
    products: field and cost are declared.

    Norms count as such: that a mean reaches over the image or the batch is not counted as seeing
    it.
    """

    def out_shape(self, in_shape: Shape) -> Shape:
        return in_shape

    def over(self, in_shape: Shape) -> Window:
        """Every position by itself."""
        return pointwise(in_shape[:-1])

    def macs(self, in_shape: Shape) -> int:
        return 0


def checked(apply: Callable) -> Callable:
    """A layer's `apply`, held to what the layer declares: every class that defines one gets this
    around it.

    x may be a NumPy array, a list or whatever NumPy reads (a torch tensor on the CPU): it becomes
    the array that jit would make of it. Raises LayerError for x that is no array, for `train` given
    as a traced value, and for an `apply` that does not return (y, state) with the declared
    statistics in it; ShapeError, with both shapes, for parameters and statistics that are not those
    of `parameters` and `statistics` for this x, and for y that is not as `out_shape` says. All of
    it is arithmetic on shapes, at trace time.
    """
    if getattr(apply, "_checked", False):
        return apply

    @wraps(apply)
    def outermost(self, params, state, x, *, train=False, key=None):
        # a subclass's own apply calls this one, and was checked
        if type(self).apply is not outermost:
            return apply(self, params, state, x, train=train, key=key)
        x = _as_array(self, x)
        _check_train(self, train)
        if key is not None:
            check_key(self, key)
        if not self.composed:
            _check_arrays(self, params, state, x)
        returned = apply(self, params, state, x, train=bool(train), key=key)
        _check_returned(self, x, returned)
        return returned

    setattr(outermost, "_checked", True)  # noqa: B010 (pyright knows no attributes of functions)
    return outermost


def _as_array(layer: Layer, x: Any) -> jax.Array:
    if isinstance(x, jax.Array):
        return x
    why = ""
    try:
        array = np.asarray(x)
        if array.dtype != object and array.dtype.kind not in "USM":
            return jnp.asarray(array)
    except Exception as error:  # whatever another library's array raises
        why = f" ({str(error).splitlines()[0]})"
    raise LayerError(
        f"{type(layer).__name__}: x is of type {type(x).__name__}, which is no array of "
        f"numbers{why}; "
        "give a jax or NumPy array (batch, *sizes, channels)"
    )


def check_key(layer: Layer, key: Any) -> None:
    if not (
        isinstance(key, jax.Array)
        and (jnp.issubdtype(key.dtype, jax.dtypes.prng_key) or key.dtype == jnp.uint32)
    ):
        example = key if isinstance(key, int) else 0
        raise LayerError(
            f"{type(layer).__name__}: key is {key!r:.60}, a random key was expected: "
            f"jax.random.key({example})"
        )


def _check_train(layer: Layer, train: Any) -> None:
    if isinstance(train, Tracer):
        raise LayerError(
            f"{type(layer).__name__}: train is traced, but it decides what is computed and is "
            "static; give it as static_argnames='train', "
            "or as functools.partial(net.apply, train=True)"
        )
    if not isinstance(train, (bool, np.bool_)):
        raise LayerError(
            f"{type(layer).__name__}: train is {train!r:.60}, True or False was expected"
        )


def _check_arrays(layer: Layer, params: Params, state: State, x: jax.Array) -> None:
    kind, in_shape = type(layer).__name__, x.shape[1:]
    if x.ndim < 2:
        raise ShapeError(
            f"x of shape {x.shape} lacks the batch axis: (batch, *sizes, channels) or (batch, "
            "features) was expected"
        )
    if type(layer).init is not Layer.init or not all(isinstance(n, int) for n in in_shape):
        return  # it declares no arrays, or sizes are symbols, of which nothing can be said
    try:
        declared = {"params": layer.parameters(in_shape), "state": layer.statistics(in_shape)}
    except ShapeError as error:
        raise ShapeError(
            f"{error.message} (x has shape {x.shape}: a batch axis, then one example)", error.path
        ) from None
    for what, tree in (("params", params), ("state", state)):
        if not isinstance(tree, Mapping):
            raise LayerError(
                f"{kind}: {what} is of type {type(tree).__name__}, a dict of arrays by name was "
                "expected, as init returns it"
            )
        for name, p in declared[what].items():
            if name not in tree:
                raise LayerError(
                    f"{name!r} is missing: {kind} declares it, and {what} holds "
                    f"{', '.join(map(str, tree)) or 'nothing'}; "
                    "pass what init(key, in_shape) of this very net returned"
                )
            if not hasattr(tree[name], "shape"):
                raise LayerError(
                    f"the {name} of {kind} is of type {type(tree[name]).__name__}, an array of "
                    f"shape {p.shape} was expected"
                )
            if tree[name].shape != p.shape:
                raise layer.misfit(name, tree[name].shape, p.shape, x.shape)
    for name in params:
        if name not in declared["params"]:
            raise LayerError(
                f"params holds {name!r}, which {kind} does not declare; it declares "
                f"{', '.join(declared['params']) or 'none'}: "
                "leave it out, or change the layer's settings"
            )


def _check_returned(layer: Layer, x: jax.Array, returned: Any) -> None:
    kind = type(layer).__name__
    if (
        not isinstance(returned, tuple)
        or len(returned) != 2
        or not isinstance(returned[1], Mapping)
    ):
        came = (
            f"a tuple of {len(returned)}"
            if isinstance(returned, tuple)
            else type(returned).__name__
        )
        raise LayerError(
            f"{kind}.apply returned {came}; (y, state) was expected: `return y, state`"
        )
    y, state = returned
    if layer.composed or not all(isinstance(n, int) for n in x.shape[1:]):
        return
    if type(layer).init is Layer.init:
        if missing := layer.statistics(x.shape[1:]).keys() - state.keys():
            raise LayerError(
                f"{kind}.apply returned a state without "
                f"{' and '.join(map(repr, sorted(missing)))}, which it declares"
            )
    if type(layer).out_shape is not Layer.out_shape:
        said = layer.out_shape(x.shape[1:])
        if getattr(y, "shape", (0,))[1:] != said:
            raise ShapeError(
                f"{kind}.apply gives {getattr(y, 'shape', type(y).__name__)} for x of shape "
                f"{x.shape}, but out_shape says {said}"
            )


def _check_setting(kind: str, name: str, value: Any) -> None:
    """Refuse a setting that hides a method, or that does not hash. Raises TypeError."""
    if name in METHODS_OF_A_LAYER:
        raise TypeError(
            f"{kind}: a setting cannot be called {name!r}, which is a method of every layer; "
            "rename it"
        )
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"{kind}: {name} is of type {type(value).__name__}, which does not hash; settings are "
            "numbers, strings, tuples, layers, "
            "initializers: an array belongs to `parameters` or `statistics`"
        ) from None


@lru_cache(maxsize=4096)
def _traced_out_shape(layer: Layer, in_shape: Shape) -> Shape:
    """What `apply` gives for one example, traced: no layer says it better."""
    x = jax.ShapeDtypeStruct((2, *in_shape), jnp.float32)
    try:
        params, state = jax.eval_shape(lambda key: layer.init(key, in_shape), jax.random.key(0))
        y, _ = jax.eval_shape(lambda *given: layer.apply(*given), params, state, x)
    except LayerError:
        raise
    except Exception as error:  # whatever it raises that is a stranger's
        raise ShapeError(
            f"{type(layer).__name__} defines no out_shape, and its apply fails for {in_shape}: "
            f"{error}"
        ) from error
    if not isinstance(y, jax.ShapeDtypeStruct) or y.shape[:1] != (2,):
        raise ShapeError(
            f"{type(layer).__name__}.apply gives {y} for a batch of 2; as many examples were "
            "expected"
        )
    return y.shape[1:]


def computes_as(layer: Any, *kinds: type[Kind]) -> TypeGuard[Kind]:
    """Whether a layer is of one of these classes and computes as that does: a class derived from it
    may compute something else.
    """
    same = lambda kind, name: getattr(type(layer), name, None) is getattr(kind, name, None)
    return any(
        isinstance(layer, kind) and all(same(kind, name) for name in ("apply", "function", "run"))
        for kind in kinds
    )


def _explained(layer: Layer, name: str, shape: Shape, declared: Shape, x_shape: Shape) -> str:
    """What may have happened, and what to do."""
    torch = (*range(2, len(shape)), 1, 0)
    if len(shape) > 1 and tuple(shape[axis] for axis in torch) == declared:
        return f"the {name} is in PyTorch's order: give {name}.transpose{torch}"
    if len(x_shape) > 2:
        with suppress(LayerError):
            moved = (*x_shape[2:], x_shape[1])
            if shape == (layer.parameters(moved) | layer.statistics(moved))[name].shape:
                return "x is channels-first, it seems: give jnp.moveaxis(x, 1, -1)"
    return (
        f"initialise for this input, init(key, {x_shape[1:]}), or give what the net's own init "
        "returned"
    )


def check_composed(layer: Layer) -> None:
    """Refuse a layer that holds layers and is not a Composite, whose children no table and no edit
    would see. Raises TypeError.
    """
    if layer.composed:
        return
    kind = type(layer).__name__
    for cls in type(layer).__mro__[: type(layer).__mro__.index(Layer)]:
        if "__init__" in vars(cls) and "__dataclass_fields__" not in vars(cls):
            raise TypeError(
                f"{cls.__name__} defines __init__ and is no dataclass, so what it sets would not "
                "compare, hash or go to JSON; declare its "
                "settings as fields under @dataclass(frozen=True)"
            )
    inside = [f.name for f in fields(layer) if _holds_layer(getattr(layer, f.name))]
    if inside or type(layer).children is not Layer.children:
        name = inside[0] if inside else "name"
        raise TypeError(
            f"{kind} has layers inside, but is not a Composite, so that tables, checks and edits "
            "would not see them; derive it from "
            "jconv.Composite and say in run(self, call, x) how they are connected: "
            f"call.child({name!r}, self.{name}, x) goes through one"
        )


def _holds_layer(value: Any) -> bool:
    return isinstance(value, Layer) or (isinstance(value, tuple) and any(map(_holds_layer, value)))


def _node(name: str, layer: Layer) -> Node:
    inside = tuple(_node(*pair) for pair in layer.children)
    return Node(name, type(layer).__name__, in_a_row(layer, besides=_holds_layer), inside)


def child_key(key: jax.Array, name: str) -> jax.Array:
    """The key of what is called `name`: it depends on the name, never on the position among its
    siblings.
    """
    return jax.random.fold_in(key, np.uint32(name_hash(name)))


def name_hash(name: str) -> int:
    return zlib.crc32(name.encode())


def like(x: jax.Array, *arrays: jax.Array) -> tuple[jax.Array, ...]:
    """The arrays cast to x's dtype: the whole of the mixed-precision rule. Raises LayerError for
    integer x, which would truncate them; a layer whose own arithmetic would truncate or overflow
    calls it without arrays.
    """
    if not jnp.issubdtype(x.dtype, jnp.inexact):
        raise LayerError(
            f"the input has dtype {x.dtype}, a floating-point one was expected; cast it, or begin "
            "the net with Normalize(mean, std)"
        )
    return tuple(a.astype(x.dtype) for a in arrays)


def has_setting(layer: Any, name: str, known: Callable[[Any], bool]) -> bool:
    """Whether a layer has a setting of this name with a value that we know: a stranger's may share
    the name and mean another thing.
    """
    return any(f.name == name for f in fields(layer)) and known(getattr(layer, name))


def map_layers(net: Layer, f: Callable[[str, Layer], Layer], path: str = "") -> Layer:
    """The net with every layer replaced by f(path, layer), the inner ones first; the net itself has
    path "".
    """
    inside = {
        name: map_layers(child, f, f"{path}/{name}" if path else name)
        for name, child in net.children
    }
    return f(path, net.with_children(inside) if inside else net)


def _plain(value):
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return tuple(_plain(v) for v in value)
    return value.item() if isinstance(value, np.generic) else value
