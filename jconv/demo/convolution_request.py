"""What the page Convolution asks for, held against what fits on the page and what fits itself.

Every fault is an InputError that names the setting, what came and what was expected.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError, ShapeError
from ..geometry import Window, pool_window, window

Pair = tuple[int, int]

# the most that a page can show, per setting
MOST = {
    "input height": 12,
    "input width": 12,
    "input depth": 4,
    "window": 5,
    "filters": 4,
    "stride": 8,
    "padding": 4,
    "dilation": 4,
    "groups": 4,
    "pool size": 5,
    "pool stride": 8,
}
LARGEST = 1e6  # of any number: products of two are still told apart on the page


class Operands(NamedTuple):
    """x (H, W, C), kernel (F_h, F_w, C/groups, K), bias (K,)"""

    x: np.ndarray
    kernel: np.ndarray
    bias: np.ndarray


class Asked(NamedTuple):
    """A convolution with the gradient of its output, (H', W', K)."""

    operands: Operands
    window: Window
    groups: int
    gradient: np.ndarray


def asked(request: Any) -> Asked:
    """The convolution of a request. Raises InputError."""
    request = _mapping(request, "the request")
    x = _array(request, "input", ("input height", "input width", "input depth"))
    kernel = _array(request, "kernel", ("window", "window", "input depth", "filters"))
    bias = _array(request, "bias", ("filters",))
    groups = _whole(request.get("groups", 1), "groups")
    _check_channels(x, kernel, bias, groups)
    w = _window(request, x, kernel)
    dy = _gradient(request.get("gradient"), "gradient", (*w.out_sizes, kernel.shape[-1]))
    return Asked(Operands(x, kernel, bias), w, groups, dy)


def asked_pool(request: Any, in_shape: tuple[int, ...]) -> tuple[Window, np.ndarray] | str:
    """The window of a pool and the gradient of its output, or why it does not fit. Raises
    InputError.
    """
    request = _mapping(request, "pool")
    size = _pair(request.get("size", 2), "pool size")
    stride = _pair(request.get("stride", 2), "pool stride")
    try:
        w = pool_window(in_shape[:-1], size, stride, 0, "floor")
    except ShapeError as error:
        return f"{error}; {_misfit(in_shape[:-1], size, stride, (0, 0), (1, 1))}"
    return w, _gradient(request.get("gradient"), "pool gradient", (*w.out_sizes, in_shape[-1]))


def _window(request: Mapping[str, Any], x: np.ndarray, kernel: np.ndarray) -> Window:
    sizes, size = x.shape[:2], kernel.shape[:2]
    defaults = {"stride": 1, "padding": 0, "dilation": 1}
    stride, padding, dilation = (
        _pair(request.get(name, default), name) for name, default in defaults.items()
    )
    try:
        return window(sizes, size, stride=stride, padding=padding, dilation=dilation)
    except ShapeError as error:
        raise InputError(f"{error}; {_misfit(sizes, size, stride, padding, dilation)}") from None


def _misfit(sizes: tuple[int, ...], size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> str:
    """The formula of the first size that comes out below 1."""
    for n, f, s, p, d in zip(sizes, size, stride, padding, dilation, strict=True):
        extent = d * (f - 1) + 1
        if n + 2 * p < extent:
            exact = (n - extent + 2 * p) / s + 1
            return f"({n} - {extent} + 2*{p})/{s} + 1 = {exact:g} is below 1"
    return ""


def _check_channels(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, groups: int) -> None:
    (depth, features), channels = kernel.shape[2:], x.shape[-1]
    for what, n in (("input depth", channels), ("filters", features)):
        if n % groups:
            raise InputError(
                f"groups: {groups} came, which does not divide {what} {n}; use one of "
                f"{', '.join(str(g) for g in range(1, n + 1) if n % g == 0)}"
            )
    if depth * groups != channels:
        raise InputError(
            f"kernel: a depth of {depth} came for an input of depth {channels} in {groups} groups; "
            f"{channels}/{groups} = {channels // groups} was expected"
        )
    if len(bias) != features:
        raise InputError(f"bias: {len(bias)} numbers came, one per filter was expected, {features}")


def _gradient(given: Any, name: str, shape: tuple[int, ...]) -> np.ndarray:
    dy = np.ones(shape, np.float32) if given is None else _numbers(given, name)
    if dy.shape != shape:
        raise InputError(f"{name}: shape {dy.shape} came, that of the output, {shape}, is expected")
    return dy


def _array(request: Mapping[str, Any], name: str, axes: tuple[str, ...]) -> np.ndarray:
    """An array of the request whose axes are within MOST."""
    if name not in request:
        raise InputError(f"{name}: missing; nested lists of numbers were expected")
    array = _numbers(request[name], name)
    if array.ndim != len(axes):
        raise InputError(f"{name}: {array.ndim} axes came, {len(axes)} were expected")
    for what, n in zip(axes, array.shape, strict=True):
        _whole(n, what)
    return array


def _mapping(given: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InputError(f"{name}: {given!r:.40} came, an object of settings was expected")
    return given


def _numbers(given: Any, name: str) -> np.ndarray:
    try:
        array = np.asarray(given, np.float32)
    except (ValueError, TypeError, OverflowError):
        raise InputError(f"{name}: nested lists of numbers, all of one length, expected") from None
    if not (np.abs(array) <= LARGEST).all():
        raise InputError(f"{name}: a number is beyond {LARGEST:,.0f} or none at all; change it")
    return array


def _pair(given: Any, name: str) -> Pair:
    """A setting for both axes, from one whole number or two."""
    both = given if isinstance(given, list | tuple) else (given, given)
    if len(both) != 2:
        raise InputError(f"{name}: {len(both)} numbers came, one or two (height, width) expected")
    return _whole(both[0], name), _whole(both[1], name)


def _whole(given: Any, name: str) -> int:
    least = 0 if name == "padding" else 1
    whole = isinstance(given, int | float) and math.isfinite(given) and given == int(given)
    if not whole or isinstance(given, bool) or not least <= given <= MOST[name]:
        raise InputError(
            f"{name}: {given!r:.40} came, a whole number from {least} to {MOST[name]} was expected"
        )
    return int(given)
