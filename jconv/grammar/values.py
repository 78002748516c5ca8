"""The settings of a word, "(padding=0, kernel_init=caffe_xavier())": Python's literals and the
initializers, read and written.
"""

from __future__ import annotations

import ast
import dataclasses
import math
import re
from collections.abc import Iterable
from typing import Any, cast

from ..errors import LayerError, PatternError
from ..layers import initializer
from ..layers.initializer import Initializer

Settings = tuple[tuple[str | None, Any], ...]

_NORMAL = ("he_normal", "lecun_normal", "msra_normal", "convnetjs_normal")
_UNIFORM = ("glorot_uniform", "caffe_xavier", "torch_uniform")
_FUNCTIONS = (*_NORMAL, *_UNIFORM, "identity_kernel", "partial_identity", "bilinear")
_SCALED = ("gaussian", "symmetric_uniform", "constant")
_CONSTANTS = {"zeros": initializer.zeros, "ones": initializer.ones}
_INITIALIZERS = {
    name: getattr(initializer, name) for name in (*_FUNCTIONS, *_SCALED, "Initializer")
}
# a string is one piece
_PIECE = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|->|.""", re.DOTALL)


def read_settings(text: str, start: int) -> tuple[Settings, int]:
    """The settings in the brackets that open at `start`, as (name, value), and where they end.
    Raises PatternError.
    """
    end = _closing(text, start)
    try:
        call = cast(ast.Call, ast.parse(f"f{text[start:end]}", mode="eval").body)
        pairs: list[tuple[str | None, ast.expr]] = [(None, node) for node in call.args]
        pairs += [(keyword.arg, keyword.value) for keyword in call.keywords]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise PatternError(
            "settings were expected as Python writes them: (padding=0, bias=False)", start
        ) from None
    found = []
    for name, node in pairs:
        try:
            found.append((name, _value(node)))
        except (TypeError, ValueError) as error:
            in_line = node.lineno == 1 and text[start:end].isascii()
            raise PatternError(
                f"{name or 'a setting'}={ast.unparse(node)}: {error}",
                start + node.col_offset - 1 if in_line else start,
            ) from None
    return tuple(found), end


def settings_text(settings: Iterable[tuple[str | None, Any]]) -> str:
    """(padding=0, bias=False), or nothing for none."""
    parts = [
        value_text(value) if name is None else f"{name}={value_text(value)}"
        for name, value in settings
    ]
    return f"({', '.join(parts)})" if parts else ""


def value_text(value: Any) -> str:
    """A value as `read_settings` reads it. Raises LayerError for one that it does not read."""
    if isinstance(value, Initializer):
        plain = [*_CONSTANTS, *(f"{name}()" for name in _FUNCTIONS), f'msra_normal("{value.fan}")']
        scaled = [f"{name}({value_text(value.scale)})" for name in _SCALED]
        given = [
            (f.name, getattr(value, f.name))
            for f in dataclasses.fields(value)[1:]
            if getattr(value, f.name) != f.default
        ]
        whole = f"Initializer{settings_text([(None, value.distribution), *given])}"
        return next(
            text
            for text in (*plain, *scaled, whole)
            if _value(ast.parse(text, mode="eval").body) == value
        )
    if isinstance(value, tuple):
        return f"({', '.join(map(value_text, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, float) and math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    if not (value is None or isinstance(value, int | float | str)) or value != value:
        raise LayerError(
            f"the setting {value!r} cannot be written; numbers, texts, tuples and initializers can"
        )
    return f'"{value}"' if isinstance(value, str) and value.isidentifier() else repr(value)


def _closing(text: str, start: int) -> int:
    """The end of the bracket that opens at `start`. Raises PatternError."""
    depth = 0
    for piece in _PIECE.finditer(text, start):
        if piece[0] in ("->", "[", "]"):
            break
        depth += (piece[0] == "(") - (piece[0] == ")")
        if depth == 0:
            return piece.end()
    raise PatternError("this ( is not closed", start, "write ) where it ends")


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=int() | float() | str() | None as constant):  # a bool is an int
            return constant
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Tuple(elts=parts):
            return tuple(map(_value, parts))
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if (
            name in _INITIALIZERS
        ):
            return _INITIALIZERS[name](
                *map(_value, args), **{k.arg: _value(k.value) for k in keywords if k.arg}
            )
    raise ValueError(
        f"a number, a word in quotes, a tuple or an initializer such as {', '.join(_INITIALIZERS)} "
        "was expected"
    )
