"""Nets that are no names of the zoo: a pattern, or a function in a file of one's own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from jconv import InputError, Layer, pattern
from jconv.data.pixels import PixelScale, as_pixel_scale
from jconv.edit.head import with_classes
from jconv.errors import near
from jconv.geometry import Shape, as_shape
from jconv.grammar import input_shape
from jconv.layers import Dense

if TYPE_CHECKING:
    from jconv.weights import Weights


# of the files that say what net they are of
HOLD_NETS = (".safetensors", ".prototxt", ".caffemodel", ".onnx", ".json")


def is_pattern(model: str) -> bool:
    """Whether a text is meant as a pattern: it has an arrow, or begins with INPUT."""
    return "->" in model or model.lstrip(" [").upper().startswith("INPUT")


def is_file(model: str) -> bool:
    """Whether a text is meant as FILE.py:FUNCTION."""
    return model.endswith(".py") or ".py:" in model


def is_weights(model: str) -> bool:
    """Whether a text is meant as a file that holds a net, with weights or without."""
    return not is_pattern(model) and Path(model).suffix in HOLD_NETS


def from_weights(model: str, classes: int | None) -> tuple[Layer, Shape]:
    """The net of a file of weights, and the shape of its images; its heads for `classes`."""
    weights = _weights(model)
    net = weights.net
    if classes is not None and classes != net.out_shape(weights.in_shape)[-1]:
        net = with_classes(net, classes)
    return net, weights.in_shape


def absolute(model: str) -> str:
    """The same model as it is called from another folder."""
    if is_weights(model):
        return str(Path(model).absolute())
    if not is_file(model) or is_pattern(model):
        return model
    file, _, name = model.rpartition(":") if ".py:" in model else (model, "", "")
    return f"{Path(file).absolute()}:{name}"


def from_pattern(text: str, classes: int | None) -> tuple[Layer, Shape]:
    """The net of a pattern, and the shape that its INPUT gives, () for none. `classes` are the
    features of its last FC.
    """
    net = pattern(text)
    name, last = net.layers[-1]
    if classes is not None and isinstance(last, Dense) and last.features != classes:
        net = net.with_children({name: Dense(**{**vars(last), "features": classes})})
    return net, input_shape(text)


def from_file(model: str, arguments: dict[str, Any]) -> tuple[Layer, Shape]:
    """The net that FILE.py:FUNCTION gives, and INPUT of that file, the shape of one example, or ()
    where it has none.

    Of `arguments`, such as `classes`, the function gets those that it takes.
    """
    function, module = _function(model)
    try:
        taken = signature(function).parameters
        net = function(**{name: value for name, value in arguments.items() if name in taken})
    except Exception as error:  # whatever a stranger's function raises
        raise InputError(f"{model}: {type(error).__name__}: {error}") from error
    if not isinstance(net, Layer):
        raise InputError(
            f"{model}: returns {type(net).__name__}, a net was expected, such as Sequential(...)"
        )
    in_shape = getattr(module, "INPUT", ())
    return net, as_shape(in_shape, f"{model}: INPUT") if in_shape != () else ()


def _weights(model: str) -> Weights:
    path = Path(model)
    return _read(model, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=1)
def _read(model: str, changed: int) -> Weights:
    """Read once for a net and its pixel scale, and again where the file has `changed`."""
    from jconv.weights import read_weights  # it needs further libraries

    return read_weights(model).weights


def pixel_scale(model: str) -> PixelScale | None:
    """The scale of a file of weights, or PIXELS of the file of a model FILE.py:FUNCTION, a
    PixelScale or (mean, std); None where it has none. Raises InputError.
    """
    if is_weights(model):
        return _weights(model).pixels
    found = getattr(_function(model)[1], "PIXELS", None)
    if found is None:
        return None
    try:
        mean, std = found
        return as_pixel_scale(mean, std)
    except InputError as error:
        raise InputError(f"{model}: PIXELS: {error}") from None
    except (TypeError, ValueError):
        raise InputError(
            f"{model}: PIXELS={found!r}, PixelScale(mean, std), two tuples of numbers, was expected"
        ) from None


def own_layers(model: str) -> list[type[Layer]]:
    """The classes of layers in the file of a model FILE.py:FUNCTION; none for other models. For
    `load_weights(path, own=...)`.
    """
    if not is_file(model) or is_pattern(model):
        return []
    classes = vars(_function(model)[1]).values()
    return [
        c
        for c in classes
        if isinstance(c, type) and issubclass(c, Layer) and not c.__module__.startswith("jconv.")
    ]


def load_run(folder: Path) -> Weights:
    """The weights of a finished training, by the layers of the file that its net is from, where it
    is. Raises InputError.
    """
    from jconv.train.run import open_run, read_config  # these need further libraries
    from jconv.weights import load_weights

    if not (folder / "config.json").exists() and (folder / "weights.safetensors").is_file():
        return load_weights(folder / "weights.safetensors")  # what `jconv demo` leaves
    run = open_run(folder, "weights.safetensors")
    with suppress(InputError):  # what is wrong with the rest of the folder does not matter here
        return load_weights(run.weights, own_layers(read_config(run)[0].model))
    return load_weights(run.weights)


def _function(model: str) -> tuple[Callable[..., Any], ModuleType]:
    file, _, name = model.rpartition(":") if ".py:" in model else (model, "", "")
    path = Path(file)
    if not path.is_file():
        raise InputError(f"{file}: there is no such file")
    module = _imported(path.absolute())
    functions = [
        n
        for n, f in vars(module).items()
        if callable(f) and getattr(f, "__module__", "") == module.__name__ and n[0] != "_"
    ]
    functions = [n for n in functions if not isinstance(getattr(module, n), type)]
    if not name:
        raise InputError(
            f"{file}: say which function makes the net: "
            f"{file}:{functions[0] if functions else 'FUNCTION'}"
        )
    if not callable(function := getattr(module, name, None)):
        raise InputError(
            f"{file}: has no function {name!r}; {near(name, functions) or 'it has none'}"
        )
    return function, module


@lru_cache
def _imported(path: Path) -> ModuleType:
    name = f"jconv_model_{path.stem}_{sha256(str(path).encode()).hexdigest()[:8]}"
    spec = spec_from_file_location(name, path)
    assert spec and spec.loader
    module = module_from_spec(spec)
    sys.modules[name] = module  # where dataclasses look for the module of a class
    sys.path.insert(0, str(path.parent))  # its neighbours
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a stranger's file raises
        del sys.modules[name]
        line = _line(error, path)
        raise InputError(f"{path}{line}: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module


def _line(error: Exception, path: Path) -> str:
    """ "Such as ", line 3": of that file, the innermost that the error went through."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno}"
    lines, trace = [], error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == str(path):
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return f", line {lines[-1]}" if lines else ""
