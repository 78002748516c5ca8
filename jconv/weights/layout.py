"""How arrays of channels-first frameworks (Caffe, PyTorch, ONNX) become those of jconv.

A convolution's kernel lies as (out, in/groups, *F) there and as (*F, in/groups, out) here, and so
does the kernel of the convolution that a transposed one transposes. A dense kernel is (out, in)
there, (in, out) here; and where its input was flattened from an image, they ran through the
channels slowest, (C, H, W), and jconv fastest, (H, W, C).
"""

from __future__ import annotations

import numpy as np

from ..geometry import Shape, volume

# for each channel, or feature of a row, its place there; None where the places agree
Order = np.ndarray | None


def kernel_from_first(kernel: np.ndarray, order: Order = None) -> np.ndarray:
    """(out, in/groups, *F) -> (*F, in/groups, out), the input channels in our order."""
    return np.moveaxis(reordered(kernel.swapaxes(0, 1), order).swapaxes(0, 1), (0, 1), (-1, -2))


def kernel_to_first(kernel: np.ndarray) -> np.ndarray:
    """(*F, in/groups, out) -> (out, in/groups, *F)"""
    return np.moveaxis(kernel, (-1, -2), (0, 1))


def flattened(shape: Shape, order: Order = None) -> Order:
    """The order of the features of a flattened image (*S, C), whose channels lie in `order`."""
    if volume(shape[:-1]) == 1:
        return order
    places = np.arange(volume(shape)).reshape(shape[-1], *shape[:-1])
    return np.moveaxis(reordered(places, order), 0, -1).ravel()


def dense_from_first(kernel: np.ndarray, order: Order = None) -> np.ndarray:
    """(out, in) -> (in, out), the inputs in our order."""
    return reordered(kernel.T, order)


def dense_to_first(kernel: np.ndarray, order: Order = None) -> np.ndarray:
    """(in, out) -> (out, in), the inputs in their order."""
    return restored(kernel, order).T


def reordered(a: np.ndarray, order: Order) -> np.ndarray:
    """An array with one entry for each channel or feature, from their order to ours."""
    return a if order is None else a[order]


def restored(a: np.ndarray, order: Order) -> np.ndarray:
    """The same back, from our order to theirs."""
    if order is None:
        return a
    back = np.empty_like(a)
    back[order] = a
    return back


def joined(orders: list[Order], sizes: list[int]) -> Order:
    """The order of features that were joined one after another."""
    if all(order is None for order in orders):
        return None
    starts = np.cumsum([0, *sizes[:-1]])
    return np.concatenate(
        [
            start + (np.arange(size) if order is None else order)
            for start, size, order in zip(starts, sizes, orders, strict=True)
        ]
    )
