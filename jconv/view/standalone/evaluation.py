"""What a page's program computes, in NumPy: the file is checked where no browser is.

Each kind of operation is a function in KINDS of (settings, arrays, *inputs), inputs (N, *S, C), as
in browser/engine.js.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import InputError

Settings = dict[str, Any]
Arrays = dict[str, np.ndarray]


def evaluate(path: Path, images: np.ndarray) -> np.ndarray:
    """The scores (N, classes) that a page gives of pixels, (N, H, W, C) of 0 to 255. Raises
    InputError for a file that is no such page.
    """
    found = re.search(
        r'<script type="application/json" id="program">(.*?)</script>',
        path.read_text("utf-8"),
        re.S,
    )
    if not found:
        raise InputError(f"{path}: holds no program; a page that jconv wrote was expected")
    page = json.loads(found[1])
    numbers = np.frombuffer(base64.b64decode(page["numbers"]), "<f4").astype(np.float64)
    mean, std = (np.asarray(page["pixels"][name]) for name in ("mean", "std"))
    values = [(images / 255 - mean) / std]
    for operation in page["operations"]:
        arrays = {
            name: numbers[at : at + math.prod(shape)].reshape(shape)
            for name, (at, shape) in operation["arrays"].items()
        }
        inputs = (values[i] for i in operation["inputs"])
        y = KINDS[operation["kind"]](operation["settings"], arrays, *inputs)
        values.append(y.reshape(len(images), *operation["shape"]))
    return values[-1].reshape(len(images), -1).astype(np.float32)


def _windows(settings: Settings, x: np.ndarray, nothing: float = 0.0) -> np.ndarray:
    """What each window sees, (N, out, out, F, F, C); `nothing` where a table says -1."""
    x = x.reshape(len(x), *(1,) * (4 - x.ndim), *x.shape[1:])
    x = np.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)), constant_values=nothing)
    rows, columns = (
        np.reshape(settings[name]["at"], (-1, settings[name]["taps"]))
        for name in ("rows", "columns")
    )
    return x[:, rows[:, None, :, None], columns[None, :, None, :]]


def _conv(settings: Settings, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    seen, groups = _windows(settings, x), settings["groups"]
    seen = seen.reshape(*seen.shape[:-1], groups, -1)
    kernel = arrays["kernel"]
    kernel = kernel.reshape(*kernel.shape[:-1], groups, -1)
    y = np.einsum("nijfegc,fecgk->nijgk", seen, kernel)
    return y.reshape(*y.shape[:3], -1) + arrays.get("bias", 0.0)


def _local(settings: Settings, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    y = np.einsum("nijfec,ijfeck->nijk", _windows(settings, x), arrays["kernel"])
    return y + arrays.get("bias", 0.0)


def _rbf(settings: Settings, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    return -np.square(x[..., None] - arrays["codes"]).sum(axis=-2)


def _max(settings: Settings, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    return _windows(settings, x, -np.inf).max(axis=(3, 4))


def _average(settings: Settings, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    return _windows(settings, x).sum(axis=(3, 4)) / arrays["count"][..., None]


def _lp(settings: Settings, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    return (np.abs(_windows(settings, x)) ** settings["p"]).sum(axis=(3, 4)) ** (1 / settings["p"])


def _standardize(settings: Settings, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    positions = math.prod(x.shape[1:-1]) if settings["each_position"] else 1
    parts = x.reshape(len(x), positions, -1, settings["groups"], x.shape[-1] // settings["groups"])
    centred = parts - parts.mean(axis=(2, 4), keepdims=True) if settings["centred"] else parts
    variance = np.square(centred).mean(axis=(2, 4), keepdims=True)
    return (centred / np.sqrt(variance + settings["eps"])).reshape(x.shape)


def _respond(settings: Settings, x: np.ndarray, total: np.ndarray) -> np.ndarray:
    return x * (settings["k"] + settings["scale"] * total) ** -settings["beta"]


def _response(settings: Settings, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    ends = (*((0, 0),) * (x.ndim - 1), (settings["before"], settings["after"]))
    seen = np.lib.stride_tricks.sliding_window_view(
        np.pad(np.square(x), ends), settings["before"] + settings["after"] + 1, axis=-1
    )
    return _respond(settings, x, seen.sum(axis=-1))


def _response_within(settings: Settings, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    return _respond(settings, x, np.square(_windows(settings, x)).sum(axis=(3, 4)))


def _softmax(settings: Settings, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def _gelu(settings: Settings, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    if settings["approximate"]:
        return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return x / 2 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def _pad_channels(settings: Settings, arrays: Arrays, x: np.ndarray) -> np.ndarray:
    after = settings["channels"] - settings["before"] - x.shape[-1]
    return np.pad(x, (*((0, 0),) * (x.ndim - 1), (settings["before"], after)))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(-np.logaddexp(0, -x))


KINDS: dict[str, Callable[..., np.ndarray]] = {
    "conv": _conv,
    "local": _local,
    "rbf": _rbf,
    "max": _max,
    "average": _average,
    "lp": _lp,
    "scale": lambda s, a, x: x * a["scale"] + a["bias"],
    "standardize": _standardize,
    "response": _response,
    "response_within": _response_within,
    "relu": lambda s, a, x: np.maximum(x, 0),
    "leaky_relu": lambda s, a, x: np.where(x > 0, x, s["slope"] * x),
    "prelu": lambda s, a, x: np.where(x > 0, x, a["slope"] * x),
    "clip": lambda s, a, x: np.clip(x, s["least"], s["most"]),
    "elu": lambda s, a, x: np.where(x > 0, x, s["alpha"] * np.expm1(np.minimum(x, 0))),
    "gelu": _gelu,
    "silu": lambda s, a, x: x * _sigmoid(x),
    "sigmoid": lambda s, a, x: _sigmoid(x),
    "tanh": lambda s, a, x: s["scale"] * np.tanh(s["slope"] * x),
    "softplus": lambda s, a, x: np.logaddexp(0, s["beta"] * x) / s["beta"],
    "softmax": _softmax,
    "maxout": lambda s, a, x: x.reshape(*x.shape[:-1], -1, s["pieces"]).max(axis=-1),
    "pad_channels": _pad_channels,
    "same": lambda s, a, x: x,
    "sum": lambda s, a, *parts: np.sum(parts, axis=0),
    "concat": lambda s, a, *parts: np.concatenate(parts, axis=-1),
}
