"""Networks as a list of layers, read and written:

    conv1 = Conv(16, 5, padding=2)
    relu1 = Relu()
    flatten = Flatten()
    fc = Dense(10)

It looks like Python and is read as Python's grammar has it, but nothing is run: what may stand
there are layers of jconv and their initializers by name, numbers, words, tuples and layers inside
layers.
"""

from __future__ import annotations

import ast
from collections import Counter
from typing import Any

from .. import compose, layers
from ..compose import Sequential
from ..errors import LayerError, PatternError, near
from ..layer import Layer
from ..layers import Initializer, Lambda

LONGEST = 100_000  # characters
CONSTANTS = (int, float, bool, str, type(None))


def read_listing(text: str) -> Sequential:
    """The net of a list, one `name = Layer(...)` after another; the name may be left out.

    Raises PatternError, with line and column, for what is no such list, and for settings that a
    layer does not take.
    """
    if len(text) > LONGEST:
        raise PatternError(
            f"{len(text):,} characters came, a list of at most {LONGEST:,} was expected"
        )
    reader = _Reader(text)
    statements = reader.parsed()
    named: dict[str, Layer] = {}
    counts: Counter[str] = Counter()
    for statement in statements:
        name, value = reader.entry(statement)
        layer = reader.layer(value)
        kind = type(layer).__name__.lower()
        counts[kind] += 1
        name = name or f"{kind}{counts[kind]}"
        if name in named:
            raise reader.fault(statement, f"two layers are called {name!r}", "rename one")
        named[name] = layer
    if not named:
        raise PatternError("no layers came, such as fc = Dense(10)", 0, "", text)
    try:
        return Sequential(**named)
    except (TypeError, ValueError) as error:
        raise PatternError(str(error), 0, "", text) from None


def write_listing(net: Layer) -> str:
    """The net as a list that `read_listing` reads back. Raises LayerError for a net that no text
    holds, such as one with a Lambda.
    """
    pairs = net.layers if type(net) is Sequential else (("net", net),)
    text = "".join(f"{name} = {layer!r}\n" for name, layer in pairs)
    try:
        same = read_listing(text)
    except PatternError as error:
        raise LayerError(f"this net cannot be written as a list of layers: {error}") from None
    if (same if type(net) is Sequential else same["net"]) != net:
        raise LayerError("this net cannot be written as a list of layers: its names are no words")
    return text


def _known() -> dict[str, Any]:
    """What a list may name: the classes of layers, and what makes initializers."""
    found = {**vars(layers), **vars(compose)}
    kinds = {
        name: value
        for name, value in found.items()
        if isinstance(value, type) and issubclass(value, Layer) and value is not Lambda
    }
    from ..layers import initializer

    makers = {
        name: value
        for name, value in vars(initializer).items()
        if callable(value) and getattr(value, "__module__", "") == initializer.__name__
    }
    ready = {name: v for name, v in vars(initializer).items() if isinstance(v, Initializer)}
    return {**kinds, **{n: v for n, v in makers.items() if n in vars(layers)}, **ready}


class _Reader:
    def __init__(self, text: str):
        self.text = text
        self.lines = [0]  # where each begins
        for line in text.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))
        self.known = _known()

    def parsed(self) -> list[ast.stmt]:
        try:
            return ast.parse(self.text).body
        except SyntaxError as error:
            line, column = error.lineno or 1, max(error.offset or 1, 1)
            at = self.lines[min(line, len(self.lines)) - 1] + column - 1
            raise PatternError(
                f"{error.msg}", min(at, len(self.text)), "write name = Layer(...)", self.text
            ) from None
        except (ValueError, RecursionError, MemoryError) as error:
            raise PatternError(
                f"cannot be read ({str(error) or 'nested too deep'})", 0, "", self.text
            ) from None

    def fault(self, node: Any, message: str, suggestion: str = "") -> PatternError:
        line = self.text[self.lines[node.lineno - 1] :].encode()
        at = self.lines[node.lineno - 1] + len(line[: node.col_offset].decode(errors="ignore"))
        return PatternError(message, at, suggestion, self.text)

    def entry(self, statement: ast.stmt) -> tuple[str, ast.expr]:
        """The name, "" for none, and what is called so."""
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                return name, value
            case ast.AnnAssign(target=ast.Name(id=name), annotation=value, value=None):
                return name, value  # name: Layer(...)
            case ast.Expr(value=value):
                return "", value
        raise self.fault(statement, "name = Layer(...) was expected")

    def layer(self, node: ast.expr) -> Layer:
        value = self.value(node)
        if isinstance(value, Layer):
            return value
        raise self.fault(node, f"{self.source(node)} is no layer", "write one such as Relu()")

    def value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=value) if type(value) in CONSTANTS:
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
                return -value
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return tuple(self.value(part) for part in parts)
            case ast.Call(func=ast.Name(id=name)):
                return self.made(node, name)
            case ast.Name(id=name):
                found = self.named(node, name)
                if isinstance(found, Initializer):
                    return found
                raise self.fault(node, f"{name} lacks its settings", f"write {name}(...)")
        raise self.fault(
            node, f"{self.source(node)} cannot stand here", "numbers, words, tuples and layers can"
        )

    def named(self, node: ast.expr, name: str) -> Any:
        if name not in self.known:
            raise self.fault(node, f"there is no layer {name}", near(name, self.known))
        return self.known[name]

    def made(self, node: ast.Call, name: str) -> Any:
        maker = self.named(node, name)
        given = [self.value(part) for part in node.args]
        settings: dict[str, Any] = {}
        for keyword in node.keywords:
            if keyword.arg is None:
                raise self.fault(keyword.value, "settings are written one by one, without **")
            settings[keyword.arg] = self.value(keyword.value)
        if isinstance(maker, Initializer):
            raise self.fault(node, f"{name} takes no settings", f"write {name}")
        try:
            return maker(*given, **settings)
        except (TypeError, ValueError, OverflowError) as error:
            raise self.fault(node, f"{name}: {error}".replace("__init__() ", "")) from None

    def source(self, node: ast.expr) -> str:
        return f"{ast.get_source_segment(self.text, node) or ''!s:.60}"
