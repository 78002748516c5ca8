"""What a page shows of each layer: once what it is, and again and again what passes through it, as
maps of one signed byte a value.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..analysis.measure import parameters_of
from ..analysis.recording import Backward
from ..compose import Visit, walk
from ..geometry import Shape, volume
from ..layer import Layer, Parameter, Params
from ..layers import AvgPool, Conv, Dense, LpPool, MaxPool

Row = dict[str, Any]  # of JSON
MOST_LAYERS = 60  # those that are shown of a net
MOST_MAPS = 64  # of a layer
MOST_SIDE = 64  # pixels a side of a map; of a larger one every second, third, ... is shown
MOST_VALUES = 2**15  # of a layer's maps


def layer_rows(net: Layer, in_shape: Shape) -> list[Row]:
    """One row per layer: its path, kind, shape and settings in words, and its parameters as a
    product.
    """
    return [
        {
            "path": visit.name,
            "kind": type(visit.layer).__name__,
            "shape": "×".join(map(str, visit.out_shape)),
            "settings": settings_in_words(visit.layer, visit.in_shape),
            "parameters": parameters_in_words(visit),
            "sizes": map_sizes(visit),
        }
        for visit in shown(net, in_shape)
    ]


def shown(net: Layer, in_shape: Shape) -> list[Visit]:
    return list(walk(net, in_shape))[:MOST_LAYERS]


def map_sizes(visit: Visit) -> Row:
    """How large the maps of `layer_maps` will be, so that a page can leave room for them."""
    maps = as_maps(np.zeros(visit.out_shape, np.float32))
    found = {"activations": maps, "gradients": maps}
    kernel = visit.layer.parameters(visit.in_shape).get("kernel")
    if kernel is not None and isinstance(visit.layer, (Conv, Dense)):
        filters = as_filters(np.zeros(kernel.shape, np.float32))
        found |= {"weights": filters, "weight_gradients": filters}
    size = lambda maps: {name: maps[name] for name in ("shown", "height", "width")}
    return {name: size(maps) for name, maps in found.items()}


def settings_in_words(layer: Layer, in_shape: Shape) -> str:
    """Such as "filters 5×5×3, stride 1, padding 2"; "" for layers of other kinds."""
    over = layer.over(in_shape) if isinstance(layer, (Conv, MaxPool, AvgPool, LpPool)) else None
    if over is None:
        return ""
    size, stride = ("×".join(map(str, one)) for one in (over.size, over.stride))
    same = len(set(over.stride)) == 1
    words = [f"filters {size}×{in_shape[-1] // layer.groups}"] if isinstance(layer, Conv) else []
    words = words or [f"windows {size}"]
    words.append(f"stride {over.stride[0] if same else stride}")
    pads = {pad for pair in over.padding for pad in pair}
    if pads != {0}:
        words.append(f"padding {'/'.join(map(str, sorted(pads)))}")
    if set(over.dilation) != {1}:
        words.append(f"dilation {'×'.join(map(str, over.dilation))}")
    return ", ".join(words)


def parameters_in_words(visit: Visit) -> str:
    """Such as "16×5×5×3 + 16 = 1,216", filters first; "" for a layer without any."""
    total = parameters_of(visit.layer, visit.in_shape)[0]
    if not total:
        return ""
    parts = [_product(p) for p in visit.layer.parameters(visit.in_shape).values()]
    whole = f"{' + '.join(parts)} = {total:,}"
    return whole if any("×" in part or len(parts) > 1 for part in parts) else f"{total:,}"


def _product(p: Parameter) -> str:
    *rest, features = p.shape if p.shape else (1,)
    return "×".join(map(str, (features, *rest)))


def layer_maps(net: Layer, in_shape: Shape, params: Params, seen: Backward) -> list[Row]:
    """What passes through each layer of `layer_rows`: its output, the gradient by it, its weights
    and the gradient by them, those that there are.
    """
    rows = []
    for visit in shown(net, in_shape):
        row: Row = {}
        if visit.name in seen.activations:
            row["activations"] = as_maps(np.asarray(seen.activations[visit.name][0]))
            row["gradients"] = as_maps(np.asarray(seen.gradients[visit.name][0]))
        for name, tree in (("weights", params), ("weight_gradients", seen.params)):
            kernel = leaf(tree, visit.path).get("kernel")
            if kernel is not None and isinstance(visit.layer, (Conv, Dense)):
                row[name] = as_filters(np.asarray(kernel))
        rows.append(row)
    return rows


def leaf(tree: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The arrays at a path; none where a layer has none."""
    for name in path.split("/") if path else ():
        tree = tree.get(name, {})
    return tree


def as_maps(values: np.ndarray) -> Row:
    """An example's output, (H, W, C) or (features,), as C maps, or features of one pixel each."""
    if values.ndim == 1:
        maps = values[:, None, None]
    else:
        rows = values.reshape(values.shape[0], -1, values.shape[-1])  # (H, W, C)
        maps = rows.transpose(2, 0, 1)
    return packed(maps)


def as_filters(kernel: np.ndarray) -> Row:
    """A kernel (F, F, in, out) as `out` colour images where 3 channels come in, else as out·in
    maps; a matrix (in, out) as one map with a row for each output.
    """
    if kernel.ndim == 2:
        return packed(kernel.T[None])
    if kernel.ndim == 4 and kernel.shape[2] == 3:
        filters = np.nan_to_num(kernel.transpose(3, 0, 1, 2)[:MOST_MAPS])
        largest = _largest(filters)
        colours = np.rint(127.5 + 127.5 * (filters / (largest or 1))).astype(np.uint8)
        whole = {"count": kernel.shape[3], "min": _low(kernel), "max": _high(kernel)}
        return _described(filters[..., 0], largest, colours, True) | whole
    size = kernel.shape[:2] if kernel.ndim > 2 else (1, kernel.shape[0])
    return packed(
        kernel.reshape(*size, -1, kernel.shape[-1]).transpose(3, 2, 0, 1).reshape(-1, *size)
    )


def packed(maps: np.ndarray) -> Row:
    """(count, H, W) as bytes: 127 is the largest magnitude. At most MOST_MAPS of them, MOST_SIDE
    pixels a side and MOST_VALUES in all; `count` says how many there are.
    """
    count, low, high = len(maps), _low(maps), _high(maps)
    step = max(1, -(-max(maps.shape[1:]) // MOST_SIDE)) if maps.shape[0] > 1 else 1
    kept = maps[:MOST_MAPS, ::step, ::step]
    kept = kept[: max(1, MOST_VALUES // max(1, volume(kept.shape[1:])))]
    if kept[0].size > MOST_VALUES:  # a matrix of many inputs
        kept = kept[:, :, : max(1, MOST_VALUES // kept.shape[1])]
    largest = _largest(kept)
    values = np.rint(np.nan_to_num(kept) * (127 / largest if largest else 0)).astype(np.int8)
    return _described(kept, largest, values, False) | {"count": count, "min": low, "max": high}


def as_image(image: np.ndarray) -> Row:
    """An image (H, W, 1 or 3) uint8 as bytes of red, green and blue."""
    step = max(1, -(-max(image.shape[:2]) // MOST_SIDE))
    small = np.broadcast_to(image[::step, ::step], (*image[::step, ::step].shape[:2], 3))
    data = b64encode(np.ascontiguousarray(small).tobytes()).decode()
    return {"height": small.shape[0], "width": small.shape[1], "data": data}


def as_gradient(gradient: np.ndarray) -> Row:
    """The gradient by an image (H, W, C), in colour where it has three channels."""
    return as_filters(gradient[..., None]) if gradient.shape[-1] == 3 else as_maps(gradient)


def input_sizes(in_shape: Shape) -> Row:
    """How large the picture of an image and of its gradient will be."""
    gradient = as_gradient(np.zeros(in_shape, np.float32))
    return {name: gradient[name] for name in ("shown", "height", "width")}


def _described(maps: np.ndarray, largest: float, values: np.ndarray, colour: bool) -> Row:
    shown, height, width = maps.shape
    data = b64encode(np.ascontiguousarray(values).tobytes()).decode()
    size = {"shown": shown, "height": height, "width": width}
    return size | {"largest": largest, "colour": colour, "data": data}


def _largest(values: np.ndarray) -> float:
    return float(np.abs(np.nan_to_num(values)).max(initial=0))


def _low(values: np.ndarray) -> float | None:
    return _finite(values.min(initial=np.inf))


def _high(values: np.ndarray) -> float | None:
    return _finite(values.max(initial=-np.inf))


def _finite(value: Any) -> float | None:
    """A number as JSON has it; None for what is none."""
    return float(value) if np.isfinite(value) else None
