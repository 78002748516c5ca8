"""A convolution as the big, mostly zero matrix of the fully connected layer that it equals (CS231n
notes, Converting FC layers to CONV layers).
"""

from __future__ import annotations

import itertools

import numpy as np

from ..errors import LayerError
from ..geometry import Shape, Window, volume
from ..layer import computes_as
from ..layers import Conv
from ..ops.views import padded_index


def conv_as_dense(conv: Conv, params: dict, in_shape: Shape):
    """The matrix M, a scipy.sparse.csr_array: M @ x.ravel() is y.ravel() but for the bias, y the
    Conv's output for one example x.

    Shapes: (prod(S')*features, prod(S)*C), both sides row-major with the channel fastest. It holds
    one entry per connection, zero weights too, so that `.nnz` counts connections: 294 of 1,350 in
    the CS231n notes' demo, from 54 weights. For networks of AlexNet's size use `connections`, which
    counts without building. Raises ShapeError.
    """
    from scipy.sparse import csr_array  # as slow to import as all of jconv

    if not computes_as(conv, Conv):
        raise LayerError(
            f"{type(conv).__name__} is no Conv, or computes something else than one, of which no "
            "matrix is known"
        )
    w, (k_total, c_total), g = conv.over(in_shape), (conv.features, in_shape[-1]), conv.groups
    kernel = np.asarray(conv.full_kernel(params["kernel"], c_total))
    k, c = k_total // g, c_total // g
    live = (
        np.ones((c, k), bool)
        if conv.mask is None
        else np.array([[i in row for row in conv.mask] for i in range(c)])
    )
    rows, columns, values = [], [], []
    for tap in itertools.product(*map(range, w.size)):
        out, into = _positions(w, tap, conv.padding_mode)
        for group in range(g):
            to = out[:, None, None] * k_total + group * k + np.arange(k)[None, :]
            read = into[:, None, None] * c_total + group * c + np.arange(c)[:, None]
            weights = kernel[tap][:, group * k : (group + 1) * k]
            for found, a in ((rows, to), (columns, read), (values, weights)):
                found.append(np.broadcast_to(a, (len(out), c, k))[:, live].ravel())
    size = (volume(w.out_sizes) * k_total, volume(in_shape))
    return csr_array(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=size
    )


def connections(conv: Conv, in_shape: Shape) -> int:
    """How many entries that matrix holds: connections between values, not counting those to
    padding.
    """
    w = conv.over(in_shape)
    each = zip(
        *(_along(w, axis, np.arange(size), conv.padding_mode) for axis, size in enumerate(w.size)),
        strict=True,
    )
    outs, intos = each
    reached = [
        len(set(zip(out.tolist(), into.tolist(), strict=True)))
        for out, into in zip(outs, intos, strict=True)
    ]
    pairs = sum(map(len, conv.mask)) if conv.mask else in_shape[-1] // conv.groups * conv.features
    return int(np.prod(reached, dtype=np.int64)) * pairs


def _positions(w: Window, tap: Shape, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """For one tap of the window: the output positions that read a pixel there, and the input
    positions they read; flat.
    """
    out, into = np.zeros(1, np.int64), np.zeros(1, np.int64)
    for axis, f in enumerate(tap):
        o, i = _along(w, axis, np.array([f]), mode)
        out = (out[:, None] * w.out_sizes[axis] + o).ravel()
        into = (into[:, None] * w.in_sizes[axis] + i).ravel()
    return out, into


def _along(w: Window, axis: int, taps: np.ndarray, mode: str) -> tuple[np.ndarray, np.ndarray]:
    """Along one axis: which outputs read a pixel by some of the taps, and which pixels these
    are.
    """
    index = padded_index(w.in_sizes[axis], w.pads[axis], mode)
    out = np.arange(w.out_sizes[axis])[:, None]
    into = index[out * w.stride[axis] + taps * w.dilation[axis]]
    inside = into >= 0
    return np.broadcast_to(out, into.shape)[inside], into[inside]
