"""What layers made of layers share: init and apply by name, and the ways to follow how their
children are connected.

A composite is a frozen dataclass whose settings hold layers, and one method, `run`, which says how
they are connected:

    @dataclass(frozen=True)
    class Gated(Composite):
        body: Layer
        gate: Layer

        def run(self, call, x):
            y, g = call.child("body", self.body, x), call.child("gate", self.gate, x)
            return call.join(jnp.multiply, y, g)

Everything follows from it: shapes, init, apply, the table, receptive fields, memory, edits, JSON,
gradient checks. For `run` is followed with arrays, where it computes, and with what stands for
arrays where none are needed, so x may only be passed on:

    call.child(name, layer, x)         through a child; twice with one name shares its weights
    call.join(f, *parts)               through a function of arrays, where branches meet
    call.repeat(name, layer, x, n)     through a child n times, by lax.scan
    call.shape(x)                      one example's shape

A composite gives each child its own entry of `params` and `state` under the child's name, its own
key (folded from that name), a `jax.named_scope`, and a name for its output that `jax.checkpoint`
policies know: its path, such as "stage2/block1/body/conv2".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from .errors import FeaturesError, LayerError, ShapeError, located
from .geometry import Shape, as_shape
from .layer import Layer, Params, State, check_composed, check_key, child_key, name_hash


class Step(NamedTuple):
    """One child as a composite goes through it; in a loop `times`, each with parameters of its own
    unless they are `shared`.
    """

    name: str
    layer: Layer
    in_shape: Shape
    times: int | None = None
    shared: bool = False


@dataclass(frozen=True)
class Composite(Layer):
    """A layer made of layers. It says once, in `run`, how its children are connected; see the top
    of this file.
    """

    composed = True

    def __init_subclass__(cls, **settings):
        super().__init_subclass__(**settings)
        if "apply" in vars(cls):
            raise TypeError(
                f"{cls.__name__} is a Composite and defines apply, which nothing but arrays would "
                "follow; say it in run(self, call, x)"
            )

    def __post_init__(self):
        super().__post_init__()
        kind = type(self).__name__
        for f in fields(self):
            if f.type in ("Layer", Layer):
                check_names(kind, [(f.name, getattr(self, f.name))])
        if self.children:
            check_names(kind, self.children)

    def run(self, call: Call, x):
        """The output for x, made by `call` alone: `call.child`, `call.join`, `call.repeat`."""
        raise NotImplementedError(f"{type(self).__name__} does not define run")

    @property
    def children(self) -> tuple[tuple[str, Layer], ...]:
        """The settings that are layers, by name: a setting of several layers numbers them (layers1,
        layers2, ...) unless it is made of (name, layer) pairs.
        """
        return tuple(pair for f in fields(self) for pair in _named(f.name, getattr(self, f.name)))

    def with_children(self, children: Mapping[str, Layer]) -> Layer:
        """The same composite around other children."""
        return replace(
            self,
            **{
                f.name: _exchanged(f.name, getattr(self, f.name), children)
                for f in fields(self)
                if f.init
            },
        )

    def out_shape(self, in_shape: Shape) -> Shape:
        return self.followed(in_shape)[0]

    def steps(self, in_shape: Shape) -> Iterator[Step]:
        """Each child as `run` goes through it, in that order; one whose weights are shared comes
        several times.
        """
        return iter(self.followed(in_shape)[1])

    def followed(self, in_shape: Shape) -> tuple[Shape, list[Step]]:
        """The shape that `run` gives, and its steps. Raises ShapeError, and LayerError for a layer
        in `run` that is not a child.
        """
        call = Shapes(self)
        return passed_on(self, call, Placeholder(as_shape(in_shape))).shape, call.steps

    def init(self, key: jax.Array, in_shape: Shape) -> tuple[Params, State]:
        check_key(self, key)
        params, state = {}, {}
        first: dict[str, Step] = {}
        for step in self.steps(in_shape):
            before = first.setdefault(step.name, step)
            if before is not step:
                _check_shared(before, step)
                continue
            p, s = located(step.name, _drawn, step, child_key(key, step.name))
            params |= {step.name: p} if p else {}
            state |= {step.name: s} if s else {}
        return params, state

    def apply(
        self,
        params: Params,
        state: State,
        x: jax.Array,
        *,
        train: bool = False,
        key: jax.Array | None = None,
    ) -> tuple[Any, State]:
        call = Arrays(params, state, train, key)
        try:
            return self.run(call, x), {**state, **call.changed}
        except FeaturesError as error:
            raise ShapeError(
                f"{error.message}; {_sizes_that_give(self, error, x.shape[1:])}", error.path
            ) from None


def _named(name: str, value: Any) -> list[tuple[str, Layer]]:
    """The layers that a setting holds, by name."""
    if isinstance(value, Layer):
        return [(name, value)]
    if not isinstance(value, tuple):
        return []
    pairs = [
        v
        for v in value
        if isinstance(v, tuple)
        and len(v) == 2
        and isinstance(v[0], str)
        and isinstance(v[1], Layer)
    ]
    return pairs or [
        (f"{name}{i}", layer) for i, layer in enumerate(value, 1) if isinstance(layer, Layer)
    ]


def _exchanged(name: str, value: Any, children: Mapping[str, Layer]) -> Any:
    """The setting with the layers that `children` has under its names."""
    if isinstance(value, Layer):
        return children.get(name, value)
    if not _named(name, value):
        return value

    def exchanged(i: int, entry: Any) -> Any:
        if isinstance(entry, Layer):
            return children.get(f"{name}{i}", entry)
        if isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[1], Layer):
            return entry[0], children.get(entry[0], entry[1])
        return entry  # an optional layer that is not there, say

    return tuple(exchanged(i, entry) for i, entry in enumerate(value, 1))


def _drawn(step: Step, key: jax.Array) -> tuple[Params, State]:
    """A child's arrays; those of a loop stacked, a draw for each time."""
    if step.times is None or step.shared:
        return step.layer.init(key, step.in_shape)
    keys = jnp.stack([child_key(key, str(i)) for i in range(step.times)])
    return jax.vmap(lambda key: step.layer.init(key, step.in_shape))(keys)


def _check_shared(first: Step, again: Step) -> None:
    arrays = lambda step: jax.eval_shape(lambda key: _drawn(step, key), jax.random.key(0))
    if first != again and arrays(first) != arrays(again):
        raise ShapeError(
            f"it is applied to {first.in_shape} and to {again.in_shape}, for which its parameters "
            "differ; one name is one set of "
            "parameters: give it the same channels each time, or use two children",
            first.name,
        )


# Ways to follow a composite
# --------------------------------------------------------------------------------------------------


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
        if not isinstance(layer, Composite):
            return self.leaf(path, layer, x)
        try:
            return passed_on(layer, replace(self, path=path, inside=layer), x)
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


@dataclass
class Arrays(Call):
    """Follows a batch: the arrays its children share, and the states they return."""

    params: Params
    state: State
    train: bool
    key: jax.Array | None
    path: str = ""
    changed: State = field(default_factory=dict)
    turns: Counter = field(default_factory=Counter)  # how often each child was gone through
    recorded: set[str] = field(default_factory=set)  # by taps, anywhere in the net

    def child(self, name: str, layer: Layer, x):
        inner = self.inside(name)
        with jax.named_scope(name):
            y, new = inner.through(layer, x)
        if new:
            self.changed[name] = new
        self.turns[name] += 1
        return checkpoint_name(y, inner.path)

    def inside(self, name: str) -> Arrays:
        """The call of what is in the child `name`; gone through again, it follows on from the state
        it left, and draws anew.
        """
        for what, tree in (("params", self.params), ("state", self.state)):
            if not isinstance(tree, Mapping):
                kind = type(tree).__name__
                raise LayerError(
                    f"{what} is of type {kind}, a dict with {name!r} in it was expected, as init "
                    "returns it",
                    self.path,
                )
        turn = self.turns[name]
        key = (
            None
            if self.key is None
            else child_key(self.key, f"{name}#{turn + 1}" if turn else name)
        )
        state = self.changed.get(name, self.state.get(name, {}))
        path = path_to(self.path, name)
        return replace(
            self,
            params=self.params.get(name, {}),
            state=state,
            key=key,
            path=path,
            changed={},
            turns=Counter(),
        )

    def through(self, layer: Layer, x) -> tuple[Any, State]:
        """What a layer makes of x with this call's arrays, and its new state."""
        if isinstance(layer, Composite):  # told its path, so that names and errors below are whole
            return layer.run(self, x), {**self.state, **self.changed}
        try:
            return located(
                self.path, layer.apply, self.params, self.state, x, train=self.train, key=self.key
            )
        except KeyError as missing:
            raise LayerError(_missing(missing, self.params, self.state), self.path) from missing

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False):
        if shapes:  # an axis of size 1 would broadcast
            located(self.path, shapes, *(part.shape[1:] for part in parts))
        return f(*parts)

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False):
        inner = self.inside(name)

        def once(x, params, state, i):
            key = None if inner.key is None else jax.random.fold_in(inner.key, i)
            y, new = replace(
                inner, params=params, state=state, key=key, changed={}, turns=Counter()
            ).through(layer, x)
            if y.dtype != x.dtype:
                raise LayerError(
                    f"it is repeated, but makes {y.dtype} of {x.dtype}; a repeated layer keeps its "
                    "dtype",
                    inner.path,
                )
            return y, new

        with jax.named_scope(name):
            y, new = (_looped_shared if shared else _looped)(once, inner, x, times, unroll)
        if new:
            self.changed[name] = new
        self.turns[name] += 1
        return checkpoint_name(y, inner.path)

    def record(self, name: str, y) -> None:
        path = path_to(self.path, name)
        if path in self.recorded:
            raise LayerError(
                f"the tap {name!r} records twice, as its layer is gone through again; put the tap "
                "outside",
                self.path,
            )
        self.recorded.add(path)
        self.changed[name] = y

    def shape(self, x) -> Shape:
        return x.shape[1:]


def _looped(once: Callable, inner: Arrays, x, times: int, unroll: bool) -> tuple[Any, State]:
    """Each time with arrays of its own; what the times leave is stacked."""
    if not unroll:
        one = lambda x, given: once(x, *given)
        return jax.lax.scan(
            one, x, (inner.params, inner.state, jnp.arange(times, dtype=jnp.uint32))
        )
    left = []
    for i in range(times):
        params, state = jax.tree.map(lambda a, i=i: a[i], (inner.params, inner.state))
        inner.recorded.difference_update(
            [path for path in inner.recorded if path.startswith(f"{inner.path}/")]
        )
        x, new = once(x, params, state, jnp.uint32(i))
        left.append(new)
    return x, jax.tree.map(lambda *a: jnp.stack(a), *left)


def _looped_shared(once: Callable, inner: Arrays, x, times: int, unroll: bool) -> tuple[Any, State]:
    """Each time with the same parameters, and the state that the one before left."""

    def one(kept, i):
        x, state = kept
        y, new = once(x, inner.params, state, i)
        if jax.tree.structure(new) != jax.tree.structure(state):
            raise LayerError(
                "a tap records inside a loop that shares its parameters; put it outside, or use "
                "shared=False",
                inner.path,
            )
        return (y, new), None

    if not unroll:
        return jax.lax.scan(one, (x, inner.state), jnp.arange(times, dtype=jnp.uint32))[0]
    kept = x, inner.state
    for i in range(times):
        kept, _ = one(kept, jnp.uint32(i))
    return kept


# Listing a net
# --------------------------------------------------------------------------------------------------


class Visit(NamedTuple):
    """One layer of a network as `walk` lists it.

    `turn` counts how often these parameters have been gone through, this time included: above 1
    they are shared with a layer listed before. In a loop the layer stands once, is gone through
    `times` times and has `copies` sets of parameters.
    """

    path: str
    layer: Layer
    in_shape: Shape
    out_shape: Shape
    turn: int = 1
    times: int = 1
    copies: int = 1

    @property
    def name(self) -> str:
        """The path, and which turn it is from the second on: "body/conv#2"."""
        return turn_name(self.path, self.turn)


def turn_name(path: str, turn: int) -> str:
    return f"{path}#{turn}" if turn > 1 else path


@dataclass
class Walk(Following):
    """Lists the layers that hold no other."""

    found: list[Visit] = field(default_factory=list)
    turns: Counter = field(default_factory=Counter)
    times: int = 1
    copies: int = 1

    def leaf(self, path: str, layer: Layer, x: Placeholder) -> Placeholder:
        out = located(path, layer.out_shape, x.shape)
        self.turns[path] += 1
        self.found.append(
            Visit(path, layer, x.shape, out, self.turns[path], self.times, self.copies)
        )
        return Placeholder(out)

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False) -> Placeholder:
        return Placeholder(self.joined(f, shapes, parts))

    def repeat(self, name, layer, x, times, *, shared=False, unroll=False) -> Placeholder:
        inner = replace(
            self, times=self.times * times, copies=self.copies * (1 if shared else times)
        )
        return Following.repeat(inner, name, layer, x, times)


def walk(net: Layer, in_shape: Shape, path: str = "") -> Iterator[Visit]:
    """Every layer that holds no other, in execution order, with its path and the shapes of one
    example. Raises ShapeError.

    Nets are followed as in training, here and in the tables, fields and costs: branches that exist
    then alone are listed.
    """
    check_composed(net)
    call = Walk()
    call.follow(path, net, Placeholder(as_shape(in_shape)))
    return iter(call.found)


def _missing(name: KeyError, params: Params, state: State) -> str:
    given = " and ".join(
        f"{what} holds {', '.join(tree) or 'nothing'}"
        for what, tree in (("params", params), ("state", state))
    )
    return (
        f"{name} was looked up and is not there: for this layer {given}; pass what init(key, "
        "in_shape) of this very net returned"
    )


def _sizes_that_give(net: Layer, error: FeaturesError, in_shape: Shape) -> str:
    """Which square images bring that many features to the layer the error comes from."""
    sizes, channels = in_shape[:-1], in_shape[-1]
    square = lambda n: (*(n,) * len(sizes), channels)
    fit = [
        n
        for n in range(1, 2 * max(sizes, default=0) + 64)
        if _arrives(net, error.path, square(n)) == error.features
    ]
    if not fit:
        return f"no square image with {channels} channels gives that: initialise for this input"
    span = f"{fit[0]}" if len(fit) == 1 else f"{fit[0]} to {fit[-1]}"
    return (
        f"images of {span} pixels a side give that, these have {'x'.join(map(str, sizes))}: resize "
        "them, or initialise for this input"
    )


def _arrives(net: Layer, path: str, in_shape: Shape) -> int | None:
    try:
        return next(
            (visit.in_shape[0] for visit in walk(net, in_shape) if visit.path == path), None
        )
    except ShapeError:  # too small for some window
        return None


def _no_layer(kind: str, name: str, value: Any) -> str:
    """What to say of a value that stands where a layer was expected."""
    if isinstance(value, type) and issubclass(value, Layer):
        return (
            f"{name} is the class {value.__name__}, a layer was expected; write "
            f"{value.__name__}(...), with its settings"
        )
    came = type(value).__name__
    if isinstance(value, (list, tuple)):
        return (
            f"{name} is a {came}, layers were expected one by one; write {kind}(*layers) for a "
            f"{came} of them"
        )
    if isinstance(value, Mapping):
        return (
            f"{name} is a {came}, layers were expected by name; write {kind}(**layers) for a "
            f"{came} of them"
        )
    said = f"{name} is {value!r:.60}, a layer was expected"
    return f"{said}; wrap a function of a batch as Lambda(f)" if callable(value) else said


def check_names(kind: str, pairs) -> None:
    if not pairs:
        raise ValueError(
            f"{kind}: no layers given, at least one was expected; Identity() is the layer that "
            "does nothing"
        )
    hashes: dict[int, str] = {}
    for name, layer in pairs:
        if not isinstance(layer, Layer):
            raise TypeError(f"{kind}: {_no_layer(kind, name, layer)}")
        check_composed(layer)
        if not name or "/" in name or "#" in name:
            raise ValueError(
                f"{kind}: the name {name!r} may not be empty or hold '/' or '#', which separate "
                "the parts of a path"
            )
        other = hashes.setdefault(name_hash(name), name)
        if other != name:
            raise ValueError(
                f"{kind}: the names {other!r} and {name!r} have one crc32, so they would draw the "
                "same parameters; rename one"
            )
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            raise ValueError(
                f"{kind}: {count} layers are called {name!r}; the automatic and the given names "
                "must differ"
            )
