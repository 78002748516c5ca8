"""A network as a graph of named values, as Caffe and ONNX write one, and the net of Sequential,
Residual and Concat that computes the same.

A reader adds the nodes in the order in which they run; `Graph` follows the shapes and the order of
flattened features (layout.py), and `assemble` finds the branches: where a value is used several
times the net parts, and the node where all that came of it meets again is a Residual or a Concat.
A branch that the output does not depend on is an auxiliary head, a Tap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np

from ..compose import Concat, Residual, Sequential, Tap
from ..errors import InputError, LayerError
from ..geometry import Shape
from ..layer import Layer, Params, State
from ..layers import Flatten, Identity, Relu
from .layout import Order, flattened, joined

Join = Literal["sum", "concat"]
FLATTENED = "(C, H, W) order to (H, W, C)"


class Value(NamedTuple):
    """What passes along an edge: one example's shape, and where its channels, or the features of a
    row, lie in the source.
    """

    shape: Shape
    order: Order = None


class Came(NamedTuple):
    """An array, as it is here, and what it was in the source."""

    array: Any  # NumPy's or jax's
    source: str  # its name there
    shape: Shape  # its shape there
    how: str = ""  # what was done to it


class Node(NamedTuple):
    """A layer, or a place where branches meet."""

    name: str  # in the source
    kind: str  # the source's word for it
    inputs: tuple[str, ...]
    output: str
    layer: Layer | None  # None where branches meet
    join: Join | None = None
    params: Mapping[str, Came] = {}
    state: Mapping[str, Came] = {}
    said: str = ""  # which of the source's conventions was met


class Assembled(NamedTuple):
    """A net; its arrays, each a Came; and for each node of the source the path of its layer."""

    net: Layer
    params: Params
    state: State
    paths: dict[str, str]


class Unfit(InputError):
    """A graph that is no composition of sequences, sums and joins of channels."""


@dataclass
class Graph:
    """The nodes as a reader adds them, and the shapes and orders of the values."""

    where: str  # the file, for errors
    values: dict[str, Value] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)
    # of a name in the source the value that it means now: a layer may write over its input
    current: dict[str, str] = field(default_factory=dict)

    def begin(self, name: str, shape: Shape, order: Order = None) -> None:
        """The input of the net."""
        self._set(name, Value(shape, order))

    def value(self, name: str, of: str) -> Value:
        """What a name means now. Raises InputError naming the node `of` that takes it."""
        if name not in self.current:
            raise InputError(
                f"{self.where}: {of} takes {name!r}, which no layer before it makes; the layers "
                "stand in another order, or in a cycle"
            )
        return self.values[self.current[name]]

    def _set(self, name: str, value: Value) -> str:
        unique = name
        while unique in self.values:
            unique += "'"
        self.values[unique] = value
        self.current[name] = unique
        return unique

    def add(
        self,
        name: str,
        kind: str,
        x: str,
        output: str,
        layer: Layer,
        params: Mapping[str, Came] | None = None,
        state: Mapping[str, Came] | None = None,
        said: str = "",
        order: Order | Literal["kept"] = "kept",
    ) -> Value:
        """A layer from the value `x` to the value `output`, whose channels then lie in `order`.

        Raises InputError where the layer does not take that shape, or has other arrays.
        """
        came = self.value(x, f"{kind} {name!r}")
        params, state = params or {}, state or {}
        try:
            shape = layer.out_shape(came.shape)
            declared = layer.parameters(came.shape), layer.statistics(came.shape)
        except LayerError as error:
            raise InputError(f"{self.where}: {kind} {name!r}: {error}") from None
        for expected, arrays in zip(declared, (params, state), strict=True):
            for leaf, wanted in expected.items():
                if leaf in arrays and arrays[leaf].array.shape != wanted.shape:
                    raise InputError(
                        f"{self.where}: {kind} {name!r}: its {leaf} {arrays[leaf].source} has "
                        f"shape {arrays[leaf].shape}, which is {arrays[leaf].array.shape} here; "
                        f"{wanted.shape} was expected for an input of {came.shape}"
                    )
        inputs = (self.current[x],)
        kept = came.order if isinstance(order, str) else order
        made = self._set(output, Value(shape, kept))
        self.nodes.append(Node(name, kind, inputs, made, layer, None, params, state, said))
        return self.values[made]

    def flatten(
        self, name: str, kind: str, x: str, output: str, channels_first: bool = True
    ) -> Value:
        """The value as one row; nothing to do where it is one. `channels_first` says how the source
        ran through the image.
        """
        came = self.value(x, f"{kind} {name!r}")
        if len(came.shape) == 1:
            return self.rename(x, output)
        order = flattened(*came) if channels_first else None
        if came.order is not None and not channels_first:
            raise InputError(
                f"{self.where}: {kind} {name!r} flattens an image whose channels lie in another "
                "order than the source's, which is not read"
            )
        said = FLATTENED if order is not None else ""
        return self.add(name, kind, x, output, Flatten(), said=said, order=order)

    def rename(self, x: str, output: str) -> Value:
        """`output` as another name of `x`."""
        self.current[output] = self.current[x]
        return self.values[self.current[x]]

    def meet(self, name: str, kind: str, join: Join, inputs: Sequence[str], output: str) -> Value:
        """Values added, or joined along their channels. Raises InputError where their shapes
        disagree.
        """
        came = [self.value(x, f"{kind} {name!r}") for x in inputs]
        shapes = [value.shape for value in came]
        alike = {shape if join == "sum" else shape[:-1] for shape in shapes}
        if len(alike) > 1:
            raise InputError(
                f"{self.where}: {kind} {name!r} takes {' and '.join(map(str, shapes))}; "
                + ("equal shapes" if join == "sum" else "shapes equal but for the channels")
                + " were expected"
            )
        if join == "sum":
            value = came[0]
            if not all(np.array_equal(_places(value), _places(other)) for other in came[1:]):
                raise InputError(
                    f"{self.where}: {kind} {name!r} adds rows that were flattened from images of "
                    "different shapes; their features lie in different orders here"
                )
        else:
            widths = [shape[-1] for shape in shapes]
            order = joined([value.order for value in came], widths)
            value = Value((*shapes[0][:-1], sum(widths)), order)
        taken = tuple(self.current[x] for x in inputs)
        made = self._set(output, value)
        self.nodes.append(Node(name, kind, taken, made, None, join))
        return value


def _places(value: Value) -> np.ndarray:
    return np.arange(value.shape[-1]) if value.order is None else value.order


class Edge(NamedTuple):
    """A use of a value: by which node, as which of its inputs; node None is the net's output."""

    value: str
    node: int | None
    place: int


@dataclass
class _Assembly:
    where: str
    nodes: Sequence[Node]
    users: dict[str, list[Edge]]  # of a value, those that the output depends on
    heads: dict[str, list[int]]  # of a value, the nodes that begin auxiliary heads
    names: Counter = field(default_factory=Counter)

    def block(self, start: Sequence[Edge], until: int | None) -> list[tuple[str, _Part]]:
        """What lies between these uses of one value and the node `until`, one after another."""
        found: list[tuple[str, _Part]] = []
        value = start[0].value
        edges = list(start)
        while True:
            if len(edges) == len(self.users[value]):
                found += self._heads(value)
            if all(edge.node == until for edge in edges):
                if len(edges) > 1:
                    found.append(self._forked(edges, until))
                return found
            if len(edges) == 1 and (node := self.nodes[_at(edges[0])]).layer is not None:
                value = node.output
                found.append((self._name(node.name, node.kind), _leaf(node)))
            else:
                meets = self._meeting(edges, until)
                if meets == until:
                    found.append(self._forked(edges, until))
                    return found
                assert meets is not None  # the output is where all of the net ends
                joint = self.nodes[meets]
                if joint.layer is not None:
                    raise self._unfit(meets)
                found.append(self._forked(edges, meets))
                value = joint.output
            edges = self.users[value]

    def _meeting(self, edges: Sequence[Edge], until: int | None) -> int | None:
        """The first node that all that comes of these uses passes. Raises Unfit where something
        from elsewhere comes in.
        """
        open_ = list(edges)
        while len({edge.node for edge in open_}) > 1:
            first = min(_at(edge) for edge in open_ if edge.node != until)
            node = self.nodes[first]
            if sum(edge.node == first for edge in open_) < len(node.inputs):
                raise self._unfit(first)
            open_ = [edge for edge in open_ if edge.node != first] + self.users[node.output]
        meets = open_[0].node
        if meets != until and len(open_) < len(self.nodes[_at(open_[0])].inputs):
            raise self._unfit(meets)
        return meets

    def _forked(self, edges: Sequence[Edge], meets: int | None) -> tuple[str, _Part]:
        """The branches of one value up to the node where they meet."""
        if meets is None:
            raise InputError(f"{self.where}: {edges[0].value!r} is the output twice")
        joint = self.nodes[meets]
        groups = self._groups(edges, meets)
        if len(groups) == 1 and len(edges) > 1:
            raise self._unfit(self._partly(edges, meets))
        places = [place for _, group in groups for place in group]
        if joint.join == "concat" and places != sorted(places):
            raise InputError(
                f"{self.where}: {joint.kind} {joint.name!r} joins {', '.join(joint.inputs)} in an "
                "order that mixes branches of one origin with others; Concat holds them one after "
                "another"
            )
        branches = [_sequence(self.block(group, meets)) for group, _ in groups]
        name = self._name(joint.name, joint.kind)
        if joint.join == "concat":
            part = _composite(Concat, {f"branch{i}": b for i, b in enumerate(branches, 1)})
        else:
            # what has arrays, or more of them, is the body
            branches.sort(key=lambda part: -part.leaves)
            part = branches.pop()
            while branches:
                part = _residual(branches.pop(), part)
        return name, part._replace(paths={**part.paths, joint.name: ""})

    def _groups(self, edges: Sequence[Edge], meets: int) -> list[tuple[list[Edge], list[int]]]:
        """Uses that lead to the same inputs of the node where all meet, together, by the first of
        those inputs.
        """
        groups: list[tuple[list[Edge], set[int]]] = []
        for edge in edges:
            together, places = [edge], self._places(edge, meets)
            for other in [g for g in groups if g[1] & places]:
                groups.remove(other)
                together, places = [*other[0], *together], places | other[1]
            groups.append((together, places))
        return sorted(
            ((group, sorted(places)) for group, places in groups), key=lambda pair: pair[1]
        )

    def _partly(self, edges: Sequence[Edge], meets: int) -> int:
        """The first node before the last that some of these branches meet at and others do not."""
        came: dict[int, set[int]] = {}
        for i, edge in enumerate(edges):
            for node in self._reached(edge, meets):
                came.setdefault(node, set()).add(i)
        return min((node for node, origins in came.items() if len(origins) > 1), default=meets)

    def _reached(self, edge: Edge, meets: int) -> set[int]:
        """The nodes that a use leads to, up to where all meet."""
        seen: set[int] = set()
        pending = [edge]
        while pending:
            edge = pending.pop()
            if edge.node not in (None, meets) and _at(edge) not in seen:
                seen.add(_at(edge))
                pending += self.users[self.nodes[_at(edge)].output]
        return seen

    def _places(self, edge: Edge, meets: int) -> set[int]:
        """The inputs of the node where all meet that a use leads to."""
        places, pending, seen = set(), [edge], set()
        while pending:
            edge = pending.pop()
            if edge.node == meets:
                places.add(edge.place)
            elif edge.node is not None and edge.node not in seen:
                seen.add(edge.node)
                pending += self.users[self.nodes[edge.node].output]
        return places

    def _heads(self, value: str) -> list[tuple[str, _Part]]:
        found = []
        for index in self.heads.get(value, ()):
            last = _end(self.nodes, index)
            head = _Assembly(self.where, self.nodes, _uses(self.nodes, last)[0], {}, self.names)
            body = _sequence(head.block(head.users[value], None))
            name = _legal(self.nodes[last].name) or "head"
            tap = Tap(name, body.layer, train_only=True)
            part = body.inside("body")._replace(layer=tap)
            found.append((self._name(f"{name}_head", "head"), part))
        return found

    def _name(self, name: str, kind: str) -> str:
        """The name of a child, which no other has."""
        name = _legal(name) or kind.lower()
        self.names[name] += 1
        return name if self.names[name] == 1 else self._name(f"{name}_{self.names[name]}", kind)

    def _unfit(self, index: int | None) -> Unfit:
        node = self.nodes[index or 0]
        return Unfit(
            f"{self.where}: {node.kind} {node.name!r} takes {' and '.join(node.inputs)}: branches "
            "that parted at different places meet there before each has met its own; Sequential, "
            "Residual and Concat hold branches that part at one place and all meet at one"
        )


class _Part(NamedTuple):
    """A piece of the net with its arrays, and the paths inside it of the source's nodes."""

    layer: Layer
    params: Params
    state: State
    paths: dict[str, str]
    leaves: int

    def inside(self, name: str) -> _Part:
        """The same as a child of that name, of a layer that is still to be said."""
        within = lambda path: f"{name}/{path}" if path else name
        return self._replace(
            params={name: self.params} if self.params else {},
            state={name: self.state} if self.state else {},
            paths={node: within(path) for node, path in self.paths.items()},
        )


def _leaf(node: Node) -> _Part:
    assert node.layer is not None
    return _Part(node.layer, dict(node.params), dict(node.state), {node.name: ""}, 1)


def _composite(kind: Callable[..., Layer], children: Mapping[str, _Part]) -> _Part:
    inner = [part.inside(name) for name, part in children.items()]
    merged: Callable[[str], dict[str, Any]] = lambda what: {
        name: value for part in inner for name, value in getattr(part, what).items()
    }
    return _Part(
        kind(**{name: part.layer for name, part in children.items()}),
        merged("params"),
        merged("state"),
        merged("paths"),
        sum(part.leaves for part in inner),
    )


def _sequence(parts: list[tuple[str, _Part]]) -> _Part:
    """Layers one after another: none is Identity, one is itself; what only renames goes, and the
    ReLU after a sum becomes that Residual's own.
    """
    kept: list[tuple[str, _Part]] = []
    renamed: dict[str, str] = {}
    for name, part in parts:
        last = kept[-1] if kept else None
        if part.layer == Identity():
            renamed |= part.paths
        elif part.layer == Relu() and last and isinstance(last[1].layer, Residual):
            residual = last[1].layer
            if residual.then == Identity():
                joined_ = last[1]._replace(
                    layer=replace(residual, then=Relu()),
                    paths={**last[1].paths, **part.inside("then").paths},
                )
                kept[-1] = (last[0], joined_)
            else:
                kept.append((name, part))
        else:
            kept.append((name, part))
    if not kept:
        return _Part(Identity(), {}, {}, renamed, 0)
    if len(kept) == 1:
        return kept[0][1]
    return _composite(Sequential, dict(kept))


def _residual(body: _Part, shortcut: _Part) -> _Part:
    then = _Part(Identity(), {}, {}, {}, 0)
    return _composite(Residual, {"body": body, "shortcut": shortcut, "then": then})


def assemble(graph: Graph, source: str, sink: str) -> Assembled:
    """The net from one value to another. Raises InputError with the first place that Sequential,
    Residual and Concat cannot hold.
    """
    nodes = _prefixes_shared(graph.nodes)
    makers = {node.output: i for i, node in enumerate(nodes)}
    sink = graph.current.get(sink, sink)
    if sink not in makers:
        raise InputError(f"{graph.where}: no layer makes the output {sink!r}")
    users, heads = _uses(nodes, makers[sink], source)
    if not users.get(source):
        raise InputError(
            f"{graph.where}: the output {sink!r} does not depend on the input {source!r}"
        )
    assembly = _Assembly(graph.where, nodes, users, heads)
    part = _sequence(assembly.block(users[source], None))
    layer = part.layer
    if not isinstance(layer, Sequential):
        node = next((name for name, path in part.paths.items() if not path), "layer1")
        part = _composite(Sequential, {_legal(node) or "layer1": part})
    return Assembled(part.layer, part.params, part.state, part.paths)


def _uses(
    nodes: Sequence[Node], last: int, source: str = ""
) -> tuple[dict[str, list[Edge]], dict[str, list[int]]]:
    """The uses of each value that the output of the node `last` depends on, with the output itself
    as one; and the nodes beside them that take such values, where auxiliary heads begin.
    """
    makers = {node.output: i for i, node in enumerate(nodes)}
    needed, pending = set(), [last]
    while pending:
        index = pending.pop()
        if index not in needed:
            needed.add(index)
            pending += [makers[x] for x in nodes[index].inputs if x in makers]
    users: dict[str, list[Edge]] = {nodes[last].output: [Edge(nodes[last].output, None, 0)]}
    heads: dict[str, list[int]] = {}
    live = {source} | {nodes[i].output for i in needed}
    for i, node in enumerate(nodes):
        for place, x in enumerate(node.inputs):
            if i in needed:
                users.setdefault(x, []).append(Edge(x, i, place))
            elif x in live and place == 0 and node.layer is not None:
                heads.setdefault(x, []).append(i)
    return users, heads


def _end(nodes: Sequence[Node], first: int) -> int:
    """The last node of what follows a node that begins an auxiliary head."""
    reached, last = {nodes[first].output}, first
    for i in range(first + 1, len(nodes)):
        if set(nodes[i].inputs) & reached:
            reached.add(nodes[i].output)
            last = i
    return last


def _prefixes_shared(nodes: Iterable[Node]) -> list[Node]:
    """Joins that begin with all that an earlier one joined take that one's output instead: DenseNet
    joins all maps so far before each layer, which is one Concat inside another.
    """
    found: list[Node] = []
    made: dict[tuple[str, ...], str] = {}
    for node in nodes:
        if node.join == "concat":
            whole = node.inputs
            for length in range(len(whole) - 1, 1, -1):
                if whole[:length] in made:
                    node = node._replace(inputs=(made[whole[:length]], *whole[length:]))
                    break
            made.setdefault(whole, node.output)
        found.append(node)
    return found


def _legal(name: str) -> str:
    """A name that a child can have: "/" and "#" separate the parts of a path."""
    return name.strip("/").replace("/", "_").replace("#", "_")


def _at(edge: Edge) -> int:
    assert edge.node is not None
    return edge.node
