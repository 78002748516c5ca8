"""Every layer of a net that was read, against the framework that its file is of: the first that
differs, and which convention would explain it.

A framework gives Steps: of each layer what it takes and what it makes, in its own arithmetic from
its own file. ONNX has an evaluator of its own; PyTorch's arrays are run by its functions, in the
order of the net here, as a file of arrays has no program.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from ..analysis import activations
from ..compose import Following, Placeholder, walk
from ..compose.containers import side_by_side, summed
from ..errors import InputError, LayerError, located
from ..geometry import Shape
from ..layer import Layer
from ..layers import (
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    DropPath,
    Flatten,
    GlobalAvgPool,
    Identity,
    LeakyRelu,
    LocalResponseNorm,
    MaxPool,
    PadChannels,
    PRelu,
    Relu,
    Scale,
    Sigmoid,
    Tanh,
)
from .layout import Order, flattened, reordered
from .native import Weights
from .orders import input_orders, order_after
from .reading import Reading
from .tensors import read_tensors

CLOSE = 1e-4  # of a layer's largest value: what rounding in another order comes to


class Step(NamedTuple):
    """One layer in the source's arithmetic; channels last, rows in our order."""

    path: str
    x: np.ndarray
    y: np.ndarray


class Comparison(NamedTuple):
    rows: tuple[tuple[str, float], ...]  # of each layer how far, as a share of its largest value
    first: str | None = None  # the first layer that differs
    words: str = ""  # what is to be said of it


def compare(weights: Weights, steps: Iterator[Step], images: np.ndarray) -> Comparison:
    """Each step against what the net makes of the images (N, H, W, C), scaled."""
    ours = activations(weights.net, weights.params, weights.state, jnp.asarray(images))
    layers = {visit.path: visit.layer for visit in walk(weights.net, weights.in_shape)}
    rows: list[tuple[str, float]] = []
    for step in steps:
        if step.path not in ours:
            continue
        here = np.asarray(ours[step.path])
        if here.shape != step.y.shape:
            words = f"gives {step.y.shape} there, {here.shape} here" + _explained(
                layers[step.path], weights, step
            )
            return Comparison(tuple(rows), step.path, words)
        rows.append((step.path, _apart(here, step.y)))
        if not rows[-1][1] < CLOSE:
            words = f"differs by {rows[-1][1]:.1e} of its largest value"
            return Comparison(
                tuple(rows), step.path, words + _explained(layers[step.path], weights, step)
            )
    return Comparison(tuple(rows))


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).max() / max(float(np.abs(b).max()), 1e-30))


def _explained(layer: Any, weights: Weights, step: Step) -> str:
    """Which convention, changed, gives what the source gives from its own input; "" for none."""
    params = _inside(weights.params, step.path)
    state = _inside(weights.state, step.path)
    for words, other, changed in _otherwise(layer, params, step):
        try:
            y, _ = other.apply(changed, state, jnp.asarray(step.x))
        except (LayerError, ValueError, TypeError):
            continue
        if y.shape == step.y.shape and _apart(np.asarray(y), step.y) < CLOSE:
            return f"; {words} would explain it"
    return ""


def _inside(tree: Any, path: str) -> Any:
    for name in path.split("/"):
        tree = tree.get(name, {})
    return tree


def _otherwise(layer: Any, params: Any, step: Step) -> Iterator[tuple[str, Layer, Any]]:
    """The layer by other conventions, and its arrays."""
    yield "what comes before it, as from there it is right", layer, params
    kernel = params.get("kernel")
    if isinstance(layer, Conv) and kernel is not None:
        for words, other in (
            ("true convolution, a flipped kernel,", kernel[::-1, ::-1]),
            ("height and width of the kernel exchanged", kernel.swapaxes(0, 1)),
            ("colours as blue, green, red", kernel[..., ::-1, :]),
        ):
            yield words, layer, {**params, "kernel": other}
    if isinstance(layer, Dense) and kernel is not None:
        for shape in _squares(step.x.shape[-1]):
            order = flattened(shape)
            back = np.argsort(order) if order is not None else slice(None)
            for words, places in (("(C, H, W)", order), ("(H, W, C)", back)):
                if places is not None:
                    yield (
                        f"{words} order of the inputs, from {shape},",
                        layer,
                        {**params, "kernel": kernel[places]},
                    )
    if isinstance(layer, BatchNorm):
        for eps in (1e-5, 1e-3, 1e-6, 2e-5):
            yield f"eps {eps:g}", dataclasses.replace(layer, eps=eps), params
    if isinstance(layer, (MaxPool, AvgPool)):
        other = "floor" if layer.rounding == "ceil" else "ceil"
        yield f"rounding {other}", dataclasses.replace(layer, rounding=other), params
    if isinstance(layer, AvgPool):
        counted = not layer.count_padding
        words = "padding counted in averages" if counted else "padding left out of averages"
        yield words, dataclasses.replace(layer, count_padding=counted), params


def _squares(features: int) -> list[Shape]:
    """The square images that flatten to so many features."""
    return [(n, n, features // n**2) for n in range(2, 65) if features % n**2 == 0]


def onnx_steps(path: Path, reading: Reading, images: np.ndarray) -> Iterator[Step]:
    """Every layer by ONNX's own evaluator."""
    import onnx

    from .onnx.evaluation import evaluate

    model = onnx.load(path)
    wanted = sorted({name for pair in reading.values.values() for name in pair})
    source = next(iter(reading.values.values()))[0]
    names = [name for name in wanted if name != source]
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    x = np.moveaxis(images, -1, 1)
    found = dict(zip(names, evaluate(model, x), strict=True)) | {source: x}
    shapes = {v.path: v for v in walk(reading.weights.net, reading.weights.in_shape)}
    orders = input_orders(reading.weights.net, reading.weights.in_shape)
    for path_, (taken, made) in reading.values.items():
        visit = shapes.get(path_)
        if visit is not None:
            after = order_after(visit.layer, visit.in_shape, orders[path_])
            x = _ours(found[taken], visit.in_shape, orders[path_])
            yield Step(path_, x, _ours(found[made], visit.out_shape, after))


def _ours(value: np.ndarray, shape: Shape, order: Order) -> np.ndarray:
    """A value of theirs as ours: channels last, and one position alone as a row."""
    if value.ndim == len(shape) + 1:
        return reordered(np.moveaxis(value, 1, -1).T, order).T
    return value.reshape(len(value), *shape)


class _Tensor(Placeholder):
    def __init__(self, shape: Shape, value: Any):
        super().__init__(shape)
        self.value = value


@dataclass
class _Running(Following):
    """Follows a net with PyTorch's tensors, by its functions and the arrays of the file."""

    arrays: dict[str, dict[str, Any]] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    train = False

    def leaf(self, path: str, layer: Layer, x: _Tensor) -> _Tensor:
        run = TORCH.get(type(layer))
        if run is None:
            raise InputError(f"{path}: a {type(layer).__name__} is not compared with PyTorch's")
        shape = located(path, layer.out_shape, x.shape)
        y = run(layer, self.arrays.get(path, {}), x.value)
        order = self.orders[path]
        after = order_after(layer, x.shape, order)
        self.steps.append(Step(path, _from(x.value, order), _from(y, after)))
        return _Tensor(shape, y)

    def join(self, f, *parts, shapes=None, pointwise=False, in_place=False) -> _Tensor:
        torch = _torch()
        values = [part.value for part in parts]
        if f is summed:
            return _Tensor(parts[0].shape, sum(values[1:], values[0]))
        if f is side_by_side:
            return _Tensor(self.joined(f, shapes, parts), torch.cat(values, 1))
        raise InputError(f"{self.path}: its parts are joined by what is not compared")

    def record(self, name: str, y: Any) -> None:
        pass


def _torch() -> Any:
    """PyTorch, which need not be installed. Raises InputError."""
    try:
        return import_module("torch")
    except ModuleNotFoundError:
        raise InputError("torch is needed to compare with and is not installed") from None


def torch_steps(path: Path, reading: Reading, images: np.ndarray) -> Iterator[Step]:
    """Every layer by PyTorch's functions, from the arrays as they lie in the file."""
    torch = _torch()
    stored = read_tensors(path).arrays
    arrays: dict[str, dict[str, Any]] = {}
    for origin in reading.origins:
        layer, _, _ = origin.path.rpartition("/")
        leaf = origin.source.rpartition(".")[2]
        array = np.array(stored[origin.source].read(), np.float32)  # a copy: torch wants to write
        arrays.setdefault(layer, {})[leaf] = torch.from_numpy(array)
    x = torch.from_numpy(np.array(np.moveaxis(images, -1, 1), order="C"))
    weights = reading.weights
    running = _Running(arrays=arrays, orders=input_orders(weights.net, weights.in_shape))
    with torch.no_grad():
        running.follow("", weights.net, _Tensor(weights.in_shape, x))
    return iter(running.steps)


def _from(value: Any, order: Order) -> np.ndarray:
    """A tensor of theirs as ours."""
    return reordered(np.moveaxis(value.numpy(), 1, -1).T, order).T


def _padded(layer: Any, x: Any, fill: float) -> Any:
    torch = _torch()
    over = layer.over((*x.shape[2:], x.shape[1]))
    pads = [side for pair in reversed(over.pads) for side in pair]
    return torch.nn.functional.pad(x, pads, value=fill), over


def _torch_conv(layer: Any, arrays: Any, x: Any) -> Any:
    torch = _torch()
    x, over = _padded(layer, x, 0.0)
    settings = (over.stride, 0, over.dilation, layer.groups)
    return torch.nn.functional.conv2d(x, arrays["weight"], arrays.get("bias"), *settings)


def _torch_norm(layer: Any, arrays: Any, x: Any) -> Any:
    torch = _torch()
    stats = arrays["running_mean"], arrays["running_var"]
    affine = arrays.get("weight"), arrays.get("bias")
    return torch.nn.functional.batch_norm(x, *stats, *affine, eps=layer.eps)


def _torch_max(layer: Any, _: Any, x: Any) -> Any:
    torch = _torch()
    x, over = _padded(layer, x, float("-inf"))
    return torch.nn.functional.max_pool2d(x, over.size, over.stride, 0, over.dilation)


def _torch_mean(layer: Any, _: Any, x: Any) -> Any:
    torch = _torch()
    over, ceil = layer.over((*x.shape[2:], x.shape[1])), layer.rounding == "ceil"
    pads = [lo for lo, _ in over.padding]
    f = torch.nn.functional.avg_pool2d
    return f(x, over.size, over.stride, pads, ceil, layer.count_padding)


def _torch_dense(_: Any, arrays: Any, x: Any) -> Any:
    torch = _torch()
    weight = arrays["weight"].reshape(arrays["weight"].shape[:2])
    return torch.nn.functional.linear(x, weight, arrays.get("bias"))


def _torch_lrn(layer: Any, _: Any, x: Any) -> Any:
    torch = _torch()
    k = 1.0 if layer.k is None else layer.k
    return torch.nn.functional.local_response_norm(x, layer.size, layer.alpha, layer.beta, k)


def _torch_prelu(_: Any, arrays: Any, x: Any) -> Any:
    torch = _torch()
    return torch.nn.functional.prelu(x, arrays["weight"])


def _torch_scale(_: Any, arrays: Any, x: Any) -> Any:
    shape = (1, -1, *(1,) * (x.ndim - 2))
    y = x * arrays["weight"].reshape(shape) if "weight" in arrays else x
    return y + arrays["bias"].reshape(shape) if "bias" in arrays else y


def _torch_channels(layer: Any, _: Any, x: Any) -> Any:
    torch = _torch()
    after = layer.channels - layer.before - x.shape[1]
    return torch.nn.functional.pad(x, [0, 0] * (x.ndim - 2) + [layer.before, after])


def _torch_leaky(layer: Any, _: Any, x: Any) -> Any:
    torch = _torch()
    return torch.nn.functional.leaky_relu(x, layer.slope)


def _as_it_is(_: Any, __: Any, x: Any) -> Any:
    return x


TORCH: dict[type[Layer], Callable[[Any, Any, Any], Any]] = {
    Conv: _torch_conv,
    Dense: _torch_dense,
    BatchNorm: _torch_norm,
    MaxPool: _torch_max,
    AvgPool: _torch_mean,
    LocalResponseNorm: _torch_lrn,
    PRelu: _torch_prelu,
    Scale: _torch_scale,
    PadChannels: _torch_channels,
    LeakyRelu: _torch_leaky,
    GlobalAvgPool: lambda _, __, x: x.flatten(2).mean(2),
    Flatten: lambda _, __, x: x.flatten(1),
    Relu: lambda _, __, x: x.relu(),
    Sigmoid: lambda _, __, x: x.sigmoid(),
    Tanh: lambda layer, _, x: layer.scale * (layer.slope * x).tanh(),
    Identity: _as_it_is,
    Dropout: _as_it_is,
    DropPath: _as_it_is,
}
STEPS: dict[str, Callable[[Path, Reading, np.ndarray], Iterator[Step]]] = {
    "PyTorch": torch_steps,
    "ONNX": onnx_steps,
}
