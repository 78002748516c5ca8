"""The third opinion: the textbook's loops in plain NumPy, written from the formulas and sharing
nothing with jconv.

Arrays are channels last with a batch. size, stride, dilation: one int per axis; padding: one pair
(lo, hi) per axis.
"""

import itertools

import numpy as np


def visits(sizes, size, stride, padding, dilation=None, rounding="floor"):
    """(window, offset in it, position) for every pixel of every window, row-major; positions
    outside the image included.
    """
    axes = []
    for n, f, s, (lo, hi), d in zip(
        sizes, size, stride, padding, dilation or (1,) * len(sizes), strict=True
    ):
        last = d * (f - 1)
        starts = [p for p in range(-lo, n + hi, s) if p + last < n + hi]
        if rounding == "ceil" and starts[-1] + last < n + hi - 1 and starts[-1] + s < n:
            starts.append(starts[-1] + s)
        axes.append([(o, t, p + t * d) for o, p in enumerate(starts) for t in range(f)])
    for pixel in itertools.product(*axes):
        yield tuple(zip(*pixel, strict=True))


def inside(position, sizes):
    return all(0 <= p < n for p, n in zip(position, sizes, strict=True))


def out_sizes(*window, **settings):
    return tuple(o + 1 for o in max(out for out, _, _ in visits(*window, **settings)))


def conv(x, k, *, stride, padding, dilation, groups=1):
    sizes, size = x.shape[1:-1], k.shape[:-2]
    c, features = k.shape[-2:]
    y = np.zeros((len(x), *out_sizes(sizes, size, stride, padding, dilation), features))
    for out, tap, at in visits(sizes, size, stride, padding, dilation):
        if inside(at, sizes):
            for o, i in np.ndindex(features, c):
                y[:, *out, o] += x[:, *at, o // (features // groups) * c + i] * k[*tap, i, o]
    return y


def conv_gradients(x, k, dy, *, stride, padding, dilation, groups=1):
    """dx and dk. What dx is to dy is the transposed convolution of dy."""
    sizes, size = x.shape[1:-1], k.shape[:-2]
    c, features = k.shape[-2:]
    dx, dk = np.zeros(x.shape), np.zeros(k.shape)
    for out, tap, at in visits(sizes, size, stride, padding, dilation):
        if inside(at, sizes):
            for o, i in np.ndindex(features, c):
                channel = o // (features // groups) * c + i
                dx[:, *at, channel] += dy[:, *out, o] * k[*tap, i, o]
                dk[*tap, i, o] += (dy[:, *out, o] * x[:, *at, channel]).sum()
    return dx, dk


def local_conv(x, k, *, size, stride, padding, dilation):
    sizes, c, features = x.shape[1:-1], *k.shape[-2:]
    y = np.zeros((len(x), *out_sizes(sizes, size, stride, padding, dilation), features))
    for out, tap, at in visits(sizes, size, stride, padding, dilation):
        if inside(at, sizes):
            for o, i in np.ndindex(features, c):
                y[:, *out, o] += x[:, *at, i] * k[*out, *tap, i, o]
    return y


def max_pool(x, dy, *, size, stride, padding, rounding="floor"):
    """y, dx and the switches: the first position in row-major order that no other exceeds."""
    sizes = x.shape[1:-1]
    shape = (len(x), *out_sizes(sizes, size, stride, padding, rounding=rounding), x.shape[-1])
    y, switches, dx = np.full(shape, -np.inf), np.full(shape, -1), np.zeros(x.shape)
    origin = np.empty(shape, object)
    for out, tap, at in visits(sizes, size, stride, padding, rounding=rounding):
        for n, c in np.ndindex(len(x), x.shape[-1]):
            if inside(at, sizes) and (origin[n, *out, c] is None or x[n, *at, c] > y[n, *out, c]):
                y[n, *out, c], origin[n, *out, c] = x[n, *at, c], (n, *at, c)
                switches[n, *out, c] = np.ravel_multi_index(tap, size)
    for index in np.ndindex(shape):
        dx[origin[index]] += dy[index]
    return y, dx, switches


def window_sum(x, *, size, stride, padding, rounding="floor", count="all"):
    """The sum over every window, and how many positions count: "all" but the overhang of ceil, or
    those "inside" the image.
    """
    sizes = x.shape[1:-1]
    shape = out_sizes(sizes, size, stride, padding, rounding=rounding)
    total, counts = np.zeros((len(x), *shape, x.shape[-1])), np.zeros((1, *shape, 1))
    for out, _, at in visits(sizes, size, stride, padding, rounding=rounding):
        if inside(at, sizes):
            total[:, *out] += x[:, *at]
        padded = all(p < n + hi for p, n, (_, hi) in zip(at, sizes, padding, strict=True))
        counts[:, *out] += inside(at, sizes) if count == "inside" else padded
    return total, counts


def around(sizes, size):
    """The settings of a window of `size` around every position; an even one reaches one further
    back.
    """
    rank = len(sizes)
    return dict(
        size=(size,) * rank, stride=(1,) * rank, padding=((size // 2, (size - 1) // 2),) * rank
    )


def response_norm(x, before, after, scale, beta, k):
    """x_i (k + scale * the sum of x_j^2 over j from i - before to i + after)^-beta, along the
    channels.
    """
    y = np.zeros(x.shape)
    for i in range(x.shape[-1]):
        total = sum(
            x[..., j] ** 2 for j in range(max(0, i - before), min(x.shape[-1], i + after + 1))
        )
        y[..., i] = x[..., i] * (k + scale * total) ** -beta
    return y


def response_norm_within(x, size, alpha, beta, k):
    total, _ = window_sum(x**2, **around(x.shape[1:-1], size))
    return x * (k + alpha / size ** (x.ndim - 2) * total) ** -beta


def contrast_norm(x, size, alpha, beta, k):
    around_all = around(x.shape[1:-1], size)
    total, counts = window_sum(x, **around_all, count="inside")
    squares, _ = window_sum((x - total / counts) ** 2, **around_all)
    return x * (k + alpha / size ** (x.ndim - 2) * squares) ** -beta
