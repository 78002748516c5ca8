"""Weights from a file of any format that is known, told by how the file begins, or by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from safetensors import SafetensorError, safe_open

from ..errors import InputError
from ..geometry import Shape
from ..layer import Layer
from .convnetjs import read_convnetjs
from .matching import read_torch
from .native import load_weights
from .reading import Origin, Reading
from .tensors import is_safetensors, read_tensors

FORMATS = (
    "jconv's and PyTorch's .safetensors, PyTorch's .pth, .pt and .th, Caffe's .caffemodel and "
    ".prototxt, ONNX's .onnx, ConvNetJS's .json"
)


class About(NamedTuple):
    """What a file may leave open."""

    net: Layer | None = None  # of which the arrays are
    in_shape: Shape = ()
    definition: Path | None = None  # a .prototxt, of a .caffemodel
    channels: str = "bgr"  # the order of colours that a net of Caffe was given
    modules: Mapping[str, str] = {}  # of modules of PyTorch's the layer that they are
    own: Sequence[type[Layer]] = ()  # layer classes that are not jconv's


NOTHING = About()


def read_weights(path: Path | str, about: About = NOTHING) -> Reading:
    """The net and its arrays that a file holds, and where each came from.

    Raises InputError naming the file, and what of it is missing, damaged or unknown.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path}: is a folder; a file of weights was expected")
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    return FORMAT_OF[format_of(path)](path, about)


def format_of(path: Path) -> str:
    """The name of a file's format. Raises InputError for none that is known."""
    with path.open("rb") as file:
        begin = file.read(16)
    if not begin:
        raise InputError(f"{path}: is empty")
    if is_safetensors(path):
        return "jconv" if _is_ours(path) else "PyTorch"
    if path.suffix in (".caffemodel", ".prototxt"):
        return "Caffe"
    if path.suffix == ".onnx":
        return "ONNX"
    if begin.lstrip()[:1] == b"{":
        return "ConvNetJS"
    if begin[:4] == b"PK\x03\x04" or begin[:1] == b"\x80":
        return "PyTorch"
    if path.suffix == ".safetensors":
        return "PyTorch"  # whose reader says what is wrong with it
    raise InputError(f"{path}: begins like no file of weights that is known: {FORMATS}")


def _is_ours(path: Path) -> bool:
    try:
        with safe_open(path, framework="np") as file:
            return "jconv" in (file.metadata() or {})
    except SafetensorError:
        return False


def _ours(path: Path, about: About) -> Reading:
    weights = load_weights(path, about.own)
    origins = [
        Origin(f"{path}/{leaf}", array.shape, f"{what}/{path}/{leaf}", array.shape, "")
        for what, tree in (("params", weights.params), ("state", weights.state))
        for path, leaf, array in _leaves(tree)
    ]
    return Reading(weights, tuple(origins), (), "jconv")


def _leaves(tree: Mapping[str, Any], path: str = "") -> list[tuple[str, str, Any]]:
    found = []
    for name, branch in tree.items():
        if isinstance(branch, dict):
            found += _leaves(branch, f"{path}/{name}" if path else name)
        else:
            found.append((path, name, branch))
    return found


def _torch(path: Path, about: About) -> Reading:
    tensors = read_tensors(path)
    if about.net is None:
        raise InputError(
            f"{path}: holds arrays and says nothing of a net; give the one that they are of: "
            "net=MODEL"
        )
    return read_torch(tensors, about.net, about.in_shape, about.modules)


def _caffe(path: Path, about: About) -> Reading:
    read_caffe = _needing("caffe", "protobuf")
    if path.suffix == ".prototxt":
        model, definition = None, path
    else:
        model, definition = path, about.definition
    return read_caffe(model, definition, in_shape=about.in_shape, channels=about.channels)


def _onnx(path: Path, about: About) -> Reading:
    return _needing("onnx", "onnx")(path, about.in_shape)


def _needing(room: str, package: str) -> Callable[..., Reading]:
    """The reader of a format that needs a package of its own."""
    try:
        return getattr(import_module(f".{room}", __package__), f"read_{room}")
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("jconv"):
            raise
        raise InputError(
            f"{package} is needed to read this and is not installed: pip install 'jconv[weights]'"
        ) from None


FORMAT_OF: dict[str, Callable[[Path, About], Reading]] = {
    "jconv": _ours,
    "PyTorch": _torch,
    "Caffe": _caffe,
    "ONNX": _onnx,
    "ConvNetJS": lambda path, about: read_convnetjs(path),
}
