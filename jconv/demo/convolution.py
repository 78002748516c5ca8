"""What the page Convolution steps through: one small convolution with every number on the way, and
max pooling of the same input.

All values are jconv's own: `ops.conv` and its gradients by jax.vjp, `ops.im2col`, `ops.max_pool`
and its switches. Arrays are nested lists in the order of jconv, channels last.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..geometry import Window
from ..ops import conv, im2col, max_pool, switch_index, switches
from .convolution_request import Operands, asked, asked_pool


def computed(request: Any) -> dict[str, Any]:
    """All that the page shows of a convolution and of a max pool.

    The request: `input` (H, W, C), `kernel` (F_h, F_w, C/groups, K), `bias` (K,), `gradient` of the
    output (H', W', K), ones by default; `stride`, `padding`, `dilation` (1 is dense), each an int
    or one per axis; `groups`; `pool` with `size`, `stride` and `gradient`.

    The result: `output`, `sizes` (how each size comes about), `windows` (the corner of each window
    in the padded input), `unused` (what no window reaches at the far side), `columns` and `rows` of
    every group (W_row @ X_col + bias is the output), `backward` and `pool`. A pool that does not
    fit is {"error": text} there. Raises InputError for anything else that is wrong.
    """
    given, w, groups, dy = asked(request)
    x, kernel, _ = given
    y, dx, dk, db, cols = map(np.asarray, _run(given, dy, window=w, groups=groups))
    features = kernel.shape[-1] // groups
    # (F, F, C/groups, groups, K/groups) -> (groups, K/groups, F*F*C/groups)
    rows = kernel.reshape(-1, groups, features).transpose(1, 2, 0)
    return {
        "sizes": [size_text(w, axis) for axis in (0, 1)],
        "windows": _corners(w),
        "unused": list(w.unused),
        "padded": np.pad(x, [*w.padding, (0, 0)]).tolist(),
        "output": y.tolist(),
        "columns": cols.tolist(),
        "rows": rows.tolist(),
        "backward": {
            **_backward_volumes(kernel, dy, w, groups),
            "input_gradient": dx.tolist(),
            "kernel_gradient": dk.tolist(),
            "bias_gradient": db.tolist(),
        },
        "pool": _pooled(request.get("pool", {}), x),
    }


def size_text(w: Window, axis: int) -> str:
    """(W - F + 2P)/S + 1 with its numbers, and what it leaves out where it is no whole
    number.
    """
    n, f, s, d = w.in_sizes[axis], w.extent[axis], w.stride[axis], w.dilation[axis]
    exact = (n - f + sum(w.padding[axis])) / s + 1
    text = f"({n} - {f} + 2*{w.padding[axis][0]})/{s} + 1 = {exact:g}"
    if d > 1:
        text += f" with a window of {d}*({w.size[axis]} - 1) + 1 = {f}"
    if unused := w.unused[axis]:
        what = ("row", "column")[axis] + ("s" if unused > 1 else "")
        of = "" if w.dropped[axis] else " of padding"
        text += f", rounded down to {w.out_sizes[axis]}: {unused} {what}{of} at the far side"
        text += " left out"
    return text


@partial(jax.jit, static_argnames=("window", "groups"))
def _run(given: Operands, dy: jax.Array, *, window: Window, groups: int):
    """Output, the gradients of input, kernel and bias, and X_col of every group."""
    w = window
    settings = {"stride": w.stride, "padding": w.padding, "dilation": w.dilation}

    def forward(x, kernel, bias):
        y = conv(x[None], kernel, groups=groups, precision="highest", **settings)[0]
        return y + bias[None, None]

    y, pull = jax.vjp(forward, *given)
    parts = jnp.split(given.x, groups, axis=-1)
    cols = jnp.stack([im2col(part[None], w.size, **settings)[0] for part in parts])
    return y, *pull(dy), cols


def _backward_volumes(kernel: np.ndarray, dy: np.ndarray, w: Window, groups: int) -> dict[str, Any]:
    """The input's gradient as a convolution: dY with stride - 1 zeros between its values and
    dilation*(F - 1) around it, and the kernel turned by 180 degrees, inputs and outputs exchanged.

    `conv(upsampled, flipped, dilation, groups)` is the gradient of the padded input, whose inside
    is that of the input. The kernel's gradient needs no array of its own: `conv` of the padded
    input, channel by channel, with dY as the kernel, dilated by the stride, at the dilation as
    stride. Source: CS231n notes, Convolutional Layer, Backpropagation.
    """
    (sh, sw), reach = w.stride, [e - 1 for e in w.extent]
    spread = np.zeros(
        tuple((o - 1) * s + 1 for o, s in zip(w.out_sizes, w.stride, strict=True)) + dy.shape[-1:],
        dy.dtype,
    )
    spread[::sh, ::sw] = dy
    around = [(r, r + unused) for r, unused in zip(reach, w.unused, strict=True)]
    f_h, f_w, depth, features = kernel.shape
    turned = kernel[::-1, ::-1].reshape(f_h, f_w, depth, groups, features // groups)
    # (F, F, K/groups, C), the channels of a group side by side
    flipped = turned.transpose(0, 1, 4, 3, 2).reshape(f_h, f_w, features // groups, -1)
    return {
        "upsampled": np.pad(spread, [*around, (0, 0)]).tolist(),
        "flipped": flipped.tolist(),
    }


def _pooled(request: Any, x: np.ndarray) -> dict[str, Any]:
    """Max pooling of x, by `size` and `stride`: `output`, `switches` (row-major in the window),
    `winners` (row-major in x) and `input_gradient`, where the gradient is routed.
    """
    pool = asked_pool(request, x.shape)
    if isinstance(pool, str):
        return {"error": pool}
    w, dy = pool
    y, which, winners, dx = map(np.asarray, _run_pool(x, dy, window=w))
    return {
        "sizes": [size_text(w, axis) for axis in (0, 1)],
        "windows": _corners(w),
        "unused": list(w.unused),
        "output": y.tolist(),
        "switches": which.tolist(),
        "winners": winners.tolist(),
        "input_gradient": dx.tolist(),
    }


@partial(jax.jit, static_argnames="window")
def _run_pool(x: jax.Array, dy: jax.Array, *, window: Window):
    size, stride = window.size, window.stride
    y, pull = jax.vjp(lambda x: max_pool(x[None], size, stride=stride)[0], x)
    which = switches(x[None], size, stride=stride)
    return y, which[0], switch_index(which, window)[0], pull(dy)[0]


def _corners(w: Window) -> list[list[int]]:
    """Where each window begins in the padded input, row-major."""
    (rows, cols), (sh, sw) = w.out_sizes, w.stride
    return [[y * sh, x * sw] for y in range(rows) for x in range(cols)]
